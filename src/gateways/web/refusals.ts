import { toArgoError } from '../../kit/errors.js';
import { HttpError } from '../../listening/http.js';
import type { Failure } from './messages.js';

/** What is said in several places of the gateway where something is not done. */

export const nothingHere = (): HttpError => new HttpError(404, 'there is nothing here');

/** @param allowed the methods by which it can be asked for */
export const wrongMethod = (...allowed: readonly string[]): HttpError => new HttpError(405, 'not by this method', { allow: allowed.join(', ') });

/** An error as clients are told of it. */
export function failureFor(thrown: unknown): Failure {
  const { phrase, detail } = toArgoError(thrown);
  return { error: phrase, detail };
}
