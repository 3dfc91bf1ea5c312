import { ArgoError } from '../kit/errors.js';
import { TAGS_ABSENT_KEPT, TAGS_FORGOTTEN, TAGS_KEPT, TAGS_OF_ONE, TAGS_SWEEP } from '../kit/limits.js';
import type { Log } from '../kit/log.js';
import type { TagTest } from '../kit/patterns.js';
import { Slices } from '../kit/slices.js';
import type { BearerKey, TagStore } from '../store/tags.js';
import type { HostType, TagLevel } from './tags.js';

/** Something that has tags. */
export interface Bearer {
  readonly provider: string;
  /** of a machine, as its manager has it; empty: the provider itself */
  readonly id: string;
  /** of level 1, of a provider */
  readonly type: string | undefined;
  /** of level 3 */
  readonly tags: ReadonlySet<string>;
}

interface Kept extends Bearer {
  type: string | undefined;
  readonly tags: Set<string>;
  /** milliseconds for which it was known to be gone */
  absent: number;
}

const TYPE_LEVEL: TagLevel = 1;
const FREE_LEVEL: TagLevel = 3;
const NONE: ReadonlySet<string> = new Set();

/** Whether something is there: undefined where that cannot be told, as while its provider does not answer. */
export type IsThere = (bearer: Bearer) => boolean | undefined;

/**
 * All tags, in memory as they are in the store: names are selected by them in passing. They are read when first needed, and one change
 * is made after the other. Who may see and change them is decided elsewhere.
 */
export class TagBook {
  readonly #store: TagStore;
  readonly #log: Log;
  #shelf = new Shelf();
  #loading: Promise<void> | undefined;
  /** ends when the changes that were asked for have been made */
  #writing: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(store: TagStore, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** What says now and from then on who has a tag, itself or by its provider. @throws ArgoError FAILED where they cannot be read */
  async test(): Promise<TagTest> {
    await this.#loaded();
    return ({ provider, id = '' }, tag) => {
      const shelf = this.#shelf;
      return has(shelf.get(provider, id), tag) || has(shelf.get(provider, ''), tag);
    };
  }

  /** @param id empty: of the provider @throws ArgoError FAILED */
  async of(provider: string, id: string): Promise<Pick<Bearer, 'type' | 'tags'>> {
    await this.#loaded();
    return this.#shelf.get(provider, id) ?? { type: undefined, tags: NONE };
  }

  /** All that has tags, also what is gone. It may be walked through in turns. @throws ArgoError FAILED */
  async all(): Promise<readonly Bearer[]> {
    await this.#loaded();
    return this.#shelf.all();
  }

  /** @param isAllowed asked again in its turn @returns whether it is news @throws ArgoError FAILED where it cannot be kept, or would be too many */
  async add([provider, id]: BearerKey, tag: string, isAllowed: () => void): Promise<boolean> {
    return this.#inTurn(isAllowed, async () => {
      const known = this.#shelf.get(provider, id);
      if (known?.tags.has(tag)) return false;
      if (this.#shelf.count >= TAGS_KEPT) throw new ArgoError('FAILED', `there are ${TAGS_KEPT} tags, and no more can be`);
      if ((known?.tags.size ?? 0) >= TAGS_OF_ONE) throw new ArgoError('FAILED', `it has ${TAGS_OF_ONE} tags, and no more can be`);
      await this.#store.add({ provider, id, level: FREE_LEVEL, tag });
      this.#shelf.note(provider, id, FREE_LEVEL, tag);
      return true;
    });
  }

  /** As {@link add}. */
  async remove([provider, id]: BearerKey, tag: string, isAllowed: () => void): Promise<boolean> {
    return this.#inTurn(isAllowed, async () => {
      const known = this.#shelf.get(provider, id);
      if (known === undefined || !known.tags.has(tag)) return false;
      await this.#store.remove({ provider, id, level: FREE_LEVEL, tag });
      this.#shelf.drop(known, tag);
      return true;
    });
  }

  /**
   * Gives a tag another name.
   * @param choose which of those that have it keep it; asked in its turn, and may refuse by throwing
   * @returns those that had it and have the new one
   * @throws ArgoError FAILED
   */
  async rename(from: string, to: string, choose: (bearers: readonly Bearer[]) => { readonly keep: readonly Bearer[] }): Promise<readonly Bearer[]> {
    return this.#inTurn(() => undefined, async () => {
      const having = this.#shelf.all().filter(({ tags }) => tags.has(from));
      const { keep } = choose(having);
      const kept = new Set(keep);
      const renamed = having.filter((one) => !kept.has(one));
      if (renamed.length === 0 || from === to) return renamed;
      await this.#store.rename(from, to, FREE_LEVEL, keep.map(({ provider, id }) => [provider, id]));
      for (const one of renamed) {
        this.#shelf.note(one.provider, one.id, FREE_LEVEL, to);
        this.#shelf.drop(one, from);
      }
      return renamed;
    });
  }

  /** Says what providers are. @throws ArgoError FAILED */
  async setTypes(types: readonly (readonly [provider: string, type: HostType])[], isAllowed: () => void): Promise<void> {
    return this.#inTurn(isAllowed, async () => {
      await this.#store.replace(TYPE_LEVEL, types);
      for (const [provider, type] of types) this.#shelf.note(provider, '', TYPE_LEVEL, type);
    });
  }

  /** Takes all tags from a provider and its machines, also from those that are gone: another host has its name now. @throws ArgoError FAILED */
  async forget(provider: string): Promise<void> {
    await this.#loaded();
    await inSteps(this.#shelf.of(provider), (some) => this.#inTurn(() => undefined, async () => {
      await this.#store.forget(some.map(keyOf));
      some.forEach((one) => this.#shelf.forget(one));
    }));
  }

  /**
   * From now on what is gone for long loses its tags. How long is counted while the server runs, so that neither a clock that is set nor
   * a server that was off takes any.
   * @param hasAny false: nothing was ever kept, and nothing is read to find that out
   */
  keepTidy(isThere: IsThere, hasAny: () => boolean): void {
    let since = performance.now();
    this.#timer = setInterval(() => {
      const passed = Math.min(performance.now() - since, 2 * TAGS_SWEEP);
      since = performance.now();
      if (!hasAny()) return;
      this.sweep(isThere, passed).catch((error: unknown) => this.#log('warn', 'tags of what is gone could not be dropped', { reason: (error as Error).message }));
    }, TAGS_SWEEP);
    this.#timer.unref();
  }

  /** One look at what is gone. @param passed milliseconds since the look before @throws ArgoError FAILED */
  async sweep(isThere: IsThere, passed: number): Promise<void> {
    const slices = new Slices();
    const [absent, present, due]: [Kept[], Kept[], Kept[]] = [[], [], []];
    await this.#loaded();
    for (const one of this.#shelf.all()) {
      if (slices.isOver()) await slices.pause();
      const there = isThere(one);
      if (there === true && one.absent > 0) present.push(one);
      if (there === false) (one.absent + passed > TAGS_ABSENT_KEPT ? due : absent).push(one);
    }
    await inSteps(absent, (some) => this.#inTurn(() => undefined, async () => {
      await this.#store.setAbsent(some.map(({ provider, id, absent: before }) => [provider, id, Math.round(before + passed)]));
      for (const one of some) one.absent += passed;
    }));
    await inSteps(present, (some) => this.#inTurn(() => undefined, async () => {
      await this.#store.setPresent(some.map(keyOf));
      for (const one of some) one.absent = 0;
    }));
    await inSteps(due, (some) => this.#inTurn(() => undefined, async () => {
      // it may have come back, or been tagged, while others were dropped
      const gone = some.filter((one) => isThere(one) === false);
      await this.#store.forget(gone.map(keyOf));
      gone.forEach((one) => this.#shelf.forget(one));
    }));
    if (due.length > 0) this.#log('info', 'tags of what is gone for long were dropped', { bearers: due.length });
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #loaded(): Promise<void> {
    this.#loading ??= this.#load().catch((error: unknown) => {
      this.#loading = undefined;
      throw unkept('tags cannot be read', error);
    });
    return this.#loading;
  }

  async #load(): Promise<void> {
    const shelf = new Shelf();
    for await (const rows of this.#store.all()) {
      for (const { provider, id, level, tag, absent } of rows) shelf.note(provider, id, level as TagLevel, tag).absent = absent;
    }
    this.#shelf = shelf;
  }

  /** One change after the other: each is decided by what the one before has left. */
  async #inTurn<T>(isAllowed: () => void, work: () => Promise<T>): Promise<T> {
    const turn = this.#writing.then(async () => {
      await this.#loaded();
      isAllowed();
      return work();
    }).catch((error: unknown) => {
      // it may have been written all the same: what is so is read again
      if (!(error instanceof ArgoError)) this.#loading = undefined;
      throw unkept('the tag cannot be kept', error);
    });
    this.#writing = turn.catch(() => undefined);
    return turn;
  }
}

/** What has tags, by provider and id. */
class Shelf {
  readonly #bearers = new Map<string, Map<string, Kept>>();
  /** tags of level 3 */
  count = 0;

  get(provider: string, id: string): Kept | undefined {
    return this.#bearers.get(provider)?.get(id);
  }

  of(provider: string): readonly Kept[] {
    return [...this.#bearers.get(provider)?.values() ?? []];
  }

  all(): readonly Kept[] {
    return [...this.#bearers.values()].flatMap((bearers) => [...bearers.values()]);
  }

  note(provider: string, id: string, level: TagLevel, tag: string): Kept {
    let bearers = this.#bearers.get(provider);
    if (bearers === undefined) this.#bearers.set(provider, bearers = new Map<string, Kept>());
    let bearer = bearers.get(id);
    if (bearer === undefined) bearers.set(id, bearer = { provider, id, type: undefined, tags: new Set(), absent: 0 });
    if (level === TYPE_LEVEL) {
      bearer.type = tag;
    } else if (!bearer.tags.has(tag)) {
      bearer.tags.add(tag);
      this.count += 1;
    }
    return bearer;
  }

  drop(bearer: Kept, tag: string): void {
    if (bearer.tags.delete(tag)) this.count -= 1;
    if (bearer.tags.size === 0 && bearer.type === undefined) this.forget(bearer);
  }

  forget({ provider, id }: Kept): void {
    const bearers = this.#bearers.get(provider);
    const bearer = bearers?.get(id);
    if (bearers === undefined || bearer === undefined) return;
    bearers.delete(id);
    this.count -= bearer.tags.size;
    if (bearers.size === 0) this.#bearers.delete(provider);
  }
}

const has = (bearer: Bearer | undefined, tag: string): boolean => bearer !== undefined && (bearer.type === tag || bearer.tags.has(tag));
const keyOf = ({ provider, id }: Bearer): BearerKey => [provider, id];

const unkept = (what: string, error: unknown): ArgoError => (error instanceof ArgoError ? error : new ArgoError('FAILED', what, { cause: error }));

/** So many at a time: others who write wait for one step at most. */
async function inSteps<T>(all: readonly T[], work: (some: readonly T[]) => Promise<void>): Promise<void> {
  for (let from = 0; from < all.length; from += TAGS_FORGOTTEN) await work(all.slice(from, from + TAGS_FORGOTTEN));
}
