import { setTimeout as sleep } from 'node:timers/promises';

/** How often a condition is looked at, ms: short against what tests wait for, cheap on two cores. */
const LOOK_EVERY_MS = 20;

/**
 * Waits until a condition holds; the one way in which tests wait for something that sends no event.
 * @param what named in the error
 * @throws Error after withinMs
 */
export async function until(holds: () => boolean | Promise<boolean>, withinMs: number, what: string): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited ${withinMs} ms in vain for ${what}`);
    await sleep(LOOK_EVERY_MS);
  }
}
