import { Slices } from '../../kit/slices.js';
import { VimFault, isFault } from '../../protocols/vim/errors.js';
import { Watch, type ObjectUpdate, type Properties } from '../../protocols/vim/properties.js';
import type { VimSession } from '../../protocols/vim/session.js';
import type { Ref, VimValue } from '../../protocols/vim/value.js';

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

/** One object of the inventory, kept current. */
export class Item {
  readonly properties = new Map<string, VimValue>();
  /** how often its guest came up again, as far as it was seen */
  boots = 0;

  constructor(readonly ref: Ref) {}

  /** Takes on what is new. @returns the paths that differ now */
  apply(changes: Properties): Set<string> {
    const different = new Set<string>();
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
}

/** All machines of a server, held by a standing question, so that a listing asks nobody. */
export class Inventory {
  readonly #items = new Map<string, Item>();
  readonly #session: VimSession;
  readonly #listener: Listener;
  #life: AbortController | undefined;
  #following: Promise<void> | undefined;

  constructor(session: VimSession, listener: Listener) {
    this.#session = session;
    this.#listener = listener;
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
    const slices = new Slices();
    let more = true;
    for (let page = 0; more && page < MOST_PAGES; page += 1) {
      const next = await watch.next(false, signal);
      more = next.more;
      for (const { ref, kind, changes } of next.updates) {
        if (slices.isOverNow()) await slices.pause();
        if (kind === 'leave') found.delete(ref.value);
        else {
          found.add(ref.value);
          this.#itemOf(ref).apply(changes);
        }
      }
    }
    // An ended session, or a filter that was made in one, answers with nothing at all.
    if (found.size === 0 && await watch.count(signal) > 0) throw new VimFault('NotAuthenticated', 'the server tells of nothing although there is something');
    for (const name of this.#items.keys()) if (!found.has(name)) this.#items.delete(name);
    const life = new AbortController();
    this.#life = life;
    this.#following = this.#follow(watch, life);
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

  async #follow(watch: Watch, life: AbortController): Promise<void> {
    try {
      for (;;) {
        const { updates } = await watch.next(true, life.signal);
        this.#heed(updates);
      }
    } catch (error) {
      if (life.signal.aborted) return;
      life.abort();
      if (isFault(error, 'NotAuthenticated')) this.#session.expire(watch.login);
      this.#listener.ended(error);
    }
  }

  #heed(updates: readonly ObjectUpdate[]): void {
    let cameOrWent = false;
    for (const { ref, kind, changes } of updates) {
      if (kind === 'leave') {
        cameOrWent = this.#items.delete(ref.value) || cameOrWent;
        continue;
      }
      const isNew = !this.#items.has(ref.value);
      const item = this.#itemOf(ref);
      const paths = item.apply(changes);
      if (isNew) cameOrWent = true;
      else if (paths.size > 0) this.#listener.modified(item, paths);
    }
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
