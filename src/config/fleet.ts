import { isIP } from 'node:net';
import * as v from 'valibot';
import {
  FLEET_ALIVE_INTERVAL,
  FLEET_ALIVE_LONGEST,
  FLEET_ALIVE_SHORTEST,
  FLEET_DEAD_AFTER,
  FLEET_FRONTS,
  FLEET_OUTBOX_LEAST,
  FLEET_OUTBOX_MOST,
  FLEET_SEND_LONGEST,
  FLEET_SEND_TIMEOUT,
  FLEET_SERVERS,
  FLEET_SITES,
} from '../kit/fleet-limits.js';
import { OUTBOX_KEPT } from '../kit/limits.js';
import { readPublicKey, readSeed } from '../kit/nkeys.js';
import { NamePattern, type Groups } from '../kit/patterns.js';
import type { AccountSettings, FleetSettings, ProviderSettings } from './config.js';
import { fingerprint } from './fingerprint.js';
import { groupFault } from './group-words.js';
import type { NameForm, Reader } from './reader.js';
import { grantTable, patternFault } from './schema.js';
import { readSecret, secretEntries, secretKey, type SecretOptions } from './secret.js';
import { positiveDuration, text, whole } from './values.js';

/** The table `[fleet]` with `[[fleet.fronts]]` and `[[fleet.sites]]`, and the key `lease` of providers. */

/** Names of sites and fronts: one token of a subject, and the first half of a provider's name that is typed as a word. */
export const SITE_NAME: NameForm = { form: /^[a-z0-9][a-z0-9-]{0,31}$/, rule: 'it begins with one of a-z and 0-9, and goes on with those and -, up to 32 in all' };

const fleetName = v.pipe(text, v.regex(SITE_NAME.form, `cannot be used: ${SITE_NAME.rule}`));

const publicKey = v.pipe(text, v.check((key) => readPublicKey(key) !== undefined, 'must be the public key of an nkey, U…; `argo-server fleet key` shows it'));

const SERVER = /^(tls|nats):\/\/(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/;
const THIS_MACHINE: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '::1']);

/**
 * Why a text is no address of the bus, or undefined. An address in place of a host's name cannot be compared with a
 * certificate: the client hands none on (nats.js #303).
 */
function serverFault(server: string): string | undefined {
  const [, scheme, host = '', port] = SERVER.exec(server) ?? [];
  if (scheme === undefined || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535) {
    return server.includes('@') ? 'no user and no password belong here: this server logs in with its nkey' : 'write "tls://bus1.example:4222"';
  }
  const bare = host.replace(/^\[|\]$/g, '');
  if (scheme === 'nats') return THIS_MACHINE.has(bare) ? undefined : 'nats:// is not encrypted, so it may lead to this machine alone, such as "nats://localhost:4222"; write tls://';
  return isIP(bare) === 0 ? undefined : 'write the host\'s name as it is in its certificate: an address cannot be compared with that';
}

const providerPatternFault = (pattern: string): string | undefined =>
  (pattern.includes('/') ? 'a pattern over names of providers is expected, such as "kvm*"' : patternFault(() => new NamePattern(pattern)));

/** A text that a function finds fault with. */
const checked = (faultIn: (value: string) => string | undefined) => v.pipe(text, v.check((value) => faultIn(value) === undefined, ({ input }) => faultIn(String(input)) ?? ''));

const ROLES = ['site', 'front'] as const;
const roles = v.pipe(v.array(v.picklist(ROLES, 'one of "site", "front" is expected'), 'a list is expected, such as ["site"] or ["front"]'), v.minLength(1, 'must not be empty'));

export const frontTable = v.strictObject({
  name: fleetName,
  'public-key': publicKey,
  grants: v.optional(v.array(grantTable, 'a list of grants is expected, such as [{ instances = ["*"], commands = ["read"] }]'), []),
});

export const siteTable = v.strictObject({ name: fleetName, 'public-key': publicKey });

/** Milliseconds as the file has them. */
const seconds = (ms: number): string => `${ms / 1000}s`;

export const fleetTable = v.strictObject({
  role: roles,
  name: fleetName,
  servers: v.pipe(
    v.array(checked(serverFault), 'a list is expected, such as ["tls://bus1.example:4222"]'),
    v.minLength(1, 'must not be empty'), v.maxLength(FLEET_SERVERS, `must be at most ${FLEET_SERVERS} servers`),
  ),
  'ca-file': v.optional(text),
  ...secretEntries('nkey'),
  'alive-interval': v.optional(v.pipe(positiveDuration,
    v.minValue(FLEET_ALIVE_SHORTEST, `must be at least "${FLEET_ALIVE_SHORTEST}ms"`), v.maxValue(FLEET_ALIVE_LONGEST, `must be at most "${seconds(FLEET_ALIVE_LONGEST)}"`)), seconds(FLEET_ALIVE_INTERVAL)),
  'dead-after': v.optional(positiveDuration, seconds(FLEET_DEAD_AFTER)),
  'send-timeout': v.optional(v.pipe(positiveDuration, v.maxValue(FLEET_SEND_LONGEST, `must be at most "${seconds(FLEET_SEND_LONGEST)}"`)), seconds(FLEET_SEND_TIMEOUT)),
  'outbox-size': v.optional(whole(FLEET_OUTBOX_LEAST, FLEET_OUTBOX_MOST), OUTBOX_KEPT),
  share: v.optional(v.array(checked(providerPatternFault), 'a list of patterns is expected, such as ["kvm*"]'), ['*']),
  fronts: v.optional(v.pipe(v.array(frontTable, 'write [[fleet.fronts]], with two brackets on each side: there may be several'), v.maxLength(FLEET_FRONTS, `must be at most ${FLEET_FRONTS} fronts`)), []),
  sites: v.optional(v.pipe(v.array(siteTable, 'write [[fleet.sites]], with two brackets on each side: there may be several'), v.maxLength(FLEET_SITES, `must be at most ${FLEET_SITES} sites`))),
});

type FleetTable = v.InferOutput<typeof fleetTable>;

/** What else of the file the fleet's tables name. */
export interface FleetSurroundings {
  readonly accounts: ReadonlyMap<string, AccountSettings>;
  readonly groups: Groups;
  readonly providers: ReadonlyMap<string, ProviderSettings>;
}

const PATH = ['fleet'];

/** Encrypted or not: the client of the bus decides that once, for all servers. */
function checkServers(reader: Reader, servers: readonly string[]): void {
  servers.forEach((server, index) => {
    if (servers.indexOf(server) !== index) reader.fault([...PATH, 'servers', index], `${server} is in the list already`);
    else if (server.slice(0, 3) !== servers[0]!.slice(0, 3)) reader.fault([...PATH, 'servers', index], 'either all servers are reached by tls://, or none');
  });
}

/** Its own key must be there, and be one. What is there instead is not told: it may be another secret. */
function checkKey(reader: Reader, options: SecretOptions<'nkey'>): void {
  try {
    const seed = readSecret(options, 'nkey');
    if (seed === undefined) reader.fault(PATH, 'nkey-file is missing: it names the file with this server\'s key, which `argo-server fleet key` makes');
    else if (readSeed(seed.reveal().trim()) === undefined) reader.fault([...PATH, secretKey(options, 'nkey')], 'this is no seed of a user\'s nkey, SU…; `argo-server fleet key` makes one');
  } catch (error) {
    reader.fault([...PATH, secretKey(options, 'nkey')], `${(error as Error).message}; \`argo-server fleet key\` makes it`);
  }
}

/** Each name and each key stands for one. */
function checkTwins(reader: Reader, kind: 'fronts' | 'sites', members: readonly v.InferOutput<typeof siteTable>[]): void {
  const [names, keys] = [new Set<string>(), new Map<string, string>()];
  members.forEach(({ name, 'public-key': key }, index) => {
    if (names.has(name)) reader.fault([...PATH, kind, index, 'name'], `there is another one by the name ${name}`);
    const other = keys.get(key);
    if (other !== undefined) reader.fault([...PATH, kind, index, 'public-key'], `this is the key of ${other}, too: each has one of its own`);
    names.add(name);
    keys.set(key, name);
  });
}

function checkGroups(reader: Reader, { fronts }: FleetTable, groups: Groups): void {
  fronts.forEach(({ grants }, index) => grants.forEach(({ instances }, grant) => instances.forEach((word, at) => {
    const fault = groupFault(word, groups);
    if (fault !== undefined) reader.fault([...PATH, 'fronts', index, 'grants', grant, 'instances', at], fault);
  })));
}

/** What somebody at a front has ordered is `kim@f1`'s here: an account that is called so would see and cancel it as its own. */
function checkAccounts(reader: Reader, { fronts }: FleetTable, accounts: ReadonlyMap<string, AccountSettings>): void {
  const names = new Set(fronts.map(({ name }) => name));
  for (const account of accounts.keys()) {
    const front = account.slice(account.lastIndexOf('@') + 1);
    if (!account.includes('@') || !names.has(front)) continue;
    reader.fault(['accounts', account], `${account} cannot be an account here: so is called who orders at the front ${front}, and what is ordered there would be this account's, too`);
  }
}

/** A lease is one provider's here, and is held by what takes part in a fleet as a site. */
function checkLeases(reader: Reader, providers: ReadonlyMap<string, ProviderSettings>, isSite: boolean): void {
  const holders = new Map<string, string>();
  for (const { name, lease } of providers.values()) {
    if (lease === undefined) continue;
    const path = ['providers', name, 'lease'];
    const other = holders.get(lease);
    if (!isSite) reader.fault(path, 'a lease is shared with other sites of a fleet: it needs [fleet] with role = ["site"]');
    if (other !== undefined) reader.fault(path, `the provider ${other} has this lease already`);
    holders.set(lease, name);
  }
}

function complete(table: FleetTable, value: unknown): FleetSettings {
  const { nkey, 'nkey-file': file, 'nkey-env': variable } = table;
  return {
    roles: new Set(table.role), name: table.name, servers: table.servers, caFile: table['ca-file'],
    nkey: { ...(nkey && { nkey }), ...(file !== undefined && { 'nkey-file': file }), ...(variable !== undefined && { 'nkey-env': variable }) },
    aliveInterval: table['alive-interval'], deadAfter: table['dead-after'], sendTimeout: table['send-timeout'], outboxSize: table['outbox-size'], share: table.share,
    fronts: table.fronts.map(({ name, 'public-key': key, grants }) => ({ name, publicKey: key, grants })),
    sites: table.sites && new Map(table.sites.map(({ name, 'public-key': key }) => [name, key])),
    fingerprint: fingerprint(value),
  };
}

/** The table as the file has it, what is wrong with it by itself noted. */
function parseTable(reader: Reader): { readonly table: FleetTable; readonly settings: FleetSettings } | undefined {
  const value = reader.table('fleet');
  const table = reader.parse(fleetTable, value, PATH);
  if (table === undefined) return undefined;
  checkServers(reader, table.servers);
  checkTwins(reader, 'fronts', table.fronts);
  checkTwins(reader, 'sites', table.sites ?? []);
  if (table['dead-after'] < 2 * table['alive-interval']) reader.fault([...PATH, 'dead-after'], 'must be at least twice alive-interval: one sign of life may be lost');
  return { table, settings: complete(table, value) };
}

/** `[fleet]` by itself: its key need not be there yet, and the groups of its grants are not looked up. */
export const readFleetTable = (reader: Reader): FleetSettings | undefined => parseTable(reader)?.settings;

/**
 * `[fleet]` as a server needs it that is to run, and the leases of providers.
 * @param isThere whether the file has that table
 */
export function readFleet(reader: Reader, isThere: boolean, { accounts, groups, providers }: FleetSurroundings): FleetSettings | undefined {
  const parsed = isThere ? parseTable(reader) : undefined;
  // what is wrong with the table is said once
  if (!isThere || parsed !== undefined) checkLeases(reader, providers, parsed?.settings.roles.has('site') ?? false);
  if (parsed === undefined) return undefined;
  checkKey(reader, parsed.settings.nkey);
  checkGroups(reader, parsed.table, groups);
  checkAccounts(reader, parsed.table, accounts);
  return parsed.settings;
}

/**
 * What differs when the connection to the bus has to be made anew: its servers, this server's name and key, and the
 * authorities, by the content of their files as they are now.
 */
export function connectionFingerprint({ name, servers, caFile, nkey }: FleetSettings): string {
  const { nkey: secret, ...rest } = nkey;
  return fingerprint({ name, servers, ...(caFile !== undefined && { 'ca-file': caFile }), ...rest, ...(secret && { key: secret.reveal() }) });
}
