import type { VmSummary } from './readings.js';

interface Known {
  /** whether VMware Tools has been seen to run and not since */
  readonly away: boolean;
  readonly ran: boolean;
  readonly boots: number;
}

const UNSEEN: Known = { away: false, ran: false, boots: 0 };

/**
 * The boots of machines, as far as they can be seen. ESXi tells only when a machine was powered on
 * (`bootTime` of VirtualMachineRuntimeInfo), which neither a reboot nor a reset changes. So a boot is a
 * reset that ESXi has carried out, or VMware Tools that comes back after it was gone.
 */
export class Boots {
  readonly #known = new Map<string, Known>();

  /** Takes a look at a machine into account. */
  note(key: string, { state, tools }: VmSummary): void {
    const { away, ran, boots } = this.#known.get(key) ?? UNSEEN;
    const runs = state === 'on' && tools === 'guestToolsRunning';
    // Scripts of VMware Tools run at the end and at the beginning alike.
    if (!runs && tools === 'guestToolsExecutingScripts') return;
    this.#known.set(key, runs ? { away: false, ran: true, boots: boots + (away ? 1 : 0) } : { away: ran, ran, boots });
  }

  /** ESXi has reset it. */
  reset(key: string): void {
    const before = this.#known.get(key) ?? UNSEEN;
    this.#known.set(key, { ...before, boots: before.boots + 1 });
  }

  /** Differs after each boot that was seen. */
  mark(key: string, { poweredOn }: VmSummary): string {
    return `${poweredOn ?? 'never'} ${this.#known.get(key)?.boots ?? 0}`;
  }

  /** Forgets machines that are gone. */
  keepOnly(keys: ReadonlyMap<string, unknown>): void {
    for (const key of this.#known.keys()) if (!keys.has(key)) this.#known.delete(key);
  }
}
