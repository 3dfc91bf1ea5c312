import { setTimeout as sleep } from 'node:timers/promises';
import { ArgoError } from '../../../kit/errors.js';
import { formatDuration } from '../../../kit/text.js';
import { within } from '../../../kit/within.js';
import type { CommandResult } from '../../../protocols/ssh/command.js';
import type { WorkCall } from '../contract.js';
import { lastWords, type HostCommands } from '../host-commands.js';
import { ANOTHER, ARM, CHANGE, KEEP, REFUSED, RELEASE, STAND, TOO_LATE, UNDO } from './guard-scripts.js';
import { readNetwork, type Run } from './ip-output.js';
import type { Plan } from './plan.js';
import { networkName, type HostNetwork } from './state.js';

/** Milliseconds for arming, and at most for the change itself, which hangs where it cuts its own connection off. */
const ARM_TIMEOUT_MS = 15_000;
const CHANGE_TIMEOUT_MS = 5_000;
/** Milliseconds for one attempt to reach the host anew, and between two. */
const PROOF_TIMEOUT_MS = 15_000;
const PAUSE_MS = 250;
/** Milliseconds beyond the rollback's time for which the host is asked how it ended. */
const AFTERWARDS_MS = 20_000;

/** A line of words for `ip`, which it takes to be just these. */
const LINE = /^[\w.:/@+-]+(?: [\w.:/@+-]+)*$/;
const TASK = /^[A-Za-z0-9][\w-]{0,99}$/;

/** What an attempt to confirm a change came to. */
type Proof = 'kept' | 'late' | { readonly undoneFor: string };

/** One change of a host's network that the host undoes by itself unless it is reached anew after it. */
export class GuardedChange {
  readonly #commands: HostCommands;
  readonly #before: HostNetwork;
  readonly #plan: Plan;
  /** milliseconds */
  readonly #rollback: number;
  readonly #call: WorkCall;
  /** why the host was not reached, when that was the case first */
  #why: string | undefined;

  /** @param before as it was when the change was worked out */
  constructor(commands: HostCommands, before: HostNetwork, plan: Plan, rollback: number, call: WorkCall) {
    this.#commands = commands;
    this.#before = before;
    this.#plan = plan;
    this.#rollback = rollback;
    this.#call = call;
  }

  /**
   * Resolves when the change is made and confirmed; the host's network stays locked until {@link release}.
   * @throws ArgoError BUSY, UNREACHABLE, ACCESS DENIED and others before anything was done; FAILED where it was undone;
   *   UNCERTAIN where that is not known: the host undoes it by itself
   */
  async make(): Promise<void> {
    // Until then the host has certainly not undone it: its own clock begins later.
    const end = performance.now() + this.#rollback;
    await this.#arm();
    await this.#checkUnchanged();
    // The session may hang in a change that cuts it off, and must end before the rollback: after that it would only confirm what is gone.
    const changed = await this.#attempt(() => this.#script('run', CHANGE, [], Math.min(CHANGE_TIMEOUT_MS, this.#rollback / 4)));
    if (changed?.code === REFUSED) return this.#tellUndone(lastWords(changed));
    if (changed !== undefined && changed.code !== 0) this.#why ??= lastWords(changed);
    for (let left = this.#rollback; left > 0; left = end - performance.now()) {
      const proof = await this.#attempt(() => this.#prove(Math.min(left, PROOF_TIMEOUT_MS)));
      if (proof === 'kept') return;
      if (proof === 'late') break;
      if (proof !== undefined) return this.#tellUndone(this.#why ?? proof.undoneFor);
      await this.#pause();
    }
    await this.#afterwards(end + AFTERWARDS_MS);
  }

  /** Lets the host's network go. Where that cannot be told to the host, it does so by itself soon. */
  async release(): Promise<void> {
    await this.#script(this.#plan.danger === undefined ? 'run' : 'runAnew', RELEASE, [], PROOF_TIMEOUT_MS).catch(() => undefined);
  }

  async #arm(): Promise<void> {
    const { change, undo } = this.#plan;
    const odd = [...change, ...undo].find((line) => !LINE.test(line)) ?? (TASK.test(this.#call.task) ? undefined : this.#call.task);
    if (odd !== undefined) throw new ArgoError('INTERNAL ERROR', '', { cause: new Error(`not a line for ip, or not a task: ${odd}`) });
    const args = [String(Math.ceil(this.#rollback / 1000)), ...change, '--', ...undo];
    const result = await this.#script('run', ARM, args, ARM_TIMEOUT_MS).catch((error: unknown) => {
      if (error instanceof ArgoError && error.phrase !== 'UNCERTAIN') throw error;
      // It may be armed; without the change it does nothing.
      throw new ArgoError('UNREACHABLE', 'the rollback could not be armed, so nothing was changed', { cause: error });
    });
    if (result.code === ANOTHER) throw new ArgoError('BUSY', 'another change of this host\'s network is under way');
    if (result.code !== 0) throw new ArgoError('FAILED', `the rollback could not be armed, so nothing was changed: ${lastWords(result)}`);
  }

  /** Until it was locked, somebody else may have changed by what the change was worked out. @throws ArgoError; nothing was done then */
  async #checkUnchanged(): Promise<void> {
    try {
      const now = await this.#read('run', ARM_TIMEOUT_MS);
      const other = differences(this.#before, now) ?? differences(now, this.#before);
      if (other !== undefined) throw new ArgoError('BUSY', 'the host\'s network has been changed by somebody else meanwhile');
    } catch (error) {
      await this.release();
      if (error instanceof ArgoError) throw error;
      throw new ArgoError('UNREACHABLE', 'its time was over before anything was changed', { cause: error });
    }
  }

  /** Over new connections: keeps the change where all is as it should be, else undoes it. */
  async #prove(limit: number): Promise<Proof> {
    const now = await this.#read('runAnew', limit);
    const fault = this.#plan.fault(now);
    const result = await this.#script('runAnew', fault === undefined ? KEEP : UNDO, [], limit);
    if (result.code === TOO_LATE) return 'late';
    if (result.code !== 0) throw new ArgoError('UNREACHABLE', lastWords(result));
    return fault === undefined ? 'kept' : { undoneFor: fault };
  }

  /** The time for confirming it is over: what became of it is the host's to say. @throws ArgoError unless it was kept */
  async #afterwards(until: number): Promise<void> {
    for (let left = AFTERWARDS_MS; left > 0; left = until - performance.now()) {
      const told = await this.#attempt(() => this.#script('runAnew', STAND, [], Math.min(left, PROOF_TIMEOUT_MS)));
      const stand = told?.code === 0 ? told.stdout.trim() : undefined;
      // The answer to the confirmation was lost.
      if (stand === 'kept') return;
      if (stand === 'undone' || stand === '') {
        return this.#tellUndone(`no new connection confirmed it in ${formatDuration(this.#rollback)}${this.#why === undefined ? '' : ` (${this.#why})`}`);
      }
      await this.#pause();
    }
    throw new ArgoError('UNCERTAIN', `the host undoes it by itself, but has not been reached since${this.#why === undefined ? '' : `: ${this.#why}`}`);
  }

  /** @throws ArgoError always: of what has been undone, after a look whether it really is as it was */
  async #tellUndone(why: string): Promise<never> {
    const now = await this.#attempt(() => this.#read('runAnew', PROOF_TIMEOUT_MS));
    await this.release();
    if (now === undefined) throw new ArgoError('UNCERTAIN', `the host has undone it, but how its network is now could not be read: ${why}`);
    const lost = differences(this.#before, now);
    if (this.#plan.fault(now) === undefined) throw new ArgoError('UNCERTAIN', `it is in force, but has not been confirmed: ${why}`);
    throw new ArgoError('FAILED', lost === undefined ? `undone by the host: ${why}` : `undone by the host, but ${lost}: ${why}`);
  }

  /**
   * What may fail since the host is not reached at the moment.
   * @returns undefined where it is not
   * @throws ArgoError where whoever waits has no more time
   */
  async #attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (this.#call.signal.aborted) {
        throw new ArgoError('UNCERTAIN', 'it ended before the change was confirmed: the host undoes it by itself', { cause: error });
      }
      if (error instanceof ArgoError) this.#why ??= error.message;
      return undefined;
    }
  }

  async #pause(): Promise<void> {
    await sleep(PAUSE_MS, undefined, { signal: this.#call.signal }).catch(() => undefined);
  }

  #read(how: 'run' | 'runAnew', limit: number): Promise<HostNetwork> {
    const run: Run = (words, options) => this.#commands[how](words, options);
    return within(limit, [this.#call.signal], (signal) => readNetwork(run, signal));
  }

  #script(how: 'run' | 'runAnew', stdin: string, args: readonly string[], limit: number): Promise<CommandResult> {
    const { signal, task } = this.#call;
    return within(limit, [signal], (either) =>
      this.#commands[how](['sh', '-s', '--', task, ...args], { signal: either, stdin, timeout: limit, effect: 'acts', root: true }));
  }
}

/** What of a host's network is not as it was: a link, an address of IPv4, or a route that there was. */
function differences(before: HostNetwork, now: HostNetwork): string | undefined {
  const lost = before.routes.find((route) => !now.routes.some((other) => describe(other) === describe(route)));
  if (lost !== undefined) return `the route ${networkName(lost)} is missing`;
  // A guest's own end of its cable comes and goes with the guest.
  for (const { name, master, addresses } of before.links.filter(({ kind }) => kind !== 'tun')) {
    const link = now.links.find((other) => other.name === name);
    if (link === undefined) return `${name} is missing`;
    if (link.master !== master) return `${name} is a member of ${link.master ?? 'no bridge'}`;
    const missing = addresses.find((own) => own.family === 'inet' && !link.addresses.some((other) => other.address === own.address && other.prefix === own.prefix));
    if (missing !== undefined) return `${name} lacks its address ${missing.address}`;
  }
  return undefined;
}

const describe = ({ destination, prefix, hops, metric, type }: HostNetwork['routes'][number]): string =>
  JSON.stringify([destination, prefix, hops.map(({ device, gateway }) => [device, gateway]), metric, type]);
