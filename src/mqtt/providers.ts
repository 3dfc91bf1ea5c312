import { MQTT_ASKING, MQTT_LIST_EVERY, MQTT_NAMES } from '../kit/mqtt-limits.js';
import type { Gate } from './gate.js';
import type { Machine } from './machine.js';

/**
 * What counts of what a provider has told. `partial`: it answers, and does not know all. `silent`: it does not answer.
 * `unsure`: one of the two.
 */
export type Standing = 'current' | 'partial' | 'silent' | 'unsure';

/** Providers of which the end of a list says that they may have more, or do not answer: `stale: kvm1 (UNREACHABLE: …), kvm2`. */
export const staleProviders = (note: string): ReadonlySet<string> =>
  (note.startsWith('stale: ') ? new Set([...note.matchAll(/(?:^stale: |, )([\w.-]+)(?= \(|, |$)/g)].map(([, name = '']) => name)) : new Set());

/**
 * Whether what is known of a provider's machines is true now. A list says of some that it may not be. Whether such a one
 * answers, is in its events; these come to those alone who may do everything there, and only when it changes. Of others a few
 * machines are asked: where one of them tells its state, its provider answers.
 */
export class Providers {
  readonly #gate: Gate;
  readonly #signal: AbortSignal;
  readonly #found: () => void;
  #stale: ReadonlySet<string> = new Set();
  /** what they have said themselves since it is followed without a gap */
  readonly #told = new Map<string, boolean>();
  /** what their machines have shown, and when that was asked, on the clock of performance.now() */
  readonly #shown = new Map<string, { readonly answers: boolean | undefined; readonly at: number }>();

  /** machines of those that are to be asked next */
  #samples = new Map<string, Machine[]>();
  readonly #looking = new Set<string>();

  /** @param found what was found out makes a difference */
  constructor(gate: Gate, found: () => void, signal: AbortSignal) {
    this.#gate = gate;
    this.#found = found;
    this.#signal = signal;
  }

  /** Those of which the list says that they may have more, or do not answer. */
  get stale(): ReadonlySet<string> {
    return this.#stale;
  }

  /** What they said was said to an earlier life of the server, or before what was missed. */
  begin(): void {
    this.#told.clear();
  }

  says(provider: string, answers: boolean): void {
    this.#told.set(provider, answers);
  }

  /** @param note the end of a list */
  listed(note: string): void {
    this.#stale = staleProviders(note);
    for (const provider of this.#shown.keys()) if (!this.#stale.has(provider)) this.#shown.delete(provider);
  }

  standingOf(provider: string): Standing {
    if (!this.#stale.has(provider)) return 'current';
    const answers = this.#told.get(provider) ?? this.#shown.get(provider)?.answers;
    return answers === undefined ? 'unsure' : answers ? 'partial' : 'silent';
  }

  /** Asks machines of those that say nothing of themselves, now and then. Nothing waits for it. */
  ask(machines: Iterable<Machine>): void {
    const samples = new Map<string, Machine[]>();
    for (const machine of machines) {
      const { provider, state } = machine;
      // one whose state is known to nobody shows nothing of others
      if (state === 'unknown' || !this.#mustBeAsked(provider)) continue;
      const sample = samples.get(provider) ?? [];
      samples.set(provider, sample);
      if (sample.length < MQTT_NAMES) sample.push(machine);
    }
    this.#samples = samples;
    this.#pump();
  }

  /** Some at a time: each has a connection of its own. */
  #pump(): void {
    for (const [provider, sample] of this.#samples) {
      if (this.#looking.size >= MQTT_ASKING) return;
      this.#samples.delete(provider);
      this.#looking.add(provider);
      void this.#look(provider, sample).finally(() => {
        this.#looking.delete(provider);
        this.#pump();
      });
    }
  }

  #mustBeAsked(provider: string): boolean {
    if (!this.#stale.has(provider) || this.#told.has(provider) || this.#looking.has(provider)) return false;
    const shown = this.#shown.get(provider);
    return shown === undefined || performance.now() - shown.at >= MQTT_LIST_EVERY / 2;
  }

  async #look(provider: string, sample: readonly Machine[]): Promise<void> {
    const before = this.#shown.get(provider)?.answers;
    this.#shown.set(provider, { answers: before, at: performance.now() });
    // whoever cannot be asked is not known to answer
    const answers = await this.#gate.areSeen(sample, this.#signal).catch(() => false);
    if (this.#signal.aborted || !this.#shown.has(provider)) return;
    this.#shown.set(provider, { answers, at: performance.now() });
    if (answers !== before && !this.#told.has(provider)) this.#found();
  }
}
