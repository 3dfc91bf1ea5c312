import t from 'tap';
import { NATS_PROGRAMS } from '../peers/nats.js';
import { LONG } from '../support/faults.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { DroppingProxy } from './support/dropping-proxy.js';
import { Fleet, SEND_TIMEOUT } from './support/fleet.js';

/** A site falls silent in the middle of orders: nobody waits for it, what is told is true, and nothing is done late. */

if (lacks(...NATS_PROGRAMS) !== false) {
  t.plan(0, 'needs nats-server');
  process.exit(0);
}

/** From an order to its effect, ms. */
const SLOW = 3000;

let proxy: DroppingProxy | undefined;
t.teardown(() => proxy?.close());
const fleet = await Fleet.start(t, {
  sites: { berlin: { counted: { names: ['web1', 'web2', 'slow1', 'slow2'], slow: { slow1: SLOW, slow2: SLOW } } }, munich: { counted: { names: ['mail'] } } },
  fronts: { f1: {}, f2: {} },
});

const [f1, f2, berlin] = [fleet.front('f1'), fleet.front('f2'), fleet.site('berlin')];
const machines = fleet.machines('berlin');

await t.test('a site that stands still: nobody waits for it, and it does nothing late', async (t) => {
  const { answer } = await fleet.underWay(f1, 'berlin', 'slow1');
  const before = machines.acts('web1');
  berlin.daemon.signal('SIGSTOP');
  const sent = f2.ask('reboot berlin.kvm1/web1 --timeout=5');
  await fleet.isAway('f1', 'berlin');
  const began = performance.now();
  t.match(await f1.ask('reboot berlin.kvm1/web1'), /^400 UNREACHABLE: /);
  t.ok(performance.now() - began < 1000, 'told at once');
  t.ok(await fleet.isOrdered(f1, 'munich', 'mail') < 2000, 'the other site answers as ever');
  const client = await f1.logIn();
  await until(async () => /berlin\.kvm1/.test((await client.ask('list', LONG)).comment), LONG, 'the list to say that it may be out of date');
  t.match(await f1.ask('info berlin.kvm1/web1'), /^stale: /m);
  t.match(await sent, /^400 (?:UNCERTAIN|UNREACHABLE|TIMEOUT)/);
  await until(() => performance.now() - began > SEND_TIMEOUT, LONG, 'what lies in its line to be too old');
  berlin.daemon.signal('SIGCONT');
  t.match(await answer, /^$|^400 UNCERTAIN/);
  await fleet.isUp('f1', 'berlin');
  t.equal(machines.acts('slow1'), 'r', 'what it had begun it has done');
  t.equal(machines.acts('web1'), before, 'what it found when it woke up it has not');
});

await t.test('a line that is cut without a word', async (t) => {
  proxy = await DroppingProxy.start(fleet.nats.urls);
  const through = (text: string): string => text.replace(/^servers = .*$/m, `servers = ["tls://localhost:${proxy!.port}"]`);
  await berlin.stop();
  await berlin.start({ change: through });
  await fleet.isUp('f1', 'berlin');
  const { answer } = await fleet.underWay(f1, 'berlin', 'slow2');
  proxy.cut();
  await fleet.isAway('f1', 'berlin');
  t.match(await f1.ask('reboot berlin.kvm1/web1'), /^400 UNREACHABLE: /);
  await fleet.isOrdered(f1, 'munich', 'mail');
  t.equal(await berlin.ask('reboot kvm1/web2'), '', 'its own people work on');
  t.match(await answer, /^400 UNCERTAIN: /, 'told at its deadline');
  t.equal(machines.acts('slow2'), 'r', 'and it was done');
  const before = machines.acts('web1');
  proxy.heal();
  await fleet.isUp('f1', 'berlin');
  t.equal(machines.acts('web1'), before, 'nothing that was refused is done when the line is back');
  await until(async () => (await f1.ask('status berlin.kvm1/web2')) === 'on', LONG, 'its machines');
});
