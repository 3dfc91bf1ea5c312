import type { Driver, Machine } from '../../src/drivers/driver.js';
import type { Phrase } from '../../src/kit/errors.js';

/** What tests of every driver do with it. */

/** Within what tests wait for one call. */
export const soon = (): AbortSignal => AbortSignal.timeout(60_000);

/** @throws Error when a listing has no machine of that name */
export async function findMachine(driver: Driver, name: string, signal = soon()): Promise<Machine> {
  const found = (await driver.list(signal)).find(({ machine }) => machine.name === name);
  if (!found) throw new Error(`no machine ${name}`);
  return found.machine;
}

/** What became of a promise, in a form that a test can compare. */
export async function outcome(promise: Promise<unknown> | undefined): Promise<{ phrase?: Phrase; detail?: string; error?: unknown; value?: unknown }> {
  try {
    return { value: await promise };
  } catch (error) {
    const { phrase, detail } = error as { phrase?: Phrase; detail?: string };
    return phrase === undefined ? { error } : { phrase, detail: detail ?? '' };
  }
}
