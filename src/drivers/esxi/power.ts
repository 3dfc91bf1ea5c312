import { setTimeout as pause } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import { entryOf } from '../../kit/tables.js';
import { isAbort, within } from '../../kit/within.js';
import { isFault, VimFault } from '../../protocols/vim/errors.js';
import type { Properties } from '../../protocols/vim/properties.js';
import type { Method } from '../../protocols/vim/schema.js';
import { faultOf, type Beside } from '../../protocols/vim/tasks.js';
import { at, flagOf, isRef, listOf, sameRef, type Ref, type VimValue } from '../../protocols/vim/value.js';
import { ask, beginTask, endTask, order, type Context } from './context.js';
import { explain, questionOf, type Question } from './errors.js';
import type { Item } from './items.js';

/** Faults for which another host, or one more, may be the remedy (InsufficientResourcesFault and its kinds). */
const NO_ROOM = /^Insufficient.*(?:Resource|Capacity)|^NoCompatibleHost/;
const DRS_ENABLED = 'configuration.drsConfig.enabled';
/** More folders in each other than anybody has. */
const DEEPEST_FOLDER = 50;
/** For a machine to come up after DRS has begun to start it, ms, and between looks at it. */
const DRS_LIMIT_MS = 120_000;
const DRS_LOOK_MS = 500;

/** One step on a virtual machine that is a task. @param wanted vSphere's state in which it is achieved already */
export async function powerTask(context: Context, item: Item, method: Method, wanted: string | undefined, signal: AbortSignal): Promise<void> {
  try {
    const task = await beginTask(context, method, item.ref, {}, signal);
    await endTask(context, task, signal, besideQuestion(context, item, signal));
  } catch (error) {
    if (wanted === undefined || !isAlready(error, wanted)) throw error;
  }
}

/**
 * On, or on from where it was suspended. A single machine is placed by DRS, too, but neither are other machines moved for
 * it nor hosts woken, so where there was no room DRS is asked for that (VirtualMachine.PowerOnVM_Task of the vSphere API).
 */
export async function powerOn(context: Context, item: Item, signal: AbortSignal): Promise<void> {
  try {
    await powerTask(context, item, 'PowerOnVM_Task', 'poweredOn', signal);
  } catch (error) {
    const hasNoRoom = error instanceof ArgoError && error.cause instanceof VimFault && NO_ROOM.test(error.cause.fault);
    const datacenter = hasNoRoom ? await datacenterWithDrs(context, item, signal).catch(() => undefined) : undefined;
    if (datacenter === undefined) throw error;
    context.log('info', 'there is no room for a machine: DRS is asked to make some', { machine: item.properties.get('name') });
    await powerOnByDrs(context, item, datacenter, signal);
  }
}

/** The datacenter of a machine in a cluster with DRS. */
async function datacenterWithDrs(context: Context, item: Item, signal: AbortSignal): Promise<Ref | undefined> {
  let hasDrs = false;
  let place = item.properties.get('runtime.host');
  for (let depth = 0; isRef(place) && depth < DEEPEST_FOLDER; depth += 1) {
    if (place.type === 'Datacenter') return hasDrs ? place : undefined;
    const isCluster = place.type === 'ClusterComputeResource';
    const found = await ask(context, place, isCluster ? ['parent', DRS_ENABLED] : ['parent'], signal);
    if (isCluster) hasDrs = flagOf(found.get(DRS_ENABLED));
    place = found.get('parent');
  }
  return undefined;
}

/** Datacenter.PowerOnMultiVM_Task, whose success says only what was attempted (ClusterPowerOnVmResult). */
async function powerOnByDrs(context: Context, item: Item, datacenter: Ref, signal: AbortSignal): Promise<void> {
  const isOurs = (one: VimValue): boolean => { const vm = at(one, 'vm'); return isRef(vm) && sameRef(vm, item.ref); };
  const all = await beginTask(context, 'PowerOnMultiVM_Task', datacenter, { vm: [item.ref] }, signal);
  await endTask(context, all, signal, besideQuestion(context, item, signal));
  const result = (await afterOrder(() => ask(context, all, ['info.result'], signal))).get('info.result');
  const refused = listOf(at(result, 'notAttempted')).find(isOurs);
  if (refused !== undefined) throw explain(faultOf(at(refused, 'fault')), 'order');
  const attempted = listOf(at(result, 'attempted')).find(isOurs);
  if (attempted === undefined && listOf(at(result, 'recommendations')).length > 0) {
    throw new ArgoError('FAILED', 'it was not started: DRS only recommends how to make room for it, which has to be applied by hand in vCenter');
  }
  const task = at(attempted, 'task');
  if (isRef(task)) await endTask(context, task, signal, besideQuestion(context, item, signal));
  else await becomesOn(context, item, signal);
}

/** DRS's own attempts have no task to be followed. */
async function becomesOn(context: Context, item: Item, signal: AbortSignal): Promise<void> {
  await within(DRS_LIMIT_MS, [signal], async (limit) => {
    for (;;) {
      const now = await afterOrder(() => ask(context, item.ref, ['runtime.powerState', 'runtime.question'], limit));
      if (now.get('runtime.powerState') === 'poweredOn') return;
      await answerQuestion(context, item, now, limit);
      await pause(DRS_LOOK_MS, undefined, { signal: limit });
    }
  }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw isAbort(error) ? new ArgoError('UNCERTAIN', 'DRS said that it has begun to start it, and it is not on yet') : error;
  });
}

/** What cannot be read after an order was taken on leaves its fate in doubt. */
async function afterOrder<T>(look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (error) {
    throw error instanceof ArgoError ? new ArgoError('UNCERTAIN', `what became of it cannot be told: ${error.detail}`, { cause: error }) : error;
  }
}

/** Somebody was faster, or our own order was answered twice: what was wanted is there. */
const isAlready = (error: unknown, wanted: string): boolean =>
  error instanceof ArgoError && isFault(error.cause, 'InvalidPowerState') && at(error.cause.detail, 'existingState') === wanted;

const besideQuestion = (context: Context, item: Item, signal: AbortSignal): Beside => ({
  ref: item.ref, paths: ['runtime.question'], look: (properties) => answerQuestion(context, item, properties, signal),
});

/**
 * A machine that asks something goes on when it is answered, and not before.
 * @throws ArgoError NEEDS ANSWER, with the question, where no answer is configured
 */
async function answerQuestion(context: Context, item: Item, properties: Properties, signal: AbortSignal): Promise<void> {
  const question = questionOf(properties.get('runtime.question'));
  if (question === undefined) return;
  const answer = answerTo(context, question);
  if (answer === undefined) throw new ArgoError('NEEDS ANSWER', question.text);
  context.log('info', 'question answered', { machine: item.properties.get('name'), question: question.text, answer: answer.label });
  try {
    await order(context, 'AnswerVM', item.ref, { questionId: question.id, answerChoice: answer.key }, signal);
  } catch (error) {
    // The task that asks has begun: that nothing was done would not be true.
    if (error instanceof ArgoError && error.phrase === 'UNREACHABLE') throw new ArgoError('UNCERTAIN', error.detail, { cause: error });
    // Somebody else has answered meanwhile.
    if (!(error instanceof ArgoError) || !isFault(error.cause, 'InvalidArgument', 'ConcurrentAccess')) throw error;
  }
}

/** An answer is configured by the id of a message of the question, as a choice's key or label. */
function answerTo({ options }: Context, { id, messages, choices }: Question): { key: string; label: string } | undefined {
  const given = [...messages, id].map((name) => entryOf(options.answers, name)).find((answer) => answer !== undefined);
  return choices.find(({ key, label }) => given !== undefined && (key === given || label.toLowerCase() === given.toLowerCase()));
}

/** Asks the guest to end or to start again, which VMware Tools do. A question that waits would keep it. */
export async function askGuest(context: Context, item: Item, method: 'ShutdownGuest' | 'RebootGuest', signal: AbortSignal): Promise<void> {
  try {
    await order(context, method, item.ref, {}, signal);
  } catch (error) {
    if (method === 'ShutdownGuest' && isAlready(error, 'poweredOff')) return;
    const question = questionOf((await ask(context, item.ref, ['runtime.question'], signal)).get('runtime.question'));
    throw question === undefined ? error : new ArgoError('NEEDS ANSWER', question.text, { cause: error });
  }
}
