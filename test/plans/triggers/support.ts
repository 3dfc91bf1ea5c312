import type { EventFacts } from '../../../src/instances/events.js';
import type { Begun, Cause, PlanStarter } from '../../../src/plans/contract.js';
import type { Clock } from '../../../src/plans/clock.js';
import type { TriggerHost } from '../../../src/plans/triggers/contract.js';
import type { KeyValue } from '../../../src/store/state.js';

/** A clock that a test holds. */
export class TestClock implements Clock {
  #wall: number;
  #elapsed = 1000;
  #timers: { at: number; work: () => void }[] = [];

  constructor(wall: string) {
    this.#wall = Date.parse(wall);
  }

  wall = (): number => this.#wall;
  elapsed = (): number => this.#elapsed;

  after = (ms: number, work: () => void): () => void => {
    const timer = { at: this.#elapsed + ms, work };
    this.#timers.push(timer);
    return () => { this.#timers = this.#timers.filter((one) => one !== timer); };
  };

  /** Somebody sets the clock on the wall. */
  set(wall: string): void {
    this.#wall = Date.parse(wall);
  }

  /** Lets time pass: every timer of it runs, in order, and what comes of it is waited for. */
  async pass(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    await settled();
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#go(next.at);
      next.work();
      await settled();
    }
    this.#go(end);
  }

  /** Time passes in which this process stands still: its timers run when it goes on, late, and before anything that has come meanwhile. */
  async standStill(ms: number): Promise<void> {
    this.#go(this.#elapsed + ms);
    const late = this.#timers.filter(({ at }) => at <= this.#elapsed).sort((one, other) => one.at - other.at);
    this.#timers = this.#timers.filter((one) => !late.includes(one));
    late.forEach(({ work }) => work());
    await settled();
  }

  /** As {@link pass}, to a time on the wall. */
  async passTo(wall: string): Promise<void> {
    await this.pass(Date.parse(wall) - this.#wall);
  }

  #go(elapsed: number): void {
    this.#wall += Math.max(0, elapsed - this.#elapsed);
    this.#elapsed = Math.max(this.#elapsed, elapsed);
  }
}

/** Lets all that needs no time go on. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => { setImmediate(resolve); });
}

/** Stands for the engine: notes what it is asked for. */
export class FakeStarter implements PlanStarter {
  readonly begun: { plan: string; cause: Cause }[] = [];
  readonly gone: { source: string; words: string; then: string | undefined }[] = [];
  /** what comes of the next one */
  answer: Begun['result'] | Error = 'begun';
  /** attempts, those that failed among them */
  attempts = 0;

  begin(plan: string, cause: Cause): Promise<Begun> {
    this.attempts += 1;
    if (this.answer instanceof Error) return Promise.reject(this.answer);
    if (this.answer !== 'held') this.begun.push({ plan, cause });
    return Promise.resolve(this.answer === 'held' ? { result: 'held' } : { result: this.answer, run: '0a1b2c3d' });
  }

  causeGone(source: string, words: string, then: string | undefined): Promise<void> {
    if (this.answer instanceof Error) return Promise.reject(this.answer);
    this.gone.push({ source, words, then });
    return Promise.resolve();
  }

  get plans(): readonly string[] {
    return this.begun.map(({ plan }) => plan);
  }
}

export interface FakeHost extends TriggerHost {
  readonly starter: FakeStarter;
  readonly stored: Map<string, string>;
  /** `level message`, and the facts as JSON */
  readonly lines: string[];
  tell(facts: EventFacts): void;
}

/** @param stored what was kept before a restart */
export function fakeHost(clock: Clock | undefined, stored = new Map<string, string>()): FakeHost {
  const lines: string[] = [];
  const listeners = new Set<(facts: EventFacts) => void>();
  const kv: { -readonly [Name in keyof KeyValue]: KeyValue[Name] } = {
    get: (key) => Promise.resolve(stored.get(key)),
    set: (key, value) => Promise.resolve(void stored.set(key, value)),
    delete: (key) => Promise.resolve(void stored.delete(key)),
    list: () => Promise.resolve([]),
  };
  return {
    name: 'ups', kv, stored, lines, starter: new FakeStarter(), groups: () => new Map([['lab', ['web*']]]),
    ...(clock && { clock }),
    log: (level, message, facts = {}) => lines.push(`${level} ${message} ${JSON.stringify(facts)}`),
    events: {
      listen: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    tell: (facts) => listeners.forEach((listener) => listener(facts)),
  };
}
