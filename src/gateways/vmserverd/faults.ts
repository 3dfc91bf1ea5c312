import { toArgoError, type Phrase } from '../../kit/errors.js';
import { harmless, oneLine } from '../../kit/text.js';
import { CODES, OperationError, type CodeName } from '../../protocols/vmserverd/codes.js';

/** What a phrase of ours is called here; all others are UNSPECIFIED, with the phrase in the message. */
export const CODE_OF_PHRASE: Partial<Readonly<Record<Phrase, CodeName>>> = {
  'NOT AUTHENTICATED': 'NO_PERMISSION', 'NOT ALLOWED': 'NO_PERMISSION', 'ACCESS DENIED': 'NO_PERMISSION',
  USAGE: 'INVALID_ARGUMENT', 'BAD REQUEST': 'INVALID_ARGUMENT', 'LINE TOO LONG': 'INVALID_ARGUMENT', AMBIGUOUS: 'INVALID_ARGUMENT', 'NO SUCH PROVIDER': 'INVALID_ARGUMENT',
  'NO SUCH INSTANCE': 'NO_SUCH_MACHINE', 'NO MATCH': 'NO_SUCH_MACHINE', 'NO SUCH TASK': 'NO_SUCH_TASK',
  'NOT SUPPORTED': 'NOT_SUPPORTED', 'WRONG STATE': 'WRONG_STATE', BUSY: 'BUSY', 'TOO MANY CONNECTIONS': 'BUSY', TIMEOUT: 'TIMEOUT',
};

/** Characters of what is said about an error. */
const MOST_WORDS = 2000;

/** An error with words that may hold what others have written. */
export const fault = (code: CodeName, words: string): OperationError => new OperationError(CODES[code], harmless(oneLine(words, MOST_WORDS)));

/** Any thrown thing as clients are told of it. */
export function toOperationError(thrown: unknown): OperationError {
  if (thrown instanceof OperationError) return thrown;
  const { phrase, message } = toArgoError(thrown);
  return fault(CODE_OF_PHRASE[phrase] ?? 'UNSPECIFIED', message);
}

/** The machine that is not there, or is not to be known of: in the words that VMware's clients know. @param config as the request has it */
export const noSuchMachine = (config: string): OperationError => fault('NO_SUCH_MACHINE', `No such virtual machine: The config file ${config} is not registered.`);

/** What cannot be done in a machine's state, in the words that VMware's clients know. @param state as Argo calls it @param more what helps, in Argo's words */
export const wrongState = (action: string, state: string, more = ''): OperationError => fault(
  'WRONG_STATE',
  `Invalid operation for virtual machine's current state: The requested operation ("${action}") could not be completed because it conflicted with the state of the virtual machine ("${state}") at the time the request was received.${more === '' ? '' : ` ${more}`}`,
);
