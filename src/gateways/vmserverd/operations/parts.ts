import type { Milliseconds } from '../../../instances/order.js';
import type { Product } from '../../../protocols/vmserverd/envelope.js';
import type { Actor } from '../../../instances/actor.js';
import type { InstanceRef } from '../../../instances/info.js';
import type { Security } from '../door/security.js';
import type { FileParts } from './files.js';
import { rowFor, type AnyRow, type Asked } from './row.js';

/** What a connection has asked for: of a machine, who has it open is told by that. */
export interface ApiUser {
  readonly account: string;
  /** of the client, without its port */
  readonly address: string;
  /** when it first asked for the machine, milliseconds since 1970 */
  readonly since: number;
}

/** What the operations of this folder work with. */
export interface Parts extends FileParts {
  readonly product: Product;
  /** requests since the gateway was opened, this one included */
  readonly requests: number;
  readonly stopTimeout: Milliseconds;
  readonly security: Security;
  /** The provider that "the host" means. @throws OperationError that names the option */
  hostProvider(): Promise<string>;
  /** Remembers that this connection has to do with a machine. */
  touch(machine: InstanceRef): void;
  /** The connections that have to do with a machine. */
  usersOf(machine: InstanceRef): readonly ApiUser[];
  /** What there is to call. */
  operations(): Iterable<{ readonly name: string; readonly access: string }>;
}

export const row = rowFor<Parts>();

export type Call<In> = Asked<In, Parts>;

/** Who asks, as tasks know it. */
export const viewerOf = ({
  actor,
  account,
}: {
  readonly actor: Actor;
  readonly account: string;
}): { readonly account: string; readonly mayAll: boolean } => ({ account, mayAll: actor.mayAll() });

export type Rows = Readonly<Record<string, AnyRow<Parts>>>;
