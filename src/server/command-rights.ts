import type { Authenticator } from '../auth/authenticator.js';
import type { Permission, Principal } from '../instances/principal.js';
import type { CommandTable, LoadedCommand } from '../plugins/host/command-table.js';
import type { CommandRow } from '../plugins/host/contract.js';

/** Whether a command needs no grant. */
export const isOpen = ({ right }: CommandRow): boolean => right === 'anyone' || right === 'listing';

/** A command as grants see it. One that is open to all may still read what its account may read by its word. */
export function permissionOf({ word, verb, right: said }: LoadedCommand): Permission {
  const right = said === 'anyone' || said === 'listing' ? 'read' : said;
  return verb === undefined ? { word, right } : { word: `${word}.${verb}`, command: word, right };
}

/** Whether some grant of an account holds a command, or another one that lets it be used. */
export function mayUseSomewhere(account: Principal, command: LoadedCommand, table: CommandTable): boolean {
  if (account.allowsSomewhere(permissionOf(command))) return true;
  const { word, alsoBy } = command;
  if (alsoBy.length === 0) return false;
  if (alsoBy.some((right) => account.allowsSomewhere({ word, right }))) return true;
  const isHeld = (one: LoadedCommand): boolean => (alsoBy as readonly string[]).includes(one.right) && account.allowsSomewhere(permissionOf(one));
  return table.all().some((one) => (one.byVerb.size === 0 ? isHeld(one) : [...one.byVerb.values()].some(isHeld)));
}

export function mayUseBeforeLogin({ right }: CommandRow, authenticator: Authenticator): boolean {
  return right === 'anyone' || (right === 'listing' && authenticator.anonymous.sees());
}
