import { ArgoError } from '../../kit/errors.js';
import { entryOf } from '../../kit/tables.js';
import type { Properties } from '../../protocols/vim/properties.js';
import type { Method } from '../../protocols/vim/schema.js';
import type { Arguments } from '../../protocols/vim/soap-client.js';
import { at, flagOf, isRef, listOf, textOf, type VimValue } from '../../protocols/vim/value.js';
import type { Facts, Machine, PowerState } from '../driver.js';
import { ask, beginTask, endTask, type Context } from './context.js';
import { objectName, refuseAnother, vAppId, type Item } from './items.js';

/** A vApp (VirtualApp): machines that are started and stopped together, in an order that is set in vCenter. */

/** vApps in each other; more is a circle. */
const DEEPEST_VAPP = 20;
/** Names of machines in `info`; the rest is counted. */
const NAMES_TOLD = 20;

export const isVApp = ({ ref }: Item): boolean => ref.type === 'VirtualApp';

const STATES: Readonly<Record<string, PowerState>> = { started: 'on', stopped: 'off', starting: 'starting', stopping: 'stopping' };

/** `stopped` is also one that is suspended (VirtualAppSummary). */
export function vAppState(properties: Properties): PowerState {
  const summary = properties.get('summary');
  const state = entryOf(STATES, textOf(at(summary, 'vAppState')) ?? '') ?? 'unknown';
  return state === 'off' && flagOf(at(summary, 'suspended')) ? 'suspended' : state;
}

/** One within another has the other's name before its own, as in a folder. */
export function vAppName({ inventory }: Context, item: Item): string {
  const names = [objectName(item)];
  let parent = item.properties.get('parentVApp');
  for (let depth = 0; isRef(parent) && depth < DEEPEST_VAPP; depth += 1) {
    const outer = inventory.item(parent.value);
    if (outer === undefined) break;
    names.unshift(objectName(outer));
    parent = outer.properties.get('parentVApp');
  }
  return names.join('/');
}

export function createVApp(context: Context, item: Item): Machine {
  const id = vAppId(item);
  const unlessGone = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      refuseAnother(vAppId(item), id);
      return await work();
    } catch (error) {
      if (error instanceof ArgoError && error.phrase === 'NO SUCH INSTANCE') void context.inventory.doubt(item);
      throw error;
    }
  };
  const read = (paths: readonly string[], signal: AbortSignal): Promise<Properties> => unlessGone(async () => {
    const properties = await ask(context, item.ref, paths, signal);
    refuseAnother(vAppId({ ref: item.ref, properties }), id);
    return properties;
  });
  // What is in the way of a vApp may be one of its machines: of which of them InvalidPowerState speaks is not told.
  const task = (method: Method, args: Arguments) => (signal: AbortSignal): Promise<void> =>
    unlessGone(async () => endTask(context, await beginTask(context, method, item.ref, args, signal), signal));
  const start = task('PowerOnVApp_Task', {});
  return {
    id,
    name: vAppName(context, item),
    type: 'vm',
    status: async (signal) => vAppState(await read(['summary'], signal)),
    start,
    resume: start,
    shutdown: task('PowerOffVApp_Task', { force: false }),
    powerOff: task('PowerOffVApp_Task', { force: true }),
    suspend: task('SuspendVApp_Task', {}),
    info: async (signal) => readFacts(context, await read(['summary', 'vm'], signal)),
  };
}

function readFacts({ inventory }: Context, now: Properties): Facts {
  const uuid = textOf(at(now.get('summary'), 'instanceUuid'));
  const machines = listOf(now.get('vm'));
  const nameOf = (ref: VimValue): string | undefined => {
    const machine = isRef(ref) ? inventory.item(ref.value) : undefined;
    return machine && objectName(machine);
  };
  const names = machines.map(nameOf).filter((name) => name !== undefined).slice(0, NAMES_TOLD);
  const rest = machines.length > names.length ? `${names.length > 0 ? ' and ' : ''}${machines.length - names.length} more` : '';
  return { ...(uuid === undefined ? {} : { uuid }), more: { kind: 'vApp', machines: machines.length === 0 ? 'none' : `${names.join(', ')}${rest}` } };
}
