import type { Named } from '../kit/patterns.js';

/** What the gate needs to know of whoever asks. Accounts implement it; grants are decided there alone. */

/** The set of commands that a command word belongs to, as grants name it. */
export type Right = 'read' | 'power';

/** A command as grants see it. */
export interface Permission {
  /** its word: `start` */
  readonly word: string;
  readonly right: Right;
}

/** An instance as grants see it. */
export type Grantable = Named;

export interface Principal {
  /** the account's name; empty before login */
  readonly name: string;
  /** Whether it may know that the instance exists. */
  sees(instance: Grantable): boolean;
  /** Whether it may use the command on the instance. */
  allows(instance: Grantable, permission: Permission): boolean;
  /** Whether it may use the command on a provider as a whole, such as reading its log. */
  allowsProvider(provider: string, permission: Permission): boolean;
  /** Whether a grant names the provider, so that it may know that there is one, whatever that has. */
  reaches(provider: string): boolean;
  /** Whether a grant is on all that a provider has or will have. */
  coversProvider(provider: string): boolean;
  /** Whether some grant holds the command at all. */
  allowsSomewhere(permission: Permission): boolean;
  /** Whether an instance of that name, if there were one, would be visible: says if "no such instance" may be told. */
  coversName(name: string): boolean;
}

/** Who asks, and from where, for decisions and for the audit. */
export interface Caller {
  readonly principal: Principal;
  /** address and port of the peer */
  readonly from: string;
}
