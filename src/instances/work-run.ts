import type { WorkCall } from '../drivers/management/contract.js';
import { Deadline, DeadlineExceeded, explainDeadline } from '../kit/deadline.js';
import { ArgoError } from '../kit/errors.js';
import type { Signals } from '../kit/signals.js';
import { formatDuration } from '../kit/text.js';
import { notLonger } from '../kit/within.js';
import { WORK_LAST_WORD, WORK_LISTED_TIMEOUT, WORK_TAKES_BACK, WORK_TURN_TIMEOUT } from '../kit/work-limits.js';
import type { Owner } from './owner.js';
import type { Doing } from './progress.js';
import { fullNameOf, instanceOf, ownerOf, type Subject } from './subject.js';
import type { Ending, Holder, Turn } from './turn.js';

/** What a piece of work that changes something works on. */
export interface WorkRunParts<T> {
  readonly subject: Subject;
  /** the subject's, and where it goes */
  readonly owners: readonly Owner[];
  /** in words, for who waits behind it: `machine.migrate` */
  readonly title: string;
  readonly account: string;
  /** random: names what is half made */
  readonly task: string;
  readonly isTask: boolean;
  /** milliseconds, from when its turn has come */
  readonly ms: number;
  readonly signals: Signals;
  /** that nothing else may have meanwhile */
  readonly turn: Turn | undefined;
  /** Lists the machines that have come or gone by it. Never rejects. */
  readonly listAgain: (() => Promise<void>) | undefined;
  /** asked again when the turn has come. @throws ArgoError NOT ALLOWED */
  permit(): void;
  work(call: WorkCall): Promise<T>;
  progress?(part: number): void;
}

export interface WorkOutcome<T> {
  readonly result: 'done';
  readonly value: T;
}

/** What a driver said of work that was told to end. */
type LastWord<T> = { readonly value: T } | { readonly thrown: unknown } | undefined;

/** One piece of work, from its turn to its end. What came of it is the driver's word alone, also where it was told to end. */
export class WorkRun<T> implements Holder {
  readonly #parts: WorkRunParts<T>;
  readonly #waiting: Deadline;
  #deadline: Deadline | undefined;
  #ending: Ending | undefined;
  #cutShort: ((ms: number) => void) | undefined;
  #working: Promise<T> | undefined;
  #part = 0;

  constructor(parts: WorkRunParts<T>) {
    this.#parts = parts;
    this.#waiting = new Deadline(Math.min(parts.ms, WORK_TURN_TIMEOUT), parts.signals);
  }

  get title(): string {
    return this.#parts.title;
  }

  get doing(): Doing {
    if (this.#working === undefined) return 'waiting for its turn';
    if (this.#ending) return 'taking back';
    return this.#parts.isTask ? `working (${Math.floor(this.#part * 100)} %)` : 'working';
  }

  /** It goes on: a machine that is being moved or copied is not switched meanwhile. Who wants that cancels it. */
  giveWay(): void {}

  /** Ends it early. The first reason counts; a later one may hurry it. */
  end(ending: Ending): void {
    if (this.#ending) {
      this.#cutShort?.(ending.look);
      return;
    }
    this.#ending = ending;
    this.#waiting.abort(ending.unsent);
    this.#deadline?.abort(ending.unsent);
  }

  /** @throws ArgoError with what is known */
  async run(): Promise<WorkOutcome<T>> {
    const { account, turn, permit, subject, ms, signals, listAgain } = this.#parts;
    const leave = await turn?.take(this, account, false, this.#waiting).catch((thrown: unknown) => {
      throw thrown instanceof DeadlineExceeded ? new ArgoError('BUSY', `another action holds ${this.#name}`) : thrown;
    }).finally(() => this.#waiting.clear());
    this.#waiting.clear();
    this.#deadline = new Deadline(ms, signals);
    if (this.#ending) this.#deadline.abort(this.#ending.unsent);
    try {
      permit();
      const value = await this.#work(this.#deadline);
      if (listAgain) await notLonger(WORK_LISTED_TIMEOUT, listAgain());
      return { result: 'done', value };
    } catch (thrown) {
      // something may have come or gone all the same
      if (this.#working) void listAgain?.();
      throw explainDeadline(thrown, ownerOf(subject).name);
    } finally {
      this.#deadline.clear();
      leave?.();
    }
  }

  get #name(): string {
    const { subject } = this.#parts;
    return instanceOf(subject)?.name ?? fullNameOf(subject);
  }

  async #work(deadline: Deadline): Promise<T> {
    const { subject, account, isTask, task, work } = this.#parts;
    const owner = ownerOf(subject);
    const begin = (signal: AbortSignal): Promise<T> => {
      this.#noteChange();
      return this.#working = begun(() => work({ signal, task, progress: (part) => this.#progress(part) }));
    };
    try {
      return await (isTask ? owner.attend(deadline, begin) : owner.call(deadline, begin, { account, urgency: 'order' }));
    } catch (thrown) {
      if (this.#working === undefined || !deadline.exceeded) throw thrown;
      const word = await this.#lastWord(this.#working);
      if (word && 'value' in word) return word.value;
      throw this.#told(word?.thrown, deadline);
    } finally {
      if (this.#working) this.#noteChange();
    }
  }

  /** What is said of work that had begun and was told to end. */
  #told(thrown: unknown, deadline: Deadline): ArgoError {
    const event = this.#ending?.event ?? `it had not ended after ${formatDuration(this.#parts.ms)}`;
    const isPassedOn = thrown === deadline.reason || !(thrown instanceof ArgoError);
    if (isPassedOn) return new ArgoError('UNCERTAIN', `${event}; what came of it cannot be told`, { cause: thrown });
    if (thrown.phrase === 'UNREACHABLE') return new ArgoError(this.#ending?.unsent.phrase ?? 'TIMEOUT', `${event}; nothing of it is left`, { cause: thrown });
    return thrown;
  }

  /** What was read before holds no longer, and of what comes or goes nobody knows yet. */
  #noteChange(): void {
    const { subject, owners } = this.#parts;
    for (const owner of owners) owner.changed('');
    const instance = instanceOf(subject);
    if (instance) ownerOf(subject).changed(instance.id);
  }

  #progress(part: number): void {
    if (typeof part !== 'number' || !(part >= 0)) return;
    this.#part = Math.min(part, 1);
    this.#parts.progress?.(this.#part);
  }

  /** Only the driver knows what came of it. Undefined where it does not say in time. */
  #lastWord(working: Promise<T>): Promise<LastWord<T>> {
    const ending = this.#ending;
    return new Promise((resolve) => {
      let timer = setTimeout(resolve, ending?.isOfServer ? ending.look : this.#parts.isTask ? WORK_TAKES_BACK : WORK_LAST_WORD, undefined);
      this.#cutShort = (ms) => {
        clearTimeout(timer);
        timer = setTimeout(resolve, ms, undefined);
      };
      void working.then((value) => ({ value }), (thrown: unknown) => ({ thrown })).then((word) => {
        clearTimeout(timer);
        resolve(word);
      });
    });
  }
}

/** What is thrown at once is an end like any other. */
async function begun<T>(work: () => Promise<T>): Promise<T> {
  return work();
}
