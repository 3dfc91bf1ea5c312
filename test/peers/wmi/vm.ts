import { createHash } from 'node:crypto';

/** A virtual machine of Hyper-V: its state and what it owns. Knows nothing of WMI's classes. */

export type VmState = 'off' | 'running' | 'paused' | 'saved';

/** What goes on between two states. */
export type Transition = 'starting' | 'stopping' | 'saving' | 'pausing' | 'resuming';

export interface VmNic {
  readonly id: string;
  /** 00155D000001 */
  readonly mac: string;
  addresses: readonly string[];
}

export interface VmDisk {
  readonly path: string;
  /** bytes */
  readonly size: bigint;
  /** bytes of the file */
  readonly used: bigint;
}

/** How the guest takes orders: not at all without its services; not yet; only by force, as its screen is locked; or never ends what it began. */
export type Guest = 'willing' | 'without services' | 'not ready' | 'locked' | 'deaf';

export interface VmOptions {
  readonly name: string;
  /** GUID in capitals; by default made from the number */
  readonly id?: string;
  readonly state?: VmState;
  readonly disks?: readonly VmDisk[];
}

const hex = (number: number, digits: number): string => number.toString(16).toUpperCase().padStart(digits, '0');

/** The same for the same words, so that two runs of a test see the same machine. */
export function guid(...words: (string | number)[]): string {
  const digits = createHash('sha256').update(words.join(' ')).digest('hex').toUpperCase();
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-A${digits.slice(17, 20)}-${digits.slice(20, 32)}`;
}

export class Vm {
  readonly id: string;
  name: string;
  state: VmState;
  transition: Transition | undefined;
  guest: Guest = 'willing';
  /** percent */
  load = 7;
  processors = 2;
  /** MB */
  memory = 2048;
  notes = '';
  /** what becomes of it when its host boots: 2 nothing, 3 started where it ran, 4 started */
  startup = 3;
  guestSystem = 'Debian GNU/Linux 12 (bookworm)';
  /** names of checkpoints */
  checkpoints: string[] = [];
  nics: VmNic[];
  disks: VmDisk[];
  readonly createdAt = new Date('2024-05-06T07:08:09.123Z');
  changedAt = new Date(0);
  #onSince: number;
  #onBefore = 0;

  constructor(index: number, { name, id = guid('vm', index), state = 'off', disks }: VmOptions) {
    this.id = id;
    this.name = name;
    this.state = state;
    this.#onSince = Date.now() - 60_000;
    this.nics = [{ id: guid('nic', index), mac: `00155D${hex(index, 6)}`, addresses: [`10.1.${index >> 8}.${index & 255}`, `fd00::${index.toString(16)}`, 'fe80::215:5dff:fe00:1'] }];
    this.disks = [...disks ?? [{ path: `D:\\VMs\\${name}\\${name}.vhdx`, size: 42_949_672_960n, used: 7_516_192_768n }]];
  }

  /** ms that it has run since it was started, without its pauses */
  get onTime(): number {
    if (this.state === 'running') return this.#onBefore + Date.now() - this.#onSince;
    return this.state === 'off' ? 0 : this.#onBefore;
  }

  /** As if it had run for so long. @param ms */
  age(ms: number): void {
    this.#onBefore = 0;
    this.#onSince = Date.now() - ms;
  }

  become(state: VmState): void {
    const before = this.onTime;
    this.transition = undefined;
    this.changedAt = new Date();
    this.#onBefore = state === 'off' || this.state === 'off' ? 0 : before;
    this.#onSince = Date.now();
    this.state = state;
  }

  /** Runs from the beginning. */
  restart(): void {
    this.become('off');
    this.become('running');
  }

  /** Addresses that the host knows: only of guests that run and tell. */
  addressesOf(nic: VmNic): readonly string[] {
    return this.hasServices ? nic.addresses : [];
  }

  get hasServices(): boolean {
    return this.state === 'running' && this.guest !== 'without services';
  }
}
