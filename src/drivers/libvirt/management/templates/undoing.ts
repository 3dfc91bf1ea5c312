import { ArgoError } from '../../../../kit/errors.js';

/** Milliseconds for a step that is not given up half way when a task is told to end. */
export const STEP = 30_000;

/** Whether nobody knows if something was done: then nothing must be taken away that may be in use. */
export const isUncertain = (error: unknown): boolean => error instanceof ArgoError && error.phrase === 'UNCERTAIN';
