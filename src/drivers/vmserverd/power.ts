import { setTimeout as sleep } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import { beforeSending } from '../../kit/within.js';
import { POWER_MODES, POWER_OP, POWER_WAIT, STATUS_OF_TASK, VM_INFO, type VmPowerAction } from '../../protocols/vmserverd/messages.js';
import type { ServerContext } from './context.js';
import { explain, inWords } from './errors.js';

/** The steps of a machine whose server has X_VM_PowerOp, as an argo-server has. */

/** How a step is ordered. */
interface Step {
  readonly action: VmPowerAction;
  readonly mode: (typeof POWER_MODES)[keyof typeof POWER_MODES];
  /** whether it is a guest's to obey: then a refusal is waited for, and not the end */
  readonly isGuests?: true;
}

const STEPS = {
  start: { action: 'start', mode: POWER_MODES.soft },
  shutdown: { action: 'stop', mode: POWER_MODES.soft, isGuests: true },
  powerOff: { action: 'stop', mode: POWER_MODES.hard },
  reboot: { action: 'reset', mode: POWER_MODES.soft, isGuests: true },
  reset: { action: 'reset', mode: POWER_MODES.hard },
  suspend: { action: 'suspend', mode: POWER_MODES.soft },
  resume: { action: 'resume', mode: POWER_MODES.soft },
  // an argo-server takes up what is paused, too
  unpause: { action: 'start', mode: POWER_MODES.soft },
} as const satisfies Readonly<Record<string, Step>>;

export type StepName = keyof typeof STEPS;

/** Seconds for which a refusal of what a guest has to do is waited for. */
const GUEST_PATIENCE = 2;
/** Milliseconds between looks at a task. */
const LOOK_EVERY = 1000;
/** Beyond the time for which the answer itself waits, milliseconds. */
const ANSWER_GRACE = 60_000;

/**
 * Orders a step once, on the connection on which the machine has just been seen to be the one that is meant.
 * @throws ArgoError; NO SUCH INSTANCE where the name at that path is another's by now
 */
export async function take(
  context: ServerContext,
  { id: config, name }: { readonly id: string; readonly name: string },
  step: StepName,
  signal: AbortSignal,
): Promise<void> {
  const { action, mode, isGuests = false } = STEPS[step] as Step;
  const wait = isGuests ? GUEST_PATIENCE : POWER_WAIT;
  const task = await context.use('acts', () =>
    beforeSending(signal, (sending) =>
      context.connections.use('orders', signal, async (held) => {
        const { vm } = await unacted(held.ask('VM_INFO', VM_INFO, { config }));
        if (vm.displayName !== undefined && vm.displayName !== name)
          throw new ArgoError('NO SUCH INSTANCE', 'it has another name by now');
        const { task } = await held.order(
          'X_VM_PowerOp',
          POWER_OP,
          { config, action, mode, wait },
          { onSend: sending, answerTimeout: wait * 1000 + ANSWER_GRACE },
        );
        return task;
      }),
    ),
  );
  if (!isGuests) await follow(context, task, signal);
}

/** A question before an order: whatever becomes of it, nothing was done. */
async function unacted<T>(question: Promise<T>): Promise<T> {
  try {
    return await question;
  } catch (error) {
    throw explain(error, 'reads');
  }
}

/** Waits for the end of a task. @throws ArgoError: as it failed; UNCERTAIN where nobody tells how it ended */
async function follow(context: ServerContext, task: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { state, error = '' } = await statusOf(context, task, signal);
    if (state === 'done') return;
    if (state === 'failed') throw inWords(error === '' ? 'the server says no more' : error);
    if (state !== 'running') throw new ArgoError('UNCERTAIN', `the server's task ${task} is ${state}`);
    await sleep(LOOK_EVERY, undefined, { signal });
  }
}

async function statusOf(
  { connections }: ServerContext,
  task: string,
  signal: AbortSignal,
): Promise<{ readonly state: string; readonly error?: string | undefined }> {
  try {
    return (await connections.ask('TaskManager_StatusOfTask', STATUS_OF_TASK, { task }, signal)).status;
  } catch (error) {
    signal.throwIfAborted();
    // the order itself was taken
    throw new ArgoError('UNCERTAIN', `the server does not tell how its task ${task} ended`, { cause: error });
  }
}
