import * as v from 'valibot';
import { PLAN_STAGES, STAGE_PARALLEL } from '../kit/plan-limits.js';
import type { Groups } from '../kit/patterns.js';
import { isTag, isTagWord, TAG_PREFIX, TAG_RULE } from '../kit/tags.js';
import { circles } from './circles.js';
import type { AccountSettings, PlanSettings, StageAction, StageSettings } from './config.js';
import { fingerprint } from './fingerprint.js';
import { groupFault } from './group-words.js';
import type { Reader } from './reader.js';
import { instancePattern, noAccount, PLAN_NAME, STAGE_NAME } from './schema.js';
import { duration, positiveDuration, text, texts, whole } from './values.js';

/** The tables `[plans.NAME]`: their keys, and all that can be wrong with them before any machine is asked for. */

export const STAGE_ACTIONS = ['start', 'stop', 'reboot', 'pause', 'unpause', 'suspend', 'resume'] as const satisfies readonly StageAction[];

/** Stands in a list of targets for what a plan's last run has switched off. */
const STOPPED_BY = /^@stopped-by +(\S+)$/;

/** The plan that a word of a stage's targets means by `@stopped-by PLAN`, or undefined. */
export const stoppedBy = (word: string): string | undefined => STOPPED_BY.exec(word)?.[1];

/** How many failures a stage can bear: `3`, or `"10%"` of its targets. */
const maxFailures = v.union([
  v.pipe(whole(0, 1_000_000), v.transform((count) => ({ count }))),
  v.pipe(v.string(), v.regex(/^(?:100|\d{1,2})%$/), v.transform((share) => ({ percent: Number.parseInt(share, 10) }))),
], 'a number of failures is expected, such as 3, or a share, such as "10%"');

const oneOf = <const Words extends readonly string[]>(words: Words) => v.picklist(words, `one of ${words.map((word) => `"${word}"`).join(', ')} is expected`);

const targets = v.optional(v.array(instancePattern, 'a list of names is expected, such as ["web*", "@db"]'));

export const settleTable = v.strictObject({
  command: v.pipe(texts, v.minLength(1, 'a program is expected, such as ["/usr/lib/argo/ready", "gw"]'),
    v.check(([program = '/']) => program.startsWith('/'), 'give the program\'s path in full: it must begin with /')),
  timeout: v.optional(positiveDuration, '5m'),
});

export const stageTable = v.strictObject({
  name: v.pipe(text, v.regex(STAGE_NAME, 'letters, digits, . _ and - are expected, 64 of them at most')),
  ...Object.fromEntries(STAGE_ACTIONS.map((action) => [action, targets])) as Record<StageAction, typeof targets>,
  after: v.optional(texts, []),
  parallel: v.optional(whole(1, STAGE_PARALLEL), 16),
  soft: v.optional(positiveDuration),
  then: v.optional(oneOf(['force', 'leave'])),
  'pause-before': v.optional(duration, '0s'),
  'pause-between': v.optional(duration, '0s'),
  wait: v.optional(oneOf(['on'])),
  settle: v.optional(settleTable),
  'max-failures': v.optional(maxFailures, 0),
  'on-failure': v.optional(oneOf(['continue', 'abort', 'force'])),
});

export const planTable = v.strictObject({
  account: text,
  stages: v.pipe(v.array(stageTable, 'a list of stages is expected, such as [{ name = "all", stop = ["*"] }]'),
    v.minLength(1, 'must not be empty'), v.maxLength(PLAN_STAGES, `must be at most ${PLAN_STAGES} stages`)),
  'time-limit': v.optional(positiveDuration),
  resume: v.optional(oneOf(['continue', 'ask', 'drop']), 'continue'),
  exclusive: v.optional(text),
  'when-busy': v.optional(oneOf(['wait', 'cancel'])),
  undo: v.optional(text),
});

type StageTable = v.InferOutput<typeof stageTable>;
type Path = readonly (string | number)[];

/** A stage as it was read, to be completed with what depends on its action. */
interface StageDraft {
  readonly table: StageTable;
  readonly path: Path;
  readonly actions: readonly StageAction[];
}

/** Keys that mean nothing to other actions. */
const FITTING: readonly (readonly [key: 'soft' | 'then' | 'wait', action: StageAction])[] = [['soft', 'stop'], ['then', 'stop'], ['wait', 'start']];

/** What is wrong with a stage by itself. */
function checkStage(reader: Reader, { table, path, actions }: StageDraft): void {
  const [action] = actions;
  if (action === undefined) reader.fault(path, `the stage ${table.name} does nothing: it needs one of ${STAGE_ACTIONS.join(', ')}`);
  const [, second] = actions;
  if (second !== undefined) reader.fault([...path, second], `the stage ${table.name} has ${actions.join(' and ')}: a stage does one thing`);
  if (actions.length !== 1) return;
  if (table[action!]?.length === 0) reader.fault([...path, action!], `${action} names nobody`);
  for (const [key, fits] of FITTING) {
    if (table[key] !== undefined && action !== fits) reader.fault([...path, key], `${key} is for a stage that has ${fits}, and this one has ${action}`);
  }
  if (table['on-failure'] === 'force' && action !== 'stop') reader.fault([...path, 'on-failure'], `on-failure = "force" is for a stage that has stop, and this one has ${action}`);
}

/** Names that a stage's targets take from elsewhere: groups, tags, and what other plans have stopped. */
function checkTargets(reader: Reader, { table, path, actions }: StageDraft, groups: Groups, plans: ReadonlySet<string>): void {
  for (const action of actions) {
    table[action]?.forEach((word, index) => {
      const plan = stoppedBy(word);
      if (plan !== undefined && !plans.has(plan)) reader.fault([...path, action, index], `there is no plan ${plan}`);
      const fault = plan === undefined ? targetFault(word, groups) : undefined;
      if (fault !== undefined) reader.fault([...path, action, index], fault);
    });
  }
}

/** A stage goes by tags as they are when it begins. What it may do is what its plan's account may, whatever is tagged. */
function targetFault(word: string, groups: Groups): string | undefined {
  if (!isTagWord(word)) return groupFault(word, groups);
  const tag = word.slice(TAG_PREFIX.length);
  return isTag(tag) ? undefined : `"${tag}" is no tag: ${TAG_RULE}`;
}

/** Stages have names of their own, wait for stages that there are, and not for each other. */
function checkOrder(reader: Reader, drafts: readonly StageDraft[]): void {
  const byName = new Map<string, StageDraft>();
  for (const draft of drafts) {
    if (byName.has(draft.table.name)) reader.fault([...draft.path, 'name'], `there is a stage ${draft.table.name} already`);
    else byName.set(draft.table.name, draft);
  }
  for (const { table, path } of drafts) {
    table.after.forEach((name, index) => {
      if (!byName.has(name)) reader.fault([...path, 'after', index], `there is no stage ${name} in this plan`);
    });
  }
  for (const way of circles(byName.keys(), (name) => byName.get(name)?.table.after ?? [])) {
    reader.fault([...byName.get(way[0]!)!.path, 'after'], way.length === 2 ? `the stage ${way[0]} waits for itself` : `these stages wait for each other: ${way.join(' after ')}`);
  }
}

function completeStage({ table, actions }: StageDraft): StageSettings {
  const action = actions[0]!;
  return {
    name: table.name, action, targets: table[action]!, after: table.after, parallel: table.parallel,
    soft: table.soft, then: table.then ?? 'leave',
    pauseBefore: table['pause-before'], pauseBetween: table['pause-between'], settle: table.settle,
    maxFailures: table['max-failures'], onFailure: table['on-failure'] ?? (action === 'stop' ? 'continue' : 'abort'),
  };
}

/** What plans say of each other. */
function checkPlans(reader: Reader, plans: ReadonlyMap<string, PlanSettings>, names: ReadonlySet<string>): void {
  for (const { name, undo } of plans.values()) {
    if (undo !== undefined && !names.has(undo)) reader.fault(['plans', name, 'undo'], `there is no plan ${undo}`);
  }
  for (const way of circles(plans.keys(), (name) => [plans.get(name)?.undo ?? []].flat())) {
    reader.fault(['plans', way[0]!, 'undo'], way.length === 2 ? `the plan ${way[0]} would undo itself` : `these plans undo each other: ${way.join(' by ')}`);
  }
}

/** Grants know a plan by `plan:NAME`, and do not tell capitals. */
function checkNames(reader: Reader, names: readonly string[]): void {
  const known = new Map<string, string>();
  for (const name of names) {
    const other = known.get(name.toLowerCase());
    if (other !== undefined) reader.fault(['plans', name], `${name} and ${other} differ in capitals only`);
    known.set(name.toLowerCase(), name);
  }
}

/** Reads all `[plans.NAME]`, and notes what is wrong with them. @returns those that are whole by themselves */
export function readPlans(reader: Reader, accounts: ReadonlyMap<string, AccountSettings>, groups: Groups): Map<string, PlanSettings> {
  const tables = reader.names('plans', PLAN_NAME);
  const names = new Set(tables.map(([name]) => name));
  checkNames(reader, [...names]);
  const plans = new Map<string, PlanSettings>();
  for (const [name, value] of tables) {
    const path = ['plans', name];
    const table = reader.parse(planTable, value, path);
    if (table === undefined) continue;
    if (!accounts.has(table.account)) reader.fault([...path, 'account'], noAccount(table.account));
    if (table['when-busy'] !== undefined && table.exclusive === undefined) reader.fault([...path, 'when-busy'], 'when-busy needs exclusive, which says whom this plan must not run beside');
    const drafts = table.stages.map((stage, index): StageDraft => (
      { table: stage, path: [...path, 'stages', index], actions: STAGE_ACTIONS.filter((action) => stage[action] !== undefined) }));
    for (const draft of drafts) {
      checkStage(reader, draft);
      checkTargets(reader, draft, groups, names);
    }
    checkOrder(reader, drafts);
    if (drafts.some(({ actions }) => actions.length !== 1)) continue;
    plans.set(name, {
      name, account: table.account, stages: drafts.map(completeStage), timeLimit: table['time-limit'], resume: table.resume,
      exclusive: table.exclusive, whenBusy: table['when-busy'] ?? 'wait', undo: table.undo, fingerprint: fingerprint(value),
    });
  }
  checkPlans(reader, plans, names);
  return plans;
}
