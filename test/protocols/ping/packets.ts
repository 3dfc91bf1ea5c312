import { addressBytes, familyOf, type Family } from '../../../src/protocols/ping/address.js';

/** Packets as a raw socket gives them: with the IP header for IPv4, without for IPv6. */

/** An IPv4 header without options, or with so many bytes of them. */
export function ipv4Header(source: string, destination: string, options = 0): Buffer {
  const header = Buffer.alloc(20 + options);
  header[0] = 0x40 | (header.length / 4);
  header[8] = 64;
  header[9] = 1;
  header.set(addressBytes(source), 12);
  header.set(addressBytes(destination), 16);
  return header;
}

function ipv6Header(source: string, destination: string): Buffer {
  const header = Buffer.alloc(40);
  header[0] = 0x60;
  header[6] = 58;
  header.set(addressBytes(source), 8);
  header.set(addressBytes(destination), 24);
  return header;
}

const US: Record<Family, string> = { 4: '192.0.2.1', 6: '2001:db8::1' };

const received = (family: Family, source: string, message: Uint8Array, options = 0): Buffer =>
  (family === 4 ? Buffer.concat([ipv4Header(source, US[4], options), message]) : Buffer.from(message));

/** The reply to an echo request. */
export function replyTo(request: Uint8Array, source: string, options = 0): Buffer {
  const message = Buffer.from(request);
  const family = familyOf(source);
  message[0] = family === 4 ? 0 : 129;
  return received(family, source, message, options);
}

/** An ICMP error about an echo request to a target. */
export function errorAbout(request: Uint8Array, target: string, source: string, [type, code]: readonly [number, number]): Buffer {
  const family = familyOf(target);
  const quoted = family === 4 ? ipv4Header(US[4], target) : ipv6Header(US[6], target);
  return received(family, source, Buffer.concat([Buffer.from([type, code, 0, 0, 0, 0, 0, 0]), quoted, request]));
}
