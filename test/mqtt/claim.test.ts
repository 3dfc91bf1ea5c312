import t from 'tap';
import type { ArgoError } from '../../src/kit/errors.js';
import { Claim, TopicsTaken } from '../../src/mqtt/claim.js';

const TOPICS = ['argo/owner', 'homeassistant/bridge/argo/owner'];
/** Longer than all that is done here; whoever waits for it waits in vain. */
const LONG = 3_600_000;
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

/** A broker: all see what is written on a topic in one order. */
class FakeBroker {
  readonly kept = new Map<string, string>();
  /** those that do not run for a while */
  readonly heldUp = new Set<Claim>();
  readonly #there = new Map<string, Claim>();

  /** The connection of one client id, which takes the place of the one before. */
  connect(id: string, claim: Claim) {
    this.#there.get(id)?.detach();
    this.#there.set(id, claim);
    let hasAsked = false;
    const isThere = (): boolean => this.#there.get(id) === claim;
    return {
      subscribe: async (topics: readonly string[]): Promise<void> => {
        hasAsked = true;
        for (const topic of topics) if (this.kept.has(topic)) claim.heard(topic, this.kept.get(topic)!);
      },
      publish: async (topic: string, payload: string): Promise<void> => {
        await turn();
        if (!isThere() || !hasAsked) return;
        if (payload === '') this.kept.delete(topic);
        else this.kept.set(topic, payload);
        for (const one of this.#there.values()) if (!this.heldUp.has(one)) one.heard(topic, payload);
      },
    };
  }

  /** One has crashed, or was cut off. */
  lose(id: string): void {
    this.#there.get(id)?.detach();
    this.#there.delete(id);
  }

  /** What is kept, when nobody answers anybody any more. */
  async marks(): Promise<string[]> {
    for (let at = 0; at < 20; at += 1) await turn();
    return TOPICS.map((topic) => {
      const { bridge, is } = JSON.parse(this.kept.get(topic) ?? '{}') as { bridge?: string; is?: string };
      return bridge === undefined ? '' : `${bridge} ${is}`;
    });
  }
}

/** By which phrase it ends; what is awaited later must have somebody who hears of its end. */
const phraseOf = (work: Promise<void>): Promise<string> => work.then(() => 'none', (error: unknown) => (error as ArgoError).phrase);
const both = (mark: string): string[] => [mark, mark];

await t.test('the first has the topics at once, and a later one gives way', async (t) => {
  const broker = new FakeBroker();
  const [one, other] = [new Claim(TOPICS, 'one', LONG, 'x'), new Claim(TOPICS, 'other', LONG, 'a')];
  await one.take(broker.connect('one', one));
  t.same(await broker.marks(), both('x holds'));
  await t.rejects(other.take(broker.connect('other', other)), new TopicsTaken('another argo-mqtt (one) is at work, as argo/owner says: give each an id and a topic-prefix of its own'));
  t.same(await broker.marks(), both('x holds'));
  t.same([one.lost.aborted, other.lost.aborted], [false, true]);
});

await t.test('one that has crashed does not object, and one that said goodbye is not waited for', async (t) => {
  const broker = new FakeBroker();
  const first = new Claim(TOPICS, 'one', LONG, 'x');
  await first.take(broker.connect('one', first));
  broker.lose('one');
  const second = new Claim(TOPICS, 'one', 1, 'y');
  await second.take(broker.connect('one', second));
  t.same(await broker.marks(), both('y holds'));
  await second.release();
  t.same(await broker.marks(), both(''));
  const third = new Claim(TOPICS, 'one', LONG, 'z');
  await third.take(broker.connect('one', third));
  t.same(await broker.marks(), both('z holds'));
});

await t.test('the same one comes back after its broker was gone, with and without memory', async (t) => {
  const broker = new FakeBroker();
  const one = new Claim(TOPICS, 'one', LONG, 'x');
  for (const forgets of [false, false, true]) {
    await one.take(broker.connect('one', one));
    broker.lose('one');
    if (forgets) broker.kept.clear();
  }
  await one.take(broker.connect('one', one));
  t.same(await broker.marks(), both('x holds'));
});

await t.test('what an old memory of a broker says is a reason to ask, and none to end', async (t) => {
  const broker = new FakeBroker();
  const one = new Claim(TOPICS, 'one', 1, 'x');
  await one.take(broker.connect('one', one));
  broker.lose('one');
  for (const text of ['{"bridge":"a","client":"one","is":"holds","number":7}', '{"bridge":"a","client":"one","is":"holds","number":7,"to":{"bridge":"x","number":0}}']) {
    for (const topic of TOPICS) broker.kept.set(topic, text);
    await one.take(broker.connect('one', one));
    t.same(await broker.marks(), both('x holds'));
  }
  t.notOk(one.lost.aborted);
});

await t.test('nobody ends one that has them by what he writes without having read', async (t) => {
  const broker = new FakeBroker();
  const one = new Claim(TOPICS, 'one', LONG, 'x');
  await one.take(broker.connect('one', one));
  for (const is of ['claims', 'reclaims', 'holds']) {
    const text = JSON.stringify({ bridge: '0', client: 'nobody', is, number: 1, to: { bridge: 'y', number: 1 } });
    broker.kept.set(TOPICS[0]!, text);
    one.heard(TOPICS[0]!, text);
    t.same(await broker.marks(), both('x holds'), is);
  }
  t.notOk(one.lost.aborted);
});

await t.test('two of one client id: one is left, whichever comes back in between', async (t) => {
  const broker = new FakeBroker();
  const [old, young] = [new Claim(TOPICS, 'one', LONG, 'x'), new Claim(TOPICS, 'one', LONG, 'a')];
  await old.take(broker.connect('one', old));
  const taking = phraseOf(young.take(broker.connect('one', young)));
  // the broker has lost the old one by that, which comes back before the young one has waited long enough
  t.same(await broker.marks(), both('a claims'));
  const back = phraseOf(old.take(broker.connect('one', old)));
  t.equal(await taking, 'UNREACHABLE');
  t.same(await broker.marks(), both('x reclaims'), 'it has had them, and says so');
  await t.rejects(young.take(broker.connect('one', young)), { message: /is at work/ });
  t.equal(await back, 'UNREACHABLE');
  await young.release();
  t.same(await broker.marks(), both(''), 'it takes its mark away');
  await old.take(broker.connect('one', old));
  t.same(await broker.marks(), both('x holds'));
  t.notOk(old.lost.aborted);
});

await t.test('two of one client id that have had them both: one is left', async (t) => {
  for (const [first, second] of [['a', 'x'], ['x', 'a']] as const) {
    const broker = new FakeBroker();
    const claims = [new Claim(TOPICS, 'one', 1, first), new Claim(TOPICS, 'one', 1, second)];
    for (const claim of claims) await claim.take(broker.connect('one', claim));
    // each comes back before the other has waited long enough
    let rounds = 0;
    for (; !claims.some(({ lost }) => lost.aborted) && rounds < 10; rounds += 1) {
      for (const claim of claims) {
        if (claims.some(({ lost }) => lost.aborted)) continue;
        const taking = claim.take(broker.connect('one', claim)).catch(() => undefined);
        await broker.marks();
        claim.detach();
        await taking;
      }
    }
    const left = claims.filter(({ lost }) => !lost.aborted);
    t.equal(left.length, 1, `after ${rounds} rounds`);
    await left[0]!.take(broker.connect('one', left[0]!));
  }
});

await t.test('two that come together', async (t) => {
  for (const isLeft of [true, false]) {
    const broker = new FakeBroker();
    // left of one that has crashed: so both wait
    if (isLeft) for (const topic of TOPICS) broker.kept.set(topic, '{"bridge":"old","client":"old","is":"holds","number":1}');
    const claims = ['b', 'a'].map((name) => new Claim(TOPICS, name, 50, name));
    await Promise.allSettled(claims.map((claim, at) => claim.take(broker.connect(`${at}`, claim))));
    await broker.marks();
    t.same(claims.filter(({ lost }) => !lost.aborted).length, 1, `${isLeft}`);
  }
});

await t.test('two that both have them, after one was held up for so long that the other took it for gone', async (t) => {
  for (const [first, second] of [['x', 'y'], ['y', 'x']] as const) {
    const broker = new FakeBroker();
    const [one, other] = [new Claim(TOPICS, 'one', LONG, first), new Claim(TOPICS, 'other', 1, second)];
    await one.take(broker.connect('one', one));
    broker.heldUp.add(one);
    await other.take(broker.connect('other', other));
    t.same(await broker.marks(), both(`${second} holds`));
    broker.heldUp.clear();
    for (const topic of TOPICS) one.heard(topic, broker.kept.get(topic)!);
    t.same(await broker.marks(), both('x holds'));
    t.same([one.lost.aborted, other.lost.aborted], [first !== 'x', second !== 'x']);
    t.ok(one.hasHeld && other.hasHeld);
  }
});

await t.test('who ends while it waits does so at once, and leaves nothing', async (t) => {
  const broker = new FakeBroker();
  for (const topic of TOPICS) broker.kept.set(topic, '{"bridge":"old","client":"old","is":"holds","number":1}');
  const one = new Claim(TOPICS, 'one', LONG, 'x');
  const taking = phraseOf(one.take(broker.connect('one', one)));
  t.same(await broker.marks(), both('x claims'));
  await one.release();
  t.equal(await taking, 'UNREACHABLE');
  t.same(await broker.marks(), both(''));
  t.notOk(one.hasHeld);
});

await t.test('who takes the mark away, or writes something else there, changes nothing', async (t) => {
  const broker = new FakeBroker();
  const one = new Claim(TOPICS, 'one', LONG, 'x');
  await one.take(broker.connect('one', one));
  for (const text of ['', 'mine', '{"bridge":1}', 'null', '[]']) {
    if (text === '') broker.kept.delete(TOPICS[0]!);
    else broker.kept.set(TOPICS[0]!, text);
    one.heard(TOPICS[0]!, text);
    await turn();
    t.same(await broker.marks(), both('x holds'), text);
  }
  t.notOk(one.lost.aborted);
});
