import { randomBytes } from 'node:crypto';

/** Keys of sessions in the form that OMS' clients know: hexadecimal digits. Theirs had 39, ours 40: 160 bits of chance. */

const BYTES = 20;
const SESSID = /^[0-9A-F]{40}$/i;

export const newSessid = (): string => randomBytes(BYTES).toString('hex').toUpperCase();

/** As it was made, where it can be one. */
export const readSessid = (text: unknown): string | undefined => (typeof text === 'string' && SESSID.test(text) ? text.toUpperCase() : undefined);

const SUBPROTOCOL = /^sessid\.([0-9A-F]{40})$/i;

/**
 * The key that a WebSocket shows: `?SESSID=…` as OMS' pages have it, or a subprotocol `sessid.…` beside `binary`, which no
 * proxy writes down.
 */
export function sessidOf(query: URLSearchParams, subprotocols = ''): string | undefined {
  const offered = subprotocols.split(',').map((one) => one.trim());
  const shown = offered.flatMap((one) => SUBPROTOCOL.exec(one)?.[1] ?? []);
  if (shown.length > 0) return shown.length === 1 && offered.includes('binary') ? readSessid(shown[0]) : undefined;
  return readSessid(query.get('SESSID'));
}
