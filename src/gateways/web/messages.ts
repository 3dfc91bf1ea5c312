import type { MachineType, PowerState } from '../../drivers/driver.js';
import type { PowerAction } from '../../instances/operation-table.js';
import type { PowerOrder } from '../../instances/order.js';
import type { OrderTarget, OrderTask } from '../../instances/order-task.js';
import type { WorkTask } from '../../instances/work-tasks.js';

/**
 * What the web gateway and its clients say to each other, as JSON: types alone, so that the page in src/web
 * is checked against the same ones. Times are milliseconds since 1970 in UTC.
 */

/** A provider, as far as somebody may know of it. */
export interface ProviderRow {
  readonly name: string;
  /** as in argo-server.conf: `libvirt` */
  readonly type: string;
  readonly answers: boolean;
  /** why what is known of it may be out of date; null while it is current */
  readonly stale: string | null;
}

/** `GET /api/view`: every instance that one may see, in columns of one length, since names of keys a row would be most of it. */
export interface View {
  /** from where {@link FeedMessage} goes on */
  readonly v: number;
  /** the server's clock when it was made */
  readonly now: number;
  readonly states: readonly PowerState[];
  readonly types: readonly MachineType[];
  readonly providers: readonly ProviderRow[];
  /** sets of capabilities (`start`, `stop --force`, `uptime`, `console vnc`), of which few differ */
  readonly capabilities: readonly (readonly string[])[];
  /** sets of operations that one may use (`start`, `status`, `console.open`) */
  readonly permissions: readonly (readonly string[])[];
  readonly groups: readonly { readonly name: string; /** positions */ readonly members: readonly number[] }[];
  readonly columns: {
    /** the name to show and to send: short where that is unique */
    readonly name: readonly string[];
    /** position in `providers` */
    readonly provider: readonly number[];
    readonly id: readonly string[];
    readonly type: readonly number[];
    readonly state: readonly number[];
    readonly since: readonly number[];
    readonly capabilities: readonly number[];
    readonly permissions: readonly number[];
  };
}

/** What has happened, as `watch` tells it. */
export interface EventRow {
  readonly cursor: string;
  readonly at: number;
  readonly type: string;
  /** as in docs/protocol.md, without what is above */
  readonly facts: Readonly<Record<string, unknown>>;
}

/** What the server sends on the WebSocket `/api/feed?after=V`. */
export type FeedMessage =
  /** first of all, and each 15 s: whoever hears nothing for longer is cut off */
  | { readonly t: 'alive'; readonly v: number; readonly now: number }
  /** position in the view, state, since */
  | { readonly t: 'changes'; readonly v: number; readonly rows: readonly (readonly [number, number, number])[] }
  /** fetch the view anew: the list has changed, or there was too much to tell */
  | { readonly t: 'reset'; readonly v: number }
  | { readonly t: 'providers'; readonly providers: readonly ProviderRow[] }
  | { readonly t: 'events'; readonly events: readonly EventRow[] }
  /** a task of which one may know has begun, gone on or ended */
  | { readonly t: 'task'; readonly task: TaskRow }
  /** something about a run of a plan has changed: fetch it where it is shown */
  | { readonly t: 'plan'; readonly plan: string; readonly run: string };

export type OrderMode = PowerOrder['mode'];

/** `POST /api/power/preview` */
export interface PreviewRequest {
  /** names, globs, ranges, `@group`, as in the line protocol */
  readonly targets: readonly string[];
  readonly action: PowerAction;
  readonly mode?: OrderMode;
}

export interface PreviewRow {
  /** full name */
  readonly instance: string;
  readonly state: PowerState;
  /** what would be done, or why nothing would: a phrase with its detail */
  readonly words: string;
  readonly effect: 'order' | 'nothing' | 'refused';
}

/** `POST /api/power`: answered with an {@link OrderRow}, at once. */
export interface PowerRequest extends PreviewRequest {
  /** a key of the client's own: what is sent again with the same one is begun once */
  readonly once: string;
  /** wait until the state is verified; milliseconds, or the action's own time. Left out: true */
  readonly wait?: boolean | number;
}

export type TaskTarget = OrderTarget;

/** `ended` is null until it has. */
type Row<Kind extends string, Task extends { readonly ended: unknown }> = Omit<Task, 'ended'> & { readonly kind: Kind; readonly ended: number | null };

/** An order for many. */
export type OrderRow = Row<'order', OrderTask>;
/** A piece of work beyond power that takes its time, as to deploy a template. */
export type WorkRow = Row<'work', WorkTask>;
export type TaskRow = OrderRow | WorkRow;

/** Every answer that is not 2xx. `error` is a phrase of docs/protocol.md. */
export interface Failure {
  readonly error: string;
  readonly detail: string;
}

/** `GET /api/session`, and the answer to `POST /api/session`. */
export interface SessionInfo {
  readonly account: string;
  readonly server: { readonly name: string; readonly version: string };
  /** sets and words that it has somewhere: `power`, `plan`, `console`; what is missing is not offered at all */
  readonly rights: readonly string[];
  readonly now: number;
}

/** `POST /api/session`; a code is that of a link which the server has shown, and good for once. */
export type LoginRequest = { readonly account: string; readonly password: string } | { readonly code: string };

/** `POST /api/consoles`: answered with a {@link ConsoleTicket}. */
export interface ConsoleRequest {
  readonly instance: string;
  /** a screen, a text console, a login */
  readonly kind: 'vnc' | 'text' | 'shell';
  readonly viewOnly?: boolean;
  /** takes it from whoever has it, where only one can */
  readonly force?: boolean;
}

/** For the WebSocket `/api/console`, as the subprotocol `ticket.TICKET` beside `binary`: once, within `lives` milliseconds. */
export interface ConsoleTicket {
  readonly ticket: string;
  readonly lives: number;
  /** who has it open already */
  readonly others: readonly { readonly account: string; readonly since: number }[];
}

/** What the server says in a text frame on the WebSocket of a console that is none of a screen: once, when the machine is there. */
export interface ConsoleMessage {
  readonly open: true;
}
