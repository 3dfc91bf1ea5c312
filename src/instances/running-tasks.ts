import { toArgoError, ArgoError, wholeMessage } from '../kit/errors.js';
import { Link, LinkedList } from '../kit/linked-list.js';
import type { Log } from '../kit/log.js';
import { onAbort } from '../kit/within.js';
import type { AuditLog } from '../store/audit-entry.js';
import type { OperationName } from './operation-table.js';
import type { Owner } from './owner.js';
import { isOwn, requireMeant, TASKS_OF_ALL, type Mandate } from './principal.js';
import type { Doing } from './progress.js';
import type { Registry } from './registry.js';
import { fullNameOf, instanceOf, ownerOf, type Subject } from './subject.js';
import { endingFor, ENDINGS, type Ending } from './turn.js';

/** An action under way. */
export interface TaskInfo {
  /** its number in the audit; of what is a task, that one's id */
  readonly id: string;
  readonly account: string;
  readonly operation: OperationName;
  /** full name; a provider's name where it is done to that */
  readonly instance: string;
  readonly since: Date;
  /** in words: `verifying` */
  readonly doing: Doing;
}

interface Task {
  readonly id: string;
  readonly run: Run;
  readonly mandate: Mandate;
  readonly subject: Subject;
  readonly operation: OperationName;
  readonly since: Date;
  isAllowed(): boolean;
}

/** How it ended well: `already` where nothing had to be sent. */
interface Result {
  readonly result: 'done' | 'already';
}

/** What is done from its turn to its end. */
interface Run<O extends Result = Result> {
  /** @throws ArgoError with what is known */
  run(): Promise<O>;
  end(ending: Ending): void;
  readonly doing: Doing;
}

/** Something to be done and recorded. */
export interface Job<O extends Result> {
  readonly operation: OperationName;
  /** as they are typed, for the audit */
  readonly options: string;
  /** of what is a task; left out: it is known by its number in the audit */
  readonly id?: string;
  /** kept open as well while it runs */
  readonly holds?: readonly Owner[];
  /** whether who does it still may */
  isAllowed(): boolean;
  begin(): Run<O>;
}

/** What is done to machines and their hosts, from its record in the audit to its end: it can be listed, cancelled, and waited for when the server ends. */
export class RunningTasks {
  readonly #parts: { readonly registry: Registry; readonly audit: AuditLog; readonly log: Log };
  readonly #tasks = new LinkedList<Task>();
  #running = 0;
  #ending = false;
  /** how those end whose beginning was still being written down when all others were told to end */
  #endingOfLate: (() => Ending) | undefined;
  #whenDone: (() => void) | undefined;

  constructor(parts: { readonly registry: Registry; readonly audit: AuditLog; readonly log: Log }) {
    this.#parts = parts;
  }

  /** Carries it out, recorded before and after. @throws ArgoError SHUTTING DOWN; NOT SUPPORTED in a dry run; with what is known */
  async carryOut<O extends Result>(mandate: Mandate, subject: Subject, job: Job<O>): Promise<O & { readonly auditId: number }> {
    requireMeant(mandate);
    if (this.#ending) throw new ArgoError('SHUTTING DOWN');
    this.#running += 1;
    try {
      return await this.#recorded(mandate, subject, job);
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#whenDone?.();
    }
  }

  /** The actions under way that a mandate may know of. */
  list(mandate: Mandate): readonly TaskInfo[] {
    return [...this.#tasks].filter((task) => mayManage(mandate, task)).map(({ id, run, mandate: { identity }, subject, operation, since }) => ({
      id, account: identity.name, operation, instance: fullNameOf(subject), since, doing: run.doing,
    }));
  }

  /** Ends the waiting of an action. What was sent stays sent. @throws ArgoError NO SUCH TASK */
  cancel(mandate: Mandate, id: string): void {
    const task = [...this.#tasks].find((one) => one.id === id);
    if (task === undefined || !mayManage(mandate, task)) throw new ArgoError('NO SUCH TASK', id);
    task.run.end(ENDINGS.cancelled());
  }

  /** Ends what its account may not do any longer. */
  review(): void {
    for (const { run, isAllowed } of this.#tasks) if (!isAllowed()) run.end(ENDINGS.forbidden());
  }

  /** Takes no further ones and waits for those that run. @param ms how long they may go on @param last milliseconds after that in which they have to say what is known */
  async drain(ms: number, last: number): Promise<void> {
    this.#ending = true;
    if (await this.#allDone(ms)) return;
    this.#endAll(ENDINGS.shutDown);
    await this.#allDone(last);
  }

  /** Ends what runs without a further look. @param ms in which it has to end */
  async hurry(ms: number): Promise<void> {
    this.#ending = true;
    this.#endAll(ENDINGS.hurried);
    await this.#allDone(ms);
  }

  #endAll(ending: () => Ending): void {
    this.#endingOfLate = ending;
    for (const { run } of this.#tasks) run.end(ending());
  }

  async #allDone(ms: number): Promise<boolean> {
    if (this.#running === 0) return true;
    return new Promise((resolve) => {
      const before = this.#whenDone;
      const timer = setTimeout(() => resolve(false), ms);
      this.#whenDone = () => {
        before?.();
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  async #recorded<O extends Result>(mandate: Mandate, subject: Subject, job: Job<O>): Promise<O & { readonly auditId: number }> {
    const { audit, log } = this.#parts;
    const { operation, options: typed, id, holds = [], begin } = job;
    const facts = {
      account: mandate.identity.name,
      from: mandate.origin,
      command: commandOf(mandate, operation),
      instance: fullNameOf(subject),
      options: typed,
    };
    // it may be told to end before it is there
    const under: { run?: Run } = {};
    const releases = [ownerOf(subject), ...holds].map((owner) => owner.hold(() => under.run?.end(ENDINGS.closed()), id !== undefined));
    const release = (): void => releases.forEach((letGo) => letGo());
    const auditId = await audit.begin(facts).catch((thrown: unknown) => {
      release();
      throw thrown;
    });
    const tell = (outcome: string, ms?: number): void => {
      const { account, command, instance, options } = facts;
      this.#parts.registry.events?.add({ type: 'action', instance, account, command, options, auditId, outcome, ...(ms === undefined ? {} : { ms }) }, instanceOf(subject));
    };
    tell('begun');
    const began = performance.now();
    const run = begin();
    under.run = run;
    const task = new Link<Task>({ id: id ?? String(auditId), run, mandate, subject, operation, since: new Date(), isAllowed: () => job.isAllowed() });
    this.#tasks.append(task);
    if (this.#endingOfLate) run.end(this.#endingOfLate());
    const forget = whenCancelled(mandate, (reason) => run.end(endingFor(reason, this.#endingOfLate ?? (this.#ending ? ENDINGS.shutDown : undefined))));
    try {
      const outcome = await run.run();
      const words = outcomeWords(outcome);
      await audit.end(auditId, words, performance.now() - began);
      tell(words, performance.now() - began);
      log('info', 'action', { ...facts, outcome: words });
      return { ...outcome, auditId };
    } catch (thrown) {
      const error = toArgoError(thrown);
      await audit.end(auditId, error.message, performance.now() - began);
      tell(error.message, performance.now() - began);
      log('warn', 'action', { ...facts, outcome: wholeMessage(error), cause: error.cause });
      throw error;
    } finally {
      forget();
      release();
      task.leave();
    }
  }
}

/** Calls back when all that a mandate does is cancelled, also if that was before. @returns ends that */
function whenCancelled({ cancelled }: Mandate, end: (reason: unknown) => void): () => void {
  return cancelled === undefined ? () => undefined : onAbort(cancelled, end);
}

/** What the audit names as the command: `stop`, or `cycle: stop` where a command of another name does it. */
export function commandOf({ through }: Mandate, operation: OperationName): string {
  return through === undefined || through.word === operation ? operation : `${through.word}: ${operation}`;
}

/** How the audit says that it went well. */
const outcomeWords = ({ result }: Result): string => (result === 'done' ? 'done' : 'already so');

/** Own ones, and all for whoever may do everything on their provider. */
const mayManage = ({ identity }: Mandate, { mandate, subject }: Task): boolean =>
  isOwn(identity.name, mandate.identity.name) || identity.principal.allowsProvider(ownerOf(subject).name, TASKS_OF_ALL);
