import type { PowerState, Sighting } from '../drivers/driver.js';
import { EVENTS_A_LISTING } from '../kit/limits.js';
import { Slices } from '../kit/slices.js';
import { idFromWord } from '../kit/text.js';
import type { TextIndex } from '../kit/text-index.js';
import type { Events } from './events.js';
import type { Instance } from './instance.js';
import { NameIndex } from './name-index.js';
import type { Owner } from './owner.js';
import { emptyList, type ProviderList } from './provider-list.js';
import { TakingIn } from './taking-in.js';

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
  readonly #replaced = new Map<string, TextIndex<Instance>>();
  readonly #names = new NameIndex();
  /** providers that were removed and of whose instances the names are not forgotten yet */
  readonly #leaving = new Map<Owner, ProviderList>();

  /** @param events told of what comes, goes and changes */
  constructor(readonly events?: Events) {}

  /** Takes in new providers and gives all of them the order of the configuration. */
  arrange(providers: readonly Owner[]): void {
    for (const provider of providers) {
      this.#clearNow(provider);
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
    this.size -= list.byId.size;
    if (isReplaced) this.#replaced.set(provider.name, list.byId);
    else this.#replaced.delete(provider.name);
    if (!isReplaced) this.events?.listed([], knownOf(list));
    this.#lists.delete(provider);
    if (this.#byName.get(provider.name) === list) this.#byName.delete(provider.name);
    this.#order = [...this.#lists.keys()];
    this.version += 1;
    void this.#clear(list);
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
    return list?.byId.get(id);
  }

  /** Those that are there, of some ids, in their order: for whoever asks for many. */
  byIds(provider: string, ids: readonly string[]): Instance[] {
    const byId = this.#byName.get(provider)?.byId;
    const found: Instance[] = [];
    for (const id of ids) {
      const instance = byId?.get(id);
      if (instance) found.push(instance);
    }
    return found;
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
      const other = list.provider === instance.owner ? undefined : list.byId.get(instance.id);
      if (other && RUNS.has(other.state)) return other;
    }
    return undefined;
  }

  /** All instances that have this short name. */
  sharing(shortName: string): Iterable<Instance> {
    const found = this.#names.of(shortName);
    return this.#leaving.size === 0 ? found : [...found].filter(({ owner }) => !this.#leaving.has(owner));
  }

  /** Notes a state that was seen outside a listing. */
  see(instance: Instance, state: PowerState): void {
    this.#note(instance, state);
    const list = this.#lists.get(instance.owner);
    if (list === undefined) return;
    list.newer?.set(instance.id, state);
    // It may have been made anew since it was looked up.
    const successor = list.byId.get(instance.id);
    if (successor && successor !== instance) this.#note(successor, state);
  }

  /** Notes what a driver tells of one machine. @returns false where the machine is not known */
  seeById(provider: Owner, id: string, state: PowerState): boolean {
    const list = this.#lists.get(provider);
    if (list === undefined) return false;
    const instance = list.byId.get(id);
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
    list.listing += 1;
    const syncing = this.#takeIn(list, sightings).finally(() => {
      list.newer = undefined;
      list.syncing = undefined;
    });
    list.syncing = syncing;
    return syncing;
  }

  async #takeIn(list: ProviderList, sightings: readonly Sighting[]): Promise<void> {
    const replaced = this.#replaced.get(list.provider.name);
    const changes = await new TakingIn(list, sightings, {
      replaced,
      note: (instance, state) => this.#note(instance, state),
      index: (instance, hash) => this.#index(instance, hash),
      forget: (instance) => this.#forget(instance),
      named: (name, hash) => this.#names.of(name, hash),
      settle: () => this.#settle(list),
    }).run();
    // one that was removed meanwhile, and that no other has replaced, was told of as gone, with all that it had
    const isGone = list.isRemoved && this.#replaced.get(list.provider.name) !== list.byId;
    if (changes) this.events?.listed(isGone ? [] : changes.added, changes.removed);
  }

  #settle(list: ProviderList): void {
    for (const [id, state] of list.newer!) {
      const instance = list.byId.get(id);
      if (instance) this.#note(instance, state);
    }
    this.#replaced.delete(list.provider.name);
    this.version += 1;
  }

  /** Notes a state, and tells of it where it is news. */
  #note(instance: Instance, state: PowerState): void {
    const before = instance.state;
    if (!instance.see(state)) return;
    this.version += 1;
    this.events?.state(instance, before);
  }

  #index(instance: Instance, hash: number): void {
    this.#names.add(instance, hash);
    this.#count(1);
  }

  /** Does nothing for one that is forgotten already. */
  #forget(instance: Instance): void {
    if (this.#names.delete(instance)) this.#count(-1);
  }

  #count(change: number): void {
    this.size += change;
    this.version += 1;
  }

  /** Forgets by and by what a removed provider had: nobody finds it any longer. */
  async #clear(list: ProviderList): Promise<void> {
    const slices = new Slices();
    this.#leaving.set(list.provider, list);
    for (const instance of list.byId) {
      if (slices.isOver()) await slices.pause();
      if (this.#leaving.get(list.provider) !== list) return;
      this.#names.delete(instance);
    }
    this.#leaving.delete(list.provider);
  }

  /** What {@link #clear} has not forgotten yet, in one go: the provider comes back. */
  #clearNow(provider: Owner): void {
    const list = this.#leaving.get(provider);
    if (list === undefined) return;
    this.#leaving.delete(provider);
    for (const instance of list.byId) this.#names.delete(instance);
  }
}

/** What was told of a provider's instances: of a listing under way, also those that are not in it, or not yet. More than are told one by one are not gathered. */
const knownOf = ({ instances, byId, syncing }: ProviderList): readonly Instance[] =>
  (syncing === undefined || byId.size > EVENTS_A_LISTING ? instances : [...byId]);
