import { FLEET_MESSAGE, FLEET_RIVALS, FLEET_STALE_WORDS } from '../../kit/fleet-limits.js';
import type { Log } from '../../kit/log.js';
import { harmless, oneLine } from '../../kit/text.js';
import { SIGNATURE_HEADER, signedBy, type Bus, type BusMessage, type Signer } from '../contract.js';
import { aliveMessage, FLEET_VERSION, MessageFault, readMessage, writeMessage, type AliveMessage, type OfferedProvider } from '../messages.js';
import { KnownKey } from '../signer.js';
import { aliveSubject } from '../subjects.js';
import type { Clocks } from './clocks.js';

export interface AliveParts {
  /** the site's name */
  readonly site: string;
  readonly incarnation: string;
  /** of the program */
  readonly version: string;
  readonly bus: Bus;
  readonly signer: Signer;
  readonly log: Log;
  readonly clocks: Clocks;
  /** milliseconds between two signs of life, and after which one that is silent counts as away */
  interval(): number;
  deadAfter(): number;
  offered(): readonly OfferedProvider[];
  /** orders that are under way */
  orders(): number;
  /** events that wait for the bus */
  outbox(): number;
  /** milliseconds for which is listened whether there is another server of this name: when the connection is made, and when it is made again */
  readonly hush: number;
  readonly hushAgain: number;
}

/** Another server that calls itself as this one does. */
interface Rival {
  readonly started: number;
  readonly hasOurKey: boolean;
  /** on the steady clock: until when it counts as there */
  until: number;
}

/**
 * The signs of life of a site, and those of others of the same name. Two servers of one name would each have a journal of
 * their own, and what was sent once could be done twice: so neither acts while they know of each other. Each listens for a
 * while before it acts, and answers the first sign of another at once.
 */
export class Alive {
  readonly #parts: AliveParts;
  readonly #subject: string;
  readonly #started: number;
  readonly #rivals = new Map<string, Rival>();
  #met: number | undefined;
  #cleared: number | undefined;
  #ends: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #hush: NodeJS.Timeout | undefined;
  #isSettled = false;
  #isFirst = true;
  #isLeaving = false;
  #isClosed = false;
  #waiting: (() => void)[] = [];

  constructor(parts: AliveParts) {
    this.#parts = parts;
    this.#subject = aliveSubject(parts.site);
    this.#started = parts.clocks.now();
  }

  start(): void {
    const { bus } = this.#parts;
    this.#ends = [bus.subscribe(this.#subject, (message) => this.#heard(message)), bus.onChange(() => this.#changed())];
    this.#changed();
  }

  /** Why nothing may be done now, in words for people; undefined: there is no other server of this name. */
  get trouble(): string | undefined {
    if (this.#isClosed) return `site ${this.#parts.site} is ending`;
    const now = this.#parts.clocks.steady();
    for (const { until, started, hasOurKey } of this.#rivals.values()) if (until > now) return this.#words(started, hasOurKey);
    return undefined;
  }

  /** On the steady clock: when another server of this name was met last. What was ordered before may have been begun by that one. */
  get met(): number | undefined {
    return this.#met;
  }

  /** On the steady clock: until when the last of them counts as there. What was ordered between may have been refused by that one. */
  get cleared(): number | undefined {
    return this.#cleared;
  }

  /** Resolves as soon as it was listened for long enough whether there is another server of this name. */
  settled(): Promise<void> {
    return this.#isSettled ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** A sign of life now. */
  announce(): void {
    const { bus, signer, site, log } = this.#parts;
    if (bus.trouble !== undefined) return;
    try {
      const data = writeMessage(this.#message());
      bus.publish(this.#subject, data, signedBy(site, signer, this.#subject, data));
    } catch (thrown) {
      if (!(thrown instanceof MessageFault)) throw thrown;
      log('error', 'no sign of life can be given: the providers\' names are too long together; offer fewer by share', { reason: thrown.message });
    }
  }

  /** Tells the fronts that this site is about to end. */
  leave(): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    this.announce();
  }

  close(): void {
    this.leave();
    this.#isClosed = true;
    for (const end of this.#ends.splice(0)) end();
    clearTimeout(this.#timer);
    clearTimeout(this.#hush);
    this.#settle();
  }

  /** The next sign of life: soon while another server of this name may be there, which is to hear it. */
  #schedule(): void {
    const { interval, hushAgain } = this.#parts;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.announce();
      this.#schedule();
    }, this.#isSettled && this.trouble === undefined ? interval() : Math.min(interval(), hushAgain / 2));
    this.#timer.unref();
  }

  /** The connection has come or gone. While it was away, another server of this name may have begun. */
  #changed(): void {
    clearTimeout(this.#hush);
    this.#isSettled = false;
    this.#schedule();
    if (this.#parts.bus.trouble !== undefined) return;
    this.announce();
    this.#hush = setTimeout(() => {
      this.#isFirst = false;
      this.#settle();
    }, this.#isFirst ? this.#parts.hush : this.#parts.hushAgain);
  }

  #settle(): void {
    this.#isSettled = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #heard(message: BusMessage): void {
    const { site, incarnation, signer, clocks, deadAfter, log } = this.#parts;
    const said = this.#read(message);
    if (said === undefined || said.site !== site || said.incarnation === incarnation) return;
    const now = clocks.steady();
    const known = this.#rivals.get(said.incarnation);
    const until = said.leaving === true ? now : now + deadAfter();
    // one that had fallen silent may have acted since; one that is known by nothing but its leaving was there all the same
    const isMet = known === undefined || known.until <= now;
    if (isMet) this.#met = now;
    this.#cleared = Math.max(until, ...[...this.#rivals.values()].map((rival) => (rival === known ? until : rival.until)));
    if (known !== undefined) known.until = until;
    if (!isMet || said.leaving === true) return;
    for (const [other, rival] of this.#rivals) if (rival.until <= now || this.#rivals.size >= FLEET_RIVALS) this.#rivals.delete(other);
    const hasOurKey = new KnownKey(signer.publicKey).verifies(this.#subject, message.data, message.header(SIGNATURE_HEADER));
    this.#rivals.set(said.incarnation, { started: said.started, hasOurKey, until });
    log('error', 'another server has the name of this site', { reason: this.#words(said.started, hasOurKey) });
    // so that the other one knows at once, too
    this.announce();
    this.#schedule();
  }

  #read(message: BusMessage): AliveMessage | undefined {
    try {
      return readMessage(aliveMessage, message.data);
    } catch (thrown) {
      if (!(thrown instanceof MessageFault)) throw thrown;
      this.#parts.log('debug', 'sign of life not understood', { reason: thrown.message });
      return undefined;
    }
  }

  #words(started: number, hasOurKey: boolean): string {
    const since = new Date(started).toISOString();
    return `two servers call themselves site ${this.#parts.site}: this one, and one that runs since ${since} with ${hasOurKey ? 'the same' : 'another'} key; nothing is done until one of them is ended or has a name of its own`;
  }

  #message(): AliveMessage {
    const { site, incarnation, version, clocks, interval, offered, orders, outbox } = this.#parts;
    const said: AliveMessage = {
      v: FLEET_VERSION, site, incarnation, at: clocks.now(), started: this.#started, version, interval: interval(),
      providers: [...offered()], orders: orders(), outbox: outbox(), ...(this.#isLeaving && { leaving: true }), ...(this.#isFirst && { opening: true }),
    };
    const room = FLEET_MESSAGE / 2 / Math.max(1, said.providers.length);
    return {
      ...said,
      providers: said.providers.map((one) =>
        one.stale === undefined ? one : { ...one, stale: harmless(oneLine(one.stale, Math.min(room / 4, FLEET_STALE_WORDS))) },
      ),
    };
  }
}
