import { createRequire } from 'node:module';
import type TheirXapiError from 'xen-api/_XapiError.mjs';
import type { Transport, TransportOptions } from 'xen-api/transports/json-rpc.mjs';
import { loadInTurns } from '../../kit/in-turns.js';

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

async function load(form: Form): Promise<Forms> {
  // The largest part by far is the HTTP client that they bring, which our own connections take the place of.
  await loadInTurns('undici', createRequire(import.meta.url).resolve('xen-api/transports/json-rpc.mjs'));
  const { default: create } = form === 'json' ? await import('xen-api/transports/json-rpc.mjs') : await import('xen-api/transports/xml-rpc.mjs');
  const { default: UnsupportedTransport } = await import('xen-api/transports/_UnsupportedTransport.mjs');
  const { default: TheirError } = await import('xen-api/_XapiError.mjs');
  return { create, UnsupportedTransport, TheirError };
}
