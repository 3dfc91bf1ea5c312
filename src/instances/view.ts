import { setImmediate as nextTurn } from 'node:timers/promises';
import { ArgoError } from '../kit/errors.js';
import { ENTRIES_REMEMBERED, NAMES_A_TURN } from '../kit/limits.js';
import { isPattern, PatternError, resolvePatterns, type Groups, type InstancePattern } from '../kit/patterns.js';
import type { Instance } from './instance.js';
import type { Principal } from './principal.js';
import type { Owner } from './owner.js';
import type { Registry } from './registry.js';

/** A name as it was typed. Quoted ones are taken literally. */
export interface TypedName {
  readonly text: string;
  readonly quoted: boolean;
}

/** What a request selects. */
export interface Selection {
  readonly instances: readonly Instance[];
  /** one plain name: the reply then has no line a target */
  readonly isSingle: boolean;
}

/** An instance and the name by which it is shown. */
export interface Entry {
  readonly name: string;
  readonly instance: Instance;
}

const NOTHING_STALE: readonly string[] = [];

interface Remembered {
  readonly registry: Registry;
  readonly version: number;
  readonly entries: readonly Entry[];
}

/** A principal is made anew by every reload, so nothing outlives its configuration. */
const remembered = new WeakMap<Principal, Remembered>();

/** The instances as one principal sees them: what it may not see is not there. */
export class View {
  readonly #registry: Registry;
  readonly #principal: Principal;

  constructor(registry: Registry, principal: Principal) {
    this.#registry = registry;
    this.#principal = principal;
  }

  /**
   * The visible instances with the names by which they are shown, in the order of the configuration.
   * A list that is short is remembered until the registry changes: it is what scripts ask for all day.
   */
  entries(): Iterable<Entry> {
    if (this.#registry.size > ENTRIES_REMEMBERED) return this.#visible();
    const known = remembered.get(this.#principal);
    if (known?.registry === this.#registry && known.version === this.#registry.version) return known.entries;
    const entries = [...this.#visible()];
    remembered.set(this.#principal, { registry: this.#registry, version: this.#registry.version, entries });
    return entries;
  }

  *#visible(): Generator<Entry> {
    for (const instance of this.#registry.all()) {
      if (this.#principal.sees(instance)) yield { name: this.display(instance), instance };
    }
  }

  /** The short name where that is unique among what is visible, else the full name. */
  display(instance: Instance): string {
    if (!instance.sharesName) return this.#isFullName(instance.name) ? instance.fullName : instance.name;
    const others = this.#registry.sharing(instance.name).filter((other) => this.#principal.sees(other));
    return others.length > 1 ? instance.fullName : instance.name;
  }

  /** Whether a short name with `/` in it reads as the full name of something else that is visible. */
  #isFullName(name: string): boolean {
    return name.includes('/') && this.#registry.find(name).some((other) => other.fullName === name && this.#principal.sees(other));
  }

  /** Why some of what is visible may be out of date: `kvm1 (reason)`; empty while all is current. */
  staleness(): readonly string[] {
    const registry = this.#registry;
    if (registry.providers().every((provider) => provider.staleReason === undefined)) return NOTHING_STALE;
    return registry.providers()
      .filter((provider) => provider.staleReason !== undefined && this.#mayHold(provider))
      .map((provider) => `${provider.name} (${provider.staleReason})`);
  }

  /**
   * The instances that names, globs, ranges and groups select, each once.
   * @throws ArgoError
   */
  async select(names: readonly TypedName[], groups: Groups): Promise<Selection> {
    const selected = new Set<Instance>();
    const patterns: InstancePattern[] = [];
    for (const { text, quoted } of names) {
      if (!quoted && (text.startsWith('@') || isPattern(text))) patterns.push(...parsePatterns(text, groups));
      else selected.add(this.#named(text));
    }
    const isSingle = names.length === 1 && selected.size === 1;
    if (!isSingle) await this.#addMatching(patterns, selected);
    if (selected.size === 0) throw new ArgoError('NO MATCH');
    return { instances: [...selected], isSingle };
  }

  /** Whether something of the provider is visible, or may be once it answers. */
  #mayHold(provider: Owner): boolean {
    if (!provider.listed) return this.#principal.reaches(provider.name);
    return this.#registry.of(provider).some((instance) => this.#principal.sees(instance));
  }

  /** The instance of exactly this name. @throws ArgoError */
  #named(name: string): Instance {
    const found = this.#registry.find(name).filter((instance) => this.#principal.sees(instance));
    const [first, second] = found;
    if (first?.fullName === name) return first;
    if (second) throw new ArgoError('AMBIGUOUS', found.map(({ fullName }) => fullName).join(', '));
    if (first) return first;
    if (!this.#principal.coversName(name)) throw new ArgoError('NOT ALLOWED');
    throw this.#missing(name);
  }

  /** A name that may belong to a provider that has not answered yet is not said to be wrong. */
  #missing(name: string): ArgoError {
    const silent = this.#registry.providers().filter((provider) => !provider.listed && this.#principal.reaches(provider.name));
    const owner = silent.find((provider) => name.startsWith(`${provider.name}/`));
    if (owner) return new ArgoError('UNREACHABLE', `${owner.name} has not answered yet: ${owner.staleReason}`);
    const doubt = silent.length > 0 ? ` (${silent.map((provider) => provider.name).join(', ')} has not answered yet)` : '';
    return new ArgoError('NO SUCH INSTANCE', name + doubt);
  }

  async #addMatching(patterns: readonly InstancePattern[], selected: Set<Instance>): Promise<void> {
    if (patterns.length === 0) return;
    let looked = 0;
    for (const instance of [...this.#registry.all()]) {
      looked += patterns.length;
      if (looked >= NAMES_A_TURN) {
        looked = 0;
        await nextTurn();
      }
      if (this.#principal.sees(instance) && patterns.some((pattern) => pattern.matches(instance))) selected.add(instance);
    }
  }
}

function parsePatterns(word: string, groups: Groups): InstancePattern[] {
  try {
    return resolvePatterns([word], groups);
  } catch (error) {
    if (error instanceof PatternError) throw new ArgoError('BAD REQUEST', error.message);
    throw error;
  }
}
