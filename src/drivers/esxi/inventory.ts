import { setTimeout as pause } from 'node:timers/promises';
import { Slices } from '../../kit/slices.js';
import { entryOf } from '../../kit/tables.js';
import { isAbort, within } from '../../kit/within.js';
import { isFault, VimFault, VimTransportError } from '../../protocols/vim/errors.js';
import { endlessPages, MOST_PAGES, readProperties, Watch, type ObjectUpdate, type FoundObject, type PathsByType, type Properties } from '../../protocols/vim/properties.js';
import type { VimSession } from '../../protocols/vim/session.js';
import type { Ref } from '../../protocols/vim/value.js';
import { Item, PATHS } from './items.js';

/** How often it is looked whether what is held of a server is still true, ms. */
export interface UpkeepPace {
  /** whether the server still answers: it is told of a silent one within two of these */
  readonly alive: number;
  /** whether it has as many objects as are held */
  readonly count: number;
  /** whether all of them are what is held of them */
  readonly all: number;
}

export const UPKEEP_PACE: UpkeepPace = { alive: 3000, count: 60_000, all: 10 * 60_000 };

/** For an answer to whether it still answers, as a part of {@link UpkeepPace.alive}. */
export const ALIVE_SHARE = 0.8;
/** For a count, and for a check of all, ms. */
const CHECK_LIMIT = 5 * 60_000;

/** What is done at that pace. */
export interface Upkeep {
  /** @throws where the server does not answer */
  ask(signal: AbortSignal): Promise<void>;
  /** told of each of its silences once, and once of the end of each */
  heard(error: unknown): void;
  /** @returns whether everything has to be checked now */
  differs(signal: AbortSignal): Promise<boolean>;
  checkAll(signal: AbortSignal): Promise<void>;
}

/** Goes on until the signal ends it. Never rejects. */
export async function keepUp(upkeep: Upkeep, pace: UpkeepPace, signal: AbortSignal): Promise<void> {
  await Promise.all([keepAsking(upkeep, pace, signal), keepChecking(upkeep, pace, signal)]);
}

async function keepAsking(upkeep: Upkeep, { alive }: UpkeepPace, signal: AbortSignal): Promise<void> {
  while (await hasPassed(alive, signal)) {
    const error = await within(alive * ALIVE_SHARE, [signal], (limit) => upkeep.ask(limit)).then(() => undefined, (thrown: unknown) => thrown);
    if (!signal.aborted) upkeep.heard(error);
  }
}

/** What fails here is found out by those who follow the server's news as well. */
async function keepChecking(upkeep: Upkeep, { count, all }: UpkeepPace, signal: AbortSignal): Promise<void> {
  let checked = performance.now();
  while (await hasPassed(count, signal)) {
    const check = async (limit: AbortSignal): Promise<void> => {
      if (performance.now() - checked < all && !await upkeep.differs(limit)) return;
      await upkeep.checkAll(limit);
      checked = performance.now();
    };
    await within(CHECK_LIMIT, [signal], check).catch(() => undefined);
  }
}

const hasPassed = (ms: number, signal: AbortSignal): Promise<boolean> =>
  pause(ms, true, { signal, ref: false }).catch(() => false);

/** For a look at one object that was found to differ, ms. */
const DOUBT_LIMIT = 10_000;

/** Told of what happens between two listings. */
export interface Listener {
  modified(item: Item, paths: ReadonlySet<string>): void;
  /** objects came or went */
  membersChanged(): void;
  /** the inventory is no longer current */
  ended(error: unknown): void;
  /** the server does not answer for the moment */
  silent(error: unknown): void;
  /** it answers again, and the inventory is current */
  answers(): void;
}

/** All machines of a server, held by a standing question, so that a listing asks nobody. */
export class Inventory {
  readonly #items = new Map<string, Item>();
  readonly #session: VimSession;
  readonly #listener: Listener;
  #life: AbortController | undefined;
  #following: Promise<unknown> | undefined;
  #watch: Watch | undefined;
  #isSilent = false;
  /** between the server's count and ours, after all was checked: nothing that could be mended */
  #difference = 0;
  readonly #pace: UpkeepPace;
  readonly #paths: PathsByType;

  /** @param paths what is held, by the type of object */
  constructor(session: VimSession, listener: Listener, pace: UpkeepPace = UPKEEP_PACE, paths: PathsByType = PATHS) {
    this.#session = session;
    this.#listener = listener;
    this.#pace = pace;
    this.#paths = paths;
  }

  get isCurrent(): boolean {
    return this.#life !== undefined && !this.#life.signal.aborted;
  }

  get items(): IterableIterator<Item> {
    return this.#items.values();
  }

  /** By the name that the server has for it (vm-42). */
  item(name: string): Item | undefined {
    return this.#items.get(name);
  }

  /** Other properties of all that there is; of nothing, where it is not current. @param paths by the type of object @throws what the server says */
  async readAll(paths: PathsByType, signal: AbortSignal): Promise<ReadonlyMap<string, FoundObject>> {
    return this.isCurrent && this.#watch !== undefined ? this.#watch.readAll(signal, paths) : new Map();
  }

  /**
   * Reads everything, and follows it from then on. What is held stays as it is until all has been read.
   * @throws what the server says, or the signal's reason
   */
  async fill(signal: AbortSignal): Promise<void> {
    const watch = await this.#openWatch(signal);
    const found = await this.#readAnew(watch, signal).catch((error: unknown) => {
      void watch.end(error);
      throw error;
    });
    for (const name of this.#items.keys()) if (!found.has(name)) this.#items.delete(name);
    const slices = new Slices();
    for (const [name, item] of found) {
      if (slices.isOverNow()) await slices.pause();
      const known = this.#items.get(name);
      if (known === undefined) this.#items.set(name, item);
      else known.replace(item.properties);
    }
    this.#begin(watch);
  }

  /** All objects, none of which is held yet: an answer may break off, or prove to be none, behind what it has told. */
  async #readAnew(watch: Watch, signal: AbortSignal): Promise<Map<string, Item>> {
    const found = new Map<string, Item>();
    const left = new Map<string, Ref>();
    const take = ({ ref, kind, changes }: ObjectUpdate): void => {
      if (kind === 'leave') left.set(ref.value, ref);
      else itemIn(found, ref).apply(changes);
    };
    let pages = 1;
    while (await watch.next(false, signal, take)) {
      pages += 1;
      if (pages > MOST_PAGES) throw endlessPages();
    }
    // An ended session, or a filter that was made in one, answers with nothing at all.
    if (found.size === 0 && await watch.count(signal) > 0) throw new VimFault('NotAuthenticated', 'the server tells of nothing although there is something');
    for (const ref of left.values()) {
      const now = await this.#read(ref, signal);
      if (now === undefined) found.delete(ref.value);
      else itemIn(found, ref).replace(now);
    }
    return found;
  }

  /**
   * While the server tells of what changes, but may have gone silent since: asks it.
   * @throws VimTransportError where it does not answer
   */
  async ensureAnswers(signal: AbortSignal): Promise<void> {
    const watch = this.#watch;
    if (this.#isSilent && watch) await within(this.#pace.alive * ALIVE_SHARE, [signal], (limit) => this.#askAnything(watch, limit));
  }

  /** Somebody has found that an object is not what is held of it, of which no news has come. Never rejects. */
  async doubt({ ref }: Item): Promise<void> {
    const { signal } = this.#life ?? {};
    if (signal && !signal.aborted) await within(DOUBT_LIMIT, [signal], (limit) => this.#lookAt(ref, limit)).catch(() => undefined);
    this.#listener.membersChanged();
  }

  /** Ends the following. */
  async close(): Promise<void> {
    this.#life?.abort(new Error('closed'));
    await this.#following;
  }

  /** A session may have ended since it was last used; it is made anew once. */
  async #openWatch(signal: AbortSignal): Promise<Watch> {
    const login = await this.#session.login(signal);
    try {
      return await Watch.open(this.#session, this.#paths, signal);
    } catch (error) {
      if (!isFault(error, 'NotAuthenticated', 'ManagedObjectNotFound')) throw error;
      this.#session.expire(login);
      return Watch.open(this.#session, this.#paths, signal);
    }
  }

  #begin(watch: Watch): void {
    const life = new AbortController();
    this.#life = life;
    this.#watch = watch;
    this.#isSilent = false;
    this.#difference = 0;
    const upkeep = {
      ask: (signal: AbortSignal) => this.#askAnything(watch, signal),
      heard: (error: unknown) => this.#heard(error),
      differs: async (signal: AbortSignal) => await watch.count(signal) - this.#items.size !== this.#difference,
      checkAll: (signal: AbortSignal) => this.#checkAll(watch, signal),
    };
    this.#following = Promise.all([this.#follow(watch, life), keepUp(upkeep, this.#pace, life.signal)]);
  }

  /** Any answer will do: those who ask for something find out what a fault means. */
  async #askAnything(watch: Watch, signal: AbortSignal): Promise<void> {
    await this.#session.serverTime(watch.login, signal).catch((error: unknown) => {
      if (error instanceof VimFault) return;
      throw isAbort(error) ? new VimTransportError('the server does not answer', true) : error;
    });
  }

  #heard(error: unknown): void {
    const isSilent = error !== undefined;
    if (isSilent === this.#isSilent) return;
    this.#isSilent = isSilent;
    if (isSilent) this.#listener.silent(error);
    else this.#listener.answers();
  }

  async #follow(watch: Watch, life: AbortController): Promise<void> {
    try {
      for (;;) {
        const updates: ObjectUpdate[] = [];
        await watch.next(true, life.signal, (update) => updates.push(update));
        await this.#takeOn(updates, life.signal);
      }
    } catch (error) {
      if (life.signal.aborted) return;
      life.abort();
      void watch.end(error);
      if (isFault(error, 'NotAuthenticated')) this.#session.expire(watch.login);
      this.#listener.ended(error);
    }
  }

  async #takeOn(updates: readonly ObjectUpdate[], signal: AbortSignal): Promise<void> {
    let cameOrWent = false;
    const left = new Map<string, Ref>();
    for (const { ref, kind, changes } of updates) {
      if (kind === 'leave') {
        left.set(ref.value, ref);
        continue;
      }
      const isNew = !this.#items.has(ref.value);
      const item = itemIn(this.#items, ref);
      const paths = item.apply(changes);
      if (isNew) cameOrWent = true;
      else if (paths.size > 0) this.#listener.modified(item, paths);
    }
    // One that is moved enters its new folder before it leaves the former.
    for (const ref of left.values()) if (this.#items.has(ref.value)) cameOrWent = await this.#lookAt(ref, signal) || cameOrWent;
    if (cameOrWent) this.#listener.membersChanged();
  }

  /** What one object is now, and whether it is there at all. @returns whether it came or went */
  async #lookAt(ref: Ref, signal: AbortSignal): Promise<boolean> {
    const now = await this.#read(ref, signal);
    if (now === undefined) return this.#items.delete(ref.value);
    return this.#replace(ref, now);
  }

  /** What is held of one object, as it is now. @returns undefined for one that is gone */
  async #read(ref: Ref, signal: AbortSignal): Promise<Properties | undefined> {
    const paths = entryOf(this.#paths, ref.type) ?? [];
    const read = await readProperties(this.#session, [{ ref, paths }], signal).catch((error: unknown) => {
      if (isFault(error, 'ManagedObjectNotFound')) return undefined;
      throw error;
    });
    return read?.get(ref.value);
  }

  /** @returns whether it is new */
  #replace(ref: Ref, now: Properties): boolean {
    const isNew = !this.#items.has(ref.value);
    const item = itemIn(this.#items, ref);
    const paths = item.replace(now);
    if (!isNew && paths.size > 0) this.#listener.modified(item, paths);
    return isNew;
  }

  /** Mends whatever was not told of, or was missed. What was told of meanwhile is newer. */
  async #checkAll(watch: Watch, signal: AbortSignal): Promise<void> {
    const asked = performance.now();
    const found = await watch.readAll(signal);
    let cameOrWent = false;
    const slices = new Slices();
    const doubtful = [...this.#items.values()].filter(({ ref, touched }) => !found.has(ref.value) && touched < asked).map(({ ref }) => ref);
    for (const { ref, properties } of found.values()) {
      if (slices.isOverNow()) await slices.pause();
      const item = this.#items.get(ref.value);
      if (item === undefined) doubtful.push(ref);
      else if (item.touched < asked) this.#replace(ref, properties);
    }
    // Looked at singly, since they may have come or gone while the others were read.
    for (const ref of doubtful) cameOrWent = await this.#lookAt(ref, signal) || cameOrWent;
    this.#difference = await watch.count(signal) - this.#items.size;
    if (cameOrWent) this.#listener.membersChanged();
  }
}

/** The item of an object, which is added where there is none yet. */
function itemIn(items: Map<string, Item>, ref: Ref): Item {
  const known = items.get(ref.value);
  if (known) return known;
  const item = new Item(ref);
  items.set(ref.value, item);
  return item;
}
