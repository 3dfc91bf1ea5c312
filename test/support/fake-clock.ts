import { execFileSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where Debian's package faketime keeps the library, for any architecture. */
const library = (): string => execFileSync('sh', ['-c', 'ls /usr/lib/*/faketime/libfaketimeMT.so.1'], { encoding: 'utf8' }).trim();

/** The system's clock as a daemon sees it, set by the test while that runs. The clock that nobody sets stays as it is. */
export class FakeClock {
  readonly #file: string;

  constructor(folder: string) {
    this.#file = join(folder, 'clock');
    this.shift(0);
  }

  /** For the daemon's environment. */
  get env(): Readonly<Record<string, string>> {
    return { LD_PRELOAD: library(), FAKETIME_TIMESTAMP_FILE: this.#file, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
  }

  /** @param seconds from the real time */
  shift(seconds: number): void {
    // in one go: it is read at any moment
    writeFileSync(`${this.#file}.new`, `${seconds < 0 ? '' : '+'}${seconds.toFixed(3)}\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }

  /** @param time as `2026-03-29T00:59:55Z`: it is that now, and goes on from there */
  set(time: string): void {
    this.shift((Date.parse(time) - Date.now()) / 1000);
  }
}
