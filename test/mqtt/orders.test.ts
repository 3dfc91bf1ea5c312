import os from 'node:os';
import t from 'tap';
import type { Failure } from '../../src/client/outcome.js';
import { ArgoError } from '../../src/kit/errors.js';
import { MQTT_ORDER_STALE, MQTT_ORDERS, MQTT_WAITING } from '../../src/kit/mqtt-limits.js';
import type { Gate } from '../../src/mqtt/gate.js';
import type { Machine } from '../../src/mqtt/machine.js';
import { Orders } from '../../src/mqtt/orders.js';

const machine = (id: string): Machine => ({ provider: 'lab', id, device: id, fullName: `lab/${id}`, name: id, state: 'on', since: undefined, isStale: false, may: new Set() });
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

/** A gate whose answers are the test's. */
class Asked {
  readonly lines: string[] = [];
  readonly #open: ((answer: Failure | Error | undefined) => void)[] = [];
  readonly ask = (line: string): Promise<unknown> => {
    this.lines.push(line);
    return new Promise((resolve, reject) => {
      this.#open.push((answer) => (answer instanceof Error ? reject(answer) : resolve({ lines: [], note: '', error: answer })));
    });
  };

  async answer(answer?: Failure | Error): Promise<void> {
    this.#open.shift()?.(answer);
    await turn();
  }
}

function start() {
  const gate = new Asked();
  const ends: string[] = [];
  const orders = new Orders(gate as unknown as Gate, 1500, ({ id }, { order, outcome, reason }) => ends.push([id, order, outcome, reason].join(' ').trim()), new AbortController().signal);
  return { gate, ends, orders, give: (one: Machine, payload: string, refusal?: Failure) => orders.give(one, Buffer.from(payload), refusal) };
}

await t.test('each order is sent once, by the machine\'s id, and waited for', async (t) => {
  const { gate, ends, give } = start();
  const lj = machine('7');
  for (const payload of ['ON', ' OFF\n', 'FORCE_OFF']) {
    give(lj, payload);
    await gate.answer();
  }
  t.same(gate.lines, ['start lab/#7 --wait=2', 'stop lab/#7 --wait=2', 'stop lab/#7 --force --wait=2']);
  t.same(ends, ['7 ON done', '7 OFF done', '7 FORCE_OFF done']);
});

await t.test('a restart that nobody can tell is accepted, and no more', async (t) => {
  const { gate, ends, give } = start();
  give(machine('1'), 'REBOOT');
  await gate.answer({ phrase: 'NOT SUPPORTED', detail: 'no boots' });
  await gate.answer();
  give(machine('2'), 'REBOOT');
  await gate.answer({ phrase: 'NOT SUPPORTED', detail: '' });
  await gate.answer({ phrase: 'NOT SUPPORTED', detail: '' });
  give(machine('3'), 'REBOOT');
  await gate.answer({ phrase: 'UNCERTAIN', detail: 'x' });
  t.same(gate.lines, ['reboot lab/#1 --wait=2', 'reboot lab/#1', 'reboot lab/#2 --wait=2', 'reboot lab/#2', 'reboot lab/#3 --wait=2'], 'only what was refused is said otherwise');
  t.same(ends, ['1 REBOOT accepted', '2 REBOOT failed NOT SUPPORTED', '3 REBOOT failed UNCERTAIN: x']);
});

await t.test('one at a time for a machine, and the latest behind it', async (t) => {
  const { gate, ends, give } = start();
  const lj = machine('1');
  for (const payload of ['OFF', 'ON', 'OFF', 'ON']) give(lj, payload);
  give(machine('2'), 'ON');
  t.same(gate.lines, ['stop lab/#1 --wait=2', 'start lab/#2 --wait=2'], 'others do not wait for it');
  t.same(ends, ['1 ON replaced', '1 OFF replaced']);
  await gate.answer({ phrase: 'TIMEOUT', detail: 'it is still on' });
  t.equal(gate.lines.at(-1), 'start lab/#1 --wait=2');
  t.equal(ends.at(-1), '1 OFF failed TIMEOUT: it is still on');
});

await t.test('one by force waits for none, and takes no place of another', async (t) => {
  const { gate, ends, give, orders } = start();
  const lj = machine('1');
  for (let at = 0; at < MQTT_ORDERS; at += 1) give(at === 0 ? lj : machine(`other${at}`), 'OFF');
  give(lj, 'ON');
  give(lj, 'FORCE_OFF');
  t.equal(gate.lines.at(-1), 'stop lab/#1 --force --wait=2', 'beside the one that the machine does not follow');
  t.equal(orders.running, MQTT_ORDERS + 1);
  t.same(ends, ['1 ON replaced']);
  give(lj, 'FORCE_OFF');
  t.equal(gate.lines.length, MQTT_ORDERS + 1, 'one at a time');
});

await t.test('what is none of ours, and what cannot be sent', async (t) => {
  const { gate, ends, give, orders } = start();
  const lj = machine('1');
  for (const payload of ['on', 'PRESS', 'ON; OFF', '', 'x'.repeat(1000), '\u0000', 'ON\u00a0', '\u3000OFF']) give(lj, payload);
  t.ok(ends.every((end) => end === '1  failed BAD REQUEST: there are ON, OFF, REBOOT, FORCE_OFF'), ends.join('\n'));
  ends.length = 0;
  give(lj, 'ON', { phrase: 'UNREACHABLE', detail: 'away' });
  give(lj, 'OFF');
  give(lj, 'ON');
  orders.drop({ phrase: 'UNREACHABLE', detail: 'away' });
  await gate.answer(new ArgoError('UNCERTAIN', 'lost'));
  t.same(ends, ['1 ON failed UNREACHABLE: away', '1 ON failed UNREACHABLE: away', '1 OFF failed UNCERTAIN: lost']);
  t.equal(gate.lines.length, 1, 'nothing comes later');
});

await t.test('how many are under way, and wait, has a limit', async (t) => {
  const { gate, ends, give, orders } = start();
  for (let at = 0; at < MQTT_ORDERS + MQTT_WAITING; at += 1) give(machine(`${at}`), 'ON');
  t.equal(gate.lines.length, MQTT_ORDERS);
  t.equal(orders.running, MQTT_ORDERS);
  t.same(ends, []);
  give(machine('one more'), 'ON');
  t.same(ends, ['one more ON failed BUSY: too many orders wait']);
  await gate.answer();
  t.equal(gate.lines.length, MQTT_ORDERS + 1);
});

await t.test('what has waited while the host slept is not sent', async (t) => {
  const { gate, ends, give } = start();
  const lj = machine('1');
  give(lj, 'ON');
  give(lj, 'OFF');
  // it goes on while the host sleeps, and performance.now() does not
  const uptime = os.uptime();
  t.intercept(os, 'uptime', { value: () => uptime + MQTT_ORDER_STALE / 1000 + 1 });
  await gate.answer();
  t.same(gate.lines, ['start lab/#1 --wait=2']);
  t.same(ends, ['1 ON done', '1 OFF failed BUSY: others took too long; nothing was sent']);
});
