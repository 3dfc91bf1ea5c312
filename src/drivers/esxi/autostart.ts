import { ArgoError } from '../../kit/errors.js';
import { beforeSending } from '../../kit/within.js';
import { at, flagOf, isRef, listOf, numberOf, sameRef, textOf, type Ref, type VimValue } from '../../protocols/vim/value.js';
import { ask, askVm, order, type Context } from './context.js';
import type { Item } from './items.js';

/** Whether a machine is started with its host: a setting of the host (HostAutoStartManager), also where a vCenter passes it on. */

/** For a machine that the host has no entry of: in no particular order, and by the host's own measure (AutoStartPowerInfo). */
const NO_ORDER = -1;
const BY_DEFAULT = { startDelay: -1, waitForHeartbeat: 'systemDefault', stopDelay: -1, stopAction: 'systemDefault' };

const NOT_TOLD = 'its host does not tell which machines it starts';

/** What a host says of its machines. */
interface Settings {
  readonly manager: Ref;
  /** whether the host starts machines at all */
  readonly isEnabled: boolean;
  /** undefined for a machine that it does not mention */
  readonly entry: VimValue | undefined;
}

/** @throws ArgoError as {@link askVm}; WRONG STATE for a machine on no host; NOT SUPPORTED where its host tells of no such setting */
async function readSettings(context: Context, item: Item, id: string, signal: AbortSignal): Promise<Settings> {
  const host = (await askVm(context, item, id, ['runtime.host'], signal)).get('runtime.host');
  if (!isRef(host)) throw new ArgoError('WRONG STATE', 'it is on no host');
  const manager = (await ofHost(ask(context, host, ['configManager.autoStartManager'], signal))).get('configManager.autoStartManager');
  if (!isRef(manager)) throw new ArgoError('NOT SUPPORTED', NOT_TOLD);
  const config = (await ofHost(ask(context, manager, ['config'], signal))).get('config');
  const entry = listOf(at(config, 'powerInfo')).find((one) => {
    const key = at(one, 'key');
    return isRef(key) && sameRef(key, item.ref);
  });
  return { manager, isEnabled: flagOf(at(config, 'defaults', 'enabled')), entry };
}

/** That the host is gone, or its manager, does not say that of the machine. */
const ofHost = <T>(question: Promise<T>): Promise<T> => question.catch((error: unknown) => {
  throw error instanceof ArgoError && error.phrase === 'NO SUCH INSTANCE' ? new ArgoError('NOT SUPPORTED', NOT_TOLD, { cause: error }) : error;
});

/** Hosts write it in several cases. */
const isStarted = (entry: VimValue | undefined): boolean => textOf(at(entry, 'startAction'))?.toLowerCase() === 'poweron';

/** Only where the host starts machines at all is one started that is to be. @throws as {@link readSettings} */
export async function readAutostart(context: Context, item: Item, id: string, signal: AbortSignal): Promise<boolean> {
  const { isEnabled, entry } = await readSettings(context, item, id, signal);
  return isEnabled && isStarted(entry);
}

/** As {@link readAutostart}; undefined where that is not to be had. */
export const autostartIfKnown = (context: Context, item: Item, id: string, signal: AbortSignal): Promise<boolean | undefined> =>
  readAutostart(context, item, id, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    if (error instanceof ArgoError) return undefined;
    throw error;
  });

/** The entry of this machine alone is sent, with how it is stopped as it was: those of others stay as they are. */
export async function setAutostart(context: Context, item: Item, id: string, isOn: boolean, signal: AbortSignal): Promise<void> {
  const { manager, isEnabled, entry } = await beforeSending(signal, () => readSettings(context, item, id, signal));
  if (isOn && !isEnabled) {
    throw new ArgoError('WRONG STATE', 'its host starts no machine by itself: that is off in the host\'s own settings (Autostart), or a cluster with HA has taken it over');
  }
  if (isStarted(entry) === isOn) return;
  const powerInfo = {
    key: item.ref,
    startOrder: isOn ? numberOf(at(entry, 'startOrder')) ?? NO_ORDER : NO_ORDER,
    startDelay: numberOf(at(entry, 'startDelay')) ?? BY_DEFAULT.startDelay,
    waitForHeartbeat: textOf(at(entry, 'waitForHeartbeat')) ?? BY_DEFAULT.waitForHeartbeat,
    startAction: isOn ? 'powerOn' : 'none',
    stopDelay: numberOf(at(entry, 'stopDelay')) ?? BY_DEFAULT.stopDelay,
    stopAction: textOf(at(entry, 'stopAction')) ?? BY_DEFAULT.stopAction,
  };
  await order(context, 'ReconfigureAutostart', manager, { spec: { powerInfo: [powerInfo] } }, signal);
}
