/** Numbers that look random and are the same in every run, so that a failure can be repeated. */
export interface SeededRandom {
  /** a whole number from 0 to below the limit */
  below(limit: number): number;
  bytes(length: number): Uint8Array;
}

/** Marsaglia's xorshift generator with 32 bits of state (Journal of Statistical Software 8/14, 2003). */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  const below = (limit: number): number => next() % limit;
  return { below, bytes: (length) => Uint8Array.from({ length }, () => below(256)) };
}
