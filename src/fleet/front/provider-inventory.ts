import { MACHINE_TYPES, POWER_STATES, type Machine, type MachineType, type PowerState, type Sighting } from '../../drivers/driver.js';
import { FLEET_CHUNK_MACHINES } from '../../kit/fleet-limits.js';
import { Slices } from '../../kit/slices.js';
import { chunkOf } from '../chunk-of.js';
import type { ChunkMessage } from '../messages.js';
import { InOrder } from './in-order.js';

/** A machine, and at the same time what a listing shows of it. There may be a million, so that a second object for each would count. */
export interface SeenMachine extends Machine, Sighting {
  state: PowerState;
}

/** Machines of one kind: what they can is the same. */
export interface MachineKind {
  make(id: string, name: string, state: PowerState): SeenMachine;
  /** Whether it was made by {@link make}. */
  has(machine: SeenMachine): boolean;
}

/** The kinds of machines that a provider has. */
export interface ProviderKinds {
  /** @returns the same object for the same type and capabilities @throws MessageFault where there are too many of them */
  of(type: MachineType, capabilities: readonly string[]): MachineKind;
  /** Nobody needs them any longer. */
  end(): void;
}

/** What is told of a provider's machines. */
export interface InventoryListener {
  /** Others are there than before, or a listing is whole for the first time. */
  relist(): void;
  changed(id: string, state: PowerState): void;
}

/** A state that an event told. */
interface News {
  readonly seq: number;
  readonly incarnation: string;
  readonly state: PowerState;
}

/** One value of the inventory, unpacked. */
interface Chunk {
  readonly chunks: number;
  readonly seq: number;
  readonly incarnation: string;
  readonly machines: readonly SeenMachine[];
  /** what events have told since it was written, by id; undefined: nothing */
  news: Map<string, News> | undefined;
}

/** Events that are kept of one value, until it is written anew. */
const MOST_NEWS = FLEET_CHUNK_MACHINES * 8;

/**
 * The machines of a site's provider, put together of the values of the inventory and of events. Values come one after the
 * other; while some are of another division than others, the listing of before stays.
 */
export class ProviderInventory {
  /** where somebody lists it */
  listener: InventoryListener | undefined;
  /** as the site says: `libvirt` */
  type = '';
  readonly #kinds: ProviderKinds;
  /** each value as it came last */
  readonly #latest = new Map<number, Chunk>();
  /** values of which something came that cannot be believed, after what is known of them */
  readonly #doubtful = new Set<number>();
  /** how many of them are divided into so many */
  readonly #divisions = new Map<number, number>();
  /** those of a whole listing */
  #current: readonly Chunk[] | undefined;
  readonly #order = new InOrder<SeenMachine>(({ name }) => name);
  /** those whose machines are in the order */
  #ordered: readonly Chunk[] = [];
  #listing: Promise<readonly Sighting[]> = Promise.resolve([]);

  /** @param kinds it ends them */
  constructor(kinds: ProviderKinds) {
    this.#kinds = kinds;
  }

  /** Whether no value is left. */
  get isEmpty(): boolean {
    return this.#latest.size === 0;
  }

  /** Whether all values of a listing have come. */
  get isWhole(): boolean {
    return this.#current !== undefined;
  }

  /** Why what is listed may be out of date, in words for people; undefined: it is not. */
  get trouble(): string | undefined {
    let count = 0;
    for (const index of this.#doubtful) if (index < (this.#current?.length ?? 0)) count += 1;
    return count === 0 ? undefined : `on the bus, what the site tells of these machines was changed by somebody else (${count} of ${this.#current!.length} values)`;
  }

  /** @param isDoubtful whether the bus has something else of a value than what was taken in @returns whether {@link trouble} is another now */
  doubt(index: number, isDoubtful: boolean): boolean {
    if (this.#doubtful.has(index) === isDoubtful) return false;
    const before = this.trouble;
    if (isDoubtful) this.#doubtful.add(index);
    else this.#doubtful.delete(index);
    return before !== this.trouble;
  }

  /** By name. One that nobody waits for any longer goes on, and the next one comes after it. */
  list(): Promise<readonly Sighting[]> {
    const list = async (): Promise<readonly Sighting[]> => {
      const current = this.#current ?? [];
      if (current !== this.#ordered) {
        const { added, removed } = await difference(this.#ordered, current);
        if (added.length + removed.size > 0) await this.#order.change(removed, added);
        this.#ordered = current;
      }
      return this.#order.items;
    };
    return this.#listing = this.#listing.then(list, list);
  }

  /** Takes in a value. */
  take(message: ChunkMessage): void {
    this.type = message.type;
    const changed: [string, PowerState][] = [];
    const chunk = this.#read(message, changed);
    this.#forget(message.chunk);
    this.#latest.set(message.chunk, chunk);
    this.#divisions.set(chunk.chunks, (this.#divisions.get(chunk.chunks) ?? 0) + 1);
    if (this.#current?.length === chunk.chunks) {
      const before = this.#current[message.chunk]!;
      this.#current = this.#current.with(message.chunk, chunk);
      const { added, removed } = compare([before], [chunk]);
      if (added.length + removed.size > 0) this.listener?.relist();
    } else if (this.#latest.get(0)?.chunks === chunk.chunks && this.#divisions.get(chunk.chunks) === chunk.chunks) {
      this.#divideAnew(chunk.chunks);
    }
    for (const [id, state] of changed) this.listener?.changed(id, state);
  }

  /** A value was taken out of the inventory. What is listed stays: another division takes its place, or the provider goes. */
  drop(index: number): void {
    this.#forget(index);
  }

  /** It is not known any longer. */
  close(): void {
    this.#kinds.end();
  }

  /** An event of the site. What is in a value already is older than that. */
  see(id: string, news: News): void {
    for (const chunk of this.#chunksOf(id)) {
      if (news.seq <= (chunk.news?.get(id)?.seq ?? chunk.seq)) continue;
      chunk.news ??= new Map();
      if (chunk.news.size < MOST_NEWS) chunk.news.set(id, news);
      const seen = chunk.machines.find((machine) => machine.id === id);
      if (seen === undefined || seen.state === news.state) continue;
      seen.state = news.state;
      this.listener?.changed(id, news.state);
    }
  }

  /** Those in which a machine is or would be: of the listing, and of one that is not whole yet. */
  #chunksOf(id: string): ReadonlySet<Chunk> {
    const found = new Set<Chunk>();
    const listed = this.#current?.[chunkOf(id, this.#current.length)];
    if (listed) found.add(listed);
    for (const chunks of this.#divisions.keys()) {
      const chunk = this.#latest.get(chunkOf(id, chunks));
      if (chunk?.chunks === chunks) found.add(chunk);
    }
    return found;
  }

  /** @param changed where machines that are known are in another state, it is put here */
  #read({ chunk: index, chunks, seq, incarnation, capabilities, machines }: ChunkMessage, changed: [string, PowerState][]): Chunk {
    const sources = this.#sharing(index, chunks);
    const known = new Map(sources.flatMap((chunk) => chunk.machines).map((seen) => [seen.id, seen]));
    const latest = this.#latest.get(index);
    const told = new Set(latest === undefined ? sources : [...sources, latest]);
    const news = new Map([...told].flatMap((chunk) => [...chunk.news ?? []])
      .filter(([id, one]) => one.incarnation === incarnation && one.seq > seq && chunkOf(id, chunks) === index));
    const kinds: MachineKind[] = [];
    const read = machines.map(([id, name, type, shown, can]) => {
      const kind = kinds[can * MACHINE_TYPES.length + type] ??= this.#kinds.of(MACHINE_TYPES[type]!, capabilities[can]!);
      const state = news.get(id)?.state ?? POWER_STATES[shown]!;
      const before = known.get(id);
      if (before?.name !== name || !kind.has(before)) return kind.make(id, name, state);
      if (before.state !== state) changed.push([id, state]);
      before.state = state;
      return before;
    });
    return { chunks, seq, incarnation, machines: read, news: news.size > 0 ? news : undefined };
  }

  /** The values of the listing that have machines of a value of a division: as many as one is, or as two of a coarser one are of a finer. */
  #sharing(index: number, chunks: number): readonly Chunk[] {
    const current = this.#current ?? [];
    const step = Math.min(chunks, current.length);
    return step === 0 ? [] : each(current, index % step, step);
  }

  /** All values of a division are there: they take the place of the former ones. */
  #divideAnew(chunks: number): void {
    this.#current = Array.from({ length: chunks }, (_, index) => this.#latest.get(index)!);
    // of a former division; that they are deleted is not awaited
    for (const index of [...this.#latest.keys()]) if (index >= chunks) this.#forget(index);
    this.listener?.relist();
  }

  #forget(index: number): void {
    const chunk = this.#latest.get(index);
    if (chunk === undefined) return;
    this.#latest.delete(index);
    const left = this.#divisions.get(chunk.chunks)! - 1;
    if (left === 0) this.#divisions.delete(chunk.chunks);
    else this.#divisions.set(chunk.chunks, left);
  }
}

/** What has come, and what has gone. */
interface Difference<Added> {
  readonly added: Added[];
  readonly removed: Set<SeenMachine>;
}

/** Between two whole listings, as they are divided; gives way to others. @returns what has come by its values */
async function difference(before: readonly Chunk[], after: readonly Chunk[]): Promise<Difference<readonly SeenMachine[]>> {
  const slices = new Slices();
  const all: Difference<readonly SeenMachine[]> = { added: [], removed: new Set() };
  const step = before.length === 0 ? after.length : Math.min(before.length, after.length);
  for (let first = 0; first < step; first += 1) {
    const { added, removed } = compare(each(before, first, step), each(after, first, step));
    if (added.length > 0) all.added.push(added);
    for (const seen of removed) all.removed.add(seen);
    if (slices.isOverNow()) await slices.pause();
  }
  return all;
}

/** Between values that have the same machines, as far as these are there. */
function compare(before: readonly Chunk[], after: readonly Chunk[]): Difference<SeenMachine> {
  if (before.length === 1 && after.length === 1 && before[0] === after[0]) return { added: [], removed: new Set() };
  const removed = new Set<SeenMachine>();
  const added: SeenMachine[] = [];
  for (const { machines } of before) for (const seen of machines) removed.add(seen);
  for (const { machines } of after) for (const seen of machines) if (!removed.delete(seen)) added.push(seen);
  return { added, removed };
}

function each<T>(all: readonly T[], first: number, step: number): T[] {
  const found: T[] = [];
  for (let at = first; at < all.length; at += step) found.push(all[at]!);
  return found;
}
