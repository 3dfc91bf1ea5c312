import { ArgoError } from '../kit/errors.js';

/** A key is to be hard to meet by chance, and no way to fill the disk. */
const ONCE = /^[\w.:-]{8,128}$/;

/** A caller's key, with which something is begun once. @throws ArgoError BAD REQUEST */
export function checkOnce(once: string): string {
  if (typeof once !== 'string' || !ONCE.test(once)) throw new ArgoError('BAD REQUEST', 'once: 8 to 128 letters, digits and _ . : - are expected');
  return once;
}
