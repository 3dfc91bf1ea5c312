import { ForeignAnswerError } from '../http/errors.js';

export { ForeignAnswerError, HttpStatusError } from '../http/errors.js';

/** What can go wrong between us and a XenAPI server. */

/** A code of our own, for a refusal that xapi tells by a status alone: a pool may let only one have a VM's console. */
export const TOO_MANY_CONSOLES = 'TOO_MANY_CONSOLES';

/** A handle such as `OpaqueRef:…`. That of a session is as good as a password. */
const HANDLE = /OpaqueRef:[\w-]+/g;

/** A text in which no handle can be read. */
export const withoutHandles = (text: string): string => text.replace(HANDLE, '…');

/** The server refused a call, in its own words. The refused call was not carried out. */
export class XapiError extends Error {
  override readonly name = 'XapiError';
  /** what belongs to the code, by position; a session's handle is not kept */
  readonly params: readonly string[];

  /** @param code such as `VM_BAD_POWER_STATE` (XenServer Management API, "API Errors") */
  constructor(readonly code: string, params: readonly string[]) {
    super(withoutHandles([code, ...params].join(' ')));
    this.params = code === 'SESSION_INVALID' ? [] : params;
  }
}

/** The login was refused; the same credentials are held back for a while. */
export class LoginRefusedError extends XapiError {
  /** @param hint until when they are held back */
  constructor({ code, params }: XapiError, readonly hint: string) {
    super(code, params);
  }
}

/** An XML-RPC fault: the server's way to say that it failed before or beside what XenAPI knows. The request was sent. */
export class FaultError extends ForeignAnswerError {}

/** The server began a task, and what became of it cannot be learnt. */
export class TaskLostError extends Error {
  override readonly name = 'TaskLostError';
}

/** The `error` of a JSON-RPC answer, of version 2.0 or 1.0, as an error of ours. */
export function toXapiError(error: unknown): XapiError | ForeignAnswerError {
  const [code, ...params]: readonly unknown[] = Array.isArray(error) ? error : listOf(error);
  if (typeof code !== 'string') return new ForeignAnswerError('its answer is an error without a code');
  return new XapiError(code, params.map(String));
}

function listOf(error: unknown): unknown[] {
  if (typeof error !== 'object' || error === null) return [];
  const { message, data } = error as { message?: unknown; data?: unknown };
  return [message, ...(Array.isArray(data) ? data as unknown[] : [])];
}
