import { MQTT_MACHINES } from '../kit/mqtt-limits.js';
import type { Listed } from './gate.js';
import { type Machine, splitName } from './machine.js';
import type { Standing } from './providers.js';
import type { Topics } from './topics.js';

/** What is known of a machine's state. */
interface Seen {
  readonly state: string;
  readonly since: string | undefined;
}

/** What a reconciliation has come to. */
export interface Reconciled {
  /** new, or another name than before; and what is stale now, or is no longer */
  readonly changed: readonly Machine[];
  /** not there any more */
  readonly gone: readonly Machine[];
  /** by which names nobody is found any more */
  readonly namesGone: readonly { readonly provider: string; readonly name: string }[];
  /** names of the list of which `watch` has said nothing */
  readonly unheard: readonly string[];
  /** more than may be brought to a broker */
  readonly leftOut: number;
}

/**
 * The machines, put together of what `watch` tells (full names and states, at once) and what `list` tells (which id a
 * name has, and who does not answer). A machine is known by its id, so that one with another name is still the same.
 */
export class Roster {
  readonly #topics: Topics;
  #states = new Map<string, Seen>();
  /** while the states are told anew */
  #coming: Map<string, Seen> | undefined;
  #hasBeenTold = false;
  readonly #machines = new Map<string, Machine>();
  readonly #byName = new Map<string, Machine>();

  constructor(topics: Topics) {
    this.#topics = topics;
  }

  get machines(): Iterable<Machine> {
    return this.#machines.values();
  }

  /** The machine of a device. */
  withDevice(device: string): Machine | undefined {
    return this.#machines.get(device);
  }

  /** Whether a machine is still there. */
  has(machine: Machine): boolean {
    return this.#machines.get(machine.device) === machine;
  }

  /** Whether all states have been told. */
  get isWhole(): boolean {
    return this.#hasBeenTold && this.#coming === undefined;
  }

  /** All states are told from here on, up to {@link synced}. */
  begin(): void {
    this.#coming = new Map();
  }

  /** @param since when it became so; undefined: it is only told @returns the machine whose state it is, where that is known already */
  see(fullName: string, state: string, since?: string): Machine | undefined {
    const before = this.#states.get(fullName);
    const seen = { state, since: since ?? (before?.state === state ? before.since : undefined) };
    (this.#coming ?? this.#states).set(fullName, seen);
    const machine = this.#byName.get(fullName);
    if (machine !== undefined) Object.assign(machine, seen);
    return machine;
  }

  synced(): void {
    this.#hasBeenTold = true;
    this.#states = this.#coming ?? this.#states;
    this.#coming = undefined;
  }

  /** What is known of a machine that has gone, or has another name now, is not known any more. */
  forget(fullName: string): Machine | undefined {
    (this.#coming ?? this.#states).delete(fullName);
    const machine = this.#byName.get(fullName);
    if (machine !== undefined) machine.isStale = true;
    return machine;
  }

  /** Ids by full names, of what is in a list and has a state. */
  #idsOf({ names }: Listed): { ids: Map<string, string>; unheard: string[] } {
    const ids = new Map<string, string>();
    const unheard: string[] = [];
    for (const { name, id } of names) {
      if (this.#states.has(name)) ids.set(name, id);
      else unheard.push(name);
    }
    return { ids, unheard };
  }

  /** Brings the machines up to what a list says. */
  reconcile(listed: Listed, standingOf: (provider: string) => Standing): Reconciled {
    const { ids, unheard } = this.#idsOf(listed);
    const before = new Map([...this.#machines.values()].map((machine) => [machine, { ...machine }]));
    const there = new Set<Machine>();
    this.#byName.clear();
    let leftOut = 0;
    for (const [fullName, id] of ids) {
      const machine = this.#take(fullName, id);
      if (machine === undefined) leftOut += 1;
      else there.add(machine);
    }
    const gone: Machine[] = [];
    for (const machine of [...this.#machines.values()]) {
      const standing = standingOf(machine.provider);
      const isThere = there.has(machine);
      // what a provider tells of a machine is so, whatever it says of others; where nobody knows whether it tells, it stays as it was
      if (standing !== 'unsure' || !isThere) machine.isStale = standing === 'silent' || !isThere;
      // one whose provider does not answer, such as after a start, or does not know all, may be there all the same; not by a name that another has now
      if (isThere || (standing !== 'current' && !this.#byName.has(machine.fullName))) continue;
      gone.push(machine);
      this.#machines.delete(machine.device);
    }
    const now = [...this.#machines.values()];
    const names = new Set(now.map(({ fullName }) => fullName));
    return {
      changed: now.filter((machine) => isOther(before.get(machine), machine)), gone, unheard, leftOut,
      namesGone: [...before.values()].filter(({ fullName }) => !names.has(fullName)).map(({ provider, name }) => ({ provider, name })),
    };
  }

  /** @returns undefined where there are too many */
  #take(fullName: string, id: string): Machine | undefined {
    const { provider, name } = splitName(fullName);
    const device = this.#topics.device(provider, id);
    const { state, since } = this.#states.get(fullName)!;
    let machine = this.#machines.get(device);
    if (machine === undefined) {
      if (this.#machines.size >= MQTT_MACHINES) return undefined;
      machine = { provider, id, device, fullName, name, state, since, isStale: true, may: undefined };
      this.#machines.set(device, machine);
    }
    Object.assign(machine, { fullName, name, state, since });
    this.#byName.set(fullName, machine);
    return machine;
  }
}

function isOther(before: Machine | undefined, now: Machine): boolean {
  return before === undefined || before.fullName !== now.fullName || before.state !== now.state || before.isStale !== now.isStale;
}
