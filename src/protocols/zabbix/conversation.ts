import { ZABBIX_REASON, ZABBIX_TASKS } from '../../kit/zabbix-limits.js';
import { harmless, oneLine } from '../../kit/text.js';
import { ZabbixError } from './errors.js';
import { serverJson } from './json.js';
import type { AvailabilityRow, DiscoveryRow, RegistrationRow, Task, TaskResult } from './messages.js';
import { isIncremental, isOld } from './version.js';

/** The words of the messages: how ours are composed, and what those of a server say. */

/** One kind of exchange. */
interface MessageRow {
  readonly request: 'proxy config' | 'proxy heartbeat' | 'proxy data' | 'proxy tasks';
  readonly mode: 'active' | 'passive';
  /** who begins */
  readonly from: 'proxy' | 'server';
  readonly answer: 'configuration' | 'changes of the configuration' | 'success' | 'success and tasks' | 'version' | 'version and revision' | 'data' | 'task results';
  /** what the side that began says to the answer; left out: nothing */
  readonly then?: 'success' | 'success and tasks' | 'changes of the configuration';
  /** whether servers of 6.4 and newer have it, only they, or both they and the older */
  readonly servers: 'before 6.4' | 'since 6.4' | 'all';
}

/** Every exchange that there is between a server and a proxy. */
export const MESSAGES: readonly MessageRow[] = [
  { request: 'proxy config', mode: 'active', from: 'proxy', answer: 'configuration', servers: 'before 6.4' },
  { request: 'proxy config', mode: 'active', from: 'proxy', answer: 'changes of the configuration', servers: 'since 6.4' },
  { request: 'proxy heartbeat', mode: 'active', from: 'proxy', answer: 'success', servers: 'before 6.4' },
  { request: 'proxy data', mode: 'active', from: 'proxy', answer: 'success and tasks', servers: 'all' },
  { request: 'proxy config', mode: 'passive', from: 'server', answer: 'version', servers: 'before 6.4' },
  { request: 'proxy config', mode: 'passive', from: 'server', answer: 'version and revision', then: 'changes of the configuration', servers: 'since 6.4' },
  { request: 'proxy data', mode: 'passive', from: 'server', answer: 'data', then: 'success and tasks', servers: 'all' },
  { request: 'proxy tasks', mode: 'passive', from: 'server', answer: 'task results', then: 'success and tasks', servers: 'all' },
];

/** What a proxy has to say of itself. */
export interface ProxyIdentity {
  readonly name: string;
  readonly version: string;
}

/** What of the configuration is known already; for servers since 6.4. */
export interface KnownConfiguration {
  /** 32 characters, of this start of the proxy */
  readonly session: string;
  /** 0: nothing is known */
  readonly revision: number;
}

/** What goes out at one time. What is left out or empty is not sent. */
export interface DataParts {
  /** exactly 32 characters; by it and a value's id a server knows what it had already */
  readonly session: string;
  readonly availability?: readonly AvailabilityRow[];
  /** rows of values, each as JSON: they are kept so */
  readonly history?: readonly string[];
  readonly discovery?: readonly DiscoveryRow[];
  readonly registration?: readonly RegistrationRow[];
  readonly results?: readonly TaskResult[];
  /** whether there is more than fits into this message */
  readonly more?: boolean;
  /** when it goes out: a server reckons the other times by it */
  readonly clock: number;
  readonly ns: number;
}

/** Active mode: asks for the configuration. */
export function configRequest({ name, version }: ProxyIdentity, known: KnownConfiguration): string {
  return JSON.stringify({ request: 'proxy config', host: name, version, ...(isIncremental(version) && { session: known.session, config_revision: known.revision }) });
}

/** Active mode: tells that the proxy lives; servers since 6.4 know it without. */
export const heartbeat = ({ name, version }: ProxyIdentity): string => JSON.stringify({ request: 'proxy heartbeat', host: name, version });

/** Active mode: what there is to tell, and the question for tasks. */
export const dataRequest = ({ name, version }: ProxyIdentity, parts: DataParts): string => beginningOfData(name, parts).join('') + restOfData(version, parts);

/** The first part of that message in pieces: its values. What follows is {@link restOfData}. */
export const beginningOfData = (name: string, parts: Pick<DataParts, 'session' | 'history'>): readonly string[] =>
  [`{"request":"proxy data","host":${JSON.stringify(name)},`, ...values(parts)];

/** Passive mode: the answer to `proxy data`. */
export const dataAnswer = (version: string, parts: DataParts): string => `{${values(parts).join('')}${restOfData(version, parts)}`;

/** Passive mode: the answer to `proxy tasks`. */
export function tasksAnswer(version: string, { results = [], clock, ns }: Pick<DataParts, 'results' | 'clock' | 'ns'>): string {
  return `{${[...rows('tasks', results.map((result) => serverJson(written(result)))), `"version":${JSON.stringify(version)}`, `"clock":${clock}`, `"ns":${ns}`].join(',')}}`;
}

/** Passive mode: the answer to a configuration, which is also that of an active proxy of the old text. */
export const success = (version?: string): string => JSON.stringify({ response: 'success', version });
export const failure = (reason: string, version?: string): string => JSON.stringify({ response: 'failed', info: reason, version });

/** Passive mode, servers since 6.4: what is known of the configuration. */
export const configKnown = (version: string, known: KnownConfiguration): string =>
  JSON.stringify({ version, session: known.session, config_revision: known.revision });

const SESSION = /^\w{32}$/;

/** In pieces: what is kept of thousands of values is long, and is not copied for a message. */
function values({ session, history = [] }: Pick<DataParts, 'session' | 'history'>): string[] {
  if (!SESSION.test(session)) throw new ZabbixError('OWN', 'a session has 32 characters');
  const first = `"session":${JSON.stringify(session)}`;
  if (history.length === 0) return [first];
  return [`${first},"history data":[`, ...history.flatMap((row, index) => (index === 0 ? [row] : [',', row])), ']'];
}

/** What follows the values of a message. */
export function restOfData(version: string, parts: DataParts): string {
  const { availability = [], discovery = [], registration = [], results = [], more = false, clock, ns } = parts;
  const json = (values: readonly object[]): string[] => values.map(serverJson);
  return `,${[
    ...rows('interface availability', json(availability)),
    ...rows('discovery data', json(isOld(version) ? discovery : discovery.map((row) => ({ ...row, type: undefined })))),
    ...rows('auto registration', json(registration)),
    ...rows('tasks', json(results.map(written))),
    ...(more ? ['"more":1'] : []),
    `"version":${JSON.stringify(version)}`, `"clock":${clock}`, `"ns":${ns}`,
  ].join(',')}}`;
}

const rows = (name: string, texts: readonly string[]): string[] => (texts.length === 0 ? [] : [`${JSON.stringify(name)}:[${texts.join(',')}]`]);

function written(result: TaskResult): object {
  const { type, parent_taskid, clock, status, info } = result;
  if (type !== 0) return { type, clock, ttl: 0, status, info, parent_taskid };
  return status === 0 ? { type, status, parent_taskid } : { type, status: 1, error: info, parent_taskid };
}

/** What a server says to `proxy heartbeat` or `proxy data`, and at the end of an exchange in passive mode. */
export interface ServerAnswer {
  /** whether it has what was sent */
  readonly accepted: boolean;
  /** whether it wants values and the like: it says `disabled` while its cache is full. Left out: it says nothing of it */
  readonly upload?: boolean;
  readonly tasks: readonly Task[];
  /** of the tasks, those that are of no known kind or not as they should be: why, for people */
  readonly strange: readonly string[];
  /** why it was not accepted */
  readonly reason?: string;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads such an answer.
 * @throws ZabbixError GARBAGE where it is none, VERSION where the server does not speak with ours
 */
export function readAnswer(message: Json): ServerAnswer {
  const { response, upload, tasks } = message;
  if (response !== 'success' && response !== 'failed') throw new ZabbixError('GARBAGE', 'an answer that is neither success nor failure');
  const refusal = response === 'failed' ? refusalOf(message, upload !== undefined) : undefined;
  if (refusal?.code === 'VERSION') throw refusal;
  return {
    accepted: response === 'success', ...readTasks(tasks),
    ...(upload === 'enabled' || upload === 'disabled' ? { upload: upload === 'enabled' } : {}),
    ...(refusal && { reason: upload === 'disabled' && message.info === undefined ? 'it takes no data at present' : refusal.message }),
  };
}

/**
 * What an answer refuses. One with nothing but `failed` is that of a server to which a proxy's version is too new or too old.
 * @param isKnownKind it is no refusal of a version, though it gives no reason
 */
export function refusalOf(message: Json, isKnownKind = false): ZabbixError {
  const info = typeof message.info === 'string' ? harmless(oneLine(message.info, ZABBIX_REASON)) : '';
  const serverVersion = typeof message.version === 'string' ? harmless(oneLine(message.version, 32)) : undefined;
  const isVersion = /\bversion\b/i.test(info) || serverVersion !== undefined || (info === '' && !isKnownKind);
  const words = info !== '' ? info : 'without a reason, as a server does that does not take data of this version of a proxy';
  return new ZabbixError(isVersion ? 'VERSION' : 'FAILED', serverVersion === undefined ? words : `${words} (the server is ${serverVersion})`, { serverVersion });
}

function readTasks(tasks: unknown): Pick<ServerAnswer, 'tasks' | 'strange'> {
  if (tasks === undefined) return { tasks: [], strange: [] };
  if (!Array.isArray(tasks)) return { tasks: [], strange: ['tasks that are no list'] };
  const found: Task[] = [];
  const strange: string[] = [];
  for (const task of tasks.slice(0, ZABBIX_TASKS) as readonly unknown[]) {
    const read = readTask(task);
    if (typeof read === 'string') strange.push(read);
    else found.push(read);
  }
  if (tasks.length > ZABBIX_TASKS) strange.push(`${tasks.length - ZABBIX_TASKS} tasks beyond the first ${ZABBIX_TASKS}`);
  return { tasks: found, strange };
}

/** A whole number from 0 up that is written as one, or as text. */
export function wholeNumber(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}

/** @returns why it is none that is known, in words */
function readTask(task: unknown): Task | string {
  if (typeof task !== 'object' || task === null) return 'a task that is no object';
  const { type, command, hostid, parent_taskid, clock, ttl, itemid, data } = task as Json;
  const parentTaskId = wholeNumber(parent_taskid);
  switch (type) {
    case 1:
    case 2: {
      const [at, host, lasts] = [wholeNumber(clock), wholeNumber(hostid), wholeNumber(ttl ?? 0)];
      if (parentTaskId === undefined || at === undefined || host === undefined || lasts === undefined || typeof command !== 'string') return 'a remote command that is not as it should be';
      return { kind: 'command', parentTaskId, clock: at, ttl: lasts, command, hostid: host, resultType: type === 1 ? 0 : 3 };
    }
    case 6: {
      const item = wholeNumber(itemid);
      return item === undefined ? 'a wish for a value without an item' : { kind: 'check now', itemid: String(itemid) };
    }
    case 7:
      if (parentTaskId === undefined || typeof data !== 'string') return 'a diagnostic question that is not as it should be';
      return { kind: 'diagnostics', parentTaskId, data };
    default:
      return `a task of type ${JSON.stringify(type)?.slice(0, 20) ?? 'none'}`;
  }
}

/** Of which a long request is known: the first word that a server writes. */
const REQUEST = /^\s*\{\s*"(request|response)"\s*:\s*"([^"\\]{1,64})"/;

/**
 * Which request a message is, without reading all of it: a configuration may be very long.
 * @returns undefined where it does not begin with one
 */
export function requestOf(content: Buffer): string | undefined {
  const [, kind, name] = REQUEST.exec(content.toString('latin1', 0, 200)) ?? [];
  return kind === 'request' ? name : undefined;
}
