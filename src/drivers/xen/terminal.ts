import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { Duplex } from 'node:stream';
import { endGroup } from '../../kit/programs.js';
import { onAbort } from '../../kit/within.js';
import { refusal } from './errors.js';
import { unstartable, type XenProgram } from './program.js';

/** Bytes of complaints that are kept while it is being opened. */
const MOST_COMPLAINTS = 16 * 1024;

/**
 * A domain's text console, by xenconsole at work with pipes. `xl console` starts it, too, but without `--interactive`,
 * and it then listens to nothing but a terminal. One byte ^] that comes alone ends it.
 */
export class Terminal extends Duplex {
  /** resolves when xenconsole has ended, and with it its lock on the console */
  readonly ended: Promise<void>;
  readonly #child: ChildProcessWithoutNullStreams;

  private constructor(child: ChildProcessWithoutNullStreams) {
    super({ allowHalfOpen: false });
    this.#child = child;
    this.ended = new Promise((resolve) => { child.once('exit', () => resolve()).once('error', () => resolve()); });
    // whoever gets it may not listen yet when it fails
    this.on('error', () => undefined);
    child.stdout.on('data', (chunk: Buffer) => { if (!this.push(chunk)) child.stdout.pause(); });
    child.stdout.on('end', () => this.push(null));
    child.stdout.pause();
    // that it takes no more is told by its end
    child.stdin.on('error', () => undefined);
  }

  /**
   * @param type libxl's: what kind of console it is, which xenconsole asks the hypervisor for where nobody says
   * @throws ArgoError by the table of refusals, or as {@link XenProgram.run}; the signal's reason
   */
  static async open(program: XenProgram, domid: number, type: 'pv' | 'serial' | undefined, signal: AbortSignal): Promise<Terminal> {
    // Its word that the console is there is a byte 0 (xenconsole's main.c), for which stderr will do, unlike a further
    // descriptor, also where a script calls sudo.
    const args = [String(domid), ...(type === undefined ? [] : ['--type', type]), '--interactive', '--start-notify-fd', '2'];
    const child = await program.start(args, signal);
    const terminal = new Terminal(child);
    try {
      await isReady(child, signal);
      return terminal;
    } catch (error) {
      terminal.destroy();
      throw error;
    }
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#child.stdin.write(chunk, () => done());
  }

  override _final(done: () => void): void {
    this.#child.stdin.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // Its input's end ends it also where it is not ours to be signalled, being sudo's.
    this.#child.stdin.destroy();
    this.#child.stdout.destroy();
    // one whose guest takes nothing hangs in a write
    const ended = endGroup(this.#child);
    void this.ended.then(ended);
    done(error);
  }
}

function isReady(child: ChildProcessWithoutNullStreams, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let complaints = '';
    const settle = (act: () => void): void => {
      forget();
      child.stderr.off('data', look).resume();
      child.off('close', ended);
      act();
    };
    const look = (chunk: Buffer): void => {
      if (chunk.includes(0)) return settle(resolve);
      complaints = (complaints + chunk.toString('utf8')).slice(-MOST_COMPLAINTS);
    };
    const ended = (code: number | null): void => settle(() => reject(refusal(complaints, code ?? -1)));
    child.once('error', (error) => { if (child.pid === undefined) settle(() => reject(unstartable(error, 'xenconsole'))); });
    let forget = (): void => undefined;
    child.stderr.on('data', look);
    child.once('close', ended);
    forget = onAbort(signal, (reason) => settle(() => reject(reason as Error)));
  });
}
