import type { Instance } from './instance.js';
import { OPERATIONS, type OperationName } from './operation-table.js';
import type { Mandate, Permission } from './principal.js';
import { workRow, WORKS, type WorkName } from './work-table.js';

/** Whether a mandate holds for an operation on an instance, by what the account's grants are now. */
export function allows(mandate: Mandate, operation: OperationName, instance: Instance): boolean {
  const permission = permissionFor(mandate, operation);
  return permission !== undefined && mandate.identity.principal.allows(instance, permission);
}

/** As {@link allows}, for an operation on a provider as a whole. */
export function allowsProvider(mandate: Mandate, operation: OperationName, provider: string): boolean {
  const permission = permissionFor(mandate, operation);
  return permission !== undefined && mandate.identity.principal.allowsProvider(provider, permission);
}

/**
 * By what an operation is decided: the command through which it is asked for, where that command's own
 * right covers it, else nothing. So a command that says `read` of itself can never switch anything,
 * whoever uses it.
 */
function permissionFor({ through }: Mandate, operation: OperationName): Permission | undefined {
  const { right } = OPERATIONS[operation];
  if (through === undefined) return permissionOf(operation);
  return through.right === right || right === 'read' ? through : undefined;
}

/** An operation as grants see it where no command stands for it: what `image` holds there, it holds here. */
export function permissionOf(operation: OperationName): Permission {
  const row = OPERATIONS[operation];
  const { right } = row;
  if (!Object.hasOwn(WORKS, operation)) return { word: operation, ...('command' in row && { command: row.command }), right };
  const [before] = operation.split('.');
  return { word: operation, command: workRow(operation as WorkName).command ?? before!, right };
}

const TWINS: ReadonlyMap<string, string> = new Map((Object.keys(WORKS) as WorkName[]).flatMap((name) => {
  const { typed } = workRow(name);
  return typed === undefined ? [] : [[name, typed], [typed, name]] as const;
}));

/** The words of a grant, in small letters, with those that mean the same: work is typed by a name and known to gateways by another. */
export function grantWords(commands: readonly string[]): ReadonlySet<string> {
  const words = commands.map((word) => word.toLowerCase());
  return new Set(words.flatMap((word) => [word, ...(TWINS.has(word) ? [TWINS.get(word)!] : [])]));
}
