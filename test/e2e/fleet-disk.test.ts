import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { NATS_PROGRAMS } from '../peers/nats.js';
import { fillDisk, LONG } from '../support/faults.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';
import { Fleet } from './support/fleet.js';

/** A bus whose disk is full keeps no orders back; what is to be stored waits at the sites. */

const DISK = '48m';

await t.test('the disk of the bus is full', { skip: lacksRoot(...NATS_PROGRAMS, 'mount', 'umount'), timeout: 300_000 }, async (t) => {
  const disk = mkdtempSync(join(tmpdir(), 'argo-bus-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK},mode=700`, 'tmpfs', disk]);
  t.teardown(() => {
    spawnSync('umount', ['-l', disk]);
    rmSync(disk, { recursive: true, force: true });
  });
  const fleet = await Fleet.start(t, { busFolder: disk, sites: { berlin: { counted: { names: ['web1', 'web2'] } } }, fronts: { f1: {} } });
  const [f1, berlin, machines] = [fleet.front('f1'), fleet.site('berlin'), fleet.machines('berlin')];
  t.equal(await f1.ask('reboot berlin.kvm1/web1'), '');
  fillDisk(join(disk, 'rubbish'));
  for (let again = 0; again < 20; again += 1) t.equal(await f1.ask('reboot berlin.kvm1/web1'), '', 'orders go on');
  t.equal(machines.count('web1', 'r'), 21);
  t.equal(await f1.ask('stop berlin.kvm1/web2 --wait'), '');
  t.equal(await f1.ask('status berlin.kvm1/web2'), 'off');
  await until(async () => /^berlin up .* outbox=[1-9]/m.test(await f1.ask('fleet')), LONG, 'events to wait at the site');
  unlinkSync(join(disk, 'rubbish'));
  // a server that has found its disk full writes again only when it is started anew
  for (const server of fleet.nats.servers) {
    await server.kill();
    await server.start();
  }
  await until(async () => /^berlin up .* outbox=0 /m.test(await f1.ask('fleet')), LONG, 'the events to be delivered');
  t.equal(await f1.ask('start berlin.kvm1/web2 --wait'), '');
  t.equal(machines.acts('web2'), 'ps');
  t.notMatch(berlin.daemon.stderr(), /"level":"fatal"|INTERNAL ERROR/);
});
