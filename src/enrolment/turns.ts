import { recorded } from '../instances/recorded.js';
import { ArgoError, toArgoError } from '../kit/errors.js';
import type { Log } from '../kit/log.js';
import type { AuditLog } from '../store/audit-entry.js';

export interface TurnParts {
  readonly audit: AuditLog;
  readonly log: Log;
  /** milliseconds that one waits for others */
  readonly ms: number;
  /** aborted when nothing is begun any more */
  readonly ends: AbortSignal;
}

/** Whose doing it is, and what: for the audit. */
export interface TurnFacts {
  readonly account: string;
  readonly from: string;
  /** `enrol.add` */
  readonly command: string;
}

/** What changes anything about hosts: one after the other, each with a record of its own in the audit. */
export class Turns {
  readonly #parts: TurnParts;
  /** ends when those have ended that have had their turn. Never rejects */
  #last: Promise<void> = Promise.resolve();

  constructor(parts: TurnParts) {
    this.#parts = parts;
  }

  /**
   * @param permit asked again when its turn has come: throws where it may not be done any longer
   * @throws ArgoError BUSY where others take too long; what the work throws
   */
  async take<T>(facts: TurnFacts, names: readonly string[], permit: () => void, work: () => Promise<T>): Promise<T> {
    const before = this.#last;
    let leave = (): void => undefined;
    const held = new Promise<void>((resolve) => { leave = resolve; });
    this.#last = before.then(() => held);
    try {
      await this.#after(before);
      this.#parts.ends.throwIfAborted();
      permit();
      return await this.#recorded(facts, names, work);
    } finally {
      leave();
    }
  }

  /** Resolves when all that was begun has ended. Never rejects. */
  settled(): Promise<void> {
    return this.#last;
  }

  /** @throws ArgoError BUSY */
  #after(before: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new ArgoError('BUSY', 'another host is being let in or out')), this.#parts.ms);
      void before.then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #recorded<T>(facts: TurnFacts, names: readonly string[], work: () => Promise<T>): Promise<T> {
    const rows = names.map((instance) => ({ ...facts, instance, options: '' }));
    return recorded(this.#parts, rows, work, {
      done: (result, { instance }) => {
        const { failed = [] } = (result ?? {}) as { readonly failed?: readonly string[] };
        return failed.includes(instance) ? 'UNCERTAIN: our key may still be on it' : 'done';
      },
      failed: (thrown) => ({ outcome: toArgoError(thrown).message }),
    }).catch((thrown: unknown) => { throw toArgoError(thrown); });
  }
}
