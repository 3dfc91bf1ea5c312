import { accessSync, constants } from 'node:fs';
import type { Config, GrantSettings, PlanSettings, StageSettings, TriggerSettings } from '../config/config.js';
import type { Warning } from '../config/document.js';
import { stoppedBy } from '../config/plans.js';
import { NAMES_SHOWN } from '../kit/limits.js';
import { NamePattern, resolvePatterns, type Groups } from '../kit/patterns.js';
import { isTagWord } from '../kit/tags.js';
import { namesMeet, namesNowhere, providerNames } from './check-names.js';

/** What `argo-server check` says of plans that are no error: it asks no provider, so it tells only of what can never be. */

/** A range of more names is looked at as one pattern. */
const NAMES_LOOKED_AT = 4096;

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

function stageWarnings({ name: plan, account }: PlanSettings, stage: StageSettings, index: number, config: Config): Warning[] {
  const { accounts, groups } = config;
  const where = `the stage ${stage.name} of the plan ${plan}`;
  const path = ['plans', plan, 'stages', index];
  const warnings: Warning[] = [];
  const warn = (words: string, ...keys: readonly string[]): void => void warnings.push({ message: `${where} ${words}`, path: [...path, ...keys] });
  if (stage.targets.every((word) => stoppedBy(word) === undefined && !isTagWord(word)) && resolvePatterns(stage.targets, groups).length === 0) warn(`names nobody: ${stage.targets.join(', ')} has no members`, stage.action);
  const beyond = outOfReach(stage, accounts.get(account)?.grants ?? [], groups);
  if (beyond.length > 0) warn(`names ${shown(beyond)}: no grant lets ${account} ${stage.action} that`, stage.action);
  const elsewhere = namesNowhere(stage.targets.filter((word) => stoppedBy(word) === undefined), providerNames(config), groups);
  if (elsewhere.length > 0) warn(`names ${shown(elsewhere)}: there is no such provider`, stage.action);
  const why = cannotRun(stage.settle?.command ?? []);
  if (why !== undefined) warn(`waits for a command that cannot be run: ${why}`, 'settle', 'command');
  return warnings;
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
