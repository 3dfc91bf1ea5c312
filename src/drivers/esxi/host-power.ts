import { ArgoError } from '../../kit/errors.js';
import { isFault } from '../../protocols/vim/errors.js';
import { isRef, textOf, type Ref, type VimValue } from '../../protocols/vim/value.js';
import { beforeSending } from '../../kit/within.js';
import { ask, beginTask, endTask, order, type Context } from './context.js';
import { isHidden, vmState } from './errors.js';
import { isConnectedHost, objectName, type Item } from './items.js';

/** Stopping and rebooting a host: what runs on it goes down with it, so it is asked for twice. */

/** Names that are told of machines that are in the way. */
const NAMES_TOLD = 5;

/** For a host to fall silent, or to be heard again, s: as long as an action on a physical host may take. */
const STANDBY_TIMEOUT_S = 300;

export type TakeDown = 'ShutdownHost_Task' | 'RebootHost_Task';

/** Machines that run on a host, as far as the inventory knows. A cluster's own agents go by themselves. */
function running({ inventory }: Context, host: Item): Item[] {
  return [...inventory.items].filter(({ ref, properties }) => {
    const on = properties.get('runtime.host');
    return ref.type === 'VirtualMachine' && isRef(on) && on.value === host.ref.value && vmState(properties) === 'on' && !isHidden(properties);
  });
}

const firstLabel = (name: string): string => name.split('.', 1)[0] ?? name;

/** Whether a machine is, by its own name or address, where our vCenter answers. */
function carriesVCenter({ options: { url } }: Context, { properties }: Item): boolean {
  const asked = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const name = textOf(properties.get('guest.hostName'))?.toLowerCase();
  if (textOf(properties.get('guest.ipAddress')) === asked || name === asked) return true;
  // One of both may be without its domain.
  return name !== undefined && (name === firstLabel(asked) || firstLabel(name) === asked);
}

/**
 * Without force: in maintenance mode, which it refuses to enter while machines run. With force: at once.
 * @throws ArgoError WRONG STATE while machines run
 */
export async function takeDown(context: HostContext, host: Item, method: TakeDown, force: boolean, signal: AbortSignal): Promise<void> {
  const guests = running(context, host);
  const vCenter = guests.find((guest) => carriesVCenter(context, guest));
  if (!force) refuseWhileTheyRun(context, guests, ', or use --force');
  if (vCenter) context.log('warn', 'a host is taken down that carries this vCenter', { host: objectName(host), machine: objectName(vCenter) });
  if (!force) await context.maintenance.enter(context, host, signal);
  try {
    await goDown(context, host, method, force, signal);
  } catch (error) {
    const wasRefused = error instanceof ArgoError && error.phrase !== 'UNCERTAIN';
    if (wasRefused) await context.maintenance.leave(context, host);
    throw error;
  }
}

/** @throws ArgoError WRONG STATE, with their names. @param otherwise what else than to stop them may help */
function refuseWhileTheyRun(context: Context, guests: readonly Item[], otherwise = ''): void {
  if (guests.length === 0) return;
  const vCenter = guests.find((guest) => carriesVCenter(context, guest));
  const names = guests.slice(0, NAMES_TOLD).map(objectName).join(', ');
  const rest = guests.length > NAMES_TOLD ? ` and ${guests.length - NAMES_TOLD} more` : '';
  const warning = vCenter ? `; ${objectName(vCenter)} is this vCenter` : '';
  throw new ArgoError('WRONG STATE', `${guests.length} of its machines run: ${names}${rest}${warning}; stop them first${otherwise}`);
}

/** Into standby, from which its vCenter can wake it. @throws ArgoError WRONG STATE while machines run */
export async function standBy(context: Context, host: Item, signal: AbortSignal): Promise<void> {
  refuseWhileTheyRun(context, running(context, host));
  const args = { timeoutSec: STANDBY_TIMEOUT_S, evacuatePoweredOffVms: false };
  await endTask(context, await beginTask(context, 'PowerDownHostToStandBy_Task', host.ref, args, signal), signal);
}

/** Out of standby, by its board or by a magic packet from another host, whichever vCenter has set up for it. */
export async function wakeUp(context: Context, host: Item, signal: AbortSignal): Promise<void> {
  await endTask(context, await beginTask(context, 'PowerUpHostFromStandBy_Task', host.ref, { timeoutSec: STANDBY_TIMEOUT_S }, signal), signal);
}

/** A host that goes down takes its API with it: what has been taken on counts, not what can still be read. */
async function goDown(context: Context, host: Item, method: TakeDown, force: boolean, signal: AbortSignal): Promise<void> {
  const task = await beginTask(context, method, host.ref, { force }, signal);
  try {
    await endTask(context, task, signal);
  } catch (error) {
    // A task that ended because its time was over ended in vain.
    if (!(error instanceof ArgoError) || error.phrase !== 'UNCERTAIN' || isFault(error.cause, 'Timedout')) throw error;
  }
}

/** Maintenance mode of hosts that are stopped or rebooted: a host stays in it when it has booted, until somebody ends that. */

/** Entering it on a host without running machines, and leaving it, s. */
const MODE_TIMEOUT_S = 60;
/** Leaving it, with the following of the task, ms. */
const LEAVE_TIMEOUT = 70_000;
/** Giving up on entering it, ms. */
const CANCEL_TIMEOUT = 5000;

interface Entered {
  /** when it had booted before */
  readonly booted: VimValue;
  leaving: boolean;
  /** it was to be left while that was already being looked at: the look may have come too early */
  leaveAgain: boolean;
  /** given up: it is to be left as soon as it is entered, which may happen until then (performance.now) */
  givenUpUntil: number;
}

const bootTime = (item: Item): VimValue => {
  const value = item.properties.get('runtime.bootTime');
  return value instanceof Date ? value.toISOString() : textOf(value) ?? null;
};

/** What the hosts of one provider share. */
export interface HostContext extends Context {
  readonly maintenance: Maintenance;
}

/** The hosts that we have put into maintenance mode, for them to be taken out of it. */
export class Maintenance {
  readonly #entered = new Map<string, Entered>();

  /** @throws ArgoError. Where the signal ends it, what was begun is undone behind the caller's back. */
  async enter(context: Context, item: Item, signal: AbortSignal): Promise<void> {
    const now = await beforeSending(signal, () => ask(context, item.ref, ['runtime.inMaintenanceMode'], signal));
    if (now.get('runtime.inMaintenanceMode') === true) return;
    this.#entered.set(item.ref.value, { booted: bootTime(item), leaving: false, leaveAgain: false, givenUpUntil: 0 });
    const args = { timeout: MODE_TIMEOUT_S, evacuatePoweredOffVms: false };
    let task: Ref | undefined;
    try {
      task = await beginTask(context, 'EnterMaintenanceMode_Task', item.ref, args, signal);
      await endTask(context, task, signal);
    } catch (error) {
      void this.#giveUp(context, item, task);
      throw error;
    }
  }

  /** Leaves it, if it was we who entered it. Never rejects. */
  async leave(context: Context, item: Item): Promise<void> {
    const entered = this.#entered.get(item.ref.value);
    if (entered === undefined) return;
    entered.leaveAgain = entered.leaving;
    if (entered.leaving) return;
    entered.leaving = true;
    do {
      entered.leaveAgain = false;
      await this.#leaveNow(context, item, entered);
    } while (entered.leaveAgain && this.#entered.has(item.ref.value));
    entered.leaving = false;
  }

  async #leaveNow(context: Context, item: Item, entered: Entered): Promise<void> {
    const signal = AbortSignal.timeout(LEAVE_TIMEOUT);
    try {
      const isIn = (await ask(context, item.ref, ['runtime.inMaintenanceMode'], signal)).get('runtime.inMaintenanceMode') === true;
      if (isIn) {
        await endTask(context, await beginTask(context, 'ExitMaintenanceMode_Task', item.ref, { timeout: MODE_TIMEOUT_S }, signal), signal);
        context.log('info', 'a host was taken out of maintenance mode', { host: objectName(item) });
      }
      if (isIn || entered.givenUpUntil === 0) this.#entered.delete(item.ref.value);
    } catch (error) {
      context.log('warn', 'a host stays in maintenance mode', { host: objectName(item), error: String(error) });
    }
  }

  /** Takes a host out of it that has booted since, or that has entered it late. */
  leaveWhenBooted(context: Context, item: Item): void {
    const entered = this.#entered.get(item.ref.value);
    if (entered === undefined || !isConnectedHost(item.properties)) return;
    const booted = bootTime(item);
    const isBack = booted !== null && booted !== entered.booted;
    const isLate = performance.now() < entered.givenUpUntil && item.properties.get('runtime.inMaintenanceMode') === true;
    if (isBack || isLate) void this.leave(context, item);
    else if (entered.givenUpUntil > 0 && performance.now() > entered.givenUpUntil) this.#entered.delete(item.ref.value);
  }

  async #giveUp(context: Context, item: Item, task: Ref | undefined): Promise<void> {
    const entered = this.#entered.get(item.ref.value);
    if (entered) entered.givenUpUntil = performance.now() + MODE_TIMEOUT_S * 1000;
    if (task) await order(context, 'CancelTask', task, {}, AbortSignal.timeout(CANCEL_TIMEOUT)).catch(() => undefined);
    await this.leave(context, item);
  }
}
