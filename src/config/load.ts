import { readFileSync, statSync } from 'node:fs';
import * as v from 'valibot';
import { driverTypes, loadDriver } from '../drivers/catalogue.js';
import { CONFIG_FILE_SIZE } from '../kit/limits.js';
import type { AccountSettings, Config, ProviderSettings, ServerSettings } from './config.js';
import { ConfigError, parseDocument } from './document.js';
import type { Document, Fault } from './document.js';
import { fingerprint } from './fingerprint.js';
import { ACCOUNT_NAME, accountTable, GROUP_NAME, groupsTable, PROVIDER_NAME, providerEntries, serverTable } from './schema.js';
import { readSecret, type SecretOptions } from './secret.js';

/** More faults than these are not shown: the first ones usually explain the rest. */
const MOST_FAULTS = 20;

const TABLES = ['server', 'accounts', 'groups', 'providers'];

/** Reads one document and gathers what is wrong with it. */
class Reader {
  readonly faults: Fault[] = [];
  readonly #document: Document;

  constructor(document: Document) {
    this.#document = document;
  }

  fault(path: readonly (string | number)[], message: string): void {
    this.faults.push({ message, position: this.#document.position(path) });
  }

  /** The sub-table at a key, empty where it is absent. */
  table(key: string): Record<string, unknown> {
    const value = (this.#document.content as Record<string, unknown>)[key] ?? {};
    if (typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date)) return value as Record<string, unknown>;
    this.fault([key], `${key} must be a table: [${key}]`);
    return {};
  }

  /** The value as the schema yields it, or undefined after noting the faults. */
  parse<Schema extends v.GenericSchema>(schema: Schema, value: unknown, path: readonly (string | number)[]): v.InferOutput<Schema> | undefined {
    const result = v.safeParse(schema, value);
    if (result.success) return result.output;
    for (const issue of result.issues) {
      const inner = (issue.path ?? []).map(({ key }) => key as string | number);
      const whole = [...path, ...inner];
      this.fault(whole, faultMessage(issue, String(whole.findLast((key) => typeof key === 'string'))));
    }
    return undefined;
  }

  /** The names of a table's sub-tables, those that are no usable names noted as faults. */
  names(key: string, form: RegExp): [string, unknown][] {
    return Object.entries(this.table(key)).filter(([name]) => {
      if (form.test(name)) return true;
      this.fault([key, name], `"${name}" cannot be used as a name in [${key}]`);
      return false;
    });
  }
}

/** The library's own wording repeats the value, which may be a password in the wrong place. */
const STANDARD_MESSAGE = /^Invalid \w+: Expected (.*?) (?:but|and) received [^]*$/;
const KINDS: Readonly<Record<string, string>> = { Object: 'a table is expected', Array: 'a list is expected', string: 'text in quotes is expected' };

function faultMessage(issue: v.BaseIssue<unknown>, key: string): string {
  if (issue.type === 'strict_object' && issue.expected === 'never') return `unknown key ${key}`;
  if (issue.kind === 'schema' && issue.received === 'undefined') return `${key} is missing`;
  return `${key}: ${issue.message.replace(STANDARD_MESSAGE, (_, kind: string) => KINDS[kind] ?? `${kind} is expected`)}`;
}

function readServer(reader: Reader, defaultStateDir: string): ServerSettings | undefined {
  const table = reader.parse(serverTable, reader.table('server'), ['server']);
  if (table === undefined) return undefined;
  const cert = table['tls-cert'];
  const key = table['tls-key'];
  if (table['tls-listen'].length > 0 && (cert === undefined || key === undefined)) {
    reader.fault(['server', 'tls-listen'], 'tls-listen needs tls-cert and tls-key');
  }
  if (table.listen.length + table['tls-listen'].length === 0) {
    reader.fault(['server', 'listen'], 'nothing would listen: listen is empty, and so is tls-listen; without listen it is 127.0.0.1:20203');
  }
  return {
    listen: table.listen,
    tlsListen: table['tls-listen'],
    tls: cert === undefined || key === undefined ? undefined : { cert, key, clientCa: table['tls-client-ca'] },
    stateDir: table['state-dir'] ?? defaultStateDir,
    auditSync: table['audit-sync'],
    pluginPath: table['plugin-path'],
    maxLine: table['max-line'],
    maxConnections: table['max-connections'],
    maxConnectionsPerAddress: table['max-connections-per-address'],
    idleTimeout: table['idle-timeout'],
    anonymousList: table['anonymous-list'],
    actionTimeout: table['action-timeout'],
    logLevel: table['log-level'],
  };
}

function readAccounts(reader: Reader): Map<string, AccountSettings> {
  const accounts = new Map<string, AccountSettings>();
  for (const [name, value] of reader.names('accounts', ACCOUNT_NAME)) {
    const table = reader.parse(accountTable, value, ['accounts', name]);
    if (table) accounts.set(name, { name, passwordHash: table.password, from: table.from, grants: table.grants });
  }
  return accounts;
}

/** The groups, each `@name` in them and in the grants checked to be one of them. */
function readGroups(reader: Reader, accounts: ReadonlyMap<string, AccountSettings>): Map<string, readonly string[]> {
  const groups = new Map<string, readonly string[]>();
  for (const [name, value] of reader.names('groups', GROUP_NAME)) {
    const patterns = reader.parse(groupsTable.value, value, ['groups', name]);
    if (patterns) groups.set(name, patterns);
  }
  const check = (path: (string | number)[], words: readonly string[]): void => words.forEach((word, index) => {
    if (word.startsWith('@') && !groups.has(word.slice(1))) reader.fault([...path, index], `there is no group ${word}`);
  });
  for (const [name, patterns] of groups) check(['groups', name], patterns);
  for (const { name, grants } of accounts.values()) {
    grants.forEach(({ instances }, index) => check(['accounts', name, 'grants', index, 'instances'], instances));
  }
  return groups;
}

async function readProvider(reader: Reader, name: string, value: unknown): Promise<ProviderSettings | undefined> {
  const path = ['providers', name];
  const type = (value as { type?: unknown } | undefined)?.type;
  if (typeof type !== 'string') {
    reader.fault(path, `providers.${name} needs a type: one of ${driverTypes().join(', ')}`);
    return undefined;
  }
  const driver = await loadDriver(type);
  if (driver === undefined) {
    reader.fault([...path, 'type'], `there is no driver for type "${type}"; there are ${driverTypes().join(', ')}`);
    return undefined;
  }
  const table = reader.parse(v.strictObject({ ...driver.options, ...providerEntries }), value, path);
  if (table === undefined) return undefined;
  for (const secret of ['password', 'sudo-password'] as const) {
    try {
      readSecret(table as SecretOptions<typeof secret>, secret);
    } catch (error) {
      reader.fault(path, (error as Error).message);
    }
  }
  return {
    name,
    type,
    driver,
    options: table,
    actionTimeout: table['action-timeout'],
    pollInterval: table['poll-interval'],
    concurrency: table.concurrency,
    fingerprint: fingerprint(value),
  };
}

/**
 * @param file the name for errors
 * @param defaultStateDir where state is kept when the text does not say
 * @throws ConfigError with everything that is wrong, at its line and column
 */
export async function parseConfig(file: string, source: string, defaultStateDir: string): Promise<Config> {
  const document = parseDocument(file, source);
  const reader = new Reader(document);
  for (const key of Object.keys(document.content as object)) {
    if (!TABLES.includes(key)) reader.fault([key], `unknown table ${key}; there are ${TABLES.join(', ')}`);
  }
  const server = readServer(reader, defaultStateDir);
  const accounts = readAccounts(reader);
  const groups = readGroups(reader, accounts);
  const providers = new Map<string, ProviderSettings>();
  for (const [name, value] of reader.names('providers', PROVIDER_NAME)) {
    const settings = await readProvider(reader, name, value);
    if (settings) providers.set(name, settings);
  }
  if (reader.faults.length > 0 || server === undefined) throw new ConfigError(file, reader.faults.slice(0, MOST_FAULTS));
  return { file, server, accounts, groups, providers };
}

/**
 * The text of a configuration file.
 * @throws ConfigError where it cannot be read
 */
export function readConfigFile(file: string): string {
  try {
    const { size } = statSync(file);
    if (size > CONFIG_FILE_SIZE) throw new Error('it is too large');
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(file, [{ message: `cannot be read: ${(error as Error).message}` }]);
  }
}

/** Reads and checks a configuration file. @throws ConfigError */
export const loadConfig = async (file: string, defaultStateDir: string): Promise<Config> =>
  parseConfig(file, readConfigFile(file), defaultStateDir);
