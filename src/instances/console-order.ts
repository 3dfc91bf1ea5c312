import { CONSOLE_KINDS, type ConsoleKind, type ConsoleSize, type MachineType } from '../drivers/driver.js';
import { NO_CONSOLE } from '../drivers/no-console.js';
import { ArgoError } from '../kit/errors.js';
import { CONSOLE_LARGEST } from '../kit/console-limits.js';
import { entryOf } from '../kit/tables.js';

/** Which console is asked for. */
export interface ConsoleOrder {
  readonly kind: ConsoleKind;
  /** what is typed or clicked is not passed on; for `vnc` */
  readonly viewOnly?: boolean | undefined;
  /** take it over where the machine's manager lets only one have it */
  readonly force?: boolean | undefined;
  /** of the terminal, for `text` and `shell` */
  readonly size?: ConsoleSize | undefined;
}

/** Each part is read once: a getter could answer the check in one way and the driver in another. @throws ArgoError BAD REQUEST */
export function copyConsoleOrder(order: ConsoleOrder): ConsoleOrder {
  const { kind, viewOnly = false, force = false, size } = order;
  if (!CONSOLE_KINDS.includes(kind)) throw new ArgoError('BAD REQUEST', 'there is no such kind of console');
  if (typeof viewOnly !== 'boolean' || typeof force !== 'boolean') throw new ArgoError('BAD REQUEST', 'viewOnly and force are true or false');
  if (viewOnly && kind !== 'vnc') throw new ArgoError('BAD REQUEST', 'only a screen can be looked at without a hand on it');
  return { kind, viewOnly, force, size: size === undefined ? undefined : copySize(size) };
}

/** @throws ArgoError BAD REQUEST */
export function copySize({ columns, rows }: ConsoleSize): ConsoleSize {
  const isFine = (count: number): boolean => Number.isInteger(count) && count >= 1 && count <= CONSOLE_LARGEST;
  if (!isFine(columns) || !isFine(rows)) throw new ArgoError('BAD REQUEST', `a terminal has 1 to ${CONSOLE_LARGEST} columns and rows`);
  return { columns, rows };
}

const WORDS: Readonly<Record<ConsoleKind, string>> = { vnc: 'screen to show', text: 'text console', shell: 'shell to log in to' };

/** What is said where a machine has no console of a kind: the same everywhere, with the reason where it is known. */
export function noConsole(
  { name, type, providerType }: { readonly name: string; readonly type: MachineType; readonly providerType: string },
  kind: ConsoleKind,
): ArgoError {
  const reason = entryOf(NO_CONSOLE, providerType)?.[type]?.[kind];
  return new ArgoError('NOT SUPPORTED', `${name} has no ${WORDS[kind]}${reason === undefined ? '' : `: ${reason}`}`);
}
