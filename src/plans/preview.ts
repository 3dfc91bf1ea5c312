import type { PlanSettings, StageSettings } from '../config/config.js';
import type { Actor } from '../instances/actor.js';
import type { InstanceInfo } from '../instances/info.js';
import type { PowerOrder } from '../instances/order.js';
import type { PlanStep } from '../instances/plans.js';
import { ArgoError, toArgoError, withoutCause } from '../kit/errors.js';
import { PLAN_LOOK_TIMEOUT, PLAN_LOOKS_IN_VAIN } from '../kit/plan-limits.js';
import type { StageTargets } from './contract.js';

const UNKNOWN = '(it is unknown)';

/** Providers that do not answer in a dry run: when several targets in a row were asked in vain, its others are not asked. */
class Silence {
  readonly #inVain = new Map<string, number>();
  readonly #reasons = new Map<string, ArgoError>();

  /** @throws ArgoError what the last of them was told */
  check(provider: string): void {
    const reason = this.#reasons.get(provider);
    if (reason !== undefined && (this.#inVain.get(provider) ?? 0) >= PLAN_LOOKS_IN_VAIN) throw reason;
  }

  answered(provider: string): void {
    this.#inVain.delete(provider);
  }

  failed(provider: string, error: ArgoError): void {
    if (error.phrase !== 'UNREACHABLE' && error.phrase !== 'TIMEOUT') return this.answered(provider);
    this.#inVain.set(provider, (this.#inVain.get(provider) ?? 0) + 1);
    this.#reasons.set(provider, new ArgoError('UNREACHABLE', `${provider} does not answer`));
  }
}

export interface PreviewParts {
  /** of the plan's account */
  readonly actor: Actor;
  readonly signal: AbortSignal;
  /** milliseconds that an action may take where nothing else is said */
  readonly longest: number;
}

/** What a run would do now, stage by stage; within a stage as the machines answer. Nothing is sent. */
export async function* previewOf(plan: PlanSettings, selected: readonly StageTargets[], { actor, signal, longest }: PreviewParts): AsyncGenerator<PlanStep> {
  const silence = new Silence();
  const begun = new Set<string>();
  const settings = new Map(plan.stages.map((stage) => [stage.name, stage]));
  for (const { stage: name, targets, remarks } of selected) {
    const stage = settings.get(name);
    if (stage === undefined) continue;
    // the server's own host comes last, in a second part of its stage
    yield* about(stage, targets.length, remarks, begun.has(name));
    begun.add(name);
    const look = async (target: InstanceInfo): Promise<string> => {
      signal.throwIfAborted();
      silence.check(target.provider);
      const words = await actor.plan(target, orderOf(stage, longest), { signal, deadline: PLAN_LOOK_TIMEOUT });
      // what is forced in the end goes by a state that nobody knows, too
      if (words.includes(UNKNOWN)) throw new ArgoError('UNREACHABLE', `no answer from ${target.name}; ${words}`);
      return words;
    };
    for await (const { subject, value, error } of actor.each(targets, look)) {
      signal.throwIfAborted();
      const { fullName: instance, state, provider } = subject;
      if (value === undefined) {
        const refusal = toArgoError(error);
        silence.failed(provider, refusal);
        yield { stage: name, instance, state, words: withoutCause(refusal).message, isRefused: true };
      } else {
        silence.answered(provider);
        yield { stage: name, instance, state, words: value, isRefused: false };
      }
    }
  }
}

/** What there is to say of a stage as a whole. */
function* about({ name: stage, after }: StageSettings, targets: number, remarks: readonly string[], isRest: boolean): Generator<PlanStep> {
  const lines = [...(after.length > 0 && !isRest ? [`after ${after.join(', ')}`] : []), ...remarks, ...(targets === 0 ? ['nothing is selected'] : [])];
  for (const words of lines) yield { stage, instance: undefined, state: undefined, words, isRefused: false };
}

/** The order that a stage gives to each of its targets. */
function orderOf({ action, soft = Infinity, then }: StageSettings, longest: number): PowerOrder {
  if (action !== 'stop' || then !== 'force') return { action, mode: 'soft', wait: true };
  return { action, mode: soft > 0 ? { softFor: Math.min(soft, longest) } : 'hard', wait: true };
}
