import type { ServerResponse } from 'node:http';
import { mapInSlices } from '../../../kit/slices.js';
import { FAULTS, type OmsError } from '../faults.js';
import type { RpcCall } from './request.js';

/** How a call ended. `result`: with its type, as OMS wraps all of them. */
export type Outcome = { readonly result: OmsResult } | { readonly error: OmsError };

/** `func`: of a host, or the server. `tmp_cache`: of containers' power, which OMS had done in the background. `auth`: of logging in and out. */
export interface OmsResult {
  readonly type: 'func' | 'tmp_cache' | 'auth';
  /** the host that the result is of, as it was called; left out: it is of none */
  readonly client?: string;
  /** the result itself, as JSON */
  readonly json: string;
}

/** @param value what JSON has: its lists and dictionaries may be long */
export async function jsonInSlices(value: unknown): Promise<string> {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${(await mapInSlices(value, (one) => JSON.stringify(one))).join(',')}]`;
  return `{${(await mapInSlices(Object.entries(value).filter(([, one]) => one !== undefined), ([key, one]) => `${JSON.stringify(key)}:${JSON.stringify(one)}`)).join(',')}}`;
}

const resultJson = ({ type, client, json }: OmsResult): string =>
  `{"type":${JSON.stringify(type)},"result":${client === undefined ? json : `{"client":${JSON.stringify(client)},"result":${json}}`}}`;

/** Codes of JSON-RPC 2.0 (5.1) for what it has codes for. */
const JSON_RPC_CODES: ReadonlyMap<number, number> = new Map([
  [FAULTS.MethodNotFound.code, -32_601],
  [FAULTS.ServiceNotFound.code, -32_601],
  [FAULTS.IllegalService.code, -32_601],
  [FAULTS.ParameterMismatch.code, -32_602],
]);

/** What would end a script, or be the end of a line in one. */
const NOT_IN_SCRIPTS = /[<>&\u2028\u2029]/g;

const inScript = (json: string): string => json.replace(NOT_IN_SCRIPTS, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** The answer as JSON, but for scripts. */
function jsonOf({ id, form }: RpcCall, outcome: Outcome): string {
  if (form.is !== 'json-rpc') {
    if ('result' in outcome) return `{"error":null,"id":${JSON.stringify(id)},"result":${resultJson(outcome.result)}}`;
    return JSON.stringify({ error: { ...FAULTS[outcome.error.fault], message: outcome.error.message }, id, result: null });
  }
  if ('result' in outcome) return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${resultJson(outcome.result)}}`;
  const { fault, message } = outcome.error;
  const { origin, code } = FAULTS[fault];
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code: JSON_RPC_CODES.get(code) ?? code, message, data: { origin, code } } });
}

/**
 * Writes the answer of a call. Its status is 200 for errors too: to qooxdoo's client any other is a fault of the
 * connection, and the message is lost.
 */
export function answerText(call: RpcCall, outcome: Outcome): string {
  const json = jsonOf(call, outcome);
  if (call.form.is !== 'script') return json;
  // the function has had two names: the first until qooxdoo 0.7
  return `(qx.io.remote.transport?qx.io.remote.transport.Script:qx.io.remote.ScriptTransport)._requestFinished(${call.form.script},${inScript(json)});`;
}

/** What is told is of this moment and this account, and is nothing but what its type says. */
const OWN: readonly string[] = ['cache-control', 'no-store', 'x-content-type-options', 'nosniff', 'referrer-policy', 'no-referrer'];
const AS_JSON: readonly string[] = ['content-type', 'application/json; charset=utf-8', 'cross-origin-resource-policy', 'same-origin', ...OWN];
const AS_SCRIPT: readonly string[] = ['content-type', 'text/javascript; charset=utf-8', 'cross-origin-resource-policy', 'cross-origin', ...OWN];

export function sendAnswer(response: ServerResponse, { form }: RpcCall, text: string): void {
  response.writeHead(200, [...(form.is === 'script' ? AS_SCRIPT : AS_JSON), 'content-length', String(Buffer.byteLength(text))]);
  response.end(text);
}
