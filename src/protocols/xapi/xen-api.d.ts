/** What is used of xen-api 4, which comes without types: its two wire forms, over a dispatcher of undici's kind. */
declare module 'xen-api/transports/json-rpc.mjs' {
  /** The part of undici's Dispatcher.DispatchHandlers (version 6) that a request needs. */
  export interface Handler {
    onConnect(abort: (reason?: Error) => void): void;
    onHeaders(status: number, rawHeaders: readonly Buffer[], resume: () => void, statusText: string): boolean;
    onData(chunk: Buffer): boolean;
    onComplete(trailers: readonly Buffer[]): void;
    onError(error: unknown): void;
  }

  export interface Dispatcher {
    dispatch(options: { path: string; method: string; body: string; headers: Record<string, string> }, handler: Handler): boolean;
  }

  export interface TransportOptions {
    readonly dispatcher: Dispatcher;
    readonly url: { readonly protocol: string; readonly hostname: string; readonly port: string; readonly pathname: string };
  }

  /** @throws XapiError; UnsupportedTransport where the server does not know this form */
  export type Transport = (method: string, params: readonly unknown[]) => Promise<unknown>;

  const create: (options: TransportOptions) => Transport;
  export default create;
}

declare module 'xen-api/transports/xml-rpc.mjs' {
  import type { Transport, TransportOptions } from 'xen-api/transports/json-rpc.mjs';

  const create: (options: TransportOptions) => Transport;
  export default create;
}

declare module 'xen-api/transports/_UnsupportedTransport.mjs' {
  const UnsupportedTransport: new () => Error;
  export default UnsupportedTransport;
}

declare module 'xen-api/_XapiError.mjs' {
  const XapiError: new (code: string, params: readonly unknown[]) => Error & { readonly code: string; readonly params: readonly unknown[] };
  export default XapiError;
}
