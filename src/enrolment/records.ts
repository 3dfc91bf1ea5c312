import { ENROLMENTS_KEPT } from '../kit/enrolment-limits.js';
import { ArgoError } from '../kit/errors.js';
import { TAGS_ABSENT_KEPT } from '../kit/limits.js';
import type { EnrolledHost, EnrolmentRequest } from '../instances/enrolment.js';
import type { HostType } from '../instances/tags.js';
import { fingerprintOf, typeOf } from '../protocols/ssh/host-keys.js';
import type { KeyValue } from '../store/state.js';

/**
 * What is known of one host. `approving`: it was begun; where the server ended in the midst of it, the next one finds out how far it
 * came. `left`: it is managed no longer, and our key may still be on it.
 */
export interface HostRecord {
  /** of its provider */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** the host's, in SSH's own encoding, as base64 */
  readonly key: string;
  readonly stage: 'waiting' | 'approving' | 'enrolled' | 'left';
  /** who has asked, and when: milliseconds since 1970 */
  readonly account: string;
  readonly at: number;
  /** the host has asked by itself */
  readonly isAsking?: true;
  /** ours may be on it */
  readonly mayHaveKey?: boolean;
  /** as whom we log in */
  readonly user?: string;
  readonly type?: HostType;
  readonly isIdentified?: boolean;
}

const PREFIX = 'host ';
const REMOVED = 'removed ';

/** What is kept of a host that was removed: for as long as tags of what is gone are. */
interface Removed {
  readonly key: string;
  /** milliseconds since 1970 */
  readonly at: number;
}

/** The hosts, by the names of their providers, in the state folder. What is written is on the disk when it resolves. All may throw StateError. */
export class HostRecords {
  readonly #store: KeyValue;

  constructor(store: KeyValue) {
    this.#store = store;
  }

  async get(name: string): Promise<HostRecord | undefined> {
    const text = await this.#store.get(PREFIX + name);
    return text === undefined ? undefined : JSON.parse(text) as HostRecord;
  }

  /** Oldest first. */
  async all(): Promise<readonly HostRecord[]> {
    const found = await this.#under<HostRecord>(PREFIX);
    return found.map(({ value }) => value).sort((one, other) => one.at - other.at);
  }

  /** Notes which host it was that is removed, and forgets those of long ago. */
  async noteRemoved({ name, key }: HostRecord): Promise<void> {
    const others = (await this.#under<Removed>(REMOVED)).sort((one, other) => one.value.at - other.value.at);
    const old = others.filter(({ value: { at } }, index) => Date.now() - at > TAGS_ABSENT_KEPT || others.length - index >= ENROLMENTS_KEPT);
    for (const one of old) await this.#store.delete(one.key);
    await this.#store.set(REMOVED + name, JSON.stringify({ key, at: Date.now() } satisfies Removed));
  }

  /** Whether it is the host that was removed last as a provider of that name. */
  async wasRemoved({ name, key }: HostRecord): Promise<boolean> {
    const text = await this.#store.get(REMOVED + name);
    return text !== undefined && (JSON.parse(text) as Removed).key === key;
  }

  /** @throws ArgoError FAILED where there are too many */
  async put(record: HostRecord): Promise<void> {
    const all = await this.all();
    if (all.length >= ENROLMENTS_KEPT && !all.some(({ name }) => name === record.name)) throw new ArgoError('FAILED', `there are ${ENROLMENTS_KEPT} hosts already, and no more can be`);
    await this.#store.set(PREFIX + record.name, JSON.stringify(record));
  }

  async drop(name: string): Promise<void> {
    await this.#store.delete(PREFIX + name);
  }

  async #under<T>(prefix: string): Promise<{ readonly key: string; readonly value: T }[]> {
    const found: { readonly key: string; readonly value: T }[] = [];
    for (let after = ''; ;) {
      const page = await this.#store.list(prefix, after);
      found.push(...page.map(({ key, value }) => ({ key, value: JSON.parse(value) as T })));
      const last = page.at(-1);
      if (last === undefined) return found;
      after = last.key;
    }
  }
}

export const keyOf = ({ key }: HostRecord): Buffer => Buffer.from(key, 'base64');

const shownKey = (record: HostRecord): EnrolmentRequest['key'] => ({ type: typeOf(keyOf(record)), fingerprint: fingerprintOf(keyOf(record)) });

export const requestOf = (record: HostRecord): EnrolmentRequest => {
  const { name, host, port, account, at } = record;
  return { name, host, port, key: shownKey(record), account, at: new Date(at) };
};

export const enrolledOf = (record: HostRecord): EnrolledHost => {
  const { name, host, port, user = '', type = 'physical', isIdentified = false, at, stage } = record;
  return { name, host, port, user, key: shownKey(record), type, isIdentified, isLeft: stage === 'left', at: new Date(at) };
};
