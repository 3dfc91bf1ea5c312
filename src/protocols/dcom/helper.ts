import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { packageFile } from '../../kit/own-files.js';
import { ConnectionLostError } from '../tls/errors.js';
import { WmiAnswerError } from '../wmi/errors.js';

/** Debian's own Python: only it has Debian's modules. */
export const PYTHON = '/usr/bin/python3';
/** The script, which the package has among its sources. */
export const HELPER = packageFile('src', 'protocols', 'dcom', 'helper.py');

/** Where that Python looks for modules of the system and of its administrator. */
const MODULES = '/usr/lib/python3/dist-packages';
const LOCAL = '/usr/local/lib';
/** The part of impacket that is needed. */
const IMPACKET = 'impacket/dcerpc/v5/dcom/wmi.py';

export interface Availability {
  readonly isAvailable: boolean;
  /** what is absent and how to get it; empty where nothing is */
  readonly reason: string;
}

function localModules(): string[] {
  if (!existsSync(LOCAL)) return [];
  return readdirSync(LOCAL).filter((name) => /^python3\.\d+$/.test(name)).map((name) => `${LOCAL}/${name}/dist-packages`);
}

/** Whether this machine has what WMI over DCOM needs. Looks for files and starts nothing. */
export function dcomAvailable(): Availability {
  const absent = (what: string, remedy: string): Availability => ({ isAvailable: false, reason: `transport "dcom" needs ${what}: ${remedy}` });
  if (!existsSync(PYTHON)) return absent(PYTHON, 'install python3 and python3-impacket');
  if (![MODULES, ...localModules()].some((folder) => existsSync(`${folder}/${IMPACKET}`))) return absent('impacket', 'install python3-impacket');
  if (!existsSync(HELPER)) return absent(HELPER, 'install argo-server anew');
  return { isAvailable: true, reason: '' };
}

/** Of one line of an answer, characters: more than any object has. */
const LINE_LIMIT = 8 * 1024 * 1024;
/** Of all lines of one answer, characters. */
const ANSWER_LIMIT = 64 * 1024 * 1024;

/** What runs the helper. Nothing of it is secret: everybody on the machine can read it. */
export interface HelperCommand {
  readonly program: string;
  readonly args: readonly string[];
}

/** What one line says. */
export interface Told {
  readonly id?: unknown;
  readonly [name: string]: unknown;
}

/** @returns whether the answer is complete */
type Reader = (told: Told) => boolean;

interface Pending {
  readonly read: Reader;
  readonly succeed: () => void;
  readonly fail: (error: Error) => void;
}

/** A process that answers lines of JSON with lines of JSON, one request at a time. */
export class Helper {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  #line = '';
  /** of the answer that is being read, characters */
  #heard = 0;
  #pending: Pending | undefined;
  #end: Error | undefined;

  constructor({ program, args }: HelperCommand, readonly onEnd: () => void) {
    // Its environment holds nothing of ours, and nothing of ours is among its files.
    this.#child = spawn(program, args, { env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' }, stdio: ['pipe', 'pipe', 'ignore'], cwd: '/' });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => this.#take(text));
    this.#child.stdin.on('error', () => undefined);
    this.#child.once('error', (error) => this.#finish(error));
    this.#child.once('close', () => this.#finish(new Error('the helper has ended')));
  }

  get isAlive(): boolean {
    return this.#end === undefined;
  }

  /**
   * Tells it one line and reads its answer's lines until one completes it.
   * @throws what `read` throws; WmiAnswerError for what is no answer; ConnectionLostError (not sent)
   * where the helper ends, has ended, or is killed. After any of these it is dead.
   */
  ask(message: object, read: Reader): Promise<void> {
    return new Promise((succeed, fail) => {
      if (this.#end) return fail(this.#lost());
      this.#heard = 0;
      this.#pending = { read, succeed, fail };
      this.#child.stdin.write(`${JSON.stringify(message)}\n`);
    });
  }

  /** Ends it at once, whatever it is doing. */
  kill(): void {
    this.#finish(new Error('the helper was ended'));
  }

  #take(text: string): void {
    const lines = (this.#line + text).split('\n');
    this.#line = lines.pop() ?? '';
    this.#heard += text.length;
    if (this.#line.length > LINE_LIMIT || this.#heard > ANSWER_LIMIT) return this.#break(new WmiAnswerError('its answer is longer than any should be'));
    for (const line of lines) this.#read(line);
  }

  #read(line: string): void {
    const pending = this.#pending;
    if (!pending) return this.#end ? undefined : this.kill();
    try {
      const told: unknown = JSON.parse(line);
      if (typeof told !== 'object' || told === null) throw new SyntaxError('no object');
      if (!pending.read(told as Told)) return;
      this.#pending = undefined;
      pending.succeed();
    } catch (error) {
      this.#break(error instanceof SyntaxError ? new WmiAnswerError('its helper answers with something else', { cause: error }) : error as Error);
    }
  }

  #break(error: Error): void {
    this.#pending?.fail(error);
    this.#pending = undefined;
    this.kill();
  }

  #lost(): ConnectionLostError {
    return new ConnectionLostError(this.#end?.message ?? '', false, { cause: this.#end });
  }

  #finish(why: Error): void {
    if (this.#end) return;
    this.#end = why;
    this.#child.kill('SIGKILL');
    this.#pending?.fail(this.#lost());
    this.#pending = undefined;
    this.onEnd();
  }
}
