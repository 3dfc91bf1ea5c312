import { ArgoError } from '../kit/errors.js';
import type { Named } from '../kit/patterns.js';
import type { Right } from './operation-table.js';

/** What the gate needs to know of whoever asks. Accounts implement it; grants are decided there alone. */

/** A command as grants see it. */
export interface Permission {
  /** its word: `start`; of a verb, both: `image.create` */
  readonly word: string;
  /** of a verb, the command that it belongs to: a grant of that holds it */
  readonly command?: string;
  /** `*`: in no set, so that nothing but its word and the grant of all hold it */
  readonly right: Right | '*';
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
  /** Whether some grant holds the command at all, or a part of it: `plan:NAME` lets `plan` be typed. */
  allowsSomewhere(permission: Permission): boolean;
  /** Whether an instance of that name, if there were one, would be visible: says if "no such instance" may be told. */
  coversName(name: string): boolean;
}

/** Somebody at work, through whatever a reload makes of the account. */
export interface Identity {
  /** for the audit: the account's name; empty before login */
  readonly name: string;
  /** what the configuration says of it now; after it was taken away, one that may do nothing */
  readonly principal: Principal;
  /** Calls back when a reload takes the account away. @returns ends that */
  onTakenAway(listener: () => void): () => void;
  /** Once it was taken away, what of it was; left out: the account. */
  readonly lost?: string;
}

/** Why nothing may be done any longer by somebody who was taken away. */
export const lostWords = ({ lost }: Identity): string => lost ?? 'the account was taken away';

/** Who waits for what is read, and may go away. */
export interface Client {
  /** Calls back when it has gone. @returns ends that */
  onGone(listener: () => void): () => void;
}

/** On whose behalf, by which command and from where something is asked for. */
export interface Mandate {
  readonly identity: Identity;
  /** the command by which it is asked for, whose grant then counts; undefined where each operation stands for itself */
  readonly through: Permission | undefined;
  /** address and gateway, for the audit: `127.0.0.1:40122` */
  readonly origin: string;
  /** the address alone, in its plain form; left out where somebody else is at work for whom it is asked */
  readonly address?: string;
  /** readings end when it has gone; left out where they are to go on */
  readonly client?: Client | undefined;
  /** aborted: what is not sent is not sent, and waits end; left out where nobody can cancel all of it */
  readonly cancelled?: AbortSignal | undefined;
  /** by `--dry-run`: nothing may be changed, whatever the command of a plugin forgets; left out where it is meant */
  readonly isDryRun?: boolean;
}

/** @throws ArgoError where nothing may be changed */
export function requireMeant({ isDryRun }: Mandate): void {
  if (isDryRun === true) throw new ArgoError('NOT SUPPORTED', 'the command would do it, and this is a dry run');
}

/** The same, for something that can be cancelled by itself. */
export const cancellable = (mandate: Mandate, cancel: AbortSignal | undefined): Mandate =>
  (cancel === undefined ? mandate : { ...mandate, cancelled: mandate.cancelled === undefined ? cancel : AbortSignal.any([mandate.cancelled, cancel]) });

/** What stands between an account's name and that of its token. */
const TOKEN = ' (token ';

/** Whether what stands in a record as somebody's is one's own: an account's tokens work for it, and are named behind it. */
export const isOwn = (name: string, recorded: string): boolean => name !== '' && (recorded === name || recorded.startsWith(`${name}${TOKEN}`));

/** Somebody of another server, `kim@f1`; with a token, `kim@f1 (token ci)`: kim here is another one, and owns nothing of that. */
export function nameAt(server: string, name: string): string {
  const end = name.indexOf(TOKEN);
  return end === -1 ? `${name}@${server}` : `${name.slice(0, end)}@${server}${name.slice(end)}`;
}

/** What sees and cancels what others have under way: a grant of `*`, or of `task` alone, on the whole provider. */
export const TASKS_OF_ALL: Permission = { word: 'task', right: '*' };
/** Who may do everything on a provider. */
export const EVERYTHING: Permission = { word: '*', right: '*' };
/** Whether it may do everything on every provider that there is or will be: only a grant on all covers one that is called so. */
export const mayEverything = (principal: Principal): boolean => principal.allowsProvider('*', EVERYTHING);

/** The provider in the full name of an instance; a provider's name is its own. */
export const providerOf = (fullName: string): string => fullName.split('/', 1)[0]!;
