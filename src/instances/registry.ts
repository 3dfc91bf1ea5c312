import type { Machine, PowerState, Sighting } from '../drivers/driver.js';
import { Slices } from '../kit/slices.js';
import { harmless, idFromWord } from '../kit/text.js';
import type { Events } from './events.js';
import { Instance } from './instance.js';
import type { Owner } from './owner.js';

/** The machines of one provider. */
interface ProviderList {
  readonly provider: Owner;
  /** in the driver's order; never changed, but replaced, so that whoever walks through it may take a pause */
  instances: readonly Instance[];
  byId: Map<string, Instance>;
  /** what a listing under way has brought in already, by id */
  incoming: Map<string, Instance> | undefined;
  /** states that were told while a listing is taken in: they are newer than it */
  newer: Map<string, PowerState> | undefined;
  /** ends with the listing that is taken in */
  syncing: Promise<void> | undefined;
  isRemoved: boolean;
}

const NONE: readonly Instance[] = [];

/** What tells a machine apart everywhere; other ids are their managers' own. */
const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** In these states a machine holds its disks. */
const RUNS: ReadonlySet<PowerState> = new Set<PowerState>(['on', 'starting', 'stopping', 'paused']);

/** All instances, by provider, id and short name. Knows nothing of who may see what. */
export class Registry {
  /** grows with every change of names or states: what was derived from the registry is then stale */
  version = 0;
  /** how many instances there are */
  size = 0;
  readonly #lists = new Map<Owner, ProviderList>();
  readonly #byName = new Map<string, ProviderList>();
  #order: readonly Owner[] = [];
  /** instances of providers that were replaced, until their successors have listed, by provider and id */
  readonly #replaced = new Map<string, ReadonlyMap<string, Instance>>();
  /** nearly all short names are unique, so a lone instance stands without a set around it */
  readonly #byShortName = new Map<string, Instance | Set<Instance>>();

  /** @param events told of what comes, goes and changes */
  constructor(readonly events?: Events) {}

  /** Takes in new providers and gives all of them the order of the configuration. */
  arrange(providers: readonly Owner[]): void {
    for (const provider of providers) {
      const list = this.#lists.get(provider) ?? emptyList(provider);
      this.#lists.delete(provider);
      this.#lists.set(provider, list);
      this.#byName.set(provider.name, list);
    }
    this.#order = [...this.#lists.keys()];
    this.version += 1;
  }

  /**
   * @param isReplaced whether one of the same name follows: its instances then keep their turns, so that
   *   two actions on one machine do not run at once on either side of a reload
   */
  remove(provider: Owner, isReplaced: boolean): void {
    const list = this.#lists.get(provider);
    if (list === undefined) return;
    list.isRemoved = true;
    for (const instance of list.instances) this.#forget(instance);
    for (const instance of list.incoming?.values() ?? []) this.#forget(instance);
    if (isReplaced) this.#replaced.set(provider.name, list.incoming ? new Map([...list.byId, ...list.incoming]) : list.byId);
    else this.#replaced.delete(provider.name);
    if (!isReplaced) this.events?.listed([], list.instances);
    this.#lists.delete(provider);
    if (this.#byName.get(provider.name) === list) this.#byName.delete(provider.name);
    this.#order = [...this.#lists.keys()];
    this.version += 1;
  }

  /** In the order of the configuration. */
  providers(): readonly Owner[] {
    return this.#order;
  }

  providerNamed(name: string): Owner | undefined {
    return this.#byName.get(name)?.provider;
  }

  /**
   * Every instance, providers in the order of the configuration. Whoever walks through it may take pauses: it has what there was
   * when the first was asked for, so that a reload that arranges or replaces providers meanwhile neither brings one twice nor hides one.
   */
  *all(): Generator<Instance> {
    for (const instances of Array.from(this.#lists.values(), (list) => list.instances)) yield* instances;
  }

  /** Those of one provider. The list never changes: another one takes its place. */
  of(provider: Owner): readonly Instance[] {
    return this.#lists.get(provider)?.instances ?? NONE;
  }

  /** @param id as the provider's machines have it */
  byId(provider: string, id: string): Instance | undefined {
    const list = this.#byName.get(provider);
    return list && current(list, id);
  }

  /**
   * What a typed name may mean. What stands before the first `/` is a provider, and never part of a
   * machine's name: `stop vc/db` must not reach a machine that somebody has called `vc/db` elsewhere.
   */
  find(name: string): readonly Instance[] {
    const slash = name.indexOf('/');
    if (slash === -1) return [...this.sharing(name)];
    const provider = name.slice(0, slash);
    const rest = name.slice(slash + 1);
    if (!rest.startsWith('#')) return [...this.sharing(rest)].filter((instance) => instance.owner.name === provider);
    const instance = this.byId(provider, idFromWord(rest.slice(1)));
    return instance ? [instance] : NONE;
  }

  /** The same machine where another provider has it, too, by its uuid: the one there that is on, else none. */
  onElsewhere(instance: Instance): Instance | undefined {
    if (!UUID.test(instance.id)) return undefined;
    for (const list of this.#lists.values()) {
      const other = list.provider === instance.owner ? undefined : current(list, instance.id);
      if (other && RUNS.has(other.state)) return other;
    }
    return undefined;
  }

  /** All instances that have this short name. */
  sharing(shortName: string): Iterable<Instance> {
    const found = this.#byShortName.get(shortName);
    if (found === undefined) return NONE;
    return found instanceof Instance ? [found] : found;
  }

  /** Notes a state that was seen outside a listing. */
  see(instance: Instance, state: PowerState): void {
    this.#note(instance, state);
    const list = this.#lists.get(instance.owner);
    if (list === undefined) return;
    list.newer?.set(instance.id, state);
    // It may have been made anew since it was looked up.
    const successor = current(list, instance.id);
    if (successor && successor !== instance) this.#note(successor, state);
  }

  /** Notes what a driver tells of one machine. @returns false where the machine is not known */
  seeById(provider: Owner, id: string, state: PowerState): boolean {
    const list = this.#lists.get(provider);
    if (list === undefined) return false;
    const instance = current(list, id);
    if (instance) this.see(instance, state);
    else list.newer?.set(id, state);
    return instance !== undefined;
  }

  /**
   * Replaces a provider's instances by what a listing found; instances that stay keep their identity.
   * A long listing is taken in by and by. Listings of one provider are taken in one after the other.
   */
  async sync(provider: Owner, sightings: readonly Sighting[]): Promise<void> {
    const list = this.#lists.get(provider);
    if (list === undefined) return;
    while (list.syncing) await list.syncing;
    if (list.isRemoved) return;
    list.newer = new Map();
    const syncing = this.#takeIn(list, sightings).finally(() => {
      list.newer = undefined;
      list.incoming = undefined;
      list.syncing = undefined;
    });
    list.syncing = syncing;
    return syncing;
  }

  async #takeIn(list: ProviderList, sightings: readonly Sighting[]): Promise<void> {
    const slices = new Slices();
    if (await this.#refresh(list, sightings, slices) || list.isRemoved) return;
    const twins = await namesOfSeveral(sightings, slices);
    const replaced = this.#replaced.get(list.provider.name);
    const { byId: before, newer } = list;
    const byId = list.incoming = new Map<string, Instance>();
    const instances: Instance[] = [];
    const added: Instance[] = [];
    const removed: Instance[] = [];
    const now = Date.now();
    for (const { machine, state } of sightings) {
      if (slices.isOver()) {
        await slices.pause();
        if (list.isRemoved) return;
      }
      const { id } = machine;
      // A machine that moved while it was listed may come twice.
      if (byId.has(id)) continue;
      const name = shownName(machine);
      const isTwin = twins.has(name);
      const known = before.get(id);
      let instance = known;
      if (instance?.name === name && instance.isTwin === isTwin) {
        instance.machine = machine;
        if (!newer!.has(id)) this.#note(instance, state);
      } else {
        instance = new Instance(name, list.provider, machine, newer!.get(id) ?? state, isTwin, now);
        const predecessor = known ?? replaced?.get(id);
        if (predecessor) instance.succeed(predecessor);
        if (known) this.#forget(known);
        if (predecessor?.fullName !== instance.fullName) {
          added.push(instance);
          if (predecessor) removed.push(predecessor);
        }
        this.#index(instance);
      }
      byId.set(id, instance);
      instances.push(instance);
    }
    this.#settle(list, instances, byId);
    for (const [id, instance] of before) {
      if (byId.has(id)) continue;
      this.#forget(instance);
      removed.push(instance);
      if (slices.isOver()) await slices.pause();
    }
    for (const [id, instance] of replaced ?? []) if (!byId.has(id)) removed.push(instance);
    this.events?.listed(added, removed);
  }

  /** What a listing found takes its place in one go. */
  #settle(list: ProviderList, instances: readonly Instance[], byId: Map<string, Instance>): void {
    for (const [id, state] of list.newer!) {
      const instance = byId.get(id);
      if (instance) this.#note(instance, state);
    }
    list.instances = instances;
    list.byId = byId;
    list.incoming = undefined;
    this.#replaced.delete(list.provider.name);
    this.version += 1;
  }

  /** Takes in the states where there are the same machines as before. @returns false where there are others */
  async #refresh(list: ProviderList, sightings: readonly Sighting[], slices: Slices): Promise<boolean> {
    const { instances } = list;
    if (instances.length !== sightings.length) return false;
    for (let index = 0; index < sightings.length; index += 1) {
      if (slices.isOver()) {
        await slices.pause();
        if (list.isRemoved) return true;
      }
      const instance = instances[index]!;
      const { machine, state } = sightings[index]!;
      if (instance.machine !== machine) {
        if (instance.machine.id !== machine.id) return false;
        instance.machine = machine;
      }
      if (machine.name !== instance.name && shownName(machine) !== instance.name) return false;
      if (state !== instance.state && !list.newer!.has(machine.id)) this.#note(instance, state);
    }
    return true;
  }

  /** Notes a state, and tells of it where it is news. */
  #note(instance: Instance, state: PowerState): void {
    const before = instance.state;
    if (!instance.see(state)) return;
    this.version += 1;
    this.events?.state(instance, before);
  }

  #index(instance: Instance): void {
    this.size += 1;
    this.version += 1;
    const others = this.#byShortName.get(instance.name);
    if (others === undefined) {
      this.#byShortName.set(instance.name, instance);
      return;
    }
    instance.sharesName = true;
    if (others instanceof Set) {
      others.add(instance);
    } else {
      others.sharesName = true;
      this.#byShortName.set(instance.name, new Set([others, instance]));
    }
  }

  /** Does nothing for one that is forgotten already. */
  #forget(instance: Instance): void {
    const others = this.#byShortName.get(instance.name);
    if (others === instance) {
      this.#byShortName.delete(instance.name);
    } else if (others instanceof Set && others.delete(instance)) {
      if (others.size > 1) return this.#count(-1);
      const [last] = others;
      last!.sharesName = false;
      this.#byShortName.set(instance.name, last!);
    } else {
      return;
    }
    this.#count(-1);
  }

  #count(change: number): void {
    this.size += change;
    this.version += 1;
  }
}

const emptyList = (provider: Owner): ProviderList =>
  ({ provider, instances: NONE, byId: new Map(), incoming: undefined, newer: undefined, syncing: undefined, isRemoved: false });

/** The instance of an id as the latest listing has it. */
const current = (list: ProviderList, id: string): Instance | undefined => list.incoming?.get(id) ?? list.byId.get(id);

/** By what a machine is known here, whatever its manager calls it. */
export const shownName = ({ name }: Pick<Machine, 'name'>): string => harmless(name).trim() || '(unnamed)';

/** The short names that several machines of a listing have. */
async function namesOfSeveral(sightings: readonly Sighting[], slices: Slices): Promise<ReadonlySet<string>> {
  const ids = new Map<string, string>();
  const several = new Set<string>();
  for (const { machine } of sightings) {
    if (slices.isOver()) await slices.pause();
    const name = shownName(machine);
    const id = ids.get(name);
    if (id === undefined) ids.set(name, machine.id);
    else if (id !== machine.id) several.add(name);
  }
  return several;
}
