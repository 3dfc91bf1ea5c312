import { Deadline } from '../../../kit/deadline.js';
import { SCHEDULE_LATE, SCHEDULE_LEAP, SCHEDULE_LOOK, TRIGGER_BEGIN_TIMEOUT, TRIGGER_RETRY } from '../../../kit/trigger-limits.js';
import type { Trigger } from '../../contract.js';
import { MACHINE_CLOCK, type Clock } from '../../clock.js';
import { sourceOf, type TriggerHost } from '../contract.js';
import { Memory } from '../memory.js';
import { Calendar, timeIn } from './calendar.js';

export interface ScheduleSettings {
  readonly cron: string;
  readonly zone: string;
  /** what was due while the server was down, or while the clock was set past it */
  readonly missed: 'skip' | 'run';
  readonly plan: string;
}

/** What is kept over a restart. Times in milliseconds since 1970. */
interface Kept {
  readonly cron: string;
  readonly zone: string;
  readonly due: number | undefined;
  /** the last time that was begun or skipped: a clock that is set back does not make it due again */
  readonly handled: number | undefined;
}

/** A run that is due, until it has been begun. */
interface Owed {
  readonly due: number;
  readonly at: number;
  readonly words: string;
}

/** Begins a plan at certain times by the wall clock, which it compares again and again: one long timer would not notice that the clock was set. */
export class Schedule implements Trigger {
  readonly #settings: ScheduleSettings;
  readonly #host: TriggerHost;
  readonly #clock: Clock;
  readonly #calendar: Calendar;
  readonly #memory: Memory<Kept>;
  #due: number | undefined;
  #handled: number | undefined;
  #owed: Owed | undefined;
  #complaint: string | undefined;
  #cancel: () => void = () => undefined;
  #isClosed = false;

  constructor(settings: ScheduleSettings, host: TriggerHost) {
    this.#settings = settings;
    this.#host = host;
    this.#clock = host.clock ?? MACHINE_CLOCK;
    this.#calendar = new Calendar(settings.cron, settings.zone);
    this.#memory = new Memory(host);
    void this.#start();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#cancel();
    return Promise.resolve();
  }

  describe(): string {
    if (this.#owed !== undefined) return `due since ${this.#time(this.#owed.due)}`;
    return this.#due === undefined ? 'never due' : `next ${this.#time(this.#due)}`;
  }

  async #start(): Promise<void> {
    const { cron, zone } = this.#settings;
    const kept = await this.#memory.load();
    // Of a line that was changed meanwhile nothing was missed.
    if (kept?.cron === cron && kept.zone === zone) {
      this.#due = kept.due;
      this.#handled = kept.handled;
    } else {
      this.#due = this.#calendar.next(this.#clock.wall());
      this.#save();
    }
    await this.#look();
  }

  async #look(): Promise<void> {
    if (this.#isClosed) return;
    this.#decide(this.#clock.wall());
    if (this.#owed !== undefined) await this.#begin(this.#owed);
    if (this.#isClosed) return;
    const untilDue = (this.#due ?? Infinity) - this.#clock.wall();
    const wait = Math.min(SCHEDULE_LOOK, Math.max(0, untilDue), this.#owed === undefined ? Infinity : TRIGGER_RETRY);
    this.#cancel = this.#clock.after(wait, () => void this.#look());
  }

  /** What is due now, and when something is due next. */
  #decide(now: number): void {
    const { plan, missed } = this.#settings;
    if (this.#handled !== undefined && this.#handled - now > SCHEDULE_LEAP) {
      this.#host.log('warn', 'the clock was set back by more than a day: what was due by it before is forgotten', { now: this.#time(now), before: this.#time(this.#handled) });
      this.#handled = undefined;
    }
    const due = this.#due;
    if (due !== undefined && due <= now) {
      const isLate = now - due >= SCHEDULE_LATE;
      if (this.#owed !== undefined) this.#host.log('error', 'the plan could not be begun before it was due again', { plan, due: this.#time(this.#owed.due) });
      this.#owed = isLate && missed === 'skip' ? undefined : { due, at: now, words: `due ${this.#time(due)}${isLate ? ', late' : ''}` };
      if (this.#owed === undefined) this.#settle(due, 'skipped: it was due while the server was down or its clock was not right');
    }
    // Anew each time, since a clock that was set forth and back must not leave it waiting for a far day.
    const next = this.#calendar.next(Math.max(now, this.#handled ?? 0, this.#owed?.due ?? 0));
    if (next === this.#due) return;
    this.#due = next;
    // One that is owed is kept as due until it has begun: a restart finds it.
    if (this.#owed === undefined) this.#save();
  }

  async #begin(owed: Owed): Promise<void> {
    const { plan } = this.#settings;
    const source = sourceOf(this.#host);
    const deadline = new Deadline(TRIGGER_BEGIN_TIMEOUT);
    try {
      const begun = await deadline.run(() => this.#host.starter.begin(plan, { source, words: `${source}: ${owed.words}`, at: owed.at }));
      this.#owed = undefined;
      this.#complaint = undefined;
      this.#settle(owed.due, begun.result === 'held' ? 'not begun: the plan is held' : begun.result === 'runs' ? 'not begun: the plan runs already' : 'plan begun');
      this.#save();
    } catch (error) {
      const reason = (error as Error).message;
      if (reason !== this.#complaint) this.#host.log('error', 'the plan could not be begun and is tried again', { plan, due: this.#time(owed.due), reason });
      this.#complaint = reason;
    } finally {
      deadline.clear();
    }
  }

  #settle(due: number, message: string): void {
    this.#handled = due;
    this.#host.log('info', message, { plan: this.#settings.plan, due: this.#time(due) });
  }

  #save(): void {
    const { cron, zone } = this.#settings;
    void this.#memory.save({ cron, zone, due: this.#due, handled: this.#handled });
  }

  #time(time: number): string {
    return timeIn(this.#settings.zone, time);
  }
}
