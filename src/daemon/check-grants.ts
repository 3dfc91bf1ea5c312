import type { AccountSettings, Config, FleetFrontSettings, GrantSettings } from '../config/config.js';
import type { Warning } from '../config/document.js';
import { nearest } from '../kit/nearest.js';
import { OPERATIONS, RIGHTS } from '../instances/operation-table.js';
import { grantWords } from '../instances/permits.js';
import { resolvePatterns, type Groups } from '../kit/patterns.js';
import type { CommandTable } from '../plugins/host/command-table.js';
import { namesNowhere, providerNames } from './check-names.js';

/** What `argo-server check` says of grants, and of what limits tokens, that is no error and gives nothing. */

interface Grant {
  /** `a grant of kim` */
  readonly title: string;
  readonly path: readonly (string | number)[];
  readonly grant: GrantSettings;
}

/** The grants of an account, and the limits of its tokens, which are made alike. */
function grantsOf({ name, grants, tokens = [] }: AccountSettings): Grant[] {
  return [
    ...grants.map((grant, index) => ({ title: `a grant of ${name}`, path: ['accounts', name, 'grants', index], grant })),
    ...tokens.map((grant, index) => ({ title: `the token ${grant.name} of ${name}`, path: ['accounts', name, 'tokens', index], grant })),
  ];
}

/** What a site allows a front, which is made alike, too. */
const grantsOfFront = ({ name, grants }: FleetFrontSettings, front: number): Grant[] =>
  grants.map((grant, index) => ({ title: `a grant of the front ${name}`, path: ['fleet', 'fronts', front, 'grants', index], grant }));

/** Words that hold no command: each of an account is told once. */
function commandWarnings(grants: readonly Grant[], { plans }: Config, table: CommandTable): Warning[] {
  const planWords = [...plans.keys()].map((name) => `plan:${name.toLowerCase()}`);
  const seen = new Set<string>();
  return grants.flatMap(({ title, path, grant: { commands } }) => commands.flatMap((word, index) => {
    const fault = seen.has(word) ? undefined : wordFault(word, table, planWords);
    seen.add(word);
    return fault === undefined ? [] : [{ message: `${title} names ${fault}`, path: [...path, 'commands', index] }];
  }));
}

/** Why a word of a grant gives nothing, or less than one would think; or undefined. */
function wordFault(word: string, table: CommandTable, planWords: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  const known = table.find(lower);
  const verbs = table.all().flatMap((command) => command.verbs.map((verb) => `${command.word}.${verb.word}`));
  if (lower === '*' || (RIGHTS as readonly string[]).includes(lower) || known?.word === lower || planWords.includes(lower)) return undefined;
  const isTyped = (one: string): boolean => verbs.includes(one) || table.find(one)?.word === one;
  if ([...grantWords([lower])].some(isTyped)) return undefined;
  if (Object.hasOwn(OPERATIONS, lower)) return `the operation "${word}", which gateways and plugins know; what is typed goes by the words of "${lower.slice(0, lower.indexOf('.'))}"`;
  if (known) return `the command "${word}", which is another word for "${known.word}"; grants know it by that word alone`;
  const near = nearest(lower, [...RIGHTS, ...planWords, ...table.all().map((command) => command.word), ...verbs]);
  const [plan] = lower.startsWith('plan:') ? [`the plan "${word.slice('plan:'.length)}"`] : [];
  return `${plan ?? `the command "${word}"`}, which there is not${near === undefined ? '' : `; is "${near}" meant?`}`;
}

/** Instances that no provider could have, and lists of nothing. What is in a group is told where the group is. */
function instanceWarnings({ title, path, grant: { instances, commands } }: Grant, providers: readonly string[]): Warning[] {
  return [
    ...instances.flatMap((word, index) => (isNowhere(word, providers) ? [{ message: `${title} names ${nowhere(word, providers)}`, path: [...path, 'instances', index] }] : [])),
    ...(instances.length === 0 ? [{ message: `${title} has an empty list of instances, so it gives nothing`, path: [...path, 'instances'] }] : []),
    ...(commands.length === 0 ? [{ message: `${title} has an empty list of commands: it shows its instances, and gives nothing else`, path: [...path, 'commands'] }] : []),
  ];
}

const isNowhere = (word: string, providers: Iterable<string>): boolean => !word.startsWith('@') && namesNowhere([word], providers, new Map()).length > 0;

function nowhere(word: string, providers: Iterable<string>): string {
  const provider = word.slice(0, word.indexOf('/'));
  const near = nearest(provider, [...providers]);
  return `"${word}", and there is no provider "${provider}"${near === undefined ? '' : `; is "${near}" meant?`}`;
}

function groupWarnings({ groups }: Config, providers: readonly string[]): Warning[] {
  return [...groups].flatMap(([name, members]) => [
    ...(members.length === 0 ? [{ message: `the group ${name} has no members`, path: ['groups', name] }] : []),
    ...members.flatMap((word, index) => (isNowhere(word, providers) ? [{ message: `the group ${name} names ${nowhere(word, providers)}`, path: ['groups', name, index] }] : [])),
  ]);
}

/** The shortest way from a group by the groups that it names back to itself, or undefined. */
function circleOf(name: string, groups: Groups): readonly string[] | undefined {
  const cameFrom = new Map<string, string>();
  const open = [name];
  for (const one of open) {
    for (const next of (groups.get(one) ?? []).filter((word) => word.startsWith('@')).map((word) => word.slice(1))) {
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, one);
      if (next !== name) {
        open.push(next);
        continue;
      }
      const way = [name];
      for (let at = one; at !== name; at = cameFrom.get(at)!) way.unshift(at);
      return [name, ...way];
    }
  }
  return undefined;
}

/** Groups that stand for themselves: that adds nothing to them, and is told once of each circle. */
function circleWarnings({ groups }: Config): Warning[] {
  const told = new Set<string>();
  return [...groups].flatMap(([name, members]) => {
    const circle = told.has(name) ? undefined : circleOf(name, groups);
    if (circle === undefined) return [];
    circle.forEach((one) => told.add(one));
    const nothing = resolvePatterns([`@${name}`], groups).length === 0 ? ', and has no members' : '';
    return [{ message: `the group ${name} stands for itself${nothing}: ${circle.map((one) => `@${one}`).join(' → ')}`, path: ['groups', name, members.indexOf(`@${circle[1]!}`)] }];
  });
}

/** Commands, instances and groups that select nothing, whatever there is. */
export function grantWarnings(config: Config, table: CommandTable): Warning[] {
  const [ofAccounts, ofFronts] = [[...config.accounts.values()].map(grantsOf), (config.fleet?.fronts ?? []).map(grantsOfFront)];
  const providers = providerNames(config);
  return [
    ...[...ofAccounts, ...ofFronts].flatMap((grants) => commandWarnings(grants, config, table)),
    ...groupWarnings(config, providers),
    ...circleWarnings(config),
    ...ofAccounts.flat().flatMap((grant) => instanceWarnings(grant, providers)),
    // what other sites have is not a front's to order here
    ...ofFronts.flat().flatMap((grant) => instanceWarnings(grant, [...config.providers.keys()])),
  ];
}
