import t from 'tap';
import { Events, type EventFacts, timeOfDay } from '../../src/instances/events.js';
import { EVENTS_A_LISTING, SLICE, WATCHERS, WATCHERS_A_LOOK, WATCHERS_A_MILLISECOND } from '../../src/kit/limits.js';

const subject = (name: string) => ({ provider: 'p', name, fullName: `p/${name}`, state: 'on' as const });
const SERVER: EventFacts = { type: 'server', now: 'reloaded' };

await t.test('cursors only grow, also when the clock is set back', (t) => {
  const events = new Events(16);
  const now = Date.now;
  t.teardown(() => { Date.now = now; });
  events.add(SERVER);
  Date.now = () => now() - 3_600_000;
  for (let count = 0; count < 10; count += 1) events.add(SERVER);
  const at = events.after(0).map((event) => event.at);
  t.equal(at.length, 11);
  t.same(at, [...new Set(at)].sort((a, b) => a - b));
  t.end();
});

await t.test('where the clock is set back, events have the time of day, and cursors still tell not how many', (t) => {
  const events = new Events(16);
  const now = Date.now;
  t.teardown(() => { Date.now = now; });
  const wall = Date.now();
  Date.now = () => wall;
  events.add(SERVER);
  Date.now = () => wall - 3_600_000;
  events.add(SERVER);
  const at = performance.now();
  while (performance.now() < at + 2);
  events.add(SERVER);
  const [before, back, later] = events.after(0);
  t.equal(Math.floor(timeOfDay(before!)), wall);
  t.same([timeOfDay(back!), timeOfDay(later!)], [wall - 3_600_000, wall - 3_600_000]);
  t.ok(later!.at - back!.at >= 2000, 'the time that has gone by, not the events in it');
  Date.now = () => wall + 3_600_000;
  events.add(SERVER);
  t.match(events.after(later!.at), [{ at: (wall + 3_600_000) * 1000, seen: undefined }]);
  t.end();
});

await t.test('cursors tell when, and not how many', (t) => {
  const wall = Date.now();
  const now = Date.now;
  t.teardown(() => { Date.now = now; });
  Date.now = () => wall;
  const apart = (): number => {
    const events = new Events(16);
    events.add(SERVER);
    const at = performance.now();
    while (performance.now() < at + 0.5);
    events.add(SERVER);
    const [one, other] = events.after(0);
    return other!.at - one!.at;
  };
  // a machine that is busy may take longer than the clock stands still here
  t.ok(Array.from({ length: 100 }, apart).some((microseconds) => microseconds >= 400));
  t.end();
});

await t.test('what was forgotten is said to be', (t) => {
  const events = new Events(16);
  const begin = events.now();
  const cursor = events.cursor(begin);
  t.equal(events.position(cursor), begin);
  for (let count = 0; count < 16; count += 1) events.state(subject(`m${count}`), 'off');
  t.equal(events.after(begin).length, 16);
  events.state(subject('one more'), 'off');
  t.throws(() => events.after(begin), { message: /^CURSOR EXPIRED/ });
  t.throws(() => events.position(cursor), { message: /^CURSOR EXPIRED/ });
  t.throws(() => events.position(new Events(16).cursor(begin)), { message: /^CURSOR EXPIRED/ }, 'of another process');
  t.throws(() => events.position(events.cursor(begin + 1e15)), { message: /^CURSOR EXPIRED/ }, 'of the future');
  t.throws(() => events.position('nonsense'), { message: /^USAGE/ });
  t.end();
});

await t.test('a smaller history forgets the oldest', (t) => {
  const events = new Events(100);
  const begin = events.now();
  for (let count = 0; count < 50; count += 1) events.state(subject(`m${count}`), 'off');
  const [, , third] = events.after(begin).slice(-18);
  events.resize(16);
  t.throws(() => events.after(begin), { message: /^CURSOR EXPIRED/ });
  t.equal(events.after(third!.at - 1).length, 16);
  events.resize(200);
  events.add(SERVER);
  t.equal(events.after(third!.at - 1).length, 17);
  t.end();
});

await t.test('more than can be told one by one makes everybody list again', (t) => {
  const events = new Events(65_536);
  const begin = events.now();
  events.listed([subject('a')], [subject('b')]);
  t.same(events.after(begin).map(({ facts }) => facts.type), ['removed', 'added']);
  events.listed(Array.from({ length: EVENTS_A_LISTING + 1 }, (_, index) => subject(`m${index}`)), []);
  t.throws(() => events.after(begin), { message: /^CURSOR EXPIRED/ });
  t.same(events.after(events.now()), []);
  t.end();
});

await t.test('places of those who watch', (t) => {
  const events = new Events(16);
  const leave = events.enter('kim', 1);
  t.throws(() => events.enter('kim', 1), { message: /^BUSY/ });
  events.enter('steve', 1)();
  leave();
  for (let count = 0; count < WATCHERS; count += 1) events.enter('kim', WATCHERS + 1);
  t.throws(() => events.enter('steve', 1), { message: /^BUSY/ });
  t.equal(events.watching, WATCHERS);
  t.end();
});

await t.test('nobody who is told can change what others are told', (t) => {
  const events = new Events(16);
  events.add({ type: 'state', instance: 'p/a', now: 'off', before: 'on' });
  const [event] = events.after(0);
  t.throws(() => { Object.assign(event!.facts, { now: 'on' }); }, TypeError);
  t.same(event!.facts, { type: 'state', instance: 'p/a', now: 'off', before: 'on' });
  t.end();
});

await t.test('a round of many leaves turns to others, tells in order, and tells each once', async (t) => {
  // telling one takes a small part of a slice, on a clock that goes on with nothing else: so the round is ahead of its time
  let now = 1000;
  t.intercept(performance, 'now', { value: () => now });
  const events = new Events(16);
  const { signal } = new AbortController();
  const many = 40 * WATCHERS_A_LOOK;
  const sleepers = Array.from({ length: many }, () => events.sleeper(signal));
  const told: number[] = [];
  let [turns, isOver] = [0, false];
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  const all = sleepers.map(async (one, at) => {
    const start = events.now();
    await one.sleep(60_000);
    now += SLICE / 40;
    told.push(at, ...events.look(start).events.map(() => -1));
  });
  events.add(SERVER);
  setImmediate(count);
  await Promise.all(all);
  isOver = true;
  t.same(told, sleepers.flatMap((_, at) => [at, -1]));
  t.ok(turns > 10, `${turns} turns`);
  sleepers.forEach((one) => one.end());
});

await t.test('many are told in rounds, which are as many milliseconds apart as they are', async (t) => {
  const events = new Events(16);
  const { signal } = new AbortController();
  const sleepers = Array.from({ length: 10 * WATCHERS_A_MILLISECOND }, () => events.sleeper(signal));
  const rounds = 6;
  let [first, last] = [0, 0];
  for (let round = 0; round < rounds; round += 1) {
    const [begun, ...others] = sleepers.map((one) => one.sleep(60_000));
    events.add(SERVER);
    await begun;
    last = performance.now();
    first ||= last;
    await Promise.all(others);
  }
  sleepers.forEach((one) => one.end());
  t.ok(last - first > 5 * rounds, `${rounds} rounds in ${last - first} ms`);
});
