import { POWER_STATES } from '../../../drivers/driver.js';
import type { Actor } from '../../../instances/actor.js';
import type { InstanceInfo } from '../../../instances/info.js';
import { OPERATIONS, type OperationName } from '../../../instances/operation-table.js';
import type { VisibleGroup } from '../../../instances/visible-groups.js';
import { ArgoError } from '../../../kit/errors.js';
import { FEED_TAGS } from '../../../kit/feed-limits.js';
import { Slices } from '../../../kit/slices.js';
import { TAG_PREFIX } from '../../../kit/tags.js';
import type { ProviderRow, View } from '../messages.js';

const ON_INSTANCES = (Object.keys(OPERATIONS) as OperationName[]).filter((name) => OPERATIONS[name].on === 'instance');

/** Lists of which few differ, each kept once. */
class Lists {
  readonly all: (readonly string[])[] = [];
  readonly #positions = new Map<string, number>();

  position(list: readonly string[]): number {
    const key = list.join();
    let position = this.#positions.get(key);
    if (position === undefined) {
      position = this.all.push(list) - 1;
      this.#positions.set(key, position);
    }
    return position;
  }
}

/** The columns of a view while they are filled, and where each instance stands in them. */
export class Columns {
  readonly name: string[] = [];
  readonly provider: number[] = [];
  readonly id: string[] = [];
  readonly type: number[] = [];
  readonly state: number[] = [];
  readonly since: number[] = [];
  readonly capabilities: number[] = [];
  readonly permissions: number[] = [];
  readonly types = new Lists();
  readonly capabilityLists = new Lists();
  readonly permissionLists = new Lists();
  /** by full name */
  readonly positions = new Map<string, number>();
  providers: readonly ProviderRow[] = [];
  groups: View['groups'] = [];

  add(name: string, instance: InstanceInfo, provider: number, permissions: readonly string[]): void {
    this.positions.set(instance.fullName, this.name.push(name) - 1);
    this.provider.push(provider);
    this.id.push(instance.id);
    this.type.push(this.types.position([instance.type]));
    this.state.push(stateCode(instance.state));
    this.since.push(Date.parse(instance.since));
    this.capabilities.push(this.capabilityLists.position(instance.capabilities));
    this.permissions.push(this.permissionLists.position(permissions));
  }

  view(v: number): View {
    const { name, provider, id, type, state, since, capabilities, permissions, types, providers, groups } = this;
    return {
      v, now: Date.now(), states: POWER_STATES, types: types.all.flat() as View['types'], providers, groups,
      capabilities: this.capabilityLists.all, permissions: this.permissionLists.all,
      columns: { name, provider, id, type, state, since, capabilities, permissions },
    };
  }
}

export const stateCode = (state: (typeof POWER_STATES)[number]): number => POWER_STATES.indexOf(state);

export async function providerRows(actor: Actor): Promise<ProviderRow[]> {
  return (await actor.overview()).providers.map(({ provider, type, answers, stale }) => ({ name: provider, type, answers, stale: stale ?? null }));
}

/** Everything that an account sees, in the order of the configuration. Gives way to others meanwhile. */
export async function columnsOf(actor: Actor): Promise<Columns> {
  const columns = new Columns();
  columns.providers = await providerRows(actor);
  const places = new Map(columns.providers.map(({ name }, index) => [name, index]));
  const slices = new Slices();
  for (const { name, instance } of actor.visible()) {
    // one whose provider came this moment is told of next
    const provider = places.get(instance.provider);
    if (provider !== undefined) columns.add(name, instance, provider, ON_INSTANCES.filter((operation) => actor.may(operation, instance)));
    if (slices.isOverNow()) await slices.pause();
  }
  const groups = [...await actor.groups(), ...await taggedOf(actor)];
  columns.groups = groups.map(({ name, members }) => ({ name, members: members.flatMap((member) => columns.positions.get(member) ?? []) }));
  return columns;
}

/** What has each tag, as a group by the name `tag:TAG`: the page finds it by `@tag:TAG`. Of very many, the first. */
async function taggedOf(actor: Actor): Promise<readonly VisibleGroup[]> {
  const found: VisibleGroup[] = [];
  try {
    for (const { tag } of (await actor.tags.list()).filter(({ level }) => level !== 2).slice(0, FEED_TAGS)) {
      const { instances } = await actor.select([`${TAG_PREFIX}${tag}`]).catch(noneOf);
      if (instances.length > 0) found.push({ name: `${TAG_PREFIX.slice(1)}${tag}`, members: instances.map(({ fullName }) => fullName) });
    }
  } catch (error) {
    // there are none, or they cannot be read: everything else is shown
    if (!(error instanceof ArgoError && (error.phrase === 'NOT SUPPORTED' || error.phrase === 'FAILED'))) throw error;
  }
  return found;
}

function noneOf(error: unknown): { readonly instances: readonly InstanceInfo[] } {
  if (error instanceof ArgoError && error.phrase === 'NO MATCH') return { instances: [] };
  throw error;
}
