import { ArgoError } from './errors.js';
import { FIRST_TURNS_IN_A_ROW } from './limits.js';
import { Link, LinkedList } from './linked-list.js';
import { givenLater } from './within.js';

/** What one group may take, on its level. What is left out has no limit. */
export interface GroupLimits {
  /** those of it that wait; further ones are refused at once */
  readonly waiting?: number;
  /** places from which on it is served only when no group beside it that has fewer waits */
  readonly share?: number;
  /** places that it may hold at a time, whoever waits or not */
  readonly held?: number;
}

export interface FairLimits {
  /** that can be held at a time */
  readonly places: number;
  /** those that wait in all, counted for those who go first and for the others apart */
  readonly waiting: number;
  /** for each level of the groups, the widest first */
  readonly groups?: readonly GroupLimits[];
}

interface Waiter {
  readonly enter: () => void;
  readonly refuse: (reason: Error) => void;
}

const busy = (): ArgoError => new ArgoError('BUSY', 'too many requests wait already');

/** The groups that a group is made of. */
class Groups {
  readonly byKey = new Map<string, Group>();
  /** those that can be served, in their order: who is within its share comes before the others */
  readonly within = new LinkedList<Group>();
  readonly beyond = new LinkedList<Group>();
  readonly #byWaiting = new Map<number, LinkedList<Group>>();
  #mostWaiting = 0;

  /** Whose turn it is. */
  get next(): Group | undefined {
    return this.within.first ?? this.beyond.first;
  }

  /** The one of which most wait. */
  get heaviest(): Group | undefined {
    return this.#byWaiting.get(this.#mostWaiting)?.first;
  }

  /** Notes how many of a group wait, which is one more or one less than before, or as many. */
  weigh(link: Link<Group>, waiting: number): void {
    const before = link.list;
    const now = waiting > 0 ? this.#listOf(waiting) : undefined;
    if (before === now) return;
    if (now) now.append(link);
    else link.leave();
    if (waiting > this.#mostWaiting) this.#mostWaiting = waiting;
    if (before?.size !== 0) return;
    const emptied = this.#byWaiting.get(waiting + 1) === before ? waiting + 1 : waiting - 1;
    this.#byWaiting.delete(emptied);
    if (emptied === this.#mostWaiting) this.#mostWaiting = waiting;
  }

  #listOf(waiting: number): LinkedList<Group> {
    let list = this.#byWaiting.get(waiting);
    if (list === undefined) this.#byWaiting.set(waiting, list = new LinkedList());
    return list;
  }
}

/**
 * Those who ask under one key: waiters where it is of the narrowest level, else groups. What only
 * those need who wait is made when somebody waits: most places are taken without.
 */
class Group {
  waiting = 0;
  held = 0;
  waiters: LinkedList<Waiter> | undefined;
  groups: Groups | undefined;
  #turn: Link<Group> | undefined;
  #weight: Link<Group> | undefined;

  constructor(readonly key: string, readonly parent: Group | undefined, readonly limits: GroupLimits) {}

  get isFull(): boolean {
    return this.held >= (this.limits.held ?? Infinity);
  }

  get isReady(): boolean {
    return this.waiting > 0 && !this.isFull && (this.waiters?.first !== undefined || this.groups?.next !== undefined);
  }

  /** Takes its place among its parent's groups anew, after its numbers or those within it have changed. */
  settle(): void {
    const beside = this.parent?.groups;
    if (beside === undefined) return;
    if (this.isReady) {
      const line = this.held < (this.limits.share ?? Infinity) ? beside.within : beside.beyond;
      this.#turn ??= new Link<Group>(this);
      if (this.#turn.list !== line) line.append(this.#turn);
    } else this.#turn?.leave();
    if (this.waiting > 0 || this.#weight) beside.weigh(this.#weight ??= new Link<Group>(this), this.waiting);
    if (this.waiting === 0 && this.held === 0) beside.byKey.delete(this.key);
  }

  /** Lets the others of its line go before it. */
  toEnd(): void {
    if (this.#turn) this.#turn.list?.append(this.#turn);
  }
}

/** The groups of those who go first, or of the others. */
class Line {
  readonly root = new Group('', undefined, {});
  readonly #levels: readonly GroupLimits[];
  readonly #mostWaiting: number;

  constructor({ waiting, groups = [] }: FairLimits) {
    this.#mostWaiting = waiting;
    this.#levels = groups;
  }

  get isReady(): boolean {
    return this.root.isReady;
  }

  /** Whether one more of these keys would be within what its groups may hold. */
  hasRoom(path: readonly string[]): boolean {
    let group: Group | undefined = this.root;
    for (const key of path) {
      group = group.groups?.byKey.get(key);
      if (group === undefined) return true;
      if (group.isFull) return false;
    }
    return true;
  }

  /**
   * Makes room for one more that waits. Where all room is taken, the last one of the heaviest group
   * has to go, if that leaves the groups more alike than before.
   * @throws ArgoError BUSY where it is the newcomer who would be too much
   */
  makeRoom(path: readonly string[]): void {
    let group: Group | undefined = this.root;
    for (const key of path) {
      group = group.groups?.byKey.get(key);
      if (group === undefined) break;
      if (group.waiting >= (group.limits.waiting ?? Infinity)) throw busy();
    }
    if (this.root.waiting < this.#mostWaiting) return;
    this.#heavierThan(path).waiters?.last?.refuse(busy());
  }

  /** @returns the group of these keys; it is made where there is none */
  groupOf(path: readonly string[]): Group {
    return path.reduce((parent, key, level) => {
      const { byKey } = parent.groups ??= new Groups();
      let group = byKey.get(key);
      if (group === undefined) byKey.set(key, group = new Group(key, parent, this.#levels[level] ?? {}));
      return group;
    }, this.root);
  }

  /** Takes the next one out of the line, in the order of the groups. */
  next(): Waiter {
    let group = this.root;
    for (let next = group.groups?.next; next !== undefined; next = group.groups?.next) {
      next.toEnd();
      group = next;
    }
    return group.waiters!.first!;
  }

  /** The group of the last level that has to give way to one more of these keys. */
  #heavierThan(path: readonly string[]): Group {
    let group = this.root;
    let isOurs = true;
    for (const key of path) {
      const heaviest = group.groups?.heaviest;
      const ours: Group | undefined = isOurs ? group.groups?.byKey.get(key) : undefined;
      if (heaviest === undefined) throw busy();
      isOurs &&= heaviest.waiting <= (ours?.waiting ?? 0) + 1;
      const next = isOurs ? ours : heaviest;
      if (next === undefined) throw busy();
      group = next;
    }
    if (isOurs) throw busy();
    return group;
  }
}

/** Counts something of a group and of all that it is part of. */
function count(group: Group, waiting: number, held: number): void {
  for (let each: Group | undefined = group; each; each = each.parent) {
    each.waiting += waiting;
    each.held += held;
    each.settle();
  }
}

/**
 * A number of places for which those who ask stand in groups. The groups are served in turn, one
 * each, so that nobody waits longer because another asks more often; within a group it is first come,
 * first served. Groups can be made of groups: of an account its machines, of a network its addresses.
 * Every call costs the same, however many wait.
 */
export class FairPlaces {
  #taken = 0;
  #firstInARow = 0;
  readonly #places: number;
  readonly #first: Line;
  readonly #others: Line;

  constructor(limits: FairLimits) {
    this.#places = limits.places;
    this.#first = new Line(limits);
    this.#others = new Line(limits);
  }

  /** How many wait. */
  get waiting(): number {
    return this.#first.root.waiting + this.#others.root.waiting;
  }

  /** How many places are held. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Takes a place.
   * @param path the keys of the groups, the widest first; always as many of them
   * @param isFirst to be served before the others, who get every fourth place all the same. What
   *   groups wait for and hold is counted for both kinds apart.
   * @returns gives the place back; calling it again does nothing
   * @throws ArgoError BUSY where too many wait, at once or when somebody of a lighter group comes; the
   *   signal's reason where it is aborted while waiting
   */
  async take(signal: AbortSignal, path: readonly string[], isFirst = false): Promise<() => void> {
    signal.throwIfAborted();
    const free = this.tryTake(path, isFirst);
    if (free) return free;
    return givenLater(signal, (give, refuse) => this.wait(path, isFirst, give, refuse));
  }

  /**
   * As {@link take} where waiting is needed, without a signal and a promise: for those of whom many wait.
   * @param enter is given what gives the place back
   * @param refuse is given BUSY when somebody of a lighter group comes
   * @returns leaves
   * @throws ArgoError BUSY where too many wait
   */
  wait(path: readonly string[], isFirst: boolean, enter: (free: () => void) => void, refuse: (reason: Error) => void): () => void {
    const line = isFirst ? this.#first : this.#others;
    line.makeRoom(path);
    const group = line.groupOf(path);
    const leave = (held: number): void => {
      if (link.list === undefined) return;
      link.leave();
      count(group, -1, held);
    };
    const link = new Link<Waiter>({
      enter: () => {
        leave(1);
        enter(this.#occupy(group));
      },
      refuse: (reason) => {
        leave(0);
        refuse(reason);
      },
    });
    (group.waiters ??= new LinkedList()).append(link);
    count(group, 1, 0);
    return () => leave(0);
  }

  /** As {@link take}, where no waiting is needed. @returns undefined where it is */
  tryTake(path: readonly string[], isFirst = false): (() => void) | undefined {
    const line = isFirst ? this.#first : this.#others;
    if (this.#taken >= this.#places || !line.hasRoom(path)) return undefined;
    const group = line.groupOf(path);
    count(group, 0, 1);
    return this.#occupy(group);
  }

  /** @param group that has counted it already */
  #occupy(group: Group): () => void {
    this.#taken += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#taken -= 1;
      count(group, 0, -1);
      this.#admit();
    };
  }

  #admit(): void {
    while (this.#taken < this.#places && (this.#first.isReady || this.#others.isReady)) this.#nextLine().next().enter();
  }

  #nextLine(): Line {
    if (!this.#others.isReady) return this.#first;
    const isFirst = this.#first.isReady && this.#firstInARow < FIRST_TURNS_IN_A_ROW;
    this.#firstInARow = isFirst ? this.#firstInARow + 1 : 0;
    return isFirst ? this.#first : this.#others;
  }
}
