import { API_BODY_DEPTH } from '../../kit/api-limits.js';
import { ArgoError } from '../../kit/errors.js';

/** What was sent, behind a blank, where it can be a word: what is longer may be a token in the wrong place. */
export const quotable = (word: string): string => (/^\w[\w-]{0,30}$/.test(word) ? ` "${word}"` : '');

/**
 * Refuses keys that every object has of itself, which no schema would miss, and what is nested so deeply that
 * walking through it could use up the stack. @throws ArgoError BAD REQUEST
 */
export function checkKeys(body: unknown): void {
  let level: unknown[] = [body];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > API_BODY_DEPTH) throw new ArgoError('BAD REQUEST', 'the body is nested too deeply');
    const inner: unknown[] = [];
    for (const one of level) {
      if (typeof one !== 'object' || one === null) continue;
      for (const [key, value] of Object.entries(one)) {
        if (key in Object.prototype) throw new ArgoError('BAD REQUEST', `unknown key${quotable(key)}`);
        inner.push(value);
      }
    }
    level = inner;
  }
}
