import type { TargetRecord } from './run-record.js';

interface Lane {
  readonly waiting: readonly TargetRecord[];
  next: number;
  underWay: number;
}

/**
 * The targets of a stage that wait. Whichever provider has fewest under way is next, so that one that hangs keeps
 * no more than its part of the places; of those alike, what was selected first.
 */
export class FairQueue {
  readonly #lanes: ReadonlyMap<string, Lane>;
  #size: number;

  constructor(targets: readonly TargetRecord[]) {
    const lists = new Map<string, TargetRecord[]>();
    for (const target of targets) {
      const list = lists.get(target.ref.provider);
      if (list === undefined) lists.set(target.ref.provider, [target]);
      else list.push(target);
    }
    this.#lanes = new Map([...lists].map(([provider, waiting]) => [provider, { waiting, next: 0, underWay: 0 }]));
    this.#size = targets.length;
  }

  /** Those that wait. */
  get size(): number {
    return this.#size;
  }

  next(): TargetRecord | undefined {
    let best: Lane | undefined;
    for (const lane of this.#lanes.values()) {
      if (lane.next < lane.waiting.length && (best === undefined || isBefore(lane, best))) best = lane;
    }
    if (best === undefined) return undefined;
    best.underWay += 1;
    this.#size -= 1;
    return best.waiting[best.next++];
  }

  /** What {@link next} gave is under way no longer. */
  ended({ ref }: TargetRecord): void {
    this.#lanes.get(ref.provider)!.underWay -= 1;
  }
}

const isBefore = (one: Lane, other: Lane): boolean =>
  one.underWay < other.underWay || (one.underWay === other.underWay && one.waiting[one.next]!.index < other.waiting[other.next]!.index);
