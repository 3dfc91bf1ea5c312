/** What a machine tells of its boot, with when it was asked and answered by our own clock, in milliseconds. */
export interface BootReading {
  /** when it booted, as the machine writes it; undefined where it tells but how long it has been up */
  readonly written?: string | undefined;
  /** how long it has been up */
  readonly uptime: number;
  readonly asked: number;
  readonly answered: number;
}

interface Boot {
  readonly written: string | undefined;
  readonly earliest: number;
  readonly latest: number;
  readonly mark: string;
}

/**
 * Tells whether a machine has booted since the last look. Windows shifts its time of boot when its
 * clock is set, so another time alone proves nothing: the time that it has been up, by our clock, must
 * speak for another boot as well. In doubt it is the same boot.
 */
export class BootMarks {
  #last: Boot | undefined;
  #boots = 0;
  readonly #slack: number;

  /** @param slack milliseconds by which two computations of one boot's time may differ beyond what the network explains */
  constructor(slack: number) {
    this.#slack = slack;
  }

  /** @returns a mark that differs from that of the last look where the machine has booted since */
  see({ written, uptime, asked, answered }: BootReading): string {
    const earliest = asked - uptime - this.#slack;
    const latest = answered - uptime + this.#slack;
    const last = this.#last;
    const isSame = last !== undefined && ((written !== undefined && written === last.written) || (earliest <= last.latest && latest >= last.earliest));
    const mark = isSame ? last.mark : String(this.#boots += 1);
    this.#last = { written, earliest, latest, mark };
    return mark;
  }
}
