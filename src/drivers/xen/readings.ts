/** Bytes that passed an interface of domain 0. */
export interface Counters {
  readonly received: bigint;
  readonly sent: bigint;
}

/** The interfaces of /proc/net/dev (proc(5)): received bytes are the first figure, sent bytes the ninth. */
export function parseNetDev(text: string): Map<string, Counters> {
  const interfaces = new Map<string, Counters>();
  for (const line of text.split('\n')) {
    const colon = line.lastIndexOf(':');
    if (colon < 0) continue;
    const figures = line.slice(colon + 1).trim().split(/\s+/);
    const [received, sent] = [figures[0], figures[8]];
    if (!received || !sent || !/^\d+$/.test(received) || !/^\d+$/.test(sent)) continue;
    interfaces.set(line.slice(0, colon).trim(), { received: BigInt(received), sent: BigInt(sent) });
  }
  return interfaces;
}

/**
 * What a guest received and sent. Domain 0 holds the other end of each cable: what it received the
 * guest sent. An HVM guest without PV drivers uses the emulated card behind `vif<domid>.<n>-emu`.
 * @param named interfaces whose names in domain 0 were set with `vifname=`
 * @returns undefined when domain 0 carries none of its interfaces
 */
export function guestTraffic(interfaces: ReadonlyMap<string, Counters>, domid: number, named: readonly string[]): Counters | undefined {
  const ours = [...interfaces].filter(([name]) => {
    const plain = name.replace(/-emu$/, '');
    return named.includes(plain) || new RegExp(`^vif${domid}\\.\\d+$`).test(plain);
  });
  if (ours.length === 0) return undefined;
  return {
    received: ours.reduce((sum, [, { sent }]) => sum + sent, 0n),
    sent: ours.reduce((sum, [, { received }]) => sum + received, 0n),
  };
}
