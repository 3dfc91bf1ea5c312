import { API_BODY_DEPTH } from '../../kit/api-limits.js';
import { ArgoError } from '../../kit/errors.js';

/** What was sent, behind a blank, where it can be a word: what is longer may be a token in the wrong place. */
export const quotable = (word: string): string => (/^\w[\w-]{0,30}$/.test(word) ? ` "${word}"` : '');

/**
 * Refuses keys that every object has of itself, which no schema would miss, and what is nested so deeply that
 * walking through it could use up the stack. @throws ArgoError BAD REQUEST
 */
export function checkKeys(body: unknown): void {
  let level: readonly object[] = isNested(body) ? [body] : [];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth >= API_BODY_DEPTH) throw new ArgoError('BAD REQUEST', 'the body is nested too deeply');
    const inner: object[] = [];
    for (const one of level) {
      // the keys of a list are its numbers
      const values: readonly unknown[] = Array.isArray(one) ? one : valuesOf(one);
      for (const value of values) if (isNested(value)) inner.push(value);
    }
    level = inner;
  }
}

const isNested = (value: unknown): value is object => typeof value === 'object' && value !== null;

function valuesOf(one: object): unknown[] {
  for (const key of Object.keys(one)) if (key in Object.prototype) throw new ArgoError('BAD REQUEST', `unknown key${quotable(key)}`);
  return Object.values(one);
}
