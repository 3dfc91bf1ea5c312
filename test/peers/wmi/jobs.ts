import { randomUUID } from 'node:crypto';
import { Reference, type CimClass, type Properties } from './cim.js';

/** Jobs of Hyper-V's management service (Msvm_ConcreteJob): what an order becomes that takes its time. */

export const JOB = { new: 2, starting: 3, running: 4, completed: 7, terminated: 8, killed: 9, exception: 10, warnings: 32_768 } as const;

/** How a job is to end. */
export interface JobPlan {
  /** one of {@link JOB}; usually 7 */
  readonly state?: number;
  readonly errorCode?: number;
  readonly description?: string;
  /** ms; Infinity: it never ends */
  readonly takes?: number;
  /** ms after its end at which it is gone; 0: nobody ever sees its end */
  readonly staysFor?: number;
  /** whether what was ordered has happened; else what its state says */
  readonly isDone?: boolean;
  /** true: the order's answer does not name it */
  readonly isHidden?: boolean;
}

/** ms after which Windows forgets what is over. */
const STAYS_FOR = 5 * 60_000;
/** A job says that it runs after this part of its time. */
const STARTING = 0.2;

interface Job {
  readonly id: string;
  readonly caption: string;
  readonly begun: number;
  readonly plan: Required<JobPlan>;
  readonly settle: (isDone: boolean) => void;
  end: { readonly at: number; readonly state: number; readonly errorCode: number; readonly description: string } | undefined;
}

export class Jobs {
  readonly #jobs = new Map<string, Job>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** for the jobs to come, in their order */
  readonly plans: JobPlan[] = [];
  /** ms that a job takes where no plan says so */
  takes: number;
  readonly #namespace: string;

  constructor(namespace: string, takes: number) {
    this.#namespace = namespace;
    this.takes = takes;
  }

  /** Jobs that are not over. */
  get running(): number {
    return [...this.#jobs.values()].filter(({ end }) => !end).length;
  }

  /** @param settle told at the end, with whether what was ordered has happened. @returns null where it is hidden */
  start(caption: string, settle: (isDone: boolean) => void): Reference | null {
    const { state = JOB.completed, errorCode = 0, description = '', takes = this.takes, staysFor = STAYS_FOR, isHidden = false, ...plan } = this.plans.shift() ?? {};
    const isDone = plan.isDone ?? ((state === JOB.completed || state === JOB.warnings) && errorCode === 0);
    const id = randomUUID().toUpperCase();
    const job: Job = { id, caption, begun: Date.now(), plan: { state, errorCode, description, takes, staysFor, isDone, isHidden }, settle, end: undefined };
    this.#jobs.set(id, job);
    if (takes === 0) this.#finish(job);
    else if (Number.isFinite(takes)) this.#after(takes, () => this.#finish(job));
    return isHidden ? null : this.reference(id);
  }

  reference(id: string): Reference {
    return new Reference(this.#namespace, 'Msvm_ConcreteJob', { InstanceID: id });
  }

  /** Ends the jobs of something that is no more: they fail. */
  abandon(settle: (isDone: boolean) => void): void {
    for (const job of this.#jobs.values()) if (job.settle === settle && !job.end) this.#finish(job, { state: JOB.exception, errorCode: 32_768, description: 'gone' });
  }

  stop(): void {
    this.#timers.forEach((timer) => clearTimeout(timer));
    this.#jobs.clear();
  }

  #after(ms: number, then: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      then();
    }, ms).unref();
    this.#timers.add(timer);
  }

  #finish(job: Job, other?: { state: number; errorCode: number; description: string }): void {
    if (job.end) return;
    const { state, errorCode, description, staysFor, isDone } = job.plan;
    job.end = { at: Date.now(), ...(other ?? { state, errorCode, description }) };
    job.settle(!other && isDone);
    if (staysFor === 0) this.#jobs.delete(job.id);
    else this.#after(staysFor, () => this.#jobs.delete(job.id));
  }

  get type(): CimClass {
    return { name: 'Msvm_ConcreteJob', keys: ['InstanceID'], instances: () => [...this.#jobs.values()].map((job) => this.#describe(job)) };
  }

  #describe({ id, caption, begun, plan, end }: Job): Properties {
    const passed = Date.now() - begun;
    const part = Number.isFinite(plan.takes) ? Math.min(1, passed / Math.max(1, plan.takes)) : 0.5;
    return {
      InstanceID: id, Caption: caption, Description: caption, ElementName: caption, Name: caption, JobStatus: end ? 'Job is completed' : 'Job is running',
      JobState: end?.state ?? (part < STARTING ? JOB.starting : JOB.running), ErrorCode: end?.errorCode ?? 0, ErrorDescription: end?.description ?? '',
      ErrorSummaryDescription: '', PercentComplete: end ? 100 : Math.floor(part * 100), StartTime: new Date(begun), ElapsedTime: null, Cancellable: false,
      DeleteOnCompletion: false, TimeBeforeRemoval: '00000000000500.000000:000', OperationalStatus: [2], Status: 'OK', HealthState: 5, JobType: 4,
    };
  }
}
