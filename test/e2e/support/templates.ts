import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Driver, Machine } from '../../../src/drivers/driver.js';
import type { WorkCall } from '../../../src/drivers/management/contract.js';
import type { TemplatingAbility } from '../../../src/drivers/management/machine.js';
import type { Templates } from '../../../src/drivers/management/storage.js';
import { soon } from '../../drivers/driving.js';
import { openDriver } from '../../drivers/libvirt/open-driver.js';
import { ovf } from '../../drivers/libvirt/templates/descriptors.js';
import { workCall } from '../../drivers/libvirt/works.js';
import { must } from '../../peers/enclosure.js';
import { guestImages } from '../../peers/guest-images.js';
import { startLibvirt, type LibvirtPeer } from '../../peers/libvirt.js';

/** A real libvirt with a folder of templates. */

export const MIB = 1024n * 1024n;

let tasks = 0;
/** What goes with a piece of work: each is a task of its own. */
export const call = (given: Partial<WorkCall> = {}): WorkCall => workCall({ task: `t${process.pid}-${tasks += 1}`, ...given });

export interface World {
  readonly peer: LibvirtPeer;
  readonly driver: Driver;
  readonly templates: Templates;
  /** of templates; all paths are the same inside and outside */
  readonly folder: string;
  /** of the pool of images */
  readonly pool: string;
  readonly containers: string;
}

export const templatesOf = (driver: Driver): Templates => driver.abilities!.templates as Templates;
export const templatingOf = (machine: Machine): TemplatingAbility => machine.abilities!.templating as TemplatingAbility;

/** What a provider's table in the configuration says of it. */
export const tableOf = ({ peer, folder, containers }: Pick<World, 'peer' | 'folder' | 'containers'>, scheme: 'qemu' | 'lxc' = 'qemu') =>
  ({ uri: `${scheme}:///system?socket=${peer.socket}`, options: { 'template-folder': folder, 'container-folder': containers } });

/** @param places folders that are there already, instead of those that are made */
export async function buildWorld(t: Test, scheme: 'qemu' | 'lxc', places: { readonly folder?: string; readonly pool?: string } = {}): Promise<World> {
  const peer = await startLibvirt();
  const folder = places.folder ?? peer.file('templates');
  mkdirSync(folder, { recursive: true });
  const pool = places.pool ?? await peer.startPool('default');
  if (places.pool !== undefined) {
    await must('virsh', ['-c', peer.uri('qemu'), 'pool-define-as', 'default', 'dir', '--target', pool]);
    await must('virsh', ['-c', peer.uri('qemu'), 'pool-start', 'default']);
  }
  const containers = peer.file('containers');
  const { uri, options } = tableOf({ peer, folder, containers }, scheme);
  const { driver } = openDriver(uri, options);
  t.teardown(async () => {
    await driver.close(soon());
    await peer.stop();
  });
  return { peer, driver, templates: templatesOf(driver), folder, pool, containers };
}

/** The template `tiny`: a guest of one boot sector. */
export async function putTiny({ folder }: Pick<World, 'folder'>): Promise<void> {
  const { tiny } = await guestImages();
  mkdirSync(join(folder, 'tiny'));
  await must('qemu-img', ['convert', '-U', '-f', 'raw', '-O', 'qcow2', tiny, join(folder, 'tiny', 'tiny1.img')]);
  // SeaBIOS reads nothing from a disk of one sector.
  await must('qemu-img', ['resize', '-q', join(folder, 'tiny', 'tiny1.img'), '1M']);
  writeFileSync(join(folder, 'tiny', 'tiny.ovf'), ovf({ capacity: '1048576' }));
}

/** A template whose disk takes a while to be copied, and takes this much room. */
export async function putLarge({ folder }: Pick<World, 'folder'>, name: string, mib: number): Promise<void> {
  mkdirSync(join(folder, name));
  const disk = join(folder, name, 'disk.raw');
  await must('dd', ['if=/dev/urandom', `of=${disk}`, 'bs=1M', `count=${mib}`, 'status=none'], 120_000);
  writeFileSync(join(folder, name, `${name}.ovf`), ovf({ file: 'disk.raw', format: 'raw', capacity: String(BigInt(mib) * MIB) }));
}

/** What must be left of nothing: names in the folders that end as half made things do. */
export const leftovers = ({ folder, pool, containers }: Pick<World, 'folder' | 'pool' | 'containers'>): string[] => [folder, pool, containers].filter((each) => existsSync(each))
  .flatMap((each) => readdirSync(each)).filter((name) => name.includes('.argo-'));

export const domainsOf = async ({ peer }: Pick<World, 'peer'>): Promise<string[]> =>
  (await peer.virsh('list', '--all', '--name')).stdout.split('\n').filter((name) => name !== '');
