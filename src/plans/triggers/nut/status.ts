import { formatDuration } from '../../../kit/text.js';
import type { Facts, Truth, Vocabulary } from '../conditions.js';

/** What a UPS says, by the variables that upsd passes on (RFC 9271, "Variables" and "Status"). */
export type Variables = ReadonlyMap<string, string>;

export const UPS_VOCABULARY: Vocabulary = {
  words: ['on-line', 'on-battery', 'low-battery', 'fsd', 'overload', 'replace-battery'],
  numbers: { charge: '%', runtime: 'duration', load: '%' },
};

/** The variable behind each number, and how much of ours one of it is. */
export const NUMBERS: Readonly<Record<string, { readonly variable: string; readonly factor: number }>> = {
  charge: { variable: 'battery.charge', factor: 1 },
  runtime: { variable: 'battery.runtime', factor: 1000 },
  load: { variable: 'ups.load', factor: 1 },
};

const and = (one: Truth, other: Truth): Truth => (one === false || other === false ? false : one === true && other === true ? true : undefined);

/**
 * What follows from that, and what does not. `ups.status` is a set of flags: `OL CHRG`, `OB DISCHRG LB`,
 * but also `OL DISCHRG` and `OB CHRG`. One that holds neither OL nor OB (`WAIT` while a driver begins) says
 * nothing about the mains.
 */
export class UpsFacts implements Facts {
  readonly #variables: Variables | undefined;
  readonly #flags: ReadonlySet<string>;
  readonly #countsAsLow: boolean;

  /**
   * @param variables undefined: nobody knows
   * @param countsAsLow it was on battery when it fell silent, and has been for as long as was configured
   */
  constructor(variables: Variables | undefined, countsAsLow = false) {
    this.#variables = variables;
    this.#flags = new Set((variables?.get('ups.status') ?? '').split(/\s+/));
    this.#countsAsLow = countsAsLow;
  }

  is(word: string): Truth {
    switch (word) {
      // what upsd holds until it is begun anew, whatever the mains do: upsmon's order to shut down
      case 'fsd': return this.#has('FSD') || this.#known(false);
      case 'on-line': return this.#has('FSD') || this.#has('OB') ? false : this.#known(this.#has('OL'));
      // a battery that is being tested by its own UPS is used on purpose
      case 'on-battery': return this.#known(this.#has('OB') && !this.#has('CAL'));
      // with mains it is a battery that has still to be charged
      case 'low-battery': return this.#countsAsLow || and(this.is('on-battery'), this.#known(this.#has('LB')));
      case 'overload': return this.#known(this.#has('OVER'));
      default: return this.#known(this.#has('RB'));
    }
  }

  compare(word: string, isBelow: boolean, holds: (value: number) => boolean): Truth {
    const value = this.#number(word);
    const truth = value === undefined ? undefined : holds(value);
    // A battery that is being charged after a cut is low for hours: nobody means that by "charge < 40%".
    return isBelow && word !== 'load' ? and(this.is('on-battery'), truth) : truth;
  }

  /** What it does, in few words; undefined where it is not known. */
  get condition(): string | undefined {
    if (this.is('fsd')) return 'told to shut down';
    if (this.is('low-battery')) return 'on battery, which is low';
    if (this.is('on-battery')) return 'on battery';
    if (this.#has('CAL')) return 'calibrating its battery';
    return this.is('on-line') ? 'on line' : undefined;
  }

  /** `OB LB, charge 18 %, runtime 2 min`, for people. */
  toString(): string {
    const [charge, runtime] = [this.#number('charge'), this.#number('runtime')];
    return [
      [...this.#flags].join(' '), ...(charge === undefined ? [] : [`charge ${charge} %`]), ...(runtime === undefined ? [] : [`runtime ${formatDuration(runtime)}`]),
    ].join(', ');
  }

  #has(flag: string): boolean {
    return this.#flags.has(flag);
  }

  #known(value: boolean): Truth {
    return this.#has('OL') || this.#has('OB') ? value : undefined;
  }

  #number(word: string): number | undefined {
    const { variable, factor } = NUMBERS[word]!;
    const text = this.#variables?.get(variable) ?? '';
    return /^\d+(\.\d+)?$/.test(text) ? Number(text) * factor : undefined;
  }
}
