import { ArgoError } from '../../kit/errors.js';
import type { WmiObject, WmiPath } from '../../protocols/wmi/connection.js';
import { WmiFault } from '../../protocols/wmi/errors.js';
import { beforeSending } from '../before-sending.js';
import type { PowerState } from '../driver.js';
import { count, quoted, reference, text } from '../wmi/values.js';
import type { HyperVContext } from './context.js';
import { vmPath, type Dialect } from './dialect.js';
import { followJob, JobVanished } from './jobs.js';
import { refusal, SHUTTING_DOWN } from './refusals.js';

/** The steps of a virtual machine. Asking and acting are apart: a question that is cut off leaves no doubt about what was done. */

export type VmStep = (context: HyperVContext, id: string, signal: AbortSignal) => Promise<void>;

/** What methods return when they are done, or have begun a job. */
const DONE = 0;
const JOB_STARTED = 4096;

/** Told to the guest, where it may stand in its log. */
const REASON = 'argo-server';

/** @param goal by which it is told whether a job has succeeded of which nothing is left; undefined where no state tells */
const change = (request: keyof Dialect['requests'], goal?: PowerState): VmStep => (context, id, signal) => context.use('acts', async () => {
  const answer = await context.dialects.speak((dialect) =>
    context.control.invoke(vmPath(dialect, id), 'RequestStateChange', { RequestedState: String(dialect.requests[request]) }, signal));
  await finish(context, answer, { id, goal }, signal);
});

export const start = change('on', 'on');
export const resume = start;
export const unpause = start;
export const powerOff = change('off', 'off');
export const pause = change('paused', 'paused');
export const suspend = change('saved', 'suspended');
/** The state is the same before and after. */
export const reset = change('reset');

/** Follows the job that an order has begun, if any. @throws ArgoError */
async function finish(context: HyperVContext, { ReturnValue, Job }: WmiObject, { id, goal }: { id: string; goal?: PowerState | undefined }, signal: AbortSignal): Promise<void> {
  const code = count(ReturnValue);
  if (code === DONE) return;
  if (code !== JOB_STARTED) throw refusal(code);
  const job = reference(Job);
  if (job === undefined) return;
  try {
    await followJob(context.control, job, signal);
  } catch (error) {
    // The machine may have been deleted under the job; whoever asks for it is told so.
    if (!(error instanceof JobVanished) && !(error instanceof ArgoError && error.phrase === 'FAILED')) throw error;
    const state = await context.inventory.state(id, signal);
    if (error instanceof ArgoError) throw error;
    if (state !== goal) throw new ArgoError('UNCERTAIN', `the host no longer has the job; the machine is ${state}`, { cause: error });
  }
}

/** What the guest was to be asked through has gone, with its services or with the machine. Nothing was ordered. */
class ComponentGone extends Error {}

const isGone = (error: unknown): boolean => error instanceof WmiFault && error.kind === 'no-such-instance';

/** Asks the guest through its integration services. */
const askGuest = (method: 'InitiateShutdown' | 'InitiateReboot'): VmStep => async (context, id, signal) => {
  const component = await beforeSending(signal, () => context.use('reads', () => shutdownComponent(context, id, signal)));
  try {
    await context.use('acts', async () => {
      const answer = await context.control.invoke(component, method, { Force: String(context.closesPrograms), Reason: REASON }, signal)
        .catch((error: unknown) => { throw isGone(error) ? new ComponentGone() : error; });
      if (count(answer.ReturnValue) === SHUTTING_DOWN && method === 'InitiateShutdown') return;
      await finish(context, answer, { id }, signal);
    });
  } catch (error) {
    if (error instanceof ComponentGone) throw new ArgoError('WRONG STATE', `it is ${await context.use('reads', () => context.inventory.state(id, signal))} by now`, { cause: error });
    if (!(error instanceof ArgoError) || error.phrase !== 'NOT SUPPORTED' || method !== 'InitiateReboot') throw error;
    throw new ArgoError('NOT SUPPORTED', 'this Hyper-V cannot ask a guest to reboot (Windows Server 2016 and later can): stop and start it, or use --force', { cause: error });
  }
};

export const shutdown = askGuest('InitiateShutdown');
export const reboot = askGuest('InitiateReboot');

/** A guest has it only while it runs and its integration services answer. */
async function shutdownComponent(context: HyperVContext, id: string, signal: AbortSignal): Promise<WmiPath> {
  const state = await context.inventory.state(id, signal);
  if (state !== 'on' && state !== 'starting') throw new ArgoError('WRONG STATE', `it is ${state}`);
  const { namespace } = context.dialects.current;
  const wql = `SELECT DeviceID, SystemName FROM Msvm_ShutdownComponent WHERE SystemName = ${quoted(id)}`;
  const [found] = await context.control.query(namespace, wql, signal);
  if (found === undefined) throw new ArgoError('NOT SUPPORTED', 'the guest has no integration services that could do it; --force does it the hard way');
  return {
    namespace, className: 'Msvm_ShutdownComponent',
    keys: {
      CreationClassName: 'Msvm_ShutdownComponent', DeviceID: text(found.DeviceID),
      SystemCreationClassName: 'Msvm_ComputerSystem', SystemName: text(found.SystemName),
    },
  };
}
