import type { Load, PowerState } from '../../../drivers/driver.js';
import type { InstanceInfo } from '../../../instances/info.js';
import type { OperationName } from '../../../instances/operation-table.js';
import { ArgoError } from '../../../kit/errors.js';
import type { ConfiguredItem } from '../../../protocols/zabbix/configuration.js';
import { ItemKeyError, parseItemKey } from '../../../protocols/zabbix/item-key.js';
import type { ValueType } from '../../../protocols/zabbix/messages.js';
import { numberIn, type Variant } from '../../../protocols/zabbix/preprocessing/variant.js';
import { infoValue } from './info-item.js';
import type { Answer, ItemRequest } from './item-request.js';
import { discoveryText } from './low-level-discovery.js';
import { pingValue } from './ping-items.js';

/** The items that are served: one row a key. docs/gateways/zabbix.md is made of the same facts. */

interface CommonRow {
  /** as it is written */
  readonly usage: string;
  readonly fits: readonly ValueType[];
}

/** An item about an instance. */
export interface InstanceRow extends CommonRow {
  /** `memory`: as it is known; `machine`: asked of its provider; `network`: asked of its address */
  readonly from: 'memory' | 'machine' | 'network';
  /** what the account has to be allowed on the instance */
  readonly operation: OperationName;
  /** which parameter names the instance, where none the host does; undefined: always the host */
  readonly instanceAt: number | undefined;
  read(request: ItemRequest, instance: InstanceInfo): Answer | Promise<Answer>;
}

/** An item about no single instance. */
interface WholeRow extends CommonRow {
  readonly from: 'server';
  read(request: ItemRequest): Answer | Promise<Answer>;
}

type ItemRow = InstanceRow | WholeRow;

const NUMBERS: readonly ValueType[] = ['unsigned', 'float'];
const TEXTS: readonly ValueType[] = ['char', 'text', 'log'];
const ALL: readonly ValueType[] = [...NUMBERS, ...TEXTS];

/** `argo.status` as a number. `unknown` is a number of its own: it is never told as off. */
export const STATE_NUMBERS: Readonly<Record<PowerState, number>> = {
  off: 0, on: 1, paused: 2, suspended: 3, starting: 4, stopping: 5, crashed: 6, unknown: 7,
};

/** In these states a machine has neither uptime nor traffic: it is not asked for them. */
const DOWN: ReadonlySet<PowerState> = new Set<PowerState>(['off', 'suspended', 'crashed']);

/** A reading of a machine that runs. */
function reading(name: 'uptime' | 'rx' | 'tx', fits: readonly ValueType[] = ALL): InstanceRow {
  return {
    usage: `argo.${name}[INSTANCE]`, fits, from: 'machine', operation: name, instanceAt: 0,
    read: ({ actor, call }, instance) => {
      requireRunning(instance);
      return actor.read(instance, name, call);
    },
  };
}

function requireRunning({ name, state }: InstanceInfo): void {
  if (DOWN.has(state)) throw new ArgoError('WRONG STATE', `${name} is ${state}`);
}

const AVERAGES = ['avg1', 'avg5', 'avg15'];

/** @throws ArgoError NOT SUPPORTED where the machine tells its load in another way */
function loadValue(load: Load, kind: string): number {
  if (kind === '') return 'averages' in load ? load.averages[0] : load.cpuPercent;
  if (kind !== 'percent' && !AVERAGES.includes(kind)) throw new ArgoError('USAGE', `${LOAD_USAGE}, where KIND is ${AVERAGES.join(', ')} or percent`);
  if ('averages' in load && kind !== 'percent') return load.averages[AVERAGES.indexOf(kind)]!;
  if (!('averages' in load) && kind === 'percent') return load.cpuPercent;
  throw new ArgoError('NOT SUPPORTED', `the machine tells its load ${'averages' in load ? 'as averages' : 'in percent'} alone`);
}

const LOAD_USAGE = 'argo.load[INSTANCE,KIND]';

const ping = (key: string, kind: 'alive' | 'seconds' | 'loss', fits: readonly ValueType[]): InstanceRow => ({
  usage: `${key}[TARGET,PACKETS,INTERVAL,SIZE,TIMEOUT${kind === 'seconds' ? ',MODE' : ''}]`,
  fits, from: 'network', operation: 'status', instanceAt: undefined,
  read: (request, instance) => pingValue(kind, request, instance),
});

/** By the key's name. */
export const ITEMS: Readonly<Record<string, ItemRow>> = {
  'argo.status': {
    usage: 'argo.status[INSTANCE]', fits: ALL, from: 'memory', operation: 'status', instanceAt: 0,
    read: ({ isNumeric }, { state }) => (isNumeric ? STATE_NUMBERS[state] : state),
  },
  'argo.uptime': reading('uptime'),
  'argo.rx': reading('rx'),
  'argo.tx': reading('tx'),
  'argo.load': {
    usage: LOAD_USAGE, fits: ['float', ...TEXTS], from: 'machine', operation: 'load', instanceAt: 0,
    read: async ({ actor, call, parameters: [, kind = ''] }, instance) => {
      requireRunning(instance);
      return loadValue(await actor.read(instance, 'load', call), kind);
    },
  },
  'argo.info': {
    usage: 'argo.info[KEY,INSTANCE]', fits: ALL, from: 'machine', operation: 'info', instanceAt: 1,
    read: ({ actor, call, parameters: [key = ''] }, instance) => infoValue(actor, instance, key, call),
  },
  icmpping: ping('icmpping', 'alive', ALL),
  icmppingsec: ping('icmppingsec', 'seconds', ['float', ...TEXTS]),
  icmppingloss: ping('icmppingloss', 'loss', ALL),
  'argo.discovery': {
    usage: 'argo.discovery[NAMES]', fits: TEXTS, from: 'server',
    read: ({ actor, parameters: [names = ''] }) => discoveryText(actor, names),
  },
  'argo.proxy': {
    usage: 'argo.proxy[FIGURE]', fits: ALL, from: 'server',
    read: ({ figure, parameters: [name = ''] }) => {
      const value = figure(name);
      if (value === undefined) throw new ArgoError('NOT SUPPORTED', `there is no figure ${JSON.stringify(name)}`);
      return value;
    },
  },
};

/**
 * The types of items that a proxy polls, and dependent ones: what is not served of them is told to be unsupported, where
 * silence would leave people waiting. The others (trapper, agent active, calculated, SNMP trap) nobody polls.
 */
const POLLED: ReadonlySet<number> = new Set([0, 1, 3, 4, 5, 6, 10, 11, 12, 13, 14, 16, 18, 19, 20, 21]);

export const isPolled = ({ type }: Pick<ConfiguredItem, 'type'>): boolean => POLLED.has(type);

/** A configured item as it is served. */
export interface Served {
  readonly row: ItemRow;
  readonly parameters: readonly string[];
  readonly fault?: undefined;
}

/** Or why it is not, for people. */
export type ServedItem = Served | { readonly fault: string };

const mostParameters = ({ usage }: ItemRow): number => usage.split(',').length;

/** How an item is served. Where its values go through steps, any type of information may come of them. */
export function servedItem({ key, valueType, steps }: Pick<ConfiguredItem, 'key' | 'valueType' | 'steps'>): ServedItem {
  try {
    const { name, parameters } = parseItemKey(key);
    const row = Object.hasOwn(ITEMS, name) ? ITEMS[name] : undefined;
    if (row === undefined) return fault('NOT SUPPORTED', `argo-server has no item ${name}`);
    if (parameters.length > mostParameters(row)) return fault('USAGE', row.usage);
    if (steps === undefined && !row.fits.includes(valueType)) return fault('NOT SUPPORTED', `${name} is no ${valueType}: its item's type has to be ${row.fits.join(', ')}`);
    return { row, parameters };
  } catch (error) {
    if (error instanceof ItemKeyError) return fault('USAGE', `the key cannot be read: ${error.message}`);
    throw error;
  }
}

const fault = (phrase: 'NOT SUPPORTED' | 'USAGE', detail: string): ServedItem => ({ fault: new ArgoError(phrase, detail).message });

export const isNumeric = (type: ValueType): boolean => NUMBERS.includes(type);

/** A value as it goes into steps: a whole number as one, however it was told. */
export const variantOf = (answer: Answer): Variant => (typeof answer === 'number' && Number.isSafeInteger(answer) && answer >= 0 ? BigInt(answer) : answer);

/**
 * A value in the words of its item's type.
 * @throws ArgoError NOT SUPPORTED where it cannot be: a text that is not written as a number, or one that is less than nothing
 */
export function valueText(answer: Answer, type: ValueType): string {
  if (!isNumeric(type)) return String(answer);
  const value = typeof answer === 'string' ? numberIn(answer) : answer;
  if (value === undefined || !Number.isFinite(Number(value))) throw new ArgoError('NOT SUPPORTED', `${JSON.stringify(String(answer).slice(0, 100))} is not a number`);
  if (type === 'float' || typeof value === 'bigint') return String(value);
  if (value < 0) throw new ArgoError('NOT SUPPORTED', `${value} is less than nothing`);
  // whether it is whole and fits is looked at in all of its digits, by fitValue
  if (typeof answer === 'string') return answer.trim();
  return BigInt(Math.floor(value)).toString();
}
