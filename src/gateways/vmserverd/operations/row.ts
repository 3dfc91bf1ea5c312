import type { Actor } from '../../../instances/actor.js';
import type { OperationName } from '../../../instances/operation-table.js';
import type { Shape } from '../../../protocols/vmserverd/shape.js';
import type { BackgroundTasks } from '../tasks/background-tasks.js';

/** One operation: from its row are made what is checked, what is answered, what the table of operations tells, and what the document says. */

/** Who asks, and from where. */
export interface Asking {
  readonly actor: Actor;
  /** the account's name */
  readonly account: string;
  /** aborted when the account is taken away, as long as it works for this connection or a task that began here */
  readonly accountSignal: AbortSignal;
  /** aborted with the connection, the account, the server, or the longest time of a call; what was begun goes on */
  readonly signal: AbortSignal;
}

/** A call that was checked. */
export interface Asked<In, Parts> extends Asking {
  readonly args: In;
  readonly parts: Parts;
}

/** How the operation is known: `FileManager_FileCopy` was carried out by `VMware::VMServerd::FileManager::FileCopy_Handler`. */
export interface Row<In, Out, Parts> {
  /** as vmware-serverd's log named it */
  readonly handler: string;
  /** `rootonly`: for accounts with every right on everything */
  readonly access: 'authuser' | 'rootonly';
  /** what the gate asks for, for docs and the model of rights; undefined: any account that is logged in */
  readonly operation?: OperationName;
  /** the same where what is asked for decides which */
  readonly operations?: readonly OperationName[];
  /** whether its schema or only its name is public (seed 004): what is not is Argo's choice */
  readonly isPublic?: true;
  readonly in: Shape<In>;
  readonly out: Shape<Out>;
  run(asked: Asked<In, Parts>): Promise<Out> | Out;
}

/** A row of any shapes, with what it works with of its gateway. */
export type AnyRow<Parts> = Row<never, never, Parts>;

/** Infers a row's shapes. */
export const rowFor = <Parts>() => <In, Out>(row: Row<In, Out, Parts>): AnyRow<Parts> => row as unknown as AnyRow<Parts>;

/** What rows of several rooms work with. */
export interface SharedParts {
  readonly tasks: BackgroundTasks;
}
