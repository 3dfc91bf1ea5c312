/**
 * Numbers of errors. -8, -11, -14, -20 and -999 are those of VMware's VmPerl API as its users have seen them; of the others
 * nothing is public: they are Argo's choice.
 */
export const CODES = {
  INVALID_ARGUMENT: -3,
  NO_PERMISSION: -5,
  /** "Invalid operation for virtual machine's current state" */
  WRONG_STATE: -8,
  /** "No such virtual machine" */
  NO_SUCH_MACHINE: -11,
  /** "Unexpected response from vmware-authd": seen by a client only */
  UNEXPECTED_RESPONSE: -14,
  TIMEOUT: -17,
  /** "Virtual machine already exists" */
  MACHINE_EXISTS: -20,
  UNKNOWN_OPERATION: -30,
  BAD_XML: -31,
  FILE: -32,
  NO_SUCH_TASK: -33,
  BUSY: -34,
  /** this host cannot do that */
  NOT_SUPPORTED: -35,
  /** whatever else went wrong, or nobody knows */
  UNSPECIFIED: -999,
} as const;

export type CodeName = keyof typeof CODES;

/** An operation that failed, as both ends say it. */
export class OperationError extends Error {
  override readonly name = 'OperationError';

  /** @param words one line for people, without secrets */
  constructor(readonly code: number, words: string) {
    super(words);
  }
}
