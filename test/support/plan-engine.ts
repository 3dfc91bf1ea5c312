import type { PlanSettings, StageSettings } from '../../src/config/config.js';
import type { Actor } from '../../src/instances/actor.js';
import type { InstanceInfo } from '../../src/instances/info.js';
import { hasEnded, type RunChange, type RunInfo, type RunState, type StageInfo, type StageState, type TargetInfo, type TargetState } from '../../src/instances/plans.js';
import { ArgoError } from '../../src/kit/errors.js';
import type { Begun, Cause, PlanEngine, StageTargets } from '../../src/plans/contract.js';

export const stageOf = (name: string, targets: readonly string[], rest: Partial<StageSettings> = {}): StageSettings => ({
  name, targets, action: 'stop', after: [], parallel: 16, soft: undefined, then: 'force', pauseBefore: 0, pauseBetween: 0,
  settle: undefined, maxFailures: undefined, onFailure: 'continue', ...rest,
});

export const planOf = (name: string, stages: readonly StageSettings[], rest: Partial<PlanSettings> = {}): PlanSettings => ({
  name, stages, account: 'ups', timeLimit: undefined, resume: 'continue', exclusive: undefined, whenBusy: 'wait', undo: undefined, fingerprint: '', ...rest,
});

/** Hands on what is given to it, in order. */
class Channel {
  readonly #waiting: RunChange[] = [];
  #wake = (): void => undefined;
  #isOver = false;

  push(change: RunChange): void {
    this.#waiting.push(change);
    this.#wake();
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  async*read(): AsyncGenerator<RunChange> {
    for (;;) {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) yield next;
      if (this.#isOver) return;
      await new Promise<void>((resolve) => { this.#wake = resolve; });
    }
  }
}

interface Kept {
  run: RunInfo;
  readonly stages: Map<string, StageInfo>;
  readonly targets: Map<string, TargetInfo>;
  readonly channels: Set<Channel>;
}

/** An engine that does nothing by itself: the test says how a run goes. */
export class MemoryEngine implements PlanEngine {
  readonly #plans: Map<string, PlanSettings>;
  readonly #actorOf: (plan: PlanSettings, origin: string) => Actor;
  readonly #runs = new Map<string, Kept>();
  readonly #held = new Set<string>();
  readonly causes: Cause[] = [];
  /** asked for what a plan selects */
  resolved = 0;
  /** followers that have not left */
  following = 0;
  /** put in the place of what plans select */
  select: ((plan: PlanSettings) => Promise<readonly StageTargets[]>) | undefined;

  constructor(plans: readonly PlanSettings[], actorOf: (plan: PlanSettings, origin: string) => Actor) {
    this.#plans = new Map(plans.map((plan) => [plan.name, plan]));
    this.#actorOf = actorOf;
  }

  plan(name: string): PlanSettings | undefined {
    return this.#plans.get(name);
  }

  plans(): readonly PlanSettings[] {
    return [...this.#plans.values()];
  }

  underWay(): readonly RunInfo[] {
    return [...this.#runs.values()].map(({ run }) => run).filter((run) => !hasEnded(run));
  }

  /** As a reload takes it away. */
  remove(name: string): void {
    this.#plans.delete(name);
  }

  actor(plan: PlanSettings, origin: string): Actor {
    return this.#actorOf(plan, origin);
  }

  async targets(plan: PlanSettings): Promise<readonly StageTargets[]> {
    this.resolved += 1;
    if (this.select) return this.select(plan);
    const actor = this.actor(plan, 'test');
    return Promise.all(plan.stages.map(async ({ name: stage, targets }) => {
      const remarks: string[] = [];
      const found = new Map<string, InstanceInfo>();
      for (const word of targets) {
        const { instances } = await actor.select([word]).catch((error: unknown) => {
          remarks.push(`${(error as ArgoError).phrase}: ${word}`);
          return { instances: [] };
        });
        instances.forEach((one) => found.set(one.fullName, one));
      }
      return { stage, targets: [...found.values()], remarks };
    }));
  }

  async begin(plan: string, cause: Cause): Promise<Begun> {
    const settings = this.#plans.get(plan);
    if (settings === undefined) throw new ArgoError('NO SUCH PLAN', plan);
    if (this.#held.has(plan)) return { result: 'held' };
    const running = [...this.#runs.values()].find(({ run }) => run.plan === plan && !hasEnded(run));
    if (running) return { result: 'runs', run: running.run.id };
    this.causes.push(cause);
    const id = (0x1a2b3c00 + this.#runs.size).toString(16);
    const stages = new Map(settings.stages.map(({ name, action, after }): [string, StageInfo] =>
      [name, { name, action, after, state: 'waiting', reason: undefined, targets: { ended: 0, failed: 0, all: 0 } }]));
    this.#runs.set(id, {
      run: {
        id, plan, state: 'running', began: new Date(cause.at), ended: undefined, deadline: undefined, cause: cause.words, reason: undefined,
        stages: { ended: 0, all: stages.size }, targets: { ended: 0, failed: 0, all: 0 },
      },
      stages, targets: new Map(), channels: new Set(),
    });
    return { result: 'begun', run: id };
  }

  async causeGone(): Promise<void> {
    // accounts never ask for it
  }

  async runs(): Promise<readonly RunInfo[]> {
    return [...this.#runs.values()].map(({ run }) => run).reverse();
  }

  async run(id: string): Promise<RunChange | undefined> {
    const kept = this.#runs.get(id);
    return kept && { run: kept.run, stages: [...kept.stages.values()], targets: [...kept.targets.values()] };
  }

  async*changes(id: string, signal: AbortSignal): AsyncGenerator<RunChange> {
    const kept = this.#runs.get(id);
    if (kept === undefined || hasEnded(kept.run)) return;
    const channel = new Channel();
    kept.channels.add(channel);
    signal.addEventListener('abort', () => channel.end());
    this.following += 1;
    try {
      yield* channel.read();
    } finally {
      this.following -= 1;
      kept.channels.delete(channel);
    }
  }

  async cancel(id: string, words: string): Promise<RunInfo> {
    return this.end(id, 'cancelled', words);
  }

  async resume(id: string): Promise<RunInfo> {
    const { run } = this.#kept(id);
    if (run.state !== 'asking') throw new ArgoError('WRONG STATE', `${id} is ${run.state}`);
    return this.setRun(id, { state: 'running' });
  }

  isHeld(plan: string): boolean {
    return this.#held.has(plan);
  }

  async hold(plan: string): Promise<void> {
    this.#held.add(plan);
  }

  async release(plan: string): Promise<void> {
    this.#held.delete(plan);
  }

  setRun(id: string, change: Partial<RunInfo>): RunInfo {
    const kept = this.#kept(id);
    kept.run = { ...kept.run, ...change };
    this.#tell(kept, [], []);
    return kept.run;
  }

  stage(id: string, name: string, state: StageState, targets: StageInfo['targets'], reason?: string): void {
    const kept = this.#kept(id);
    const stage = { ...kept.stages.get(name)!, state, targets, reason };
    kept.stages.set(name, stage);
    this.#tell(kept, [stage], []);
  }

  target(id: string, stage: string, instance: string, state: TargetState, detail = ''): void {
    const kept = this.#kept(id);
    const target: TargetInfo = { stage, instance, action: kept.stages.get(stage)!.action, state, detail };
    kept.targets.set(`${stage} ${instance}`, target);
    const all = [...kept.targets.values()];
    const failed = all.filter((one) => one.state === 'failed' || one.state === 'uncertain').length;
    kept.run = { ...kept.run, targets: { ended: all.filter((one) => one.state !== 'waiting' && one.state !== 'sent').length, failed, all: all.length } };
    this.#tell(kept, [], [target]);
  }

  end(id: string, state: RunState, reason?: string): RunInfo {
    const kept = this.#kept(id);
    if (hasEnded(kept.run)) throw new ArgoError('WRONG STATE', `${id} has ended`);
    kept.run = { ...kept.run, state, reason, ended: new Date() };
    this.#tell(kept, [], []);
    kept.channels.forEach((channel) => channel.end());
    return kept.run;
  }

  #kept(id: string): Kept {
    const kept = this.#runs.get(id);
    if (kept === undefined) throw new Error(`no run ${id}`);
    return kept;
  }

  #tell({ run, channels }: Kept, stages: readonly StageInfo[], targets: readonly TargetInfo[]): void {
    channels.forEach((channel) => channel.push({ run, stages, targets }));
  }
}
