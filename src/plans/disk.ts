import { setTimeout as sleep } from 'node:timers/promises';
import { ArgoError } from '../kit/errors.js';
import { PLAN_DISK_RETRY } from '../kit/plan-limits.js';
import { StateError } from '../store/state.js';

/** What runs are told of the disk. */
export interface DiskWatcher {
  /** Orders wait from now on. */
  failed(words: string): void;
  /** They go on. */
  works(): void;
}

/**
 * The journal and the audit, as runs write them: while that fails no order is sent, and it is tried
 * again until it holds. A full disk is a state that ends, mostly because somebody has read of it: a plan
 * that had given up would have to be begun anew, with less time.
 */
export class Disk {
  readonly #watchers = new Set<DiskWatcher>();
  /** what fails to be written now */
  #failing = 0;

  /** @returns ends that */
  watch(watcher: DiskWatcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Writes, again and again until it succeeds or the signal is aborted. @throws what the work throws where that is not about the disk; where it was aborted, the last failure */
  async write<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    let hasFailed = false;
    try {
      for (;;) {
        try {
          return await work();
        } catch (thrown) {
          if (!isOfDisk(thrown) || signal.aborted) throw thrown;
          if (!hasFailed) this.#begin((thrown as Error).message);
          hasFailed = true;
        }
        await sleep(PLAN_DISK_RETRY, undefined, { signal }).catch(() => undefined);
      }
    } finally {
      if (hasFailed) this.#end();
    }
  }

  #begin(words: string): void {
    this.#failing += 1;
    if (this.#failing === 1) for (const watcher of this.#watchers) watcher.failed(words);
  }

  #end(): void {
    this.#failing -= 1;
    if (this.#failing === 0) for (const watcher of this.#watchers) watcher.works();
  }
}

const isOfDisk = (thrown: unknown): boolean => thrown instanceof StateError || (thrown instanceof ArgoError && thrown.phrase === 'AUDIT UNAVAILABLE');

/** What is told where something could not be written down. */
export const notWritten = (thrown: unknown): unknown =>
  thrown instanceof StateError ? new ArgoError('AUDIT UNAVAILABLE', `the journal of plans: ${thrown.message}`, { cause: thrown }) : thrown;
