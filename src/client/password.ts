import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import type { Stream } from './output.js';
import type { PasswordSources } from './settings.js';
import { SettingsError } from './settings-error.js';

/** A password manager may ask a person to unlock it; milliseconds. */
const COMMAND_TIMEOUT = 120_000;

/** Bytes of a password file, and of what a password command prints. */
const MAX_SECRET_SIZE = 64 * 1024;

const OTHERS = 0o077;

/** Somebody pressed Ctrl-C. */
export class Interrupted extends Error {}

/** Something that asks for a password; the shell does it in its own way while it has the terminal. */
export interface Asker {
  ask(prompt: string): Promise<string>;
}

/**
 * The password from where the settings say, or undefined when they name nothing.
 * @throws SettingsError; its message never holds the password or what a command printed
 */
export async function storedPassword(sources: PasswordSources, warn: (message: string) => void): Promise<string | undefined> {
  if (sources.literal !== undefined) return sources.literal;
  if (sources.file !== undefined) return firstLine(await readSecret(sources.file, warn), sources.file);
  if (sources.command !== undefined) return firstLine(await runForSecret(sources.command), `the command ${sources.command[0]}`);
  return undefined;
}

function firstLine(output: string, source: string): string {
  const [line = ''] = output.split(/\r?\n/, 1);
  if (line === '') throw new SettingsError(`${source} gives no password`);
  return line;
}

async function readSecret(path: string, warn: (message: string) => void): Promise<string> {
  try {
    const { mode, size } = await stat(path);
    if (size > MAX_SECRET_SIZE) throw new SettingsError(`${path} is too large for a password file`);
    if ((mode & OTHERS) !== 0) warn(`others may read the password in ${path}: chmod 600 ${path}`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof SettingsError) throw error;
    throw new SettingsError(`cannot read the password file ${path} (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** Runs without a shell. The terminal stays the command's own for asking, through stderr and /dev/tty. */
function runForSecret([program, ...args]: readonly string[]): Promise<string> {
  const env = { ...process.env, ARGO_PASSWORD: undefined };
  return new Promise((resolve, reject) => {
    const child = execFile(program!, args, { env, timeout: COMMAND_TIMEOUT, maxBuffer: MAX_SECRET_SIZE }, (error, stdout) => {
      if (error === null) return resolve(stdout);
      const why = error.killed === true ? 'it did not end in time' : `it ended with ${error.code ?? error.signal}`;
      reject(new SettingsError(`the password command ${program} gave no password: ${why}`));
    });
    child.stdin?.end();
    child.stderr?.pipe(process.stderr, { end: false });
  });
}

/** The way to a terminal, which shows nothing while a password is typed. */
export class PromptOutput extends Writable {
  isSilent = false;
  readonly #terminal: Stream;

  constructor(terminal: Stream) {
    super({ decodeStrings: false });
    this.#terminal = terminal;
    terminal.on('resize', () => this.emit('resize'));
  }

  readonly isTTY = true;

  get columns(): number {
    return this.#terminal.columns || 80;
  }

  override _write(chunk: string | Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (!this.isSilent) this.#terminal.write(chunk);
    done();
  }
}

/**
 * Asks on the terminal without echo.
 * @throws Interrupted for Ctrl-C, Ctrl-D and a terminal that is closed
 */
export function askPassword(prompt: string): Promise<string> {
  const output = new PromptOutput(process.stderr);
  const reader = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
  return new Promise<string>((resolve, reject) => {
    process.stderr.write(prompt);
    output.isSilent = true;
    reader.once('line', resolve);
    reader.once('SIGINT', () => reject(new Interrupted()));
    reader.once('close', () => reject(new Interrupted()));
  }).finally(() => {
    reader.close();
    process.stderr.write('\n');
  });
}
