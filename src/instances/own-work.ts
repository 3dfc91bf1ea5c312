import { ArgoError, causeOf } from '../kit/errors.js';
import type { Log } from '../kit/log.js';
import { harmless, oneLine } from '../kit/text.js';
import type { AuditLog } from '../store/audit-entry.js';
import { OPERATIONS } from './operation-table.js';
import { requireMeant, type Mandate } from './principal.js';
import { recorded } from './recorded.js';

/** In the audit, in the place of an instance: no machine and no provider has that name. */
export const NO_INSTANCE = '-';

/** Characters of what is done to no machine, and of why that failed. Two paths of Linux fit in it, of which each byte may be written as three (`%20`). */
export const OWN_WORK_SUBJECT = 25_000;
const OWN_WORK_WORDS = 500;

/** One word that a person reads, and no option, path or pattern. */
const ACTION = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

/** What is done, as the audit has it. */
export interface OwnWork {
  /** one word that is no operation of the gate's: `File_Delete` */
  readonly action: string;
  /** what it is done to, in one line */
  readonly subject: string;
}

/** What a gateway or a plugin does itself, and no machine knows of: it is recorded as an action is, and that is all. */
export class OwnWorks {
  readonly #parts: { readonly audit: AuditLog; readonly log: Log };

  constructor(parts: { readonly audit: AuditLog; readonly log: Log }) {
    this.#parts = parts;
  }

  /**
   * @param wordsOf how the audit says why it failed, where that was meant for people
   * @throws ArgoError BAD REQUEST, NOT ALLOWED, NOT SUPPORTED, AUDIT UNAVAILABLE: the work was not begun. What the work throws
   */
  async record<T>(
    mandate: Mandate,
    own: OwnWork,
    work: () => Promise<T>,
    wordsOf: (thrown: unknown) => string | undefined,
  ): Promise<T> {
    const { identity: { name: account }, through, origin: from } = mandate;
    const { action, subject } = checked(own);
    requireMeant(mandate);
    // nobody who has not logged in fills the audit
    if (account === '') throw new ArgoError('NOT ALLOWED');
    const facts = {
      account,
      from,
      command: through === undefined ? action : `${through.word}: ${action}`,
      instance: NO_INSTANCE,
      options: subject,
    };
    return recorded(this.#parts, [facts], work, { done: () => 'done', failed: (thrown) => failureOf(thrown, wordsOf) });
  }
}

/** What is handed in is read once. @throws ArgoError BAD REQUEST */
function checked({ action, subject }: OwnWork): OwnWork {
  if (typeof action !== 'string' || !ACTION.test(action) || Object.hasOwn(OPERATIONS, action)) throw new ArgoError('BAD REQUEST', 'an action is one word that is no operation of the server\'s own');
  if (typeof subject !== 'string' || subject.length > OWN_WORK_SUBJECT || harmless(subject) !== subject) throw new ArgoError('BAD REQUEST', `a subject is one line of at most ${OWN_WORK_SUBJECT} characters`);
  return { action, subject };
}

/** A refusal that is told in words is told by them. A stranger's words are for the log alone: with them goes where they came from. */
function failureOf(thrown: unknown, wordsOf: (thrown: unknown) => string | undefined): { readonly outcome: string; readonly cause?: unknown } {
  const words = thrown instanceof ArgoError ? thrown.message : wordsOf(thrown);
  if (typeof words !== 'string') return { outcome: 'INTERNAL ERROR', cause: thrown };
  return { outcome: harmless(oneLine(words, OWN_WORK_WORDS)), cause: thrown instanceof ArgoError ? causeOf(thrown) : undefined };
}
