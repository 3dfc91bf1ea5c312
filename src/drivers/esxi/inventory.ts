import { Slices } from '../../kit/slices.js';
import { isAbort, within } from '../../kit/within.js';
import { isFault, VimFault, VimTransportError } from '../../protocols/vim/errors.js';
import { readProperties, Watch, type ObjectUpdate, type Properties } from '../../protocols/vim/properties.js';
import type { VimSession } from '../../protocols/vim/session.js';
import type { Ref, VimValue } from '../../protocols/vim/value.js';
import { ALIVE_SHARE, keepUp, UPKEEP_PACE, type UpkeepPace } from './inventory-upkeep.js';

/** What is held of each machine; the rest is asked for when somebody wants it. */
export const PATHS = {
  VirtualMachine: [
    'name', 'config.template', 'config.instanceUuid', 'config.managedBy', 'config.changeVersion', 'runtime.powerState', 'runtime.connectionState',
    'runtime.host', 'runtime.bootTime', 'runtime.question', 'guest.guestState', 'guest.hostName', 'guest.ipAddress',
  ],
  HostSystem: [
    'name', 'hardware.systemInfo.uuid', 'runtime.powerState', 'runtime.connectionState', 'runtime.inMaintenanceMode', 'runtime.bootTime',
    'config.network.pnic', 'config.network.vnic',
  ],
} as const;

/** Pages of a first fill: far more than vCenter can manage. */
const MOST_PAGES = 10_000;
/** For a look at one object that was found to differ, ms. */
const DOUBT_LIMIT = 10_000;

/** One object of the inventory, kept current. */
export class Item {
  readonly properties = new Map<string, VimValue>();
  /** how often its guest came up again, as far as it was seen */
  boots = 0;
  /** when anything was last taken on (performance.now) */
  touched = 0;

  constructor(readonly ref: Ref) {}

  /** Takes on what is new. @returns the paths that differ now */
  apply(changes: Properties): Set<string> {
    const different = new Set<string>();
    this.touched = performance.now();
    for (const [path, value] of changes) {
      const before = this.properties.get(path);
      if (JSON.stringify(before) === JSON.stringify(value)) continue;
      if (path === 'guest.guestState' && value === 'running' && before !== undefined && before !== null) this.boots += 1;
      this.properties.set(path, value);
      different.add(path);
    }
    return different;
  }
}

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

  constructor(session: VimSession, listener: Listener, pace: UpkeepPace = UPKEEP_PACE) {
    this.#session = session;
    this.#listener = listener;
    this.#pace = pace;
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

  /** Reads everything, and follows it from then on. @throws what the server says, or the signal's reason */
  async fill(signal: AbortSignal): Promise<void> {
    const watch = await this.#openWatch(signal);
    const found = new Set<string>();
    const left = new Map<string, Ref>();
    const slices = new Slices();
    let more = true;
    for (let page = 0; more && page < MOST_PAGES; page += 1) {
      const next = await watch.next(false, signal);
      more = next.more;
      for (const { ref, kind, changes } of next.updates) {
        if (slices.isOverNow()) await slices.pause();
        if (kind === 'leave') left.set(ref.value, ref);
        else {
          found.add(ref.value);
          this.#itemOf(ref).apply(changes);
        }
      }
    }
    // An ended session, or a filter that was made in one, answers with nothing at all.
    if (found.size === 0 && await watch.count(signal) > 0) throw new VimFault('NotAuthenticated', 'the server tells of nothing although there is something');
    for (const name of this.#items.keys()) if (!found.has(name)) this.#items.delete(name);
    for (const ref of left.values()) await this.#lookAt(ref, signal);
    this.#begin(watch);
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
      return await Watch.open(this.#session, PATHS, signal);
    } catch (error) {
      if (!isFault(error, 'NotAuthenticated', 'ManagedObjectNotFound')) throw error;
      this.#session.expire(login);
      return Watch.open(this.#session, PATHS, signal);
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
        const { updates } = await watch.next(true, life.signal);
        await this.#takeOn(updates, life.signal);
      }
    } catch (error) {
      if (life.signal.aborted) return;
      life.abort();
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
      const item = this.#itemOf(ref);
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
    const paths = PATHS[ref.type as keyof typeof PATHS] ?? [];
    const read = await readProperties(this.#session, [{ ref, paths }], signal).catch((error: unknown) => {
      if (isFault(error, 'ManagedObjectNotFound')) return undefined;
      throw error;
    });
    const now = read?.get(ref.value);
    if (now === undefined) return this.#items.delete(ref.value);
    return this.#replace(ref, now);
  }

  /** @returns whether it is new */
  #replace(ref: Ref, now: Properties): boolean {
    const isNew = !this.#items.has(ref.value);
    const item = this.#itemOf(ref);
    const unset = [...item.properties.keys()].filter((path) => !now.has(path)).map((path) => [path, null] as const);
    const paths = item.apply(new Map([...now, ...unset]));
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

  #itemOf(ref: Ref): Item {
    const known = this.#items.get(ref.value);
    if (known) return known;
    const item = new Item(ref);
    this.#items.set(ref.value, item);
    return item;
  }
}
