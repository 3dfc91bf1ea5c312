import { randomBytes } from 'node:crypto';
import type { Worker } from 'node:worker_threads';
import { ZABBIX_CONFIGURATION_HEAP_MB, ZABBIX_CONFIGURATION_READING, ZABBIX_INLINE_CONFIGURATION } from '../../kit/zabbix-limits.js';
import { ownModule } from '../../kit/own-files.js';
import { Slices } from '../../kit/slices.js';
import { formatDuration } from '../../kit/text.js';
import { onAbort } from '../../kit/within.js';
import { readTables, type Batch, type FromThread, type MacroRow, type Outline, type Rows, type Skipped, type TableName } from './configuration-tables.js';
import type { ConfiguredHost, ConfiguredInterface, ConfiguredItem, DiscoveryRule, ProxyConfiguration } from './configuration.js';
import type { KnownConfiguration } from './conversation.js';
import { ZabbixError } from './errors.js';
import { macroValues, Macros } from './macros.js';

/** Which items are kept. */
export type Serves = (item: Pick<ConfiguredItem, 'type' | 'key'>) => boolean;

/** What came of a message with a configuration. */
export interface ReadConfiguration {
  readonly configuration: ProxyConfiguration;
  /** false: it is what was known already */
  readonly isChanged: boolean;
  /** it replaced all that was known, instead of parts of it */
  readonly isWhole: boolean;
  /** rows of this message that were left out, and why */
  readonly skipped: Skipped;
}

/** Rows that came and are not in force yet. */
type Pending = { readonly [Name in TableName]: Rows[Name][] };

const pending = (): Pending => ({ hosts: [], interface: [], items: [], drules: [], dchecks: [], globalmacro: [], hostmacro: [], hosts_templates: [] });

/**
 * Knows what a server wants, from whole configurations (before 6.4) and from changes. One message is read at a time. A
 * long one is taken apart in a thread, and put together in slices, so that nothing else is held up.
 */
export class ConfigurationReader {
  readonly #serves: Serves;
  readonly #session = randomBytes(16).toString('hex');
  #revision = 0;
  #hosts = new Map<number, ConfiguredHost>();
  #interfaces = new Map<number, ConfiguredInterface[]>();
  /** Macros are not replaced in them: those may change. */
  #items = new Map<number, ConfiguredItem[]>();
  #rules: readonly DiscoveryRule[] = [];
  /** 0: the global ones */
  #macros = new Map<number, MacroRow[]>();
  #templates = new Map<number, number[]>();
  #configuration: ProxyConfiguration = { hosts: new Map(), interfaces: [], items: [], rules: [] };
  #turn: Promise<unknown> = Promise.resolve();

  /** @param serves asked with the key as it is when macros are replaced, and, where it has none, before the item is kept at all */
  constructor(serves: Serves) {
    this.#serves = serves;
  }

  /** for the question to a server since 6.4 */
  get known(): KnownConfiguration {
    return { session: this.#session, revision: this.#revision };
  }

  /** what was wanted last */
  get current(): ProxyConfiguration {
    return this.#configuration;
  }

  /**
   * Takes a configuration, or changes of what is known. Where it throws, what was known stays in force.
   * @param content JSON; it is handed to a thread where it is long, and is not to be used any more
   * @throws ZabbixError GARBAGE, FAILED, VERSION, LATE, ABORTED
   */
  read(content: Buffer, signal: AbortSignal): Promise<ReadConfiguration> {
    const reading = this.#turn.then(() => this.#read(content, signal));
    this.#turn = reading.catch(() => undefined);
    return reading;
  }

  /** Forgets all, so that the server is asked for all of it. */
  forget(): void {
    this.#revision = 0;
  }

  async #read(content: Buffer, signal: AbortSignal): Promise<ReadConfiguration> {
    const rows = pending();
    const take = (batch: Batch): void => {
      // of items, those that are nobody's here are dropped before they are kept by the hundred thousand
      const all = batch.table === 'items' ? batch.rows.filter((item) => item.key.includes('{$') || this.#serves(item)) : batch.rows;
      (rows[batch.table] as unknown[]).push(...all);
    };
    const outline = content.length <= ZABBIX_INLINE_CONFIGURATION ? readTables(content, take) : await readInThread(content, take, signal);
    const isChanged = outline.isFull || outline.tables.length > 0 || outline.goneHosts.length > 0 || outline.goneMacros.length > 0;
    if (isChanged) {
      await this.#apply(rows, outline);
      this.#configuration = await this.#build();
    }
    this.#revision = outline.revision ?? this.#revision;
    return { configuration: this.#configuration, isChanged, isWhole: outline.isFull, skipped: outline.skipped };
  }

  async #apply(rows: Pending, outline: Outline): Promise<void> {
    const slices = new Slices();
    if (outline.isFull) this.#clear();
    const has = (name: TableName): boolean => outline.tables.includes(name);
    if (has('hosts')) {
      // what a host has comes whole with it
      for (const hostid of [...rows.hosts.map((host) => host.hostid), ...outline.idleHosts]) this.#dropHost(hostid);
      for (const host of rows.hosts) this.#hosts.set(host.hostid, host);
    }
    await addAll(this.#interfaces, rows.interface, slices);
    await addAll(this.#items, rows.items, slices);
    if (has('globalmacro')) this.#macros.set(0, rows.globalmacro);
    for (const { hostid } of [...rows.hostmacro, ...rows.hosts_templates]) this.#dropMacros(hostid);
    await addAll(this.#macros, rows.hostmacro, slices);
    for (const { hostid, templateid } of rows.hosts_templates) this.#templates.set(hostid, [...this.#templates.get(hostid) ?? [], templateid]);
    if (has('drules')) this.#rules = withChecks(rows.drules, rows.dchecks);
    for (const hostid of outline.goneHosts) {
      this.#dropHost(hostid);
      this.#dropMacros(hostid);
    }
    outline.goneMacros.forEach((hostid) => this.#dropMacros(hostid));
  }

  #clear(): void {
    for (const table of [this.#hosts, this.#interfaces, this.#items, this.#macros, this.#templates]) table.clear();
    this.#rules = [];
  }

  #dropHost(hostid: number): void {
    for (const table of [this.#hosts, this.#interfaces, this.#items]) table.delete(hostid);
  }

  #dropMacros(hostid: number): void {
    for (const table of [this.#macros, this.#templates]) table.delete(hostid);
  }

  async #build(): Promise<ProxyConfiguration> {
    const slices = new Slices();
    const values = new Map([...this.#macros].map(([hostid, rows]) => [hostid, macroValues(rows)]));
    const macros = new Macros(values, this.#templates);
    const items: ConfiguredItem[] = [];
    for (const [hostid, ofHost] of this.#items) {
      if (!this.#hosts.has(hostid)) continue;
      for (const item of ofHost) {
        const whole = replacedItem(item, macros);
        if (!item.key.includes('{$') || this.#serves(whole)) items.push(whole);
        if (slices.isOver()) await slices.pause();
      }
    }
    const interfaces = [...this.#interfaces].flatMap(([hostid, all]) => (this.#hosts.has(hostid) ? all.map((each) => replaced(each, macros)) : []));
    return { hosts: new Map(this.#hosts), interfaces, items, rules: this.#rules };
  }
}

function withChecks(rules: Pending['drules'], checks: Pending['dchecks']): DiscoveryRule[] {
  const byRule = new Map<number, DiscoveryRule['checks'][number][]>();
  for (const { druleid, check } of checks) {
    const known = byRule.get(druleid);
    if (known) known.push(check);
    else byRule.set(druleid, [check]);
  }
  return rules.map((rule) => ({ ...rule, checks: byRule.get(rule.druleid) ?? [] }));
}

function replacedItem(item: ConfiguredItem, macros: Macros): ConfiguredItem {
  const { hostid, key, delay, steps } = item;
  const inSteps = steps?.some(({ params, failText }) => params.includes('{$') || failText.includes('{$'));
  if (!key.includes('{$') && !delay.includes('{$') && !inSteps) return item;
  return {
    ...item, key: macros.key(key, hostid), delay: macros.text(delay, hostid),
    ...(inSteps && { steps: steps!.map((step) => ({ ...step, params: macros.text(step.params, hostid), failText: macros.text(step.failText, hostid) })) }),
  };
}

const replaced = (each: ConfiguredInterface, macros: Macros): ConfiguredInterface =>
  (each.address + each.port).includes('{$') ? { ...each, address: macros.text(each.address, each.hostid), port: macros.text(each.port, each.hostid) } : each;

async function addAll<Row extends { readonly hostid: number }>(table: Map<number, Row[]>, rows: readonly Row[], slices: Slices): Promise<void> {
  for (const row of rows) {
    const known = table.get(row.hostid);
    if (known) known.push(row);
    else table.set(row.hostid, [row]);
    if (slices.isOver()) await slices.pause();
  }
}

/** Asks a thread for its next part. */
const NEXT = 'next';

/** A thread for one message: it ends with it, as does its memory. */
function readInThread(content: Buffer, take: (batch: Batch) => void, signal: AbortSignal): Promise<Outline> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(new ZabbixError('ABORTED', 'it was given up'));
      return;
    }
    const worker = begin(content);
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      forget();
      worker.removeAllListeners();
      worker.on('error', () => undefined);
      void worker.terminate();
      settle();
    };
    const fail = (error: ZabbixError): void => end(() => reject(error));
    // one part at a time: all that has come is unpacked in one go
    const askOn = (): void => worker.postMessage(NEXT);
    const forget = onAbort(signal, () => fail(new ZabbixError('ABORTED', 'it was given up')));
    const timer = setTimeout(() => fail(new ZabbixError('LATE', `the configuration was not read within ${formatDuration(ZABBIX_CONFIGURATION_READING)}`)), ZABBIX_CONFIGURATION_READING);
    worker.on('message', (message: FromThread) => {
      if ('table' in message) {
        take(message);
        setImmediate(askOn);
      } else if ('outline' in message) end(() => resolve(message.outline));
      else fail(new ZabbixError(message.fault.code, message.fault.message, message.fault));
    });
    worker.on('error', (error) => fail(new ZabbixError('LARGE', `the configuration cannot be read (${(error as NodeJS.ErrnoException).code ?? error.message})`)));
    worker.on('exit', () => fail(new ZabbixError('LARGE', 'the configuration cannot be read: its thread has ended')));
    askOn();
  });
}

function begin(content: Buffer): Worker {
  // only now: every start would wait for what is loaded for that
  const { Worker: Thread } = process.getBuiltinModule('node:worker_threads');
  // a part of a larger piece of memory is copied, the whole of one is handed over
  const whole = content.byteLength === content.buffer.byteLength ? content : Buffer.from(new Uint8Array(content));
  const bytes = new Uint8Array(whole.buffer as ArrayBuffer, whole.byteOffset, whole.byteLength);
  return new Thread(ownModule('protocols/zabbix/configuration-thread.js'), {
    workerData: bytes, transferList: [bytes.buffer], execArgv: [], resourceLimits: { maxOldGenerationSizeMb: ZABBIX_CONFIGURATION_HEAP_MB },
  });
}
