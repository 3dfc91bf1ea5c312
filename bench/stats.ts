/** What several runs of one measurement came to. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** every run, in the order in which they were made */
  readonly runs: readonly number[];
}

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no median of nothing');
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] as number) + upper) / 2;
}

export function summarise(runs: readonly number[]): Summary {
  return { median: median(runs), min: Math.min(...runs), max: Math.max(...runs), runs };
}

/**
 * How many times as large ours is as the peer's: the median of the ratios of runs that were made one
 * after the other, so that a machine that is slow for a while slows both halves of a pair.
 */
export function pairedRatio(ours: readonly number[], peers: readonly number[]): number {
  if (ours.length !== peers.length) throw new RangeError('the runs do not pair up');
  return median(ours.map((value, i) => value / (peers[i] as number)));
}

/**
 * Runs the measurements in turn, `rounds` times over: a, b, a, b … Every other round goes backwards
 * (a b · b a · a b …), so that neither always runs in the other's wake.
 * @returns for each measurement its results, one a round
 */
export async function interleave<T>(rounds: number, measurements: readonly (() => Promise<T>)[]): Promise<T[][]> {
  const results: T[][] = measurements.map(() => []);
  for (let round = 0; round < rounds; round++) {
    const order = measurements.map((_, i) => i);
    if (round % 2 === 1) order.reverse();
    for (const i of order) {
      const measure = measurements[i];
      if (measure) results[i]?.push(await measure());
    }
  }
  return results;
}
