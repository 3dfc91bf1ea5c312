import { createRequire } from 'node:module';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Client, IOptions, WSDL } from 'soap';
import { loadInTurns, withStandIn } from '../../kit/in-turns.js';
import { giveWay } from '../../kit/slices.js';
import { CertificateError } from '../tls/errors.js';
import { VimFault, VimTransportError } from './errors.js';
import { buildWsdl, type Method } from './schema.js';
import type { CallOptions, VimTransport } from './transport.js';
import { at, textOf, toValue, toValueInTurns, TYPE_KEY, type Ref, type VimValue } from './value.js';

/** What a method takes beside `_this`: plain data and {@link Ref}s, in any order. */
export type Arguments = Readonly<Record<string, unknown>>;

/** Marks an object whose type the schema leaves open. */
export const typed = (type: string, fields: Arguments): Arguments => ({ attributes: { 'xsi:type': type }, ...fields });

/** A {@link Ref} as the SOAP library takes it; everything else as it is. */
function toSoap(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toSoap);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  const fields = Object.entries(value);
  if (fields.length === 2 && 'type' in value && 'value' in value) return { attributes: { type: value.type }, $value: value.value };
  return Object.fromEntries(fields.map(([name, field]) => [name, name === 'attributes' ? field : toSoap(field)]));
}

type AsyncMethod = (args: unknown, options: CallOptions) => Promise<readonly unknown[]>;

const require = createRequire(import.meta.url);

const OPTIONS: IOptions = { stream: true, preserveWhitespace: true };

/** The SOAP library: large, so that nobody loads it who has no vSphere. */
interface Library {
  readonly Client: typeof Client;
  readonly WSDL: typeof WSDL;
}

let library: Promise<Library> | undefined;

/** Ahead of the first session, so that a server can do it before it listens; later in turns. */
export const loadLibrary = (): Promise<Library> => library ??= load();

/** Stands where the library asks for its own HTTP, which brings axios: ours takes its place in each client. */
const NO_HTTP = { HttpClient: class {} };

const NOTHING = '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/"><types/></definitions>';

function load(): Promise<Library> {
  return withStandIn('soap/lib/http', import.meta.url, NO_HTTP, async () => {
    await loadInTurns('soap/lib/client', import.meta.url);
    await loadInTurns('soap/lib/wsdl', import.meta.url);
    // Not imported: for that Node would look through all of their text once more.
    const loaded = { ...require('soap/lib/client') as Pick<Library, 'Client'>, ...require('soap/lib/wsdl') as Pick<Library, 'WSDL'> };
    // What runs for the first time is slow: nothing is described first, and then the shortest method.
    await describeInTurns(NOTHING, loaded);
    await rehearse(await descriptionOf('Logout', loaded), loaded);
    // whoever calls one that cannot be described is told
    describeAhead(loaded).catch(() => undefined);
    return loaded;
  });
}

/** Each method's description by itself, made when it is called first: that of all would take 50 ms in one go. */
const descriptions = new Map<Method, Promise<WSDL>>();

function descriptionOf(method: Method, loaded: Library): Promise<WSDL> {
  const known = descriptions.get(method);
  if (known !== undefined) return known;
  const made = describeInTurns(buildWsdl(method), loaded);
  descriptions.set(method, made);
  return made;
}

/** What answers `Logout`, in pieces. */
const FAREWELL = [
  '<?xml version="1.0" encoding="UTF-8"?>\n<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">',
  '<soapenv:Body>', '<LogoutResponse xmlns="urn:vim25"></LogoutResponse>', '</soapenv:Body></soapenv:Envelope>',
];

async function* piecesOfFarewell(): AsyncGenerator<Buffer> {
  for (const piece of FAREWELL) {
    await turn();
    yield Buffer.from(piece);
  }
}

/** One call that reaches nobody: what it runs for the first time, it does before there are answers to be read. */
async function rehearse(description: WSDL, { Client }: Library): Promise<void> {
  const requestStream = (): Promise<object> => Promise.resolve({ status: 200, data: Readable.from(piecesOfFarewell()), headers: {}, config: { headers: {} } });
  const client = new Client(description, 'urn:nobody', Object.assign({ ...OPTIONS }, { httpClient: { requestStream } }));
  await turn();
  await (client.LogoutAsync as AsyncMethod)({ _this: toSoap({ type: 'SessionManager', value: 'SessionManager' }) }, { signal: new AbortController().signal });
}

/** What every first listing calls, in the order in which it does. */
const FIRST_CALLED: readonly Method[] = ['RetrieveServiceContent', 'Login', 'CreatePropertyCollector', 'CreateContainerView', 'CreateFilter', 'WaitForUpdatesEx'];

/** While a server is told from where to read, or does not answer yet: between its first answers there is less time. */
async function describeAhead(loaded: Library): Promise<void> {
  for (const method of FIRST_CALLED) await descriptionOf(method, loaded);
}

async function describeInTurns(text: string, { WSDL }: Library): Promise<WSDL> {
  await turn();
  const made = await new Promise<WSDL>((resolve, reject) => {
    const wsdl = new WSDL(text, '', OPTIONS);
    wsdl.onReady((error: Error | undefined) => (error ? reject(error) : resolve(wsdl)));
  });
  await turn();
  return made;
}

/** The SOAP library over our own transport: one method call in, plain values out. */
export class SoapClient {
  readonly #clients = new Map<Method, Client>();
  readonly #endpoint: string;
  readonly #transport: VimTransport;
  #action = '';

  constructor(endpoint: string, transport: VimTransport) {
    this.#endpoint = endpoint;
    this.#transport = transport;
  }

  /** @param version of the API, as the server names it: 6.5 */
  speak(version: string): void {
    this.#action = `urn:vim25/${version}`;
    for (const client of this.#clients.values()) client.setSOAPAction(this.#action);
  }

  /**
   * Calls a method.
   * @returns what it answers; null for nothing
   * @throws VimFault, VimTransportError, CertificateError; the signal's reason when it is aborted, if anything may have been sent
   */
  async call(method: Method, self: Ref, args: Arguments, signal: AbortSignal): Promise<VimValue> {
    const client = this.#clients.get(method) ?? await this.#clientOf(method);
    await giveWay();
    signal.throwIfAborted();
    const invoke = client[`${method}Async`] as AsyncMethod;
    const answer = invoke({ _this: toSoap(self), ...toSoap(args) as object }, { signal });
    // They hold the password, of a login.
    delete client.lastRequest;
    delete client.lastMessage;
    try {
      const [result] = await answer;
      return await toValueInTurns(returnedBy(method, result));
    } catch (error) {
      const isUnsent = error instanceof VimTransportError && !error.sent;
      throw signal.aborted && !isUnsent ? signal.reason : translate(error);
    } finally {
      delete client.lastResponse;
    }
  }

  async #clientOf(method: Method): Promise<Client> {
    const loaded = await loadLibrary();
    const description = await descriptionOf(method, loaded);
    // Assigned, since its type asks for axios and for a stream from a file.
    const options = Object.assign({ ...OPTIONS }, { httpClient: this.#transport });
    const client = new loaded.Client(description, this.#endpoint, options);
    client.setSOAPAction(this.#action);
    this.#clients.set(method, client);
    await turn();
    return client;
  }
}

/** An answer to another question, or none: the library passes on what it finds. */
function returnedBy(method: Method, result: unknown): unknown {
  if (result === null || result === undefined) return null;
  if (typeof result !== 'object' || 'Header' in result || 'Body' in result) throw new VimTransportError(`what answers ${method} is not vSphere`, true);
  return 'returnval' in result ? result.returnval : null;
}

/** Never keeps the library's error: it carries request and answer. */
function translate(error: unknown): Error {
  if (error instanceof VimFault || error instanceof VimTransportError || error instanceof CertificateError) return error;
  const fault = faultOf(error);
  if (fault !== undefined) return fault;
  return new VimTransportError(`its answer cannot be read: ${error instanceof Error ? firstLine(error.message) : 'no reason given'}`, true);
}

const LONGEST_REASON = 120;

const firstLine = (text: string): string => (text.split('\n', 1)[0] ?? '').slice(0, LONGEST_REASON);

function faultOf(error: unknown): VimFault | undefined {
  if (typeof error !== 'object' || error === null || !('root' in error)) return undefined;
  const fault = at(toValue(error.root), 'Envelope', 'Body', 'Fault');
  if (fault === undefined || fault === null) return undefined;
  const detail = Object.entries(at(fault, 'detail') ?? {}).find(([name]) => name !== TYPE_KEY);
  const [element, content = null] = detail ?? [];
  // <InvalidPowerStateFault xsi:type="InvalidPowerState">; vcsim has <Fault xsi:type="…">.
  const type = textOf(at(content, TYPE_KEY)) ?? element?.replace(/Fault$/, '') ?? textOf(at(fault, 'faultcode')) ?? 'unknown fault';
  return new VimFault(type, textOf(at(fault, 'faultstring')) ?? '', content);
}
