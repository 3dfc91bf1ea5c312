/** What a WMI service refuses, and why, whatever carried the answer. */

/**
 * `no-such-class` also stands for a namespace that is not there; `quota` for too many requests at once;
 * `timed-out` and `interrupted` for what may be carried out all the same.
 */
export type WmiFaultKind =
  'no-such-instance' | 'no-such-class' | 'no-such-method' | 'access-denied' | 'privilege-not-held' | 'timed-out' | 'interrupted' | 'quota' | 'other';

/** The service has refused: but for two of its kinds, the request was not carried out. */
export class WmiFault extends Error {
  override readonly name = 'WmiFault';

  /**
   * @param code the service's own number: a WSMan code or an HRESULT; 0 where it gave none
   * @param words its own words, in the language of the machine
   */
  constructor(readonly kind: WmiFaultKind, readonly code: number, words: string) {
    super(words);
  }
}

/** The machine does not let us in: the account, its password, or the way of logging in. Nothing was done. */
export class WmiAccessError extends Error {
  override readonly name = 'WmiAccessError';
}

/** The password was sent, or proof of it, and not taken: sending it again may lock the account. */
export class WmiLoginRefusedError extends WmiAccessError {}

/** The answer is none that WMI gives, is larger than we take, or was altered on the way. */
export class WmiAnswerError extends Error {
  override readonly name = 'WmiAnswerError';
  /** whether a request may have been carried out; false where the answer was to a login, or proves that it was not */
  readonly sent: boolean;

  constructor(message: string, { sent = true, ...options }: ErrorOptions & { readonly sent?: boolean } = {}) {
    super(message, options);
    this.sent = sent;
  }
}
