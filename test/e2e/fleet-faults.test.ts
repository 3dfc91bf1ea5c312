import t from 'tap';
import { NATS_PROGRAMS } from '../peers/nats.js';
import { LONG } from '../support/faults.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { storeLayout } from '../../src/fleet/store-layout.js';
import { EVENTS_STREAM } from '../../src/fleet/subjects.js';
import { Fleet, Member } from './support/fleet.js';
import { Thief } from './support/fleet-thief.js';
import { shiftedClock } from './support/shifted-clock.js';

/** What is wrong with a fleet's set-up is said by name, and nothing acts meanwhile. */

if (lacks(...NATS_PROGRAMS) !== false) {
  t.plan(0, 'needs nats-server');
  process.exit(0);
}

const fleet = await Fleet.start(t, {
  sites: { berlin: { counted: { names: ['web1', 'web2'] }, tables: '[providers.sim]\ntype = "sim"\ncount = 30\n' }, munich: { counted: { names: ['mail'] } } },
  fronts: { f1: {}, f2: {} },
});
const [f1, f2, berlin] = [fleet.front('f1'), fleet.front('f2'), fleet.site('berlin')];
const machines = fleet.machines('berlin');

await t.test('a clock that is off: of a site, of a front', async (t) => {
  const before = machines.acts('web1');
  await berlin.stop();
  await berlin.start({ env: shiftedClock(berlin.folder, 40_000) });
  await fleet.isAway('f1', 'berlin', /clock/);
  t.match(await f1.ask('reboot berlin.kvm1/web1'), /^400 UNREACHABLE: .*clock.*40/);
  t.match(await f1.ask('fleet'), /^berlin away .*skew=(?:39|40)\d{3}ms/m);
  t.equal(await berlin.ask('reboot kvm1/web1'), '', 'its own people are not concerned');
  t.equal(machines.acts('web1'), `${before}r`);
  await berlin.stop();
  await berlin.start();
  await fleet.isUp('f1', 'berlin');
  t.equal(await f1.ask('reboot berlin.kvm1/web1'), '');
  await f2.stop();
  await f2.start({ env: shiftedClock(f2.folder, -30_000) });
  await fleet.isAway('f2', 'berlin', /clock/);
  t.match(await f2.ask('reboot berlin.kvm1/web1'), /^400 UNREACHABLE: .*clock/);
  t.equal(machines.acts('web1'), `${before}rr`);
  t.equal(await f1.ask('reboot berlin.kvm1/web1'), '', 'the other front orders as ever');
  await f2.stop();
  await f2.start();
  await fleet.isUp('f2', 'berlin');
});

await t.test('a provider that is lost from the configuration, and comes back', async (t) => {
  t.equal(await fleet.count('f1', 'berlin.sim/*'), 30);
  await berlin.reload((text) => text.replace(/\[providers\.sim\]\n.*\n.*\n/, ''));
  await until(async () => await fleet.count('f1', 'berlin.sim/*') === 0, LONG, 'its machines to go');
  t.match(await f1.ask('stop berlin.sim/vm00001'), /^400 NO SUCH INSTANCE/);
  t.notMatch(await f1.ask('fleet'), /berlin\.sim/);
  t.equal(await f1.ask('status berlin.kvm1/web1'), 'on', 'the other one stays');
  await berlin.reload((text) => text);
  await until(async () => await fleet.count('f1', 'berlin.sim/*') === 30, LONG, 'its machines to come');
  t.equal(await f1.ask('stop berlin.sim/vm00001 --wait'), '');
});

await t.test('a front that knows an old state of things hits nothing', async (t) => {
  // what it has is from before: the site has other machines by the time of the order
  await berlin.reload((text) => text.replace('count = 30', 'instances = ["other"]'));
  const answer = await f1.ask('stop berlin.sim/vm00002');
  t.match(answer, /^400 NO SUCH INSTANCE/);
  t.equal(await berlin.ask('status sim/other'), 'on');
  await berlin.reload((text) => text);
  await until(async () => await fleet.count('f1', 'berlin.sim/*') === 30, LONG, 'its machines to come');
});

await t.test('two sites of one name: it is said, and neither is ordered', async (t) => {
  const twin = new Member(berlin.key, () => berlin.config(), 1);
  twin.machines = machines;
  t.teardown(async () => {
    await twin.stop();
    twin.remove();
  });
  const before = machines.acts('web1');
  await twin.start();
  await fleet.isAway('f1', 'berlin', /name|twice|two/);
  t.match(await f1.ask('reboot berlin.kvm1/web1'), /^400 UNREACHABLE/);
  t.equal(machines.acts('web1'), before);
  t.match(f1.daemon.stderr(), /berlin/);
  await twin.stop();
  await fleet.isUp('f1', 'berlin');
  t.equal(await f1.ask('reboot berlin.kvm1/web1'), '');
});

await t.test('a stream that is gone: orders go on, and it is said', async (t) => {
  const admin = await Thief.logIn(fleet, fleet.nats.admin);
  t.teardown(() => admin.close());
  t.equal(await admin.store(`STREAM.DELETE.${EVENTS_STREAM}`), undefined);
  await berlin.ask('stop kvm1/web2 --wait');
  await until(() => berlin.daemon.stderr().includes(EVENTS_STREAM), LONG, 'the site\'s log to name the stream');
  t.equal(await f1.ask('start berlin.kvm1/web2 --wait'), '');
  t.equal(await f1.ask('status berlin.kvm1/web2'), 'on');
  await until(async () => /^berlin .* outbox=[1-9]/m.test(await f1.ask('fleet')), LONG, 'events to wait at the site');
  const { stream, settings } = storeLayout().find((one) => one.stream === EVENTS_STREAM)!;
  t.equal(await admin.store(`STREAM.CREATE.${stream}`, { name: stream, ...settings }), undefined);
  await until(async () => /^berlin .* outbox=0 /m.test(await f1.ask('fleet')), LONG, 'the events to be delivered');
});
