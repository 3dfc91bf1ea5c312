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

/**
 * What Windows' and WMI's numbers mean (winerror.h; wbemcli.h and [MS-WMI] 2.2.11: WBEM_E_…), whatever
 * carried them. Unsigned; numbers of Windows' own come bare and as HRESULTs.
 */
export const KINDS_BY_HRESULT: ReadonlyMap<number, WmiFaultKind> = new Map<number, WmiFaultKind>([
  // WBEM_E_NOT_FOUND
  [0x8004_1002, 'no-such-instance'],
  // WBEM_E_INVALID_CLASS, WBEM_E_INVALID_NAMESPACE
  [0x8004_1010, 'no-such-class'], [0x8004_100e, 'no-such-class'],
  // WBEM_E_INVALID_METHOD, WBEM_E_METHOD_NOT_IMPLEMENTED
  [0x8004_102e, 'no-such-method'], [0x8004_1055, 'no-such-method'],
  // ERROR_ACCESS_DENIED, WBEM_E_ACCESS_DENIED
  [5, 'access-denied'], [0x8007_0005, 'access-denied'], [0x8004_1003, 'access-denied'],
  // ERROR_PRIVILEGE_NOT_HELD, WBEM_E_PRIVILEGE_NOT_HELD
  [1314, 'privilege-not-held'], [0x8007_0522, 'privilege-not-held'], [0x8004_1062, 'privilege-not-held'],
  // WBEM_E_QUOTA_VIOLATION
  [0x8004_106c, 'quota'],
  // WBEM_E_TIMED_OUT, ERROR_TIMEOUT
  [0x8004_1069, 'timed-out'], [1460, 'timed-out'], [0x8007_05b4, 'timed-out'],
  // WBEM_E_PROVIDER_FAILURE, WBEM_E_TRANSPORT_FAILURE, WBEM_E_CALL_CANCELLED, WBEM_E_SHUTTING_DOWN
  [0x8004_1004, 'interrupted'], [0x8004_1015, 'interrupted'], [0x8004_1032, 'interrupted'], [0x8004_1033, 'interrupted'],
  // ERROR_OPERATION_ABORTED, RPC_S_CALL_FAILED, RPC_E_SERVERFAULT, RPC_E_DISCONNECTED
  [995, 'interrupted'], [0x8007_03e3, 'interrupted'], [1726, 'interrupted'], [0x8007_06be, 'interrupted'], [0x8001_0105, 'interrupted'], [0x8001_0108, 'interrupted'],
]);
