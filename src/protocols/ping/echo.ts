import { addressBytes, standsAt, type Family } from './address.js';

/** Echo requests and what may come back for them: RFC 792 (ICMP) and RFC 4443 (ICMPv6). */

const HEADER = 8;
const NONCE = 8;
const PACKET = HEADER + NONCE + 8;
const IPV4_ADDRESS_LENGTH = 4;
const IPV6_HEADER = 40;

/** What makes a session's packets its own among all echoes that reach this machine. */
export interface Identity {
  /** 16 bits */
  readonly id: number;
  /** 8 random bytes, which an echo must bring back */
  readonly nonce: Uint8Array;
}

/** Which of a session's requests a packet is. */
export interface RequestNumber {
  /** 16 bits; all requests to one host in one go have the same */
  readonly sequence: number;
  /** 32 bits; differs where a sequence is used again */
  readonly serial: number;
  /** 0 for the first request, then 1, 2, 3 */
  readonly attempt: number;
}

export type Answer =
  | { readonly kind: 'reply'; readonly sequence: number; readonly serial: number; readonly attempt: number; readonly source: Uint8Array }
  /** about: the address that the request was for; told by its own: it speaks, so it is up */
  | { readonly kind: 'error'; readonly sequence: number; readonly about: Uint8Array; readonly source: Uint8Array; readonly word: ErrorWord };

export interface ErrorWord {
  readonly reason: string;
  /** by whom the error may come, if not by the host itself: a router that finds nobody, one that has no way there, or a filter. Only the first of them knows of the host */
  readonly by: 'neighbour' | 'router' | 'filter';
}

interface Types {
  readonly request: number;
  readonly reply: number;
  /** the errors that end a request; redirects, source quench and packet too big do not */
  readonly errors: Readonly<Record<number, (code: number) => ErrorWord>>;
}

const word = (reason: string, by: ErrorWord['by'] = 'router'): ErrorWord => ({ reason, by });

const UNREACHABLE_4: Readonly<Record<number, ErrorWord>> = {
  0: word('network unreachable'),
  1: word('host unreachable', 'neighbour'),
  2: word('protocol unreachable'),
  3: word('port unreachable'),
  5: word('source route failed'),
  6: word('network unknown'),
  7: word('host unknown', 'neighbour'),
  9: word('network administratively prohibited', 'filter'),
  10: word('host administratively prohibited', 'filter'),
  13: word('communication administratively prohibited', 'filter'),
};

const UNREACHABLE_6: Readonly<Record<number, ErrorWord>> = {
  0: word('no route to the host'),
  1: word('communication administratively prohibited', 'filter'),
  2: word('beyond the scope of our address'),
  3: word('address unreachable', 'neighbour'),
  4: word('port unreachable'),
  5: word('our address failed a filter', 'filter'),
  6: word('route to the host is rejected', 'filter'),
};

const exceeded = (code: number): ErrorWord => word(code === 0 ? 'time to live exceeded' : 'reassembly time exceeded');
const parameterProblem = (): ErrorWord => word('parameter problem');

const TYPES: Readonly<Record<Family, Types>> = {
  4: {
    request: 8, reply: 0,
    errors: { 3: (code) => UNREACHABLE_4[code] ?? word(`unreachable (code ${code})`), 11: exceeded, 12: parameterProblem },
  },
  6: {
    request: 128, reply: 129,
    errors: { 1: (code) => UNREACHABLE_6[code] ?? word(`unreachable (code ${code})`), 3: exceeded, 4: parameterProblem },
  },
};

/** The types that a session wants to be given: everything else may be dropped unread. */
export const wantedTypes = (family: Family): number[] => [TYPES[family].reply, ...Object.keys(TYPES[family].errors).map(Number)];

/** An echo request. The checksum of ICMPv6 is left to the kernel, which knows the source address (RFC 3542, 3.1). */
export function echoRequest(family: Family, identity: Identity, { sequence, serial, attempt }: RequestNumber): Uint8Array {
  const packet = new Uint8Array(PACKET);
  const view = new DataView(packet.buffer);
  packet[0] = TYPES[family].request;
  view.setUint16(4, identity.id);
  view.setUint16(6, sequence);
  packet.set(identity.nonce, HEADER);
  view.setUint32(HEADER + NONCE, serial);
  packet[HEADER + NONCE + 4] = attempt;
  if (family === 4) view.setUint16(2, checksum(view));
  return packet;
}

/** RFC 1071 */
function checksum(view: DataView): number {
  let sum = 0;
  for (let offset = 0; offset < view.byteLength; offset += 2) sum += view.getUint16(offset);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

const read16 = (packet: Uint8Array, offset: number): number => ((packet[offset] ?? 0) << 8) | (packet[offset + 1] ?? 0);

/**
 * What a received packet says about this session's requests.
 * @param packet as a raw socket gives it: with the IP header for IPv4, without for IPv6
 * @param source the address that it came from
 * @returns undefined for everything that is not this session's; that must be cheap, as others' may come in floods
 */
export function readAnswer(family: Family, identity: Identity, packet: Uint8Array, source: string): Answer | undefined {
  const start = family === 4 ? ((packet[0] ?? 0) & 0x0f) * 4 : 0;
  const type = packet[start];
  if (type === undefined || packet.length < start + HEADER) return undefined;
  if (type === TYPES[family].reply) return readReply(identity, packet, start, source);
  const explain = TYPES[family].errors[type];
  return explain && readError(family, identity, packet, start, source, explain);
}

function readReply(identity: Identity, packet: Uint8Array, start: number, source: string): Answer | undefined {
  if (read16(packet, start + 4) !== identity.id || packet.length < start + PACKET) return undefined;
  if (!standsAt(packet, start + HEADER, identity.nonce)) return undefined;
  const body = start + HEADER + NONCE;
  const serial = read16(packet, body) * 0x1_0000 + read16(packet, body + 2);
  return { kind: 'reply', sequence: read16(packet, start + 6), serial, attempt: packet[body + 4] ?? 0, source: addressBytes(source) };
}

/** An error quotes our packet: its IP header, and of the rest at least the ICMP header. */
function readError(
  family: Family, identity: Identity, packet: Uint8Array, start: number, source: string, explain: (code: number) => ErrorWord,
): Answer | undefined {
  const quoted = start + HEADER;
  const header = family === 4 ? ((packet[quoted] ?? 0) & 0x0f) * 4 : IPV6_HEADER;
  const echo = quoted + header;
  if (packet.length < echo + HEADER || packet[echo] !== TYPES[family].request || read16(packet, echo + 4) !== identity.id) return undefined;
  const target = family === 4 ? quoted + 16 : quoted + 24;
  const about = packet.slice(target, target + (family === 4 ? IPV4_ADDRESS_LENGTH : 16));
  return { kind: 'error', sequence: read16(packet, echo + 6), about, source: addressBytes(source), word: explain(packet[start + 1] ?? 0) };
}
