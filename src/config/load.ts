import { readFileSync, statSync } from 'node:fs';
import * as v from 'valibot';
import { CONFIG_FILE_SIZE } from '../kit/limits.js';
import type { Catalogue, Catalogues } from './catalogue.js';
import type { AccountSettings, Config, GatewaySettings, ProviderSettings, ServerSettings } from './config.js';
import { ConfigError, parseDocument } from './document.js';
import type { Document, Fault, Position } from './document.js';
import { fingerprint } from './fingerprint.js';
import {
  ACCOUNT_NAME, accountTable, GATEWAY_NAME, gatewayEntries, GROUP_NAME, groupsTable, PROVIDER_NAME, providerEntries, serverTable,
} from './schema.js';
import { readSecret, secretNames, type SecretOptions } from './secret.js';
import type { Endpoint } from './values.js';
import { readWebhooks } from './webhooks.js';

/** More faults than these are not shown: the first ones usually explain the rest. */
const MOST_FAULTS = 20;

const TABLES = ['server', 'accounts', 'groups', 'providers', 'gateways', 'webhooks'];

/** Reads one document and gathers what is wrong with it. */
class Reader {
  readonly faults: Fault[] = [];
  readonly #document: Document;

  constructor(document: Document) {
    this.#document = document;
  }

  fault(path: readonly (string | number)[], message: string): void {
    this.faults.push({ message, position: this.positionOf(path) });
  }

  positionOf(path: readonly (string | number)[]): Position | undefined {
    return this.#document.position(path);
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

/** Where TLS is to be spoken there must be a certificate. */
function checkTls(reader: Reader, path: readonly string[], table: Readonly<Record<string, unknown>>): void {
  const { 'tls-listen': places, 'tls-cert': cert, 'tls-key': key } = table;
  if (Array.isArray(places) && places.length > 0 && (cert === undefined || key === undefined)) {
    reader.fault([...path, 'tls-listen'], 'tls-listen needs tls-cert and tls-key');
  }
}

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

/** A kind of table of which each names a type, and the type brings keys of its own. */
interface TypedTables {
  readonly table: 'providers' | 'gateways';
  /** what a type is, for people */
  readonly noun: string;
  readonly name: RegExp;
  /** the keys that all of them take */
  readonly entries: v.ObjectEntries;
}

const PROVIDERS: TypedTables = { table: 'providers', noun: 'driver', name: PROVIDER_NAME, entries: providerEntries };
const GATEWAYS: TypedTables = { table: 'gateways', noun: 'gateway', name: GATEWAY_NAME, entries: gatewayEntries };

/** One such table, checked: its name, its type, what its keys yielded, and what tells it from its successor. */
type TypedTable = Pick<GatewaySettings, 'name' | 'type' | 'fingerprint'> & { readonly options: Record<string, unknown> };

async function readTyped(reader: Reader, { table, noun, name: form, entries }: TypedTables, catalogue: Catalogue): Promise<TypedTable[]> {
  const found: TypedTable[] = [];
  for (const [name, value] of reader.names(table, form)) {
    const path = [table, name];
    const type = (value as { type?: unknown } | undefined)?.type;
    if (typeof type !== 'string') {
      reader.fault(path, `${table}.${name} needs a type: one of ${catalogue.types().join(', ')}`);
      continue;
    }
    const own = await catalogue.options(type);
    if (own === undefined) {
      reader.fault([...path, 'type'], `there is no ${noun} for type "${type}"; there are ${catalogue.types().join(', ')}`);
      continue;
    }
    const options = reader.parse(v.strictObject({ ...own, ...entries }), value, path) as Record<string, unknown> | undefined;
    if (options === undefined) continue;
    for (const secret of secretNames(own)) {
      try {
        readSecret(options as SecretOptions<string>, secret);
      } catch (error) {
        reader.fault(path, (error as Error).message);
      }
    }
    for (const fault of await catalogue.faults?.(type, options) ?? []) {
      reader.faults.push(fault.file === undefined ? { message: fault.message, position: reader.positionOf([...path, ...fault.path ?? []]) } : fault);
    }
    found.push({ name, type, options, fingerprint: fingerprint(value) });
  }
  return found;
}

async function readProviders(reader: Reader, catalogue: Catalogue): Promise<Map<string, ProviderSettings>> {
  const tables = await readTyped(reader, PROVIDERS, catalogue);
  return new Map(tables.map((table) => {
    const common = table.options as v.InferOutput<v.ObjectSchema<typeof providerEntries, undefined>>;
    return [table.name, { ...table, actionTimeout: common['action-timeout'], pollInterval: common['poll-interval'], concurrency: common.concurrency }];
  }));
}

const isEmpty = (places: unknown): boolean => Array.isArray(places) && places.length === 0;

/** A gateway cannot listen where the line protocol or another one of its kind does. Port 0 is another one each time. */
function checkPlaces(reader: Reader, gateways: readonly TypedTable[], server: ServerSettings): void {
  const nameOf = ({ host, port }: Endpoint): string => `${host} ${port}`;
  const taken = new Set([...server.listen, ...server.tlsListen].filter(({ port }) => port !== 0).map(nameOf));
  // those of one type would stand in each other's way; others may share an address, each below a path of its own
  const byPlace = new Map<string, string>();
  for (const { name, type, options } of gateways) {
    checkTls(reader, ['gateways', name], options);
    if (isEmpty(options.listen) && isEmpty(options['tls-listen'])) reader.fault(['gateways', name], 'listen and tls-listen are both empty');
    for (const key of ['listen', 'tls-listen']) {
      const places = options[key];
      if (!Array.isArray(places)) continue;
      (places as Endpoint[]).forEach((place, index) => {
        if (taken.has(nameOf(place))) reader.fault(['gateways', name, key, index], 'the line protocol listens there');
        const mine = `${type} ${nameOf(place)} ${String(options.path)}`;
        const other = place.port === 0 ? undefined : byPlace.get(mine);
        if (other !== undefined && other !== name) reader.fault(['gateways', name, key, index], `the gateway ${other} is there already`);
        byPlace.set(mine, name);
      });
    }
  }
}

/** What a gateway's own `account` names must be there: it would work on nobody's behalf. */
function checkAccounts(reader: Reader, gateways: readonly TypedTable[], accounts: ReadonlyMap<string, AccountSettings>): void {
  for (const { name, options: { account } } of gateways) {
    if (typeof account === 'string' && !accounts.has(account)) reader.fault(['gateways', name, 'account'], `there is no account ${account}`);
  }
}

/**
 * @param file the name for errors
 * @param defaultStateDir where state is kept when the text does not say
 * @param catalogues the types of providers and gateways that there are
 * @throws ConfigError with everything that is wrong, at its line and column
 */
export async function parseConfig(file: string, source: string, defaultStateDir: string, catalogues: Catalogues): Promise<Config> {
  const document = parseDocument(file, source);
  const reader = new Reader(document);
  for (const key of Object.keys(document.content as object)) {
    if (!TABLES.includes(key)) reader.fault([key], `unknown table ${key}; there are ${TABLES.join(', ')}`);
  }
  const server = readServer(reader, defaultStateDir);
  const accounts = readAccounts(reader);
  const groups = readGroups(reader, accounts);
  const providers = await readProviders(reader, await catalogues.providers(server?.pluginPath ?? []));
  const hasGateways = Object.keys(reader.table('gateways')).length > 0;
  const gateways = hasGateways ? await readTyped(reader, GATEWAYS, await catalogues.gateways(server?.pluginPath ?? [])) : [];
  checkAccounts(reader, gateways, accounts);
  if (server) checkPlaces(reader, gateways, server);
  const { webhooks } = document.content as { readonly webhooks?: unknown };
  const hooks = await readWebhooks(reader, webhooks, () => catalogues.gateways(server?.pluginPath ?? []), { accounts, groups, gateways });
  if (reader.faults.length > 0 || server === undefined) throw new ConfigError(file, reader.faults.slice(0, MOST_FAULTS));
  return { file, server, accounts, groups, providers, gateways: new Map([...gateways, ...hooks].map((gateway) => [gateway.name, gateway])), plans: new Map(), triggers: new Map() };
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
export const loadConfig = async (file: string, defaultStateDir: string, catalogues: Catalogues): Promise<Config> =>
  parseConfig(file, readConfigFile(file), defaultStateDir, catalogues);
