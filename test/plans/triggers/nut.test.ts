import * as v from 'valibot';
import t, { type Test } from 'tap';
import { parseCondition, type Truth } from '../../../src/plans/triggers/conditions.js';
import nut from '../../../src/plans/triggers/nut/index.js';
import { UPS_VOCABULARY, UpsFacts, type Variables } from '../../../src/plans/triggers/nut/status.js';
import { NutTrigger, type NutSettings } from '../../../src/plans/triggers/nut/trigger.js';
import { fakeHost, settled, TestClock, type FakeHost } from './support.js';

const BEGIN = '2026-11-28T12:00:00Z';

const saying = (status: string, others: Readonly<Record<string, string>> = {}): Variables =>
  new Map(Object.entries({ 'ups.status': status, 'battery.charge': '98', 'battery.runtime': '1800', 'ups.load': '23', ...others }));

void t.test('what follows from the flags of a UPS, and what does not', async (t) => {
  const cases: readonly [string, Readonly<Record<string, Truth>>][] = [
    ['OL', { 'on-line': true, 'on-battery': false, 'low-battery': false, fsd: false }],
    ['OL CHRG LB', { 'on-line': true, 'low-battery': false }],
    ['OL DISCHRG', { 'on-line': true, 'on-battery': false }],
    ['OB', { 'on-line': false, 'on-battery': true, 'low-battery': false }],
    ['OB CHRG', { 'on-line': false, 'on-battery': true }],
    ['DISCHRG LB OB', { 'on-line': false, 'on-battery': true, 'low-battery': true }],
    ['OB CAL LB', { 'on-line': false, 'on-battery': false, 'low-battery': false }],
    ['OL OB', { 'on-line': false, 'on-battery': true }],
    ['FSD OL', { 'on-line': false, 'on-battery': false, fsd: true }],
    ['FSD OB LB', { 'on-line': false, 'low-battery': true, fsd: true }],
    ['OL OVER RB', { overload: true, 'replace-battery': true }],
    ['OLX', { 'on-line': undefined }],
    ['WAIT', { 'on-line': undefined, 'on-battery': undefined, 'low-battery': undefined, fsd: undefined, overload: undefined }],
    ['', { 'on-line': undefined, 'on-battery': undefined, fsd: undefined }],
    ['ALARM', { 'on-line': undefined, 'on-battery': undefined }],
  ];
  for (const [status, words] of cases) for (const [word, truth] of Object.entries(words)) t.equal(new UpsFacts(saying(status)).is(word), truth, `${word} of "${status}"`);
  t.equal(new UpsFacts(undefined).is('on-battery'), undefined);
});

void t.test('numbers of a UPS', async (t) => {
  const truth = (when: string, variables: Variables): Truth => parseCondition(when, UPS_VOCABULARY).watch(1).look(new UpsFacts(variables), 0);
  t.equal(truth('charge < 40%', saying('OB', { 'battery.charge': '39' })), true);
  t.equal(truth('charge < 40%', saying('OL CHRG', { 'battery.charge': '39' })), false, 'a battery that is charged again begins nothing');
  t.equal(truth('runtime < 10m', saying('OB', { 'battery.runtime': '599.5' })), true);
  t.equal(truth('runtime < 10m', saying('OB', { 'battery.runtime': 'NA' })), undefined);
  t.equal(truth('charge > 50%', saying('OL', { 'battery.charge': '51' })), true);
  t.equal(truth('load < 30%', saying('OL')), true);
  t.equal(truth('charge < 40%', saying('WAIT', { 'battery.charge': '3' })), undefined);
});

/** A UPS that says what the test lets it say. */
class Ups {
  says: Variables | Error = saying('OL');
  looks = 0;
  isClosed = false;

  read(): Promise<Variables> {
    this.looks += 1;
    return this.says instanceof Error ? Promise.reject(this.says) : Promise.resolve(this.says);
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

interface World {
  readonly clock: TestClock;
  readonly host: FakeHost;
  readonly upses: readonly Ups[];
  readonly trigger: NutTrigger;
}

const when = (source: string): NutSettings['start'][number]['when'] => parseCondition(source, UPS_VOCABULARY);
const POWER_CUT = { plan: 'power-cut', when: when('low-battery or charge < 40% or fsd') };
const SHED = { plan: 'shed', when: when('on-battery for 10s') };
const STOP = { plan: 'power-back', when: when('on-line for 1m and charge > 50%') };

async function world(t: Test, options: Partial<NutSettings> & { count?: number; stored?: Map<string, string>; first?: Variables } = {}): Promise<World> {
  const { count = 1, stored, first = saying('OL'), ...settings } = options;
  const clock = new TestClock(BEGIN);
  const host = fakeHost(clock, stored);
  const upses = Array.from({ length: count }, () => Object.assign(new Ups(), { says: first }));
  const trigger = new NutTrigger(
    { start: [SHED, POWER_CUT], stop: STOP, needs: 1, pollInterval: 5000, minInterval: 60_000, silentFor: undefined, ...settings },
    new Map(upses.map((ups, index) => [`rack${index + 1}`, ups])), host,
  );
  t.teardown(() => trigger.close());
  await settled();
  return { clock, host, upses, trigger };
}

void t.test('a short cut begins nothing, a long one begins each plan once', async (t) => {
  const { clock, host, upses: [ups], trigger } = await world(t);
  ups!.says = saying('OB');
  await clock.pass(8000);
  ups!.says = saying('OL');
  await clock.pass(20_000);
  t.same(host.starter.plans, []);
  ups!.says = saying('OB');
  await clock.pass(20_000);
  t.same(host.starter.plans, ['shed']);
  t.match(host.starter.begun[0]!.cause, { source: 'trigger ups', words: 'trigger ups: on-battery for 10s (rack1: OB, charge 98 %, runtime 30 min)' });
  ups!.says = saying('OB LB', { 'battery.charge': '18' });
  await clock.pass(600_000);
  t.same(host.starter.plans, ['shed', 'power-cut'], 'and not at each look');
  t.match(trigger.describe(), /rack1: on battery, which is low, OB LB, charge 18 %/);
  t.same(host.starter.gone, []);
  t.same(host.lines.filter((line) => line.includes('UPS is')).map((line) => line.split(' {')[0]), [
    'info UPS is on line', 'warn UPS is on battery', 'info UPS is on line', 'warn UPS is on battery', 'warn UPS is on battery, which is low',
  ], 'each thing is told once');
});

void t.test('it is asked each second once it is on battery', async (t) => {
  const { clock, upses: [ups] } = await world(t);
  await clock.pass(60_000);
  t.ok(ups!.looks <= 14, `${ups!.looks} looks in a minute`);
  ups!.says = saying('OB');
  await clock.pass(5000);
  const before = ups!.looks;
  await clock.pass(60_000);
  t.ok(ups!.looks - before >= 55, `${ups!.looks - before} looks in a minute`);
});

void t.test('what is not known begins nothing, cancels nothing, and undoes no time', async (t) => {
  const { clock, host, upses: [ups], trigger } = await world(t);
  ups!.says = saying('OB');
  await clock.pass(9000);
  for (const says of [new Error('the driver of the UPS has no news from it (DATA-STALE)'), saying('WAIT'), new Map<string, string>(), new Error('nobody listens there')]) {
    ups!.says = says;
    await clock.pass(150_000);
  }
  t.same(host.starter.plans, [], 'ten minutes of silence');
  t.match(trigger.describe(), /silent since .*, on battery before/);
  t.equal(host.lines.filter((line) => line.includes('UPS is silent')).length, 1);
  ups!.says = saying('OB');
  await clock.pass(8000);
  t.same(host.starter.plans, ['shed'], 'what was seen before counts');
  ups!.says = new Error('closed');
  await clock.pass(600_000);
  t.same(host.starter.gone, []);
  ups!.says = saying('OB');
  await clock.pass(600_000);
  t.same(host.starter.plans, ['shed'], 'silence is no end of the cut, so it is no new one');
});

void t.test('mains that are back', async (t) => {
  const { clock, host, upses: [ups] } = await world(t);
  ups!.says = saying('OB LB', { 'battery.charge': '30' });
  await clock.pass(20_000);
  t.same(host.starter.plans, ['power-cut', 'shed']);
  ups!.says = saying('OL CHRG', { 'battery.charge': '30' });
  await clock.pass(120_000);
  t.same(host.starter.gone, [], 'the battery has to be charged again');
  ups!.says = saying('OL CHRG', { 'battery.charge': '51' });
  await clock.pass(120_000);
  t.match(host.starter.gone, [{ source: 'trigger ups', then: 'power-back', words: /on-line for 1m and charge > 50%/ }]);
  await clock.pass(600_000);
  t.equal(host.starter.gone.length, 1, 'once');
  ups!.says = saying('OB LB');
  await clock.pass(20_000);
  t.same(host.starter.plans, ['power-cut', 'shed', 'power-cut', 'shed'], 'the next cut begins them anew');
  ups!.says = saying('FSD OL');
  await clock.pass(600_000);
  t.equal(host.starter.gone.length, 1, 'a forced shutdown is held by upsd: that is not being on line');
});

void t.test('nothing is taken back where nothing was begun', async (t) => {
  const { clock, host } = await world(t);
  await clock.pass(3_600_000);
  t.same(host.starter.gone, []);
});

void t.test('mains that flap', async (t) => {
  const { clock, host, upses: [ups] } = await world(t, { start: [POWER_CUT], stop: { plan: undefined, when: when('on-line') } });
  for (let turn = 0; turn < 60; turn += 1) {
    ups!.says = turn % 2 === 0 ? saying('OB LB') : saying('OL');
    await clock.pass(2000);
  }
  t.ok(host.starter.plans.length <= 3, `begun ${host.starter.plans.length} times in two minutes`);
  t.ok(host.starter.plans.length >= 2);
});

void t.test('what was begun before a restart is not begun again, and taken back after it', async (t) => {
  const before = await world(t);
  before.upses[0]!.says = saying('OB LB');
  await before.clock.pass(20_000);
  await before.trigger.close();
  const after = await world(t, { stored: before.host.stored, first: saying('OB LB') });
  await after.clock.pass(60_000);
  t.same(after.host.starter.plans, []);
  after.upses[0]!.says = saying('OL');
  await after.clock.pass(120_000);
  t.equal(after.host.starter.gone.length, 1);
  await after.trigger.close();
  const last = await world(t, { stored: after.host.stored });
  await last.clock.pass(120_000);
  t.equal(last.host.starter.gone.length, 0, 'it was taken back already');
});

void t.test('a plan that cannot be begun is tried again until its cause is over', async (t) => {
  const { clock, host, upses: [ups] } = await world(t, { start: [POWER_CUT] });
  host.starter.answer = new Error('AUDIT UNAVAILABLE');
  ups!.says = saying('OB LB');
  await clock.pass(60_000);
  t.ok(host.starter.attempts > 5);
  t.equal(host.lines.filter((line) => line.startsWith('error')).length, 1, 'told once');
  ups!.says = new Error('closed');
  host.starter.answer = 'begun';
  await clock.pass(10_000);
  t.same(host.starter.plans, ['power-cut'], 'silence does not undo what was decided');

  ups!.says = saying('OL');
  await clock.pass(61_000);
  host.starter.answer = new Error('AUDIT UNAVAILABLE');
  ups!.says = saying('OB LB');
  await clock.pass(20_000);
  ups!.says = saying('OL');
  await clock.pass(10_000);
  host.starter.answer = 'begun';
  await clock.pass(60_000);
  t.equal(host.starter.begun.length, 1, 'what is over is not begun any more');
});

void t.test('a plan that waits is not begun by what was known before the server stood still', async (t) => {
  const { clock, host, upses: [ups] } = await world(t, { start: [POWER_CUT] });
  host.starter.answer = new Error('AUDIT UNAVAILABLE');
  ups!.says = saying('OB LB');
  await clock.pass(20_000);
  ups!.says = saying('OL');
  host.starter.answer = 'begun';
  await clock.standStill(3_600_000);
  await clock.pass(60_000);
  t.same(host.starter.plans, []);
});

void t.test('a plan that is held is begun when it is released, if the cause is still known', async (t) => {
  const { clock, host, upses: [ups] } = await world(t, { start: [POWER_CUT] });
  host.starter.answer = 'held';
  ups!.says = saying('OB LB');
  await clock.pass(60_000);
  ups!.says = new Error('closed');
  await clock.pass(10_000);
  host.starter.answer = 'begun';
  await clock.pass(60_000);
  t.same(host.starter.plans, []);
  ups!.says = saying('OB LB');
  await clock.pass(10_000);
  t.same(host.starter.plans, ['power-cut']);
});

void t.test('taking back is tried again too', async (t) => {
  const { clock, host, upses: [ups] } = await world(t, { start: [POWER_CUT] });
  ups!.says = saying('OB LB');
  await clock.pass(20_000);
  host.starter.answer = new Error('AUDIT UNAVAILABLE');
  ups!.says = saying('OL');
  await clock.pass(120_000);
  t.same(host.starter.gone, []);
  host.starter.answer = 'begun';
  await clock.pass(20_000);
  t.equal(host.starter.gone.length, 1);
});

void t.test('silence counts as a low battery only where that is configured, and only after being on battery', async (t) => {
  const { clock, host, upses: [ups] } = await world(t, { start: [POWER_CUT], silentFor: 30_000 });
  ups!.says = new Error('closed');
  await clock.pass(120_000);
  t.same(host.starter.plans, [], 'it was on line before');
  ups!.says = saying('OB');
  await clock.pass(10_000);
  ups!.says = new Error('closed');
  await clock.pass(20_000);
  await clock.standStill(3_600_000);
  await clock.pass(5000);
  t.same(host.starter.plans, [], 'nobody asked while this server stood still');
  await clock.pass(10_000);
  t.same(host.starter.plans, ['power-cut']);
});

void t.test('of several UPSes so many have to say so', async (t) => {
  for (const [needs, count] of [[1, 1], [2, 2]] as const) {
    const { clock, host, upses } = await world(t, { start: [POWER_CUT], stop: { plan: undefined, when: when('on-line') }, needs, count: 2 });
    for (const [index, ups] of upses.entries()) {
      t.equal(host.starter.plans.length, index >= count ? 1 : 0);
      ups.says = saying('OB LB');
      await clock.pass(10_000);
    }
    t.same(host.starter.plans, ['power-cut'], `needs ${needs}`);
    upses[0]!.says = saying('OL');
    await clock.pass(10_000);
    t.equal(host.starter.gone.length, needs === 2 ? 1 : 0, 'with one of two supplies the machines have power; where each counts, all must be back');
    upses[1]!.says = saying('OL');
    await clock.pass(10_000);
    t.equal(host.starter.gone.length, 1);
  }
  const { clock, host, upses } = await world(t, { start: [POWER_CUT], needs: 2, count: 2 });
  upses[0]!.says = saying('OB LB');
  upses[1]!.says = new Error('closed');
  await clock.pass(60_000);
  t.same(host.starter.plans, [], 'one that is silent has not said so');
});

void t.test('a number that a UPS never says is told once', async (t) => {
  const { clock, host } = await world(t, { first: new Map([['ups.status', 'OL']]) });
  await clock.pass(60_000);
  t.equal(host.lines.filter((line) => line.includes('battery.charge')).length, 1);
});

void t.test('the table', async (t) => {
  const table = v.strictObject(nut.options);
  const parse = (keys: object): v.SafeParseResult<typeof table> => v.safeParse(table, { url: 'nut://argo@127.0.0.1/rack1', start: [{ plan: 'p', when: 'low-battery' }], ...keys });
  const messages = (keys: object): string => {
    const result = parse(keys);
    return (result.success ? nut.faults(result.output) : result.issues).map(({ message }) => message).join('\n');
  };
  t.equal(messages({}), '');
  t.equal(messages({ 'silent-for': 'never' }), '');
  t.equal(messages({ 'silent-for': '30s', password: 'x', stop: { when: 'on-line for 5m and charge > 50%' } }), '');
  t.match(messages({ url: 'http://127.0.0.1/rack1' }), /a URL such as "nut:/);
  t.match(messages({ url: 'nut://argo:secret@127.0.0.1/rack1' }), /without a password/);
  t.notMatch(messages({ url: 'nut://argo:secret@127.0.0.1/rack1' }), /:secret@/);
  t.match(messages({ url: 'nut://127.0.0.1/' }), /a URL such as/);
  t.match(messages({ url: 'nut://%zz@127.0.0.1/rack1' }), /a URL such as/, 'what is no text');
  t.match(messages({ url: 'nut://a%0Ab@127.0.0.1/rack1' }), /a URL such as/, 'what could not be sent');
  t.match(messages({ url: undefined }), /either url or urls/);
  t.match(messages({ urls: ['nut://a/b', 'nut://a/c'] }), /either url or urls/);
  t.match(messages({ url: undefined, urls: ['nut://a/b', 'nut://a:3493/b'] }), /named twice/);
  t.match(messages({ needs: 2 }), /needs: there are 1/);
  t.match(messages({ start: [] }), /nothing would be begun/);
  t.match(messages({ start: [{ plan: 'p', when: 'low-batery' }] }), /"low-batery" is not one of on-line, .*at character 1/);
  t.match(messages({ login: true }), /a user and a password/);
  t.match(messages({ url: 'nut://127.0.0.1/rack1', password: 'x' }), /no user/);
  t.match(messages({ url: 'nut://argo@ups.example/rack1', password: 'x' }), /in the clear/);
  t.equal(messages({ url: 'nut://argo@ups.example/rack1', password: 'x', tls: 'starttls' }), '');
  t.match(messages({ 'silent-for': 'ever' }), /not a duration/);
  const good = parse({ stop: { plan: 'back', when: 'on-line' } });
  t.same(good.success && nut.plans(good.output), [{ plan: 'p', path: ['start', 0, 'plan'] }, { plan: 'back', path: ['stop', 'plan'] }]);
});
