import { XMLParser } from 'fast-xml-parser';
import { Failure, type Value } from './xapi-world.js';

/** XenAPI's two wire forms, from the server's side. */

export interface Call {
  readonly method: string;
  readonly params: readonly Value[];
  readonly id?: unknown;
  /** of JSON-RPC */
  readonly version?: '1.0' | '2.0';
}

const date = (value: Date): string => value.toISOString().replace(/[-]|\.\d+/g, '');

function toJson(value: Value): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Date) return date(value);
  if (Array.isArray(value)) return (value as Value[]).map(toJson);
  if (typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, toJson(each)]));
  return value;
}

/** @throws Error for what is no call */
export function readJson(body: string): Call {
  const { jsonrpc, method, params, id } = JSON.parse(body) as { jsonrpc?: string; method?: unknown; params?: unknown; id?: unknown };
  if (typeof method !== 'string' || !Array.isArray(params) || id === undefined) throw new Error('no call');
  return { method, params: params as Value[], id, version: jsonrpc === '2.0' ? '2.0' : '1.0' };
}

export function writeJson({ id, version }: Call, outcome: Value | Failure): string {
  if (outcome instanceof Failure) {
    const { code, params } = outcome;
    return JSON.stringify(version === '2.0'
      ? { jsonrpc: '2.0', error: { code: 1, message: code, data: params }, id }
      : { result: null, error: [code, ...params], id });
  }
  return JSON.stringify(version === '2.0' ? { jsonrpc: '2.0', result: toJson(outcome), id } : { result: toJson(outcome), error: null, id });
}

const escape = (text: string): string => text.replace(/[&<>]/g, (each) => `&#${each.charCodeAt(0)};`);

function toXml(value: Value): string {
  if (typeof value === 'string') return `<value>${escape(value)}</value>`;
  if (typeof value === 'bigint') return `<value>${value}</value>`;
  if (typeof value === 'boolean') return `<value><boolean>${Number(value)}</boolean></value>`;
  if (typeof value === 'number') return `<value><double>${value}</double></value>`;
  if (value instanceof Date) return `<value><dateTime.iso8601>${date(value)}</dateTime.iso8601></value>`;
  if (Array.isArray(value)) return `<value><array><data>${(value as Value[]).map(toXml).join('')}</data></array></value>`;
  const members = Object.entries(value).map(([name, each]) => `<member><name>${escape(name)}</name>${toXml(each)}</member>`);
  return `<value><struct>${members.join('')}</struct></value>`;
}

const parser = new XMLParser({ parseTagValue: false, trimValues: false, isArray: (name) => ['param', 'member'].includes(name) || name === 'value' });

type Node = string | { readonly [tag: string]: unknown };

function fromXml(node: Node): Value {
  if (typeof node === 'string') return node;
  const [tag, content] = Object.entries(node).find(([name]) => name !== '#text') ?? ['string', node['#text'] ?? ''];
  const text = typeof content === 'string' ? content : '';
  if (tag === 'string') return text;
  if (tag === 'int' || tag === 'i4') return BigInt(text);
  if (tag === 'double') return Number(text);
  if (tag === 'boolean') return text === '1';
  if (tag === 'array') return ((content as { data?: { value?: Node[] } }).data?.value ?? []).map(fromXml);
  if (tag === 'struct') {
    const { member = [] } = content as { member?: { name: string; value: Node[] }[] };
    return Object.fromEntries(member.map(({ name, value }) => [name, fromXml(value[0]!)]));
  }
  throw new Error(`no such type: ${tag}`);
}

/** @throws Error for what is no call */
export function readXml(body: string): Call {
  const parsed = parser.parse(body.replace(/>\s+</g, '><')) as { methodCall?: { methodName?: string; params?: { param?: { value: Node[] }[] } | string } };
  const { methodName, params } = parsed.methodCall ?? {};
  if (methodName === undefined) throw new Error('no call');
  const list = typeof params === 'object' ? params.param ?? [] : [];
  return { method: methodName.trim(), params: list.map(({ value }) => fromXml(value[0]!)) };
}

export function writeXml({ method }: Call, outcome: Value | Failure): string {
  const status: Value = outcome instanceof Failure
    ? { Status: 'Failure', ErrorDescription: [outcome.code, ...outcome.params] }
    : { Status: 'Success', Value: outcome };
  // The one method that answers without a status.
  const value = method === 'system.listMethods' && !(outcome instanceof Failure) ? outcome : status;
  return `<?xml version="1.0"?><methodResponse><params><param>${toXml(value)}</param></params></methodResponse>`;
}

/** Values as Python's xmlrpc writes them: with line breaks, and with a tag around each string. */
function toPython(value: Value): string {
  if (typeof value === 'string' || typeof value === 'bigint') return `<value><string>${escape(String(value))}</string></value>\n`;
  if (Array.isArray(value)) return `<value><array><data>\n${(value as Value[]).map(toPython).join('')}</data></array></value>\n`;
  if (typeof value !== 'object' || value instanceof Date) return `${toXml(value)}\n`;
  const members = Object.entries(value).map(([name, each]) => `<member>\n<name>${escape(name)}</name>\n${toPython(each)}</member>\n`);
  return `<value><struct>\n${members.join('')}</struct></value>\n`;
}

const pythonAnswer = (content: string): string => `<?xml version='1.0'?>\n<methodResponse>\n${content}</methodResponse>\n`;

/** A server in Python that has been taught XenAPI: what it does not know is a fault. */
export function writePython({ method }: Call, outcome: Value | Failure): string {
  if (outcome instanceof Failure && outcome.code === 'MESSAGE_METHOD_UNKNOWN') {
    const members = `<member>\n<name>faultCode</name>\n<value><int>1</int></value>\n</member>\n<member>\n<name>faultString</name>\n${toPython(`method "${method}" is not supported`)}</member>\n`;
    return pythonAnswer(`<fault>\n<value><struct>\n${members}</struct></value>\n</fault>\n`);
  }
  const status: Value = outcome instanceof Failure
    ? { Status: 'Failure', ErrorDescription: [outcome.code, ...outcome.params] }
    : { Status: 'Success', Value: outcome };
  return pythonAnswer(`<params>\n<param>\n${toPython(status)}</param>\n</params>\n`);
}
