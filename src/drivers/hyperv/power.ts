import { ArgoError } from '../../kit/errors.js';
import type { WmiObject, WmiPath } from '../../protocols/wmi/connection.js';
import { WmiFault } from '../../protocols/wmi/errors.js';
import { beforeSending } from '../../kit/within.js';
import type { PowerState } from '../driver.js';
import { explain } from '../wmi/errors.js';
import { count, quoted, reference, text } from '../wmi/values.js';
import type { HyperVContext } from './context.js';
import { vmPath, type Dialect } from './dialect.js';
import { type Doubt, followJob, settle, stateOf } from './outcome.js';
import { NotThere, refusal, SHUTTING_DOWN } from './errors.js';

/** The steps of a virtual machine. Asking and acting are apart: a question that is cut off leaves no doubt about what was done. */

export type VmStep = (context: HyperVContext, id: string, signal: AbortSignal) => Promise<void>;

/** What methods return when they are done, or have begun a job. */
const DONE = 0;
const JOB_STARTED = 4096;

/** Told to the guest, where it may stand in its log. */
const REASON = 'argo-server';

/** How long a machine may stay as it was when an answer was lost: what was ordered begins at once, or not at all. ms */
const LOST_ANSWER_REST_MS = 1000;
/** The same when the order was taken and its job is not to be seen: a busy host may take its time. ms */
const LOST_JOB_REST_MS = 30_000;

const ask = (context: HyperVContext, id: string, request: keyof Dialect['requests'], signal: AbortSignal): Promise<WmiObject> =>
  context.dialects.speak((dialect) => context.control.invoke(vmPath(dialect, id), 'RequestStateChange', { RequestedState: String(dialect.requests[request]) }, signal))
    .catch((error: unknown) => { throw isGone(error) ? new NotThere(error) : error; });

/** @param goal by which it is told what came of an order that was not answered; undefined where no state tells */
const change = (request: keyof Dialect['requests'], goal?: PowerState): VmStep => (context, id, signal) => context.use('acts', async () => {
  const doubt = await ask(context, id, request, signal).then((answer) => finish(context, id, answer, signal), doubtOf);
  if (doubt) await settle(context, { id, goal }, doubt, signal);
});

export const start = change('on', 'on');
export const resume = start;
export const unpause = start;
export const powerOff = change('off', 'off');
export const pause = change('paused', 'paused');
export const suspend = change('saved', 'suspended');
/** The state is the same before and after. */
export const reset = change('reset');

/**
 * Follows the job that an order has begun, if any.
 * @returns why it is not known what came of it; undefined where it is done
 * @throws ArgoError where it is not
 */
export async function finish(context: HyperVContext, id: string, { ReturnValue, Job }: WmiObject, signal: AbortSignal): Promise<Doubt | undefined> {
  const code = count(ReturnValue);
  if (code === DONE) return undefined;
  if (code === undefined) return { reason: 'Hyper-V answers without saying whether it does it', rest: LOST_ANSWER_REST_MS };
  if (code !== JOB_STARTED) return doubtOf(refusal(code));
  const job = reference(Job);
  if (job === undefined) return { reason: 'Hyper-V has begun it and names no job', rest: LOST_JOB_REST_MS };
  const end = await followJob(context.control, job, signal);
  if (end === 'done') return undefined;
  if (end === 'lost') return { reason: 'the host does not tell what became of its job', rest: LOST_JOB_REST_MS };
  // The machine may have been deleted under the job; whoever asks for it is told so.
  if (end.phrase === 'FAILED') await stateOf(context, id, signal);
  return doubtOf(end);
}

/** @throws what leaves no doubt, as it is */
export function doubtOf(error: unknown): Doubt {
  const explained = explain(error, 'acts');
  if (!(explained instanceof ArgoError) || explained.phrase !== 'UNCERTAIN') throw error;
  return { reason: explained.detail, rest: LOST_ANSWER_REST_MS, cause: error };
}

/** What the guest was to be asked through has gone, with its services or with the machine. Nothing was ordered. */
class ComponentGone extends Error {}

const isGone = (error: unknown): boolean => error instanceof WmiFault && error.kind === 'no-such-instance';

/** Asks the guest through its integration services. */
const askGuest = (method: 'InitiateShutdown' | 'InitiateReboot'): VmStep => async (context, id, signal) => {
  const component = await beforeSending(signal, () => beforeOrder(context, () => shutdownComponent(context, id, signal)));
  try {
    await context.use('acts', async () => {
      const answer = await context.control.invoke(component, method, { Force: String(context.closesPrograms), Reason: REASON }, signal)
        .catch((error: unknown) => { throw isGone(error) ? new ComponentGone() : error; });
      const code = count(answer.ReturnValue);
      // These methods have no job to tell of: begun is all that there is to know.
      if (code === JOB_STARTED && reference(answer.Job) === undefined) return;
      if (code === SHUTTING_DOWN && method === 'InitiateShutdown') return;
      const doubt = await finish(context, id, answer, signal);
      if (doubt) await settle(context, { id }, doubt, signal);
    });
  } catch (error) {
    if (error instanceof ComponentGone) throw new ArgoError('WRONG STATE', `it is ${await beforeOrder(context, () => context.inventory.state(id, signal))} by now`, { cause: error });
    if (!(error instanceof ArgoError) || error.phrase !== 'NOT SUPPORTED' || method !== 'InitiateReboot') throw error;
    throw new ArgoError('NOT SUPPORTED', 'this Hyper-V cannot ask a guest to reboot (Windows Server 2016 and later can): stop and start it, or use --force', { cause: error });
  }
};

export const shutdown = askGuest('InitiateShutdown');
export const reboot = askGuest('InitiateReboot');

/** Reads, where nothing has been ordered. @throws NotThere where the host does not have the machine */
export async function beforeOrder<T>(context: HyperVContext, work: () => Promise<T>): Promise<T> {
  try {
    return await context.use('reads', work);
  } catch (error) {
    throw error instanceof ArgoError && error.phrase === 'NO SUCH INSTANCE' ? new NotThere(error) : error;
  }
}

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
