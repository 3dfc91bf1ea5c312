import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { ovf } from '../../drivers/libvirt/templates/descriptors.js';
import { must } from '../../peers/enclosure.js';
import { guestImages } from '../../peers/guest-images.js';
import { ManagedHost } from '../../peers/managed-host.js';
import { startDaemon } from '../../support/daemon.js';
import { connect, type LineClient } from '../../support/line-client.js';
import { everything, LOGIN, omsTable } from '../../support/oms/accounts.js';
import { OmsClient } from '../../support/oms/client.js';
import { MIB, putTiny } from './templates.js';

/** A real libvirt with templates, behind the whole daemon: by its socket, and over a real sshd as root and as somebody who has sudo. */

/** How a provider reaches it. */
export type Way = 'here' | 'root' | 'sudo';

const TIMEOUT_MS = 120_000;
/** Where others may look, as on a host; the first is inside the enclosure. */
const FOLDER = '/var/lib/libvirt/argo';

/** The template `box`: the root of a container, of which `etc/shadow` is only root's to read. */
async function putBox(folder: string, scratch: string): Promise<void> {
  const { rootfs } = await guestImages();
  cpSync(rootfs, scratch, { recursive: true, verbatimSymlinks: true });
  writeFileSync(join(scratch, 'etc', 'shadow'), 'root:*:19000:0:99999:7:::\n', { mode: 0o600 });
  mkdirSync(join(folder, 'box'));
  writeFileSync(join(folder, 'box', 'box.ovf'), ovf({ type: 'lxc-x86_64', file: 'box.tar.gz', format: 'tar.gz', capacity: String(16n * MIB) }));
  await must('tar', ['-czf', join(folder, 'box', 'box.tar.gz'), '--numeric-owner', '-C', scratch, '.']);
}

/** @param way of both of its providers, `funcclient` of virtual machines and `lxc` of containers, which OMS has as one host */
export async function templatesWorld(t: Test, way: Way) {
  const host = await ManagedHost.start({ 'sudoers.d/argo': 'argo-tester ALL=(ALL) NOPASSWD: ALL\n' });
  t.teardown(() => host.stop());
  const { peer, sshd } = host;
  const folder = peer.file('lib/argo/templates');
  const containers = peer.file('lib/argo/containers');
  mkdirSync(folder, { recursive: true });
  const pool = await peer.startPool('default');
  await putTiny({ folder });
  await putBox(folder, peer.file('box'));
  const access = way === 'here' ? '' : `private-key-file = "${sshd.privateKeyFile}"\nknown-hosts-file = "${sshd.knownHostsFile}"\n`;
  const uri = (driver: 'qemu' | 'lxc'): string => (way === 'here' ? `${driver}:///system?socket=${peer.socket}` : host.uri(way === 'root' ? 'root' : sshd.user, driver));
  // by its socket everything is done outside of the enclosure, where the folders have other paths
  const base = way === 'here' ? peer.file('lib/argo') : FOLDER;
  const provider = (name: string, driver: 'qemu' | 'lxc'): string => `[providers.${name}]\ntype = "libvirt"\nuri = "${uri(driver)}"\n${access}template-folder = "${base}/templates"\ncontainer-folder = "${base}/containers"\n`;
  const { table } = await omsTable();
  const daemon = await startDaemon({ listeners: 2, config: await everything() + table + provider('funcclient', 'qemu') + provider('lxc', 'lxc') });
  t.teardown(() => daemon.stop());
  const logIn = async (): Promise<LineClient> => {
    const line = await connect(daemon.port);
    t.teardown(() => line.destroy());
    t.equal((await line.ask(`auth ${LOGIN.name} ${LOGIN.password}`)).code, 300);
    return line;
  };
  const [line, other] = [await logIn(), await logIn()];
  const oms = new OmsClient(daemon.ports[1]!);
  t.equal((await oms.login(LOGIN.name, LOGIN.password)).error, null);
  const virshOf = (driver: 'qemu' | 'lxc') => async (...words: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await peer.virsh('-c', peer.uri(driver), ...words);
    if (code !== 0) throw new Error(`virsh ${words.join(' ')}: ${stderr}`);
    return stdout.trim();
  };
  return {
    way, peer, folder, containers, pool, daemon, oms,
    /** What the line protocol answers. */
    say: (request: string): Promise<string> => line.answer(request, TIMEOUT_MS),
    /** The same on a connection beside. */
    aside: (request: string): Promise<string> => other.answer(request, TIMEOUT_MS),
    /** The body of what must be done. */
    done: async (request: string): Promise<readonly string[]> => {
      const { code, comment, body } = await line.ask(request, TIMEOUT_MS);
      t.equal(`${code} ${comment}`, '300 DONE', request);
      return body;
    },
    virsh: virshOf('qemu'), virshLxc: virshOf('lxc'),
  };
}

export type TemplatesWorld = Awaited<ReturnType<typeof templatesWorld>>;
