/**
 * Which of many is to be forgotten where there are too many: the oldest of whoever has the most. So nobody's are pushed out by
 * what others do, however much that is.
 * @param all oldest first
 * @param ownerOf undefined: this one stays
 * @param weightOf what one counts; left out: each the same
 * @returns its key; undefined where all stay
 */
export function oldestOfMost<K, T>(all: ReadonlyMap<K, T>, ownerOf: (one: T) => string | undefined, weightOf: (one: T) => number = () => 1): K | undefined {
  const owners = new Map<string, { readonly oldest: K; weight: number }>();
  for (const [key, one] of all) {
    const owner = ownerOf(one);
    if (owner === undefined) continue;
    const known = owners.get(owner);
    if (known) known.weight += weightOf(one);
    else owners.set(owner, { oldest: key, weight: weightOf(one) });
  }
  let most: { readonly oldest: K; readonly weight: number } | undefined;
  for (const one of owners.values()) if (most === undefined || one.weight > most.weight) most = one;
  return most?.oldest;
}
