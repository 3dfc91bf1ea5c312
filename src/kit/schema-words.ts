import type * as v from 'valibot';

/** The schema library's own wording: it repeats what was sent, which may be a secret in the wrong place. */
const LIBRARY = /^Invalid [\w ]+: Expected /;

/**
 * What is wrong with something that was sent, in our own words; where in it that is stands elsewhere.
 * @param unknown what is said of a key that does not exist
 */
export function issueWords({ type, expected, received, message }: v.BaseIssue<unknown>, unknown = 'there is no such key'): string {
  if (type === 'object' || type === 'strict_object') {
    if (expected === 'never') return unknown;
    return received === 'undefined' ? 'is missing' : 'an object is expected';
  }
  return LIBRARY.test(message) ? 'is not what is expected here' : message;
}
