import { setTimeout as sleep } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import type { PowerState } from '../driver.js';
import type { Dom0 } from './context.js';
import type { Row } from './output.js';
import { complaint, refusal, stateOf } from './errors.js';
import { onAbort, within } from '../../kit/within.js';
import type { Output } from './program.js';

/** Milliseconds between looks at a domain that is going. */
const GOING_INTERVAL = 200;
/** Milliseconds that a destroyed domain may take to give its name up. */
const GOING_LIMIT = 10_000;
/** Milliseconds for xl to write a guest's memory, when nobody waits for it any more. */
const SAVE_LIMIT = 30 * 60_000;

/** off → on, from its configuration file. */
export async function start(dom0: Dom0, name: string, signal: AbortSignal): Promise<void> {
  const row = await dom0.find(name, signal);
  if (row) throw new ArgoError('WRONG STATE', existing(row));
  if (await backFromReboot(dom0, name, signal)) return;
  const save = await dom0.saves.find(name);
  if (save?.kind === 'whole') throw new ArgoError('WRONG STATE', 'it is suspended: resume it, or stop it by force to give its memory up');
  if (save) throw new ArgoError('WRONG STATE', `${save.path} was not written to its end; stop it by force to start without`);
  const { path } = await dom0.configs.fresh(dom0.configOf(name));
  await dom0.move(name, 'starting', () => create(dom0, name, ['create', '-q', '-f', path], signal));
}

/** The guest is asked through xenstore; an HVM guest without PV drivers by its ACPI power button, which is a request too. */
export async function shutdown(dom0: Dom0, name: string, signal: AbortSignal): Promise<void> {
  const { domid } = await responsive(dom0, name, signal);
  dom0.forgetReboot(name);
  await change(dom0, ['shutdown', '-F', '--', String(domid)], signal);
}

/** Ends the domain. A machine that is suspended has none: its image is put aside, and the machine is off. */
export async function powerOff(dom0: Dom0, name: string, signal: AbortSignal): Promise<void> {
  const row = await dom0.find(name, signal);
  const image = row ? undefined : await dom0.saves.find(name);
  if (image) return dom0.move(name, 'stopping', () => dom0.saves.discard(image));
  const running = row ?? await dom0.running(name, signal);
  await dropStale(dom0, running);
  dom0.forgetReboot(name);
  await change(dom0, ['destroy', '--', String(running.domid)], signal);
}

/** Without `-F`: there xl's other way is the reset button, which asks nobody. */
export async function reboot(dom0: Dom0, name: string, signal: AbortSignal): Promise<void> {
  const row = await responsive(dom0, name, signal);
  dom0.expectReboot(row);
  try {
    await change(dom0, ['reboot', '--', String(row.domid)], signal);
  } catch (error) {
    if (!(error instanceof ArgoError && error.phrase === 'UNCERTAIN')) dom0.forgetReboot(name);
    throw error;
  }
}

/**
 * Destroys the domain and creates it from its file, as xl itself does at a reboot: x86 hypervisors
 * have no reset for guests (XEN_DOMCTL_SENDTRIGGER_RESET is not implemented). The file is tried first.
 */
export async function reset(dom0: Dom0, name: string, signal: AbortSignal): Promise<void> {
  const { path } = await dom0.configs.fresh(dom0.configOf(name));
  await dom0.xl.run(['create', '-n', '-q', '-f', path], { signal });
  const { domid } = await dom0.running(name, signal);
  await dom0.move(name, 'starting', async () => {
    dom0.forgetReboot(name);
    await change(dom0, ['destroy', '--', String(domid)], signal);
    try {
      await gone(dom0, name, signal);
      const image = await dom0.saves.find(name);
      if (image) await dom0.saves.discard(image);
      await create(dom0, name, ['create', '-q', '-f', path], signal);
    } catch (error) {
      throw afterPowerOff(error);
    }
  });
}

/** "Nothing was done" is no longer true then. */
function afterPowerOff(error: unknown): unknown {
  if (!(error instanceof ArgoError)) return error;
  const open = error.phrase === 'UNCERTAIN' || error.phrase === 'UNREACHABLE' || error.phrase === 'BUSY';
  return new ArgoError(open ? 'UNCERTAIN' : 'FAILED', `it was powered off, but not started again: ${error.message}`, { cause: error });
}

export async function pause(dom0: Dom0, name: string, signal: AbortSignal): Promise<void> {
  const { domid } = await alive(dom0, name, signal);
  await verified(dom0, name, domid, 'paused', await change(dom0, ['pause', '--', String(domid)], signal), signal);
}

export async function unpause(dom0: Dom0, name: string, signal: AbortSignal): Promise<void> {
  const { domid } = await alive(dom0, name, signal);
  await verified(dom0, name, domid, 'on', await change(dom0, ['unpause', '--', String(domid)], signal), signal);
}

/**
 * Writes the guest's memory to an image and ends the domain. When the caller gives up, xl is left to
 * finish: a guest whose save is cut short stays frozen, with nothing in xl to wake it.
 */
export async function suspend(dom0: Dom0, name: string, signal: AbortSignal): Promise<void> {
  const { domid } = await responsive(dom0, name, signal);
  await dom0.saves.prepare();
  const queue = new AbortController();
  let begun = false;
  const work = dom0.move(name, 'stopping', async () => {
    await dom0.saves.remove(name, 'partial');
    await within(SAVE_LIMIT, [queue.signal], (limit) => save(dom0, name, domid, limit, () => {
      begun = true;
    }));
  });
  await new Promise<void>((resolve, reject) => {
    const forget = onAbort(signal, () => {
      if (!begun) queue.abort();
      else reject(new ArgoError('UNCERTAIN', 'xl is still writing its memory to disk, and is left to finish'));
    });
    dom0.leftToFinish(work);
    work.finally(forget).then(resolve, (error: unknown) => {
      if (signal.aborted) dom0.log('error', `${name}: suspend failed`, { error: String(error) });
      reject(error);
    });
  });
}

async function save(dom0: Dom0, name: string, domid: number, signal: AbortSignal, onStart: () => void): Promise<void> {
  const partial = dom0.saves.path(name, 'partial');
  try {
    await dom0.xl.run(['save', '--', String(domid), partial], { signal, changes: true, onStart });
  } catch (error) {
    // xl says so only when it has woken the guest again, so this image is of no use.
    if (error instanceof ArgoError && error.phrase !== 'UNCERTAIN') await dom0.saves.remove(name, 'partial');
    throw error;
  }
  // The image is whole, even where xl could not clear the frozen domain away, which it does not tell.
  await dom0.saves.complete(name);
  await gone(dom0, name, signal);
}

/** Brings a machine back from its image, which goes only when the machine is seen to run. */
export async function resume(dom0: Dom0, name: string, signal: AbortSignal): Promise<void> {
  const row = await dom0.find(name, signal);
  if (row) throw new ArgoError('WRONG STATE', existing(row));
  const image = await dom0.saves.find(name);
  if (image?.kind !== 'whole') throw new ArgoError('WRONG STATE', 'it is not suspended');
  await dom0.move(name, 'starting', async () => {
    await create(dom0, name, ['restore', '--', image.path], signal);
    await dom0.saves.remove(name, 'whole');
  });
}

/** xl lets a new domain run and does not look whether that worked; so we do. */
async function create(dom0: Dom0, name: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  const { stderr } = await change(dom0, args, signal);
  const row = await seen(dom0, name, signal);
  if (!row) throw new ArgoError('FAILED', 'xl created the domain, and it is gone again');
  if (stateOf(row.flags) === 'paused') throw new ArgoError('FAILED', `xl left it paused: ${complaint(stderr) || 'it does not say why'}`);
}

function change(dom0: Dom0, args: readonly string[], signal: AbortSignal): Promise<Output> {
  return dom0.xl.run(args, { signal, changes: true });
}

/** As find, after a change: then a listing that fails leaves the change's outcome open. */
async function seen(dom0: Dom0, name: string, signal: AbortSignal): Promise<Row | undefined> {
  try {
    return await dom0.find(name, signal);
  } catch (error) {
    throw new ArgoError('UNCERTAIN', 'xl took the order, but cannot list the domains since', { cause: error });
  }
}

/** `xl pause` and `xl unpause` exit with 0 when they fail, too. */
async function verified(dom0: Dom0, name: string, domid: number, wanted: PowerState, { stderr }: Output, signal: AbortSignal): Promise<void> {
  const row = await seen(dom0, name, signal);
  if (row?.domid !== domid) throw new ArgoError('FAILED', 'it ended meanwhile');
  const state = stateOf(row.flags);
  if (state === wanted) return;
  throw stderr.trim() ? refusal(stderr, 0) : new ArgoError('FAILED', `xl reported no error, but it is ${state}`);
}

async function gone(dom0: Dom0, name: string, signal: AbortSignal): Promise<void> {
  const limit = performance.now() + GOING_LIMIT;
  while (await seen(dom0, name, signal)) {
    if (performance.now() > limit) throw new ArgoError('FAILED', 'xl ended the domain, but it is still there');
    await sleep(GOING_INTERVAL, undefined, { signal }).catch(() => {
      throw new ArgoError('UNCERTAIN', 'xl ended the domain, but it was still there at the deadline');
    });
  }
}

/**
 * Between its two domains a machine that reboots has none, and its name is free. What we built then, xl's monitor
 * would build a second time if ours had ended meanwhile; so the monitor goes first.
 * @returns whether it came back
 */
async function backFromReboot(dom0: Dom0, name: string, signal: AbortSignal): Promise<boolean> {
  while (dom0.isRebooting(name)) {
    await sleep(GOING_INTERVAL, undefined, { signal }).catch(() => {
      throw new ArgoError('UNCERTAIN', 'it is just rebooting, and was not back at the deadline');
    });
    if (await dom0.find(name, signal)) return true;
  }
  return false;
}

/** A domain that is on or paused. */
async function alive(dom0: Dom0, name: string, signal: AbortSignal): Promise<Row> {
  const row = await dom0.running(name, signal);
  const state = stateOf(row.flags);
  if (state !== 'on' && state !== 'paused') throw new ArgoError('WRONG STATE', `it is ${state}`);
  await dropStale(dom0, row);
  return row;
}

/** A running machine's image must not outlive it: once it is off, nobody could tell that the image is out of date. */
async function dropStale(dom0: Dom0, { name, flags }: Row): Promise<void> {
  if (stateOf(flags) !== 'on' || dom0.isMoving(name)) return;
  const image = await dom0.saves.find(name);
  if (image) await dom0.saves.setAside(image);
}

/** A domain whose guest can hear a request. */
async function responsive(dom0: Dom0, name: string, signal: AbortSignal): Promise<Row> {
  const row = await alive(dom0, name, signal);
  if (stateOf(row.flags) === 'paused') throw new ArgoError('WRONG STATE', 'a paused guest cannot obey; unpause it first');
  return row;
}

function existing({ domid, flags }: Row): string {
  const state = stateOf(flags);
  if (state === 'on' || state === 'paused') return `it is ${state} already`;
  return `domain ${domid} of this name is ${state}; power it off first if it stays`;
}
