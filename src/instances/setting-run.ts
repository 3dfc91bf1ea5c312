import type { Autostart } from '../drivers/driver.js';
import { Deadline, DeadlineExceeded, explainDeadline } from '../kit/deadline.js';
import { ArgoError } from '../kit/errors.js';
import { RECHECK_TIMEOUT } from '../kit/limits.js';
import type { Signals } from '../kit/signals.js';
import type { Caller } from './calls.js';
import type { Instance } from './instance.js';
import type { Change } from './order.js';
import { Progress, type Doing } from './progress.js';
import { ENDINGS, lastWord, type Ending, type Holder } from './turn.js';

/** What a change of a machine's settings works on. */
export interface SettingRunParts {
  readonly instance: Instance;
  readonly change: Change;
  readonly account: string;
  /** milliseconds for all of it */
  readonly deadline: number;
  readonly signals: Signals;
  /** asked again when the turn has come. @throws ArgoError NOT ALLOWED */
  permit(): void;
}

export interface SettingOutcome {
  /** `already`: it was so before, and nothing was sent */
  readonly result: 'done' | 'already';
}

/** One change of a machine's settings, from its turn to its verified end: it is done where it reads back as it was set. */
export class SettingRun implements Holder {
  readonly #parts: SettingRunParts;
  readonly #deadline: Deadline;
  readonly #progress = new Progress(() => this.end(ENDINGS.takenOver()));
  #ending: Ending | undefined;

  constructor(parts: SettingRunParts) {
    this.#parts = parts;
    this.#deadline = new Deadline(parts.deadline, parts.signals);
  }

  get title(): string {
    return `${this.#parts.change.operation} ${valueWord(this.#parts.change)}`;
  }

  get doing(): Doing {
    return this.#progress.doing;
  }

  giveWay(): void {
    this.#progress.giveWay();
  }

  end(ending: Ending): void {
    this.#ending ??= ending;
    this.#deadline.abort(this.#ending.unsent);
  }

  /** @throws ArgoError with what is known */
  async run(): Promise<SettingOutcome> {
    const { instance, account } = this.#parts;
    const leave = await instance.turn.take(this, account, false, this.#deadline).catch((thrown: unknown) => {
      this.#deadline.clear();
      throw thrown instanceof DeadlineExceeded ? new ArgoError('BUSY', `another action holds ${instance.name}`) : thrown;
    });
    try {
      this.#parts.permit();
      return { result: await this.#change() };
    } catch (thrown) {
      throw explainDeadline(thrown, instance.name);
    } finally {
      this.#progress.end();
      this.#deadline.clear();
      leave();
    }
  }

  async #change(): Promise<SettingOutcome['result']> {
    this.#progress.begin('reading the setting');
    if (await this.#read(this.#deadline) === this.#parts.change.value) return 'already';
    const isDoubtful = await this.#send();
    this.#progress.begin('verifying');
    const recheck = new Deadline(this.#ending?.look ?? RECHECK_TIMEOUT);
    const found = await this.#read(recheck).catch(() => 'untold' as const).finally(() => recheck.clear());
    if (found === this.#parts.change.value) return 'done';
    const { name } = this.#parts.instance;
    if (found === 'untold' || isDoubtful) throw new ArgoError('UNCERTAIN', `the order was sent to ${name}, and whether it was carried out cannot be told`);
    throw new ArgoError('FAILED', `the order was accepted, but ${this.#parts.change.operation} of ${name} is as it was`);
  }

  /** @returns whether it is not known that it was accepted. @throws ArgoError where it was not carried out */
  async #send(): Promise<boolean> {
    let sending: Promise<void> | undefined;
    this.#progress.begin('sending');
    try {
      await this.#call(this.#deadline, (autostart, signal) => {
        sending = autostart.set(this.#parts.change.value, signal);
        return sending;
      });
      return false;
    } catch (thrown) {
      if (!sending) throw thrown;
      const told = this.#deadline.exceeded ? await lastWord(sending) : thrown;
      if (told === 'done') return false;
      if (!(told instanceof ArgoError) || told === this.#deadline.reason || told.phrase === 'UNCERTAIN') return true;
      throw told;
    } finally {
      this.#parts.instance.owner.changed(this.#parts.instance.machine.id);
    }
  }

  #read(deadline: Deadline): Promise<boolean | undefined> {
    return this.#call(deadline, (autostart, signal) => autostart.read(signal));
  }

  #call<T>(deadline: Deadline, work: (autostart: Autostart, signal: AbortSignal) => Promise<T>): Promise<T> {
    const { instance, account } = this.#parts;
    const caller: Caller = { account, urgency: 'order' };
    return instance.owner.call(deadline, (signal) => work(instance.machine.autostart!, signal), caller);
  }
}

/** A value as it is typed. */
export const valueWord = ({ value }: Pick<Change, 'value'>): 'on' | 'off' => (value ? 'on' : 'off');
