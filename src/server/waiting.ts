import type { Actor } from '../instances/actor.js';
import type { InstanceInfo } from '../instances/info.js';
import type { OperationName } from '../instances/operation-table.js';
import { WAIT_TOLD } from '../kit/limits.js';

/** What an action of an actor waits for now, in words; undefined where it does not wait for others. */
function waitsFor({ tasks, name }: Actor, operation: OperationName, { fullName }: InstanceInfo): string | undefined {
  const here = tasks.list().filter(({ instance }) => instance === fullName);
  const doing = here.findLast((one) => one.account === name && one.operation === operation)?.doing;
  if (doing === 'waiting for an earlier stop') return 'waiting for an earlier stop to end';
  if (doing !== 'waiting for its turn') return undefined;
  const holder = here.find((one) => one.doing !== 'waiting for its turn');
  return holder === undefined ? 'waiting for its turn behind another action' : `waiting for its turn behind ${holder.operation} of ${holder.account}, task ${holder.id}`;
}

/**
 * Tells what an action waits for, once that has lasted, and again when it is something else: whoever typed it sees
 * nothing but 200 until then.
 * @returns ends that
 */
export function tellWaiting(
  actor: Actor,
  { operation, target }: { readonly operation: OperationName; readonly target: InstanceInfo },
  tell: (words: string) => void,
): () => void {
  let told: string | undefined;
  const timer = setInterval(() => {
    const words = waitsFor(actor, operation, target);
    if (words !== undefined && words !== told) tell(words);
    told = words ?? told;
  }, WAIT_TOLD);
  return () => clearInterval(timer);
}
