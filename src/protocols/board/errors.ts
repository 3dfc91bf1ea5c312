/** What a management board's refusal, or its silence, means, whatever it speaks. */
export type BoardFault =
  /** nothing was sent, or nothing was done */
  | 'silent'
  | 'certificate'
  | 'login refused'
  | 'right missing'
  | 'busy'
  | 'unsupported'
  /** not in the state that it is in */
  | 'wrong state'
  | 'failed'
  /** sent, and what came of it is not known */
  | 'lost'
  /** there is no ipmitool */
  | 'no program';

/** What a board did not carry out, or may not have. Its words never hold the password. */
export class BoardError extends Error {
  override readonly name = 'BoardError';

  constructor(readonly fault: BoardFault, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
