import { ArgoError } from '../../kit/errors.js';
import { isFault } from '../../protocols/vim/errors.js';
import type { Properties } from '../../protocols/vim/properties.js';
import type { Method } from '../../protocols/vim/schema.js';
import { at } from '../../protocols/vim/value.js';
import { ask, beginTask, endTask, order, type Context } from './context.js';
import { questionOf, type Question } from './errors.js';
import type { Item } from './items.js';

/** One step on a virtual machine that is a task. @param wanted vSphere's state in which it is achieved already */
export async function powerTask(context: Context, item: Item, method: Method, wanted: string | undefined, signal: AbortSignal): Promise<void> {
  try {
    const task = await beginTask(context, method, item.ref, {}, signal);
    await endTask(context, task, signal, {
      ref: item.ref,
      paths: ['runtime.question'],
      look: (properties) => answerQuestion(context, item, properties, signal),
    });
  } catch (error) {
    if (wanted === undefined || !isAlready(error, wanted)) throw error;
  }
}

/** Somebody was faster, or our own order was answered twice: what was wanted is there. */
const isAlready = (error: unknown, wanted: string): boolean =>
  error instanceof ArgoError && isFault(error.cause, 'InvalidPowerState') && at(error.cause.detail, 'existingState') === wanted;

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
  const given = [...messages, id].map((name) => options.answers[name]).find((answer) => answer !== undefined);
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
