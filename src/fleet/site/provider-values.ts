import { createHash } from 'node:crypto';
import { MACHINE_TYPES, POWER_STATES } from '../../drivers/driver.js';
import type { Stock } from '../../instances/stock.js';
import { FLEET_CHUNK_PAUSE, FLEET_CHUNKS } from '../../kit/fleet-limits.js';
import type { Slices } from '../../kit/slices.js';
import { chunkOf } from '../chunk-of.js';
import { chunksFor } from '../chunks.js';
import type { ChunkMessage } from '../messages.js';

/** What a value holds, without where it is and when it was written. */
type ValueContent = Pick<ChunkMessage, 'type' | 'chunk' | 'chunks' | 'capabilities' | 'machines'>;

/** A value as it is to be written. */
export interface Composed {
  /** a {@link ValueContent} in JSON */
  readonly text: string;
  /** how many are in it */
  readonly machines: number;
  /** the same for the same content */
  readonly digest: string;
}

/**
 * The values of one provider in the inventory: which machines belong in which, which of them may differ from what was
 * written, and what was. It keeps ids alone, by value, so that one machine's news costs no look at all of them.
 */
export class ProviderValues {
  readonly name: string;
  readonly #stock: Stock;
  /** how many values there are; a power of two */
  #chunks = 1;
  #ids: string[][] = [[]];
  #count = 0;
  /** more are needed than there are machines for, since some would be too large */
  #least = 1;
  /** those that may be in the bucket: 0 up to this */
  #kept: number;
  /** what was written, by value */
  readonly #digests: (string | undefined)[] = [];
  /** which revision of the bucket that has got */
  readonly #revisions: (number | undefined)[] = [];
  /** the value that is read back next */
  #readNext = 0;
  /** may differ from what was written: to be looked at now */
  readonly #now = new Set<number>();
  /** the same, later: by performance.now(), the earliest first */
  readonly #later = new Map<number, number>();
  readonly #underWay = new Set<number>();
  /** ids that came while the values are divided anew */
  #meanwhile: string[] | undefined;
  /** all machines are to be looked at: see {@link divide} */
  isDoubtful = true;
  /** before, nobody knows here which machines belong in which value */
  #isDivided = false;
  #isGone = false;

  /** @param kept how many of its values may be in the bucket */
  constructor(name: string, stock: Stock, kept: number) {
    this.name = name;
    this.#stock = stock;
    this.#kept = kept;
  }

  /** values that may be in the bucket */
  get kept(): number {
    return this.#kept;
  }

  get isRetired(): boolean {
    return this.#isGone;
  }

  /** Whether nothing is to be done at all any more. */
  get isOver(): boolean {
    return this.#isGone && this.#now.size === 0 && this.#underWay.size === 0;
  }

  /** It is not told of any longer: all its values are deleted. */
  retire(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#later.clear();
    this.#now.clear();
    for (let index = 0; index < this.#kept; index += 1) this.#now.add(index);
  }

  /** It is told of again. */
  bringBack(): void {
    if (!this.#isGone) return;
    this.#isGone = false;
    this.isDoubtful = true;
  }

  /** Something was told of a machine. @param isNew whether it may be one that was not there @returns whether a value waits for its time now that did not before */
  mark(id: string, isNew: boolean): boolean {
    if (this.#isGone) return false;
    if (isNew) {
      this.#meanwhile?.push(id);
      this.#add(id);
      if (this.#chunksNeeded(this.#count) !== this.#chunks) this.isDoubtful = true;
    }
    const index = chunkOf(id, this.#chunks);
    if (this.#now.has(index) || this.#later.has(index)) return this.isDoubtful;
    this.#later.set(index, performance.now() + FLEET_CHUNK_PAUSE);
    return true;
  }

  /** Whether its machines are known. */
  get isKnown(): boolean {
    return this.#stock.provider(this.name)?.isListed === true;
  }

  /** Spreads all machines over the values, and has each value looked at. Gives way to others. To be called where {@link isKnown}. */
  async divide(slices: Slices): Promise<void> {
    this.isDoubtful = false;
    const chunks = this.#chunksNeeded(this.#stock.count(this.name));
    const ids = Array.from({ length: chunks }, (): string[] => []);
    const meanwhile = (this.#meanwhile = [] as string[]);
    let count = 0;
    for (const id of this.#stock.ids(this.name)) {
      ids[chunkOf(id, chunks)]!.push(id);
      count += 1;
      if (slices.isOver()) await slices.pause();
    }
    this.#meanwhile = undefined;
    if (this.#isGone) return;
    this.#isDivided = true;
    this.#ids = ids;
    this.#chunks = chunks;
    this.#count = count;
    for (const id of meanwhile) this.#add(id);
    this.#kept = Math.max(this.#kept, chunks);
    this.#later.clear();
    for (let index = 0; index < this.#kept; index += 1) this.#now.add(index);
  }

  /** What was written is not believed any longer. @param index of one value; left out: of all */
  distrust(index?: number): void {
    if (index !== undefined) this.#digests[index] = undefined;
    else this.#digests.length = 0;
    for (const one of index === undefined ? this.#ids.keys() : [index]) this.#now.add(one);
  }

  /** One whose time has come and that nobody writes just now; {@link done}, {@link leave} or {@link again} is to be called for it. */
  take(now: number): number | undefined {
    for (const [index, due] of this.#later) {
      if (due > now) break;
      this.#later.delete(index);
      this.#now.add(index);
    }
    for (const index of this.#now) {
      // what takes their place is there before others are deleted, as they are nobody's then
      if (this.#underWay.has(index) || (index >= this.#chunks && !this.#isGone && this.#underWay.size > 0)) continue;
      this.#now.delete(index);
      this.#underWay.add(index);
      return index;
    }
    return undefined;
  }

  /** When the next one is due, by performance.now(). */
  get nextDue(): number {
    for (const due of this.#later.values()) return due;
    return Infinity;
  }

  /** What is to be in a value; undefined: it is to be deleted; `same`: it is what was written, or nobody knows yet what it is to be. */
  compose(index: number): Composed | 'same' | undefined {
    if (this.#isGone || index >= this.#chunks) return undefined;
    const provider = this.#stock.provider(this.name);
    if (provider?.isListed !== true || !this.#isDivided) {
      // as one that was just configured anew, or waits until others are divided: that it has nothing yet is not told
      this.isDoubtful = true;
      return 'same';
    }
    const content = this.#content(index, provider.type);
    const text = JSON.stringify(content);
    const digest = createHash('sha256').update(text).digest('base64');
    return this.#digests[index] === digest ? 'same' : { text, machines: content.machines.length, digest };
  }

  /** Some of the values that were written and that nothing is to be done with now: others at each call. */
  written(most: number): (readonly [index: number, revision: number])[] {
    const found: [number, number][] = [];
    for (let looked = 0; looked < this.#chunks && found.length < most; looked += 1) {
      const index = (this.#readNext = (this.#readNext + 1) % this.#chunks);
      const revision = this.#digests[index] === undefined ? undefined : this.#revisions[index];
      if (revision !== undefined && !this.#isGone && !this.#underWay.has(index)) found.push([index, revision]);
    }
    return found;
  }

  /** Whether that is still what was written last, and nobody is writing another one just now. */
  isLast(index: number, revision: number): boolean {
    return this.#revisions[index] === revision && this.#digests[index] !== undefined && !this.#underWay.has(index);
  }

  /** @param written digest of what is there now, and its revision; undefined: it was deleted */
  done(index: number, written: { readonly digest: string; readonly revision: number } | undefined): void {
    this.#digests[index] = written?.digest;
    this.#revisions[index] = written?.revision;
    this.leave(index);
  }

  /** Nothing was written. */
  leave(index: number): void {
    this.#underWay.delete(index);
    if (this.#now.size === 0 && this.#underWay.size === 0)
      this.#kept = this.#isGone ? 0 : this.#isDivided ? this.#chunks : this.#kept;
  }

  /** It could not be written. */
  again(index: number): void {
    this.#underWay.delete(index);
    this.#now.add(index);
  }

  /** A value would be too large: they are spread over more. @returns false where that is not possible */
  spread(): boolean {
    if (this.#chunks >= FLEET_CHUNKS) return false;
    this.#least = this.#chunks * 2;
    return (this.isDoubtful = true);
  }

  #chunksNeeded(machines: number): number {
    return Math.max(this.#least, chunksFor(machines, this.#chunks));
  }

  #add(id: string): void {
    const ids = this.#ids[chunkOf(id, this.#chunks)]!;
    if (ids.includes(id)) return;
    ids.push(id);
    this.#count += 1;
  }

  /** The machines of a value as they are now; those that are gone are forgotten. */
  #content(index: number, type: string): ValueContent {
    const capabilities: string[][] = [];
    const places = new Map<readonly string[], number>();
    const there = this.#stock.machines(this.name, this.#ids[index]!);
    const machines = there.map((machine): ValueContent['machines'][number] => {
      let can = places.get(machine.capabilities);
      if (can === undefined) {
        places.set(machine.capabilities, (can = capabilities.length));
        capabilities.push([...machine.capabilities]);
      }
      return [machine.id, machine.name, MACHINE_TYPES.indexOf(machine.type), POWER_STATES.indexOf(machine.state), can];
    });
    if (there.length < this.#ids[index]!.length) {
      this.#count -= this.#ids[index]!.length - there.length;
      this.#ids[index] = there.map(({ id }) => id);
    }
    if (this.#chunksNeeded(this.#count) !== this.#chunks) this.isDoubtful = true;
    return { type, chunk: index, chunks: this.#chunks, capabilities, machines };
  }
}
