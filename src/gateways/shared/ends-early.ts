import type { Deadline } from '../../kit/deadline.js';
import { ArgoError } from '../../kit/errors.js';
import { GATEWAY_LAST_WORD } from '../../kit/limits.js';

/** What whoever waits for an order is told where the gateway ends before that: it was begun, and goes on without the gateway. */
export const endsEarly = (): ArgoError => new ArgoError('UNCERTAIN', 'the gateway ended before it was verified');

/** The last moment of a gateway at which whoever still waits can be told something. */
export class LastWord {
  readonly #controller = new AbortController();

  /** aborted then, with {@link endsEarly} */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Waits for answers that are still to be given. It comes shortly before the deadline, where that is not over by then. */
  async during(deadline: Deadline, answers: Promise<unknown>): Promise<void> {
    const timer = setTimeout(() => this.now(), Math.max(0, deadline.left - GATEWAY_LAST_WORD));
    await answers.finally(() => clearTimeout(timer));
  }

  now(): void {
    this.#controller.abort(endsEarly());
  }

  /** What somebody is told who waits: of what only reads, that the server ends. */
  told(thrown: unknown, reads: boolean): unknown {
    return reads && this.signal.aborted && thrown === this.signal.reason ? new ArgoError('SHUTTING DOWN') : thrown;
  }
}
