import type { ServerResponse } from 'node:http';
import { ArgoError } from '../../kit/errors.js';
import { UNREAD_COUNTED_FROM, UNREAD_IN_ALL, UNREAD_OF_ACCOUNT } from '../../kit/web-limits.js';

/** How much of what was answered nobody has read yet: it lies in memory for as long. */
export class Unread {
  #all = 0;
  readonly #ofAccounts = new Map<string, number>();

  /**
   * Counts an answer until its client has it, or is gone.
   * @param bytes of it, about
   * @throws ArgoError BUSY where too much is unread
   */
  take(account: string, bytes: number, response: ServerResponse): void {
    if (bytes < UNREAD_COUNTED_FROM) return;
    const own = this.#ofAccounts.get(account) ?? 0;
    // one alone may be longer than the limit
    if (own > 0 && (own + bytes > UNREAD_OF_ACCOUNT || this.#all + bytes > UNREAD_IN_ALL)) throw new ArgoError('BUSY', 'answers to earlier requests are not read yet');
    this.#count(account, bytes);
    response.once('close', () => this.#count(account, -bytes));
  }

  #count(account: string, bytes: number): void {
    this.#all += bytes;
    const own = (this.#ofAccounts.get(account) ?? 0) + bytes;
    if (own > 0) this.#ofAccounts.set(account, own);
    else this.#ofAccounts.delete(account);
  }
}
