/** Hosts whose questions are begun in one go before others get their turn: some milliseconds of work. */
const PORTION = 100;

/**
 * Does something for each of many hosts at the same time, without keeping everyone else waiting while
 * it is begun.
 * @returns the results in the order of the items
 * @throws what any of them throws; the others go on
 */
export async function inPortions<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Promise<Result[]>[] = [];
  for (let start = 0; start < items.length; start += PORTION) {
    if (start > 0) await new Promise((resolve) => { setImmediate(resolve); });
    const portion = Promise.all(items.slice(start, start + PORTION).map(work));
    // Its failure is told below, perhaps only after other portions have been begun.
    portion.catch(() => undefined);
    results.push(portion);
  }
  return (await Promise.all(results)).flat();
}
