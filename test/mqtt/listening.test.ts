import t from 'tap';
import { ArgoError } from '../../src/kit/errors.js';
import { Listening } from '../../src/mqtt/listening.js';

const noOne = (): void => undefined;

await t.test('topics come and go with machines, and all of them with a broker', async (t) => {
  const listening = new Listening();
  const asked: string[] = [];
  const broker = {
    subscribe: async (topics: readonly string[]): Promise<void> => void asked.push(...topics.map((topic) => `+${topic}`)),
    unsubscribe: async (topics: readonly string[]): Promise<void> => void asked.push(...topics.map((topic) => `-${topic}`)),
  };
  listening.want(['a', 'b']);
  t.same(asked, []);
  await listening.attach(broker, noOne);
  listening.want(['b', 'c']);
  listening.want(['b', 'c']);
  t.same(asked.splice(0), ['+a', '+b', '+c', '-a']);
  listening.detach();
  listening.want(['c']);
  t.same(asked, []);
  await listening.attach(broker, noOne);
  t.same(asked, ['+c']);
});

await t.test('what the broker refuses is told', async (t) => {
  const why = new ArgoError('NOT ALLOWED');
  const listening = new Listening();
  const subscribe = async (topics: readonly string[]): Promise<void> => { if (topics.length > 0) throw why; };
  const broker = { subscribe, unsubscribe: async (): Promise<void> => undefined };
  const told: unknown[] = [];
  await listening.attach(broker, (error) => told.push(error));
  listening.want(['a']);
  await new Promise((resolve) => { setImmediate(resolve); });
  t.same(told, [why]);
  await t.rejects(listening.attach(broker, noOne), why);
});
