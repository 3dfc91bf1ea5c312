import t from 'tap';
import { MQTT_IN_FLIGHT } from '../../src/kit/mqtt-limits.js';
import { Board } from '../../src/mqtt/board.js';

/** A broker that has nothing before it says so. */
class SlowBroker {
  readonly sent: string[] = [];
  #open: (() => void)[] = [];
  readonly publish = (topic: string, payload: string): Promise<void> => {
    this.sent.push(`${topic}=${payload}`);
    return new Promise((resolve) => { this.#open.push(resolve); });
  };

  get waiting(): number {
    return this.#open.length;
  }

  async answer(count = Infinity): Promise<void> {
    for (const resolve of this.#open.splice(0, count)) resolve();
    await new Promise((resolve) => { setImmediate(resolve); });
  }
}

await t.test('who writes waits for nobody, and of each topic the latest is sent', async (t) => {
  const [board, broker] = [new Board(), new SlowBroker()];
  board.attach(broker.publish);
  for (let at = 0; at < MQTT_IN_FLIGHT; at += 1) board.set(`t${at}`, 'on');
  for (const state of ['stopping', 'off', 'starting', 'on again']) board.set('t0', state);
  t.equal(broker.waiting, MQTT_IN_FLIGHT);
  await broker.answer();
  t.same(broker.sent.slice(MQTT_IN_FLIGHT), ['t0=on again']);
  board.set('t0', 'on again');
  await broker.answer();
  t.equal(broker.sent.length, MQTT_IN_FLIGHT + 1, 'what it has already is not sent');
  board.repeat('t0');
  t.equal(broker.sent.at(-1), 't0=on again');
});

await t.test('a broker that comes gets what is true now, and nothing of what was', async (t) => {
  const [board, first, second] = [new Board(), new SlowBroker(), new SlowBroker()];
  board.set('a', '1');
  board.set('b', '1');
  board.attach(first.publish);
  board.clear('b');
  board.detach();
  for (let at = 0; at < 1000; at += 1) board.set('a', `${at}`);
  board.set('c', '1');
  board.clear('c');
  board.attach(second.publish);
  await first.answer();
  t.same(second.sent, ['a=999']);
  await second.answer();
  t.notOk(board.has('b'));
});

await t.test('that the rest is true is said last', async (t) => {
  const [board, broker] = [new Board(), new SlowBroker()];
  board.set('argo/availability', 'offline');
  board.set('lj/availability', 'online');
  board.set('lj/power', 'ON');
  board.set('argo/availability', 'online');
  board.attach(broker.publish);
  t.same(broker.sent, ['lj/power=ON', 'argo/availability=online', 'lj/availability=online']);
  await broker.answer();
});

await t.test('what is taken away is sent, and then forgotten', async (t) => {
  const [board, broker] = [new Board(), new SlowBroker()];
  board.attach(broker.publish);
  board.set('a', '1');
  board.set('a', '');
  board.set('never', '');
  board.clear('left by another');
  await broker.answer();
  await broker.answer();
  t.same(broker.sent, ['a=1', 'a=', 'left by another=']);
  t.notOk(board.has('a'));
  board.repeatAll();
  t.equal(broker.sent.length, 3);
});

await t.test('of several that are taken away, the last goes last, whatever was to be said on it', async (t) => {
  const [board, broker] = [new Board(), new SlowBroker()];
  board.attach(broker.publish);
  for (let at = 0; at < MQTT_IN_FLIGHT; at += 1) board.set(`t${at}`, 'on');
  board.set('gone/availability', 'offline');
  for (const what of ['power', 'availability']) board.clear(`gone/${what}`);
  await broker.answer();
  t.same(broker.sent.slice(MQTT_IN_FLIGHT), ['gone/power=', 'gone/availability=']);
  await broker.answer();
});

await t.test('the end of all that is open', async (t) => {
  const [board, broker] = [new Board(), new SlowBroker()];
  await board.flushed();
  board.attach(broker.publish);
  board.set('a', '1');
  let isDone = false;
  const done = board.flushed().then(() => { isDone = true; });
  await broker.answer(0);
  t.notOk(isDone);
  await broker.answer();
  await done;
  board.set('a', '2');
  const lost = board.flushed();
  board.detach();
  await lost;
});
