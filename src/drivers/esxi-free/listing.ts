import { decodeName } from '../../protocols/vim/names.js';

/** Reads the tables and lists that vim-cmd and esxcli print of virtual machines. */

/** More registered virtual machines than any ESXi takes (its configuration maximum is 1,024). */
export const MOST_VMS = 2048;

/** A vmid fills its column, and three blanks stand between columns; ids are never longer in hostd. */
const ROW = /^(\d{1,9}) {3,}\S/;

/** Printed before the header for a machine whose configuration file is gone or damaged. */
const INVALID = /^Skipping invalid VM '(\d{1,9})'/;

/** What getallvms says, as far as it can be believed. */
export interface Listing {
  /** Ids of machines that there may be: an annotation can hold lines that look like rows. */
  readonly candidates: readonly number[];
  /** ids of those that ESXi itself calls invalid */
  readonly invalid: ReadonlySet<number>;
}

/**
 * Reads `vim-cmd vmsvc/getallvms`. Only the ids are taken from it: names and datastores hold blanks
 * and brackets, annotations hold line breaks, and the columns have no fixed place. The rest is asked
 * of each machine by its id.
 *
 * @returns undefined where the header is missing, so that this is no such table
 */
export function parseGetAllVms(output: string): Listing | undefined {
  const lines = output.split(/\r?\n/);
  if (!lines.some((line) => /^Vmid +Name +File +Guest OS +Version/.test(line))) return undefined;
  const invalid = new Set<number>();
  const candidates = new Set<number>();
  for (const line of lines) {
    const skipped = INVALID.exec(line)?.[1];
    if (skipped !== undefined) invalid.add(Number(skipped));
    const id = skipped ?? ROW.exec(line)?.[1];
    if (id !== undefined) candidates.add(Number(id));
    if (candidates.size >= MOST_VMS) break;
  }
  return { candidates: [...candidates].sort((a, b) => a - b), invalid };
}

/** A virtual machine that the kernel runs. */
export interface Process {
  readonly name: string;
  /** path of its vmx file */
  readonly file: string;
}

/**
 * Reads `esxcli vm process list`: a paragraph a running machine, registered or not.
 *
 * @returns undefined where the output is neither empty nor such a list
 */
export function parseProcessList(output: string): Process[] | undefined {
  const processes: Process[] = [];
  for (const match of output.matchAll(/^ {3}Display Name: (.*)\r?\n {3}Config File: (.*)$/gm)) {
    processes.push({ name: decodeName(match[1]!.trim()), file: match[2]!.trim() });
  }
  const worlds = output.match(/^ {3}World ID: \d+\s*$/gm)?.length ?? 0;
  return worlds === processes.length && (worlds > 0 || output.trim() === '') ? processes : undefined;
}

/** Files of agent machines that a vCenter or ESXi itself runs. */
const AGENT_FILE = /^(?:\[\] ?)?\/var\/run\/crx\//;
/** `vCLS-UUID` since 7.0 U3, `vCLS (1)` before. */
const AGENT_NAME = /^vCLS(?:-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}| \(\d+\))$/i;

/** Whether a machine is a vCLS agent: ESXi looks after those, and nobody else may touch them. */
export function isAgent({ name, file, guestId }: { readonly name: string; readonly file: string; readonly guestId?: string | undefined }): boolean {
  return AGENT_FILE.test(file) || AGENT_NAME.test(name) || /^crx.*Guest$/.test(guestId ?? '');
}
