/** Addresses of IPv4 as numbers, as far as routes need it. */

const DOTTED = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;

/** `10.0.0.1`, strictly: four decimal numbers without leading zeros, which some programs read as octal. */
export function parseIpv4(text: string): number | undefined {
  const parts = DOTTED.exec(text)?.slice(1).map(Number);
  return parts?.every((part) => part <= 255) === true ? parts.reduce((sum, part) => sum * 256 + part, 0) : undefined;
}

/** The bits of an address that a mask of so many bits covers. */
export const networkOf = (address: number, prefix: number): number => (prefix === 0 ? 0 : (address & (~0 << (32 - prefix))) >>> 0);

/** Whether an address is within a network. */
export const contains = (network: number, prefix: number, address: number): boolean => networkOf(address, prefix) === networkOf(network, prefix);

export const isPrefix = (prefix: number): boolean => Number.isInteger(prefix) && prefix >= 0 && prefix <= 32;

/** First byte of addresses that lead nowhere as a destination: this network, loopback, multicast and what is reserved (RFC 6890). */
const isSpecial = (address: number): boolean => {
  const first = Math.floor(address / 2 ** 24);
  return first === 0 || first === 127 || first >= 224;
};

/** Why an address cannot be one of a host; undefined where it can. */
export function addressFault(text: string): string | undefined {
  const address = parseIpv4(text);
  if (address === undefined) return 'is no address such as 192.168.1.41';
  return isSpecial(address) ? 'cannot be the address of a host' : undefined;
}

/** Why an address with its mask cannot be one of an interface. */
export function interfaceAddressFault(text: string, prefix: number): string | undefined {
  const fault = addressFault(text);
  if (fault !== undefined || prefix > 30) return fault;
  const address = parseIpv4(text)!;
  if (address === networkOf(address, prefix)) return 'is the network itself, not one of its addresses';
  return address === networkOf(address, prefix) + 2 ** (32 - prefix) - 1 ? 'is the broadcast address of its network' : undefined;
}

/** Why a network cannot be where a route leads to. */
export function destinationFault(text: string, prefix: number): string | undefined {
  const address = parseIpv4(text);
  if (address === undefined) return 'is no address such as 192.168.3.0';
  if (address !== networkOf(address, prefix)) return `has bits beyond its mask of ${prefix}`;
  return prefix === 0 || isSpecial(address) ? 'is nowhere that a route leads to' : undefined;
}
