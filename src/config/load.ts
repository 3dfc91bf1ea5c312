import { beginSlice, giveWay } from '../kit/slices.js';
import type { Catalogues } from './catalogue.js';
import type { AccountSettings, Config, EnrolmentSettings, FleetSettings, PlanSettings, ServerSettings } from './config.js';
import { ConfigError, parseDocument } from './document.js';
import { readConfigFile } from './file.js';
import type { FleetSurroundings } from './fleet.js';
import { groupFault } from './group-words.js';
import { Reader } from './reader.js';
import { ACCOUNT_NAME, accountTable, enrolmentTable, GROUP_NAME, groupsTable, serverTable } from './schema.js';
import { checkTls, readGateways, readProviders, readTriggers } from './typed-tables.js';
import { readWebhooks } from './webhooks.js';

const TABLES = ['server', 'accounts', 'groups', 'providers', 'gateways', 'webhooks', 'plans', 'triggers', 'enrolment', 'fleet'];

function readServer(reader: Reader, defaultStateDir: string): ServerSettings | undefined {
  const table = reader.parse(serverTable, reader.table('server'), ['server']);
  if (table === undefined) return undefined;
  const cert = table['tls-cert'];
  const key = table['tls-key'];
  checkTls(reader, ['server'], table);
  if (table.listen.length + table['tls-listen'].length === 0) {
    reader.fault(['server', 'listen'], 'nothing would listen: listen is empty, and so is tls-listen; without listen it is 127.0.0.1:20203');
  }
  return {
    listen: table.listen,
    tlsListen: table['tls-listen'],
    tls: cert === undefined || key === undefined ? undefined : { cert, key, clientCa: table['tls-client-ca'] },
    stateDir: table['state-dir'] ?? defaultStateDir,
    auditSync: table['audit-sync'],
    auditKeep: { age: table['audit-keep'], size: table['audit-max-size'] },
    pluginPath: table['plugin-path'],
    maxLine: table['max-line'],
    maxConnections: table['max-connections'],
    maxConnectionsPerAddress: table['max-connections-per-address'],
    idleTimeout: table['idle-timeout'],
    anonymousList: table['anonymous-list'],
    actionTimeout: table['action-timeout'],
    eventHistory: table['event-history'],
    maxWatchersPerAccount: table['max-watchers-per-account'],
    ownHost: table['own-host'],
    logLevel: table['log-level'],
  };
}

function readEnrolment(reader: Reader, isThere: boolean): EnrolmentSettings | undefined {
  const table = isThere ? reader.parse(enrolmentTable, reader.table('enrolment'), ['enrolment']) : undefined;
  if (table === undefined) return undefined;
  const { user, ...access } = table;
  return { user, access };
}

/** The fleet; what checks it is loaded where the file knows of one. */
async function fleetOf(reader: Reader, isThere: boolean, surroundings: FleetSurroundings): Promise<FleetSettings | undefined> {
  if (!isThere && [...surroundings.providers.values()].every(({ lease }) => lease === undefined)) return undefined;
  return (await import('./fleet.js')).readFleet(reader, isThere, surroundings);
}

/** A token must say whose it is: none stands there twice, and no two of an account share a name. */
function checkTokens(reader: Reader, accounts: ReadonlyMap<string, AccountSettings>): void {
  const known = new Map<string, string>();
  for (const { name: account, tokens = [] } of accounts.values()) {
    const names = new Set<string>();
    tokens.forEach(({ name, hash }, index) => {
      const path = ['accounts', account, 'tokens', index];
      if (names.has(name)) reader.fault([...path, 'name'], `${account} has another token ${name}`);
      const other = known.get(hash);
      if (other !== undefined) reader.fault([...path, 'hash'], `this is the token ${other}`);
      names.add(name);
      known.set(hash, `${name} of ${account}`);
    });
  }
}

function readAccounts(reader: Reader): Map<string, AccountSettings> {
  const accounts = new Map<string, AccountSettings>();
  for (const [name, value] of reader.names('accounts', ACCOUNT_NAME)) {
    const table = reader.parse(accountTable, value, ['accounts', name]);
    // one with a fault is there all the same for what names it; the file is refused in any case
    const tokens = (table?.tokens ?? []).map(({ expires, ...token }) => ({ ...token, expires }));
    accounts.set(name, { name, passwordHash: table?.password ?? '', from: table?.from, grants: table?.grants ?? [], ...(tokens.length > 0 ? { tokens } : {}) });
  }
  checkTokens(reader, accounts);
  return accounts;
}

/**
 * The names of the accounts in a text, whatever else is wrong with it.
 * @throws ConfigError where it is not TOML
 */
export const accountNames = (file: string, source: string): ReadonlySet<string> =>
  new Set(Object.keys(new Reader(parseDocument(file, source)).table('accounts')));

/** The groups, each `@name` in them and in the grants checked to be one of them. */
function readGroups(reader: Reader, accounts: ReadonlyMap<string, AccountSettings>, ownHost: readonly string[]): Map<string, readonly string[]> {
  const groups = new Map<string, readonly string[]>();
  for (const [name, value] of reader.names('groups', GROUP_NAME)) {
    const patterns = reader.parse(groupsTable.value, value, ['groups', name]);
    groups.set(name, patterns ?? []);
  }
  const check = (path: (string | number)[], words: readonly string[]): void => words.forEach((word, index) => {
    const fault = groupFault(word, groups);
    if (fault !== undefined) reader.fault([...path, index], fault);
  });
  for (const [name, patterns] of groups) check(['groups', name], patterns);
  for (const { name, grants, tokens = [] } of accounts.values()) {
    grants.forEach(({ instances }, index) => check(['accounts', name, 'grants', index, 'instances'], instances));
    tokens.forEach(({ instances }, index) => check(['accounts', name, 'tokens', index, 'instances'], instances));
  }
  check(['server', 'own-host'], ownHost);
  return groups;
}

/**
 * @param file the name for errors
 * @param defaultStateDir where state is kept when the text does not say
 * @param catalogues the types of providers, gateways and triggers that there are
 * @throws ConfigError with everything that is wrong, at its line and column
 */
export async function parseConfig(file: string, source: string, defaultStateDir: string, catalogues: Catalogues): Promise<Config> {
  beginSlice();
  const document = parseDocument(file, source);
  const reader = new Reader(document);
  for (const key of Object.keys(document.content as object)) {
    if (!TABLES.includes(key)) reader.fault([key], `unknown table ${key}; there are ${TABLES.join(', ')}`);
  }
  const server = readServer(reader, defaultStateDir);
  const accounts = readAccounts(reader);
  const groups = readGroups(reader, accounts, server?.ownHost ?? []);
  // a server at work may read it
  await giveWay();
  const providers = await readProviders(reader, await catalogues.providers(server?.pluginPath ?? []));
  const gateways = await readGateways(reader, catalogues, accounts, server);
  const hooks = await readWebhooks(reader, document.content, () => catalogues.gateways(server?.pluginPath ?? []), { accounts, groups, gateways });
  const planNames = new Set(Object.keys(reader.table('plans')));
  // what checks plans is loaded where there are any
  const plans = planNames.size > 0 ? (await import('./plans.js')).readPlans(reader, accounts, groups) : new Map<string, PlanSettings>();
  const triggers = await readTriggers(reader, catalogues, planNames, groups);
  const enrolment = readEnrolment(reader, Object.hasOwn(document.content as object, 'enrolment'));
  const fleet = await fleetOf(reader, Object.hasOwn(document.content as object, 'fleet'), { accounts, groups, providers });
  if (reader.faults.length > 0 || server === undefined) throw new ConfigError(file, reader.faults);
  await giveWay();
  return {
    file,
    server,
    accounts,
    groups,
    providers,
    gateways: new Map([...gateways, ...hooks]),
    plans,
    triggers,
    ...(enrolment && { enrolment }),
    ...(fleet && { fleet }),
  };
}

/** Reads and checks a configuration file. @throws ConfigError */
export const loadConfig = async (file: string, defaultStateDir: string, catalogues: Catalogues): Promise<Config> =>
  parseConfig(file, readConfigFile(file), defaultStateDir, catalogues);
