import { ArgoError } from '../../kit/errors.js';
import { beforeSending } from '../../kit/within.js';
import type { WmiLink } from '../wmi/link.js';
import { count, quoted, writeEmbedded } from '../wmi/values.js';
import { servicePath, type Dialect } from './dialect.js';
import { beforeOrder, doubtOf, finish, type VmStep } from './power.js';

/** Whether Hyper-V starts a machine when its host boots: a setting of the machine. */

/** AutomaticStartupAction (documentation of CIM_VirtualSystemSettingData); the one in the middle is what machines are made with. */
const STARTUP = { none: 2, whereItRan: 3, always: 4 } as const;

const SETTINGS = 'Msvm_VirtualSystemSettingData';
const SERVICE = 'Msvm_VirtualSystemManagementService';

/** Of the machine itself; those of its checkpoints have other names. */
const settingsOf = (id: string): string => `Microsoft:${id}`;

/** @returns one of {@link STARTUP}; undefined where the host does not tell. @throws ArgoError NOT SUPPORTED, NO SUCH INSTANCE */
export async function readStartupAction(link: WmiLink, { namespace, hasStartupAction }: Dialect, id: string, signal: AbortSignal): Promise<number | undefined> {
  if (!hasStartupAction) throw new ArgoError('NOT SUPPORTED', 'that is for Windows Server 2012 and later');
  const [found] = await link.query(namespace, `SELECT AutomaticStartupAction FROM ${SETTINGS} WHERE InstanceID = ${quoted(settingsOf(id))}`, signal);
  if (found === undefined) throw new ArgoError('NO SUCH INSTANCE', 'the host no longer has it');
  return count(found.AutomaticStartupAction);
}

/** Undefined where it is started only if it ran when the host went down. @throws ArgoError FAILED */
export function autostartOf(action: number | undefined): boolean | undefined {
  if (action === STARTUP.whereItRan) return undefined;
  if (action !== STARTUP.none && action !== STARTUP.always) throw new ArgoError('FAILED', 'the host does not tell what becomes of the machine when it boots');
  return action === STARTUP.always;
}

/** For `info`. */
export function autostartFacts(action: number | undefined): { autostart?: boolean; more?: { autostart: string } } {
  if (action === STARTUP.whereItRan) return { more: { autostart: 'only where it ran before' } };
  return action === STARTUP.none || action === STARTUP.always ? { autostart: action === STARTUP.always } : {};
}

/** Sends the one property: what the settings do not name stays as it is. */
export const setAutostart = (isOn: boolean): VmStep => async (context, id, signal) => {
  const wanted = isOn ? STARTUP.always : STARTUP.none;
  const { action, service } = await beforeSending(signal, () => beforeOrder(context, () => context.dialects.speak(async (dialect) => ({
    action: await readStartupAction(context.control, dialect, id, signal),
    service: await servicePath(context.control, dialect.namespace, SERVICE, signal),
  }))));
  if (action === wanted) return;
  if (service === undefined) throw new ArgoError('ACCESS DENIED', 'the account may not see the service that changes machines: it has to be in "Hyper-V Administrators"');
  const settings = writeEmbedded(SETTINGS, [['InstanceID', 'string', settingsOf(id)], ['AutomaticStartupAction', 'uint16', String(wanted)]]);
  await context.use('acts', async () => {
    const doubt = await context.control.invoke(service, 'ModifySystemSettings', { SystemSettings: settings }, signal)
      .then((answer) => finish(context, id, answer, signal), doubtOf);
    if (doubt) throw new ArgoError('UNCERTAIN', doubt.reason, { cause: doubt.cause });
  });
};
