import { VMSERVERD_MACHINES, VMSERVERD_POWER_WAIT } from '../../kit/vmserverd-limits.js';
import { fields, list, matching, nothing, oneOf, optional, text, whole, type Shape } from './shape.js';

/**
 * What a client of ours asks and how it reads the answers. Of all but `inc` only the names of the operations are public: what
 * stands in them is Argo's choice, and an old server may say more, less, or something else. So a reader passes over what it does
 * not know, and does without most of it; what an argo-server writes is in its gateway's rows, which take requests by these shapes.
 */

export interface Message<In, Out> {
  readonly in: Shape<In>;
  readonly out: Shape<Out>;
}

const message = <In, Out>(given: Message<In, Out>): Message<In, Out> => given;

/** A machine by the path of its configuration file. */
export const config = matching(/^[^\0]{1,1024}$/, '/vms/PROVIDER/NAME.vmx');

/** The id of a task. */
export const taskId = matching(/^[\w-]{1,64}$/, 'the id of a task');

/** Numbers of states, as VMware's programming interfaces had them (VmPerl; SIGAR's VM.java). `stuck` waits for an answer. */
export const VM_STATES = { on: 1, off: 2, suspended: 3, stuck: 4, unknown: 5 } as const;

/** Numbers of VmPerl's VM_POWEROP_MODE_*: by force; by the guest; by the guest where that can be done. */
export const POWER_MODES = { hard: 1, soft: 2, trySoft: 3 } as const;

export const POWER_ACTIONS = ['start', 'stop', 'reset', 'suspend', 'resume'] as const;
export type VmPowerAction = (typeof POWER_ACTIONS)[number];

export const TASK_STATES = ['running', 'done', 'failed', 'stopped', 'unknown'] as const;

export const INC = message({ in: fields({ number: whole() }), out: fields({ number: whole() }) });

export const GET_OPERATION_TABLE = message({
  in: nothing,
  out: fields({ operations: list('operation', fields({ name: text(), access: optional(text()) }, 'pass over')) }, 'pass over'),
});

export const GET_CONNECTED_VM_LIST = message({
  in: nothing,
  out: fields({ vms: list('vm', fields({ config: text(), displayName: optional(text()), state: optional(whole()), stateName: optional(text()) }, 'pass over'), VMSERVERD_MACHINES) }, 'pass over'),
});

export const ENUMERATE = message({
  in: nothing,
  out: fields({ vms: list('vm', fields({ config: text() }, 'pass over'), VMSERVERD_MACHINES) }, 'pass over'),
});

export const VM_INFO = message({
  in: fields({ config }),
  out: fields({ vm: fields({
    config: text(), displayName: optional(text()), guestOS: optional(text()), state: whole(), stateName: optional(text()),
    /** MiB */
    memsize: optional(whole()), numvcpus: optional(whole()),
    /** seconds */
    uptime: optional(whole()),
    owner: optional(text()), permissions: optional(text()), remoteConnections: optional(whole()), question: optional(text()),
  }, 'pass over') }, 'pass over'),
});

export const VM_GET_LAST_N_EVENTS = message({
  in: fields({ config, n: optional(whole(1)) }),
  /** newest first; `time`: seconds since 1970 */
  out: fields({ events: list('event', fields({ time: whole(), type: text(), user: optional(text()), text: text() }, 'pass over')) }, 'pass over'),
});

/** Seconds for which the answer to a power order may wait for its end, where a request does not say how long. */
export const POWER_WAIT = VMSERVERD_POWER_WAIT / 1000;

export const POWER_OP = message({
  /** `wait`: seconds for which the answer waits for the end of the task; 0: it only tells the task */
  in: fields({ config, action: oneOf(POWER_ACTIONS), mode: optional(whole(POWER_MODES.hard, POWER_MODES.trySoft)), wait: optional(whole(0, POWER_WAIT)) }),
  out: fields({ task: taskId, state: optional(whole()), stateName: optional(text()) }, 'pass over'),
});

export const STATUS_OF_TASK = message({
  in: fields({ task: taskId }),
  out: fields(
    {
      status: fields(
        {
          task: text(),
          op: optional(text()),
          state: oneOf(TASK_STATES),
          percent: optional(whole(0, 100)),
          started: optional(whole()),
          ended: optional(whole()),
          error: optional(text()),
        },
        'pass over',
      ),
    },
    'pass over',
  ),
});
