import type { ConsoleRequest } from '../../gateways/web/messages.js';

/** What a console's page is about, as it stands behind the `#` of its address, where no log has it. */

export type ConsoleKind = ConsoleRequest['kind'];

export interface ConsolePlace {
  readonly instance: string;
  readonly kind: ConsoleKind;
  readonly viewOnly: boolean;
}

export const TITLES: Readonly<Record<ConsoleKind, string>> = { vnc: 'Screen', text: 'Console', shell: 'Shell' };

/** @returns undefined where it names nothing that could be opened */
export function readConsolePlace(hash: string): ConsolePlace | undefined {
  const words = new URLSearchParams(hash.replace(/^#/, ''));
  const instance = words.get('instance') ?? '';
  const kind = words.get('kind') ?? '';
  if (instance === '' || !Object.hasOwn(TITLES, kind)) return undefined;
  return { instance, kind: kind as ConsoleKind, viewOnly: kind === 'vnc' && words.get('view-only') === 'true' };
}
