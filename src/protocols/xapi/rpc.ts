import type { Dispatcher } from 'xen-api/transports/json-rpc.mjs';
import { ForeignAnswerError, XapiError, withoutHandles } from './errors.js';
import { CertificateError, ConnectionLostError } from '../tls/errors.js';
import { formOf, type Form } from './forms.js';
import { collect, type HttpLink } from './http.js';
import { readRecords, type Pick } from './records.js';

/** Bytes of the answer that holds all records of a class: some thousand VMs of up to 10 KB. */
const RECORDS_LIMIT = 128 * 1024 * 1024;

export interface CallOptions {
  readonly signal: AbortSignal;
  /** ms */
  readonly timeout?: number;
}

/**
 * XenAPI calls to one server, in JSON-RPC, or in XML-RPC where the server knows no other (before
 * XenServer 7). xen-api does the wording; the bytes go over an {@link HttpLink}.
 */
export class Rpc {
  #form: Form = 'json';

  constructor(readonly link: HttpLink) {}

  /** @throws XapiError, ConnectionLostError, CertificateError, ForeignAnswerError, the signal's reason */
  async call(method: string, params: readonly unknown[], options: CallOptions): Promise<unknown> {
    const form = this.#form;
    const { create, UnsupportedTransport, TheirError } = await formOf(form);
    try {
      return await create({ dispatcher: this.#dispatcher(options), url: urlOf(this.link.origin) })(method, params);
    } catch (error) {
      options.signal.throwIfAborted();
      if (error instanceof UnsupportedTransport && form === 'json') {
        this.#form = 'xml';
        return await this.call(method, params, options);
      }
      if (error instanceof TheirError) throw new XapiError(error.code, error.params.map(String));
      if (error instanceof ConnectionLostError || error instanceof CertificateError || error instanceof ForeignAnswerError) throw error;
      throw new ForeignAnswerError(withoutHandles(`its answer to ${method} is not of XenAPI`));
    }
  }

  /**
   * Records of a class, of each what `pick` takes. In JSON they are read as they arrive, so that
   * neither memory nor other clients' waits grow with their number.
   * @param method `CLASS.get_all_records`
   */
  async records<T>(method: string, session: string, pick: Pick<T>, { signal, timeout }: CallOptions): Promise<Map<string, T>> {
    if (this.#form === 'xml') {
      const all = await this.call(method, [session], { signal, ...(timeout !== undefined && { timeout }) });
      return new Map(Object.entries(all as Record<string, Record<string, unknown>>).map(([ref, record]) => [ref, pick(record)]));
    }
    return this.link.exchange({
      method: 'POST', path: '/jsonrpc', signal, limit: RECORDS_LIMIT, ...(timeout !== undefined && { timeout }),
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', method, params: [session], id: 0 }),
    }, ({ status, body }) => {
      if (status !== 200) throw new ForeignAnswerError(`it answers with HTTP status ${status}`);
      return readRecords(body, pick);
    });
  }

  /** Lets xen-api's forms speak over our link: they take whatever has undici's `dispatch`. */
  #dispatcher({ signal, timeout }: CallOptions): Dispatcher {
    return {
      dispatch: ({ path, body, headers }, handler) => {
        const stop = new AbortController();
        const abort = (): void => stop.abort();
        signal.addEventListener('abort', abort, { once: true });
        handler.onConnect(abort);
        this.link.exchange(
          { method: 'POST', path, body, headers, signal: AbortSignal.any([signal, stop.signal]), ...(timeout !== undefined && { timeout }) },
          async ({ status, type, body: content }) => ({ status, type, content: await collect(content) }),
        ).finally(() => signal.removeEventListener('abort', abort)).then(({ status, type, content }) => {
          if (status < 200 || status > 299) throw new ForeignAnswerError(`it answers with HTTP status ${status}`);
          handler.onHeaders(status, [Buffer.from('content-type'), Buffer.from(type)], () => undefined, '');
          handler.onData(content);
          handler.onComplete([]);
        }).catch((error: unknown) => handler.onError(error));
        return true;
      },
    };
  }
}

const urlOf = ({ protocol, hostname, port }: URL): { protocol: string; hostname: string; port: string; pathname: string } =>
  ({ protocol, hostname, port, pathname: '/' });
