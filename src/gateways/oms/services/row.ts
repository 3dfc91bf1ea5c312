import type * as v from 'valibot';
import type { Actor } from '../../../instances/actor.js';
import type { InstanceInfo } from '../../../instances/info.js';
import type { OperationName } from '../../../instances/operation-table.js';
import type { Session } from '../../shared/sessions.js';
import type { ConsolePorts } from '../consoles/console-ports.js';
import type { OmsResult } from '../rpc/answer.js';

/** One method of a service: from its row are made what is checked, what is answered, and what the document says. */

/** Which machines a service is about. */
export type MachineKind = 'vm' | 'container';

/** What rows work with, beside what was asked. */
export interface Tools {
  readonly consoles: ConsolePorts;
  /** milliseconds for which a guest is asked to shut down before its plug is pulled */
  readonly stopTimeout: number;
  /** milliseconds after which a host undoes a change of its network that nobody has confirmed */
  readonly rollback: number;
  /** The name of a host that a provider has here. */
  hostOf(provider: string): string;
  /** The provider that a name of a host means, whether or not there is one. @param kind of machines; left out: virtual ones */
  providerOf(host: string, kind?: MachineKind): string;
}

/** A call that was checked. */
export interface Asked<Args = Readonly<Record<string, unknown>>> {
  readonly actor: Actor;
  readonly session: Session;
  /** by the names of the row's parameters */
  readonly args: Args;
  /** what came beyond them */
  readonly rest: readonly string[];
  /** aborted when the client is gone, the session is over, the server ends, or it has taken too long */
  readonly signal: AbortSignal;
  /**
   * What goes with work that is a task: once it has begun, it is waited for also when the session is over or the server ends.
   * @throws the reason where nothing is begun any longer
   */
  order(): { readonly signal: AbortSignal };
  readonly tools: Tools;
}

/** The same of a host. */
export interface HostAsked<Args> extends Asked<Args> {
  /** as it was sent */
  readonly host: string;
  /** name of its provider, of which the account sees something */
  readonly provider: string;
}

/** The same of a machine on it. */
export interface MachineAsked<Args> extends HostAsked<Args> {
  readonly machine: InstanceInfo;
}

/** A row, without the types of what it takes. */
export interface Row {
  /** further names by which clients call it */
  readonly aliases: readonly string[];
  /** after SESSID and cache_timeout, in their order */
  readonly params: v.ObjectEntries;
  /** what may come beyond them, any number of times */
  readonly rest: v.GenericSchema<unknown, string> | undefined;
  readonly on: 'server' | 'host' | 'machine';
  /** of the machines that it is about */
  readonly kind: MachineKind | undefined;
  /** what the account must be allowed; undefined: what it is told or may do is decided by what it sees, or by the row */
  readonly operation: OperationName | undefined;
  readonly type: OmsResult['type'];
  /** whether the result is `{client, result}` */
  readonly isOfClient: boolean;
  /** what is answered may be some seconds old, where the client says so */
  readonly reads: boolean;
  run(asked: MachineAsked<never>): Promise<unknown>;
}

type ArgsOf<Entries extends v.ObjectEntries> = v.InferOutput<v.ObjectSchema<Entries, undefined>>;

interface Common<Entries extends v.ObjectEntries> {
  readonly aliases?: readonly string[];
  readonly params?: Entries;
  readonly rest?: v.GenericSchema<unknown, string>;
  readonly operation?: OperationName;
  readonly type?: OmsResult['type'];
  readonly isOfClient?: boolean;
  /** left out: what it does is written down or changes something */
  readonly reads?: boolean;
}

const rowOf = (on: Row['on'], kind: MachineKind | undefined, given: Common<v.ObjectEntries> & Pick<Row, 'run'>): Row => ({
  aliases: given.aliases ?? [], params: given.params ?? {}, rest: given.rest, on, kind,
  operation: given.operation, type: given.type ?? 'func', isOfClient: given.isOfClient ?? on !== 'server', reads: given.reads ?? false,
  run: (asked) => given.run(asked),
});

/** A method that names no host. */
export const serverRow = <Entries extends v.ObjectEntries>(row: Common<Entries> & { run(asked: Asked<ArgsOf<Entries>>): Promise<unknown> }): Row =>
  rowOf('server', undefined, row as Parameters<typeof rowOf>[2]);

/** A method whose first parameter is a host. */
export const hostRow = <Entries extends v.ObjectEntries>(
  row: Common<Entries> & { readonly kind?: MachineKind; run(asked: HostAsked<ArgsOf<Entries>>): Promise<unknown> },
): Row => rowOf('host', row.kind, row as Parameters<typeof rowOf>[2]);

/** A method whose first two parameters are a host and a machine on it. */
export const machineRow = <Entries extends v.ObjectEntries>(
  kind: MachineKind,
  row: Common<Entries> & { run(asked: MachineAsked<ArgsOf<Entries>>): Promise<unknown> },
): Row => rowOf('machine', kind, row as Parameters<typeof rowOf>[2]);
