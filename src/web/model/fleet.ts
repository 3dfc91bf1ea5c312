import type { MachineType, PowerState } from '../../drivers/driver.js';
import type { ProviderRow, View } from '../../gateways/web/messages.js';

/** All machines that one may see: the columns of the view, of which state and since change as the feed tells. */

export interface Machine {
  /** its position in the view */
  readonly at: number;
  /** the same for as long as the machine is there, whatever its position is */
  readonly key: string;
  readonly name: string;
  readonly provider: ProviderRow;
  readonly type: MachineType;
  readonly state: PowerState;
  /** ms since 1970 */
  readonly since: number;
  readonly capabilities: readonly string[];
  readonly permissions: readonly string[];
}

/** States in which somebody should look. */
export const TROUBLE: readonly PowerState[] = ['crashed', 'unknown'];

export class Fleet {
  readonly size: number;
  readonly keys: readonly string[];
  readonly names: readonly string[];
  readonly states: readonly PowerState[];
  /** what words without a sign are looked for in */
  readonly texts: readonly string[];
  /** of each machine, names of its groups */
  readonly groupsOf: readonly (readonly string[])[];
  readonly state: number[];
  readonly since: number[];
  providers: readonly ProviderRow[];
  readonly #view: View;
  /** names within their providers, for patterns */
  readonly #shortNames: readonly string[];
  readonly #positions: ReadonlyMap<string, number>;

  constructor(view: View) {
    const { name, provider, id, type, state, since } = view.columns;
    this.#view = view;
    this.size = name.length;
    this.names = name;
    this.states = view.states;
    this.providers = view.providers;
    this.state = [...state];
    this.since = [...since];
    this.keys = id.map((one, at) => `${view.providers[provider[at]!]!.name}/#${one}`);
    this.#positions = new Map(this.keys.map((key, at) => [key, at]));
    this.texts = name.map((one, at) => {
      const { name: of } = view.providers[provider[at]!]!;
      return `${one.startsWith(`${of}/`) ? one : `${of}/${one}`} ${view.types[type[at]!]!}`.toLowerCase();
    });
    this.#shortNames = name.map((one, at) => {
      const { name: of } = view.providers[provider[at]!]!;
      return one.startsWith(`${of}/`) ? one.slice(of.length + 1) : one;
    });
    const groups: string[][] = name.map(() => []);
    for (const group of view.groups) for (const member of group.members) groups[member]?.push(group.name);
    this.groupsOf = groups;
  }

  get groups(): View['groups'] {
    return this.#view.groups;
  }

  machine(at: number): Machine {
    const { columns, types, capabilities, permissions } = this.#view;
    return {
      at,
      key: this.keys[at]!,
      name: this.names[at]!,
      provider: this.providerOf(at),
      type: types[columns.type[at]!]!,
      state: this.stateOf(at),
      since: this.since[at]!,
      capabilities: capabilities[columns.capabilities[at]!]!,
      permissions: permissions[columns.permissions[at]!]!,
    };
  }

  stateOf(at: number): PowerState {
    return this.states[this.state[at]!]!;
  }

  typeOf(at: number): MachineType {
    return this.#view.types[this.#view.columns.type[at]!]!;
  }

  providerOf(at: number): ProviderRow {
    return this.providers[this.#view.columns.provider[at]!]!;
  }

  idOf(at: number): string {
    return this.#view.columns.id[at]!;
  }

  /** The name within its provider, for patterns. */
  shortName(at: number): string {
    return this.#shortNames[at]!;
  }

  /** Where a machine is now; undefined where it is gone. */
  position(key: string): number | undefined {
    return this.#positions.get(key);
  }

  /** Where the machine of a full or shown name is, undefined where there is none. */
  named(name: string): number | undefined {
    const at = this.names.indexOf(name);
    if (at !== -1) return at;
    const found = this.names.findIndex((_, one) => `${this.providerOf(one).name}/${this.shortName(one)}` === name);
    return found === -1 ? undefined : found;
  }

  apply(rows: readonly (readonly [number, number, number])[]): void {
    for (const [at, state, since] of rows) {
      if (at < 0 || at >= this.size) continue;
      this.state[at] = state;
      this.since[at] = since;
    }
  }

  /** Those that come in the order of the view: the feed names them by it. */
  setProviders(providers: readonly ProviderRow[]): void {
    const news = new Map(providers.map((one) => [one.name, one]));
    this.providers = this.providers.map((one) => news.get(one.name) ?? one);
  }

  /** Whether an action is something that the machine can do and the account may. */
  offers(at: number, action: string): boolean {
    const { columns, capabilities, permissions } = this.#view;
    return permissions[columns.permissions[at]!]!.includes(action) && capabilities[columns.capabilities[at]!]!.includes(action);
  }

  counts(): Counts {
    const states = new Map<PowerState, number>();
    const providers = new Map<string, number>();
    for (let at = 0; at < this.size; at += 1) {
      const state = this.stateOf(at);
      states.set(state, (states.get(state) ?? 0) + 1);
      const { name } = this.providerOf(at);
      providers.set(name, (providers.get(name) ?? 0) + 1);
    }
    return { states, providers, trouble: TROUBLE.reduce((sum, state) => sum + (states.get(state) ?? 0), 0) };
  }
}

export interface Counts {
  readonly states: ReadonlyMap<PowerState, number>;
  readonly providers: ReadonlyMap<string, number>;
  readonly trouble: number;
}
