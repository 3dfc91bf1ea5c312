import { writeFileSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { outcome } from '../drivers/driving.js';
import { openDriver } from '../drivers/libvirt/open-driver.js';
import { machinesOf, newMachine } from '../drivers/libvirt/works.js';
import { must, run } from '../peers/enclosure.js';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { lacksRoot } from '../support/peers.js';

/** LVM of a libvirt's host: a real group on a loop device, judged by LVM's own words. */

const WAIT_MS = 60_000;
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS);
const call = () => ({ signal: soon(), task: 'x', progress: () => undefined });
const GROUP = `argo-test-${process.pid}`;
const MIB = 1024n * 1024n;

/** A volume as the text of a group's metadata has it: the kernel need not have device-mapper for that. */
const volume = (name: string, number: number, first: number, extents: number): string => `
  ${name} {
    id = "argotV-0000-0000-0000-0000-0000-00000${number}"
    status = ["READ", "WRITE", "VISIBLE"]
    flags = []
    creation_time = 1700000000
    creation_host = "lj"
    segment_count = 1
    segment1 { start_extent = 0 extent_count = ${extents} type = "striped" stripe_count = 1 stripes = [ "pv0", ${first} ] }
  }`;

async function makeGroup(t: Test): Promise<void> {
  const folder = t.testdir();
  const disk = join(folder, 'disk');
  writeFileSync(disk, '');
  truncateSync(disk, 256 * 1024 * 1024);
  const device = (await must('losetup', ['-f', '--show', disk])).trim();
  t.teardown(async () => {
    await run('vgremove', ['-ff', '-y', GROUP]);
    await run('pvremove', ['-ff', '-y', device]);
    await must('losetup', ['-d', device]);
  });
  await must('vgcreate', ['-y', GROUP, device]);
  const backup = join(folder, 'metadata');
  await must('vgcfgbackup', ['-f', backup, GROUP]);
  const text = readFileSync(backup, 'utf8');
  const volumes = `logical_volumes {${volume('data', 1, 0, 4)}${volume('my-disk', 2, 4, 2)}${volume('pooled', 3, 6, 1)}\n}\n`;
  // behind the last brace of the group's physical volumes
  writeFileSync(backup, text.replace(/(\n\t}\n)(\n*\}\n)/, (_, inner: string, outer: string) => `${inner}${volumes}${outer}`));
  await must('vgcfgrestore', ['--yes', '-f', backup, GROUP]);
}

await t.test('groups and volumes', { skip: lacksRoot(...LIBVIRT_PROGRAMS, 'losetup', 'vgs', 'vgcfgrestore'), timeout: 170_000 }, async (t) => {
  const peer = await startLibvirt();
  t.teardown(() => peer.stop());
  await makeGroup(t);
  await peer.defineChanged('web', (xml) => xml.replace('</disk>', `</disk>
    <disk type='block' device='disk'><source dev='/dev/${GROUP}/data'/><target dev='hdb' bus='ide'/></disk>`));
  await peer.defineChanged('mail', (xml) => xml.replace('</disk>', `</disk>
    <disk type='block' device='disk'><source dev='/dev/mapper/${GROUP.replaceAll('-', '--')}-my--disk'/><target dev='hdb' bus='ide'/></disk>`));
  // a pool of the group, of which nothing has to be started for a machine to have its volume; and one that libvirt does not know any more
  t.equal((await peer.virsh('pool-define-as', 'lvm', 'logical', '--source-name', GROUP)).code, 0);
  await peer.defineChanged('db', (xml) => xml.replace('</disk>', `</disk>
    <disk type='volume' device='disk'><source pool='lvm' volume='pooled'/><target dev='hdb' bus='ide'/></disk>
    <disk type='volume' device='disk'><source pool='gone' volume='pooled'/><target dev='hdc' bus='ide'/></disk>`));
  const { driver } = openDriver(`qemu:///system?socket=${peer.socket}`);
  t.teardown(() => driver.close(soon()));
  const { groups, list } = driver.abilities!.volumes!;

  const own = (await groups!({}, call())).find(({ name }) => name === GROUP)!;
  const said = (await must('vgs', ['--noheadings', '--units', 'b', '--nosuffix', '--separator', '|', '-o', 'vg_uuid,vg_size,vg_free,vg_extent_size,lv_count,pv_count,vg_seqno,vg_attr,vg_fmt,vg_systemid', GROUP])).trim().split('|');
  const { report } = own;
  t.same(
    [
      own.uuid,
      ...[own.size, own.free, own.extent, own.logicalVolumes, own.physicalVolumes].map(String),
      report.vg_seqno,
      report.vg_attr,
      report.vg_fmt,
      report.vg_systemid,
    ],
    said,
  );
  t.equal(own.size - own.free, 7n * own.extent);
  t.equal(report.open_lv_count, '0');

  const volumes = (await list!({}, call())).filter(({ group }) => group === GROUP);
  t.match(volumes, [
    { name: 'data', path: `/dev/${GROUP}/data`, size: 16n * MIB, usedBy: ['web'] },
    { name: 'my-disk', path: `/dev/${GROUP}/my-disk`, size: 8n * MIB, usedBy: ['mail'] },
    { name: 'pooled', path: `/dev/${GROUP}/pooled`, size: 4n * MIB, usedBy: ['db'] },
  ]);
  const rows = (await must('lvs', ['--noheadings', '--separator', '|', '-o', 'lv_uuid,lv_attr', GROUP])).trim().split('\n').map((line) => line.trim());
  t.same(volumes.map(({ uuid, report: { lv_attr: attributes } }) => `${uuid}|${attributes}`), rows);

  await peer.startPool('default');
  const { install } = machinesOf(driver);
  t.match(await outcome(install(newMachine('taken', { disk: { volume: `/dev/${GROUP}/pooled` } }), call())), { phrase: 'BAD REQUEST', detail: /is in use by db/ }, 'nobody else gets it');
});
