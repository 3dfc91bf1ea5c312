import { ArgoError } from '../../kit/errors.js';

/** What whoever waits for an order is told where the gateway ends before that: it was begun, and goes on without the gateway. */
export const endsEarly = (): ArgoError => new ArgoError('UNCERTAIN', 'the gateway ended before it was verified');
