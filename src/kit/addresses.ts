import { isIPv4 } from 'node:net';

/** Addresses as sockets show them. */

/** An IPv4 address that a socket of both families shows as `::ffff:1.2.3.4`, in its own form. */
export const plainAddress = (address: string): string => (address.startsWith('::ffff:') && isIPv4(address.slice(7)) ? address.slice(7) : address);

/** Whether it is this machine itself, so that nobody can listen in or forward. */
export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false;
  const plain = plainAddress(address);
  return plain === '::1' || (isIPv4(plain) && plain.startsWith('127.'));
}
