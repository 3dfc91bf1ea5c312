import t from 'tap';
import { NATS_PROGRAMS } from '../peers/nats.js';
import { LONG } from '../support/faults.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { Fleet } from './support/fleet.js';

/** Each part of a fleet dies in the middle of orders: what is told is true, and nothing is done twice. */

if (lacks(...NATS_PROGRAMS) !== false) {
  t.plan(0, 'needs nats-server');
  process.exit(0);
}

/** From an order to its effect, ms. */
const SLOW = 3000;
const SLOW_NAMES = ['slow1', 'slow2', 'slow3', 'slow4'];

const fleet = await Fleet.start(t, {
  sites: {
    berlin: { counted: { names: ['web1', 'web2', ...SLOW_NAMES], slow: Object.fromEntries(SLOW_NAMES.map((name) => [name, SLOW])) } },
    munich: { counted: { names: ['mail'] } },
  },
  fronts: { f1: {}, f2: {} },
});

const [f1, f2, berlin] = [fleet.front('f1'), fleet.front('f2'), fleet.site('berlin')];
const machines = fleet.machines('berlin');

await t.test('kill -9 of the leader of the streams', async (t) => {
  const leader = await fleet.nats.leaderOf('KV_argo-inventory');
  const { answer } = await fleet.underWay(f1, 'berlin', 'slow1');
  await leader.kill();
  const quick = await f1.ask('reboot berlin.kvm1/web1');
  t.match(quick, /^$|^400 UNREACHABLE/, 'what is ordered now is done, or not sent');
  t.equal(machines.count('web1', 'r'), quick === '' ? 1 : 0);
  t.equal(await answer, '', 'what was under way is asked after');
  t.equal(machines.acts('slow1'), 'r');
  await berlin.ask('stop kvm1/web2 --wait');
  await until(async () => await f1.ask('list stopped') === 'web2', LONG, 'the change to be seen at the front');
  await berlin.ask('start kvm1/web2 --wait');
  await leader.start();
});

await t.test('kill -9 of the server by which the site goes', async (t) => {
  const { answer } = await fleet.underWay(f1, 'berlin', 'slow2');
  const server = await fleet.serverOf('berlin');
  await server.kill();
  t.equal(await answer, '');
  t.equal(machines.acts('slow2'), 'r');
  await fleet.isUp('f1', 'berlin');
  const again = await f1.ask('reboot berlin.kvm1/slow2');
  t.equal(again, '');
  t.equal(machines.acts('slow2'), 'rr');
  await server.start();
});

await t.test('kill -9 of the site in the middle of an order', async (t) => {
  const { answer } = await fleet.underWay(f1, 'berlin', 'slow3');
  await berlin.kill();
  await fleet.isOrdered(f1, 'munich', 'mail');
  await berlin.start();
  t.match(await answer, /^400 UNCERTAIN: /);
  await fleet.isUp('f1', 'berlin');
  t.equal(machines.acts('slow3'), '', 'the process that was to do it is gone');
  t.equal(await f1.ask('reboot berlin.kvm1/slow3'), '');
  t.equal(machines.acts('slow3'), 'r', 'and it was not begun a second time');
  t.same(berlin.audit().filter(({ instance }) => instance === 'kvm1/slow3').map(({ outcome }) => outcome === 'done'), [false, true]);
});

await t.test('kill -9 of the front in the middle of an order', async (t) => {
  const { answer } = await fleet.underWay(f1, 'berlin', 'slow4');
  await f1.kill();
  t.match(await answer, /^lost: /);
  await until(() => machines.acts('slow4') === 'r', LONG, 'the order to go on');
  await until(() => berlin.audit().some(({ instance, account, outcome }) => instance === 'kvm1/slow4' && account === 'admin@f1' && outcome === 'done'), LONG, 'the site\'s audit');
  t.equal(await f2.ask('status berlin.kvm1/slow4'), 'on');
  await f1.start();
  await fleet.knowsAll('f1');
  t.equal(machines.acts('slow4'), 'r');
  t.equal(f1.audit().find(({ instance }) => instance === 'berlin.kvm1/slow4')?.outcome, null, 'the front does not know how it ended');
});
