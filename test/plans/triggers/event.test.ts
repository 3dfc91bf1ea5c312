import * as v from 'valibot';
import t, { type Test } from 'tap';
import type { PowerState } from '../../../src/drivers/driver.js';
import type { EventFacts } from '../../../src/instances/events.js';
import event from '../../../src/plans/triggers/event/index.js';
import { EventTrigger, type EventSettings } from '../../../src/plans/triggers/event/trigger.js';
import { fakeHost, settled, TestClock, type FakeHost } from './support.js';

function open(t: Test, settings: Partial<EventSettings> = {}): { clock: TestClock; host: FakeHost; trigger: EventTrigger } {
  const clock = new TestClock('2026-11-28T12:00:00Z');
  const host = fakeHost(clock);
  const trigger = new EventTrigger({
    events: ['state'], instances: ['lab/*'], now: ['off', 'crashed'], outcome: undefined, lasts: 60_000, minInterval: 600_000, plan: 'rescue', ...settings,
  }, host);
  t.teardown(() => trigger.close());
  return { clock, host, trigger };
}

const state = (instance: string, now: PowerState): EventFacts => ({ type: 'state', instance, now, before: 'on' });
const provider = (name: string, now: 'answers' | 'silent'): EventFacts => ({ type: 'provider', provider: name, now });
const action = (instance: string, outcome: string): EventFacts => ({ type: 'action', instance, command: 'stop', options: '', account: 'kim', auditId: 1, outcome });

void t.test('what has lasted begins a plan, once', async (t) => {
  const { clock, host, trigger } = open(t);
  host.tell(state('lab/web1', 'off'));
  host.tell(state('other/web1', 'off'));
  await clock.pass(59_000);
  host.tell(state('lab/web2', 'off'));
  t.same(host.starter.plans, []);
  t.match(trigger.describe(), /2 waited for/);
  host.tell(state('lab/web2', 'on'));
  await clock.pass(1000);
  t.match(host.starter.begun, [{ plan: 'rescue', cause: { source: 'trigger ups', words: 'trigger ups: lab/web1 is off for 60 s' } }]);
  await clock.pass(3_600_000);
  t.equal(host.starter.begun.length, 1, 'it is off still, and that is nothing new');
});

void t.test('what is over, gone or not known in time begins nothing', async (t) => {
  const { clock, host } = open(t);
  host.tell(state('lab/web1', 'off'));
  host.tell(state('lab/web2', 'off'));
  host.tell(state('lab/web3', 'off'));
  host.tell(state('lab/web4', 'off'));
  await clock.pass(30_000);
  host.tell(state('lab/web1', 'starting'));
  host.tell({ type: 'removed', instance: 'lab/web2', now: 'off' });
  host.tell(state('lab/web3', 'unknown'));
  host.tell(provider('lab', 'silent'));
  await clock.pass(3_600_000);
  t.same(host.starter.plans, []);
  host.tell(provider('lab', 'answers'));
  await clock.pass(29_000);
  t.same(host.starter.plans, []);
  await clock.pass(1000);
  t.same(host.starter.plans, ['rescue'], 'what was counted before the silence counts');
});

void t.test('time in which the server stood still is none in which something was known to last', async (t) => {
  const { clock, host } = open(t);
  host.tell(state('lab/web1', 'off'));
  host.tell(state('lab/web2', 'off'));
  await clock.pass(10_000);
  await clock.standStill(3_600_000);
  t.same(host.starter.plans, []);
  // what has come meanwhile
  host.tell(state('lab/web1', 'on'));
  await clock.pass(59_000);
  t.same(host.starter.plans, []);
  await clock.pass(1000);
  t.match(host.starter.begun, [{ cause: { words: 'trigger ups: lab/web2 is off for 60 s' } }]);
});

void t.test('a provider that answers again does not make a state known that was not', async (t) => {
  const { clock, host } = open(t);
  host.tell(state('lab/web1', 'off'));
  host.tell(state('lab/web1', 'unknown'));
  host.tell(provider('lab', 'silent'));
  host.tell(provider('lab', 'answers'));
  await clock.pass(3_600_000);
  t.same(host.starter.plans, []);
  host.tell(state('lab/web1', 'off'));
  await clock.pass(60_000);
  t.same(host.starter.plans, ['rescue']);
});

void t.test('a plan that causes its own event does not begin itself for ever', async (t) => {
  const { clock, host } = open(t, { lasts: 0 });
  for (let minute = 0; minute < 60; minute += 1) {
    host.tell(state('lab/web1', 'off'));
    host.tell(state('lab/web1', 'on'));
    await clock.pass(60_000);
  }
  t.equal(host.starter.begun.length, 6, 'once in ten minutes');
});

void t.test('a provider that is silent', async (t) => {
  const { clock, host } = open(t, { events: ['provider'], now: ['silent'] });
  host.tell(provider('lab', 'silent'));
  host.tell(provider('lab2', 'silent'));
  await clock.pass(60_000);
  t.match(host.starter.begun, [{ cause: { words: 'trigger ups: provider lab silent for 60 s' } }]);
});

void t.test('how an action ended', async (t) => {
  const { host } = open(t, { events: ['action'], outcome: ['UNCERTAIN', 'FAILED'], lasts: 0, minInterval: 0, now: undefined, instances: ['@lab'] });
  host.tell(action('lab/web1', 'begun'));
  host.tell(action('lab/web1', 'done'));
  host.tell(action('lab/db1', 'FAILED: no'));
  await settled();
  t.same(host.starter.plans, []);
  host.tell(action('lab/web1', 'FAILED: the machine says no'));
  await settled();
  host.tell(action('lab/web1', 'UNCERTAIN'));
  await settled();
  t.same(host.starter.begun.map(({ cause }) => cause.words), ['trigger ups: stop on lab/web1: FAILED: the machine says no', 'trigger ups: stop on lab/web1: UNCERTAIN']);
});

void t.test('what is done to a provider as a whole is of who names all of it', async (t) => {
  for (const [instances, count] of [[['lab/*'], 1], [['*'], 1], [undefined, 1], [['lab'], 0], [['la/b*'], 0], [['lab/web*'], 0]] as const) {
    const { host } = open(t, { events: ['action'], outcome: ['FAILED'], lasts: 0, minInterval: 0, now: undefined, instances });
    host.tell(action('lab', 'FAILED: no room'));
    await settled();
    t.equal(host.starter.begun.length, count, String(instances));
  }
});

void t.test('machines that come and go', async (t) => {
  const { host } = open(t, { events: ['added', 'removed'], now: undefined, lasts: 0, minInterval: 0, instances: undefined });
  host.tell({ type: 'added', instance: 'lab/#a-1', now: 'on' });
  await settled();
  host.tell({ type: 'removed', instance: 'lab/web2', now: 'off' });
  await settled();
  t.equal(host.starter.begun.length, 2);
});

void t.test('how a run of a plan has ended', async (t) => {
  const { host } = open(t, { events: ['plan'], instances: undefined, runsOf: ['power-cut'], now: undefined, outcome: ['failed', 'cancelled'], lasts: 0 });
  const run = (plan: string, outcome: string, stage?: string): EventFacts => ({ type: 'plan', plan, run: '1a2b3c4d', outcome, stage });
  host.tell(run('power-cut', 'begun'));
  host.tell(run('power-cut', 'failed', 'workers'));
  host.tell(run('shed', 'failed'));
  host.tell(run('power-cut', 'done'));
  await settled();
  t.same(host.starter.plans, []);
  host.tell(run('power-cut', 'failed'));
  await settled();
  t.match(host.starter.begun, [{ plan: 'rescue', cause: { words: 'trigger ups: run 1a2b3c4d of power-cut: failed' } }]);
});

void t.test('a plan that could not be begun is tried again; one that is held is not waited for', async (t) => {
  const { clock, host } = open(t, { lasts: 0, minInterval: 0 });
  host.starter.answer = new Error('AUDIT UNAVAILABLE');
  host.tell(state('lab/web1', 'off'));
  await clock.pass(60_000);
  host.starter.answer = 'begun';
  await clock.pass(10_000);
  t.equal(host.starter.begun.length, 1);
  host.starter.answer = 'held';
  host.tell(state('lab/web2', 'off'));
  await clock.pass(60_000);
  host.starter.answer = 'begun';
  await clock.pass(3_600_000);
  t.equal(host.starter.begun.length, 1);
});

void t.test('nothing is heard after the end', async (t) => {
  const { clock, host, trigger } = open(t);
  host.tell(state('lab/web1', 'off'));
  await trigger.close();
  host.tell(state('lab/web2', 'off'));
  await clock.pass(3_600_000);
  t.same(host.starter.plans, []);
});

void t.test('the table', async (t) => {
  const table = v.strictObject(event.options);
  const messages = (keys: object): string => {
    const result = v.safeParse(table, { events: ['state'], plan: 'p', ...keys });
    return (result.success ? event.faults(result.output) : result.issues).map(({ message }) => message).join('\n');
  };
  t.equal(messages({ instances: ['lab/*', '@lab'], now: 'off', for: '1m' }), '');
  t.equal(messages({ now: ['off', 'crashed'] }), '');
  t.match(messages({ now: 'unknown' }), /one of on, off/);
  t.match(messages({ events: ['stat'] }), /one of state, provider/);
  t.match(messages({ events: [] }), /an event is expected/);
  t.match(messages({ outcome: 'FAILED' }), /only an "action"/);
  t.match(messages({ events: ['action'], outcome: 'cancelled' }), /only a "plan" can be "cancelled"/);
  t.match(messages({ events: ['server'] }), /"server" begins no plan/);
  t.match(messages({ events: ['plan'] }), /runs-of: it has to be said/);
  t.match(messages({ 'runs-of': ['p'] }), /runs-of: only a "plan"/);
  t.match(messages({ events: ['plan'], 'runs-of': ['q'], instances: ['lab/*'] }), /instances: /);
  t.equal(messages({ events: ['plan', 'state'], 'runs-of': ['q'], instances: ['lab/*'], outcome: 'failed', now: 'off' }), '');
  t.match(messages({ events: ['provider'], now: 'off' }), /now: only "state"/, 'it would wait for ever');
  t.match(messages({ events: ['action'], now: 'off' }), /now: only "state"/);
  t.match(messages({ now: 'silent' }), /now: only a "provider"/);
  t.match(messages({ instances: [] }), /a pattern is expected/);
  const parsed = v.parse(table, { events: ['plan', 'state'], plan: 'p', 'runs-of': ['q'], instances: ['@lab', 'x'] });
  t.same([event.hears(parsed), event.groups(parsed)], [[{ plan: 'q', path: ['runs-of', 0] }], [{ group: 'lab', path: ['instances', 0] }]]);
  t.equal(messages({ events: ['action'], outcome: ['FAILED', 'done'] }), '');
  t.match(messages({ events: ['added'], for: '1m' }), /last/);
  t.match(messages({ instances: ['lab/[5-1]'] }), /runs backwards/);
});
