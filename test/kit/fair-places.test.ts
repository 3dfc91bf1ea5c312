import t from 'tap';
import { FairPlaces, type FairLimits } from '../../src/kit/fair-places.js';

const never = new AbortController().signal;
const busy = { message: /^BUSY/ };

/** Places, and in which order those who asked got them. */
function watched(limits: Partial<FairLimits> = {}) {
  const places = new FairPlaces({ places: 1, waiting: 1000, ...limits });
  const order: string[] = [];
  const held: (() => void)[] = [];
  const refused: string[] = [];
  /** Asks for a place; what becomes of it is seen in the lists. */
  const ask = (name: string, path: readonly string[], { isFirst = false, signal = never } = {}): void => {
    void places.take(signal, path, isFirst).then(
      (leave) => {
        order.push(name);
        held.push(leave);
      },
      () => refused.push(name),
    );
  };
  const settled = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });
  /** Gives places back, the longest held first, until none is held. */
  const drain = async (): Promise<string[]> => {
    await settled();
    for (let leave = held.shift(); leave; leave = held.shift()) {
      leave();
      await settled();
    }
    return order;
  };
  return { places, order, held, refused, ask, settled, drain };
}

await t.test('groups are served in turn, each in the order of asking', async (t) => {
  const { ask, drain, places } = watched();
  for (const name of ['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2']) ask(name, [name.slice(0, 1)]);
  t.equal(places.waiting, 6);
  t.same(await drain(), ['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']);
  t.same([places.waiting, places.taken], [0, 0]);
});

await t.test('groups of groups: many small ones get no more than the one that they are of', async (t) => {
  const { ask, drain } = watched();
  ask('x', ['x', 'x']);
  for (const name of ['a1', 'a2', 'a3', 'a4']) ask(name, ['a', name]);
  ask('a1 again', ['a', 'a1']);
  for (const name of ['b1', 'b2']) ask(name, ['b', 'b']);
  t.same(await drain(), ['x', 'a1', 'b1', 'a2', 'b2', 'a3', 'a4', 'a1 again']);
});

await t.test('no groups at all: first come, first served', async (t) => {
  const { ask, drain, refused } = watched({ waiting: 2 });
  for (const name of ['1', '2', '3', '4']) ask(name, []);
  t.same(await drain(), ['1', '2', '3']);
  t.same(refused, ['4']);
});

await t.test('who goes first has three turns of four while others wait', async (t) => {
  const { ask, drain } = watched();
  ask('x', ['x']);
  for (let number = 1; number <= 3; number += 1) ask(`o${number}`, ['others']);
  for (let number = 1; number <= 7; number += 1) ask(`f${number}`, ['first'], { isFirst: true });
  t.same(await drain(), ['x', 'f1', 'f2', 'f3', 'o1', 'f4', 'f5', 'f6', 'o2', 'f7', 'o3']);
});

await t.test('a group beyond its share is served when nobody else waits', async (t) => {
  const { ask, drain, order, settled, held } = watched({ places: 4, groups: [{ share: 2 }] });
  for (const name of ['a1', 'a2', 'a3', 'a4', 'a5', 'a6']) ask(name, ['a']);
  await settled();
  t.same(order, ['a1', 'a2', 'a3', 'a4'], 'alone it may have them all');
  for (const name of ['b1', 'b2', 'b3']) ask(name, ['b']);
  held.shift()?.();
  held.shift()?.();
  await settled();
  t.same(order.slice(4), ['b1', 'b2'], 'those that it gives back are for others');
  t.same((await drain()).slice(6), ['a5', 'a6', 'b3'], 'then all are at their share, and take turns');
});

await t.test('no group holds more than its limit, whatever is free', async (t) => {
  const { ask, order, settled, held, places, drain } = watched({ places: 4, groups: [{ held: 3 }, { held: 1 }] });
  for (const name of ['m1', 'm1 again', 'm2', 'm3', 'm4']) ask(name, ['a', name.slice(0, 2)]);
  await settled();
  t.same(order, ['m1', 'm2', 'm3'], 'one a machine, three in all');
  ask('other', ['b', 'm1']);
  await settled();
  t.equal(order.at(-1), 'other', 'the last place was left for others');
  t.equal(places.taken, 4);
  held.shift()?.();
  await settled();
  t.equal(order.at(-1), 'm4', 'which was in the line before m1 could be served again');
  t.equal((await drain()).at(-1), 'm1 again');
  t.same([places.waiting, places.taken], [0, 0]);
});

await t.test('how many of a group may wait', async (t) => {
  const { ask, drain, refused } = watched({ groups: [{ waiting: 3 }, { waiting: 2 }] });
  ask('x', ['x', 'x']);
  for (const name of ['m1 1', 'm1 2', 'm1 3', 'm2 1', 'm2 2']) ask(name, ['a', name.slice(0, 2)]);
  ask('b', ['b', 'm1']);
  await drain();
  t.same(refused, ['m1 3', 'm2 2']);
});

await t.test('where no more may wait, the heaviest give way to newcomers', async (t) => {
  const { ask, drain, refused, settled, places } = watched({ waiting: 6 });
  ask('x', ['x', 'x']);
  for (const name of ['a1', 'a2', 'a3', 'a4']) ask(name, ['a', name]);
  for (const name of ['b1', 'b2']) ask(name, ['b', 'b']);
  ask('c1', ['c', 'c']);
  await settled();
  t.same(refused, ['a1'], 'the first among equals of the group of which most wait');
  ask('b3', ['b', 'b']);
  ask('a5', ['a', 'a5']);
  await settled();
  t.same(refused.slice(1), ['b3', 'a5'], 'not for those who would then be as many');
  ask('c2', ['c', 'c']);
  await settled();
  t.same(refused.slice(3), ['a2']);
  ask('d1', ['d', 'd']);
  await settled();
  t.equal(refused.length, 5, 'two each: one of them has to go');
  t.not(refused[4], 'd1');
  ask('e1', ['e', 'e']);
  await settled();
  t.not(refused[5], 'e1');
  ask('f1', ['f', 'f']);
  await settled();
  ask('g1', ['g', 'g']);
  ask('h1', ['h', 'h']);
  await settled();
  t.equal(places.waiting, 6);
  t.match(refused.slice(-2), ['g1', 'h1'], 'one each: there is nothing to share');
  await drain();
  t.same([places.waiting, places.taken], [0, 0]);
});

await t.test('within one group, the heaviest of it give way', async (t) => {
  const { ask, refused, settled } = watched({ waiting: 4 });
  ask('x', ['x', 'x']);
  for (const name of ['m1 1', 'm1 2', 'm1 3', 'm1 4']) ask(name, ['a', 'm1']);
  ask('m2 1', ['a', 'm2']);
  await settled();
  t.same(refused, ['m1 4'], 'its last one');
});

await t.test('those who go first do not lose their room to others, nor take theirs', async (t) => {
  const { ask, refused, settled, places } = watched({ waiting: 2 });
  ask('x', ['x']);
  for (const name of ['1', '2', '3']) ask(name, ['a']);
  for (const name of ['f1', 'f2', 'f3']) ask(name, ['a'], { isFirst: true });
  await settled();
  t.same(refused, ['3', 'f3']);
  t.equal(places.waiting, 4);
});

await t.test('who gives up leaves the line, and gets the reason of its signal', async (t) => {
  const { ask, places, drain, refused } = watched();
  const gone = new AbortController();
  ask('a1', ['a']);
  ask('a2', ['a'], { signal: gone.signal });
  ask('a3', ['a'], { signal: gone.signal });
  ask('b1', ['b']);
  const waiting = places.take(gone.signal, ['c']);
  gone.abort(new Error('gone'));
  await t.rejects(waiting, { message: 'gone' });
  await t.rejects(places.take(gone.signal, ['a']), { message: 'gone' });
  t.equal(places.waiting, 1);
  t.same(await drain(), ['a1', 'b1']);
  t.same(refused, ['a2', 'a3']);
});

await t.test('a place is given back once', async (t) => {
  const { places, ask, order, settled } = watched({ places: 2 });
  const leave = await places.take(never, ['a']);
  await places.take(never, ['a']);
  leave();
  leave();
  t.equal(places.taken, 1);
  for (const name of ['1', '2']) ask(name, ['b']);
  await settled();
  t.same(order, ['1']);
});

await t.test('where nobody may wait, a free place is taken all the same', async (t) => {
  const { places } = watched({ waiting: 0 });
  const leave = await places.take(never, ['a', 'b']);
  await t.rejects(places.take(never, ['a', 'b']), busy);
  await t.rejects(places.take(never, ['c', 'd']), busy);
  leave();
  (await places.take(never, ['c', 'd']))();
  t.equal(places.taken, 0);
});

await t.test('tens of thousands in one group, and each in a group of its own', async (t) => {
  const MANY = 30_000;
  for (const keyOf of [() => 'a', (number: number) => `a${number}`]) {
    const places = new FairPlaces({ places: 1, waiting: MANY });
    // a hundred share a signal: a signal of each one's own costs more than all else here
    const controllers = Array.from({ length: MANY / 100 }, () => new AbortController());
    const leave = await places.take(never, ['x']);
    let served = 0;
    const all = Array.from({ length: MANY }, (_, number) => places.take(controllers[number % controllers.length]!.signal, [keyOf(number)]).then(
      (leave) => {
        served += 1;
        leave();
      },
      () => undefined,
    ));
    t.equal(places.waiting, MANY);
    await t.rejects(places.take(never, [keyOf(1)]), busy);
    for (const controller of controllers.slice(MANY / 200)) controller.abort();
    t.equal(places.waiting, MANY / 2);
    leave();
    await Promise.all(all);
    t.equal(served, MANY / 2);
    t.same([places.waiting, places.taken], [0, 0]);
  }
});

await t.test('whatever is asked for and given up in whatever order, numbers come back to nothing', async (t) => {
  // a fixed row of numbers that looks like chance
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((seed / 2 ** 31) * below);
  };
  const places = new FairPlaces({ places: 5, waiting: 40, groups: [{ share: 2, held: 4 }, { waiting: 6, held: 2 }] });
  const held: (() => void)[] = [];
  const asking = new Map<AbortController, Promise<void>>();
  let most = 0;
  for (let round = 0; round < 5_000; round += 1) {
    const kind = random(8);
    if (kind < 4) {
      const controller = new AbortController();
      const asked = places.take(controller.signal, [`a${random(4)}`, `m${random(4)}`], random(3) === 0)
        .then((leave) => { held.push(leave); }, () => undefined).finally(() => asking.delete(controller));
      asking.set(controller, asked);
    } else if (kind === 4) [...asking.keys()][random(asking.size)]?.abort();
    else held.splice(random(held.length), 1)[0]?.();
    if (round % 7 === 0) await Promise.resolve();
    most = Math.max(most, places.taken);
    if (places.taken > 5 || places.waiting > 80) t.fail(`${places.taken} held, ${places.waiting} waiting`);
  }
  t.equal(most, 5);
  for (const controller of asking.keys()) controller.abort();
  await Promise.all(asking.values());
  for (const leave of held) leave();
  t.same([places.waiting, places.taken], [0, 0]);
});
