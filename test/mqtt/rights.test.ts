import t from 'tap';
import { MQTT_ASKING, MQTT_LIST_EVERY, MQTT_NAMES } from '../../src/kit/mqtt-limits.js';
import type { Gate } from '../../src/mqtt/gate.js';
import type { Machine, Order } from '../../src/mqtt/machine.js';
import { Rights } from '../../src/mqtt/rights.js';

const machine = (provider: string, id: string): Machine => ({ provider, id, device: `${provider}${id}`, fullName: `${provider}/${id}`, name: id, state: 'on', since: undefined, isStale: false, may: undefined });
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

/** A server whose answers come when the test gives them. */
class Asked {
  readonly questions: {
    readonly order: Order;
    readonly machines: readonly Machine[];
    answer(able: readonly Machine[], isSure?: boolean): Promise<void>;
    fail(): Promise<void>;
  }[] = [];

  readonly orders = (): Promise<readonly Order[]> => Promise.resolve(['start']);
  readonly canBeGiven = (order: Order, machines: readonly Machine[]): Promise<ReadonlyMap<Machine, boolean>> =>
    new Promise((resolve, reject) => {
      this.questions.push({
        order,
        machines,
        answer: async (able, isSure = true) => {
          resolve(new Map(able.map((one) => [one, isSure])));
          await turn();
        },
        fail: async () => {
          reject(new Error('lost'));
          await turn();
        },
      });
    });
}

function start() {
  const gate = new Asked();
  const told: string[] = [];
  const failures: unknown[] = [];
  const rights = new Rights(gate as unknown as Gate, { told: ({ fullName, may }) => told.push(`${fullName} ${[...may!].join(' ')}`.trim()), failed: (error) => failures.push(error) }, new AbortController().signal);
  return { gate, told, failures, rights };
}

await t.test('a manager that hangs keeps nobody from what may be done with the machines of others', async (t) => {
  const { gate, told, rights } = start();
  const hung = Array.from({ length: MQTT_NAMES + 1 }, (_, at) => machine('hung', `${at}`));
  const well = machine('well', '1');
  rights.ask([...hung, well]);
  rights.ask([...hung, well]);
  await turn();
  t.same(gate.questions.map(({ machines }) => [machines[0]!.provider, machines.length]), [['hung', MQTT_NAMES], ['well', 1]], 'each is asked for once, and some of a provider at a time');
  await gate.questions[1]!.answer([well]);
  t.same(told, ['well/1 start']);
  rights.ask([...hung, well]);
  await turn();
  t.equal(gate.questions.length, 2, 'what is known is not asked again');
  await gate.questions[0]!.answer([]);
  t.same(gate.questions[2]!.machines.map(({ fullName }) => fullName), [`hung/${MQTT_NAMES}`]);
});

await t.test('so many at a time, each provider in its turn', async (t) => {
  const { gate, rights } = start();
  const providers = Array.from({ length: MQTT_ASKING + 1 }, (_, at) => `kvm${at}`);
  rights.ask(providers.flatMap((provider) => Array.from({ length: MQTT_NAMES * 2 }, (_, at) => machine(provider, `${at}`))));
  await turn();
  t.equal(gate.questions.length, MQTT_ASKING);
  await gate.questions[0]!.answer([]);
  t.equal(gate.questions.at(-1)!.machines[0]!.provider, providers.at(-1), 'the one that has not been asked for comes before those that have');
});

await t.test('an answer of before a change is none, and what fails is asked again', async (t) => {
  const { gate, told, failures, rights } = start();
  const lj = machine('lab', '1');
  rights.ask([lj]);
  await turn();
  rights.forget();
  await gate.questions[0]!.answer([lj]);
  t.same([told, lj.may], [[], undefined]);
  rights.ask([lj]);
  await turn();
  await gate.questions[1]!.fail();
  t.same(failures, [new Error('lost')]);
  rights.ask([lj]);
  await turn();
  await gate.questions[2]!.answer([lj]);
  t.same(told, ['lab/1 start']);
});

await t.test('one of which nothing sure was said is asked for again, and not with each list', async (t) => {
  const { gate, told, rights } = start();
  const one = machine('kvm', '1');
  rights.ask([one]);
  await turn();
  await gate.questions[0]!.answer([one], false);
  t.same(told, ['kvm/1 start'], 'it is offered what nobody has denied');
  rights.ask([one]);
  await turn();
  t.equal(gate.questions.length, 1);
  const now = performance.now();
  t.intercept(performance, 'now', { value: () => now + MQTT_LIST_EVERY });
  rights.ask([one]);
  await turn();
  t.equal(gate.questions.length, 2);
  await gate.questions[1]!.answer([]);
  rights.ask([one]);
  await turn();
  t.same([told.at(-1), gate.questions.length], ['kvm/1', 2]);
});
