import type { Facts } from '../../../drivers/driver.js';
import type { Actor } from '../../../instances/actor.js';
import type { InstanceInfo } from '../../../instances/info.js';
import type { ReadCall } from '../../../instances/order.js';
import { ArgoError } from '../../../kit/errors.js';
import { serverJson } from '../../../protocols/zabbix/json.js';

/** `argo.info[KEY]`: what `info NAME` prints, one by one. */

/** What the registry knows: no machine is asked for it. */
const KNOWN: Readonly<Record<string, (instance: InstanceInfo) => string>> = {
  name: ({ name }) => name,
  fullname: ({ fullName }) => fullName,
  id: ({ id }) => id,
  provider: ({ provider }) => provider,
  'provider-type': ({ providerType }) => providerType,
  type: ({ type }) => type,
  state: ({ state }) => state,
  since: ({ since }) => since,
  capabilities: ({ capabilities }) => capabilities.join(', '),
};

const FACTS: Readonly<Record<string, (facts: Facts) => string | undefined>> = {
  uuid: ({ uuid }) => uuid,
  cpus: ({ cpus }) => cpus?.toString(),
  memory: ({ memory }) => memory?.toString(),
  ips: ({ ips }) => ips?.join(' '),
  macs: ({ macs }) => macs?.join(' '),
  disks: ({ disks }) => disks?.map(({ target }) => target).join(' '),
  host: ({ host }) => host,
  persistent: ({ persistent }) => persistent?.toString(),
  autostart: ({ autostart }) => autostart?.toString(),
};

/**
 * One of an instance's facts; all of them as JSON where no key is given.
 * @throws ArgoError NOT SUPPORTED where there is no such fact
 */
export async function infoValue(actor: Actor, instance: InstanceInfo, key: string, call: ReadCall): Promise<string> {
  if (Object.hasOwn(KNOWN, key)) return KNOWN[key]!(instance);
  const facts = await actor.read(instance, 'info', call);
  if (key === '') return allFacts(instance, facts);
  const value = Object.hasOwn(FACTS, key) ? FACTS[key]!(facts) : ownOf(facts.more, key);
  if (value === undefined) throw new ArgoError('NOT SUPPORTED', `${instance.name} does not tell its ${key}`);
  return value;
}

const ownOf = (more: Readonly<Record<string, string>> = {}, key: string): string | undefined => (Object.hasOwn(more, key) ? more[key] : undefined);

function allFacts(instance: InstanceInfo, facts: Facts): string {
  const known = Object.entries(KNOWN).map(([key, of]) => [key, of(instance)]);
  const read = Object.entries(FACTS).map(([key, of]) => [key, of(facts)]);
  return serverJson(Object.fromEntries([...Object.entries(facts.more ?? {}), ...known, ...read]));
}
