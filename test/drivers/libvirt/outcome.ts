import type { Phrase } from '../../../src/errors.js';

/** What became of a promise, in a form that a test can compare. */
export async function outcome(promise: Promise<unknown>): Promise<{ phrase?: Phrase; detail?: string; error?: unknown; value?: unknown }> {
  try {
    return { value: await promise };
  } catch (error) {
    const { phrase, detail } = error as { phrase?: Phrase; detail?: string };
    return phrase === undefined ? { error } : { phrase, detail: detail ?? '' };
  }
}
