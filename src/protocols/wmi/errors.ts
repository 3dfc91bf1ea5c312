/** What a WMI service refuses, and why, whatever carried the answer. */

/**
 * `no-such-class` also stands for a namespace that is not there; `quota` for too many requests at once;
 * `timed-out` and `interrupted` for what may be carried out all the same.
 */
export type WmiFaultKind
  = 'no-such-instance' | 'no-such-class' | 'no-such-method' | 'access-denied' | 'privilege-not-held' | 'timed-out' | 'interrupted' | 'quota' | 'other';

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

/** Windows' own numbers, each as it is and as FACILITY_WIN32 has it. */
const bareAndAsHresult = (codes: readonly number[]): number[] => codes.flatMap((code) => [code, 0x8007_0000 + code]);

/**
 * Numbers that say no more than that something failed, at any point of the way: E_FAIL, E_UNEXPECTED,
 * WBEM_E_FAILED, WBEM_E_CRITICAL_ERROR. Of an order that is no proof that it was not carried out.
 */
export const isGeneralFailure = (code: number): boolean => [0x8000_4005, 0x8000_ffff, 0x8004_1001, 0x8004_100a].includes(code >>> 0);

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
  // WBEM_E_TIMED_OUT; ERROR_SEM_TIMEOUT, WAIT_TIMEOUT, ERROR_TIMEOUT; RPC_E_TIMEOUT
  [0x8004_1069, 'timed-out'], ...bareAndAsHresult([121, 258, 1460]).map((code) => [code, 'timed-out'] as const), [0x8001_011f, 'timed-out'],
  // WBEM_E_PROVIDER_FAILURE, WBEM_E_TRANSPORT_FAILURE, WBEM_E_CALL_CANCELLED, WBEM_E_SHUTTING_DOWN
  [0x8004_1004, 'interrupted'], [0x8004_1015, 'interrupted'], [0x8004_1032, 'interrupted'], [0x8004_1033, 'interrupted'],
  // ERROR_NETNAME_DELETED, ERROR_OPERATION_ABORTED, ERROR_CANCELLED, ERROR_CONNECTION_ABORTED, RPC_S_CALL_FAILED, RPC_S_CALL_CANCELLED
  ...bareAndAsHresult([64, 995, 1223, 1236, 1726, 1818]).map((code) => [code, 'interrupted'] as const),
  // RPC_E_CALL_CANCELED, RPC_E_CONNECTION_TERMINATED, RPC_E_SERVER_DIED, RPC_E_SERVERFAULT, RPC_E_DISCONNECTED
  ...[0x8001_0002, 0x8001_0006, 0x8001_0007, 0x8001_0105, 0x8001_0108].map((code) => [code, 'interrupted'] as const),
]);
