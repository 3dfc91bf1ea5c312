import { setMaxListeners } from 'node:events';
import type { PlanSettings } from '../config/config.js';
import { Gate } from '../instances/gate.js';
import { hasEnded, planPermission, type Cancelled, type PlanAsker, type PlanDesk, type PlanInfo, type PlanStep, type RunChange, type RunInfo, type TriggerInfo } from '../instances/plans.js';
import type { Permission, Principal } from '../instances/principal.js';
import { ArgoError, outcomeWithoutWay, toArgoError } from '../kit/errors.js';
import { PLAN_VERDICT_KEPT } from '../kit/plan-limits.js';
import type { Log } from '../kit/log.js';
import { Slices } from '../kit/slices.js';
import { onAbort } from '../kit/within.js';
import type { PlanEngine, StageTargets } from './contract.js';
import { followRun } from './follow.js';
import { namedOf } from './full-names.js';
import { previewOf } from './preview.js';

const RUN_ID = /^[0-9a-f]{8}$/;
/** A word of a stage whose machines cannot be told, whatever the others select: it names a tag, and these cannot be read. */
const UNREADABLE = /^FAILED: /;
/** Why a stage selects nothing, where that is certain. */
const KNOWN_EMPTY = /^(?:NO MATCH|NO SUCH INSTANCE|NOT ALLOWED|stale): /;

export interface DeskParts {
  readonly engine: PlanEngine;
  readonly gate: Pick<Gate, 'actor' | 'allowsEverywhere' | 'hasListedAll' | 'longestActionTimeout'>;
  readonly log: Log;
  /** those that look now */
  triggers(): readonly TriggerInfo[];
}

/** Whether an account may be told of a plan, as it was found lately. */
interface Verdict {
  /** on the clock of performance.now() */
  readonly at: number;
  readonly mayUse: Promise<boolean>;
}

/**
 * Where accounts ask for plans: it finds out who may use which, and then asks the engine. A plan that
 * somebody may not use is told to be as one that is not there.
 */
export class Desk implements PlanDesk {
  readonly #parts: DeskParts;
  /** both are made anew by a reload, so nothing outlives its configuration */
  readonly #verdicts = new WeakMap<Principal, WeakMap<PlanSettings, Verdict>>();
  /** of those who follow a run */
  readonly #leaving = new Set<() => void>();
  #isClosed = false;

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  async list(asker: PlanAsker): Promise<readonly PlanInfo[]> {
    const { engine } = this.#parts;
    const plans: PlanInfo[] = [];
    const runs = await engine.runs();
    for (const { name } of engine.plans()) {
      if (!await this.#mayUse(asker, name)) continue;
      const own = runs.filter(({ plan }) => plan === name);
      plans.push({ name, isHeld: engine.isHeld(name), run: own.find((run) => !hasEnded(run)) ?? own[0] });
    }
    return plans;
  }

  async triggers(asker: PlanAsker): Promise<readonly TriggerInfo[]> {
    const usable: TriggerInfo[] = [];
    for (const trigger of this.#parts.triggers()) {
      const verdicts = await Promise.all(trigger.plans.map((plan) => this.#mayUse(asker, plan)));
      if (verdicts.length > 0 && verdicts.every((verdict) => verdict)) usable.push(trigger);
    }
    return usable;
  }

  async*preview(asker: PlanAsker, plan: string, signal: AbortSignal): AsyncGenerator<PlanStep> {
    const { engine, gate } = this.#parts;
    const settings = await this.#require(asker, plan);
    const actor = engine.actor(settings, asker.origin);
    const ends = new AbortController();
    // each look listens to it
    setMaxListeners(0, ends.signal);
    const forget = onAbort(signal, (reason) => ends.abort(reason));
    try {
      const steps = previewOf(settings, await engine.targets(settings), { actor, signal: ends.signal, longest: gate.longestActionTimeout });
      const { principal } = asker.identity;
      for await (const step of steps) yield step.instance === undefined ? step : { ...step, words: wordsFor(principal, step.instance, step.words) };
    } finally {
      forget();
      Gate.end(actor);
    }
  }

  async run(asker: PlanAsker, plan: string): Promise<RunInfo> {
    await this.#require(asker, plan);
    const run = await this.#begin(asker, plan);
    this.#tell(asker, 'plan begun', run);
    return run;
  }

  async runs(asker: PlanAsker): Promise<readonly RunInfo[]> {
    const runs = await this.#parts.engine.runs();
    const usable = new Set<string>();
    for (const plan of new Set(runs.map((run) => run.plan))) if (await this.#mayUse(asker, plan)) usable.add(plan);
    return runs.filter(({ plan }) => usable.has(plan));
  }

  async status(asker: PlanAsker, run: string): Promise<RunChange> {
    return this.#shown(asker, await this.#find(asker, run));
  }

  async*follow(asker: PlanAsker, run: string, signal: AbortSignal): AsyncGenerator<RunChange> {
    const { run: { id, plan } } = await this.#find(asker, run);
    const permit = async (): Promise<void> => {
      if (!await this.mayKnow(asker, plan)) throw this.#missing(asker, plan);
    };
    const ends = new AbortController();
    const leave = (): void => ends.abort();
    this.#leaving.add(leave);
    const forget = onAbort(signal, leave);
    if (this.#isClosed) leave();
    let isOver = false;
    try {
      for await (const change of followRun(this.#parts.engine, id, permit, ends.signal)) {
        isOver = hasEnded(change.run);
        yield this.#shown(asker, change);
      }
      // the run may go on at the next start: whoever follows it has to come again
      if (this.#isClosed && !isOver && !signal.aborted) throw new ArgoError('SHUTTING DOWN');
    } finally {
      forget();
      this.#leaving.delete(leave);
      leave();
    }
  }

  /** The server ends: so does the following of runs. */
  close(): void {
    this.#isClosed = true;
    this.#leaving.forEach((leave) => leave());
  }

  async cancel(asker: PlanAsker, ref: string, { undo }: { readonly undo: boolean }): Promise<Cancelled> {
    const { engine } = this.#parts;
    const { run } = await this.#find(asker, ref);
    const back = undo ? await this.#undoOf(asker, run.plan) : undefined;
    const cancelled = await engine.cancel(run.id, `cancelled by ${asker.identity.name}`);
    this.#tell(asker, 'plan cancelled', cancelled);
    if (back === undefined) return { cancelled, undo: undefined };
    const begun = await this.#begin(asker, back, true).catch((thrown: unknown) => {
      // not as if nothing had been done
      const { phrase, detail } = toArgoError(thrown);
      throw new ArgoError(phrase, `run ${run.id} is cancelled, and ${back} was not begun${detail && `: ${detail}`}`, { cause: thrown });
    });
    this.#tell(asker, 'plan begun', begun);
    return { cancelled, undo: begun };
  }

  async resume(asker: PlanAsker, ref: string): Promise<RunInfo> {
    const { run } = await this.#find(asker, ref);
    const resumed = await this.#parts.engine.resume(run.id);
    this.#tell(asker, 'plan resumed', resumed);
    return resumed;
  }

  async hold(asker: PlanAsker, plan: string): Promise<void> {
    await this.#require(asker, plan);
    await this.#parts.engine.hold(plan);
    this.#tell(asker, 'plan held', { plan });
  }

  async release(asker: PlanAsker, plan: string): Promise<void> {
    await this.#require(asker, plan);
    await this.#parts.engine.release(plan);
    this.#tell(asker, 'plan released', { plan });
  }

  async mayKnow(asker: PlanAsker, plan: string): Promise<boolean> {
    const { principal } = asker.identity;
    const settings = this.#parts.engine.plan(plan);
    if (settings === undefined || !principal.allowsSomewhere(planPermission(plan))) return this.#mayUse(asker, plan);
    let verdicts = this.#verdicts.get(principal);
    if (verdicts === undefined) this.#verdicts.set(principal, verdicts = new WeakMap());
    let verdict = verdicts.get(settings);
    if (verdict === undefined || performance.now() - verdict.at > PLAN_VERDICT_KEPT) {
      verdicts.set(settings, verdict = { at: performance.now(), mayUse: this.#mayUse(asker, plan) });
    }
    const mayUse = await verdict.mayUse;
    // a reload may have come while it was found out
    return asker.identity.principal === principal ? mayUse : this.#mayUse(asker, plan);
  }

  /**
   * Whether somebody may use a plan. Who may use it on all that there is does not depend on what it
   * names: not on providers that do not answer, nor on whether it is still configured. What cannot be found out is refused.
   */
  async #mayUse(asker: PlanAsker, plan: string): Promise<boolean> {
    const { engine, gate, log } = this.#parts;
    const { identity } = asker;
    const permission = planPermission(plan);
    if (!identity.principal.allowsSomewhere(permission)) return false;
    if (gate.allowsEverywhere(identity.principal, permission)) return true;
    const settings = engine.plan(plan);
    if (settings === undefined) return false;
    try {
      await this.#requireAll(asker, permission, await engine.targets(settings));
      return identity.principal.allowsSomewhere(permission);
    } catch (error) {
      log('debug', 'plan not allowed', { account: identity.name, plan, reason: String(error) });
      return false;
    }
  }

  /** @throws ArgoError where it may not be used on one of them, or what a stage selects is not known */
  async #requireAll({ identity, origin }: PlanAsker, through: Permission, stages: readonly StageTargets[]): Promise<void> {
    const { gate } = this.#parts;
    // it may come to select more as soon as a provider answers
    if (!gate.hasListedAll) throw new ArgoError('UNREACHABLE', 'a provider has not answered yet');
    const actor = gate.actor({ identity, through, origin });
    const slices = new Slices();
    try {
      for (const { stage, targets, remarks } of stages) {
        const doubt = remarks.find((remark) => (targets.length > 0 ? UNREADABLE.test(remark) : !KNOWN_EMPTY.test(remark)));
        if (doubt !== undefined) throw new ArgoError('UNREACHABLE', `what ${stage} selects is not known: ${doubt}`);
        for (const target of targets) {
          if (slices.isOver()) await slices.pause();
          actor.require([target]);
        }
      }
    } finally {
      Gate.end(actor);
    }
  }

  /** A plan that may be used. @throws ArgoError NO SUCH PLAN, NOT ALLOWED */
  async #require(asker: PlanAsker, plan: string): Promise<PlanSettings> {
    const settings = this.#parts.engine.plan(plan);
    if (settings === undefined || !await this.#mayUse(asker, plan)) throw this.#missing(asker, plan);
    return settings;
  }

  /** A run by its id, or the last one of a plan. @throws ArgoError NO SUCH RUN, NO SUCH PLAN, NOT ALLOWED */
  async #find(asker: PlanAsker, ref: string): Promise<RunChange> {
    const { engine } = this.#parts;
    const byId = RUN_ID.test(ref) ? await engine.run(ref) : undefined;
    if (byId && await this.#mayUse(asker, byId.run.plan)) return byId;
    // the name of a plan may read as an id
    if (RUN_ID.test(ref) && engine.plan(ref) === undefined) throw new ArgoError('NO SUCH RUN', ref);
    await this.#require(asker, ref);
    const own = (await engine.runs()).filter(({ plan }) => plan === ref);
    const last = own.find((run) => !hasEnded(run)) ?? own[0];
    const found = last && await engine.run(last.id);
    if (found === undefined) throw new ArgoError('NO SUCH RUN', `${ref} has not run yet`);
    return found;
  }

  /** A run may have had machines that its plan does not select any more: they are told only to those who may use it on them. */
  #shown({ identity: { principal } }: PlanAsker, change: RunChange): RunChange {
    const permission = planPermission(change.run.plan);
    if (this.#parts.gate.allowsEverywhere(principal, permission)) return change;
    const shown = change.targets.filter(({ instance }) => principal.allows(namedOf(instance), permission));
    return { ...change, targets: shown.map((target) => ({ ...target, detail: wordsFor(principal, target.instance, target.detail) })) };
  }

  /** Told to those who could use a plan of that name, whether there is one or not; others are not allowed, likewise. */
  #missing({ identity }: PlanAsker, plan: string): ArgoError {
    return identity.principal.allowsSomewhere(planPermission(plan)) ? new ArgoError('NO SUCH PLAN', plan) : new ArgoError('NOT ALLOWED');
  }

  /** What undoes a plan. @throws ArgoError */
  async #undoOf(asker: PlanAsker, plan: string): Promise<string> {
    const undo = this.#parts.engine.plan(plan)?.undo;
    if (undo === undefined) throw new ArgoError('WRONG STATE', `${plan} has no undo`);
    await this.#require(asker, undo);
    if (this.#parts.engine.isHeld(undo)) throw held(undo);
    return undo;
  }

  /** @param orJoins one that runs already will do @throws ArgoError */
  async #begin({ identity: { name } }: PlanAsker, plan: string, orJoins = false): Promise<RunInfo> {
    const { engine } = this.#parts;
    const begun = await engine.begin(plan, { source: `account ${name}`, words: name, at: Date.now() });
    if (begun.result === 'held') throw held(plan);
    if (begun.result === 'runs' && !orJoins) throw new ArgoError('WRONG STATE', `${plan} runs already: ${begun.run}`);
    const found = await engine.run(begun.run);
    if (found === undefined) throw new ArgoError('INTERNAL ERROR', 'the run is not remembered');
    return found.run;
  }

  #tell({ identity, origin }: PlanAsker, what: string, { plan, id }: Pick<RunInfo, 'plan'> & Partial<RunInfo>): void {
    this.#parts.log('info', what, { plan, run: id, account: identity.name, from: origin });
  }
}

const held = (plan: string): ArgoError => new ArgoError('WRONG STATE', `${plan} is held`);

/** What a plan's own account was told of a machine, for who asks. */
const wordsFor = (principal: Principal, instance: string, words: string): string =>
  (principal.coversProvider(namedOf(instance).provider) ? words : outcomeWithoutWay(words));
