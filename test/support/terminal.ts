import { spawn, type ChildProcess } from 'node:child_process';
import type { Test } from 'tap';
import type { Outcome } from './programs.js';
import { until } from './until.js';

/** What a shell takes for one word. */
const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** A program on a pseudo-terminal, by script(1), with somebody who answers what it asks. */
export class Terminal {
  readonly #child: ChildProcess;
  readonly #withinMs: number;
  #text = '';
  #seen = 0;
  /** its standard output and its errors, as they are shown, are both in stdout */
  readonly ended: Promise<Outcome>;

  constructor(t: Test, command: readonly string[], withinMs: number, options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {}) {
    this.#withinMs = withinMs;
    const child = this.#child = spawn('script', ['-qec', command.map(quoted).join(' '), '/dev/null'], { ...options, stdio: ['pipe', 'pipe', 'ignore'], timeout: withinMs });
    t.teardown(() => child.kill('SIGKILL'));
    child.stdin.on('error', () => undefined);
    child.stdout.setEncoding('utf8').on('data', (text: string) => { this.#text += text; });
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, stdout: this.#text, stderr: '' }));
    });
  }

  /** All that it has shown. */
  shown(): string {
    return this.#text;
  }

  /** Waits until a text is on the screen after those before, and types then. */
  async answer(prompt: string, typed: string): Promise<void> {
    await until(() => this.#text.indexOf(prompt, this.#seen) >= 0, this.#withinMs, `${prompt} on the terminal, which shows ${JSON.stringify(this.#text)}`);
    this.#seen = this.#text.indexOf(prompt, this.#seen) + prompt.length;
    this.#child.stdin?.write(typed);
  }
}
