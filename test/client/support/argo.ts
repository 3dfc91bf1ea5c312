import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromRoot } from '../../support/paths.js';
import { until } from '../../support/until.js';

/** Longest life of a client in a test, ms. */
const WITHIN_MS = 30_000;

export const ARGO = fromRoot('bin', 'argo.js');

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Record<string, string | undefined>;
  /** what is written to its standard input; without, that is empty */
  readonly input?: string;
  /** sends a signal when this has been printed to standard output */
  readonly interruptAfter?: string;
}

/** The environment of a client that knows nothing but what the test says. */
export function cleanEnvironment(home: string, env: Record<string, string | undefined> = {}): NodeJS.ProcessEnv {
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(ARGO_|XDG_)/.test(name)));
  return { ...own, HOME: home, TERM: 'xterm', ...env };
}

/** A folder that serves as HOME and goes away with the test. */
export function makeHome(t: { teardown(remove: () => void): unknown }): string {
  const home = mkdtempSync(join(tmpdir(), 'argo-home-'));
  t.teardown(() => { rmSync(home, { recursive: true, force: true }); });
  return home;
}

function runsIn(pid: string, home: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`HOME=${home}`);
  } catch {
    return false;
  }
}

/** The command lines of what runs there, as everybody can read them. */
export const runningIn = (home: string): string[] => readdirSync('/proc').filter((name) => /^\d+$/.test(name) && runsIn(name, home)).map((pid) => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
});

/** Waits for what asks a server for completion, which goes on when the client has ended. */
export const untilIdle = (home: string): Promise<void> =>
  until(() => runningIn(home).length === 0, WITHIN_MS, `the end of what runs in ${home}`);

/** Runs `argo` to its end, without a terminal. */
export function argo(home: string, args: readonly string[], { env, input, interruptAfter }: RunOptions = {}): Promise<Run> {
  const child = spawn(process.execPath, [ARGO, ...args], { env: cleanEnvironment(home, env), timeout: WITHIN_MS });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (interruptAfter !== undefined && stdout.includes(interruptAfter)) child.kill('SIGINT');
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
  child.stdin.on('error', () => { /* it may end before it has read all */ });
  child.stdin.end(input ?? '');
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** What completion scripts get. @param words for bash the line and what is replaced of it; for others those of the line */
export const complete = (home: string, shell: string, words: readonly string[], env?: Record<string, string>): Promise<Run> =>
  argo(home, ['--complete', shell], { input: words.map((word) => `${word}\0`).join(''), ...env !== undefined && { env } });

/** `argo` on a pseudo-terminal, which script(1) makes. */
export class Terminal {
  #text = '';
  #seen = 0;
  readonly ended: Promise<number | null>;
  readonly #child;

  /** @param command for sh; `argo` in it stands for the client @param withinMs its longest life */
  constructor(home: string, command: string, env: Record<string, string | undefined> = {}, withinMs = WITHIN_MS) {
    const whole = command.replaceAll(/\bargo\b/g, `'${process.execPath}' '${ARGO}'`);
    this.#child = spawn('script', ['-qfec', whole, '/dev/null'], { env: cleanEnvironment(home, env), timeout: withinMs });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => { this.#text += text; });
    this.#child.stdin.on('error', () => { /* it may have ended */ });
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', resolve);
    });
  }

  /** all that was shown */
  get screen(): string {
    return this.#text;
  }

  send(keys: string): void {
    this.#child.stdin.write(keys);
  }

  /** Waits for a text after what was waited for before. */
  async expect(wanted: string): Promise<void> {
    let at = -1;
    try {
      await until(() => {
        at = this.#text.indexOf(wanted, this.#seen);
        return at !== -1;
      }, WITHIN_MS, `${JSON.stringify(wanted)} on the terminal`);
    } catch (error) {
      throw new Error(`${(error as Error).message}: ${JSON.stringify(this.#text.slice(this.#seen))}`);
    }
    this.#seen = at + wanted.length;
  }

  /** Lets go of the terminal, as when its window is closed. */
  close(): void {
    this.#child.kill('SIGKILL');
  }
}
