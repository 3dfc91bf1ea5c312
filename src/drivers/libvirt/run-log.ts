import { setTimeout as sleep } from 'node:timers/promises';

interface Run {
  /** libvirt's id of this run */
  readonly id: number;
  /** performance.now() at its start or last reboot: a clock that nobody sets back */
  readonly since: number;
  /** reboots that were seen */
  readonly reboots: number;
}

/** How a run ended here: for good, or to go on on another host or from a file. */
export type End = 'stopped' | 'migrated' | 'saved';

/** Machines of which is remembered how they ended. */
const MOST_ENDS = 4_096;
/** Milliseconds between two looks at whether an end has been told. */
const LOOK_MS = 10;

/** Starts, reboots and ends that events have told of. What happened before or without us is not in it. */
export class RunLog {
  readonly #runs = new Map<string, Run>();
  /** in the order in which they ended */
  readonly #ends = new Map<string, End>();

  /** @param run libvirt's id of the run */
  started(uuid: string, run: number): void {
    this.#runs.set(uuid, { id: run, since: performance.now(), reboots: 0 });
    this.#ends.delete(uuid);
  }

  ended(uuid: string, end: End): void {
    this.#ends.delete(uuid);
    this.#ends.set(uuid, end);
    const [oldest] = this.#ends.keys();
    if (this.#ends.size > MOST_ENDS) this.#ends.delete(oldest!);
  }

  /** How its last run ended; undefined where it runs, or where that was not seen from here. */
  endOf(uuid: string): End | undefined {
    return this.#ends.get(uuid);
  }

  /** As {@link endOf}, of one that is gone: the event may come a little later than the answer that it is. @param ms for which it is waited for */
  async endSoon(uuid: string, ms: number): Promise<End | undefined> {
    for (const until = performance.now() + ms; !this.#ends.has(uuid) && performance.now() < until;) await sleep(LOOK_MS);
    return this.#ends.get(uuid);
  }

  /** Events were missed: what ended before may have started again, and ended elsewhere. */
  cutOff(): void {
    this.#ends.clear();
  }

  rebooted(uuid: string, run: number): void {
    this.#runs.set(uuid, { id: run, since: performance.now(), reboots: this.reboots(uuid, run) + 1 });
  }

  /** Reboots that were seen of a run. */
  reboots(uuid: string, run: number): number {
    const seen = this.#runs.get(uuid);
    return seen?.id === run ? seen.reboots : 0;
  }

  /** Seconds since the start or the last reboot of a run; undefined when neither was seen. */
  uptime(uuid: string, run: number): number | undefined {
    const seen = this.#runs.get(uuid);
    return seen?.id === run ? (performance.now() - seen.since) / 1000 : undefined;
  }

  /**
   * Forgets machines that are gone.
   * @param present what a listing held
   * @param listedAt when that listing began (performance.now); what started later may not be in it
   */
  keepOnly(present: ReadonlyMap<string, unknown>, listedAt: number): void {
    for (const [uuid, run] of this.#runs) {
      if (!present.has(uuid) && run.since < listedAt) this.#runs.delete(uuid);
    }
  }
}
