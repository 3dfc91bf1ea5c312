/** What a board's refusal, or its silence, means. */
export type IpmiFault =
  /** the session was never opened, so nothing was sent */
  | 'silent'
  | 'login refused'
  | 'right missing'
  | 'busy'
  | 'unsupported'
  /** not in the state that it is in */
  | 'wrong state'
  | 'failed'
  /** sent, and its answer is missing */
  | 'lost'
  /** there is no ipmitool */
  | 'no program';

/** A command that a board did not carry out, or may not have. Its words never hold the password. */
export class IpmiError extends Error {
  override readonly name = 'IpmiError';

  constructor(readonly fault: IpmiFault, message: string) {
    super(message);
  }
}

/** Characters of a board's words that are told. */
const WORDS_TOLD = 200;

/**
 * What the opening of a session fails by, as ipmitool tells it with -v: status codes of RMCP+ and RAKP
 * (IPMI 2.0, table 13-15). A wrong password shows by RAKP message 2, whose code is made with it.
 */
const OPENING: readonly (readonly [RegExp, IpmiFault, string])[] = [
  [/RAKP 2 HMAC is invalid|unauthorized name|invalid integrity check value/i, 'login refused', 'the board refuses the user or the password'],
  [/unauthorized role|invalid role|Set Session Privilege Level to \w+ failed/i, 'right missing', 'the board does not give this user the privilege that is asked for'],
  [/insufficient resources/i, 'busy', 'the board has no room for another session'],
  [/invalid (?:authentication|integrity|confidentiality) algorithm|no cipher suite match|no matching/i, 'unsupported', 'the board does not take this cipher suite'],
  [/Address lookup for \S+ failed/i, 'silent', 'its name has no address'],
];

/** Completion codes (IPMI 2.0, table 5-2) in ipmitool's words. */
const CODES: readonly (readonly [RegExp, IpmiFault])[] = [
  [/insufficient privilege/i, 'right missing'],
  [/node busy|initialization in progress|firmware in update mode|out of space|destination unavailable/i, 'busy'],
  [/not supported in present state|cannot execute command, command disabled/i, 'wrong state'],
  [/invalid command|parameter out of range|invalid data field|illegal for specified/i, 'unsupported'],
  // Timeout while processing, response could not be provided: the command may have been carried out.
  [/^timeout|response could not be provided/i, 'lost'],
];

/**
 * Why ipmitool did not succeed.
 * @param output both of its streams
 * @param isOrder whether its command changes anything
 */
export function explainOutput(output: string, isOrder: boolean): IpmiError {
  if (/Unable to establish .* session/i.test(output)) {
    const [, fault, words] = OPENING.find(([pattern]) => pattern.test(output)) ?? [/$/, 'silent' as const, 'the board does not answer'];
    return new IpmiError(fault, words);
  }
  const words = /^(?:Set|Get) Chassis Power .*?failed: (.+)$/m.exec(output)?.[1]?.trim().slice(0, WORDS_TOLD);
  if (words !== undefined) {
    const fault = CODES.find(([pattern]) => pattern.test(words))?.[1] ?? 'failed';
    return new IpmiError(fault === 'lost' && !isOrder ? 'failed' : fault, `the board says: ${words}`);
  }
  return isOrder ? new IpmiError('lost', 'the board did not answer the order') : new IpmiError('silent', 'the board does not tell whether its machine is on');
}
