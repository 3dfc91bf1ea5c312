import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Test } from 'tap';
import { WsmanSession } from '../../../src/protocols/wsman/session.js';
import type { WsmanOptions } from '../../../src/protocols/wsman/options.js';

/** A service that says what a test lets it say; what it is asked is kept. */

export const SOAP_TYPE = 'application/soap+xml;charset=UTF-8';
export const PASSWORD = 'p&ss:wörd';

/** A request as it came. */
export interface Asked {
  readonly text: string;
  /** the last part of its action: Get, Pull, a method */
  readonly action: string;
  readonly authorization: string;
  /** counts the connections, from 1 */
  readonly connection: number;
}

/** What comes of a request: the content of a SOAP body, a whole answer, or worse. */
export type Answer =
  | string
  | { readonly status: number; readonly headers?: Readonly<Record<string, string | string[]>>; readonly body?: string | Buffer }
  | 'cut'
  | 'hang';

export interface Service {
  readonly url: URL;
  readonly asked: Asked[];
  /** open connections */
  readonly sockets: ReadonlySet<Socket>;
  /** how many there were */
  connections(): number;
  session(options?: Partial<WsmanOptions>): WsmanSession;
}

/** A SOAP envelope that answers a request. */
export function envelope(content: string, relatesTo = ''): string {
  return `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
    xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common"
    xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/Any"
    ><s:Header>${relatesTo && `<a:RelatesTo>${relatesTo}</a:RelatesTo>`}</s:Header><s:Body>${content}</s:Body></s:Envelope>`;
}

export const idOf = (text: string): string => /<a:MessageID>([^<]+)</.exec(text)?.[1] ?? '';

/** A fault as WinRM writes it. */
export const fault = (subcode: string, code: number | string, reason = 'Zugriff verweigert'): Answer => ({
  status: 500, headers: { 'content-type': SOAP_TYPE },
  body: envelope(`<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>${subcode}</s:Value></s:Subcode></s:Code>
    <s:Reason><s:Text xml:lang="de-DE">${reason}</s:Text></s:Reason><s:Detail><f:WSManFault Code="${code}" Machine="h"><f:Message>…</f:Message></f:WSManFault></s:Detail></s:Fault>`),
});

/** Starts it for the length of a test. */
export async function serve(t: Test, answer: (asked: Asked) => Answer | Promise<Answer>): Promise<Service> {
  const asked: Asked[] = [];
  const sockets = new Set<Socket>();
  const numbers = new WeakMap<Socket, number>();
  let connections = 0;
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8') as AsyncIterable<string>) text += chunk;
    const action = /([^/]+)<\/a:Action>/.exec(text)?.[1] ?? 'Identify';
    const one = { text, action, authorization: request.headers.authorization ?? '', connection: numbers.get(request.socket) ?? 0 };
    asked.push(one);
    const given = await answer(one);
    if (given === 'hang') return;
    if (given === 'cut') return void request.socket.destroy();
    const { status, headers, body } = typeof given === 'string'
      ? { status: 200, headers: { 'content-type': SOAP_TYPE }, body: envelope(given, idOf(text)) } : given;
    response.writeHead(status, headers).end(body);
  };
  const server = createServer((request, response) => { handle(request, response).catch(() => response.destroy()); });
  server.on('connection', (socket: Socket) => {
    numbers.set(socket, ++connections);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/wsman`);
  const session = (options: Partial<WsmanOptions> = {}): WsmanSession => {
    const made = new WsmanSession({
      origin: url, trust: { kind: 'anyone' }, login: { kind: 'basic', user: 'admin', password: PASSWORD }, allowUnencrypted: true, ...options,
    });
    t.teardown(() => made.close());
    return made;
  };
  return { url, asked, sockets, connections: () => connections, session };
}

/** A signal that nobody aborts. */
export const never = (): AbortSignal => new AbortController().signal;

export const OS = { namespace: 'root/cimv2', className: 'Win32_OperatingSystem', keys: {} } as const;
