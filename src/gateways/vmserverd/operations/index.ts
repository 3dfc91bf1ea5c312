import { fileRows } from './files.js';
import { hostRows } from './host.js';
import { machineRows } from './machines.js';
import { numberRows } from './numbers.js';
import type { Parts } from './parts.js';
import { powerRows } from './power.js';
import type { AnyRow } from './row.js';
import { securityRows } from './security.js';
import { enumerateRow, serverRows } from './server.js';
import { taskRows } from './tasks.js';

/** All operations by their names: those of VMware Server 1.0.3 in the order of its log, and Argo's own. */

const sorted = (rows: Readonly<Record<string, AnyRow<Parts>>>): [string, AnyRow<Parts>][] =>
  Object.entries(rows).sort(([one], [other]) => (one < other ? -1 : 1));

export const OPERATIONS: ReadonlyMap<string, AnyRow<Parts>> = new Map([
  ...sorted({ ...serverRows, ...machineRows, ...taskRows, ...hostRows, ...fileRows, ...securityRows, ...numberRows }),
  ...sorted({ ...powerRows, ...enumerateRow }),
]);

/** As vmware-serverd wrote it into its log. */
export const logLine = (name: string, { handler, access }: AnyRow<Parts>): string => `Op ${name} -> ${handler} (${access})`;
