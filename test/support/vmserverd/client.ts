import { connect as connectSocket, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** Generous: a machine under load is slow, a server that does not answer never answers. */
const WITHIN_MS = 60_000;

/** What came of an operation. */
export interface VmserverdAnswer {
  /** 0: it succeeded; else the number of the error */
  readonly code: number;
  /** of an error */
  readonly message: string;
  /** what stands inside `<out>` */
  readonly out: string;
  /** all of it, without what ends it */
  readonly text: string;
}

/** The five that XML has (2.4), and numbers. */
export const unescaped = (text: string): string => text.replace(/&(?:(lt|gt|amp|quot|apos)|#(\d+));/g, (_, name?: string, number?: string) =>
  (number === undefined ? { lt: '<', gt: '>', amp: '&', quot: '"', apos: '\'' }[name!]! : String.fromCodePoint(Number(number))));

export const escaped = (text: string): string => text.replace(/[<>&"']/g, (sign) => ({ '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;', '\'': '&apos;' })[sign]!);

/** The text of the first element of a name. */
export const valueIn = (text: string, name: string): string | undefined => {
  const found = new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1];
  return found === undefined ? undefined : unescaped(found);
};

/** The texts of all elements of a name. */
export const valuesIn = (text: string, name: string): string[] => [...text.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(([, found = '']) => unescaped(found));

/** A client of vmware-authd and vmserverd over a plain socket, which knows nothing of our own protocol code. Every wait has a deadline. */
export class VmserverdTestClient {
  #unread = '';
  #isOver = false;
  #failure: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(readonly socket: Socket) {
    this.#listen(socket);
  }

  static connect(port: number, host = '127.0.0.1'): VmserverdTestClient {
    return new VmserverdTestClient(connectSocket(port, host).setNoDelay(true));
  }

  /** As `connect`; TLS begins behind the banner. */
  static async connectSecure(port: number, options: { readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3'; readonly host?: string } = {}): Promise<{ readonly client: VmserverdTestClient; readonly banner: string; readonly fingerprint: string; readonly protocol: string | null }> {
    const plain = VmserverdTestClient.connect(port, options.host);
    const banner = await plain.line();
    plain.socket.removeAllListeners('data').removeAllListeners('end');
    const socket = connectTls({ socket: plain.socket, rejectUnauthorized: false, maxVersion: options.maxVersion ?? 'TLSv1.3' });
    await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    return { client: new VmserverdTestClient(socket), banner, fingerprint: socket.getPeerCertificate().fingerprint256, protocol: socket.getProtocol() };
  }

  /** Up to the service. @throws Error with what was said instead */
  static async login(port: number, name: string, password: string): Promise<VmserverdTestClient> {
    const client = VmserverdTestClient.connect(port);
    try {
      await client.line();
      await client.enter(name, password);
      return client;
    } catch (error) {
      client.end();
      throw error;
    }
  }

  /** From behind the banner up to the service. @throws Error with what was said instead */
  async enter(name: string, password: string): Promise<void> {
    for (const [line, wanted] of [[`USER ${name}`, '331 '], [`PASS ${password}`, '230 '], ['GLOBAL server', '200 ']] as const) {
      const reply = await this.say(line);
      if (!reply.startsWith(wanted)) throw new Error(`${line.split(' ')[0]}: ${reply}`);
    }
  }

  send(text: string | Uint8Array): void {
    this.socket.write(text);
  }

  /** Sends a line of the login, and reads the reply. */
  async say(line: string): Promise<string> {
    this.send(`${line}\r\n`);
    return this.line();
  }

  /** A line, without its end. @throws Error when the connection ends before */
  async line(withinMs = WITHIN_MS): Promise<string> {
    return (await this.#until('\n', withinMs)).replace(/\r$/, '');
  }

  /** One answer, which ends with NUL. */
  document(withinMs = WITHIN_MS): Promise<string> {
    return this.#until('\0', withinMs);
  }

  /** Sends one document that ends with NUL, and reads the answer. */
  async ask(document: string, withinMs = WITHIN_MS): Promise<string> {
    this.send(`${document}\0`);
    return this.document(withinMs);
  }

  /** Calls an operation. @param args what stands inside `<in>` */
  async call(operation: string, args = '', withinMs = WITHIN_MS): Promise<VmserverdAnswer> {
    return readAnswer(await this.ask(`<exec><op>${operation}</op><in>${args}</in></exec>`, withinMs));
  }

  /** Resolves with what was unread when the server has closed the connection. */
  async ended(withinMs = WITHIN_MS): Promise<string> {
    const deadline = Date.now() + withinMs;
    while (!this.#isOver) await this.#wait(deadline, 'the end of the connection');
    return this.#unread;
  }

  end(): void {
    this.socket.destroy();
  }

  #listen(socket: Socket): void {
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      this.#unread += chunk;
      this.#wake();
    });
    for (const event of ['end', 'close'] as const) socket.on(event, () => { this.#isOver = true; this.#wake(); });
    socket.on('error', (error) => { this.#failure = error; this.#wake(); });
  }

  async #until(end: string, withinMs: number): Promise<string> {
    const deadline = Date.now() + withinMs;
    for (let from = 0; ;) {
      const at = this.#unread.indexOf(end, from);
      if (at >= 0) {
        const text = this.#unread.slice(0, at);
        this.#unread = this.#unread.slice(at + 1);
        return text;
      }
      from = Math.max(0, this.#unread.length - end.length);
      if (this.#failure ?? this.#isOver) throw new Error(`the connection ended (${this.#failure?.message ?? 'closed'}) behind ${JSON.stringify(this.#unread.slice(-200))}`);
      await this.#wait(deadline, `${JSON.stringify(end)} behind ${JSON.stringify(this.#unread.slice(-200))}`);
    }
  }

  async #wait(deadline: number, what: string): Promise<void> {
    const left = deadline - Date.now();
    if (left <= 0) throw new Error(`no ${what}`);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, left);
      this.#wake = () => { clearTimeout(timer); resolve(); };
    });
  }
}

/** @throws Error for what is no answer */
export function readAnswer(text: string): VmserverdAnswer {
  if (!/^<exec><product id="GSX">.*<\/exec>$/s.test(text)) throw new Error(`no answer: ${text.slice(0, 200)}`);
  if (valueIn(text, 'returncode') === '1') return { code: 0, message: '', out: /<out>(.*)<\/out>/s.exec(text)?.[1] ?? '', text };
  return { code: Number(valueIn(text, 'code')), message: valueIn(text, 'message') ?? '', out: '', text };
}
