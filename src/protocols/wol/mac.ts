/** MAC addresses and SecureOn passwords as people write them. */

const OCTETS = 6;
/** 52:54:00:aa:00:11, 52-54-0-AA-0-11, 5254.00aa.0011, 5254-00aa-0011, 525400:aa0011, 525400aa0011 */
const FORMS = [
  /^[\da-f]{1,2}(?:([:\-. ])[\da-f]{1,2})(?:\1[\da-f]{1,2}){4}$/i,
  /^[\da-f]{4}([:\-.])[\da-f]{4}\1[\da-f]{4}$/i,
  /^[\da-f]{6}[:\-.][\da-f]{6}$/i,
  /^[\da-f]{12}$/i,
];

/** A text that is no MAC address, or one that no network card has. */
export class MacError extends Error {}

/**
 * A MAC address in its usual spelling, `52:54:00:aa:00:11`.
 * @throws MacError
 */
export function parseMac(text: string): string {
  const digits = hexDigits(text.trim());
  if (digits === undefined) throw new MacError('not a MAC address; write it as "52:54:00:aa:00:11"');
  const octets = digits.match(/../g) ?? [];
  if (/^(?:0+|f+)$/.test(digits)) throw new MacError(`${octets.join(':')} is not the address of a network card`);
  // IEEE 802: the lowest bit of the first octet marks a group address.
  if (Number.parseInt(octets[0] ?? '', 16) & 1) throw new MacError(`${octets.join(':')} is the address of a group, not of one network card`);
  return octets.join(':');
}

/**
 * A SecureOn password: six octets spelt like a MAC address, or four spelt like an IPv4 address, as
 * etherwake(8) takes it.
 * @throws MacError that does not repeat it
 */
export function parseSecureOn(text: string): Uint8Array {
  const four = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text.trim())?.slice(1).map(Number);
  if (four?.every((octet) => octet <= 255)) return Uint8Array.from(four);
  const digits = hexDigits(text.trim());
  if (digits === undefined) throw new MacError('not a SecureOn password; write six octets as "01:23:45:67:89:ab", or four as "1.2.3.4"');
  return Buffer.from(digits, 'hex');
}

function hexDigits(text: string): string | undefined {
  if (!FORMS.some((form) => form.test(text))) return undefined;
  const parts = text.toLowerCase().split(/[:\-. ]/);
  return parts.length === OCTETS ? parts.map((part) => part.padStart(2, '0')).join('') : parts.join('');
}
