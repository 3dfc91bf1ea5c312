import { ArgoError } from '../../kit/errors.js';
import type { Log } from '../../kit/log.js';
import { readProperties, type Properties } from '../../protocols/vim/properties.js';
import type { Method } from '../../protocols/vim/schema.js';
import type { VimSession } from '../../protocols/vim/session.js';
import type { Arguments } from '../../protocols/vim/soap-client.js';
import { followTask } from '../../protocols/vim/tasks.js';
import { flagOf, isRef, type Ref, type VimValue } from '../../protocols/vim/value.js';
import { beforeSending } from '../../kit/within.js';
import type { RosterOptions } from '../host/roster.js';
import type { LoginOptions } from '../tls/options.js';
import { explained } from './errors.js';
import type { Inventory } from './inventory.js';
import { IS_TEMPLATE, refuseAnother, VM_UUID, vmId, type Item } from './items.js';

/** What the configuration says of one provider. */
export interface EsxiOptions extends RosterOptions, LoginOptions {
  /** of the service */
  readonly url: URL;
  /** whether they are listed as instances */
  readonly vapps: boolean;
  /** to questions of virtual machines: by the question's id, a choice's key or label */
  readonly answers: Readonly<Record<string, string>>;
}

/** What the machines of one provider share. */
export interface Context {
  readonly options: EsxiOptions;
  readonly session: VimSession;
  readonly inventory: Inventory;
  readonly log: Log;
}

/** Properties of one object, asked of the server. @throws ArgoError NO SUCH INSTANCE where it is gone */
export async function ask({ session }: Context, ref: Ref, paths: readonly string[], signal: AbortSignal): Promise<Properties> {
  const read = await explained('question', () => readProperties(session, [{ ref, paths }], signal));
  const properties = read.get(ref.value);
  if (properties === undefined) throw new ArgoError('NO SUCH INSTANCE', 'it is gone since the last listing');
  return properties;
}

/**
 * Properties of a virtual machine, and by the same answer whether it still is that one: references are reused, and a template is none.
 * @param id of the machine that is meant, as people were shown it: what is held of the object may be another's by now
 * @throws ArgoError NO SUCH INSTANCE where it is gone, has become a template, or another one has taken its place
 */
export async function askVm(context: Context, { ref }: Item, id: string, paths: readonly string[], signal: AbortSignal): Promise<Properties> {
  const properties = await ask(context, ref, [...paths, VM_UUID, IS_TEMPLATE], signal);
  refuseAnother(vmId({ ref, properties }), id);
  if (flagOf(properties.get(IS_TEMPLATE))) throw new ArgoError('NO SUCH INSTANCE', 'it is a template now');
  return properties;
}

/** An order that is done when it is answered. @returns the answer */
export async function order({ session }: Context, method: Method, ref: Ref, args: Arguments, signal: AbortSignal): Promise<VimValue> {
  await beforeSending(signal, () => explained('question', () => session.login(signal)));
  return explained('order', () => session.call(method, ref, args, signal));
}

/** An order that is a task. @returns the task, which the server has taken on */
export async function beginTask(context: Context, method: Method, ref: Ref, args: Arguments, signal: AbortSignal): Promise<Ref> {
  const task = await order(context, method, ref, args, signal);
  if (!isRef(task)) throw new ArgoError('UNCERTAIN', `${method} was answered with nothing`);
  return task;
}

/** Follows a task to its end. @throws ArgoError why it failed; UNCERTAIN where what became of it cannot be told */
export async function endTask({ session }: Context, task: Ref, signal: AbortSignal, beside?: Parameters<typeof followTask>[3]): Promise<void> {
  await explained('task', () => followTask(session, task, signal, beside));
}
