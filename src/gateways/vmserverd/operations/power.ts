import type { InstanceInfo } from '../../../instances/info.js';
import type { PowerOrder } from '../../../instances/order.js';
import type { PowerAction } from '../../../instances/operation-table.js';
import { ArgoError, toArgoError } from '../../../kit/errors.js';
import { notLonger } from '../../../kit/within.js';
import { POWER_MODES, POWER_OP, POWER_WAIT, type VmPowerAction } from '../../../protocols/vmserverd/messages.js';
import { fields, text, whole } from '../../../protocols/vmserverd/shape.js';
import { STATE_NUMBERS } from '../machines/states.js';
import { wrongState } from '../faults.js';
import { inState, named, requireRight } from './machines.js';
import { row, type Call, type Rows } from './parts.js';

/**
 * Switching machines: Argo's own operation. In VMware's own table there is none, since VmPerl switched a machine by a connection
 * to its process, of which nothing is public.
 */

/** What an action is in Argo. `start` also takes up what is suspended. */
export const ACTION_OPERATIONS: Readonly<Record<VmPowerAction, PowerAction>> = { start: 'start', stop: 'stop', reset: 'reboot', suspend: 'suspend', resume: 'resume' };

/** What is ordered. `trysoft` asks the guest where that can be done: of stop it pulls the plug when that was in vain. */
function orderOf(action: VmPowerAction, mode: number, { capabilities }: InstanceInfo, stopTimeout: number): PowerOrder {
  const operation = ACTION_OPERATIONS[action];
  const [asks, forces] = [capabilities.includes(operation), capabilities.includes(`${operation} --force`)];
  const common = { action: operation, wait: true } as const;
  // these have one way each, and --force would mean something else: a second copy of a machine
  if (action === 'start' || action === 'suspend' || action === 'resume' || mode === POWER_MODES.soft) return { ...common, mode: 'soft' };
  if (mode === POWER_MODES.hard || !asks) return { ...common, mode: 'hard' };
  return { ...common, mode: action === 'stop' && forces ? { softFor: stopTimeout } : 'soft' };
}

interface PowerArgs {
  readonly config: string;
  readonly action: VmPowerAction;
  readonly mode?: number | undefined;
  readonly wait?: number | undefined;
}

/** How a task ended, as far as that is known. */
interface End {
  over?: { readonly error?: unknown };
}

/** One that was stopped: whether it had been sent by then, as far as that is known. */
function stoppedWith(error: unknown, { reason }: AbortSignal): ArgoError {
  const { phrase, detail } = toArgoError(error);
  return new ArgoError(phrase, detail, { cause: reason });
}

/** Carries it out, as a task that outlives the request. @throws what went wrong within the time of a request */
async function switchIt(asked: Call<PowerArgs>, machine: InstanceInfo): Promise<{ readonly task: string; readonly state: number; readonly stateName: string }> {
  const { actor, account, args: { action, mode = POWER_MODES.trySoft, wait = POWER_WAIT }, parts } = asked;
  const order = orderOf(action, mode, machine, parts.stopTimeout);
  const end: End = {};
  let tell = (): void => undefined;
  const told = new Promise<void>((resolve) => { tell = resolve; });
  const { id } = await parts.tasks.begin('X_VM_PowerOp', { account, signal: asked.accountSignal }, async ({ signal }) => {
    try {
      const { result, after } = await inState(action, asked, machine, () => actor.power(machine, order, { cancel: signal }));
      if (result === 'already') throw wrongState(action, after);
      end.over = {};
    } catch (error) {
      end.over = { error };
      throw signal.aborted ? stoppedWith(error, signal) : error;
    } finally {
      tell();
    }
  });
  await notLonger(wait * 1000, told);
  if (end.over !== undefined && 'error' in end.over) throw end.over.error;
  const { state } = actor.known(machine);
  return { task: id, state: STATE_NUMBERS[state], stateName: state };
}

export const powerRows: Rows = {
  X_VM_PowerOp: row({
    handler: 'Argo::Machines::PowerOp_Handler', access: 'authuser', operation: 'start', operations: Object.values(ACTION_OPERATIONS),
    in: POWER_OP.in,
    out: fields({ task: text(), state: whole(), stateName: text() }),
    run: async (asked) => {
      const machine = await named(asked);
      requireRight(asked.actor, ACTION_OPERATIONS[asked.args.action], machine);
      return switchIt(asked, machine);
    },
  }),
};
