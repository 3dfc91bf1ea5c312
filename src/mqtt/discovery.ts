import { packageVersion } from '../kit/own-files.js';
import { ENTITIES, type Entity, type Topics } from './topics.js';
import type { Machine, Order } from './machine.js';
import { OUTCOMES, PAYLOADS } from './orders-table.js';
import { readTable } from './payloads.js';
import { STATES } from './states.js';

/**
 * What Home Assistant is told that there is ("MQTT discovery"): a message an entity, which says its topics. The keys
 * are those of https://www.home-assistant.io/integrations/mqtt/ and the pages of switch.mqtt, sensor.mqtt,
 * binary_sensor.mqtt and button.mqtt; test/mqtt/discovery.test.ts has them in a table.
 */

const MANUFACTURER = 'Argo';
export const ONLINE = 'online';
export const OFFLINE = 'offline';

type Config = Readonly<Record<string, unknown>>;

const ORIGIN = 'argo-mqtt';
const origin = { name: ORIGIN, sw_version: packageVersion() };

/** What follows from a machine's own topics. */
interface Place {
  readonly base: string;
  readonly available: Config;
  /** its state is told also where it is not known */
  readonly reachable: Config;
}

const CONFIGS: Readonly<Record<Entity, (place: Place) => Config>> = {
  power: ({ base, available }) => ({
    // it is what the machine is: it has the machine's name alone
    name: null, state_topic: `${base}/power`, command_topic: `${base}/set`, payload_on: 'ON', payload_off: 'OFF', state_on: 'ON', state_off: 'OFF',
    // what is shown is what the machine says, never what was wished; and an order that is kept would be given again
    optimistic: false, retain: false, qos: 1, json_attributes_topic: `${base}/attributes`, ...available,
  }),
  power_state: ({ base, available }) => ({
    name: null, state_topic: `${base}/power`, payload_on: 'ON', payload_off: 'OFF', device_class: 'power', json_attributes_topic: `${base}/attributes`, ...available,
  }),
  state: ({ base, reachable }) => ({ name: 'State', state_topic: `${base}/state`, device_class: 'enum', options: STATES, icon: 'mdi:state-machine', ...reachable }),
  last_order: ({ base, reachable }) => ({
    name: 'Last order', state_topic: `${base}/last_order`, value_template: '{{ value_json.outcome }}', json_attributes_topic: `${base}/last_order`,
    device_class: 'enum', options: OUTCOMES, entity_category: 'diagnostic', icon: 'mdi:clipboard-check-outline', ...reachable,
  }),
  reboot: ({ base, available }) => ({ name: 'Reboot', command_topic: `${base}/set`, payload_press: PAYLOADS.reboot, device_class: 'restart', retain: false, qos: 1, ...available }),
  // what hangs may have a state that nobody knows: then it is wanted most
  force_off: ({ base, reachable }) => ({
    name: 'Force off', command_topic: `${base}/set`, payload_press: PAYLOADS.forceOff, icon: 'mdi:power-plug-off', entity_category: 'config', retain: false, qos: 1, ...reachable,
  }),
};

/** Which entities a machine has: it is offered what the account may do with it. */
export function entitiesOf(may: ReadonlySet<Order>): readonly Entity[] {
  const isSwitched = may.has('start') && may.has('stop');
  return [
    isSwitched ? 'power' : 'power_state', 'state',
    ...(may.has('reboot') ? ['reboot' as const] : []), ...(may.has('force-off') ? ['force_off' as const] : []), ...(may.size > 0 ? ['last_order' as const] : []),
  ];
}

const KINDS = Object.keys(ENTITIES) as Entity[];

/** The topics of all that Home Assistant may find of a machine. */
export const discoveryTopics = (topics: Topics, { device }: Machine): readonly string[] =>
  KINDS.flatMap((entity) => topics.config(ENTITIES[entity], device, entity) ?? []);

/** What Home Assistant is to find of a machine, by topics; empty where it has no such entity, or has it no more. Nothing, while nobody knows what may be done with it. */
export function discoveryOf(topics: Topics, machine: Machine): ReadonlyMap<string, string> {
  const { provider, name, fullName, device, may } = machine;
  if (may === undefined) return new Map();
  const base = topics.of(provider, name);
  const way = { topic: topics.availability };
  const place: Place = {
    base,
    available: { availability: [way, { topic: `${base}/availability` }], availability_mode: 'all' },
    reachable: { availability: [way] },
  };
  const about = { identifiers: [device], name: fullName, manufacturer: MANUFACTURER, model: provider, via_device: topics.bridge };
  const wanted = entitiesOf(may);
  return new Map(KINDS.flatMap((entity): [string, string][] => {
    const topic = topics.config(ENTITIES[entity], device, entity);
    if (topic === undefined) return [];
    const config = { unique_id: topics.unique(device, entity), ...CONFIGS[entity](place), device: about, origin };
    return [[topic, wanted.includes(entity) ? JSON.stringify(config) : '']];
  }));
}

/** Whether something is what such a program tells Home Assistant. */
export function isDiscovery(payload: string): boolean {
  const { origin: by } = readTable(payload);
  return typeof by === 'object' && by !== null && (by as Partial<typeof origin>).name === ORIGIN;
}

/** The bridge itself: whether the machines can be had at all. */
export function bridgeDiscovery(topics: Topics, server: string): ReadonlyMap<string, string> {
  const topic = topics.config('binary_sensor', topics.bridge, 'connection');
  if (topic === undefined) return new Map();
  return new Map([[topic, JSON.stringify({
    unique_id: topics.unique(topics.bridge, 'connection'), name: 'Connection', state_topic: topics.availability, payload_on: ONLINE, payload_off: OFFLINE,
    device_class: 'connectivity', entity_category: 'diagnostic',
    device: { identifiers: [topics.bridge], name: `Argo at ${server}`, manufacturer: MANUFACTURER, model: 'argo-server' }, origin,
  })]]);
}
