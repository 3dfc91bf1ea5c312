import { toArgoError } from '../../kit/errors.js';

/** How WebSockets end (RFC 6455, 7.4.1; 1013 is of IANA's registry). */
export const Close = { NORMAL: 1000, GOING_AWAY: 1001, NOT_TAKEN: 1003, POLICY: 1008, FAILED: 1011, TRY_AGAIN_LATER: 1013 } as const;

/** Bytes of a reason that a closing frame takes. */
const MOST_REASON = 123;

/** The code and the reason by which a browser is told why something has ended; null: it came to its end. */
export function closeFor(thrown: unknown): readonly [code: number, reason: string] {
  if (thrown === null) return [Close.NORMAL, ''];
  const { phrase, message } = toArgoError(thrown);
  const code = phrase === 'SHUTTING DOWN' ? Close.GOING_AWAY
    : phrase === 'NOT ALLOWED' || phrase === 'NOT AUTHENTICATED' || phrase === 'TIMEOUT' || phrase === 'BAD REQUEST' ? Close.POLICY : Close.FAILED;
  return [code, Buffer.from(message).subarray(0, MOST_REASON).toString('utf8').replace(/\uFFFD+$/, '')];
}
