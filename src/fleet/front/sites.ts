import { FLEET_MISSING_INTERVAL, FLEET_PROBE_INTERVAL, FLEET_SILENCE_LOOK, FLEET_SILENCE_LOOK_LEAST, FLEET_SITES } from '../../kit/fleet-limits.js';
import type { PacedLog } from '../../kit/paced-log.js';
import { inOrder } from '../../kit/text.js';
import type { BusMessage, SiteInfo } from '../contract.js';
import { newId } from '../ids.js';
import { aliveMessage, FLEET_VERSION, MessageFault, readMessage, type AliveMessage, type AskMessage } from '../messages.js';
import { ALIVE_OF_ALL, askSubject } from '../subjects.js';
import type { SiteKeys } from '../site-keys.js';
import { moment, Site, type Moment } from './site.js';
import type { Talk } from './talk.js';

/** Milliseconds, as configured. */
export interface SitesTimes {
  readonly deadAfter: number;
  readonly sendTimeout: number;
}

export interface SitesParts {
  readonly talk: Talk;
  readonly keys: SiteKeys;
  readonly refused: PacedLog;
  /** as configured now */
  times(): SitesTimes;
}

/** Whether orders can go to a site, and which of its processes is there. */
export interface Standing {
  readonly trouble: string | undefined;
  readonly incarnation: string | undefined;
}

/** The sites that a front knows: from their signs of life, and from whether they answer. */
export class Sites {
  readonly #parts: SitesParts;
  readonly #sites = new Map<string, Site>();
  readonly #listeners = new Set<(name: string) => void>();
  /** who waits for an answer, by site */
  readonly #waiting = new Map<string, Set<(trouble: string) => void>>();
  /** as its listeners were told it last, by site */
  readonly #told = new Map<string, string | undefined>();
  /** when a silent one was asked last whether it is there, by performance.now() */
  readonly #probed = new Map<string, number>();
  readonly #ends: (() => void)[];
  #looked = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: SitesParts) {
    this.#parts = parts;
    const { bus } = parts.talk;
    this.#ends = [
      bus.subscribe(ALIVE_OF_ALL, (message) => this.#hear(message)),
      bus.onChange(() => this.#tellTroubles()),
      () => clearTimeout(this.#timer),
    ];
    parts.talk.onMissing((name, why) => {
      if (this.#sites.get(name)?.noteMissing(why) === true) this.#tellTrouble(this.#sites.get(name)!, moment());
    });
    this.review();
    this.#lookLater();
  }

  /** All that are configured or were heard of, by name. */
  list(): readonly SiteInfo[] {
    const at = moment();
    return inOrder([...this.#sites.values()], ({ name }) => name).map((site) => this.#infoOf(site, at));
  }

  /** What is known of a site; of one that nobody has heard of, that. */
  info(name: string): SiteInfo {
    return this.#infoOf(this.#sites.get(name) ?? new Site(name), moment());
  }

  standing(name: string): Standing {
    const { trouble, alive } = this.info(name);
    return { trouble, incarnation: alive?.incarnation };
  }

  /** As of {@link Site.mayVoid}. */
  mayVoid(name: string, incarnation: string, sentTo: string | undefined): boolean {
    return this.#sites.get(name)?.mayVoid(incarnation, sentTo, moment(), this.#parts.times().deadAfter) ?? false;
  }

  /** Calls back with the name of each site that has said something of itself, or can be ordered at or not from now on. @returns ends that */
  onChange(listener: (name: string) => void): () => void {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }

  /** Calls back where a site cannot be ordered at from now on, and it is not for the connection of this server. @returns ends that */
  onTrouble(name: string, listener: (trouble: string) => void): () => void {
    const waiting = this.#waiting.get(name) ?? new Set();
    this.#waiting.set(name, waiting.add(listener));
    return () => {
      waiting.delete(listener);
      if (waiting.size === 0 && this.#waiting.get(name) === waiting) this.#waiting.delete(name);
    };
  }

  /** The process that counts has answered: it is there. */
  answered(name: string, incarnation: string): void {
    const site = this.#sites.get(name);
    // while this process stood still, an answer may have been there for as long
    if (site?.incarnation === incarnation && !this.#stoodStill) site.heardOf(moment());
  }

  /** Whether it was not looked for much longer than it should be: what has come meanwhile is read first. */
  get #stoodStill(): boolean {
    return performance.now() - this.#looked > 2 * FLEET_SILENCE_LOOK;
  }

  /** After a reload: others may be sites now, and be silent after another time. */
  review(): void {
    for (const name of this.#sites.keys()) {
      if (this.#parts.keys.isSite(name)) continue;
      this.#sites.delete(name);
      this.#told.delete(name);
      this.#probed.delete(name);
      this.#tell(name);
    }
    for (const name of this.#parts.keys.configured) this.#siteOf(name);
    this.#tellTroubles();
  }

  close(): void {
    for (const end of this.#ends) end();
    this.#listeners.clear();
  }

  #infoOf(site: Site, at: Moment): SiteInfo {
    const { trouble } = this.#parts.talk.bus;
    return site.info(at, this.#parts.times().deadAfter, trouble === undefined ? undefined : `the bus cannot be used: ${trouble}`);
  }

  #siteOf(name: string): Site | undefined {
    let site = this.#sites.get(name);
    if (site === undefined) {
      if (this.#sites.size >= FLEET_SITES) {
        this.#parts.refused.add({ site: name, reason: `there are ${FLEET_SITES} sites already` });
        return undefined;
      }
      this.#sites.set(name, site = new Site(name));
    }
    return site;
  }

  #hear(message: BusMessage): void {
    const { keys, refused } = this.#parts;
    const name = message.subject.split('.').at(-2)!;
    if (keys.isOwn(name)) return;
    const doubt = keys.doubt(name, message.subject, message);
    const site = doubt === undefined ? this.#siteOf(name) : undefined;
    if (doubt !== undefined) refused.add({ site: name, subject: message.subject, reason: doubt });
    if (site === undefined) return;
    try {
      const alive: AliveMessage = readMessage(aliveMessage, message.data);
      if (alive.site !== name) throw new MessageFault(`it is of ${alive.site}`);
      if (!site.take(alive, moment(), this.#parts.times().deadAfter)) return this.#tellTroubles();
    } catch (thrown) {
      if (!(thrown instanceof MessageFault)) throw thrown;
      site.noteFault(thrown.message);
      refused.add({ site: name, subject: message.subject, reason: thrown.message });
    }
    this.#tell(name);
  }

  /** Looks again when the next one falls silent, if it is not heard of before. */
  #lookLater(): void {
    const { deadAfter } = this.#parts.times();
    const at = moment();
    const left = [...this.#sites.values()].map((site) => site.silentIn(at, deadAfter)).filter((ms) => ms >= 0);
    // a timer may be before its time by less than 1 ms
    const wait = Math.max(FLEET_SILENCE_LOOK_LEAST, Math.min(FLEET_SILENCE_LOOK, deadAfter, ...left) + 1);
    this.#timer = setTimeout(() => {
      this.#lookLater();
      this.#look();
    }, wait).unref();
  }

  /** Which sites have fallen silent, and whether those that are silent or missing are there after all. */
  #look(): void {
    const now = performance.now();
    const isLate = this.#stoodStill;
    this.#looked = now;
    if (isLate) return;
    this.#tellTroubles();
    if (this.#parts.talk.bus.trouble !== undefined) return;
    for (const site of this.#sites.values()) {
      const isSilent = site.isSilent(moment(), this.#parts.times().deadAfter);
      if (site.alive === undefined || !(isSilent || site.isMissing)) continue;
      // one that is missing since a moment ago may be on its way to another server of the bus
      if (now - (this.#probed.get(site.name) ?? -Infinity) < (isSilent ? FLEET_PROBE_INTERVAL : FLEET_MISSING_INTERVAL)) continue;
      this.#probed.set(site.name, now);
      this.#probe(site);
    }
  }

  /** Asks for the state of no machine: that there is none is an answer. */
  #probe(site: Site): void {
    const { talk, times } = this.#parts;
    const at = Date.now();
    const question: AskMessage = {
      v: FLEET_VERSION, id: newId(at), site: site.name, provider: '-', machine: '-', instance: '-', ask: 'status',
      principal: { account: talk.front, from: '', front: talk.front }, at, sendBy: at + times().sendTimeout,
    };
    const conversation = talk.send(talk.letter(askSubject(site.name), question), ({ answer: { incarnation } }) => {
      conversation.end();
      this.answered(site.name, incarnation);
      this.#tellTroubles();
    }, () => undefined);
    setTimeout(() => conversation.end(), FLEET_PROBE_INTERVAL).unref();
  }

  #tellTroubles(): void {
    const at = moment();
    for (const site of this.#sites.values()) this.#tellTrouble(site, at);
  }

  #tellTrouble(site: Site, at: Moment): void {
    if (this.#told.get(site.name) !== this.#infoOf(site, at).trouble) this.#tell(site.name);
  }

  #tell(name: string): void {
    const site = this.#sites.get(name);
    if (site) this.#told.set(name, this.#infoOf(site, moment()).trouble);
    for (const listener of [...this.#listeners]) listener(name);
    const { trouble } = this.info(name);
    if (trouble !== undefined && this.#parts.talk.bus.trouble === undefined) for (const listener of [...this.#waiting.get(name) ?? []]) listener(trouble);
  }
}
