import type { Machine, PowerState, Sighting } from '../drivers/driver.js';
import { harmless } from '../kit/text.js';
import type { Events } from './events.js';
import { Instance } from './instance.js';
import type { Owner } from './owner.js';

/** The machines of one provider, in the driver's order. */
interface Shelf {
  readonly instances: Instance[];
  readonly byId: Map<string, Instance>;
}

/** All instances: by short name, by full name, and in order. Knows nothing of who may see what. */
export class Registry {
  /** grows with every change of names or states: what was derived from the registry is then stale */
  version = 0;
  readonly #shelves = new Map<Owner, Shelf>();
  #order: readonly Owner[] = [];
  /** instances of providers that were replaced, until their successors have listed, by provider and id */
  readonly #legacies = new Map<string, ReadonlyMap<string, Instance>>();
  readonly #byFullName = new Map<string, Instance>();
  /** nearly all short names are unique, so a lone instance stands without an array around it */
  readonly #byShortName = new Map<string, Instance | Instance[]>();

  /** @param events told of what comes, goes and changes */
  constructor(readonly events?: Events) {}

  get size(): number {
    return this.#byFullName.size;
  }

  /** Takes in new providers and gives all of them the order of the configuration. */
  arrange(providers: readonly Owner[]): void {
    for (const provider of providers) {
      const shelf = this.#shelves.get(provider) ?? { instances: [], byId: new Map<string, Instance>() };
      this.#shelves.delete(provider);
      this.#shelves.set(provider, shelf);
    }
    this.#order = [...this.#shelves.keys()];
    this.version += 1;
  }

  /**
   * @param isReplaced whether one of the same name follows: its instances then keep their turns, so that
   *   two actions on one machine do not run at once on either side of a reload
   */
  remove(provider: Owner, isReplaced: boolean): void {
    const shelf = this.#shelves.get(provider);
    shelf?.instances.forEach((instance) => this.#forget(instance));
    if (shelf && !isReplaced) this.events?.listed([], shelf.instances);
    if (shelf && isReplaced) this.#legacies.set(provider.name, shelf.byId);
    this.#shelves.delete(provider);
    this.#order = [...this.#shelves.keys()];
    this.version += 1;
  }

  /** In the order of the configuration. */
  providers(): readonly Owner[] {
    return this.#order;
  }

  /** Every instance, providers in the order of the configuration. */
  *all(): Generator<Instance> {
    for (const { instances } of this.#shelves.values()) yield* instances;
  }

  of(provider: Owner): readonly Instance[] {
    return this.#shelves.get(provider)?.instances ?? [];
  }

  /** The machine that its manager knows by this id. */
  byId(provider: string, id: string): Instance | undefined {
    for (const [owner, { byId }] of this.#shelves) if (owner.name === provider) return byId.get(id);
    return undefined;
  }

  /** What a typed name may mean: the one with this full name first, then those with this short name. */
  find(name: string): readonly Instance[] {
    const full = this.#byFullName.get(name);
    return full ? [full, ...this.sharing(name)] : this.sharing(name);
  }

  /** All instances that have this short name. */
  sharing(shortName: string): readonly Instance[] {
    const found = this.#byShortName.get(shortName) ?? [];
    return Array.isArray(found) ? found : [found];
  }

  /** Notes a state that was seen outside a listing. */
  see(instance: Instance, state: PowerState): void {
    const before = instance.state;
    if (!instance.see(state)) return;
    this.version += 1;
    this.events?.state(instance, before);
  }

  /** Notes what a driver tells of one machine. @returns false where the machine is not known */
  seeById(provider: Owner, id: string, state: PowerState): boolean {
    const instance = this.#shelves.get(provider)?.byId.get(id);
    if (instance) this.see(instance, state);
    return instance !== undefined;
  }

  /** Replaces a provider's instances by what a listing found; instances that stay keep their identity. */
  sync(provider: Owner, sightings: readonly Sighting[]): void {
    const shelf = this.#shelves.get(provider);
    if (shelf === undefined) return;
    const names = uniqueNames(sightings.map(({ machine }) => machine));
    const gone = new Map(shelf.byId);
    const legacy = this.#legacies.get(provider.name);
    this.#legacies.delete(provider.name);
    const instances: Instance[] = [];
    const created: Instance[] = [];
    /** those that a provider of the same name had before a reload are not new */
    const added: Instance[] = [];
    const left = new Map(legacy);
    shelf.byId.clear();
    sightings.forEach(({ machine, state }, index) => {
      const name = names[index]!;
      let instance = gone.get(machine.id);
      if (instance?.name === name) {
        gone.delete(machine.id);
        instance.machine = machine;
        this.see(instance, state);
      } else {
        const before = instance ?? legacy?.get(machine.id);
        instance = new Instance(name, provider, machine, state);
        if (before) instance.succeed(before);
        if (before?.name !== name) added.push(instance);
        else left.delete(machine.id);
        created.push(instance);
      }
      instances.push(instance);
      shelf.byId.set(machine.id, instance);
    });
    if (gone.size > 0 || created.length > 0) this.version += 1;
    gone.forEach((instance) => this.#forget(instance));
    created.forEach((instance) => this.#index(instance));
    shelf.instances.splice(0, Infinity);
    for (const instance of instances) shelf.instances.push(instance);
    this.events?.listed(added, [...gone.values(), ...left.values()]);
  }

  #index(instance: Instance): void {
    this.#byFullName.set(instance.fullName, instance);
    const others = this.#byShortName.get(instance.name);
    if (others === undefined) {
      this.#byShortName.set(instance.name, instance);
      return;
    }
    const sharing = [...(Array.isArray(others) ? others : [others]), instance];
    sharing.forEach((one) => { one.sharesName = true; });
    this.#byShortName.set(instance.name, sharing);
  }

  #forget(instance: Instance): void {
    this.#byFullName.delete(instance.fullName);
    const others = this.#byShortName.get(instance.name);
    const left = (Array.isArray(others) ? others : [others]).filter((other) => other !== instance && other !== undefined) as Instance[];
    const [first, second] = left;
    if (!first) {
      this.#byShortName.delete(instance.name);
    } else if (second) {
      this.#byShortName.set(instance.name, left);
    } else {
      first.sharesName = false;
      this.#byShortName.set(instance.name, first);
    }
  }
}

/**
 * Short names that are unique within a provider and harmless to terminals. Machines of one name get
 * their id appended, all of them: whose grant says `web` must not come upon a second `web`.
 */
function uniqueNames(machines: readonly Machine[]): string[] {
  const names = machines.map(({ name }) => harmless(name).trim() || '(unnamed)');
  const seen = new Map<string, number>();
  for (const name of names) seen.set(name, (seen.get(name) ?? 0) + 1);
  const taken = new Set<string>();
  return names.map((name, index) => {
    const { id } = machines[index]!;
    const unique = (seen.get(name) ?? 0) > 1 || taken.has(name) ? `${name}#${harmless(id)}` : name;
    taken.add(unique);
    return unique;
  });
}
