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
    throw new HttpError(405, `POST is expected${allowed.legacyGet ? ' or GET' : '; GET only where legacy-get = true in the table of the gateway'}`, { allow: `POST${others}` });
  }
  const script = visit.query.get('_ScriptTransport_id');
  if (script !== null) {
    if (!allowed.jsonp) throw new HttpError(403, 'scripts are not answered; jsonp = true in the table of the gateway allows it');
    if (!SCRIPT_ID.test(script)) throw malformed('_ScriptTransport_id is no number');
    return fromJson(parse(visit.query.get('_ScriptTransport_data') ?? '', '_ScriptTransport_data'), { is: 'script', script });
  }
  if (!allowed.legacyGet) throw new HttpError(405, 'GET only where legacy-get = true in the table of the gateway', { allow: 'POST' });
  return fromFields(visit.query);
}

function readPost(body: string): RpcCall {
  if (body.startsWith('{') && body.endsWith('}')) return fromJson(parse(body, 'the body'));
  const fields = new URLSearchParams(body);
  const data = fields.get('_data_');
  return data === null ? fromFields(fields) : fromJson(parse(data, '_data_'));
}

/** `id` and `params` are JSON, the rest is plain. */
function fromFields(fields: URLSearchParams): RpcCall {
  const id = fields.get('id');
  return callOf({
    id: id === null ? null : plainOrJson(id), service: fields.get('service'), method: fields.get('method'),
    params: parse(fields.get('params') ?? '[]', 'params'),
  }, { is: 'qooxdoo' });
}

function fromJson(json: unknown, form?: AnswerForm): RpcCall {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw malformed('a call is expected');
  const call = json as Partial<Record<string, unknown>>;
  if (call.jsonrpc === undefined) return callOf(call, form ?? { is: 'qooxdoo' });
  const { id = null, method, params } = call;
  // JSON-RPC 2.0 has no service: it is the part of the method before its last dot
  const dot = typeof method === 'string' ? method.lastIndexOf('.') : -1;
  const named = dot === -1 ? { service: null, method } : { service: (method as string).slice(0, dot), method: (method as string).slice(dot + 1) };
  return callOf({ ...named, id, params }, form ?? { is: 'json-rpc' });
}

function callOf({ id = null, service = null, method, params = [] }: Partial<Record<string, unknown>>, form: AnswerForm): RpcCall {
  if (id !== null && typeof id !== 'string' && (typeof id !== 'number' || !Number.isFinite(id))) throw malformed('id is a number, a text or null');
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
