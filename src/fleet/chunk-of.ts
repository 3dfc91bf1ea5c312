const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * In which value of a provider's inventory a machine is: FNV-1a of its id's UTF-16 units (http://www.isthe.com/chongo/tech/comp/fnv/),
 * whose lowest bits count. So where the values become twice as many, those of one are spread over two.
 * @param chunks how many values there are: a power of two
 */
export function chunkOf(id: string, chunks: number): number {
  let hash = FNV_OFFSET;
  for (let at = 0; at < id.length; at += 1) hash = Math.imul(hash ^ id.charCodeAt(at), FNV_PRIME);
  // the lowest bits of what differs in its last characters alone are alike
  return (hash ^ (hash >>> 15)) & (chunks - 1);
}
