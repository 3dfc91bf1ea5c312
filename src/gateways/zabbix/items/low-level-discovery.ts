import type { Actor } from '../../../instances/actor.js';
import type { InstanceInfo } from '../../../instances/info.js';
import { Slices } from '../../../kit/slices.js';
import { splitWords } from '../../../kit/words.js';
import { serverJson } from '../../../protocols/zabbix/json.js';
import { hostName } from './host-name.js';

/**
 * `argo.discovery`: the instances as rows of macros
 * (https://www.zabbix.com/documentation/6.0/en/manual/discovery/low_level_discovery). States are not among them: a
 * rule's rows are to change only when instances come and go.
 * @param names names, globs, ranges and groups; empty: all that the account sees
 * @throws ArgoError as the actor's `select`
 */
export async function discoveryText(actor: Actor, names: string): Promise<string> {
  const words = splitWords(names);
  const slices = new Slices();
  const rows: string[] = [];
  for (const { name, instance } of words.length === 0 ? actor.visible() : await selected(actor, words)) {
    if (slices.isOver()) await slices.pause();
    rows.push(serverJson({
      '{#ARGO.NAME}': name,
      '{#ARGO.FULLNAME}': instance.fullName,
      '{#ARGO.HOST}': hostName(name) ?? '',
      '{#ARGO.PROVIDER}': instance.provider,
      '{#ARGO.PROVIDERTYPE}': instance.providerType,
      '{#ARGO.TYPE}': instance.type,
      '{#ARGO.ID}': instance.id,
    }));
  }
  return `[${rows.join(',')}]`;
}

async function selected(actor: Actor, words: ReturnType<typeof splitWords>): Promise<Iterable<{ readonly name: string; readonly instance: InstanceInfo }>> {
  const { instances } = await actor.select(words);
  return instances.map((instance) => ({ name: actor.display(instance), instance }));
}
