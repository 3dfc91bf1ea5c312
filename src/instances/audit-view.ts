import { ArgoError } from '../kit/errors.js';
import { AUDIT_LOOKED_AT, AUDIT_PAGE } from '../kit/api-limits.js';
import { Slices } from '../kit/slices.js';
import type { AuditRow } from '../store/audit-entry.js';
import { EVERYTHING, isOwn, providerOf, type Mandate, type Permission, type Principal } from './principal.js';
import { NO_INSTANCE } from './own-work.js';
import type { Registry } from './registry.js';
import { forOthers, withoutReason } from './work-words.js';

/** What is wanted of the audit; left out: all. */
export interface AuditWanted {
  readonly account?: string | undefined;
  /** full name, or short name */
  readonly instance?: string | undefined;
  /** milliseconds since 1970 */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** rows below this number */
  readonly before?: number | undefined;
  readonly most: number;
}

export interface AuditPage {
  readonly rows: readonly AuditRow[];
  /** where to go on; undefined where nothing is left */
  readonly before: number | undefined;
}

export interface AuditViewParts {
  readonly registry: Registry;
  /** Rows below a number, newest first; left out where there is no audit to read. */
  rows?(before: number | undefined, most: number): Promise<readonly AuditRow[]>;
}

const READ: Permission = { word: 'audit', right: 'read' };

/**
 * The audit as an account may see it: what it has done itself, and what was done to instances that it may
 * read. Who else did it, from where, and what work beyond power says of other things is for those who may do everything
 * on that provider, as with events; what was done to no machine is shown to those alone who may do everything everywhere. Of an instance that is gone nobody can say whose it would be: it is shown to whoever may read all that its
 * provider has.
 */
export class AuditView {
  readonly #parts: AuditViewParts;

  constructor(parts: AuditViewParts) {
    this.#parts = parts;
  }

  /** @throws ArgoError AUDIT UNAVAILABLE, NOT SUPPORTED */
  async page(mandate: Mandate, wanted: AuditWanted): Promise<AuditPage> {
    const found: AuditRow[] = [];
    const slices = new Slices();
    let { before } = wanted;
    for (let looked = 0; looked < AUDIT_LOOKED_AT; looked += AUDIT_PAGE) {
      const rows = await this.#rows(before);
      for (const row of rows) {
        if (slices.isOver()) await slices.pause();
        before = row.id;
        const shown = this.#shown(mandate, row);
        if (shown !== undefined && isWanted(shown, wanted)) found.push(shown);
        if (found.length === wanted.most) return { rows: found, before };
      }
      if (rows.length < AUDIT_PAGE) return { rows: found, before: undefined };
    }
    return { rows: found, before };
  }

  async #rows(before: number | undefined): Promise<readonly AuditRow[]> {
    const { rows } = this.#parts;
    if (rows === undefined) throw new ArgoError('NOT SUPPORTED', 'there is no audit to show');
    try {
      return await rows(before, AUDIT_PAGE);
    } catch (error) {
      throw new ArgoError('AUDIT UNAVAILABLE', 'it cannot be read', { cause: error });
    }
  }

  #shown({ identity: { name, principal } }: Mandate, row: AuditRow): AuditRow | undefined {
    const provider = providerOf(row.instance);
    if (isOwn(name, row.account)) return principal.coversProvider(provider) ? row : withoutReason(row);
    // what is done to no machine names files and the like, of which a right to read machines says nothing
    if (row.instance === NO_INSTANCE) return principal.allowsProvider(provider, EVERYTHING) ? row : undefined;
    if (!this.#mayRead(principal, provider, row.instance)) return undefined;
    return principal.allowsProvider(provider, EVERYTHING) ? row : { ...forOthers(row), account: '-', from: '-' };
  }

  #mayRead(principal: Principal, provider: string, fullName: string): boolean {
    if (principal.allowsProvider(provider, READ)) return true;
    // of a provider as a whole, which may have the name of an instance
    if (provider === fullName) return false;
    const found = this.#parts.registry.find(fullName);
    return found.length > 0 && found.every((instance) => principal.allows(instance, READ));
  }
}

function isWanted({ account, instance, at }: AuditRow, wanted: AuditWanted): boolean {
  if (wanted.account !== undefined && !isOwn(wanted.account, account)) return false;
  if (wanted.instance !== undefined && instance !== wanted.instance && instance.slice(instance.indexOf('/') + 1) !== wanted.instance) return false;
  const time = Date.parse(at);
  return !(time < (wanted.since ?? -Infinity) || time > (wanted.until ?? Infinity));
}
