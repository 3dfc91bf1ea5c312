import { ArgoError } from '../kit/errors.js';
import { ENTRIES_REMEMBERED, LOOKUP_IS_CHEAPER, NAMES_SHOWN } from '../kit/limits.js';
import { InstancePatterns, isPattern, PatternError, resolvePatterns, type Groups, type InstancePattern, type TagTest } from '../kit/patterns.js';
import { Slices } from '../kit/slices.js';
import { inQuotes, typed } from '../kit/text.js';
import { infoOf, type InstanceInfo } from './info.js';
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
  /** why patterns may have missed some: `kvm1 (reason)` */
  readonly stale: readonly string[];
}

/** An instance and the name by which it is shown. */
export interface Entry {
  readonly name: string;
  readonly instance: Instance;
}

const NOTHING_STALE: readonly string[] = [];
/** What a stranger is told instead of a provider's name. */
const SOMETHING_STALE: readonly string[] = ['some names'];

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

  info(instance: Instance): InstanceInfo {
    return infoOf(instance, this.#principal);
  }

  /** The short name where that is unique among what is visible and reads as no full name; else the full name. */
  display(instance: Instance): string {
    const { name } = instance;
    if (name.includes('/')) return instance.fullName;
    return instance.sharesName && this.#seesAnother(instance) ? instance.fullName : name;
  }

  #seesAnother(instance: Instance): boolean {
    for (const other of this.#registry.sharing(instance.name)) if (other !== instance && this.#principal.sees(other)) return true;
    return false;
  }

  /**
   * Why some of what is visible may be out of date: `kvm1 (reason)`; empty while all is current.
   * @param among those whose instances matter; left out: all
   */
  staleness(among?: (provider: Owner) => boolean): readonly string[] {
    const stale = this.#registry.providers().filter((provider) => provider.staleReason !== undefined && (among === undefined || among(provider)));
    if (stale.length === 0) return NOTHING_STALE;
    const told = stale.map((provider) => this.#reported(provider)).filter((text) => text !== undefined);
    return told.length > 0 && this.#principal.name === '' ? SOMETHING_STALE : told;
  }

  /**
   * What may be told of a provider, beside its instances: its name and what is wrong with it to those
   * whose grants cover all of it; its name to those whom a grant names it, or who see something of it;
   * else nothing, as if there were no such provider.
   */
  #reported(provider: Owner): string | undefined {
    if (this.#principal.coversProvider(provider.name)) return `${provider.name} (${provider.staleReason})`;
    if (this.#principal.reaches(provider.name)) return provider.name;
    return this.#registry.of(provider).some((instance) => this.#principal.sees(instance)) ? provider.name : undefined;
  }

  /**
   * The instances that names, globs, ranges, groups and tags select, each once.
   * @param tags needed where a name is one of a tag
   * @throws ArgoError
   */
  async select(names: readonly TypedName[], groups: Groups, tags?: TagTest): Promise<Selection> {
    const named = new Set<Instance>();
    const patterns: InstancePattern[] = [];
    for (const { text, quoted } of names) {
      if (!quoted && (text.startsWith('@') || isPattern(text))) patterns.push(...parsePatterns(text, groups, tags));
      else named.add(this.#named(text));
    }
    const isSingle = names.length === 1 && named.size === 1;
    const instances = patterns.length > 0 ? await this.#withMatching(patterns, named) : [...named];
    const reached = ({ name }: Owner): boolean => patterns.some((pattern) => pattern.reaches(name));
    if (instances.length === 0) throw new ArgoError('NO MATCH', this.#doubt(this.#silent().filter(reached)));
    return { instances, isSingle, stale: patterns.length === 0 ? NOTHING_STALE : this.staleness(reached) };
  }

  /**
   * The same, of names that have one meaning alone. A machine may be called what stands for others, `db[1]` or `a b`: whoever sends
   * such a name as it is listed means that machine, and an order would be carried out on others. What covers everything, as
   * `*`, is no such name to anybody.
   * @throws ArgoError AMBIGUOUS
   */
  async selectClearly(names: readonly TypedName[], groups: Groups, tags?: TagTest): Promise<Selection> {
    const selection = await this.select(names, groups, tags);
    const bare = names.filter(({ quoted }) => !quoted).map(({ text }) => text);
    const whole = bare.length === names.length && bare.length > 1 ? bare.join(' ') : undefined;
    if (whole !== undefined) this.#refuseOthers(whole, selection.instances);
    for (const text of bare) {
      if (!text.startsWith('@') && (!isPattern(text) || /(?:^|\/)\*+$/.test(text))) continue;
      if (this.#called(text).length > 0) this.#refuseOthers(text, (await this.select([{ text, quoted: false }], groups, tags)).instances);
    }
    return selection;
  }

  /** @throws ArgoError AMBIGUOUS where a machine has this name, and others are meant */
  #refuseOthers(name: string, meant: readonly Instance[]): void {
    const called = this.#called(name);
    if (called.length > 0 && meant.some((instance) => !called.includes(instance)))
      throw new ArgoError('AMBIGUOUS', `${inQuotes(name)} is a machine, and without quotes it stands for others`);
  }

  #called(name: string): readonly Instance[] {
    return this.#registry.find(name).filter((instance) => this.#principal.sees(instance));
  }

  /** The instance of exactly this name. @throws ArgoError */
  #named(name: string): Instance {
    const found = this.#called(name);
    const [first, second] = found;
    if (second) throw new ArgoError('AMBIGUOUS', listed(found.map(({ fullName }) => typed(fullName))));
    if (first) return first;
    if (!this.#principal.coversName(name)) throw new ArgoError('NOT ALLOWED');
    throw this.#missing(name);
  }

  /** A name that may belong to a provider that has not answered yet is not said to be wrong. */
  #missing(name: string): ArgoError {
    const silent = this.#silent();
    const slash = name.indexOf('/');
    if (slash !== -1) {
      const owner = silent.find((provider) => provider.name === name.slice(0, slash));
      if (!owner) return new ArgoError('NO SUCH INSTANCE', name);
      const why = this.#principal.coversProvider(owner.name) ? `: ${owner.staleReason?.replace(/^UNREACHABLE: /, '')}` : '';
      return new ArgoError('UNREACHABLE', `${owner.name} has not answered yet${why}`);
    }
    const doubt = this.#doubt(silent);
    return new ArgoError('NO SUCH INSTANCE', doubt === undefined ? name : `${name} (${doubt})`);
  }

  /** The providers that have never listed, among those that it may know of. */
  #silent(): readonly Owner[] {
    return this.#registry.providers().filter((provider) => !provider.listed && this.#reported(provider) !== undefined);
  }

  /** What may be why nothing was found. A stranger is told no name. */
  #doubt(silent: readonly Owner[]): string | undefined {
    if (silent.length === 0 || this.#principal.name === '') return undefined;
    return `${listed(silent.map((provider) => provider.name))} ${silent.length > 1 ? 'have' : 'has'} not answered yet`;
  }

  /** Those that were named, and those that match. */
  #withMatching(patterns: readonly InstancePattern[], named: ReadonlySet<Instance>): Promise<Instance[]> {
    const names = patterns.reduce((sum, { count }) => sum + count, 0);
    if (names * LOOKUP_IS_CHEAPER < this.#registry.size) return this.#withLookedUp(patterns, named);
    return this.#withMatchingAmongAll(new InstancePatterns(patterns), named);
  }

  /** Where the patterns stand for few names: these are looked up. One may come twice. */
  async #withLookedUp(patterns: readonly InstancePattern[], named: ReadonlySet<Instance>): Promise<Instance[]> {
    const selected = new Set(named);
    const slices = new Slices();
    for (const pattern of patterns) {
      for (const name of pattern.names()) {
        if (slices.isOver()) await slices.pause();
        for (const instance of this.#registry.sharing(name)) {
          if (pattern.matches(instance) && this.#principal.sees(instance)) selected.add(instance);
        }
      }
    }
    return [...selected];
  }

  async #withMatchingAmongAll(patterns: InstancePatterns, named: ReadonlySet<Instance>): Promise<Instance[]> {
    const selected = [...named];
    const slices = new Slices();
    for (const provider of this.#registry.providers()) {
      if (!patterns.all.some((pattern) => pattern.reaches(provider.name))) continue;
      for (const instance of this.#registry.of(provider)) {
        if (slices.isOver()) await slices.pause();
        if (patterns.matches(instance) && !named.has(instance) && this.#principal.sees(instance)) selected.push(instance);
      }
    }
    return selected;
  }
}

/** Names in a reply, the first of them where there are many. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).join(', ');
  return names.length > NAMES_SHOWN ? `${shown} and ${names.length - NAMES_SHOWN} more` : shown;
}

function parsePatterns(word: string, groups: Groups, tags: TagTest | undefined): InstancePattern[] {
  try {
    return resolvePatterns([word], groups, tags);
  } catch (error) {
    if (error instanceof PatternError) throw new ArgoError('BAD REQUEST', error.message);
    throw error;
  }
}
