import { createRequire } from 'node:module';
import { setImmediate as turn } from 'node:timers/promises';
import type TheirXapiError from 'xen-api/_XapiError.mjs';
import type { Dispatcher, Transport, TransportOptions } from 'xen-api/transports/json-rpc.mjs';
import { loadInTurns, withStandIn } from '../../kit/in-turns.js';

/** xen-api's wire forms. They and what they build on are large, so that nobody loads them who has no pool. */

export type Form = 'json' | 'xml';

interface Forms {
  /** @returns what speaks one of the forms */
  readonly create: (options: TransportOptions) => Transport;
  readonly UnsupportedTransport: new () => Error;
  readonly TheirError: typeof TheirXapiError;
}

const loads: Partial<Record<Form, Promise<Forms>>> = {};

/** The second form is for old hosts alone. */
export const formOf = (form: Form): Promise<Forms> => (loads[form] ??= load(form));

function load(form: Form): Promise<Forms> {
  const from = createRequire(import.meta.url).resolve('xen-api/transports/json-rpc.mjs');
  return withStandIn('undici', from, { request }, async () => {
    await loadInTurns('make-error', from);
    await loadInTurns('json-rpc-protocol', from);
    const { default: create } = form === 'json' ? await import('xen-api/transports/json-rpc.mjs') : await import('xen-api/transports/xml-rpc.mjs');
    const { default: UnsupportedTransport } = await import('xen-api/transports/_UnsupportedTransport.mjs');
    const { default: TheirError } = await import('xen-api/_XapiError.mjs');
    await turn();
    return { create, UnsupportedTransport, TheirError };
  });
}

interface Question {
  readonly dispatcher: Dispatcher;
  readonly method: string;
  readonly body: string;
  readonly headers: Record<string, string>;
}

/**
 * Stands for undici's `request`, by far the largest part of what the forms bring: all that they use of
 * it is to ask a dispatcher, which is ours.
 */
function request(url: URL, { dispatcher, method, body, headers }: Question): Promise<object> {
  return new Promise((resolve, reject) => {
    const answer = { statusCode: 0, headers: {} as Record<string, string>, chunks: [] as Buffer[] };
    dispatcher.dispatch({ path: url.pathname, method, body, headers }, {
      onConnect: () => undefined,
      onHeaders: (status, rawHeaders) => {
        answer.statusCode = status;
        for (let at = 0; at < rawHeaders.length; at += 2) answer.headers[rawHeaders[at]!.toString('latin1')] = rawHeaders[at + 1]!.toString('latin1');
        return true;
      },
      onData: (chunk) => answer.chunks.push(chunk) > 0,
      onComplete: () => resolve({
        statusCode: answer.statusCode, headers: answer.headers, body: { text: () => Promise.resolve(Buffer.concat(answer.chunks).toString('utf8')) },
      }),
      onError: reject,
    });
  });
}
