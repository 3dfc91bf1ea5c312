import { ArgoError } from '../../kit/errors.js';
import { beforeSending, isAbort, within } from '../../kit/within.js';
import { Places } from '../../kit/places.js';
import type { Effect, SshSession } from '../../protocols/ssh/session.js';
import { explainSsh } from '../ssh/errors.js';
import { DataObjectError } from './data-object.js';
import { allWords, hasFailed, refusal, type Ended } from './errors.js';
import {
  parseDevices,
  parseGetAllVms,
  parseGuest,
  parseHostSummary,
  parseProcessList,
  parseVmSummary,
  type GuestNetwork,
  type Hardware,
  type HostSummary,
  type Listing,
  type Process,
  type VmSummary,
} from './readings.js';

/**
 * Commands at a time on a host, whose sshd takes ten: so many questions, and so many orders beside them. Orders get places
 * of their own because one that waits for a person's answer keeps its place until its deadline.
 */
const QUESTIONS_AT_A_TIME = 4;
/** Of those, so many of a listing: one is kept for people. */
const LISTING_AT_A_TIME = 3;
const ORDERS_AT_A_TIME = 3;
/** Commands that wait for a place; one more is BUSY at once. */
const MOST_WAITING = 4096;

/** Milliseconds for an answer. */
const QUESTION_LIMIT = 30_000;
/** Milliseconds for an order: a machine's memory may have to be written. Its action has a deadline of its own. */
const ORDER_LIMIT = 30 * 60_000;

/** Bytes of an answer: summaries are some KiB, the table of 1,000 machines with long notes 1 MiB. */
const MOST_OUTPUT = 4 * 1024 * 1024;
/** Bytes of what an order says. */
const MOST_WORDS = 256 * 1024;

/** Who asks, and for how long. */
export interface Asker {
  /** a listing, which leaves a place for people; default false */
  readonly forListing?: boolean;
  /** milliseconds for the command itself */
  readonly limit?: number;
}

/** What is ordered of a virtual machine: subcommands of `vim-cmd vmsvc/`. */
export type PowerVerb = 'power.on' | 'power.off' | 'power.shutdown' | 'power.reboot' | 'power.reset' | 'power.suspend';

/**
 * The commands of an ESXi host, as functions. Into a command go only plain words of ours and numbers:
 * nothing that a machine told, and nothing that a shell would have to be kept from understanding. The
 * script in docs/drivers/esxi-free.md that lets just these through must know each of them.
 */
export class Esxi {
  readonly #questions = new Places(QUESTIONS_AT_A_TIME, MOST_WAITING);
  readonly #listing = new Places(LISTING_AT_A_TIME, MOST_WAITING);
  readonly #orders = new Places(ORDERS_AT_A_TIME, MOST_WAITING);
  readonly #shell: Shell;

  constructor(shell: Shell) {
    this.#shell = shell;
  }

  listVms(signal: AbortSignal, asker?: Asker): Promise<Listing> {
    return this.#ask('vim-cmd vmsvc/getallvms', parseGetAllVms, signal, asker);
  }

  /** What the kernel runs, whether or not it is registered. */
  listProcesses(signal: AbortSignal): Promise<Process[]> {
    return this.#ask('esxcli vm process list', parseProcessList, signal);
  }

  summary(vmid: number, signal: AbortSignal, asker?: Asker): Promise<VmSummary> {
    return this.#ask(`vim-cmd vmsvc/get.summary ${idOf(vmid)}`, (output) => parseVmSummary(output, vmid), signal, asker);
  }

  guest(vmid: number, signal: AbortSignal): Promise<GuestNetwork> {
    return this.#ask(`vim-cmd vmsvc/get.guest ${idOf(vmid)}`, parseGuest, signal);
  }

  hardware(vmid: number, signal: AbortSignal): Promise<Hardware> {
    return this.#ask(`vim-cmd vmsvc/device.getdevices ${idOf(vmid)}`, parseDevices, signal);
  }

  hostSummary(signal: AbortSignal): Promise<HostSummary> {
    return this.#ask('vim-cmd hostsvc/hostsummary', parseHostSummary, signal);
  }

  inMaintenance(signal: AbortSignal): Promise<boolean> {
    return this.#ask('esxcli system maintenanceMode get', (output) => ({ enabled: true, disabled: false })[output.trim().toLowerCase()], signal);
  }

  kernelLog(signal: AbortSignal): Promise<string> {
    return this.#ask('dmesg', (output) => output, signal);
  }

  power(verb: PowerVerb, vmid: number, signal: AbortSignal): Promise<void> {
    return this.#order(`vim-cmd vmsvc/${verb} ${idOf(vmid)}`, signal);
  }

  /** @param timeout seconds after which ESXi gives up entering */
  setMaintenance(enable: boolean, timeout: number, signal: AbortSignal): Promise<void> {
    return this.#order(`esxcli system maintenanceMode set --enable ${enable} --timeout ${idOf(timeout)}`, signal);
  }

  /** Only in maintenance mode. @param delay seconds, at least 10, as esxcli demands */
  shutDownHost(way: 'poweroff' | 'reboot', delay: number, signal: AbortSignal): Promise<void> {
    return this.#order(`esxcli system shutdown ${way} --delay ${idOf(delay)} --reason argo-server`, signal);
  }

  /** In any mode: what runs is powered off hard. */
  forceHost(way: 'poweroff' | 'reboot', signal: AbortSignal): Promise<void> {
    return this.#order(way, signal);
  }

  async #ask<T>(command: string, parse: Parse<T>, signal: AbortSignal, { forListing = false, limit = QUESTION_LIMIT }: Asker = {}): Promise<T> {
    const end = forListing ? await this.#listing.take(signal) : undefined;
    const ended = await this.#run(command, limit, signal).finally(end);
    if (ended.truncated) throw new ArgoError('FAILED', `the answer to "${command}" is longer than ${MOST_OUTPUT / 1024 / 1024} MiB`);
    const answer = tryParse(parse, ended);
    if (answer !== undefined) return answer;
    const error = refusal(ended, 'reads');
    if (ended.code === 0 && error.phrase === 'FAILED') throw new ArgoError('FAILED', `the answer to "${command}" cannot be read`, { cause: error.cause });
    throw error;
  }

  /** @param limit milliseconds from the command's beginning, however long it has waited for its place */
  async #run(command: string, limit: number, signal: AbortSignal): Promise<Ended> {
    const leave = await this.#questions.take(signal);
    const run = (own: AbortSignal): Promise<Ended> => this.#shell.run('reads', command, { signal: own, maxOutput: MOST_OUTPUT, timeout: limit });
    return within(limit, [signal], run).catch((error: unknown) => {
      signal.throwIfAborted();
      throw isAbort(error) ? new ArgoError('TIMEOUT', `ESXi did not answer "${command}" in ${limit / 1000} s`) : error;
    }).finally(leave);
  }

  async #order(command: string, signal: AbortSignal): Promise<void> {
    const options = { signal, maxOutput: MOST_WORDS, timeout: ORDER_LIMIT };
    const leave = await beforeSending(signal, () => this.#orders.take(signal));
    const ended = await this.#shell.run('acts', command, options).finally(leave);
    if (hasFailed(ended)) throw refusal(ended, 'acts');
  }
}

/** Reads an answer: undefined, or a DataObjectError, where the output is none. */
type Parse<T> = (output: string) => T | undefined;

/** What a command printed before it failed may look like a whole answer, such as a shorter table: it is none. */
function tryParse<T>(parse: Parse<T>, ended: Ended): T | undefined {
  if (ended.code !== 0) return undefined;
  try {
    return parse(allWords(ended));
  } catch (error) {
    if (error instanceof DataObjectError) return undefined;
    throw error;
  }
}

function idOf(id: number): string {
  if (!Number.isSafeInteger(id) || id < 0) throw new TypeError('ids and times in commands are whole numbers');
  return String(id);
}

/** How a command is to be run. */
export interface RunOptions {
  readonly signal: AbortSignal;
  /** bytes that are kept of each of its outputs */
  readonly maxOutput: number;
  /** milliseconds for the command itself */
  readonly timeout: number;
}

/** The shell of an ESXi host: one login, commands side by side on channels of their own. */
export interface Shell {
  /**
   * Runs a command to its end.
   * @throws ArgoError UNREACHABLE where it certainly was not started; ACCESS DENIED, HOST KEY CHANGED;
   *   UNCERTAIN where one that acts was started and its end was not seen; the signal's reason
   */
  run(effect: Effect, command: string, options: RunOptions): Promise<Ended>;
}

/** The shell at the other end of an SSH session. */
export function shellOver(session: SshSession): Shell {
  return {
    run: async (effect, command, options) => {
      try {
        return await session.run(effect, command, options);
      } catch (error) {
        throw explainSsh(error, effect);
      }
    },
  };
}
