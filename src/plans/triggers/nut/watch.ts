import { UPS_ANSWER } from '../../../kit/trigger-limits.js';
import type { Log } from '../../../kit/log.js';
import type { Clock } from '../../clock.js';
import { NUMBERS, UpsFacts, type Variables } from './status.js';

/** Asks for what a UPS says: see {@link UpsReader}. */
export interface UpsSource {
  read(): Promise<Variables>;
  close(): Promise<void>;
}

export interface UpsWatchParts {
  /** for people: `rack1` */
  readonly name: string;
  readonly source: UpsSource;
  readonly log: Log;
  readonly clock: Clock;
  /** milliseconds of silence, while last seen on battery, that count as a low battery; undefined: never */
  readonly silentFor: number | undefined;
  /** numbers that conditions ask for */
  readonly numbers: readonly string[];
  /** milliseconds until the next look */
  interval(): number;
  /** told after each look */
  onLook(facts: UpsFacts): void;
}

/** Looks at one UPS again and again, and says what it learns, each thing once. */
export class UpsWatch {
  readonly #parts: UpsWatchParts;
  #facts = new UpsFacts(undefined);
  #condition: string | undefined;
  /** how long it was known to be silent, until which moment of the even clock, and since when by the wall's */
  #silent: { readonly held: number; readonly until: number; readonly at: Date } | undefined;
  #wasOnBattery = false;
  #hasSaidWhatLacks = false;
  #cancel: () => void = () => undefined;
  #isClosed = false;

  constructor(parts: UpsWatchParts) {
    this.#parts = parts;
  }

  get name(): string {
    return this.#parts.name;
  }

  /** Whether it was on battery when it was last known what it was on. */
  get wasOnBattery(): boolean {
    return this.#wasOnBattery;
  }

  async look(): Promise<void> {
    let reason = '';
    const variables = await this.#parts.source.read().catch((error: unknown) => {
      reason = (error as Error).message;
      return undefined;
    });
    if (this.#isClosed) return;
    this.#learn(variables, reason);
    this.#parts.onLook(this.#facts);
    this.#cancel = this.#parts.clock.after(this.#parts.interval(), () => void this.look());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancel();
    await this.#parts.source.close();
  }

  describe(): string {
    if (this.#silent === undefined) return `${this.name}: ${this.#condition === undefined ? 'not asked yet' : `${this.#condition}, ${this.#facts.toString()}`}`;
    return `${this.name}: silent since ${this.#silent.at.toISOString()}${this.#wasOnBattery ? ', on battery before' : ''}`;
  }

  #learn(variables: Variables | undefined, reason: string): void {
    const { name, log, silentFor } = this.#parts;
    const facts = new UpsFacts(variables);
    const { condition } = facts;
    if (condition === undefined) {
      this.#silent = this.#silent === undefined ? this.#fallSilent(reason || `its status is "${variables?.get('ups.status') ?? ''}"`) : this.#goOnSilent(this.#silent);
      const countsAsLow = silentFor !== undefined && this.#wasOnBattery && this.#silent.held >= silentFor;
      this.#facts = new UpsFacts(variables, countsAsLow);
      return;
    }
    if (this.#silent !== undefined) log('info', 'UPS answers again', { ups: name });
    this.#silent = undefined;
    this.#facts = facts;
    this.#wasOnBattery = facts.is('on-battery') === true;
    if (condition !== this.#condition) log(condition === 'on line' ? 'info' : 'warn', `UPS is ${condition}`, { ups: name, says: facts.toString() });
    this.#condition = condition;
    this.#sayWhatLacks(variables!);
  }

  #fallSilent(reason: string): { held: number; until: number; at: Date } {
    const { name, log, clock } = this.#parts;
    log('warn', 'UPS is silent: nothing is concluded', { ups: name, reason, before: this.#condition ?? 'not known' });
    return { held: 0, until: clock.elapsed(), at: new Date(clock.wall()) };
  }

  /** Time in which nobody asked, since this process stood still, is no silence of the UPS. */
  #goOnSilent({ held, until, at }: { readonly held: number; readonly until: number; readonly at: Date }): { held: number; until: number; at: Date } {
    const now = this.#parts.clock.elapsed();
    const passed = now - until;
    // a look that fails may take about UPS_ANSWER
    return { held: passed <= this.#parts.interval() + 2 * UPS_ANSWER ? held + passed : held, until: now, at };
  }

  /** A condition over what a UPS never says would wait for ever, and nobody would know. */
  #sayWhatLacks(variables: Variables): void {
    if (this.#hasSaidWhatLacks) return;
    this.#hasSaidWhatLacks = true;
    const lacks = this.#parts.numbers.map((word) => NUMBERS[word]!.variable).filter((variable) => !variables.has(variable));
    if (lacks.length > 0) this.#parts.log('warn', 'UPS does not say what conditions ask for: that is never known', { ups: this.name, variables: lacks.join(', ') });
  }
}
