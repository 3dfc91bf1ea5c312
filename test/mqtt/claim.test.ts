import t from 'tap';
import { SettingsError } from '../../src/client/settings-error.js';
import { Claim } from '../../src/mqtt/claim.js';

const TOPICS = ['argo/owner', 'homeassistant/bridge/argo/owner'];
/** Longer than all that is done here; whoever waits for it waits in vain. */
const LONG = 3_600_000;
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

/** A broker: all see what is written on a topic in one order. */
class FakeBroker {
  readonly kept = new Map<string, string>();
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
        for (const topic of topics) if (this.kept.has(topic)) claim.heard(topic, this.kept.get(topic)!, true);
      },
      publish: async (topic: string, payload: string): Promise<void> => {
        await turn();
        if (!isThere() || !hasAsked) return;
        if (payload === '') this.kept.delete(topic);
        else this.kept.set(topic, payload);
        for (const one of this.#there.values()) one.heard(topic, payload, false);
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

const both = (mark: string): string[] => [mark, mark];

await t.test('the first has the topics at once, and a later one gives way', async (t) => {
  const broker = new FakeBroker();
  const [one, other] = [new Claim(TOPICS, 'one', LONG, 'x'), new Claim(TOPICS, 'other', LONG, 'a')];
  await one.take(broker.connect('one', one));
  t.same(await broker.marks(), both('x holds'));
  await t.rejects(other.take(broker.connect('other', other)), new SettingsError('another argo-mqtt (one) is at work, as argo/owner says: give each an id and a topic-prefix of its own'));
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

await t.test('two of one client id: one is left, whichever comes back in between', async (t) => {
  for (const isQuick of [true, false]) {
    const broker = new FakeBroker();
    const [old, young] = [new Claim(TOPICS, 'one', 1, 'x'), new Claim(TOPICS, 'one', isQuick ? LONG : 1, 'y')];
    await old.take(broker.connect('one', old));
    const taking = young.take(broker.connect('one', young)).catch((error: unknown) => error);
    if (isQuick) {
      // the broker has lost the old one by that, which comes back before the young one has waited long enough
      t.same(await broker.marks(), both('y claims'));
      const back = old.take(broker.connect('one', old)).catch((error: unknown) => error);
      t.same(await broker.marks(), both('x holds'), 'it has had them, and says so');
      await t.rejects(young.take(broker.connect('one', young)), { message: /is at work/ });
      t.notOk(old.lost.aborted);
      void [taking, back];
    } else {
      t.equal(await taking, undefined);
      await t.rejects(old.take(broker.connect('one', old)), { message: /is at work/ }, 'somebody has had them since');
      t.notOk(young.lost.aborted);
    }
  }
});

await t.test('two that come together, and two that both have them', async (t) => {
  for (const isLeft of [true, false]) {
    const broker = new FakeBroker();
    // left of one that has crashed: so both wait
    if (isLeft) for (const topic of TOPICS) broker.kept.set(topic, '{"bridge":"old","client":"old","is":"holds"}');
    const claims = ['b', 'a'].map((name) => new Claim(TOPICS, name, 50, name));
    await Promise.allSettled(claims.map((claim, at) => claim.take(broker.connect(`${at}`, claim))));
    await broker.marks();
    t.same(claims.filter(({ lost }) => !lost.aborted).length, 1, `${isLeft}`);
  }
  const [broker, other] = [new FakeBroker(), new FakeBroker()];
  const [x, y] = [new Claim(TOPICS, 'x', LONG, 'x'), new Claim(TOPICS, 'y', LONG, 'y')];
  await x.take(broker.connect('x', x));
  await y.take(other.connect('y', y));
  // as where one was held up for so long that the other took it for gone
  for (const topic of TOPICS) {
    const [ofX, ofY] = [broker.kept.get(topic)!, other.kept.get(topic)!];
    x.heard(topic, ofY, false);
    y.heard(topic, ofX, false);
  }
  t.same([x.lost.aborted, y.lost.aborted], [false, true]);
});

await t.test('who takes the mark away, or writes something else there, changes nothing', async (t) => {
  const broker = new FakeBroker();
  const one = new Claim(TOPICS, 'one', LONG, 'x');
  await one.take(broker.connect('one', one));
  for (const text of ['', 'mine', '{"bridge":1}', 'null', '[]']) {
    if (text === '') broker.kept.delete(TOPICS[0]!);
    else broker.kept.set(TOPICS[0]!, text);
    one.heard(TOPICS[0]!, text, false);
    await turn();
    t.same(await broker.marks(), both('x holds'), text);
  }
  t.notOk(one.lost.aborted);
});
