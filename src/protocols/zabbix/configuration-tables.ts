import { ZABBIX_CONFIGURATION_BATCH, ZABBIX_DELAY, ZABBIX_KEY, ZABBIX_REASONS_KEPT } from '../../kit/zabbix-limits.js';
import type { ConfiguredHost, ConfiguredInterface, ConfiguredItem, DiscoveryRule } from './configuration.js';
import { refusalOf, wholeNumber } from './conversation.js';
import { ZabbixError, type ZabbixFault } from './errors.js';
import { parseMessage } from './frame.js';
import { readSteps, type StepsByItem } from './preprocessing/configured-steps.js';
import { VALUE_TYPES } from './value-type.js';

/** The tables of a `proxy config` as the rows that matter here. Long ones are read so in a thread of their own. */

/** A user macro of a host, a template (hostid is its id) or all (hostid 0). */
export interface MacroRow {
  readonly hostid: number;
  /** `{$NAME}`, `{$NAME:context}` */
  readonly macro: string;
  readonly value: string;
}

interface TemplateRow {
  readonly hostid: number;
  readonly templateid: number;
}

interface CheckRow {
  readonly druleid: number;
  readonly check: DiscoveryRule['checks'][number];
}

/** The rows of each table. */
export interface Rows {
  readonly hosts: ConfiguredHost;
  readonly interface: ConfiguredInterface;
  /** macros are not replaced yet */
  readonly items: ConfiguredItem;
  readonly drules: Omit<DiscoveryRule, 'checks'>;
  readonly dchecks: CheckRow;
  readonly globalmacro: MacroRow;
  readonly hostmacro: MacroRow;
  readonly hosts_templates: TemplateRow;
}

export type TableName = keyof Rows;

/** Rows of one table, as many as are handed over in one go. */
export type Batch = { readonly [Name in TableName]: { readonly table: Name; readonly rows: readonly Rows[Name][] } }[TableName];

/** What a message says besides its rows. */
export interface Outline {
  /** replaces all that is known, instead of parts of it */
  readonly isFull: boolean;
  /** of servers since 6.4 */
  readonly revision: number | undefined;
  /** tables that were there */
  readonly tables: readonly TableName[];
  readonly goneHosts: readonly number[];
  /** hosts that have no macros and templates any more; 0: there are no global macros */
  readonly goneMacros: readonly number[];
  /** hosts that are there and are not watched */
  readonly idleHosts: readonly number[];
  readonly skipped: Skipped;
}

/** Rows that were left out because something is wrong with them. */
export interface Skipped {
  readonly count: number;
  /** why, each reason once, with its number: `3 rows of items without a key` */
  readonly reasons: readonly string[];
}

/** Counts what is left out. */
class SkipCount {
  readonly #reasons = new Map<string, number>();
  #count = 0;

  add(reason: string, rows = 1): undefined {
    this.#count += rows;
    if (this.#reasons.size < ZABBIX_REASONS_KEPT || this.#reasons.has(reason)) this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + rows);
    return undefined;
  }

  get result(): Skipped {
    return { count: this.#count, reasons: [...this.#reasons].map(([reason, count]) => `${count} ${reason}`) };
  }
}

type Json = Readonly<Record<string, unknown>>;
type Row = (field: string) => unknown;

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const words = (value: unknown, most: number): string | undefined => (typeof value === 'string' && value.length <= most ? value : undefined);
const isOne = (value: unknown): boolean => value === 1 || value === '1';

/** `hosts.host` has 128 characters, most other names have 255. */
const NAME = 255;
const MACRO_VALUE = 2048;

/** `items.type` of one whose values are made of another's. */
const DEPENDENT = 18;
/** `items.flags` of a rule of low-level discovery, and of what only says how items of one are made. */
const RULE = 1;
const PROTOTYPE = 2;

/** @returns a row, a reason why it is none, or nothing where it does not matter */
type ReadRow<Name extends TableName> = (row: Row) => Rows[Name] | string | undefined;

const READERS: { readonly [Name in TableName]: ReadRow<Name> } = {
  hosts: (row) => {
    const [hostid, host] = [wholeNumber(row('hostid')), words(row('host'), NAME)];
    if (hostid === undefined || host === undefined || host === '') return 'without an id or a name';
    return { hostid, host, name: words(row('name'), NAME) ?? host };
  },
  interface: (row) => {
    const [interfaceid, hostid, type] = [wholeNumber(row('interfaceid')), wholeNumber(row('hostid')), wholeNumber(row('type'))];
    const [ip, dns, port] = [words(row('ip'), NAME), words(row('dns'), NAME), row('port')];
    if (interfaceid === undefined || hostid === undefined || type === undefined) return 'without an id, a host or a type';
    if (ip === undefined || dns === undefined || (typeof port !== 'string' && typeof port !== 'number')) return 'without an address or a port';
    return { interfaceid, hostid, type, isMain: isOne(row('main')), address: isOne(row('useip')) ? ip : dns, port: String(port) };
  },
  items: (row) => {
    if (wholeNumber(row('status') ?? 0) !== 0 || wholeNumber(row('flags') ?? 0) === PROTOTYPE) return undefined;
    const [itemid, hostid, type] = [wholeNumber(row('itemid')), wholeNumber(row('hostid')), wholeNumber(row('type'))];
    const [key, delay] = [words(row('key_'), ZABBIX_KEY), row('delay')];
    const valueType = VALUE_TYPES[wholeNumber(row('value_type')) ?? -1];
    if (itemid === undefined || hostid === undefined || type === undefined) return 'without an id, a host or a type';
    if (key === undefined || key === '') return 'without a key';
    if ((typeof delay !== 'string' && typeof delay !== 'number') || String(delay).length > ZABBIX_DELAY) return 'without an interval';
    if (valueType === undefined) return 'of a type of value that is not known';
    const item = { itemid: String(itemid), hostid, type, key, delay: String(delay), valueType, ...(wholeNumber(row('flags')) === RULE && { isRule: true as const }) };
    if (type !== DEPENDENT) return item;
    const master = wholeNumber(row('master_itemid'));
    return master === undefined ? 'that depend on none' : { ...item, masterItemid: String(master) };
  },
  drules: (row) => {
    const [druleid, ipRange, delay] = [wholeNumber(row('druleid')), words(row('iprange'), MACRO_VALUE), row('delay')];
    if (druleid === undefined || ipRange === undefined || (typeof delay !== 'string' && typeof delay !== 'number')) return 'without an id, a range or an interval';
    return { druleid, name: words(row('name'), NAME) ?? '', ipRange, delay: String(delay) };
  },
  dchecks: (row) => {
    const [dcheckid, druleid, type] = [wholeNumber(row('dcheckid')), wholeNumber(row('druleid')), wholeNumber(row('type'))];
    if (dcheckid === undefined || druleid === undefined || type === undefined) return 'without an id, a rule or a type';
    return { druleid, check: { dcheckid, type, key: words(row('key_'), ZABBIX_KEY) ?? '', ports: words(row('ports'), NAME) ?? '0' } };
  },
  globalmacro: (row) => readMacro(0, row),
  hostmacro: (row) => {
    const hostid = wholeNumber(row('hostid'));
    return hostid === undefined ? 'without a host' : readMacro(hostid, row);
  },
  hosts_templates: (row) => {
    const [hostid, templateid] = [wholeNumber(row('hostid')), wholeNumber(row('templateid'))];
    return hostid === undefined || templateid === undefined ? 'without a host or a template' : { hostid, templateid };
  },
};

/** Secrets are none of a key's or an interval's: where one stands, it stays as it is written, and reaches no log. */
function readMacro(hostid: number, row: Row): MacroRow | string | undefined {
  if (wholeNumber(row('type') ?? 0) !== 0) return undefined;
  const [macro, value] = [words(row('macro'), NAME), words(row('value'), MACRO_VALUE)];
  return macro === undefined || value === undefined ? 'without a name or a value' : { hostid, macro, value };
}

const TABLES = Object.keys(READERS) as readonly TableName[];
/** `hosts.status` of one that is watched; templates are rows of it too, with 3. */
const WATCHED = 0;

/**
 * Reads a configuration, or changes of one.
 * @param content JSON: what an active proxy is answered, what a passive one is sent
 * @param tell is given the rows, some thousands at a time
 * @throws ZabbixError GARBAGE where it is none; FAILED or VERSION where it is a refusal
 */
export function readTables(content: Buffer, tell: (batch: Batch) => void): Outline {
  const message = parseMessage(content);
  if (message.response === 'failed') throw refusalOf(message);
  const isBare = message.config_revision === undefined && message.data === undefined;
  const tables = isBare ? message : message.data ?? {};
  if (!isObject(tables)) throw new ZabbixError('GARBAGE', 'a configuration whose tables are none');
  const isIncremental = message.config_revision !== undefined || message.full_sync !== undefined;
  const isEmpty = Object.keys(message).every((name) => name === 'request' || name === 'response');
  const revision = wholeNumber(message.config_revision);
  if (isIncremental && revision === undefined) throw new ZabbixError('GARBAGE', 'a configuration without its revision');
  if (!isIncremental && !isEmpty && !isObject(tables.hosts)) throw new ZabbixError('GARBAGE', 'a configuration without the table of hosts');
  const skipped = new SkipCount();
  const idleHosts: number[] = [];
  const reading = { skipped, tell, idleHosts, steps: readSteps(tableOf(tables, 'item_preproc')) };
  // before anything is told: where one is broken, nothing of it is taken for the server's wish
  const found = TABLES.map((name) => ({ name, table: tableOf(tables, name) }));
  for (const { name, table } of found) if (table !== undefined) readTable(name, table, reading);
  return {
    isFull: isIncremental ? isOne(message.full_sync) : !isEmpty,
    revision,
    tables: found.flatMap(({ name, table }) => (table === undefined ? [] : [name])),
    idleHosts,
    goneHosts: ids(message.del_hostids),
    goneMacros: ids(message.del_macro_hostids),
    skipped: skipped.result,
  };
}

const ids = (value: unknown): number[] => (Array.isArray(value) ? value.map(wholeNumber).filter((id) => id !== undefined) : []);

/** What the tables of one message are read with. */
interface Reading {
  readonly skipped: SkipCount;
  readonly tell: (batch: Batch) => void;
  readonly idleHosts: number[];
  readonly steps: StepsByItem;
}

interface Table {
  readonly fields: readonly unknown[];
  readonly data: readonly unknown[];
}

const isTable = (table: unknown): table is Table => isObject(table) && Array.isArray(table.fields) && Array.isArray(table.data);

/** @throws ZabbixError GARBAGE where there is something that is none: taken for an empty one it would end all that was wanted */
function tableOf(tables: Json, name: TableName | 'item_preproc'): Table | undefined {
  const table = tables[name];
  if (table === undefined || isTable(table)) return table;
  throw new ZabbixError('GARBAGE', `a configuration whose table ${name} is none`);
}

function readTable(name: TableName, table: Table, { skipped, tell, idleHosts, steps }: Reading): void {
  const columns = new Map(table.fields.map((field, at) => [field, at]));
  let rows: unknown[] = [];
  const hand = (): void => {
    if (rows.length > 0) tell({ table: name, rows } as Batch);
    rows = [];
  };
  for (const cells of table.data) {
    const row = Array.isArray(cells) ? (field: string): unknown => (cells as readonly unknown[])[columns.get(field) ?? -1] : undefined;
    const read = row ? READERS[name](row) : 'that are no list';
    if (typeof read === 'string') skipped.add(`rows of ${name} ${read}`);
    else if (name === 'hosts' && row && wholeNumber(row('status') ?? 0) !== WATCHED) idleHosts.push((read as ConfiguredHost).hostid);
    else if (read !== undefined && rows.push('itemid' in read && steps.has(read.itemid) ? { ...read, steps: steps.get(read.itemid) } : read) >= ZABBIX_CONFIGURATION_BATCH) hand();
  }
  hand();
}

/** What a thread tells. */
export type FromThread =
  | Batch
  | { readonly outline: Outline }
  | { readonly fault: { readonly code: ZabbixFault; readonly message: string; readonly serverVersion: string | undefined } };
