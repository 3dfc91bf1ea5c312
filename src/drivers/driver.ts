import type { Duplex } from 'node:stream';
import type * as v from 'valibot';
import type { TableFault } from '../config/catalogue.js';
import type { Log } from '../kit/log.js';
import type { FarGate } from './far.js';
import type { MachineAbilities, ProviderAbilities } from './management/contract.js';
import type { Destination } from './management/machine.js';
import { POWER_STATES, type PowerState } from './power-state.js';

/**
 * The contract between the instances room and a driver (the code for one type of provider).
 *
 * A driver says what machines there are, what each can do, and carries single steps out. Waiting for
 * a state, retrying, "already there", clean → hard, turns, deadlines and the audit are written once,
 * in instances/operations; a driver does none of them.
 *
 * Errors: throw an ArgoError with the phrase that is true. Two of them matter most:
 *  - `UNREACHABLE`: the order certainly did not reach the machine; nothing was done.
 *  - `UNCERTAIN`: the order may have reached it (the connection was lost after sending, a reply was
 *    cut off). Operations then reads the state again before anything is said to the user.
 * A refusal in the machine's own words is `FAILED` with those words as detail.
 */

export { POWER_STATES, type PowerState };

export const MACHINE_TYPES = ['vm', 'container', 'host'] as const;
export type MachineType = (typeof MACHINE_TYPES)[number];

/** One disk of a machine, as `disk NAME` prints it. */
export interface Disk {
  /** device name inside the machine: vda, xvda2 */
  readonly target: string;
  /** what carries it: file, block, lvm, network, … */
  readonly type: string;
  /** file system or image format, where known: ext4, raw, qcow2 */
  readonly format?: string;
  /** bytes */
  readonly size?: bigint;
  /** path or volume on the host */
  readonly source?: string;
}

/** System load: the three load averages where a machine tells them, else its share of CPU. */
export type Load = { readonly averages: readonly [number, number, number] } | { readonly cpuPercent: number };

/** What `info NAME` prints beyond what the registry knows. Leave out what the machine does not tell. */
export interface Facts {
  readonly uuid?: string;
  readonly cpus?: number;
  /** bytes */
  readonly memory?: bigint;
  readonly ips?: readonly string[];
  readonly macs?: readonly string[];
  readonly disks?: readonly Disk[];
  /** the host that carries it */
  readonly host?: string;
  /** whether its manager still knows it when it has ended */
  readonly persistent?: boolean;
  /** whether its manager starts it together with the host */
  readonly autostart?: boolean;
  /** further `key: value` lines */
  readonly more?: Readonly<Record<string, string>>;
}

/** What can be read of a machine. */
export interface Readings {
  /** `unknown` where it cannot be had */
  status: PowerState;
  info: Facts;
  ip: readonly string[];
  mac: readonly string[];
  /** seconds */
  uptime: number;
  /** bytes */
  rx: bigint;
  /** bytes */
  tx: bigint;
  load: Load;
  disk: readonly Disk[];
}

/** Some of a machine's readings. One that is left out, or undefined, is asked for singly. */
export type Sample = { readonly [Kind in keyof Readings]?: Readings[Kind] | undefined };

/** A machine whose manager can start it together with its host. */
export interface Autostart {
  /** Whether it is set; undefined where it is neither, as when it is started only where it ran before. Rejects when that cannot be had. */
  read(signal: AbortSignal): Promise<boolean | undefined>;
  /** Sets it, as an action does. Rejects with WRONG STATE for a machine that cannot have it, as one that is gone when it ends. */
  set(isOn: boolean, signal: AbortSignal): Promise<void>;
}

/** What a machine may be worked at through: its screen by RFB (RFC 6143), its text console, a login shell. */
export const CONSOLE_KINDS = ['vnc', 'text', 'shell'] as const;
export type ConsoleKind = (typeof CONSOLE_KINDS)[number];

/** Of a terminal, in characters. */
export interface ConsoleSize {
  readonly columns: number;
  readonly rows: number;
}

/** How a console is to be opened. */
export interface ConsoleCall {
  /** ends the attempt; what is open then goes on */
  readonly signal: AbortSignal;
  /** of the terminal at the other end, where it has one */
  readonly size?: ConsoleSize;
  /** take it over from whoever has it, where the machine's manager lets only one have it */
  readonly force?: boolean;
}

/** A console that is open. */
export interface ConsoleStream {
  /**
   * Bytes both ways, with back-pressure both ways: what is not read is not taken from the machine. Ends when the machine
   * ends it, fails with an ArgoError where it was cut off, and is let go of by `destroy()`. Of `vnc`: behind the
   * machine's security handshake, so that ClientInit (RFC 6143, 7.3.1) is what it expects first: its password stays here.
   */
  readonly stream: Duplex;
  /** tells the machine of a new size, where it can be told */
  resize?(size: ConsoleSize): void;
}

/**
 * The consoles that a machine may have, each opened anew with every call. Rejects with NOT SUPPORTED where this one has none
 * after all, WRONG STATE where it is off, BUSY where somebody else has it.
 */
export type Consoles = { readonly [Kind in ConsoleKind]?: (call: ConsoleCall) => Promise<ConsoleStream> };

/**
 * A machine as its driver sees it. It has just the methods that its type supports: a missing one is
 * what makes `400 NOT SUPPORTED`.
 *
 * Every call takes a signal: when it is aborted, the call rejects soon, and whatever it holds (a
 * place in a queue, a socket, a process) is given back. A signal means nothing beyond its call: whoever
 * listens to it stops when the call ends. An action that was certainly not sent by then
 * rejects with UNREACHABLE: nobody else knows. An action resolves when the machine's
 * manager has accepted it and, where its API says so, has done it; it does not wait for a guest.
 */
export interface Machine {
  /** unique within the provider and kept for as long as the machine exists: a uuid, a file name */
  readonly id: string;
  /** as its manager has it; may hold any character */
  readonly name: string;
  readonly type: MachineType;

  /** The state now, asked of the machine, not of a cache. Rejects when it cannot be had. */
  status(signal: AbortSignal): Promise<PowerState>;
  /**
   * Asked before an order without `--force` where the state leaves something open (`starting`, `stopping`, `unknown`).
   * Rejects with what stands against any order: BUSY for one whose `stopping` is no stop, as of one that is being
   * saved; WRONG STATE for one that may run elsewhere.
   */
  checkOrder?(signal: AbortSignal): Promise<void>;

  /** off → on */
  start?(signal: AbortSignal): Promise<void>;
  /** asks the guest to shut down cleanly */
  shutdown?(signal: AbortSignal): Promise<void>;
  /**
   * Set where a guest may miss the request to shut down, such as an ACPI button pressed before it
   * listens: while the state is being waited for, operations asks again.
   */
  readonly mayMissShutdown?: boolean;
  /**
   * Set where the machine is off when its manager does not know it any longer (`status` rejects with NO SUCH
   * INSTANCE), as one that exists only while it runs: it cannot have gone on elsewhere, or under another name. May
   * change: it is looked at when the machine is gone.
   */
  readonly isOffWhenGone?: boolean;
  /** what the machine said against the last order after it had been accepted: one line for people, told where the order is in vain */
  readonly complaint?: string | undefined;
  /** pulls the plug */
  powerOff?(signal: AbortSignal): Promise<void>;
  /** asks the guest to restart cleanly */
  reboot?(signal: AbortSignal): Promise<void>;
  /** presses the reset button */
  reset?(signal: AbortSignal): Promise<void>;
  pause?(signal: AbortSignal): Promise<void>;
  unpause?(signal: AbortSignal): Promise<void>;
  /** saves the machine to disk */
  suspend?(signal: AbortSignal): Promise<void>;
  /** brings it back from disk */
  resume?(signal: AbortSignal): Promise<void>;
  /** A value that differs after each boot: what makes a reboot verifiable. */
  bootMark?(signal: AbortSignal): Promise<string>;
  /**
   * Set where `bootMark` says the same to another process, as what the machine or its manager keeps, and not what was seen
   * from here: a plan that goes on after the end of a server goes by it.
   */
  readonly bootMarkLasts?: boolean;

  readonly autostart?: Autostart;
  readonly console?: Consoles;
  /** what can be done with it beyond power */
  readonly abilities?: MachineAbilities;
  /** set where another argo-server carries actions out as a whole: the steps above are then not called, and only say what there is */
  readonly far?: FarGate;

  info?(signal: AbortSignal): Promise<Facts>;
  ip?(signal: AbortSignal): Promise<readonly string[]>;
  mac?(signal: AbortSignal): Promise<readonly string[]>;
  /** seconds since it was started */
  uptime?(signal: AbortSignal): Promise<number>;
  /** bytes received by the machine, seen from the machine */
  rx?(signal: AbortSignal): Promise<bigint>;
  /** bytes sent by the machine, seen from the machine */
  tx?(signal: AbortSignal): Promise<bigint>;
  load?(signal: AbortSignal): Promise<Load>;
  disk?(signal: AbortSignal): Promise<readonly Disk[]>;
}

/** A machine together with its state at the time of a listing. */
export interface Sighting {
  readonly machine: Machine;
  readonly state: PowerState;
}

/**
 * The answer to a listing. `incomplete`: why machines may be missing from it, for people; what was known is then out of date.
 * `isSilent`: nobody answers at all now, and what is listed is what was known before.
 */
export type Sightings = readonly Sighting[] & { readonly incomplete?: string; readonly isSilent?: boolean };

/** One opened provider. */
export interface Driver {
  /**
   * All machines there are, in the order in which people expect them. Called at start, on every
   * poll and after {@link DriverHost.relist}; never twice at the same time. Connects where needed.
   */
  list(signal: AbortSignal): Promise<Sightings>;
  /**
   * Readings of all machines with few calls, by {@link Machine.id}: what costs next to nothing when it is asked for
   * all at once. A machine or a reading that is left out is asked for singly. Used only for those who take an answer of
   * some age, and never twice at the same time.
   */
  sample?(signal: AbortSignal): Promise<ReadonlyMap<string, Sample>>;
  /** Which readings a sample may have: for others none is taken. Left out: any. */
  readonly sampled?: readonly (keyof Sample)[];
  /** The hypervisor's log. May come and go: it is looked at when it is asked for. */
  dmesg?: ((signal: AbortSignal) => Promise<string>) | undefined;
  /** what can be done with its host beyond the power of machines */
  readonly abilities?: ProviderAbilities;
  /**
   * Which host it is, where its network can be changed: two providers of one host, as of its virtual machines and of its containers,
   * say the same. Left out: one that no other provider has.
   */
  readonly place?: string;
  /** where the gate to its machines is, where that is another argo-server's, for people: `site berlin`. Left out: it is this one's */
  readonly farPlace?: string;
  /** How machines of other providers of this type can be moved here. @throws ArgoError NOT SUPPORTED with the reason */
  destination?(): Destination;
  /** Logs out and lets go of everything. Called once; what is under way has ended or been aborted. */
  close(signal: AbortSignal): Promise<void>;
}

/** What a driver may tell the registry between two listings. */
export interface DriverHost {
  /** the provider's name in argo-server.conf */
  readonly name: string;
  readonly log: Log;
  /** The machine told us of its new state. */
  changed(id: string, state: PowerState): void;
  /** Machines came, went or were renamed, or we were cut off and are back: list again soon. */
  relist(): void;
  /** The connection is gone: what the registry holds of this provider is stale until the next listing. */
  lost(reason: string): void;
}

/** Where a driver differs from the defaults of every provider. Milliseconds. */
export interface DriverDefaults {
  readonly actionTimeout?: number;
  readonly pollInterval?: number;
  /** calls to the provider at a time */
  readonly concurrency?: number;
}

/** The default export of a driver's module. */
export interface DriverModule<Entries extends v.ObjectEntries = v.ObjectEntries> {
  /** in a folder of `plugin-path`: what tells it from a gateway */
  readonly kind?: 'driver';
  /** the keys of its table in argo-server.conf, beyond those that every provider takes */
  readonly options: Entries;
  readonly defaults?: DriverDefaults;
  /** What is wrong beyond the table, such as in a file that it names: for `argo-server check` alone, so that it keeps nothing from starting. */
  check?(options: v.InferOutput<v.ObjectSchema<Entries, undefined>>): readonly TableFault[];
  /** Must not connect, block or throw for an absent machine: that is {@link Driver.list}'s part. */
  open(options: v.InferOutput<v.ObjectSchema<Entries, undefined>>, host: DriverHost): Driver;
}
