import { Agent, request } from 'node:http';

/** A client of OMS' JSON-RPC as its documentation has it: an address with everything in it, or the same in a POST. */

export interface RpcReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface RpcAnswer {
  readonly error: { readonly origin: number; readonly code: number; readonly message: string } | null;
  readonly id: unknown;
  readonly result: { readonly type: string; readonly result: unknown } | null;
}

/** @param target what follows the host, as it stands: not made an address of first */
export function send(port: number, target: string, body?: string, headers: Readonly<Record<string, string>> = {}, method = body === undefined ? 'GET' : 'POST', agent: Agent | false = false): Promise<RpcReply> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path: target, method, headers, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk; }).once('end', () => resolve({ status: response.statusCode!, headers: response.headers, text })).once('error', reject);
    });
    asked.once('error', reject).end(body);
  });
}

/** Calls go over few connections. */
const AGENT = new Agent({ keepAlive: true, maxSockets: 4 });

export class OmsClient {
  sessid = '';

  constructor(readonly port: number, readonly path = '/') {}

  async call(service: string, method: string, params: readonly unknown[], id: unknown = 1): Promise<RpcAnswer> {
    const { status, text } = await send(this.port, this.path, JSON.stringify({ service, method, id, params }), { 'content-type': 'application/json' }, 'POST', AGENT);
    if (status !== 200) throw new Error(`${status} ${text}`);
    return JSON.parse(text) as RpcAnswer;
  }

  /** With the session and no cache before the parameters. */
  ask(service: string, method: string, ...params: readonly unknown[]): Promise<RpcAnswer> {
    return this.call(service, method, [this.sessid, 0, ...params]);
  }

  async login(name: string, password: string): Promise<RpcAnswer> {
    const answer = await this.call('authservices', 'authenticate', [name, password]);
    if (answer.result !== null) this.sessid = answer.result.result as string;
    return answer;
  }

  /** What it answers; @throws Error with its message where it is an error */
  async result(service: string, method: string, ...params: readonly unknown[]): Promise<unknown> {
    const { error, result } = await this.ask(service, method, ...params);
    if (error !== null) throw new Error(`${error.origin}/${error.code} ${error.message}`);
    return result!.result;
  }
}
