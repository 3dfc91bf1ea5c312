import { closeClass } from '../kit/closed.js';
import { ArgoError, withoutCause } from '../kit/errors.js';
import { checkText, copyCall } from './entrance.js';
import type { Cancelled, PlanAsker, PlanDesk, PlanInfo, Plans, PlanStep, RunChange, RunInfo, StageInfo, TargetInfo, TriggerInfo } from './plans.js';
import { requireMeant, type Mandate } from './principal.js';
import { told } from './told.js';

/**
 * Plans through an actor: until its request is over, and for commands whose right is `plan`. What is
 * handed in is read once, and what comes out is the asker's own copy.
 */
export class ActorPlans implements Plans {
  readonly #desk: PlanDesk | undefined;
  readonly #mandate: Mandate;
  readonly #asker: PlanAsker;
  readonly #isBarred: boolean;
  readonly #isOver: () => boolean;

  /** @param desk undefined where there are no plans */
  constructor(desk: PlanDesk | undefined, mandate: Mandate, isOver: () => boolean) {
    const { identity, origin, through } = mandate;
    this.#desk = desk;
    this.#mandate = mandate;
    this.#asker = { identity, origin };
    this.#isBarred = through !== undefined && through.right !== 'plan';
    this.#isOver = isOver;
  }

  async list(): Promise<readonly PlanInfo[]> {
    if (this.#desk === undefined || !this.#isOpen) return [];
    const plans = await told(this.#desk.list(this.#asker));
    return Object.freeze(plans.map(({ name, isHeld, run }) => Object.freeze({ name, isHeld, run: run && copyRun(run) })));
  }

  async triggers(): Promise<readonly TriggerInfo[]> {
    if (this.#desk === undefined || !this.#isOpen) return [];
    const triggers = await told(this.#desk.triggers(this.#asker));
    return Object.freeze(triggers.map((one) => Object.freeze({ ...one, plans: Object.freeze([...one.plans]) })));
  }

  async*preview(plan: string, signal: AbortSignal): AsyncGenerator<PlanStep> {
    const name = checkText(plan, 'a plan\'s name');
    yield* this.#each(this.#deskFor(name).preview(this.#asker, name, checkSignal(signal)), (step) => Object.freeze({ ...step }));
  }

  async run(plan: string): Promise<RunInfo> {
    const name = checkText(plan, 'a plan\'s name');
    requireMeant(this.#mandate);
    return copyRun(await told(this.#deskFor(name).run(this.#asker, name)));
  }

  async runs(): Promise<readonly RunInfo[]> {
    if (this.#desk === undefined || !this.#isOpen) return [];
    return Object.freeze((await told(this.#desk.runs(this.#asker))).map(copyRun));
  }

  async status(run: string): Promise<RunChange> {
    const id = checkText(run, 'a run\'s id');
    return copyChange(await told(this.#deskFor(id).status(this.#asker, id)));
  }

  async*follow(run: string, signal: AbortSignal): AsyncGenerator<RunChange> {
    const id = checkText(run, 'a run\'s id');
    yield* this.#each(this.#deskFor(id).follow(this.#asker, id, checkSignal(signal)), copyChange);
  }

  async cancel(run: string, { undo }: { readonly undo: boolean }): Promise<Cancelled> {
    const id = checkText(run, 'a run\'s id');
    const done = await told(this.#deskFor(id).cancel(this.#asker, id, { undo: undo === true }));
    return Object.freeze({ cancelled: copyRun(done.cancelled), undo: done.undo && copyRun(done.undo) });
  }

  async resume(run: string): Promise<RunInfo> {
    const id = checkText(run, 'a run\'s id');
    return copyRun(await told(this.#deskFor(id).resume(this.#asker, id)));
  }

  async hold(plan: string): Promise<void> {
    const name = checkText(plan, 'a plan\'s name');
    await told(this.#deskFor(name).hold(this.#asker, name));
  }

  async release(plan: string): Promise<void> {
    const name = checkText(plan, 'a plan\'s name');
    await told(this.#deskFor(name).release(this.#asker, name));
  }

  get #isOpen(): boolean {
    return !this.#isOver() && !this.#isBarred;
  }

  /** @throws ArgoError */
  #deskFor(name: string): PlanDesk {
    if (this.#isOver()) throw new ArgoError('NOT ALLOWED', 'the request is over');
    if (this.#isBarred) throw new ArgoError('NOT ALLOWED');
    if (this.#desk === undefined) throw new ArgoError('NO SUCH PLAN', name);
    return this.#desk;
  }

  /** Hands on what comes, until the request is over. */
  async*#each<T>(source: AsyncIterable<T>, copy: (one: T) => T): AsyncGenerator<T> {
    try {
      for await (const one of source) {
        if (this.#isOver()) return;
        yield copy(one);
      }
    } catch (thrown) {
      throw withoutCause(thrown);
    }
  }
}

closeClass(ActorPlans);

/** @throws ArgoError BAD REQUEST */
function checkSignal(signal: AbortSignal): AbortSignal {
  const { signal: checked } = copyCall({ signal });
  if (checked === undefined) throw new ArgoError('BAD REQUEST', 'signal must be an AbortSignal');
  return checked;
}

const copyDate = <T extends Date | undefined>(date: T): T => (date && new Date(date)) as T;
const copyStage = (stage: StageInfo): StageInfo =>
  Object.freeze({ ...stage, after: Object.freeze([...stage.after]), targets: Object.freeze({ ...stage.targets }) });
const copyTarget = (target: TargetInfo): TargetInfo => Object.freeze({ ...target });

const copyRun = (run: RunInfo): RunInfo => Object.freeze({
  ...run,
  began: copyDate(run.began),
  ended: copyDate(run.ended),
  deadline: copyDate(run.deadline),
  stages: Object.freeze({ ...run.stages }),
  targets: Object.freeze({ ...run.targets }),
});

const copyChange = ({ run, stages, targets }: RunChange): RunChange => Object.freeze({
  run: copyRun(run), stages: Object.freeze(stages.map(copyStage)), targets: Object.freeze(targets.map(copyTarget)),
});
