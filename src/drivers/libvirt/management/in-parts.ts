/** Calls that wait on a connection at a time: it refuses them from a certain number on. */
const AT_A_TIME = 500;

/** Does work for each of many, in their order, not all of it at once. */
export async function inParts<One, Result>(all: readonly One[], work: (one: One) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (let at = 0; at < all.length; at += AT_A_TIME) results.push(...await Promise.all(all.slice(at, at + AT_A_TIME).map(work)));
  return results;
}
