import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';

/** What is kept of what it says, characters. */
const OUTPUT_LIMIT = 20_000;

/** A program and the processes that it starts, in a process group of their own: signals reach them all, and none outlives this process. */
export class ProcessGroup {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #kill = (): void => this.signal('SIGKILL');
  #said = '';

  constructor(program: string, args: readonly string[], options: SpawnOptions = {}) {
    const child = this.#child = spawn(program, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => { this.#said = (this.#said + text).slice(-OUTPUT_LIMIT); });
    this.#closed = once(child, 'close');
    process.once('exit', this.#kill);
  }

  /** The last of what all of them have said. */
  get output(): string {
    return this.#said;
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  signal(name: NodeJS.Signals): void {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, name);
    } catch {
      // all of them have ended
    }
  }

  /** Ends what is left of it. */
  async stop(): Promise<void> {
    this.#kill();
    process.removeListener('exit', this.#kill);
    await this.#closed;
  }
}
