import { connect as connectSocket, type Socket } from 'node:net';

/** Generous: a machine under load is slow, a server that does not answer never answers. */
const WITHIN_MS = 60_000;
/** Unread text beyond this is a runaway server. Characters. */
const UNREAD_LIMIT = 64 * 1024 * 1024;

/** One whole reply. */
export interface Reply {
  /** of its last line */
  readonly code: 300 | 400;
  /** of its last line */
  readonly comment: string;
  /** the comment of its 200 line; undefined where the command was refused at once */
  readonly accepted: string | undefined;
  readonly body: readonly string[];
}

/** A raw socket with send and expect. Every wait has a deadline and fails with what was received instead. */
export class LineClient {
  #unread = '';
  #failure: Error | undefined;
  #ended = false;
  #wake: () => void = () => undefined;

  private constructor(
    /** for what a test does besides: pause(), destroy(), setNoDelay() */
    readonly socket: Socket,
  ) {
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      this.#unread += chunk;
      if (this.#unread.length > UNREAD_LIMIT) socket.destroy(new Error('the server sends without end'));
      this.#wake();
    });
    socket.on('end', () => { this.#ended = true; this.#wake(); });
    socket.on('close', () => { this.#ended = true; this.#wake(); });
    socket.on('error', (error) => { this.#failure = error; this.#wake(); });
  }

  /** For a socket that is connected already, such as one with TLS. */
  static over(socket: Socket): LineClient {
    return new LineClient(socket);
  }

  /** Sends bytes as they are; a text without its line end is sent without. */
  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Sends one line. */
  line(request: string): void {
    this.send(`${request}\n`);
  }

  /** Sends one line and reads the reply to it. */
  async ask(request: string, withinMs = WITHIN_MS): Promise<Reply> {
    this.line(request);
    return this.reply(withinMs);
  }

  /** What a request comes to, as a person reads it: its body, or the line that ended it in vain. */
  async answer(request: string, withinMs = WITHIN_MS): Promise<string> {
    const { code, comment, body } = await this.ask(request, withinMs);
    return [...body, ...(code === 400 ? [`400 ${comment}`] : [])].join('\n');
  }

  /** Waits for a text, consumes everything up to its end, and returns that. */
  expect(wanted: string | RegExp, withinMs = WITHIN_MS): Promise<string> {
    return this.#take(() => {
      if (typeof wanted === 'string') {
        const at = this.#unread.indexOf(wanted);
        return at < 0 ? undefined : this.#cut(at + wanted.length);
      }
      const match = wanted.exec(this.#unread);
      return match === null ? undefined : this.#cut(match.index + match[0].length);
    }, withinMs, String(wanted));
  }

  /** Reads one whole reply, up to its 300 or 400 line. */
  reply(withinMs = WITHIN_MS): Promise<Reply> {
    const lines: string[] = [];
    return this.#take(() => {
      for (let end = this.#unread.indexOf('\n'); end >= 0; end = this.#unread.indexOf('\n')) {
        const line = this.#cut(end + 1).replace(/\r?\n$/, '');
        if (/^[34]00( |$)/.test(line)) return toReply(lines, line);
        lines.push(line);
      }
      return undefined;
    }, withinMs, 'a whole reply', () => lines.map((line) => `${line}\n`).join(''));
  }

  /** Closes our sending half; replies still come. */
  end(): void {
    this.socket.end();
  }

  /** Waits until the server has closed the connection, and returns what it sent before and nobody read. */
  closed(withinMs = WITHIN_MS): Promise<string> {
    return this.#take(() => this.#ended || this.#failure !== undefined ? this.#cut(this.#unread.length) : undefined, withinMs, 'the end of the connection');
  }

  /** Lets go of the connection at once. */
  destroy(): void {
    this.socket.destroy();
  }

  #cut(length: number): string {
    const part = this.#unread.slice(0, length);
    this.#unread = this.#unread.slice(length);
    return part;
  }

  /** Waits until `look` finds what it looks for in the unread text. One wait at a time. */
  #take<T>(look: () => T | undefined, withinMs: number, what: string, read: () => string = () => ''): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        this.#wake = () => undefined;
        act();
      };
      const fail = (why: string): void => {
        const instead = JSON.stringify(`${read()}${this.#unread}`.slice(0, 2000));
        settle(() => reject(new Error(`${why} while waiting for ${what}; received ${instead}`, { cause: this.#failure })));
      };
      const timer = setTimeout(() => fail(`nothing within ${withinMs} ms`), withinMs);
      this.#wake = () => {
        let found: T | undefined;
        try {
          found = look();
        } catch (error) {
          settle(() => reject(error));
          return;
        }
        if (found !== undefined) settle(() => resolve(found));
        else if (this.#failure !== undefined) fail(this.#failure.message);
        else if (this.#ended) fail('the server closed the connection');
      };
      this.#wake();
    });
  }
}

function toReply(lines: readonly string[], last: string): Reply {
  const code = last.startsWith('3') ? 300 : 400;
  const comment = last.slice(4);
  const [first, ...body] = lines;
  if (first === undefined) return { code, comment, accepted: undefined, body };
  if (!/^200( |$)/.test(first)) throw new Error(`a reply starts with ${JSON.stringify(first)}`);
  return { code, comment, accepted: first.slice(4), body };
}

/** Connects to a server on this machine. */
export function connect(port: number, host = '127.0.0.1'): Promise<LineClient> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket({ port, host, noDelay: true, allowHalfOpen: true });
    socket.setTimeout(WITHIN_MS, () => socket.destroy(new Error(`no connection to ${host}:${port} within ${WITHIN_MS} ms`)));
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      socket.setTimeout(0);
      resolve(LineClient.over(socket));
    });
  });
}
