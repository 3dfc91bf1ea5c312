import { ArgoError } from '../../kit/errors.js';
import { StateError } from '../../store/state.js';

/** Writes down what has to be on the disk before anything is done. @throws ArgoError AUDIT UNAVAILABLE where it cannot be; what else the work throws */
export const beforehand = <T>(writing: Promise<T>): Promise<T> =>
  writing.catch((error: unknown) => {
    throw error instanceof StateError ? new ArgoError('AUDIT UNAVAILABLE', 'nothing was done', { cause: error }) : error;
  });
