import { execFileSync } from 'node:child_process';
import type { Socket } from 'node:net';
import { Escape, LEAVE, Literally } from '../kit/console-escape.js';
import { CONSOLE_EOF_LONGEST, CONSOLE_EOF_QUIET, CONSOLE_LARGEST, CONSOLE_LEFT } from '../kit/console-limits.js';
import { ArgoError } from '../kit/errors.js';
import { escapeIac } from '../kit/telnet.js';
import { formatEndpoint } from '../kit/text.js';
import { ConsoleReader, escapeCr, sizeMessage, TELLS_SIZE } from './console-reader.js';
import type { Keys, KeyStream } from './keys.js';
import { EXIT, exitCodeOf, type ExitCode } from './outcome.js';
import { formatFailure, refuse } from './presenter.js';
import { ReplyFault, type ReplyEvent } from './replies.js';
import type { Request } from './request.js';
import type { Setting } from './setting.js';

/** `console` and `shell`: the connection is the machine's until it is left. */

const LF = 0x0a;

/** ms */
const STTY_TIMEOUT = 2000;

/**
 * Takes back what a machine may have told the terminal and not undone (ECMA-48, and xterm's "Control Sequences"): colours,
 * letters that are lines, the other screen, a hidden cursor, the mouse, marked pastes, keypad and arrows.
 */
const TERMINAL_AS_BEFORE = '\x1b[0m\x1b(B\x0f\x1b[?47l\x1b[?25h\x1b[?9;1000;1002;1003;1005;1006l\x1b[?2004l\x1b[?1l\x1b>';

/**
 * Opens a console and carries it until it ends or is left.
 * @throws the signal's reason · BrokenPipe · SettingsError
 */
export async function runConsole(setting: Setting, request: Request, signal: AbortSignal): Promise<ExitCode> {
  const { keys } = setting;
  const no = setting.json ? 'there is no document of a console' : keys === undefined ? `there are no keys for it in a script; use argo ${request.line}` : undefined;
  if (no !== undefined || keys === undefined) return refuse(setting, request.line, { phrase: 'NOT SUPPORTED', detail: no ?? '' });
  try {
    const socket = await setting.session.handOver(signal);
    const one = new RemoteConsole(setting, keys, request, socket);
    try {
      return await one.run(signal);
    } finally {
      one.close();
    }
  } catch (error) {
    if (!(error instanceof ArgoError) || signal.aborted) throw error;
    return refuse(setting, request.line, error);
  }
}

class RemoteConsole {
  readonly #setting: Setting;
  readonly #keys: Keys;
  readonly #request: Request;
  readonly #socket: Socket;
  readonly #reader = new ConsoleReader();
  readonly #escape = new Escape();
  readonly #literally = new Literally();
  /** undone where it ends, the last first */
  readonly #undo: (() => void)[] = [];
  #last = LF;
  /** whether the escape was typed, or the input has ended */
  #isLeft = false;
  /** after the end of the input: leaves where nothing is said for a while */
  #quiet: NodeJS.Timeout | undefined;

  constructor(setting: Setting, keys: Keys, request: Request, socket: Socket) {
    this.#setting = setting;
    this.#keys = keys;
    this.#request = request;
    this.#socket = socket;
  }

  get #isTyped(): boolean {
    return this.#keys.stream.isTTY === true;
  }

  async run(signal: AbortSignal): Promise<ExitCode> {
    const stop = (): void => { this.#socket.destroy(); };
    signal.addEventListener('abort', stop, { once: true });
    this.#undo.push(() => signal.removeEventListener('abort', stop));
    const { settings: { replyTimeout, address } } = this.#setting.session;
    // until it has begun; then it may be silent for as long as the server lets it be
    const late = setTimeout(() => this.#socket.destroy(new ArgoError('TIMEOUT', `${formatEndpoint(address)} said nothing for ${replyTimeout / 1000} s`)), replyTimeout);
    this.#undo.push(() => clearTimeout(late));
    // as telnet ends its lines: the end of the console is then told by what no machine can say
    this.#socket.write(`${this.#request.line}\r\n`);
    const end = await this.#carry(() => clearTimeout(late), signal);
    this.close();
    if (end.kind === 'error') {
      await this.#setting.stderr.lines([formatFailure(end)]);
      return exitCodeOf(end.phrase);
    }
    return EXIT.done;
  }

  /** Gives everything back: connection, keys, terminal. */
  close(): void {
    this.#socket.destroy();
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  async #carry(begun: () => void, signal: AbortSignal): Promise<ReplyEvent> {
    const { stdout, session: { settings } } = this.#setting;
    const name = formatEndpoint(settings.address);
    try {
      // each chunk is shown before the next is taken
      for await (const chunk of this.#socket as AsyncIterable<Buffer>) {
        const { output, isBegun, end } = this.#reader.push(chunk);
        if (isBegun) {
          begun();
          await this.#begin();
        }
        if (output.length > 0) {
          this.#last = output.at(-1)!;
          this.#quiet?.refresh();
          await stdout.write(output);
        }
        if (end !== undefined) return end;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ReplyFault) throw new ArgoError('FAILED', `what answers at ${name} does not speak the line protocol: ${error.message}`);
      // what is no fault of the connection is the output's
      if (error instanceof ArgoError || !isOfConnection(error)) throw error;
    }
    signal.throwIfAborted();
    throw new ArgoError('UNREACHABLE', this.#isLeft ? `left, and ${name} has not said that the console is closed` : `the connection to ${name} was lost`);
  }

  async #begin(): Promise<void> {
    const { stdout, stderr } = this.#setting;
    const { stream } = this.#keys;
    if (this.#isTyped) {
      if (stderr.isTerminal) await stderr.lines([`argo: ${this.#request.line}; Ctrl-] or Enter ~ . leaves it`]);
      this.#undo.push(makeRaw(stream), this.#restoreAtHangup());
    }
    if (stdout.isTerminal) {
      this.#tellSize(TELLS_SIZE);
      this.#undo.push(stdout.onResize(() => this.#tellSize()));
      // what follows begins a line of its own
      this.#undo.push(() => stdout.now(`${process.env.TERM === 'dumb' ? '' : TERMINAL_AS_BEFORE}${this.#last === LF ? '' : '\r\n'}`));
    }
    this.#take();
  }

  /** Node gives the terminal back at the end and at other signals by itself. */
  #restoreAtHangup(): () => void {
    const hangUp = (): void => {
      this.close();
      process.kill(process.pid, 'SIGHUP');
    };
    process.once('SIGHUP', hangUp);
    return () => process.off('SIGHUP', hangUp);
  }

  #take(): void {
    const { stream } = this.#keys;
    const typed = (chunk: Buffer | string): void => this.#type(Buffer.from(chunk as Buffer));
    const ended = (): void => this.#inputEnded();
    const drained = (): void => { stream.resume(); };
    const giveBack = this.#keys.divert();
    stream.on('data', typed).on('end', ended).on('error', ended);
    this.#socket.on('drain', drained);
    stream.resume();
    this.#undo.push(() => {
      stream.off('data', typed).off('end', ended).off('error', ended);
      stream.pause();
      this.#socket.off('drain', drained);
      giveBack();
      clearTimeout(this.#quiet);
    });
  }

  #type(chunk: Buffer): void {
    if (this.#isLeft) return;
    const bytes = this.#isTyped ? chunk : this.#literally.of(chunk);
    const escape = bytes.findIndex((byte) => this.#escape.step(byte) === undefined);
    // what stands behind it would be taken for lines
    const sent = escape === -1 ? bytes : bytes.subarray(0, escape + 1);
    if (escape !== -1) this.#leave();
    if (!this.#socket.write(escapeCr(escapeIac(sent)))) this.#keys.stream.pause();
  }

  /** The server sees it too, and has the last word; whoever wants to go is not kept by one that is silent. */
  #leave(): void {
    this.#isLeft = true;
    const gone = setTimeout(() => this.#socket.destroy(), CONSOLE_LEFT);
    this.#undo.push(() => clearTimeout(gone));
  }

  /** What was sent last is still answered. */
  #inputEnded(): void {
    if (this.#isLeft) return;
    const leave = (): void => {
      if (this.#isLeft) return;
      this.#leave();
      this.#socket.write(LEAVE);
    };
    if (this.#isTyped) return leave();
    this.#quiet = setTimeout(leave, CONSOLE_EOF_QUIET);
    const longest = setTimeout(leave, CONSOLE_EOF_LONGEST);
    this.#undo.push(() => clearTimeout(longest));
  }

  #tellSize(before = Buffer.alloc(0)): void {
    const { columns, rows } = this.#setting.stdout;
    this.#socket.write(Buffer.concat([before, sizeMessage(Math.min(columns, CONSOLE_LARGEST), Math.min(rows, CONSOLE_LARGEST))]));
  }
}

/**
 * Has a terminal pass on every key and every byte as they are. Node's raw mode still makes CR LF of LF, by which a program
 * that draws would find its cursor elsewhere. @returns undoes it
 */
function makeRaw(stream: KeyStream): () => void {
  const wasRaw = stream.isRaw === true;
  const setOutput = (how: 'opost' | '-opost'): void => {
    try {
      execFileSync('stty', [how], { stdio: ['inherit', 'ignore', 'ignore'], timeout: STTY_TIMEOUT });
    } catch {
      // a system without stty shows texts rightly all the same
    }
  };
  stream.setRawMode?.(true);
  setOutput('-opost');
  return () => {
    setOutput('opost');
    stream.setRawMode?.(wasRaw);
  };
}

/** Whether an error is one of a socket's: those of the system have a code. */
const isOfConnection = (error: unknown): boolean => error instanceof Error && typeof (error as NodeJS.ErrnoException).code === 'string';
