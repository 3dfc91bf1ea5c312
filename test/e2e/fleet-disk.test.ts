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
import { storedEvents } from './support/fleet-bus.js';

/**
 * A bus whose disk is full: what is to be stored waits at the sites, and no order is told to be what it is not. A nats-server
 * 2.9 that finds its disk full may lock itself up, and hand on nothing to the other servers of its cluster any more: whether an
 * order comes through is its luck then.
 */

const DISK = '48m';
const ORDERS = 8;
/** For one of them, s: a bus that has locked itself up answers none. */
const ORDER_S = 4;

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
  const answers = [];
  for (let again = 0; again < ORDERS; again += 1) answers.push(await f1.ask(`reboot berlin.kvm1/web1 --timeout=${ORDER_S}`));
  for (const answer of answers) t.match(answer, /^$|^400 (?:UNCERTAIN|UNREACHABLE): /);
  const done = 1 + answers.filter((answer) => answer === '').length;
  t.ok(machines.count('web1', 'r') >= done, 'what was told to be done is done');
  t.ok(machines.count('web1', 'r') <= done + answers.filter((answer) => answer.startsWith('400 UNCERTAIN')).length, 'and nothing twice, nor what was told not to be done');
  // past the front, since nothing may come there
  t.equal(await berlin.ask('stop kvm1/web2 --wait'), '', 'the people of the site work on');
  unlinkSync(join(disk, 'rubbish'));
  // a server that has found its disk full writes again only when it is started anew
  await Promise.all(fleet.nats.servers.map((server) => server.kill()));
  await Promise.all(fleet.nats.servers.map((server) => server.start()));
  await until(async () => /^berlin up .* outbox=0 /m.test(await f1.ask('fleet')), LONG, 'the events to be delivered');
  const told = (await storedEvents(fleet.nats)).filter(({ type, event }) => type === 'action' && event['outcome'] === 'done').length;
  t.ok(told >= done + 1, `each action is told: ${told}`);
  await until(async () => await f1.ask('status berlin.kvm1/web2') === 'off', LONG, 'what was done meanwhile to be seen');
  t.equal(await f1.ask('start berlin.kvm1/web2 --wait'), '');
  t.equal(machines.acts('web2'), 'ps');
  t.notMatch(berlin.daemon.stderr(), /"level":"fatal"|INTERNAL ERROR/);
});
