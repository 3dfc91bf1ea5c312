import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { Account } from '../../src/auth/account.js';
import type { Machine, PowerState, Sighting } from '../../src/drivers/driver.js';
import { Events } from '../../src/instances/events.js';
import type { Owner } from '../../src/instances/owner.js';
import { overviewOf, statesOf } from '../../src/instances/overview.js';
import { Registry } from '../../src/instances/registry.js';
import { EventSubscription, type EventBatch, type SubscriptionParts } from '../../src/instances/subscription.js';
import { InstancePattern } from '../../src/kit/patterns.js';
import { until } from '../support/until.js';

const owner = (name: string, staleReason?: string): Owner => ({ name, settings: { type: 'sim' }, listed: true, staleReason, answers: staleReason === undefined, lastListing: 1000, work: { actions: 1, waiting: 2 } }) as Owner;
const sighting = (id: string, name: string, state: PowerState = 'on'): Sighting =>
  ({ state, machine: { id, name, type: 'vm', status: () => Promise.resolve(state) } satisfies Machine });
const account = (instances: readonly string[], commands = ['*']): Account =>
  new Account({ name: 'kim', passwordHash: '', from: undefined, grants: [{ instances, commands }] }, new Map());

/** A registry with lab/web1, lab/db and other/web2, and who watches it. */
async function arrange(principal: Account, parts: Partial<SubscriptionParts> = {}) {
  const events = new Events(64);
  const registry = new Registry(events);
  const [lab, other] = [owner('lab'), owner('other')];
  registry.arrange([lab, other]);
  await registry.sync(lab, [sighting('1', 'web1'), sighting('2', 'db')]);
  await registry.sync(other, [sighting('3', 'web2')]);
  let takeAway = (): void => undefined;
  const identity = { name: 'kim', principal, onTakenAway: (listener: () => void) => { takeAway = listener; return () => undefined; } };
  const subscription = new EventSubscription({
    events,
    identity,
    patterns: undefined,
    types: undefined,
    after: undefined,
    mostOfAccount: 2,
    mayKnow: () => Promise.resolve(false),
    isOver: () => false,
    ...parts,
  });
  const stop = new AbortController();
  const batches = subscription.batches(stop.signal);
  const next = async (): Promise<EventBatch['events'][number]['facts'][]> => {
    const { value } = await batches.next();
    return (value as EventBatch | undefined)?.events.map(({ facts }) => facts) ?? [];
  };
  const set = (provider: Owner, id: string, state: PowerState) => registry.seeById(provider, id, state);
  return { events, registry, lab, other, subscription, batches, next, stop, set, takeAway: () => takeAway() };
}

const action = (instance: string, account = 'steve') => ({ type: 'action', instance, command: 'stop', options: '', account, auditId: 7, outcome: 'begun' }) as const;

await t.test('what an account may read is told, in order', async (t) => {
  const { lab, other, set, next, events, registry } = await arrange(account(['lab/web1']));
  set(other, '3', 'off');
  set(lab, '2', 'off');
  set(lab, '1', 'off');
  events.add(action('lab/web1'), registry.byId('lab', '1'));
  events.add(action('lab/db'), registry.byId('lab', '2'));
  events.add({ type: 'provider', provider: 'lab', now: 'silent', reason: 'secret' });
  events.add({ type: 'server', now: 'reloaded' });
  t.same(await next(), [
    { type: 'state', instance: 'lab/web1', now: 'off', before: 'on' }, action('lab/web1', '-'), { type: 'server', now: 'reloaded' },
  ], 'who it was is told to those alone who may do everything there');
});

await t.test('whoever may do everything on a provider learns who and what', async (t) => {
  const { events, registry, next } = await arrange(account(['lab/*']));
  events.add({ type: 'provider', provider: 'lab', now: 'silent', reason: 'down' });
  events.add({ type: 'provider', provider: 'other', now: 'silent', reason: 'down' });
  events.add(action('lab/db'), registry.byId('lab', '2'));
  t.same(await next(), [{ type: 'provider', provider: 'lab', now: 'silent', reason: 'down' }, action('lab/db')]);
});

await t.test('names and types choose', async (t) => {
  const named = await arrange(account(['*']), { patterns: () => [new InstancePattern('web*')] });
  named.set(named.lab, '2', 'off');
  named.set(named.other, '3', 'off');
  named.events.add({ type: 'provider', provider: 'lab', now: 'answers' });
  named.set(named.lab, '1', 'off');
  t.same((await named.next()).map((facts) => 'instance' in facts && facts.instance), ['other/web2', 'lab/web1']);
  const typed = await arrange(account(['*']), { types: ['server'] });
  typed.set(typed.lab, '1', 'off');
  typed.events.add({ type: 'server', now: 'reloaded' });
  t.same(await typed.next(), [{ type: 'server', now: 'reloaded' }]);
});

await t.test('one waits for what is to come, and goes on behind what it knows', async (t) => {
  const { set, lab, next, events, batches, subscription } = await arrange(account(['*']));
  const waiting = batches.next();
  set(lab, '1', 'off');
  const { value } = await waiting as { value: EventBatch };
  t.equal(value.events.length, 1);
  set(lab, '1', 'on');
  t.match(await next(), [{ now: 'on' }]);
  const again = new EventSubscription({
    events, identity: { name: 'kim', principal: account(['*']), onTakenAway: () => () => undefined },
    patterns: undefined, types: undefined, after: value.cursor, mostOfAccount: 2, mayKnow: () => Promise.resolve(false), isOver: () => false,
  });
  t.equal(again.cursor, value.cursor);
  t.not(subscription.cursor, value.cursor);
  const { value: replayed } = await again.batches(new AbortController().signal).next() as { value: EventBatch };
  t.match(replayed.events, [{ facts: { now: 'on' } }]);
});

await t.test('how it ends', async (t) => {
  const taken = await arrange(account(['*']));
  const waiting = taken.batches.next();
  taken.takeAway();
  await t.rejects(waiting, { message: /^NOT ALLOWED/ });

  const stopped = await arrange(account(['*']));
  const ending = stopped.batches.next();
  stopped.stop.abort();
  t.equal((await ending).done, true);

  const closing = await arrange(account(['*']));
  closing.events.add({ type: 'server', now: 'stopping' });
  closing.events.close();
  t.same(await closing.next(), [{ type: 'server', now: 'stopping' }], 'what is there still comes');
  t.equal((await closing.batches.next()).done, true);

  const slow = await arrange(account(['*']));
  for (let count = 0; count < 100; count += 1) slow.events.add({ type: 'server', now: 'reloaded' });
  await t.rejects(slow.batches.next(), { message: /^CURSOR EXPIRED/ });

  let isOver = false;
  const over = await arrange(account(['*']), { isOver: () => isOver });
  isOver = true;
  t.equal((await over.batches.next()).done, true);
});

/** Follows until told to stop. */
function follow(subscription: EventSubscription, take: (batch: EventBatch) => void | Promise<void>) {
  const stop = new AbortController();
  return { ended: subscription.follow(stop.signal, take), stop: () => stop.abort() };
}

const factsOf = (batches: readonly EventBatch[]): unknown[] => batches.flatMap(({ events }) => events.map(({ facts }) => facts));

await t.test('one who follows is told in order, as fast as it takes it, until it ends', async (t) => {
  const { set, lab, subscription } = await arrange(account(['*']));
  const batches: EventBatch[] = [];
  let goOn = (): void => undefined;
  const { ended, stop } = follow(subscription, (batch) => {
    batches.push(batch);
    return new Promise((resolve) => { goOn = resolve; });
  });
  set(lab, '1', 'off');
  await until(() => batches.length === 1, 10_000, 'the first batch');
  set(lab, '1', 'paused');
  set(lab, '1', 'on');
  await nextTurn();
  await nextTurn();
  t.equal(batches.length, 1, 'nothing comes while it is at work on the first');
  goOn();
  await until(() => batches.length === 2, 10_000, 'the rest');
  t.match(factsOf(batches), [{ now: 'off' }, { now: 'paused' }, { now: 'on' }]);
  stop();
  goOn();
  await ended;

  const taken = await arrange(account(['*']));
  const following = follow(taken.subscription, () => undefined);
  taken.takeAway();
  await t.rejects(following.ended, { message: /^NOT ALLOWED/ });
  t.equal(taken.events.watching, 0);

  const failing = await arrange(account(['*']));
  const { ended: failed } = follow(failing.subscription, () => { throw new Error('gone'); });
  failing.set(failing.lab, '1', 'off');
  await t.rejects(failed, { message: 'gone' });
  t.equal(failing.events.watching, 0, 'its place is free again');
});

await t.test('many who may know the same are given the same, which none can change; others get what they may know', async (t) => {
  const all = account(['*']);
  const { set, lab, other, events, subscription } = await arrange(all, { mostOfAccount: 20 });
  const another = (principal: Account, parts: Partial<SubscriptionParts> = {}): EventSubscription => new EventSubscription({
    events, identity: { name: 'kim', principal, onTakenAway: () => () => undefined }, patterns: undefined, types: undefined, after: subscription.cursor,
    mostOfAccount: 20, mayKnow: () => Promise.resolve(false), isOver: () => false, ...parts,
  });
  const patterns = (): InstancePattern[] => [new InstancePattern('web*')];
  const subscriptions = {
    first: another(all), second: another(all), few: another(account(['lab/web1'])), typed: another(all, { types: ['server'] }),
    named: another(all, { patterns, chosen: 'web*' }), alike: another(all, { patterns, chosen: 'web*' }), tagged: another(all, { patterns }),
  };
  const told = Object.fromEntries(Object.keys(subscriptions).map((name) => [name, [] as EventBatch[]])) as Record<keyof typeof subscriptions, EventBatch[]>;
  const following = Object.entries(subscriptions).map(([name, one]) => follow(one, (batch) => void told[name as keyof typeof told].push(batch)));
  set(lab, '1', 'off');
  set(lab, '2', 'off');
  set(other, '3', 'off');
  events.add({ type: 'server', now: 'reloaded' });
  await until(() => Object.values(told).every(({ length }) => length > 0), 10_000, 'all to be told');
  t.match(factsOf(told.first), [{ instance: 'lab/web1' }, { instance: 'lab/db' }, { instance: 'other/web2' }, { type: 'server' }]);
  t.same(factsOf(told.second), factsOf(told.first));
  t.match(factsOf(told.few), [{ instance: 'lab/web1' }, { type: 'server' }]);
  t.equal(factsOf(told.few).length, 2);
  t.same(factsOf(told.typed), [{ type: 'server', now: 'reloaded' }]);
  t.match(factsOf(told.named), [{ instance: 'lab/web1' }, { instance: 'other/web2' }, { type: 'server' }]);
  t.same(factsOf(told.tagged), factsOf(told.named));
  const before = { first: told.first.length, named: told.named.length };
  set(lab, '1', 'on');
  await until(() => Object.values({ ...told, typed: told.first }).every((batches) => factsOf(batches).some((facts) => (facts as { now?: string }).now === 'on')), 10_000, 'all to be told of what came next');
  t.equal(told.second[before.first], told.first[before.first]);
  t.equal(told.alike[before.named], told.named[before.named]);
  t.not(told.tagged.at(-1), told.named.at(-1), 'what tags say is asked for each');
  const [one] = told.first.at(-1)!.events;
  t.throws(() => { Object.assign(one!, { facts: {} }); }, TypeError);
  t.throws(() => { (told.first.at(-1)!.events as unknown[]).push(one); }, TypeError);
  one!.time.setTime(0);
  t.not(one!.time.getTime(), 0, 'a date of its own for each who asks');
  following.forEach(({ stop }) => stop());
  await Promise.all(following.map(({ ended }) => ended));
});

await t.test('what comes while many are told is told to all in the next round', async (t) => {
  const all = account(['*']);
  const { set, lab, events, subscription } = await arrange(all, { mostOfAccount: 200 });
  const told = Array.from({ length: 100 }, () => [] as string[]);
  const following = told.map((words, at) => follow(new EventSubscription({
    events, identity: { name: 'kim', principal: all, onTakenAway: () => () => undefined }, patterns: undefined, types: undefined, after: subscription.cursor,
    mostOfAccount: 200, mayKnow: () => Promise.resolve(false), isOver: () => false,
  }), (batch) => {
    words.push(batch.events.map(({ facts }) => ('now' in facts ? facts.now : '')).join());
    // in the middle of the first round
    if (at === 50 && words.length === 1) set(lab, '2', 'paused');
  }));
  set(lab, '1', 'off');
  await until(() => told.every(({ length }) => length > 1), 10_000, 'all to be told of both');
  t.same(told, told.map(() => ['off', 'paused']));
  following.forEach(({ stop }) => stop());
  await Promise.all(following.map(({ ended }) => ended));
});

await t.test('so many at a time for an account, and a place that is given back', async (t) => {
  const { events } = await arrange(account(['*']));
  const leave = [events.enter('kim', 2), events.enter('kim', 2)];
  t.throws(() => events.enter('kim', 2), { message: /^BUSY/ });
  t.equal(events.watching, 2);
  leave.forEach((give) => give());
  t.equal(events.watching, 0);
  events.enter('kim', 1)();
});

await t.test('how many events are remembered can change', async (t) => {
  const events = new Events(4);
  const first = events.cursor(events.now());
  for (const now of ['started', 'reloaded', 'stopping'] as const) events.add({ type: 'server', now });
  events.resize(8);
  t.equal(events.after(events.position(first)).length, 3, 'more: nothing is lost');
  events.resize(8);
  events.resize(2);
  t.throws(() => events.position(first), { message: /^CURSOR EXPIRED/ });
  t.throws(() => events.position('x'), { message: /^USAGE/ });
  t.same(events.counts.get('server'), 3);
});

await t.test('a listing with more news than can be told makes all list again', async (t) => {
  const events = new Events(16);
  const registry = new Registry(events);
  const lab = owner('lab');
  registry.arrange([lab]);
  const before = events.cursor(events.now());
  await registry.sync(lab, Array.from({ length: 100 }, (_, at) => sighting(String(at), `vm${at}`)));
  t.throws(() => events.position(before), { message: /^CURSOR EXPIRED/ });
});

await t.test('the providers in figures: of what is seen', async (t) => {
  const registry = new Registry();
  const [lab, hidden, empty] = [owner('lab', 'silent'), owner('hidden'), owner('empty')];
  registry.arrange([lab, hidden, empty]);
  await registry.sync(lab, [sighting('1', 'a'), sighting('2', 'b', 'off'), sighting('3', 'secret')]);
  await registry.sync(hidden, [sighting('4', 'c')]);
  const shown = await overviewOf(registry, account(['a', 'b', 'empty/*']));
  t.same(shown.providers.map(({ provider, answers, states, work }) => [provider, answers, states.get('on'), states.get('off'), states.get('paused'), work]), [
    ['lab', false, 1, 1, 0, undefined], ['empty', true, 0, 0, 0, { actions: 1, waiting: 2 }],
  ], 'what others do is for those who see all of a provider');
  t.match(shown.providers, [{ type: 'sim', stale: 'its provider does not answer as it should' }, { stale: undefined }], 'nor why it does not answer');
  t.equal(shown.isWhole, false);
  t.same([...statesOf(registry, account(['a', 'b', 'empty/*']))].map(({ provider, name, state }) => [provider, name, state]), [['lab', 'a', 'on'], ['lab', 'b', 'off']]);
  t.equal((await overviewOf(registry, account(['*']))).isWhole, true);
});
