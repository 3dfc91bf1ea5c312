/**
 * Everything that is ever told to a user as an error. One table: the phrase as it stands on the
 * wire after `400 `, and what it means. Scripts match the phrase; the detail after it is for people.
 */
export const PHRASES = {
  'NOT AUTHENTICATED': 'log in with `auth` first; or the name, the password or the network is wrong',
  'NOT ALLOWED': 'this account may not do that here, whether or not such an instance exists',
  'UNKNOWN COMMAND': 'no such command word; `help` lists them',
  USAGE: 'the command exists, its arguments are wrong; the right form follows',
  'BAD REQUEST': 'the line is not UTF-8, holds control characters or an open quote',
  'LINE TOO LONG': 'the line is longer than max-line; it was dropped to its end',
  'NO MATCH': 'the globs, ranges and groups given select nothing',
  'NO SUCH INSTANCE': 'no instance has that name',
  AMBIGUOUS: 'several instances have that short name, and their full names follow; or a machine has a name that would stand for others',
  'NO SUCH PROVIDER': 'no provider has that name',
  'NO SUCH TASK': 'no action of yours under way has that number',
  'NO SUCH PLAN': 'there is no plan of that name that you may use',
  'NO SUCH REQUEST': 'no host of that name waits to be enrolled',
  'NO SUCH RUN': 'no run of a plan that you may use has that id, or that plan has not run yet',
  'NOT SUPPORTED': 'this machine cannot do that',
  'WRONG STATE': 'the machine is in a state in which that cannot be done',
  BUSY: 'another action kept the instance past this request\'s deadline or took it over before anything was sent, or too much waits already',
  TIMEOUT: 'there was no answer, or the state was not reached, before the deadline',
  UNREACHABLE: 'the machine or its manager could not be reached; nothing was done',
  'ACCESS DENIED': 'the machine refuses our credentials or rights',
  'HOST KEY CHANGED': 'the SSH host key is not the one we know',
  'CERTIFICATE REJECTED': 'the TLS certificate is not one we trust',
  'NEEDS ANSWER': 'the machine waits for an answer to a question; the question follows',
  FAILED: 'the machine says that it failed; its words follow. Or: so many of so many targets failed',
  'CURSOR EXPIRED': 'the events behind this cursor are not remembered; list, then watch again',
  UNCERTAIN: 'the order was sent, but neither its success nor its refusal could be established',
  'AUDIT UNAVAILABLE': 'the audit cannot be written, so no action is taken',
  'TOO MANY CONNECTIONS': 'a limit on connections is reached',
  'SHUTTING DOWN': 'the server is ending',
  'INTERNAL ERROR': 'a fault of the server or of a plugin; the log has its cause',
} as const;

/** A reason for a `400`, exactly as on the wire. */
export type Phrase = keyof typeof PHRASES;

/** The end of a BUSY where somebody has a console that only one can have. The page looks for it: it has a button in its place. */
export const TAKES_IT_OVER = '; --force takes it over';

/** The one kind of error whose words reach a user. Anything else becomes `INTERNAL ERROR`. */
export class ArgoError extends Error {
  override readonly name = 'ArgoError';

  /**
   * @param phrase the fixed phrase of the table
   * @param detail one line for people, without secrets; sent after `: `
   * @param options.cause what really happened, for the log only
   */
  constructor(readonly phrase: Phrase, readonly detail = '', options?: { cause?: unknown }) {
    // a plugin may have been written without types: clients know no other phrases
    if (!Object.hasOwn(PHRASES, phrase)) throw new TypeError(`"${String(phrase)}" is no phrase of an error`);
    super(detail ? `${phrase}: ${detail}` : phrase, options);
  }
}

/** Settings of which some cannot be: nothing was changed. One line for people for each, by its name. */
export class SettingsFault extends ArgoError {
  constructor(readonly faults: Readonly<Record<string, string>>) {
    super('BAD REQUEST', Object.entries(faults).map(([name, fault]) => `${name}: ${fault}`).join('; '));
  }
}

/** What is told of an error: to everybody, and to those who may know why a provider does not answer. */
interface Words {
  readonly plain: string;
  readonly whole: string;
}

/** Of the errors of {@link guarded}, and of those that stand for them in front of who is told the whole. */
const guardedWords = new WeakMap<ArgoError, Words>();

/**
 * An error whose reason is for those alone who may know why a provider does not answer: it may name addresses, or what others have there.
 * @param plain its detail, for everybody @param whole the same with its reason
 */
export function guarded(phrase: Phrase, plain: string, whole: string): ArgoError {
  const error = new ArgoError(phrase, plain);
  guardedWords.set(error, { plain, whole });
  return error;
}

/** Both details of an error: most have one for all. */
export const wordsOf = (error: ArgoError): Words => guardedWords.get(error) ?? { plain: error.detail, whole: error.detail };

/** An error in all its words, for the log. */
export const wholeMessage = (error: ArgoError): string => new ArgoError(error.phrase, wordsOf(error).whole).message;

/** What lies behind the errors of {@link withoutCause}. */
const hiddenCauses = new WeakMap<ArgoError, unknown>();

/**
 * An error as it may leave the gate. Its cause may hold a driver's connections and what was said on
 * them: whoever catches the error does not find it there, and {@link causeOf} does.
 * @param knowsWhy whether who is told may know why the provider does not answer
 */
export function withoutCause(thrown: unknown, knowsWhy = false): ArgoError {
  const error = toArgoError(thrown);
  const words = guardedWords.get(error);
  if (error.cause === undefined && words === undefined) return error;
  const bare = new ArgoError(error.phrase, words === undefined ? error.detail : words[knowsWhy ? 'whole' : 'plain']);
  // who passes it on to somebody else finds what that one may know
  if (words && knowsWhy) guardedWords.set(bare, words);
  hiddenCauses.set(bare, error.cause);
  return bare;
}

/** Phrases that say why a machine's manager cannot be used; what follows may name its address, its account there and files of the server. */
const OF_THE_WAY: ReadonlySet<string> = new Set<Phrase>(['UNREACHABLE', 'ACCESS DENIED', 'HOST KEY CHANGED', 'CERTIFICATE REJECTED']);

/** An error of {@link withoutCause} for who may not know why a provider does not answer: the driver's words about its way there are left out. */
export function withoutWay(error: ArgoError): ArgoError {
  const cause = causeOf(error);
  // what the gate itself says has no cause
  if (cause === undefined || !OF_THE_WAY.has(error.phrase)) return error;
  const bare = new ArgoError(error.phrase);
  hiddenCauses.set(bare, cause);
  return bare;
}

const WAY_TOLD = new RegExp(`\\b(${[...OF_THE_WAY].join('|')}): .*`, 's');

/** The same of how an action ended, as it is written down: also where that stands behind something else, `UNCERTAIN: …; now UNREACHABLE: …`. */
export const outcomeWithoutWay = (outcome: string): string => outcome.replace(WAY_TOLD, '$1');

/** What really happened, for the log. */
export const causeOf = (error: ArgoError): unknown => hiddenCauses.get(error) ?? error.cause;

/** Any thrown thing as an {@link ArgoError}; a stranger's message is kept as cause, never shown. */
export function toArgoError(thrown: unknown): ArgoError {
  return thrown instanceof ArgoError ? thrown : new ArgoError('INTERNAL ERROR', '', { cause: thrown });
}
