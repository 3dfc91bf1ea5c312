import { BoardError, type BoardFault } from '../board/errors.js';

/** Characters of a board's words that are told. */
const WORDS_TOLD = 200;

/**
 * What the opening of a session fails by, as ipmitool tells it with -v: status codes of RMCP+ and RAKP
 * (IPMI 2.0, table 13-15). A wrong password shows by RAKP message 2, whose code is made with it.
 */
const OPENING: readonly (readonly [RegExp, BoardFault, string])[] = [
  [/RAKP 2 HMAC is invalid|unauthorized name|invalid integrity check value/i, 'login refused', 'the board refuses the user or the password'],
  [/unauthorized role|invalid role|Set Session Privilege Level to \w+ failed/i, 'right missing', 'the board does not give this user the privilege that is asked for'],
  [/insufficient resources/i, 'busy', 'the board has no room for another session'],
  [/invalid (?:authentication|integrity|confidentiality) algorithm|no cipher suite match|no matching/i, 'unsupported', 'the board does not take this cipher suite'],
  [/Address lookup for \S+ failed/i, 'silent', 'its name has no address'],
];

/** Completion codes (IPMI 2.0, table 5-2) in ipmitool's words. */
const CODES: readonly (readonly [RegExp, BoardFault])[] = [
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
export function explainOutput(output: string, isOrder: boolean): BoardError {
  if (/Unable to establish .* session/i.test(output)) {
    const [, fault, words] = OPENING.find(([pattern]) => pattern.test(output)) ?? [/$/, 'silent' as const, 'the board does not answer'];
    return new BoardError(fault, words);
  }
  const words = /^(?:Set|Get) Chassis Power .*?failed: (.+)$/m.exec(output)?.[1]?.trim().slice(0, WORDS_TOLD);
  if (words !== undefined) {
    const fault = CODES.find(([pattern]) => pattern.test(words))?.[1] ?? 'failed';
    return new BoardError(fault === 'lost' && !isOrder ? 'failed' : fault, `the board says: ${words}`);
  }
  return isOrder ? new BoardError('lost', 'the board did not answer the order') : new BoardError('silent', 'the board does not tell whether its machine is on');
}
