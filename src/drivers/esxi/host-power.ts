import { ArgoError } from '../../kit/errors.js';
import { decodeName } from '../../protocols/vim/names.js';
import { isFault } from '../../protocols/vim/errors.js';
import { isRef, textOf } from '../../protocols/vim/value.js';
import { beginTask, endTask, type Context } from './context.js';
import { hostName } from './items.js';
import type { Item } from './inventory.js';
import type { HostContext } from './maintenance.js';
import { isHidden, vmState } from './states.js';

/** Stopping and rebooting a host: what runs on it goes down with it, so it is asked for twice. */

/** Names that are told of machines that are in the way. */
const NAMES_TOLD = 5;

export type TakeDown = 'ShutdownHost_Task' | 'RebootHost_Task';

const vmName = (item: Item): string => decodeName(textOf(item.properties.get('name')) ?? item.ref.value);

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
  if (!force && guests.length > 0) throw new ArgoError('WRONG STATE', refusal(guests, vCenter));
  if (vCenter) context.log('warn', 'a host is taken down that carries this vCenter', { host: hostName(host), machine: vmName(vCenter) });
  if (!force) await context.maintenance.enter(context, host, signal);
  try {
    await goDown(context, host, method, force, signal);
  } catch (error) {
    const wasRefused = error instanceof ArgoError && error.phrase !== 'UNCERTAIN';
    if (wasRefused) await context.maintenance.leave(context, host);
    throw error;
  }
}

function refusal(guests: readonly Item[], vCenter: Item | undefined): string {
  const names = guests.slice(0, NAMES_TOLD).map(vmName).join(', ');
  const rest = guests.length > NAMES_TOLD ? ` and ${guests.length - NAMES_TOLD} more` : '';
  const warning = vCenter ? `; ${vmName(vCenter)} is this vCenter` : '';
  return `${guests.length} of its machines run: ${names}${rest}${warning}; stop them first, or use --force`;
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
