interface Run {
  /** libvirt's id of this run */
  readonly id: number;
  /** performance.now() at its start or last reboot: a clock that nobody sets back */
  readonly since: number;
  /** reboots that were seen */
  readonly reboots: number;
}

/** Machines that were migrated away of which that is remembered. */
const MOST_LEFT = 1_024;

/** Starts, reboots and migrations that events have told of. What happened before or without us is not in it. */
export class RunLog {
  readonly #runs = new Map<string, Run>();
  /** in the order in which they left */
  readonly #left = new Set<string>();

  /** @param run libvirt's id of the run */
  started(uuid: string, run: number): void {
    this.#runs.set(uuid, { id: run, since: performance.now(), reboots: 0 });
    this.#left.delete(uuid);
  }

  /** It was migrated to another host. */
  left(uuid: string): void {
    this.#left.delete(uuid);
    this.#left.add(uuid);
    const [oldest] = this.#left;
    if (this.#left.size > MOST_LEFT) this.#left.delete(oldest!);
  }

  /** Whether it was last seen to leave for another host. */
  hasLeft(uuid: string): boolean {
    return this.#left.has(uuid);
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
