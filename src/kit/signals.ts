import { getEventListeners } from 'node:events';
import { SIGNAL_USES, SIGNALS_KEPT } from './limits.js';

/** A signal on loan, and who can abort it. */
export class SignalLoan {
  readonly #controller = new AbortController();
  /** calls that had it */
  uses = 0;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#controller.abort(reason);
  }
}

/**
 * Signals that were not needed, for the next who needs one: to make one is dearer than all the rest of a
 * call to a machine, and nearly none is ever used. A call must not hold on to its signal when it has ended.
 */
export class Signals {
  readonly #kept: SignalLoan[] = [];

  take(): SignalLoan {
    return this.#kept.pop() ?? new SignalLoan();
  }

  /** One whose call has ended. It is not kept where it was aborted, or where somebody still listens to it. */
  putBack(loan: SignalLoan): void {
    const { signal } = loan;
    loan.uses += 1;
    // it never forgets the signals that AbortSignal.any has made from it, so it is not used for ever
    if (this.#kept.length >= SIGNALS_KEPT || loan.uses >= SIGNAL_USES) return;
    if (!signal.aborted && signal.onabort === null && getEventListeners(signal, 'abort').length === 0) this.#kept.push(loan);
  }
}
