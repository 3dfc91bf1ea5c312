import type { MachineType, PowerState } from '../../drivers/driver.js';
import type { RunState, StageState, TargetState } from '../../instances/plans.js';
import type { PowerAction } from '../../instances/operation-table.js';
import type { EventRow, Failure, PreviewRow, TaskRow } from '../../gateways/web/messages.js';

/** What the page reads below `/api` beside the messages of the feed. Times are milliseconds since 1970. */

/** `GET /api/instances/NAME` */
export interface Details {
  readonly fullName: string;
  readonly id: string;
  readonly provider: string;
  readonly type: MachineType;
  readonly state: PowerState;
  readonly since: number;
  readonly stale: string | null;
  readonly capabilities: readonly string[];
  /** what one may do with it */
  readonly operations: readonly string[];
  /** what `info` tells beside that, in its order: `cpus`, `memory` in bytes */
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface DiskRow {
  readonly target: string;
  readonly type: string;
  readonly format?: string;
  /** bytes */
  readonly size?: number | string;
  readonly source?: string;
}

/** One reading, or why there is none. Bytes may be a text, since they may be more than a number holds. */
export type Reading = { readonly value: unknown } | Failure;

/** `GET /api/instances/NAME/readings?names=ip,load` */
export interface Readings {
  readonly at: number;
  readonly readings: Readonly<Record<string, Reading>>;
}

/** `POST /api/power/preview` */
export interface Preview { readonly rows: readonly PreviewRow[] }
/** `GET /api/tasks`: newest first */
export interface Tasks { readonly tasks: readonly TaskRow[] }
/** `GET /api/events?instance=NAME&limit=N`: newest last */
export interface Events { readonly events: readonly EventRow[] }

export interface Run {
  readonly id: string;
  readonly plan: string;
  readonly state: RunState;
  readonly began: number;
  readonly ended: number | null;
  readonly deadline: number | null;
  readonly cause: string;
  readonly reason: string | null;
  readonly stages: { readonly ended: number; readonly all: number };
  readonly targets: { readonly ended: number; readonly failed: number; readonly all: number };
}

export interface Plan { readonly name: string; readonly held: boolean; readonly run: Run | null }
export interface Trigger { readonly name: string; readonly type: string; readonly plans: readonly string[]; readonly words: string }
/** `GET /api/plans` */
export interface Plans { readonly plans: readonly Plan[]; readonly triggers: readonly Trigger[] }

export interface Step {
  readonly stage: string;
  readonly instance: string | null;
  readonly state: PowerState | null;
  readonly words: string;
  readonly refused: boolean;
}
/** `GET /api/plans/NAME/preview` */
export interface Steps { readonly steps: readonly Step[] }

/** `GET /api/runs/ID` */
export interface WholeRun {
  readonly run: Run;
  readonly stages: readonly {
    readonly name: string; readonly action: PowerAction; readonly state: StageState; readonly after: readonly string[];
    readonly reason: string | null; readonly targets: Run['targets'];
  }[];
  readonly targets: readonly { readonly stage: string; readonly instance: string; readonly action: PowerAction; readonly state: TargetState; readonly detail: string }[];
}

/** `GET /api/audit?account=&instance=&since=&until=&limit=`: newest first */
export interface AuditRows {
  readonly rows: readonly {
    readonly id: number; readonly at: number; readonly account: string; readonly from: string; readonly command: string;
    readonly instance: string; readonly options: string; readonly outcome: string | null; readonly ms: number | null;
  }[];
}
