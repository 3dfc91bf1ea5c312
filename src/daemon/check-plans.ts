import { accessSync, constants } from 'node:fs';
import type { Config, GrantSettings, PlanSettings, StageSettings, TriggerSettings } from '../config/config.js';
import type { Warning } from '../config/document.js';
import { stoppedBy } from '../config/plans.js';
import { NAMES_SHOWN } from '../kit/limits.js';
import { isPattern, NamePattern, resolvePatterns, type Groups } from '../kit/patterns.js';

/** What `argo-server check` says of plans that are no error: it asks no provider, so it tells only of what can never be. */

/** A range of more names is looked at as one pattern. */
const NAMES_LOOKED_AT = 4096;

/** Whether some name could fit both: where both are patterns, by what they begin and end with. */
function namesMeet(one: string, other: string): boolean {
  if (!isPattern(one)) return new NamePattern(other).matches(one);
  if (!isPattern(other)) return new NamePattern(one).matches(other);
  const [start, otherStart] = [one, other].map((pattern) => /^[^*?[]*/.exec(pattern)![0]) as [string, string];
  const [end, otherEnd] = [one, other].map((pattern) => /[^*?\]]*$/.exec(pattern)![0]) as [string, string];
  return (start.startsWith(otherStart) || otherStart.startsWith(start)) && (end.endsWith(otherEnd) || otherEnd.endsWith(end));
}

/** Whether some instance could fit both patterns. Ids are known by their managers alone. */
function meet(one: string, other: string): boolean {
  const [[provider, name], [otherProvider, otherName]] = [one, other].map((source) => {
    const slash = source.indexOf('/');
    return slash === -1 ? [undefined, source] : [source.slice(0, slash), source.slice(slash + 1)];
  }) as [[string | undefined, string], [string | undefined, string]];
  if (provider !== undefined && otherProvider !== undefined && !namesMeet(provider, otherProvider)) return false;
  return name.startsWith('#') || otherName.startsWith('#') || namesMeet(name, otherName);
}

/** A pattern that is a range of a few names, as these names. */
function written(source: string): string[] {
  const slash = source.indexOf('/');
  const provider = source.slice(0, slash + 1);
  const name = new NamePattern(source.slice(slash + 1));
  return name.count <= NAMES_LOOKED_AT ? [...new Set(name.names())].map((one) => provider + one) : [source];
}

/** Whether one of the words stands in a grant for a command of a set, by its own word or the set's. */
const holds = ({ commands }: GrantSettings, ...words: readonly string[]): boolean => commands.some((word) => word === '*' || words.includes(word.toLowerCase()));

/** The names of a stage on which the plan's account may never do what the stage does. */
function outOfReach({ action, targets }: StageSettings, grants: readonly GrantSettings[], groups: Groups): string[] {
  const allowed = resolvePatterns(grants.filter((grant) => holds(grant, action, 'power')).flatMap(({ instances }) => instances), groups).map(({ source }) => source);
  const wanted = resolvePatterns(targets.filter((word) => stoppedBy(word) === undefined), groups).flatMap(({ source }) => written(source));
  return wanted.filter((name) => !allowed.some((one) => meet(one, name)));
}

const shown = (names: readonly string[]): string =>
  `${names.slice(0, NAMES_SHOWN).join(', ')}${names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : ''}`;

function stageWarnings({ name: plan, account }: PlanSettings, stage: StageSettings, index: number, { accounts, groups, providers }: Config): Warning[] {
  const where = `the stage ${stage.name} of the plan ${plan}`;
  const path = ['plans', plan, 'stages', index];
  const warnings: Warning[] = [];
  const warn = (words: string, ...keys: readonly string[]): void => void warnings.push({ message: `${where} ${words}`, path: [...path, ...keys] });
  if (stage.targets.every((word) => stoppedBy(word) === undefined) && resolvePatterns(stage.targets, groups).length === 0) warn(`names nobody: ${stage.targets.join(', ')} has no members`, stage.action);
  const beyond = outOfReach(stage, accounts.get(account)?.grants ?? [], groups);
  if (beyond.length > 0) warn(`names ${shown(beyond)}: no grant lets ${account} ${stage.action} that`, stage.action);
  const elsewhere = nowhere(stage, providers.keys(), groups);
  if (elsewhere.length > 0) warn(`names ${shown(elsewhere)}: there is no such provider`, stage.action);
  const why = cannotRun(stage.settle?.command ?? []);
  if (why !== undefined) warn(`waits for a command that cannot be run: ${why}`, 'settle', 'command');
  return warnings;
}

/** Names of a stage that no configured provider could ever have. */
function nowhere({ targets }: StageSettings, providers: Iterable<string>, groups: Groups): string[] {
  const known = [...providers];
  return resolvePatterns(targets.filter((word) => stoppedBy(word) === undefined), groups).map(({ source }) => source)
    .filter((source) => source.includes('/') && !known.some((provider) => namesMeet(source.slice(0, source.indexOf('/')), provider)));
}

/** Why a program cannot be run; undefined where it can. */
function cannotRun([program]: readonly string[]): string | undefined {
  try {
    if (program !== undefined) accessSync(program, constants.X_OK);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function triggerWarnings({ name, type, options }: TriggerSettings): Warning[] {
  const why = type === 'command' ? cannotRun((options as { readonly command: readonly string[] }).command) : undefined;
  return why === undefined ? [] : [{ message: `the trigger ${name} asks a command that cannot be run: ${why}`, path: ['triggers', name, 'command'] }];
}

/** @param triggered names of the plans that triggers begin */
export function planWarnings(config: Config, triggered: ReadonlySet<string>): Warning[] {
  const begun = new Set([...triggered, ...[...config.plans.values()].flatMap(({ undo }) => undo ?? [])]);
  const grants = [...config.accounts.values()].flatMap((account) => account.grants);
  return [...[...config.triggers.values()].flatMap(triggerWarnings), ...[...config.plans.values()].flatMap((plan) => [
    ...plan.stages.flatMap((stage, index) => stageWarnings(plan, stage, index, config)),
    ...(begun.has(plan.name) || grants.some((grant) => holds(grant, 'plan', `plan:${plan.name.toLowerCase()}`)) ? [] : [{ message: `no account may run the plan ${plan.name}, and nothing else begins it`, path: ['plans', plan.name] }]),
  ])];
}
