import t from 'tap';
import { ArgoError } from '../../src/kit/errors.js';
import { DeadlineExceeded } from '../../src/kit/deadline.js';
import { CALLS_WAITING_PER_ACCOUNT } from '../../src/kit/limits.js';
import { Calls } from '../../src/instances/calls.js';
import { LinkedList } from '../../src/kit/linked-list.js';
import { Readings, type Asking, type Question } from '../../src/instances/readings.js';
import { until } from '../support/until.js';

interface Call { readonly id: string; readonly account: string; readonly signal: AbortSignal; answer(value: unknown): void; fail(error: Error): void }

/** Readings of machines that answer when the test says so. */
function world(places: number) {
  const calls: Call[] = [];
  let idle = 0;
  const readings = new Readings(new Calls(places), () => { idle += 1; });
  const ask = (id: string, { account = 'kim', name = 'status', ms = 60_000, maxAge, open }: { account?: string; name?: string; ms?: number; maxAge?: number; open?: LinkedList<Asking> } = {}) => {
    const question: Question = {
      id, name, account, ms, maxAge,
      isAllowed: () => true,
      ask: (signal) => new Promise((resolve, reject) => { calls.push({ id, account, signal, answer: resolve, fail: reject }); }),
    };
    return readings.ask(question, open);
  };
  const underWay = () => calls.filter(({ signal }) => !signal.aborted).map(({ id }) => id);
  return { readings, calls, ask, underWay, idle: () => idle };
}

void t.test('one question for all who ask before it is sent, and none for an answer that is older than the question', async (t) => {
  const { ask, calls, readings } = world(4);
  const first = ask('a');
  const later = [ask('a'), ask('a', { account: 'lee' })];
  t.equal(calls.length, 1);
  calls[0]!.answer('on');
  t.equal(await first, 'on');
  t.equal(calls.length, 2, 'those who came later share the next question');
  calls[1]!.answer('off');
  t.same(await Promise.all(later), ['off', 'off']);
  t.equal(readings.asking, 0);
});

void t.test('an answer of some age is given to several, unless the machine has changed since', async (t) => {
  const { ask, calls, readings } = world(4);
  const first = ask('a', { maxAge: 60_000 });
  const joined = ask('a', { maxAge: 60_000 });
  t.equal(calls.length, 1, 'one that is under way will do');
  calls[0]!.answer('on');
  t.same(await Promise.all([first, joined, ask('a', { maxAge: 60_000 })]), ['on', 'on', 'on']);
  t.equal(calls.length, 1);
  readings.changed('a');
  const after = ask('a', { maxAge: 60_000 });
  t.equal(calls.length, 2, 'asked again after an order');
  calls[1]!.answer('off');
  t.equal(await after, 'off');
});

void t.test('an answer counts from when it was asked for: one that was under way at an order is not for those who ask after it', async (t) => {
  const { ask, calls, readings } = world(4);
  const before = ask('a', { maxAge: 60_000 });
  readings.changed('a');
  const after = ask('a', { maxAge: 60_000 });
  calls[0]!.answer('on');
  t.equal(await before, 'on');
  await until(() => calls.length === 2, 5000, 'a second question');
  calls[1]!.answer('off');
  t.equal(await after, 'off');
});

void t.test('the deadline holds although the machine goes on, and ends the call', async (t) => {
  const { ask, calls, readings, idle } = world(1);
  await t.rejects(ask('a', { ms: 20 }), new DeadlineExceeded(20));
  t.ok(calls[0]!.signal.aborted);
  t.equal(readings.asking, 0);
  t.ok(idle() > 0);
  const next = ask('a');
  calls[1]!.answer('on');
  t.equal(await next, 'on', 'the place is free');
});

void t.test('a call ends when the last one who waits for it leaves', async (t) => {
  const { ask, calls, readings } = world(2);
  const [kim, lee] = [new LinkedList<Asking>(), new LinkedList<Asking>()];
  const ended = [ask('a', { maxAge: 1000, open: kim }), ask('a', { maxAge: 1000, open: lee })].map((one) => one.catch((error: Error) => error.message));
  [...kim].forEach((one) => one.end(new Error('gone')));
  t.notOk(calls[0]!.signal.aborted);
  [...lee].forEach((one) => one.end(new Error('gone too')));
  t.ok(calls[0]!.signal.aborted);
  t.same(await Promise.all(ended), ['gone', 'gone too']);
  t.equal(kim.size + lee.size + readings.asking, 0);
});

void t.test('one who waits for a place and leaves is never asked for', async (t) => {
  const { ask, calls } = world(1);
  const open = new LinkedList<Asking>();
  const first = ask('a');
  const second = ask('b', { open }).catch((error: Error) => error.message);
  [...open].forEach((one) => one.end(new Error('gone')));
  t.equal(await second, 'gone');
  calls[0]!.answer('on');
  await first;
  const third = ask('c');
  await until(() => calls.length === 2, 5000, 'the next');
  t.equal(calls[1]!.id, 'c');
  calls[1]!.answer('on');
  await third;
});

void t.test('a machine that hangs holds one place where places are few', async (t) => {
  const { ask, calls, underWay } = world(2);
  const hanging = ['status', 'info', 'uptime'].map((name) => ask('hung', { name, ms: 400 }).catch(() => 'late'));
  const healthy = ask('b');
  t.same(underWay(), ['hung', 'b']);
  calls[1]!.answer('on');
  t.equal(await healthy, 'on');
  t.same(await Promise.all(hanging), ['late', 'late', 'late']);
});

void t.test('other readings of a machine need not wait for one that hangs where there are plenty of places', async (t) => {
  const { ask, calls } = world(8);
  const hung = ask('a', { name: 'uptime', ms: 200 }).catch(() => 'late');
  const status = ask('a');
  calls[1]!.answer('on');
  t.equal(await status, 'on');
  t.equal(await hung, 'late');
});

void t.test('an account whose machines hang does not keep another from its own', async (t) => {
  const { ask, calls, readings, underWay } = world(4);
  const hung = Array.from({ length: 20 }, (_, index) => ask(`h${index}`, { account: 'tenant' }).catch(() => 'ended'));
  const healthy = ask('b', { account: 'kim' });
  t.same(underWay(), ['h0', 'h1', 'h2', 'h3']);
  await until(() => underWay().includes('b'), 10_000, 'a place for kim');
  calls.find(({ id }) => id === 'b')!.answer('on');
  t.equal(await healthy, 'on');
  t.equal(readings.asking, 20, 'those whose place was taken ask again in their turn');
  readings.endWhere(({ account }) => (account === 'tenant' ? new Error('gone') : undefined));
  t.same(new Set(await Promise.all(hung)), new Set(['ended']));
  t.same(underWay().filter((id) => id !== 'b'), []);
});

void t.test('what an account may have waiting is bounded, and another may still ask', async (t) => {
  const { ask, readings, calls } = world(1);
  const many = Array.from({ length: CALLS_WAITING_PER_ACCOUNT }, (_, index) => ask(`h${index}`, { account: 'tenant' }).catch(() => 'ended'));
  await t.rejects(ask('one more', { account: 'tenant' }), new ArgoError('BUSY', 'too many requests wait already'));
  const other = ask('b', { account: 'kim' });
  readings.endWhere(({ account }) => (account === 'tenant' ? new Error('gone') : undefined));
  await Promise.all(many);
  await until(() => calls.some(({ id }) => id === 'b'), 5000, 'kim is served');
  calls.find(({ id }) => id === 'b')!.answer('on');
  t.equal(await other, 'on');
});

void t.test('a refusal reaches all who wait, also one that is thrown at once', async (t) => {
  const { readings, ask, calls } = world(2);
  const both = [ask('a', { maxAge: 5 }), ask('a', { maxAge: 5000 })];
  calls[0]!.fail(new Error('no'));
  for (const one of both) await t.rejects(one, { message: 'no' });
  await t.rejects(readings.ask({ id: 'x', name: 'ip', account: 'kim', ms: 1000, isAllowed: () => true, ask: () => { throw new Error('at once'); } }), { message: 'at once' });
});
