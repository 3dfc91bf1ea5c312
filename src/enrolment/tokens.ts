import { createHash, randomBytes } from 'node:crypto';
import { ENROLMENT_TOKEN_LONGEST, ENROLMENT_TOKENS, ENROLMENT_TOKEN_TRIES } from '../kit/enrolment-limits.js';
import { ArgoError } from '../kit/errors.js';
import type { EnrolmentToken } from '../instances/enrolment.js';
import type { KeyValue } from '../store/state.js';

/** Tokens with which hosts ask by themselves: each for one host, and for a while. */

/** So that those who look for secrets in what is published find ours. */
const TOKEN_PREFIX = 'argo-enrol_';
const BYTES = 32;
const FORM = /^argo-enrol_[A-Za-z0-9_-]{43}$/;
const KEY_PREFIX = 'token ';
/** Characters of the hash by which people name one. */
const ID = 12;

/** What is kept of one. */
interface Kept {
  readonly hash: string;
  /** who has made it */
  readonly account: string;
  /** milliseconds since 1970 */
  readonly expires: number;
  /** how often a host has come with it and was not taken */
  readonly tries: number;
}

/** One that a host has come with. */
export interface UsedToken {
  readonly account: string;
  /** It is good for nothing more, on the disk when this resolves. @throws ArgoError NOT AUTHENTICATED where it was revoked meanwhile */
  spend(): Promise<void>;
}

/** So much chance needs no slow hash. */
const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');
const told = ({ hash, account, expires }: Kept): EnrolmentToken => ({ id: hash.slice(0, ID), account, expires: new Date(expires) });

export class EnrolmentTokens {
  readonly #store: KeyValue;
  /** by hash: of a hash nobody can try one byte after the other */
  readonly #tokens = new Map<string, Kept>();
  /** by hash, on the clock of performance.now(): when one is over although the time of day was set back meanwhile */
  readonly #ends = new Map<string, number>();
  /** those with which a host is asking now */
  readonly #underWay = new Set<string>();
  #loading: Promise<void> | undefined;

  constructor(store: KeyValue) {
    this.#store = store;
  }

  /** @param ms for so long it is good @throws ArgoError BUSY where there are too many */
  async make(account: string, ms: number): Promise<EnrolmentToken & { readonly token: string }> {
    await this.#good();
    if (this.#tokens.size >= ENROLMENT_TOKENS) throw new ArgoError('BUSY', `there are ${ENROLMENT_TOKENS} tokens that no host has used; revoke some`);
    const token = TOKEN_PREFIX + randomBytes(BYTES).toString('base64url');
    const kept: Kept = { hash: hashOf(token), account, expires: Date.now() + ms, tries: 0 };
    await this.#write(kept);
    this.#hold(kept);
    return { ...told(kept), token };
  }

  /** Those that are still good, the first to end first. */
  async all(): Promise<readonly EnrolmentToken[]> {
    return [...await this.#good()].sort((one, other) => one.expires - other.expires).map(told);
  }

  /** Of all or of none. @throws ArgoError NO SUCH REQUEST with those that there are none of */
  async revoke(ids: readonly string[]): Promise<void> {
    const all = await this.#good();
    const missing = ids.filter((id) => !all.some((one) => told(one).id === id));
    if (missing.length > 0) throw new ArgoError('NO SUCH REQUEST', missing.join(', '));
    await this.#drop(...all.filter((one) => ids.includes(told(one).id)));
  }

  /**
   * What is done for a host that has come with a token. Only so often may it fail.
   * @throws ArgoError NOT AUTHENTICATED for whatever is no good token; BUSY where another host has it at the moment; what the work throws
   */
  async use<T>(text: string, work: (token: UsedToken) => Promise<T>): Promise<T> {
    await this.#load();
    const known = FORM.test(text) ? this.#tokens.get(hashOf(text)) : undefined;
    if (known === undefined || this.#isOver(known) || known.tries >= ENROLMENT_TOKEN_TRIES) throw new ArgoError('NOT AUTHENTICATED');
    const { hash, account } = known;
    if (this.#underWay.has(hash)) throw new ArgoError('BUSY', 'another host asks with this token');
    this.#underWay.add(hash);
    try {
      const tried: Kept = { ...known, tries: known.tries + 1 };
      this.#tokens.set(hash, tried);
      await this.#write(tried);
      return await work({ account, spend: () => this.#spend(known) });
    } finally {
      this.#underWay.delete(hash);
      const after = this.#tokens.get(hash);
      if (after && after.tries >= ENROLMENT_TOKEN_TRIES) await this.#drop(after);
    }
  }

  #hold(kept: Kept): void {
    this.#tokens.set(kept.hash, kept);
    // none is made for longer: one that seems to be was read by a clock that has been set back
    this.#ends.set(kept.hash, performance.now() + Math.min(kept.expires - Date.now(), ENROLMENT_TOKEN_LONGEST));
  }

  #isOver({ hash, expires }: Kept): boolean {
    return expires <= Date.now() || (this.#ends.get(hash) ?? 0) <= performance.now();
  }

  /** Those that are over are forgotten. */
  async #good(): Promise<readonly Kept[]> {
    await this.#load();
    for (const one of [...this.#tokens.values()]) if (this.#isOver(one)) await this.#drop(one);
    return [...this.#tokens.values()];
  }

  async #write(kept: Kept): Promise<void> {
    await this.#store.set(KEY_PREFIX + kept.hash, JSON.stringify(kept));
  }

  /** @throws ArgoError NOT AUTHENTICATED where it was revoked meanwhile */
  async #spend(kept: Kept): Promise<void> {
    if (!this.#tokens.has(kept.hash)) throw new ArgoError('NOT AUTHENTICATED');
    await this.#drop(kept);
  }

  /** They are good for nothing while that is being written; where it cannot be, all are as they were. */
  async #drop(...dropped: readonly Kept[]): Promise<void> {
    const before = dropped.flatMap(({ hash }) => this.#tokens.get(hash) ?? []);
    for (const { hash } of dropped) this.#tokens.delete(hash);
    // asked for together they are written together
    const ends = await Promise.allSettled(dropped.map(({ hash }) => this.#store.delete(KEY_PREFIX + hash)));
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed === undefined) {
      for (const { hash } of dropped) this.#ends.delete(hash);
      return;
    }
    for (const one of before) this.#tokens.set(one.hash, one);
    throw failed.reason;
  }

  #load(): Promise<void> {
    return this.#loading ??= this.#read().catch((error: unknown) => {
      this.#loading = undefined;
      throw error;
    });
  }

  async #read(): Promise<void> {
    for (let after = ''; ;) {
      const page = await this.#store.list(KEY_PREFIX, after);
      for (const { value } of page) {
        this.#hold(JSON.parse(value) as Kept);
      }
      const last = page.at(-1);
      if (last === undefined) return;
      after = last.key;
    }
  }
}
