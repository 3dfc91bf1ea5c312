import type { VimValue } from './value.js';

/** The server refuses, in a fault of its own. */
export class VimFault extends Error {
  override readonly name = 'VimFault';

  /**
   * @param fault the type of the fault: InvalidPowerState, NotAuthenticated
   * @param words the server's own, which may be empty
   * @param detail its fields
   */
  constructor(readonly fault: string, readonly words: string, readonly detail: VimValue = null) {
    super(words === '' ? fault : `${fault}: ${words}`);
  }
}

/** The login was refused; the same credentials are held back for a while. */
export class LoginRefusedFault extends VimFault {
  /** @param hint until when they are held back */
  constructor({ fault, words, detail }: VimFault, readonly hint: string) {
    super(fault, words, detail);
  }
}

/** No answer, or none that could be used. */
export class VimTransportError extends Error {
  override readonly name = 'VimTransportError';

  /**
   * @param sent whether any of the request may have reached the server
   * @param stale whether a connection broke that had been idle, so that a question may be asked again
   */
  constructor(message: string, readonly sent: boolean, readonly stale = false, options?: { cause?: unknown }) {
    super(message, options);
  }
}

const LONGEST_REASON = 120;

/** @param reason of which the first line is told, cut off where it is long */
export const unreadable = (reason: string): VimTransportError =>
  new VimTransportError(`its answer cannot be read: ${(reason.split('\n', 1)[0] ?? '').slice(0, LONGEST_REASON)}`, true);

/** What became of a task that the server had taken on cannot be told. */
export class TaskLostError extends Error {
  override readonly name = 'TaskLostError';
}

export const isFault = (error: unknown, ...faults: readonly string[]): error is VimFault =>
  error instanceof VimFault && faults.includes(error.fault);
