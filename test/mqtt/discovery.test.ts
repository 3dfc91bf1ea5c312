import t from 'tap';
import { bridgeDiscovery, discoveryOf, discoveryTopics, entitiesOf } from '../../src/mqtt/discovery.js';
import type { Machine, Order } from '../../src/mqtt/machine.js';
import { powerOf, STATES } from '../../src/mqtt/states.js';
import { ENTITIES, Topics } from '../../src/mqtt/topics.js';
import { readDocument, section, tableRows } from '../docs/markdown.js';
import { discoveryFaults } from './home-assistant.js';

const topics = new Topics({ id: 'argo', topics: 'argo', discovery: 'homeassistant' });
const ALL: readonly Order[] = ['start', 'stop', 'reboot', 'force-off'];

const machine = (may: readonly Order[], name = 'web 1'): Machine =>
  ({ provider: 'lab', id: '17', device: topics.device('lab', '17'), fullName: `lab/${name}`, name, state: 'on', since: undefined, isStale: false, may: new Set(may) });

const configs = (found: ReadonlyMap<string, string>): Record<string, Record<string, unknown>> =>
  Object.fromEntries([...found].filter(([, payload]) => payload !== '').map(([topic, payload]) => [topic, JSON.parse(payload) as Record<string, unknown>]));

await t.test('each message is what Home Assistant documents', (t) => {
  for (const may of [ALL, [], ['start'], ['start', 'stop'], ['stop', 'force-off']] as (readonly Order[])[]) {
    const found = [...discoveryOf(topics, machine(may)), ...bridgeDiscovery(topics, '127.0.0.1:20203')].filter(([, payload]) => payload !== '');
    t.same(found.flatMap(([topic, payload]) => discoveryFaults(topic, payload)), [], may.join(' '));
    const ids = found.map(([, payload]) => (JSON.parse(payload) as { unique_id: string }).unique_id);
    t.equal(new Set(ids).size, ids.length);
  }
  t.match(discoveryFaults('homeassistant/switch/x/config', '{"status_topic":"x"}'), ['homeassistant/switch/x/config: unique_id is missing'], 'the table finds what is wrong');
  t.ok(discoveryFaults('homeassistant/switch/x/config', '{"status_topic":"x"}').includes('homeassistant/switch/x/config: status_topic is unknown'));
  t.end();
});

await t.test('only what the account may do is offered', (t) => {
  t.same(entitiesOf(new Set(ALL)), ['power', 'state', 'reboot', 'force_off', 'last_order']);
  t.same(entitiesOf(new Set()), ['power_state', 'state']);
  t.same(entitiesOf(new Set<Order>(['start', 'reboot'])), ['power_state', 'state', 'reboot', 'last_order'], 'a switch must go both ways');
  const found = discoveryOf(topics, machine([]));
  t.equal(found.size, Object.keys(ENTITIES).length, 'what was offered before is taken back');
  t.equal(found.get(topics.config('switch', topics.device('lab', '17'), 'power')!), '');
  const unknown = { ...machine(ALL), may: undefined };
  t.equal(discoveryOf(topics, unknown).size, 0, 'nothing is offered, nor taken back, before that is known');
  t.same(discoveryTopics(topics, unknown), [...found.keys()]);
  t.end();
});

await t.test('a machine with another name is the same for Home Assistant', (t) => {
  const [before, after] = [configs(discoveryOf(topics, machine(ALL))), configs(discoveryOf(topics, machine(ALL, 'web 2')))];
  t.same(Object.keys(before), Object.keys(after));
  for (const [topic, config] of Object.entries(before)) {
    t.equal(after[topic]!.unique_id, config.unique_id);
    t.notSame(after[topic], config);
  }
  t.end();
});

await t.test('what is not known is available to nobody, but what may help then', (t) => {
  const found = configs(discoveryOf(topics, machine(ALL)));
  const device = topics.device('lab', '17');
  const waysOf = (component: string, entity: string): unknown => found[topics.config(component, device, entity)!]!.availability;
  const both = [{ topic: 'argo/availability' }, { topic: 'argo/lab/web%201/availability' }];
  t.same(waysOf('switch', 'power'), both);
  t.same(waysOf('button', 'reboot'), both);
  t.same(waysOf('button', 'force_off'), [both[0]]);
  t.same(waysOf('sensor', 'state'), [both[0]]);
  t.end();
});

await t.test('on and off', (t) => {
  t.same(STATES.filter((state) => powerOf(state) === 'OFF'), ['off']);
  t.same(STATES.filter((state) => powerOf(state) === 'None'), ['unknown']);
  t.equal(powerOf('a state of a later server'), 'None');
  const rows = tableRows(section(readDocument('docs/protocol.md'), '### status'));
  t.same(rows.flatMap(([words = '']) => [...words.matchAll(/`(\w+)`/g)].map(([, word]) => word)).slice(0, STATES.length), [...STATES], 'those of the server');
  t.end();
});
