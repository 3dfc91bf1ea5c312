import type { PlanSettings, StageSettings } from '../config/config.js';
import type { Actor } from '../instances/actor.js';
import type { InstanceInfo } from '../instances/info.js';
import { ArgoError } from '../kit/errors.js';
import { PLAN_TARGETS } from '../kit/plan-limits.js';
import { isPattern } from '../kit/patterns.js';
import { Slices } from '../kit/slices.js';
import type { Owed } from '../store/plan-journal.js';
import type { StageTargets } from './contract.js';
import type { OwnHostTest } from './own-host.js';

/** What the words of a stage select. */

const STOPPED_BY = /^@stopped-by\s+(\S+)$/;

export interface StageSelection {
  /** each once, in the order of the words, without the server's own host */
  readonly targets: readonly InstanceInfo[];
  /** the server's own host, where it is among them */
  readonly own: readonly InstanceInfo[];
  /** what the journal names and no listing has brought yet: its provider may not have answered since the start */
  readonly unseen: readonly Owed[];
  /** why a word selects nothing, or not all */
  readonly remarks: readonly string[];
  /** names that should be there and cannot be found */
  readonly missing: number;
}

/** What a selection is made from. */
export interface SelectionParts {
  readonly actor: Actor;
  readonly own: OwnHostTest;
  /** what plans have switched off and nobody has started since */
  owed(): Promise<readonly Owed[]>;
}

/** What one word selects. */
interface Found {
  readonly instances: readonly InstanceInfo[];
  readonly unseen?: readonly Owed[];
  readonly remarks: readonly string[];
  /** why it may have missed some: `kvm1 (reason)` */
  readonly stale?: readonly string[];
  readonly missing: number;
}

/**
 * What a stage selects at this moment, by what its plan's account may see: anything else is as if it
 * were not there.
 * @throws StateError where it asks the journal, and that cannot be read
 */
export async function select(stage: StageSettings, parts: SelectionParts): Promise<StageSelection> {
  const targets = new Map<string, InstanceInfo>();
  const remarks: string[] = [];
  const stale = new Set<string>();
  const unseen: Owed[] = [];
  const slices = new Slices();
  let missing = 0;
  for (const word of stage.targets) {
    const found = await selectWord(word, parts);
    remarks.push(...found.remarks);
    found.stale?.forEach((why) => stale.add(`stale: ${why}`));
    unseen.push(...found.unseen ?? []);
    missing += found.missing;
    for (const one of found.instances) {
      if (slices.isOver()) await slices.pause();
      targets.set(`${one.provider}/${one.id}`, one);
    }
  }
  remarks.push(...stale);
  if (targets.size > PLAN_TARGETS) return { targets: [], own: [], unseen: [], remarks: [`more than ${PLAN_TARGETS} are selected`], missing: targets.size };
  const all = [...targets.values()];
  // to start, unpause or resume where this server runs is nothing that could end it
  const mayEndIt = stage.action === 'stop' || stage.action === 'reboot' || stage.action === 'pause' || stage.action === 'suspend';
  const isOwn = (one: InstanceInfo): boolean => mayEndIt && parts.own.isOwn(one);
  return { targets: all.filter((one) => !isOwn(one)), own: all.filter(isOwn), unseen, remarks, missing };
}

/** What each stage of a plan selects, and where its own host is moved to: behind all others. */
export async function preview(plan: PlanSettings, parts: SelectionParts): Promise<readonly StageTargets[]> {
  const stages: StageTargets[] = [];
  const last: StageTargets[] = [];
  for (const settings of plan.stages) {
    const { targets, own, remarks } = await select(settings, parts);
    stages.push({ stage: settings.name, targets, remarks });
    if (own.length > 0) last.push({ stage: settings.name, targets: hostsFirst(own), remarks: ['the server\'s own host goes last'] });
  }
  return [...stages, ...last];
}

/** Once the guest in which this server runs is off, nobody is left to tell its host. */
export const hostsFirst = <T extends { readonly type: InstanceInfo['type'] }>(own: readonly T[]): readonly T[] =>
  [...own.filter(({ type }) => type === 'host'), ...own.filter(({ type }) => type !== 'host')];

const isMany = (word: string): boolean => word.startsWith('@') || isPattern(word);

async function selectWord(word: string, parts: SelectionParts): Promise<Found> {
  const plan = STOPPED_BY.exec(word)?.[1];
  if (plan !== undefined) return stoppedBy(plan, parts);
  try {
    const { instances, stale } = await parts.actor.select([word]);
    return { instances, remarks: [], stale, missing: 0 };
  } catch (thrown) {
    if (!(thrown instanceof ArgoError)) throw thrown;
    // a pattern may well select nothing, unless that is because a provider has not answered yet
    const isEmpty = thrown.phrase === 'NO MATCH' && thrown.detail === '';
    const words = thrown.detail === '' ? `${thrown.phrase}: ${word}` : thrown.message;
    // which providers it could have been about, nobody says where it selects nothing
    return { instances: [], remarks: [words], stale: isMany(word) ? parts.actor.staleness() : [], missing: isEmpty && isMany(word) ? 0 : 1 };
  }
}

/** What a plan has switched off. */
async function stoppedBy(plan: string, { actor, owed }: SelectionParts): Promise<Found> {
  const instances: InstanceInfo[] = [];
  const unseen: Owed[] = [];
  const remarks: string[] = [];
  const slices = new Slices();
  for (const one of await owed()) {
    if (one.plan !== plan) continue;
    if (slices.isOver()) await slices.pause();
    try {
      instances.push(actor.known(one));
    } catch (thrown) {
      const isHidden = !(thrown instanceof ArgoError) || thrown.phrase === 'NOT ALLOWED';
      if (!isHidden) unseen.push(one);
      // what the plan's account does not see any more is not named to those who look at its plans
      remarks.push(isHidden ? `NOT ALLOWED: a machine that ${plan} has switched off` : `NO SUCH INSTANCE: ${one.name}`);
    }
  }
  return { instances, unseen, remarks, missing: remarks.length - unseen.length };
}
