import type { Machine, Sighting } from '../drivers/driver.js';
import { EVENTS_A_LISTING } from '../kit/limits.js';
import { Slices } from '../kit/slices.js';
import { hashOf, type TextIndex } from '../kit/text-index.js';
import { Instance, shownName } from './instance.js';
import { Tally } from './names-tally.js';
import type { ProviderList } from './provider-list.js';

/** What the registry does with single instances while a listing is taken in. */
export interface Books {
  /** Notes a state that was seen. */
  note(instance: Instance, state: Instance['state']): void;
  /** Lets an instance be found by its short name. @param hash of that */
  index(instance: Instance, hash: number): void;
  /** That one is found by its short name no longer. */
  forget(instance: Instance): void;
  /** All that are found by a short name. @param hash of it, where it is known */
  named(name: string, hash?: number): Iterable<Instance>;
  /** The listing counts from now on. */
  settle(): void;
  /** instances of the provider in whose place this one is */
  readonly replaced: TextIndex<Instance> | undefined;
}

/** What came and went with a listing, by the names under which it is selected; where it is too much to be told one by one, as much as shows that. */
export interface Changes {
  readonly added: readonly Instance[];
  readonly removed: readonly Instance[];
}

/** How far ahead is looked for where the order of before goes on. */
const AHEAD = 256;
/** Places for new ones at first. */
const FEW = 64;

/**
 * One listing on its way into the registry. What is there already costs a look at it; names, ids and twins are worked on only of
 * what is new, goes, or is renamed. Whoever is known by then stays the same object, unless its full name is another one from now on.
 */
export class TakingIn {
  readonly #list: ProviderList;
  readonly #sightings: readonly Sighting[];
  readonly #books: Books;
  readonly #slices = new Slices();
  /** the instances in their order, undefined where one is to be made; not made where all is as it was */
  #next: (Instance | undefined)[] | undefined;
  /** of those that are to be made: where they are among what was seen, and in `#next` */
  #fresh: Int32Array = new Int32Array(0);
  #places: Int32Array = new Int32Array(0);
  #made = 0;
  /** known ones that stay */
  #stay = 0;
  /** known ones that are gone, or get another name */
  readonly #leaving: Instance[] = [];
  /** names of those that came twice, and are made once */
  readonly #again: string[] = [];
  /** those that stay, and are twins now, or are none any more */
  readonly #turned = new Set<Instance>();
  readonly #added: Instance[] = [];
  readonly #removed: Instance[] = [];

  constructor(list: ProviderList, sightings: readonly Sighting[], books: Books) {
    this.#list = list;
    this.#sightings = sightings;
    this.#books = books;
  }

  /** @returns undefined where nothing came or went, or the provider was removed meanwhile */
  async run(): Promise<Changes | undefined> {
    if (!await this.#compare() || !await this.#findLeaving()) return undefined;
    if (this.#next === undefined && this.#leaving.length === 0 && this.#books.replaced === undefined) return undefined;
    const next = this.#next ??= [...this.#list.instances];
    const tally = new Tally(this.#made, (place) => shownName(this.#freshAt(place).machine), (place) => this.#freshAt(place).machine.id);
    if (!await this.#findTwins(tally) || !await this.#turn(tally) || !await this.#make(tally)) return undefined;
    this.#findAlone(tally);
    if (!await this.#turn(tally)) return undefined;
    this.#list.instances = this.#again.length > 0 ? next.filter((one) => one !== undefined) : next as Instance[];
    this.#books.settle();
    await this.#forgetLeaving();
    return { added: this.#added, removed: this.#removed };
  }

  /** Gives way to others now and then. @returns false where the provider was removed meanwhile */
  #goesOn(): boolean | Promise<boolean> {
    return this.#slices.isOver() ? this.#slices.pause().then(() => !this.#list.isRemoved) : true;
  }

  /** Which are known, and which are to be made; notes the states of the former. */
  async #compare(): Promise<boolean> {
    const { instances, listing } = this.#list;
    const order = new Order(this.#list);
    for (let index = 0; index < this.#sightings.length; index += 1) {
      const goesOn = this.#goesOn();
      if (goesOn !== true && !await goesOn) return false;
      const sighting = this.#sightings[index]!;
      const known = order.next(sighting.machine);
      if (known !== undefined && isCalled(known, sighting.machine)) {
        // A machine that moved while it was listed may come twice.
        const isSecond = known.isInListing(listing);
        if (isSecond || known !== instances[index]) this.#next ??= instances.slice(0, index);
        if (isSecond) continue;
        this.#keep(known, sighting);
        this.#next?.push(known);
      } else {
        this.#next ??= instances.slice(0, index);
        this.#noteFresh(index);
      }
    }
    if (this.#sightings.length < instances.length) this.#next ??= instances.slice(0, this.#sightings.length);
    return true;
  }

  /** Numbers alone, and no array that grows with them: what a million of these would be is a part of what the memory's keeper walks through. */
  #noteFresh(index: number): void {
    if (this.#made === this.#fresh.length) {
      const room = Math.min(this.#sightings.length, Math.max(FEW, index === 0 ? Infinity : this.#made * 2));
      [this.#fresh, this.#places] = [larger(this.#fresh, room), larger(this.#places, room)];
    }
    this.#fresh[this.#made] = index;
    this.#places[this.#made] = this.#next!.length;
    this.#made += 1;
    this.#next!.push(undefined);
  }

  #freshAt(place: number): Sighting {
    return this.#sightings[this.#fresh[place]!]!;
  }

  #keep(known: Instance, { machine, state }: Sighting): void {
    this.#stay += 1;
    known.putInListing(this.#list.listing);
    if (known.machine !== machine) known.machine = machine;
    if (state !== known.state && !this.#list.newer!.has(machine.id)) this.#books.note(known, state);
  }

  async #findLeaving(): Promise<boolean> {
    const { byId, listing } = this.#list;
    if (byId.size === this.#stay) return true;
    for (const instance of byId) {
      const goesOn = this.#goesOn();
      if (goesOn !== true && !await goesOn) return false;
      if (!instance.isInListing(listing)) this.#leaving.push(instance);
    }
    return true;
  }

  /** Before anything new can be found by its name: nobody comes upon one of two by a name that was given to him when it was the only one. */
  async #findTwins(tally: Tally): Promise<boolean> {
    for (let place = 0; place < this.#made; place += 1) {
      const goesOn = this.#goesOn();
      if (goesOn !== true && !await goesOn) return false;
      if (!tally.count(place) || this.#stay === 0) continue;
      const name = shownName(this.#freshAt(place).machine);
      for (const other of this.#staying(name, tally.hashes[place])) {
        tally.several.add(name);
        if (!other.isTwin) this.#turned.add(other);
      }
    }
    for (const { name, isTwin } of this.#leaving) {
      const goesOn = this.#goesOn();
      if (goesOn !== true && !await goesOn) return false;
      if (!isTwin || this.#stay === 0 || tally.several.has(name)) continue;
      const [first, second] = this.#staying(name);
      if (first !== undefined && second === undefined) this.#turned.add(first);
    }
    return true;
  }

  /** One that had its name in common with one that came twice, and has it alone. */
  #findAlone({ several }: Tally): void {
    for (const name of this.#again) {
      const [first, second] = this.#staying(name);
      if (first?.isTwin !== true || second !== undefined) continue;
      several.delete(name);
      this.#turned.add(first);
    }
  }

  /** Those of this provider that are in the listing, by name. */
  *#staying(name: string, hash?: number): Generator<Instance> {
    const { provider, listing } = this.#list;
    for (const one of this.#books.named(name, hash)) if (one.owner === provider && one.isInListing(listing)) yield one;
  }

  /** Those that have another full name since others came or went: each is another instance. */
  async #turn({ several }: Tally): Promise<boolean> {
    if (this.#turned.size === 0) return true;
    const now = { ms: Date.now() };
    const next = this.#next!;
    for (let place = 0; place < next.length; place += 1) {
      const goesOn = this.#goesOn();
      if (goesOn !== true && !await goesOn) return false;
      const known = next[place];
      if (known === undefined || !this.#turned.has(known)) continue;
      const { name, owner, machine, state } = known;
      const instance = new Instance(name, owner, machine, state, several.has(name), now);
      this.#enter(instance, known, known, hashOf(machine.id), hashOf(name));
      next[place] = instance;
    }
    this.#turned.clear();
    return true;
  }

  async #make({ several, hashes }: Tally): Promise<boolean> {
    const { provider, byId, listing, newer } = this.#list;
    const { replaced } = this.#books;
    const now = { ms: Date.now() };
    for (let place = 0; place < this.#made; place += 1) {
      const goesOn = this.#goesOn();
      if (goesOn !== true && !await goesOn) return false;
      const { machine, state } = this.#freshAt(place);
      const { id } = machine;
      const hash = hashOf(id);
      const known = byId.get(id, hash);
      const name = shownName(machine);
      if (known?.isInListing(listing) === true) {
        this.#again.push(name);
        continue;
      }
      const instance = new Instance(name, provider, machine, newer!.get(id) ?? state, several.has(name), now);
      this.#enter(instance, known, known ?? replaced?.get(id, hash), hash, hashes[place]!);
      this.#next![this.#places[place]!] = instance;
    }
    return true;
  }

  /** @param known that is found in its place until now @param predecessor whose turn and watchers it has */
  #enter(instance: Instance, known: Instance | undefined, predecessor: Instance | undefined, idHash: number, nameHash: number): void {
    if (predecessor) instance.succeed(predecessor);
    if (known) this.#books.forget(known);
    const told = this.#again.length === 0 || predecessor === undefined ? -1 : this.#added.indexOf(predecessor);
    if (told !== -1) {
      // it was made in this listing, and taken for a twin
      this.#added[told] = instance;
    } else if (predecessor === undefined) {
      note(this.#added, instance);
    } else if (predecessor.fullName !== instance.fullName) {
      note(this.#added, instance);
      note(this.#removed, predecessor);
    }
    instance.putInListing(this.#list.listing);
    this.#list.byId.put(instance, idHash);
    this.#books.index(instance, nameHash);
  }

  /** Where the provider is removed meanwhile, that tells of all that it had. */
  async #forgetLeaving(): Promise<void> {
    const { byId } = this.#list;
    for (const instance of this.#leaving) {
      const goesOn = this.#goesOn();
      if (goesOn !== true && !await goesOn) return;
      // one of another name is forgotten already
      if (byId.get(instance.id) !== instance) continue;
      byId.delete(instance.id);
      this.#books.forget(instance);
      note(this.#removed, instance);
    }
    for (const instance of this.#books.replaced ?? []) {
      if (this.#slices.isOver()) await this.#slices.pause();
      if (byId.get(instance.id) === undefined) note(this.#removed, instance);
    }
  }
}

/** More than are told one by one need not be known. */
function note(changes: Instance[], one: Instance): void {
  if (changes.length <= EVENTS_A_LISTING) changes.push(one);
}

function larger(numbers: Int32Array, length: number): Int32Array {
  const next = new Int32Array(length);
  next.set(numbers);
  return next;
}

const isCalled = ({ name }: Instance, machine: Machine): boolean => machine.name === name || shownName(machine) === name;

/** Finds known instances, mostly in the order in which they were listed before. */
class Order {
  readonly #list: ProviderList;
  #at = 0;
  /** looks ahead that are left: in a listing of another order they are in vain */
  #looks: number;

  constructor(list: ProviderList) {
    this.#list = list;
    this.#looks = list.instances.length;
  }

  /** The instance of a machine that comes behind those that were asked for. */
  next(machine: Machine): Instance | undefined {
    const { instances, byId } = this.#list;
    const expected = instances[this.#at];
    if (expected !== undefined && (expected.machine === machine || expected.machine.id === machine.id)) {
      this.#at += 1;
      return expected;
    }
    const known = byId.size === 0 ? undefined : byId.get(machine.id);
    if (known !== undefined) this.#goTo(known);
    return known;
  }

  #goTo(known: Instance): void {
    const { instances } = this.#list;
    const end = Math.min(instances.length, this.#at + Math.min(AHEAD, this.#looks));
    for (let at = this.#at; at < end; at += 1) {
      this.#looks -= 1;
      if (instances[at] === known) this.#at = at + 1;
      if (instances[at] === known) return;
    }
  }
}
