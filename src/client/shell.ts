import { createInterface, type Interface } from 'node:readline';
import { ArgoError } from '../kit/errors.js';
import { formatEndpoint, trimmed } from '../kit/text.js';
import { askSession, Completer } from './completion.js';
import { type History, HISTORY_LINES } from './history.js';
import { EXIT, type ExitCode } from './outcome.js';
import { BrokenPipe, type Stream } from './output.js';
import { type Asker, Interrupted, PromptOutput } from './password.js';
import { refuse } from './presenter.js';
import { isAuthLine, quoteWord, type Request, requestFromLine } from './request.js';
import { runRequest } from './runner.js';
import type { Setting } from './setting.js';
import { SettingsError } from './settings-error.js';

/** Lines typed or pasted while a command runs; more is refused. */
const MAX_TYPED_AHEAD = 1000;

/** A person pressed Ctrl-C while a command ran. */
class Detached extends Error {}

/** The interactive shell: a prompt on a terminal, one command after the other. */
export class Shell {
  readonly #output: PromptOutput;
  readonly #reader: Interface;
  readonly #completer: Completer;
  readonly #typed: string[] = [];
  #running: AbortController | undefined;
  #answer: { resolve(line: string): void; reject(error: Error): void } | undefined;
  #wake = () => {};
  #closed = false;
  #leaving = false;
  readonly #setting: Setting;
  readonly #history: History;

  constructor(
    setting: Setting,
    history: History,
    asker: Asker,
    terminal: { input: NodeJS.ReadableStream; output: Stream },
  ) {
    this.#setting = setting;
    this.#history = history;
    this.#output = new PromptOutput(terminal.output);
    this.#completer = new Completer(askSession(setting.session));
    this.#reader = createInterface({
      input: terminal.input,
      output: this.#output,
      terminal: true,
      history: history.load(),
      historySize: HISTORY_LINES,
      removeHistoryDuplicates: true,
      completer: (line: string, done: (error: null, result: [string[], string]) => void) => this.#complete(line, done),
    });
    this.#reader.on('line', (line) => this.#onLine(line));
    this.#reader.on('SIGINT', () => this.#onInterrupt());
    this.#reader.on('close', () => this.#onClose());
    // readline puts every line into its list, passwords too, and lets the listener take them out.
    this.#reader.on('history', (lines: string[]) => {
      if (this.#answer || (lines[0] !== undefined && isAuthLine(lines[0]))) lines.shift();
    });
    asker.ask = (prompt) => this.#askHidden(prompt);
  }

  /**
   * Runs until the person leaves.
   * @param interrupted what still ends a command when the terminal no longer hands us Ctrl-C as a key
   */
  async run(greeting: string, interrupted: AbortSignal): Promise<ExitCode> {
    interrupted.addEventListener('abort', () => {
      this.#typed.length = 0;
      this.#running?.abort(interrupted.reason);
    });
    await this.#setting.stderr.lines([greeting]);
    for (let line = await this.#next(); line !== undefined; line = await this.#next()) {
      if (/^(exit|quit)$/i.test(trimmed(line))) break;
      if (trimmed(line) !== '') await this.#perform(line);
    }
    this.#leaving = true;
    this.#reader.close();
    return EXIT.done;
  }

  async #next(): Promise<string | undefined> {
    if (this.#typed.length === 0 && !this.#closed) {
      const { session } = this.#setting;
      const who = session.account === undefined ? '' : `${session.account}@`;
      this.#reader.setPrompt(`${who}${formatEndpoint(session.settings.address).replace(/:20203$/, '')}> `);
      this.#reader.prompt();
      await new Promise<void>((resolve) => { this.#wake = resolve; });
    }
    return this.#typed.shift();
  }

  async #perform(line: string): Promise<void> {
    this.#history.add(line);
    this.#running = new AbortController();
    try {
      const request = await this.#withPassword(requestFromLine(line));
      await runRequest(this.#setting, request, this.#running.signal);
    } catch (error) {
      await this.#explain(error, line);
    } finally {
      this.#running = undefined;
    }
  }

  async #explain(error: unknown, line: string): Promise<void> {
    if (error instanceof Detached) {
      this.#setting.session.detach();
      await this.#setting.stderr.lines(['argo: detached; what was asked for goes on at the server']);
    } else if (error instanceof ArgoError) {
      await refuse(this.#setting, line, error);
    } else if (error instanceof SettingsError) {
      await this.#setting.stderr.lines([`argo: ${error.message}`]);
    } else if (error instanceof BrokenPipe) {
      this.#reader.close();
    } else if (!(error instanceof Interrupted)) {
      throw error;
    }
  }

  /** `auth NAME` asks for the rest, so that nobody has to show a password to type it. */
  async #withPassword(request: Request): Promise<Request> {
    const [account, password] = request.words;
    if (request.command !== 'auth' || account === undefined || password !== undefined) return request;
    return requestFromLine(`auth ${quoteWord(account.text)} ${quoteWord(await this.#askHidden(`password of ${account.text}: `))}`);
  }

  async #askHidden(prompt: string): Promise<string> {
    if (this.#closed) throw new Interrupted();
    this.#output.write(prompt);
    this.#output.isSilent = true;
    try {
      return await new Promise<string>((resolve, reject) => { this.#answer = { resolve, reject }; });
    } finally {
      this.#answer = undefined;
      this.#output.isSilent = false;
      this.#output.write('\n');
    }
  }

  #onLine(line: string): void {
    if (this.#answer) {
      this.#answer.resolve(line);
    } else if (this.#typed.length < MAX_TYPED_AHEAD) {
      this.#typed.push(line);
      this.#wake();
    }
  }

  #onInterrupt(): void {
    if (this.#answer) {
      this.#answer.reject(new Interrupted());
    } else if (this.#running) {
      this.#typed.length = 0;
      this.#running.abort(new Detached());
    } else {
      this.#output.write('^C\n');
      this.#reader.write(null, { ctrl: true, name: 'e' });
      this.#reader.write(null, { ctrl: true, name: 'u' });
      this.#reader.prompt();
    }
  }

  #onClose(): void {
    this.#closed = true;
    this.#answer?.reject(new Interrupted());
    if (!this.#running && !this.#leaving) this.#output.write('\n');
    this.#wake();
  }

  #complete(line: string, done: (error: null, result: [string[], string]) => void): void {
    if (this.#running) return done(null, [[], line]);
    void this.#completer.complete(line).then((result) => done(null, result));
  }
}
