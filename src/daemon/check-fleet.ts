import { statSync } from 'node:fs';
import type { AccountSettings, Config, FleetSettings } from '../config/config.js';
import type { Warning } from '../config/document.js';
import { readSecret } from '../config/secret.js';
import { NkeySigner } from '../fleet/signer.js';
import { readAuthorities } from '../kit/certificates.js';
import { NamePattern, type Groups } from '../kit/patterns.js';

/** What `argo-server check` says of a fleet's tables that is no error. It asks no bus: `argo-server fleet check` does. */
export function fleetWarnings({ fleet, accounts, groups, providers }: Config): Warning[] {
  if (fleet === undefined) return [];
  return [
    ...keyWarnings(fleet),
    ...authorityWarnings(fleet),
    ...roleWarnings(fleet),
    ...frontWarnings(fleet),
    ...nameWarnings(fleet, [...providers.keys()]),
    ...slashWarnings(fleet, [...accounts.values()], groups),
  ];
}

/** Whoever else has the key can be this server: a stricter rule than that for passwords, as of ssh for its keys. */
function keyWarnings({ nkey: { 'nkey-file': file } }: FleetSettings): Warning[] {
  if (file === undefined) return [];
  const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & 0o077) === 0 ? [] : [{ message: `${file} can be used by others than its owner, who can be this server in the fleet then; chmod 600 it`, path: ['fleet', 'nkey-file'] }];
}

/** It may be put there later, before the bus is to be reached. */
function authorityWarnings({ caFile }: FleetSettings): Warning[] {
  if (caFile === undefined) return [];
  try {
    readAuthorities(caFile);
    return [];
  } catch (error) {
    return [{ message: (error as Error).message, path: ['fleet', 'ca-file'] }];
  }
}

/** Tables and keys that mean nothing to what this server is. */
function roleWarnings({ roles, fronts, sites, share }: FleetSettings): Warning[] {
  const idle: (readonly [boolean, string, 'site' | 'front'])[] = [[fronts.length > 0, 'fronts', 'site'], [share.join() !== '*', 'share', 'site'], [sites !== undefined, 'sites', 'front']];
  return idle.filter(([isThere, , role]) => isThere && !roles.has(role)).map(([, key, role]) => (
    { message: `fleet.${key} means something to a ${role} alone, and the role of this server is ${[...roles].join(', ')}`, path: ['fleet', key] }));
}

/** A site that obeys nobody, fronts that may do nothing, and one that has this server's own key. */
function frontWarnings({ roles, fronts, nkey }: FleetSettings): Warning[] {
  if (!roles.has('site')) return [];
  if (fronts.length === 0) return [{ message: 'this site has no [[fleet.fronts]]: what it has is shown to fronts, and none may ask or order anything', path: ['fleet'] }];
  const own = new NkeySigner(readSecret(nkey, 'nkey')?.reveal() ?? '').publicKey;
  return fronts.flatMap(({ name, publicKey, grants }, index) => {
    const path = ['fleet', 'fronts', index];
    return [
      ...(grants.length === 0 ? [{ message: `the front ${name} has no grants: it may do nothing here`, path }] : []),
      ...(publicKey === own && !roles.has('front') ? [{ message: `the front ${name} has this server's own key, which no other may have`, path: [...path, 'public-key'] }] : []),
    ];
  });
}

/** Patterns that no provider fits, and providers that look like those of another site. */
function nameWarnings({ name: own, roles, share, sites }: FleetSettings, providers: readonly string[]): Warning[] {
  const fitsNone = (pattern: string): boolean => {
    const test = new NamePattern(pattern);
    return !providers.some((provider) => test.matches(provider));
  };
  const beyond = roles.has('site') ? share.flatMap((pattern, index) => (pattern !== '*' && fitsNone(pattern) ? [{ message: `share names "${pattern}", and no provider is called so`, path: ['fleet', 'share', index] }] : [])) : [];
  const alike = [...sites?.keys() ?? []].filter((site) => site !== own)
    .flatMap((site) => providers.filter((provider) => provider.startsWith(`${site}.`)).map((provider) => ({ message: `${provider} is named as the providers of the site ${site} are shown`, path: ['providers', provider] })));
  return [...beyond, ...alike];
}

/** Without a slash, a pattern is over names of machines, wherever they are: also one that looks like a site's providers. */
function slashWarnings({ roles, sites }: FleetSettings, accounts: readonly AccountSettings[], groups: Groups): Warning[] {
  if (!roles.has('front')) return [];
  const lists = [
    ...accounts.flatMap(({ name, grants, tokens = [] }) => [
      ...grants.map(({ instances }, index) => ({ words: instances, path: ['accounts', name, 'grants', index, 'instances'] })),
      ...tokens.map(({ instances }, index) => ({ words: instances, path: ['accounts', name, 'tokens', index, 'instances'] })),
    ]),
    ...[...groups].map(([name, words]) => ({ words, path: ['groups', name] })),
  ];
  return lists.flatMap(({ words, path }) => words.flatMap((word, index) => {
    const site = word.includes('/') ? undefined : [...sites?.keys() ?? []].find((one) => word.startsWith(`${one}.`));
    return site === undefined ? [] : [{ message: `"${word}" is on machines that are called so, wherever they are; those of the site ${site} are "${site}.*/*"`, path: [...path, index] }];
  }));
}
