import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { OUTBOX_APPEND, OUTBOX_KEPT, STATE_KEY, STATE_PAGE, STATE_VALUE, STORE_CLOSE, TASK_TEXT } from '../kit/limits.js';
import { EndMarks } from './end-marks.js';
import { History } from './history.js';
import { orderJournal, type OrderJournal } from './order-journal.js';
import { planJournal, type PlanJournal } from './plan-journal.js';
import type { Value } from './sqlite.js';
import { StateError } from './state-error.js';
import { tagsIn, type TagStore } from './tags.js';
import { tasksIn, type TaskStore } from './tasks.js';
import { StoreThread, type Ask } from './thread.js';

/**
 * What outlives a restart: `state.sqlite` in the state folder, opened when first used. Each part is
 * bound to a namespace when it is made (a gateway's name, `tasks`), and cannot reach any other. Texts
 * are the caller's; what is in them (JSON) is too. What was answered survives kill -9.
 */

export { StateError };

/** Texts by key. All may throw {@link StateError}. */
export interface KeyValue {
  get(key: string): Promise<string | undefined>;
  /** On the disk when it resolves. */
  set(key: string, value: string): Promise<void>;
  /** One that is absent is no error. */
  delete(key: string): Promise<void>;
  /**
   * Those whose key begins with a prefix, in the order of keys; at most STATE_PAGE, and fewer where they
   * are long: go on behind the last one until none comes.
   * @param after go on behind this key
   */
  list(prefix: string, after?: string): Promise<readonly { readonly key: string; readonly value: string }[]>;
}

export interface OutboxEvent {
  /** greater by one than that of the event before */
  readonly position: number;
  readonly event: string;
}

/**
 * Events in order, until whoever they are for has them. Only so many are kept: further ones push
 * out the oldest, and that is told. All may throw {@link StateError}.
 */
export interface Outbox {
  /**
   * Adds events, at most OUTBOX_APPEND in one go. They survive the end of the process; a power cut may lose the last ones, and their
   * positions are given again, where it is not {@link OutboxOptions.isDurable}.
   * @returns the position of the last one, and how many old events were pushed out for these
   */
  append(events: readonly string[]): Promise<{ readonly last: number; readonly dropped: number }>;
  /**
   * Reads on.
   * @param after the position of the last event that is known; 0 from the beginning
   * @param most events to read; fewer come where they are long
   * @returns events, oldest first; `gone`: up to where they were acknowledged or pushed out; `last`: position of the
   *   newest; `dropped`: how many were ever pushed out
   */
  read(
    after: number,
    most: number,
  ): Promise<{ readonly events: readonly OutboxEvent[]; readonly gone: number; readonly last: number; readonly dropped: number }>;
  /** These have arrived and are not needed any more. */
  acknowledge(upTo: number): Promise<void>;
}

/** An outbox of what is copied from somewhere else, which knows how far it has come there. */
export interface CopyOutbox extends Outbox {
  /** As {@link Outbox.append}. @param origin up to where it has come, in the caller's words: it is kept with the events, or neither is */
  append(events: readonly string[], origin?: string): Promise<{ readonly last: number; readonly dropped: number }>;
  /** The last `origin` that was given; undefined where there was none. */
  origin(): Promise<string | undefined>;
}

export interface OutboxOptions {
  /** how many events it keeps, as is asked with each that is added; OUTBOX_KEPT where it is left out */
  readonly most?: () => number;
  /**
   * Each event is on the disk when it was added: for who tells others of positions, which must never come to stand for something else.
   * Left out, they are handed to the operating system.
   */
  readonly isDurable?: boolean;
  /** What is added or acknowledged may wait a little for other work of the disk: STORE_PATIENCE. */
  readonly isPatient?: boolean;
}

/** What is known of a key: it begins now; or it began before, and has or has not ended. */
export type OnceAnswer =
  | { readonly begun: true }
  | { readonly begun: false; readonly ended: false }
  | { readonly begun: false; readonly ended: true; readonly result: string };

/**
 * A caller's keys, each of which begins once. At most ONCE_KEPT are remembered: further ones push out
 * the oldest that have ended, never one that has not. All may throw {@link StateError}.
 */
export interface Once {
  /**
   * On the disk when it resolves, so do what the key is for only then. `ended: false`: nobody knows
   * whether it was done. Where it throws `unavailable`, the key may have begun all the same.
   */
  begin(key: string): Promise<OnceAnswer>;
  /** @returns false where the key has not begun, or has ended already: the first result stays */
  end(key: string, result: string): Promise<boolean>;
}

/*
 * Who asks may have been written without types. What is none of the right ones is told as his fault, before it comes to the
 * thread: there it would fail as if the disk had, and take with it what others have written meanwhile.
 */

/** @throws StateError, TypeError */
function checkKeys(...keys: readonly string[]): void {
  checkTexts(keys, 'a key');
  for (const key of keys) if (key.length > STATE_KEY) throw new StateError('too large', `a key has at most ${STATE_KEY} characters`);
}

/** @throws StateError, TypeError */
function checkValues(values: readonly string[], most = STATE_VALUE): void {
  checkTexts(values, 'what is kept');
  for (const value of values) if (value.length > most) throw new StateError('too large', `a text has at most ${most} characters`);
}

/** @throws TypeError */
function checkTexts(given: readonly unknown[], what: string): void {
  for (const one of given) if (typeof one !== 'string') throw new TypeError(`${what} is a text`);
}

/** @throws TypeError */
function checkWhole(given: Readonly<Record<string, unknown>>): void {
  for (const [name, one] of Object.entries(given)) if (!Number.isSafeInteger(one) || Number(one) < 0) throw new TypeError(`${name} is a whole number from 0`);
}

/** The state folder's file, and its parts. */
export class State {
  readonly #thread: StoreThread;
  readonly #stateDir: string;
  readonly #historyThread: StoreThread;
  /** something was asked of the file, which there is then, or will be */
  #isUsed = false;

  /** @param complain told once of each failure of the file */
  constructor(stateDir: string, complain: (message: string, facts: Record<string, unknown>) => void) {
    this.#stateDir = stateDir;
    this.#thread = new StoreThread({
      name: 'state', stateDir, onTrouble: (reason) => complain('state cannot be written', { reason }),
      onOtherFile: () => complain('state was taken away, another one is begun', { stateDir }),
    });
    // told by whoever keeps values there: it may be asked every second
    this.#historyThread = new StoreThread({ name: 'history', stateDir, onTrouble: () => undefined });
  }

  /** Whether something may have been kept: to look costs no thread, where to ask does. */
  get isThere(): boolean {
    return existsSync(join(this.#stateDir, 'state.sqlite'));
  }

  keyValue(namespace: string): KeyValue {
    return {
      get: async (key) => {
        const keys = this.#keys(namespace, key);
        return this.#isEmpty ? undefined : await this.#ask('kv.get', keys, false) as string | undefined;
      },
      set: async (key, value) => {
        checkValues([value]);
        await this.#ask('kv.set', [...this.#keys(namespace, key), value]);
      },
      delete: async (key) => void await this.#ask('kv.delete', this.#keys(namespace, key)),
      list: async (prefix, after = '') => {
        const keys = this.#keys(namespace, prefix, after);
        return this.#isEmpty ? [] : await this.#ask('kv.list', keys, false) as { key: string; value: string }[];
      },
    };
  }

  outbox(namespace: string, { most = () => OUTBOX_KEPT, isDurable = false, isPatient = false }: OutboxOptions = {}): CopyOutbox {
    return {
      append: async (events, origin) => {
        if (!Array.isArray(events)) throw new TypeError('events are a list of texts');
        if (events.length > OUTBOX_APPEND) throw new StateError('too large', `at most ${OUTBOX_APPEND} events in one go`);
        checkValues(origin === undefined ? events : [origin, ...events]);
        return await this.#ask('outbox.append', [...this.#keys(namespace), most(), origin ?? null, ...events], isDurable, isPatient) as { last: number; dropped: number };
      },
      origin: async () => await this.#ask('outbox.origin', this.#keys(namespace), false) as string | undefined,
      read: async (after, most) => {
        checkWhole({ after, most });
        return await this.#ask('outbox.read', [...this.#keys(namespace), after, Math.min(most, STATE_PAGE)], false) as Awaited<ReturnType<Outbox['read']>>;
      },
      acknowledge: async (upTo) => {
        checkWhole({ upTo });
        await this.#ask('outbox.acknowledge', [...this.#keys(namespace), upTo], false, isPatient);
      },
    };
  }

  once(namespace: string): Once {
    return {
      begin: async (key) => await this.#ask('once.begin', this.#keys(namespace, key)) as OnceAnswer,
      end: async (key, result) => {
        checkValues([result]);
        return await this.#ask('once.end', [...this.#keys(namespace, key), result]) as boolean;
      },
    };
  }

  /**
   * To be made once for each namespace in a process's life: it takes what it finds under way for cut off.
   * @param most characters of each of a task's texts
   */
  tasks(namespace: string, most = TASK_TEXT): TaskStore {
    return tasksIn(namespace, (operation, args, durable) => {
      if (this.#isEmpty && operation !== 'task.create') return Promise.resolve(operation === 'task.list' ? [] : undefined);
      checkKeys(namespace);
      checkValues(args.filter((arg) => typeof arg === 'string'), most);
      return this.#ask(operation, args, durable);
    });
  }

  /** To be made once for each namespace in a process's life. The file is `history.sqlite`, opened when first used. */
  history(namespace: string): History {
    checkKeys(namespace);
    return new History(namespace, (operation, args, durable) => ask(this.#historyThread, { operation, args, durable }));
  }

  /** Files that are kept beside it. @returns the path of a folder, which need not be there */
  folder(namespace: string): string {
    return join(this.#stateDir, namespace.replaceAll(' ', '-'));
  }

  /** The runs of plans. */
  plans(): PlanJournal {
    return planJournal((operation, args, durable) => this.#ask(operation, args, durable));
  }

  /** Which of them were ended while the file could not be written. */
  endMarks(): EndMarks {
    return new EndMarks(this.#stateDir);
  }

  /** Orders that come from elsewhere. */
  orders(): OrderJournal {
    return orderJournal((operation, args, durable, isPatient) => {
      checkKeys(String(args[0]));
      checkValues(args.filter((arg) => typeof arg === 'string'));
      return this.#ask(operation, args, durable, isPatient);
    });
  }

  /** The tags of machines and providers. */
  tags(): TagStore {
    const store = tagsIn((operation, args, durable) => this.#ask(operation, args, durable));
    const nothing = async function* () { /* nothing was ever kept */ };
    return { ...store, all: () => (this.#isEmpty ? nothing() : store.all()) };
  }

  /** Writes what is left and closes the file, within bounds. */
  async close(): Promise<void> {
    await Promise.all([this.#thread.close(STORE_CLOSE), this.#historyThread.close(STORE_CLOSE)]);
  }

  /** A thread with SQLite in it takes 20 MB: it is not begun to read what is not there. */
  get #isEmpty(): boolean {
    return !this.#isUsed && !this.isThere;
  }

  #keys(...keys: readonly string[]): readonly string[] {
    checkKeys(...keys);
    return keys;
  }

  #ask(operation: string, args: readonly Value[], durable = true, isPatient = false): Promise<unknown> {
    this.#isUsed = true;
    return ask(this.#thread, { operation, args, durable, isPatient });
  }
}

const isValue = (arg: unknown): arg is Value => arg === null || typeof arg === 'string' || (typeof arg === 'number' && Number.isFinite(arg));

/** @throws StateError, TypeError */
async function ask(thread: StoreThread, what: Ask): Promise<unknown> {
  if (!what.args.every(isValue)) throw new TypeError('what is kept are texts and numbers');
  const result = await thread.ask(what).catch((error: unknown) => {
    throw new StateError('unavailable', (error as Error).message, { cause: error });
  });
  if ((result as { full?: boolean } | undefined)?.full) throw new StateError('full', 'nothing that has ended is left to make room');
  return result;
}
