import type { Handler, Dispatcher, Transport, TransportOptions } from 'xen-api/transports/json-rpc.mjs';
import { ForeignAnswerError, HttpStatusError, XapiError, withoutHandles } from './errors.js';
import { CertificateError, ConnectionLostError } from '../tls/errors.js';
import type { TrustedAgent } from '../http/agents.js';
import { ANSWER_LIMIT, collect, type HttpClient } from '../http/client.js';
import { readRecords, type Pick, normalizeXml, readXmlRecords } from './records.js';
import { setImmediate as turn } from 'node:timers/promises';
import { giveWay } from '../../kit/slices.js';
import type TheirXapiError from 'xen-api/_XapiError.mjs';

/** Bytes of the answer that holds all records of a class: some thousand VMs of up to 10 KB. */
const RECORDS_LIMIT = 128 * 1024 * 1024;

export interface CallOptions {
  readonly signal: AbortSignal;
  /** ms */
  readonly timeout?: number;
  /** told before any of it may have reached the server */
  readonly onSend?: (() => void) | undefined;
}

/** Statuses by which a server that knows XML-RPC alone answers what is for its JSON-RPC. */
const NO_JSON = [400, 404, 405, 415, 501];
/** Where every XenAPI takes XML-RPC, and other servers of XML-RPC do. */
const XML_PATH = '/';

/**
 * XenAPI calls to one server, in JSON-RPC, or in XML-RPC where the server knows no other (before
 * XenServer 7). xen-api does the wording; the bytes go over an {@link HttpClient}.
 */
export class Rpc {
  #form: Form = 'json';
  /** The form has been answered in: another one would send an order again that may have been carried out. */
  #isSettled = false;

  constructor(readonly link: HttpClient, readonly agent: TrustedAgent) {}

  /** @throws XapiError, ConnectionLostError, CertificateError, ForeignAnswerError, the signal's reason */
  call(method: string, params: readonly unknown[], options: CallOptions): Promise<unknown> {
    return this.#say(method, params, options.signal, this.#dispatcher(options));
  }

  async #say(method: string, params: readonly unknown[], signal: AbortSignal, dispatcher: Dispatcher): Promise<unknown> {
    const form = this.#form;
    const { create, UnsupportedTransport, TheirError } = await formOf(form);
    await giveWay();
    try {
      const result = await create({ dispatcher, url: urlOf(this.link.origin) })(method, params);
      this.#isSettled = true;
      return result;
    } catch (error) {
      signal.throwIfAborted();
      const isOtherForm = error instanceof UnsupportedTransport || (error instanceof HttpStatusError && NO_JSON.includes(error.status));
      if (isOtherForm && form === 'json' && !this.#isSettled) {
        this.#form = 'xml';
        return await this.#say(method, params, signal, dispatcher);
      }
      if (error instanceof TheirError) this.#isSettled = true;
      if (error instanceof TheirError) throw new XapiError(error.code, error.params.map(String));
      if (error instanceof ConnectionLostError || error instanceof CertificateError || error instanceof ForeignAnswerError) throw error;
      throw new ForeignAnswerError(withoutHandles(`its answer to ${method} is not of XenAPI`));
    }
  }

  /**
   * Records of a class, of each what `pick` takes. They are read as they arrive, so that neither memory
   * nor other clients' waits grow with their number.
   * @param method `CLASS.get_all_records`
   */
  async records<T>(method: string, session: string, pick: Pick<T>, options: CallOptions): Promise<Map<string, T>> {
    if (this.#form === 'xml') return this.#xmlRecords(method, session, pick, options);
    const { signal, timeout } = options;
    return this.link.exchange({
      method: 'POST', path: '/jsonrpc', signal, limit: RECORDS_LIMIT, ...(timeout !== undefined && { timeout }),
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', method, params: [session], id: 0 }),
    }, ({ status, body }) => {
      if (status !== 200) throw new HttpStatusError(status);
      return readRecords(body, pick);
    });
  }

  /** xen-api words the question, and reads each record and what remains of the answer without them. */
  async #xmlRecords<T>(method: string, session: string, pick: Pick<T>, options: CallOptions): Promise<Map<string, T>> {
    const { signal } = options;
    const picked = new Map<string, T>();
    const take = async (member: string): Promise<void> => {
      const text = `<methodResponse><params><param><value><struct>${member}</struct></value></param></params></methodResponse>`;
      const parsed = await this.#say(method, [], signal, answering(Buffer.from(text))) as Record<string, Record<string, unknown>>;
      for (const [ref, record] of Object.entries(parsed)) picked.set(ref, pick(record));
    };
    const dispatcher = this.#dispatcher(options, (body) => readXmlRecords(body, take), RECORDS_LIMIT);
    const rest = await this.#say(method, [session], signal, dispatcher);
    if (typeof rest !== 'object' || rest === null || Object.keys(rest).length > 0) throw new ForeignAnswerError('its answer holds other things than records');
    return picked;
  }

  /** Lets xen-api's forms speak over our link: they take whatever has undici's `dispatch`. */
  #dispatcher({ signal, timeout, onSend }: CallOptions, read: (body: AsyncIterable<Buffer>) => Promise<Buffer> = collect, limit = ANSWER_LIMIT): Dispatcher {
    return {
      dispatch: ({ path, body, headers }, handler) => {
        this.link.exchange(
          { method: 'POST', path: path === '/xmlrpc' ? XML_PATH : path, body, headers, limit, onSend, signal, ...(timeout !== undefined && { timeout }) },
          async ({ status, type, body: content }) => {
            if (status < 200 || status > 299) throw new HttpStatusError(status);
            return { status, type, content: await read(content) };
          },
        ).then(({ status, type, content }) => answer(handler, status, type, path === '/xmlrpc' ? normalizeXml(content) : content))
          .catch((error: unknown) => handler.onError(error));
        return true;
      },
    };
  }
}

function answer(handler: Handler, status: number, type: string, content: Buffer): void {
  handler.onHeaders(status, [Buffer.from('content-type'), Buffer.from(type)], () => undefined, '');
  handler.onData(content);
  handler.onComplete([]);
}

/** Lets xen-api's XML-RPC read a text that we have already. */
const answering = (content: Buffer): Dispatcher => ({
  dispatch: (_request, handler) => {
    handler.onConnect(() => undefined);
    answer(handler, 200, 'text/xml', normalizeXml(content));
    return true;
  },
});

const urlOf = ({ protocol, hostname, port }: URL): { protocol: string; hostname: string; port: string; pathname: string } =>
  ({ protocol, hostname, port, pathname: '/' });

type Form = 'json' | 'xml';

interface Forms {
  /** @returns what speaks one of the forms */
  readonly create: (options: TransportOptions) => Transport;
  readonly UnsupportedTransport: new () => Error;
  readonly TheirError: typeof TheirXapiError;
}

const loads: Partial<Record<Form, Promise<Forms>>> = {};

/** xen-api's wire forms, which nobody loads who has no pool. The second one is for old hosts alone. */
const formOf = (form: Form): Promise<Forms> => (loads[form] ??= load(form));

async function load(form: Form): Promise<Forms> {
  await turn();
  const forms = form === 'json' ? await import('./json-form.js') : await import('./xml-form.js');
  await turn();
  return forms;
}
