import { createRequire } from 'node:module';
import { setImmediate as turn } from 'node:timers/promises';
import type { Client, IOptions, WSDL } from 'soap';
import { loadInTurns, withStandIn } from '../../kit/in-turns.js';
import { giveWay } from '../../kit/slices.js';
import { CertificateError } from '../tls/errors.js';
import { readAnswer, type Each } from './answer.js';
import { unreadable, VimFault, VimTransportError } from './errors.js';
import { buildWsdl, type Method } from './schema.js';
import type { CallOptions, VimTransport } from './transport.js';
import type { Ref, VimValue } from './value.js';

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

/** Resolves with what {@link leaveUnread} hands on. */
type AsyncMethod = (args: unknown, options: CallOptions) => Promise<readonly [Body]>;

type Body = AsyncIterable<Uint8Array>;

const require = createRequire(import.meta.url);

const OPTIONS: IOptions = { stream: true };

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

/** What might answer the question about news, with one of most that values are made of; in pieces. */
const REHEARSED = [
  '<?xml version="1.0" encoding="UTF-8"?>\n<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">',
  '<soapenv:Body><LogoutResponse xmlns="urn:vim25"><returnval><version>1</version><filterSet><objectSet><kind>enter</kind><obj type="VirtualMachine">vm-1</obj>',
  '<changeSet><name>name</name><op>assign</op><val xsi:type="xsd:string">a &amp; b</val></changeSet>',
  '<changeSet><name>runtime.bootTime</name><op>assign</op><val xsi:type="xsd:dateTime">2026-01-01T00:00:00Z</val></changeSet>',
  '<changeSet><name>guest.net</name><op>assign</op><val xmlns:x="http://www.w3.org/2001/XMLSchema-instance" x:type="ArrayOfInt"><int x:type="xsd:int">1</int></val></changeSet>',
  '<changeSet><name>config.template</name><op>assign</op><val xsi:type="xsd:boolean">false</val></changeSet>',
  '</objectSet></filterSet><truncated>false</truncated></returnval></LogoutResponse></soapenv:Body></soapenv:Envelope>',
];

async function* piecesOfRehearsed(): AsyncGenerator<Buffer> {
  for (const piece of REHEARSED) {
    await turn();
    yield Buffer.from(piece);
  }
}

/** One call that reaches nobody: what it runs for the first time, it does before there are answers to be read. */
async function rehearse(description: WSDL, { Client }: Library): Promise<void> {
  const requestStream = (): Promise<object> => Promise.resolve({ status: 200, data: piecesOfRehearsed(), headers: {}, config: { headers: {} } });
  const client = new Client(description, 'urn:nobody', Object.assign({ ...OPTIONS }, { httpClient: { requestStream } }));
  await turn();
  const logOut = client.LogoutAsync as AsyncMethod;
  const [body] = await logOut({ _this: toSoap({ type: 'SessionManager', value: 'SessionManager' }) }, { signal: new AbortController().signal });
  // As a first listing has it read.
  await readAnswer('Logout', body, { path: ['filterSet', 'objectSet'], take: () => undefined });
}

/** What every first listing calls, in the order in which it does. */
const FIRST_CALLED: readonly Method[] = ['RetrieveServiceContent', 'Login', 'CreatePropertyCollector', 'CreateContainerView', 'CreateFilter', 'WaitForUpdatesEx'];

/** While a server is told from where to read, or does not answer yet: between its first answers there is less time. */
async function describeAhead(loaded: Library): Promise<void> {
  for (const method of FIRST_CALLED) await descriptionOf(method, loaded);
}

/**
 * In place of the library's own reading, which takes four times as long as ours: passes the body on, as if it were what the
 * answer says. That holds as long as the library (`_invoke` of its client) asks the status to be 200 and the output to be
 * described ($lookupTypes) to call this with `done`, listens to a body only that has an `on`, and hands what has neither a
 * field `Body` nor `html` to whoever called: an async generator has none of these.
 */
const leaveUnread = (body: Body, done: (error: null, body: Body) => void): void => done(null, body);

async function describeInTurns(text: string, { WSDL }: Library): Promise<WSDL> {
  await turn();
  const made = await new Promise<WSDL>((resolve, reject) => {
    const wsdl = new WSDL(text, '', OPTIONS);
    wsdl.onReady((error: Error | undefined) => (error ? reject(error) : resolve(wsdl)));
  });
  Object.assign(made, { xmlToObject: leaveUnread });
  await turn();
  return made;
}

/** The SOAP library words what is asked; the transport, and the reading of what is answered, are our own. One method call in, plain values out. */
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
   * @param each of what it answers: handed over as it comes
   * @returns what it answers; null for nothing
   * @throws VimFault, VimTransportError, CertificateError; the signal's reason when it is aborted, if anything may have been sent
   */
  async call(method: Method, self: Ref, args: Arguments, signal: AbortSignal, each?: Each): Promise<VimValue> {
    const client = this.#clients.get(method) ?? await this.#clientOf(method);
    await giveWay();
    signal.throwIfAborted();
    const invoke = client[`${method}Async`] as AsyncMethod;
    const answer = invoke({ _this: toSoap(self), ...toSoap(args) as object }, { signal });
    // They hold the password, of a login.
    delete client.lastRequest;
    delete client.lastMessage;
    try {
      const [body] = await answer.catch((error: unknown) => { throw translate(error); });
      // What `each` throws stays as it is: a mistake of ours must not look like one of the server's.
      return await readAnswer(method, body, each);
    } catch (error) {
      const isUnsent = error instanceof VimTransportError && !error.sent;
      throw signal.aborted && !isUnsent ? signal.reason : error;
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

/** Never keeps the library's error: it carries request and answer. */
function translate(error: unknown): Error {
  if (error instanceof VimFault || error instanceof VimTransportError || error instanceof CertificateError) return error;
  return unreadable(error instanceof Error ? error.message : 'no reason given');
}
