import { FRONT_ENDED } from '../../instances/turn.js';
import { ArgoError, type Phrase } from '../../kit/errors.js';
import { FLEET_ORDER_ASKERS } from '../../kit/fleet-limits.js';
import { CANCELLED_BECAUSE } from '../messages.js';
import type { Asker, Replying } from './door.js';

/** An order, or a question what became of one, from its coming to its answer: whoever asks about the same meanwhile is answered with it. */
export class UnderWay {
  /** who waits for its answer, the last of those that ask */
  readonly askers: Replying[] = [];
  readonly #cancelled = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(readonly asker: Asker, first: Replying) {
    this.askers.push(first);
  }

  join(asked: Replying): void {
    if (this.askers.length >= FLEET_ORDER_ASKERS) this.askers.shift();
    this.askers.push(asked);
  }

  /** Aborted where nobody waits for it any longer, with an {@link ArgoError} where nobody cancelled it. */
  get cancelled(): AbortSignal {
    return this.#cancelled.signal;
  }

  /** @param because one of CANCELLED_BECAUSE, where nobody cancelled it */
  cancel(because: string | undefined): void {
    const known = Object.entries(CANCELLED_BECAUSE).find(([, word]) => word === because);
    this.#cancelled.abort(known && new ArgoError(known[0] as Phrase, known[0] === 'SHUTTING DOWN' ? FRONT_ENDED : ''));
  }

  get isActing(): boolean {
    return this.#timer !== undefined;
  }

  /** It is being carried out. @param tell called again and again until {@link end} @param first milliseconds until that, and `every` from then on */
  begin(tell: () => void, first: number, every: number): void {
    this.#timer = setTimeout(() => {
      tell();
      this.begin(tell, every, every);
    }, first);
    this.#timer.unref();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
