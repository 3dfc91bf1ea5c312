import t from 'tap';
import { MQTT_ASKING, MQTT_NAMES } from '../../src/kit/mqtt-limits.js';
import type { Gate } from '../../src/mqtt/gate.js';
import type { Machine } from '../../src/mqtt/machine.js';
import { Providers } from '../../src/mqtt/providers.js';

const machine = (provider: string, id: string, state = 'on'): Machine => ({ provider, id, device: `${provider}${id}`, fullName: `${provider}/${id}`, name: id, state, since: undefined, isStale: true, may: undefined });
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

function start(answering: readonly string[]) {
  const asked: string[][] = [];
  let found = 0;
  const gate = { areSeen: async (machines: readonly Machine[]) => {
    asked.push(machines.map(({ fullName }) => fullName));
    if (machines[0]!.provider === 'lost') throw new Error('lost');
    return answering.includes(machines[0]!.provider);
  } };
  const providers = new Providers(gate as unknown as Gate, () => { found += 1; }, new AbortController().signal);
  return { asked, providers, found: () => found };
}

await t.test('who says nothing of himself is known by his machines', async (t) => {
  const { asked, providers, found } = start(['some']);
  const standings = (): string[] => ['some', 'none', 'lost', 'well'].map((provider) => providers.standingOf(provider));
  const machines = ['some', 'none', 'lost', 'well'].flatMap((provider) => [machine(provider, '0', 'unknown'), ...Array.from({ length: MQTT_NAMES + 5 }, (_, at) => machine(provider, `${at + 1}`))]);
  providers.listed('stale: some, none (UNREACHABLE: x), lost');
  t.same(standings(), ['unsure', 'unsure', 'unsure', 'current']);
  providers.ask(machines);
  t.same(asked.map(([first, ...rest]) => [first, rest.length + 1]), [['some/1', MQTT_NAMES], ['none/1', MQTT_NAMES], ['lost/1', MQTT_NAMES]], 'a few of each, whose state was known');
  await turn();
  t.same(standings(), ['partial', 'silent', 'silent', 'current']);
  t.equal(found(), 3);
  providers.listed('stale: some, none (UNREACHABLE: x), lost');
  providers.ask(machines);
  t.equal(asked.length, 3, 'not with each list');
  providers.listed('');
  t.same(standings(), ['current', 'current', 'current', 'current']);
  providers.listed('stale: some');
  t.equal(providers.standingOf('some'), 'unsure', 'what was is no answer');
});

await t.test('what they say themselves counts, up to a gap', async (t) => {
  const { asked, providers } = start(['kvm']);
  providers.says('kvm', false);
  providers.listed('stale: kvm (UNREACHABLE: x)');
  providers.ask([machine('kvm', '1')]);
  t.same([providers.standingOf('kvm'), asked], ['silent', []]);
  providers.says('kvm', true);
  t.equal(providers.standingOf('kvm'), 'partial');
  providers.begin();
  t.equal(providers.standingOf('kvm'), 'unsure');
  providers.ask([machine('kvm', '1')]);
  await turn();
  t.equal(providers.standingOf('kvm'), 'partial');
});

await t.test('so many are asked at a time', async (t) => {
  const answers: (() => void)[] = [];
  const gate = { areSeen: () => new Promise<boolean>((resolve) => { answers.push(() => resolve(true)); }) };
  const providers = new Providers(gate as unknown as Gate, () => undefined, new AbortController().signal);
  const names = Array.from({ length: MQTT_ASKING + 2 }, (_, at) => `kvm${at}`);
  providers.listed(`stale: ${names.join(', ')}`);
  const machines = names.map((name) => machine(name, '1'));
  for (let times = 0; times < 2; times += 1) providers.ask(machines);
  t.equal(answers.length, MQTT_ASKING);
  answers[0]!();
  await turn();
  t.equal(answers.length, MQTT_ASKING + 1, 'and the next when one is known');
});
