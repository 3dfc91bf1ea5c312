import type { IncomingMessage } from 'node:http';
import { OMS_BODY, OMS_ID } from '../../../kit/oms-limits.js';
import { toArgoError } from '../../../kit/errors.js';
import { HttpError, type Visit } from '../../../listening/http.js';
import { checkKeys } from '../../shared/json-keys.js';

/** One call, in whatever form it came. */
export interface RpcCall {
  /** handed back as it came */
  readonly id: string | number | null;
  /** null: none was named */
  readonly service: string | null;
  readonly method: string;
  readonly params: readonly unknown[];
  /** how the answer is to be written */
  readonly form: AnswerForm;
}

/** `script`: for a page of another origin, as a call of the function that waits for it under a number. */
export type AnswerForm = { readonly is: 'qooxdoo' | 'json-rpc' } | { readonly is: 'script'; readonly script: string };

/** What a configuration allows beyond POST. */
export interface AllowedForms {
  readonly legacyGet: boolean;
  readonly jsonp: boolean;
}

/** qooxdoo counts the scripts of a page from 1. */
const SCRIPT_ID = /^\d{1,10}$/;

const malformed = (what: string): HttpError => new HttpError(400, `[BadRequest] ${what}`, { 'x-content-type-options': 'nosniff' });

/**
 * Reads a call of any of the forms that clients of qooxdoo's RPC send: JSON in a POST (with `service`, or as JSON-RPC 2.0 with
 * both in `method`), a form in a POST, and, where that is allowed, GET with `service`, `method` and `params`, or that of a
 * script element. What the body is called (`content-type`) does not matter, as it did not to OMS.
 * @throws HttpError 400, 403, 405, 413
 */
export async function readCall(request: IncomingMessage, visit: Visit, allowed: AllowedForms): Promise<RpcCall> {
  const { method } = request;
  if (method === 'POST') return readPost((await visit.body(OMS_BODY)).toString('utf8').trim());
  if (method !== 'GET' || !(allowed.legacyGet || allowed.jsonp)) {
    const others = allowed.legacyGet ? ', GET' : '';
    throw new HttpError(405, allowed.legacyGet ? 'POST or GET is expected' : 'POST is expected; GET only where legacy-get = true in the table of the gateway', { allow: `POST${others}` });
  }
  const script = only(visit.query, '_ScriptTransport_id');
  if (script !== null) {
    if (!allowed.jsonp) throw new HttpError(403, 'scripts are not answered; jsonp = true in the table of the gateway allows it');
    if (!SCRIPT_ID.test(script)) throw malformed('_ScriptTransport_id is no number');
    return fromJson(parse(only(visit.query, '_ScriptTransport_data') ?? '', '_ScriptTransport_data'), { is: 'script', script });
  }
  if (!allowed.legacyGet) throw new HttpError(405, 'GET only where legacy-get = true in the table of the gateway', { allow: 'POST' });
  return fromFields(visit.query);
}

function readPost(body: string): RpcCall {
  if (/^[[{]/.test(body)) return fromJson(parse(body, 'the body'));
  if (body.startsWith('--')) throw malformed('JSON or application/x-www-form-urlencoded is expected, no multipart/form-data');
  const fields = new URLSearchParams(body);
  const data = only(fields, '_data_');
  return data === null ? fromFields(fields) : fromJson(parse(data, '_data_'));
}

/** The value of a field. Of two, somebody between may have looked at the other. @throws HttpError 400 where it is there twice */
function only(fields: URLSearchParams, name: string): string | null {
  const [value = null, ...more] = fields.getAll(name);
  if (more.length > 0) throw malformed(`${name} is given twice`);
  return value;
}

/** `id` and `params` are JSON, the rest is plain. */
function fromFields(fields: URLSearchParams): RpcCall {
  const id = only(fields, 'id');
  return callOf({
    id: id === null ? null : plainOrJson(id), service: only(fields, 'service'), method: only(fields, 'method'),
    params: parse(only(fields, 'params') ?? '[]', 'params'),
  }, { is: 'qooxdoo' });
}

function fromJson(json: unknown, form?: AnswerForm): RpcCall {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw malformed(Array.isArray(json) ? 'one call is expected, no list of calls' : 'a call is expected');
  const call = json as Partial<Record<string, unknown>>;
  if (call.jsonrpc === undefined) return callOf(call, form ?? { is: 'qooxdoo' });
  const { id = null, method, params } = call;
  // JSON-RPC 2.0 has no service: it is the part of the method before its last dot
  const dot = typeof method === 'string' ? method.lastIndexOf('.') : -1;
  const named = dot === -1 ? { service: null, method } : { service: (method as string).slice(0, dot), method: (method as string).slice(dot + 1) };
  return callOf({ ...named, id, params }, form ?? { is: 'json-rpc' });
}

function callOf({ id = null, service = null, method, params = [] }: Partial<Record<string, unknown>>, form: AnswerForm): RpcCall {
  if (id !== null && typeof id !== 'string' && typeof id !== 'number') throw malformed('id is a number, a text or null');
  // JSON.parse has rounded what is larger: it could not be handed back as it came
  if (typeof id === 'number' && Math.abs(id) > Number.MAX_SAFE_INTEGER) throw malformed(`a number as id is at most ${Number.MAX_SAFE_INTEGER}; a larger one can be sent as a text`);
  if (typeof id === 'string' && id.length > OMS_ID) throw malformed(`id has more than ${OMS_ID} characters`);
  if (typeof method !== 'string' || (service !== null && typeof service !== 'string')) throw malformed('service and method are expected');
  if (!Array.isArray(params)) throw malformed('params is a list');
  return { id, service, method, params, form };
}

function parse(text: string, what: string): unknown {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw malformed(`${what} is no JSON`);
  }
  try {
    checkKeys(json);
  } catch (error) {
    throw malformed(toArgoError(error).detail);
  }
  return json;
}

/** Such JSON as an id can be: no number with a zero before it, and nothing in a text that JSON would have escaped. */
const ID_IN_JSON = /^(?:null|-?(?:0|[1-9]\d{0,14})|"[^"\\\p{Cc}]*")$/u;

/** What is no small number is handed back as the text that it is. */
function plainOrJson(text: string): unknown {
  return ID_IN_JSON.test(text) ? JSON.parse(text) as unknown : text;
}
