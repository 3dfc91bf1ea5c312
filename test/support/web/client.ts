import { request } from 'node:http';
import { request as requestTls } from 'node:https';
import { WebSocket } from 'ws';

/** A browser's part in plain HTTP, header by header, for what a browser would not let us send. */

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** sent as JSON, or as it stands */
  readonly body?: unknown;
}

/** @param url with `https:` any certificate is taken */
export function ask(url: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const all = { ...headers, 'content-length': text === undefined ? undefined : String(Buffer.byteLength(text)) };
    const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Record<string, string>;
    const options = { method, headers: given, agent: false, rejectUnauthorized: false };
    const sent = (url.startsWith('https:') ? requestTls : request)(url, options, (response) => {
      let said = '';
      response.setEncoding('utf8').on('data', (chunk: string) => { said += chunk; }).on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text: said }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(text);
  });
}

/** Somebody with a browser who has logged in. */
export class WebUser {
  url: string;
  cookie = '';

  constructor(url: string) {
    this.url = url;
  }

  /** What a page of the server's own sends. */
  get own(): Record<string, string> {
    return { cookie: this.cookie, origin: this.url, 'sec-fetch-site': 'same-origin', 'x-argo': '1', 'content-type': 'application/json' };
  }

  async login(body: unknown, headers: Ask['headers'] = {}): Promise<Answer> {
    const answer = await ask(`${this.url}/api/session`, { method: 'POST', headers: { ...this.own, ...headers }, body });
    const [set] = answer.headers['set-cookie'] ?? [];
    if (set !== undefined) this.cookie = set.split(';')[0]!;
    return answer;
  }

  get(path: string): Promise<Answer> {
    return ask(`${this.url}/api/${path}`, { headers: { cookie: this.cookie, 'sec-fetch-site': 'same-origin' } });
  }

  send(method: string, path: string, body: unknown = {}): Promise<Answer> {
    return ask(`${this.url}/api/${path}`, { method, headers: this.own, body });
  }

  /** Opens a WebSocket as a page does. Its text messages are gathered. */
  socket(path: string, { protocols = [], headers = {} }: { readonly protocols?: string[]; readonly headers?: Record<string, string> } = {}): Socketed {
    const web = new WebSocket(`${this.url.replace(/^http/, 'ws')}${path}`, protocols, { headers: { cookie: this.cookie, origin: this.url, ...headers }, rejectUnauthorized: false });
    const messages: string[] = [];
    web.on('message', (data: Buffer) => messages.push(data.toString()));
    web.on('error', () => undefined);
    const refused = new Promise<number>((resolve) => {
      web.on('unexpected-response', (sent, response) => {
        resolve(response.statusCode!);
        sent.destroy();
      });
    });
    const opened = new Promise<number>((resolve) => { web.on('open', () => resolve(101)); });
    return { web, messages, answered: Promise.race([opened, refused]), closed: new Promise((resolve) => { web.on('close', (code) => resolve(code)); }) };
  }
}

export interface Socketed {
  readonly web: WebSocket;
  readonly messages: readonly string[];
  /** 101, or the status that refuses it */
  readonly answered: Promise<number>;
  /** the code of its end */
  readonly closed: Promise<number>;
}
