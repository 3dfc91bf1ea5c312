import * as v from 'valibot';
import type { Lease } from '../../instances/lease.js';
import { Sleepers } from '../../kit/bell.js';
import { LEASE_LOOK, LEASE_MARGIN, LEASE_RELEASE, LEASE_RENEW, LEASE_TTL } from '../../kit/fleet-limits.js';
import type { Log } from '../../kit/log.js';
import { notLonger } from '../../kit/within.js';
import type { PacedLog } from '../../kit/paced-log.js';
import { keysSubject } from '../bus-store.js';
import { BusError, isConflict, type Bucket, type KeyEntry, type Signer } from '../contract.js';
import { FLEET_VERSION, MessageFault, readMessage, writeMessage } from '../messages.js';
import { seal, unseal } from '../sealed.js';
import { KnownKey } from '../signer.js';
import { unsealed, type SiteKeys } from '../site-keys.js';
import { LEASES_BUCKET, tokenOf } from '../subjects.js';
import type { Clocks } from './clocks.js';

/**
 * Which of several sites acts on machines that all of them serve. It is a value in a bucket of the bus that its holder writes anew
 * again and again. The holder counts by its own clock, from before the last time it asked to write; whoever waits counts by its own,
 * from when it saw the value; so nobody's clock is compared with another's. Each write names the revision that it replaces.
 *
 * Two may still be told that they have replaced the same one: the leader of a stream of nats-server 2.9 compares it before it proposes
 * the write to the others, and does not see what is proposed and not stored yet. So who takes a lease over has it only with a second
 * write, asked for `look` after the answer to the first; both must be answered within `look`. Of two who were told the same, the
 * second one has overwritten the first one's value by the time that the first one asks for its second write; were his under way for
 * longer, he would have waited longer than `look` for his answer.
 */

const leaseMessage = v.object({
  v: v.literal(FLEET_VERSION),
  /** the holder */
  site: v.string(), incarnation: v.string(),
  /** greater by one with each holder */
  term: v.pipe(v.number(), v.integer()),
  /** greater by one with each write of a holder */
  beat: v.pipe(v.number(), v.integer()),
  /** its holder has nothing under way any more: whoever wants it need not wait */
  released: v.optional(v.boolean()),
});
type LeaseMessage = v.InferOutput<typeof leaseMessage>;
type LeaseOrder = Pick<LeaseMessage, 'term' | 'beat'>;

/** Milliseconds; for tests. */
export interface LeaseTimes {
  /** how long it holds after its holder asked to write it */
  readonly ttl: number;
  readonly renew: number;
  /** how long before its end the holder stops */
  readonly margin: number;
  /** how often one that waits looks at it; also how long who takes it over waits between his two writes, and at most for each answer */
  readonly look: number;
}

export interface LeaseParts {
  readonly bucket: Bucket;
  readonly site: string;
  /** of this process: another one of the same site is another holder */
  readonly incarnation: string;
  readonly signer: Signer;
  /** by which those of other sites are known */
  readonly keys: Pick<SiteKeys, 'unsealed'>;
  readonly refused: Pick<PacedLog, 'add'>;
  readonly log: Log;
  /** Told when it comes to be held, is held no longer, or is another's. */
  changed(): void;
  readonly times?: LeaseTimes;
  readonly clocks?: Clocks;
}

/** By both clocks: that which people set goes on while the computer sleeps or a virtual machine is paused, which the other need not. */
interface Moment {
  readonly steady: number;
  readonly now: number;
}

const TIMES: LeaseTimes = { ttl: LEASE_TTL, renew: LEASE_RENEW, margin: LEASE_MARGIN, look: LEASE_LOOK };
const CLOCKS: Clocks = { steady: () => performance.now(), now: () => Date.now() };

/** Writes of which it is not known whether they have arrived: each can be recognised in what is there. */
const BEATS_KEPT = 16;

/** What was seen of a lease that is not held here. */
interface Observed {
  readonly entry: KeyEntry | undefined;
  readonly message: LeaseMessage | undefined;
  /** on the steady clock: since when it is unchanged */
  readonly since: number;
  /** on the steady clock: when it was looked at last */
  readonly looked: number;
}

/** One lease, which a site wants to hold for as long as it runs. */
export class SiteLease implements Lease {
  readonly name: string;
  readonly #parts: LeaseParts;
  readonly #times: LeaseTimes;
  readonly #clocks: Clocks;
  readonly #key: string;
  /** of which signatures are */
  readonly #subject: string;
  readonly #ending = new AbortController();
  readonly #sleepers = new Sleepers();
  readonly #listeners = new Set<() => void>();
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** when the last write that has arrived was asked for; undefined: it is not ours */
  #asked: Moment | undefined;
  /** whether that write followed another one of ours in time: a first one proves nothing */
  #isProven = false;
  /** of the last write of ours that has arrived; undefined: another has written since */
  #revision: number | undefined;
  /** of the last write that was asked for */
  #term = 0;
  #beat = 0;
  /** the greatest that was seen, and of its writes the last */
  #known = { term: 0, beat: 0 };
  /** when writes were asked for of which nobody knows whether they have arrived, by beat */
  readonly #open = new Map<number, Moment>();
  /** when it was taken over; -Infinity: from nobody who may have been at work */
  #takenAt = -Infinity;
  #observed: Observed | undefined;
  /** why the store cannot be asked */
  #failure: string | undefined;
  #told: 'held' | 'of another' | undefined;

  /** @param name as in the provider's table */
  constructor(name: string, parts: LeaseParts) {
    this.name = name;
    this.#parts = parts;
    this.#times = parts.times ?? TIMES;
    this.#clocks = parts.clocks ?? CLOCKS;
    this.#key = tokenOf(name);
    this.#subject = keysSubject(LEASES_BUCKET, this.#key);
  }

  get left(): number {
    return this.#isProven && !this.#ending.signal.aborted ? this.#rest : 0;
  }

  get trouble(): string | undefined {
    if (this.left > 0) return undefined;
    if (this.#failure !== undefined) return `no lease ${this.name}: ${this.#failure}`;
    if (this.holder !== undefined) return `no lease ${this.name}: ${this.holder} has it`;
    return `no lease ${this.name}: it is not known yet whether another site has it`;
  }

  get age(): number {
    return this.#clocks.steady() - this.#takenAt;
  }

  /** how often it has changed hands, as far as that is known here */
  get term(): number {
    return this.#term;
  }

  /** The other site that was seen to hold it; undefined where that is not known, or it is held here. */
  get holder(): string | undefined {
    const { message } = this.#observed ?? {};
    return message === undefined || message.released === true || message.site === this.#parts.site ? undefined : message.site;
  }

  onEnd(listener: () => void): () => void {
    // the same function may listen twice
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** Begins to ask for it. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Gives it up: to be called when nothing is under way any more, since others may take it at once. Never rejects. */
  async close(): Promise<void> {
    this.#ending.abort();
    this.#end();
    await notLonger(LEASE_RELEASE, this.#release());
  }

  /** Where that does not arrive, others wait for its end. */
  async #release(): Promise<void> {
    await this.#running;
    this.#forgetIfOver();
    const revision = this.#revision;
    if (revision !== undefined) await this.#parts.bucket.update(this.#key, this.#message({ released: true }), revision).catch(() => undefined);
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      const began = this.#clocks.steady();
      let pause: number;
      try {
        this.#forgetIfOver();
        if (this.#revision !== undefined) await this.#write(this.#revision);
        else await this.#observe();
        this.#failure = undefined;
        pause = this.#revision === undefined || !this.#isProven ? this.#times.look : began + this.#times.renew - this.#clocks.steady();
      } catch (thrown) {
        if (this.#failure === undefined) this.#parts.log('warn', 'lease cannot be asked for', { lease: this.name, reason: (thrown as Error).message });
        this.#failure = (thrown as Error).message;
        pause = this.#times.look;
      }
      this.#tell();
      await this.#sleepers.sleep(signal, Math.max(0, pause));
    }
  }

  /** Takes it, where nobody else has held it for long enough. @throws BusError */
  async #observe(): Promise<void> {
    const entry = await this.#parts.bucket.get(this.#key);
    const now = this.#clocks.steady();
    const message = entry?.value && this.#read(entry.value);
    if (this.#adopt(entry, message)) return;
    // one that was given up long ago, and that somebody has put back, is no word of who has it now
    const isFree = message?.released === true && !isOlder(message, this.#known);
    if (message && !isOlder(message, this.#known)) this.#known = message;
    this.#observed = { entry, message, since: this.#sinceWhen(entry, now), looked: now };
    // also one that is not there may have been taken away from a holder that does not know of it yet
    if (!isFree && now - this.#observed.since < this.#times.ttl) return;
    this.#term = this.#known.term + 1;
    this.#takenAt = isFree ? -Infinity : now;
    await this.#write(entry?.revision ?? 0);
  }

  /**
   * Writes it in place of a revision. Where somebody else has written, it is theirs.
   * @throws BusError where nobody knows whether it has arrived
   */
  async #write(revision: number): Promise<void> {
    this.#beat += 1;
    const asked = { steady: this.#clocks.steady(), now: this.#clocks.now() };
    this.#open.set(this.#beat, asked);
    if (this.#open.size > BEATS_KEPT) this.#open.delete(this.#open.keys().next().value!);
    try {
      this.#take(await this.#parts.bucket.update(this.#key, this.#message({}), revision), asked);
    } catch (thrown) {
      if (!isConflict(thrown)) throw thrown;
      await this.#lookWhose();
    }
  }

  /** Somebody has written: it may have been an own write, whose answer was lost. @throws BusError */
  async #lookWhose(): Promise<void> {
    const entry = await this.#parts.bucket.get(this.#key);
    const message = entry?.value && this.#read(entry.value);
    if (this.#adopt(entry, message)) return;
    this.#forget();
    this.#open.clear();
    const now = this.#clocks.steady();
    this.#observed = { entry, message, since: now, looked: now };
    this.#end();
  }

  /**
   * Since when it is as it is now. What was not looked at for as long as a holder may leave it may have been another's meanwhile, and
   * have been put back as it was: by that other one it is held still.
   */
  #sinceWhen(entry: KeyEntry | undefined, now: number): number {
    const before = this.#observed;
    const isSeen = before !== undefined && now - before.looked <= this.#times.renew;
    return isSeen && isSame(before.entry, entry) ? before.since : now;
  }

  /** For how long the last write counts, ms, where it followed another one. */
  get #rest(): number {
    return this.#asked === undefined ? 0 : Math.max(0, this.#times.ttl - this.#times.margin - this.#gone(this.#asked));
  }

  /** How long ago that was. Were the clock that people set put ahead, a lease would be given up for a while, which harms nobody. */
  #gone({ steady, now }: Moment): number {
    return Math.max(this.#clocks.steady() - steady, this.#clocks.now() - now);
  }

  /**
   * Who has not written for a whole term is as anybody else: another one may have it by now, and in a bucket that was made anew or put
   * back even under the revision that was ours.
   */
  #forgetIfOver(): void {
    if (this.#asked === undefined || this.#gone(this.#asked) < this.#times.ttl) return;
    this.#endIfOver();
    this.#forget();
  }

  /** The timer may not have told it yet: where this process stood still, an answer comes before it, and it knows nothing of the clock of the day. */
  #endIfOver(): void {
    if (this.#isProven && this.#rest === 0) this.#end();
  }

  #forget(): void {
    this.#asked = this.#revision = undefined;
  }

  /** Takes what is there for an own write, where it is one. @throws BusError */
  #adopt(entry: KeyEntry | undefined, message: LeaseMessage | undefined): boolean {
    const asked = message?.incarnation === this.#parts.incarnation ? this.#open.get(message.beat) : undefined;
    if (entry === undefined || asked === undefined) return false;
    this.#take(entry.revision, asked);
    return true;
  }

  /**
   * An own write has arrived.
   * @throws BusError where it has taken so long that another one may have been told the same meanwhile: both wait for a whole term then
   */
  #take(revision: number, asked: Moment): void {
    this.#endIfOver();
    const follows = this.#rest > 0;
    const lasted = this.#gone(asked);
    this.#known = { term: this.#term, beat: this.#beat };
    this.#observed = undefined;
    this.#open.clear();
    clearTimeout(this.#timer);
    if (!(follows && this.#isProven) && lasted >= this.#times.look) {
      this.#forget();
      throw new BusError('store', `the bus took ${Math.round(lasted)} ms to store it, so that another site may have been told the same`);
    }
    this.#revision = revision;
    this.#asked = asked;
    this.#isProven = follows;
    if (this.left > 0) this.#watchEnd();
  }

  /** Ends what is under way when it is held no longer. */
  #watchEnd(): void {
    this.#timer = setTimeout(() => {
      if (this.left > 0) this.#watchEnd();
      else this.#end();
    }, Math.ceil(this.left)).unref();
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#isProven = false;
    for (const listener of [...this.#listeners]) listener();
    this.#tell();
  }

  /** Says what has changed, once. */
  #tell(): void {
    const now = this.left > 0 ? 'held' : this.holder === undefined ? undefined : 'of another';
    if (now === this.#told) return;
    if (now === 'held') this.#parts.log('info', 'lease is held', { lease: this.name, term: this.#term });
    else if (this.#told === 'held') this.#parts.log('warn', 'lease is not held', { lease: this.name, reason: this.trouble });
    this.#told = now;
    this.#parts.changed();
  }

  #message(more: Pick<LeaseMessage, 'released'>): Uint8Array {
    const { site, incarnation, signer } = this.#parts;
    return seal(
      signer,
      this.#subject,
      writeMessage({ v: FLEET_VERSION, site, incarnation, term: this.#term, beat: this.#beat, ...more } satisfies LeaseMessage),
    );
  }

  /** What is there; one that cannot be read, as of a newer version, or was not signed by who is said to hold it, is another's. */
  #read(value: Uint8Array): LeaseMessage | undefined {
    try {
      const message = readMessage(leaseMessage, unseal(value)?.content ?? value);
      this.#believe(message.site, value);
      return message;
    } catch (error) {
      if (!(error instanceof MessageFault)) throw error;
      this.#parts.refused.add({ lease: this.name, reason: error.message });
      return undefined;
    }
  }

  /** @throws MessageFault with what speaks against it */
  #believe(holder: string, value: Uint8Array): void {
    const { site, signer, keys } = this.#parts;
    if (holder === site) unsealed(new KnownKey(signer.publicKey), this.#subject, value);
    else keys.unsealed(holder, this.#subject, value);
  }
}

/** Whether it is from before another one. */
const isOlder = (one: LeaseOrder, other: LeaseOrder): boolean => one.term < other.term || (one.term === other.term && one.beat < other.beat);

/** Whether nobody has written meanwhile: a bucket that was made anew counts from the beginning. */
function isSame(one: KeyEntry | undefined, other: KeyEntry | undefined): boolean {
  return one?.revision === other?.revision && Buffer.compare(one?.value ?? new Uint8Array(), other?.value ?? new Uint8Array()) === 0;
}
