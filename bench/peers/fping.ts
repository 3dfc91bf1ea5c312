import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from '../process.js';

const FPING = '/usr/bin/fping';
/** What bash prints of a command: seconds of wall clock, of CPU as user and as system. */
const FORMAT = '%R %U %S';

/** What is absent for fping to be measured, or undefined. */
export const fpingLacks = (): string | undefined => (existsSync(FPING) ? undefined : 'fping is not installed');

/** The file that fping reads its targets from. */
export function targetsFile(addresses: readonly string[]): string {
  const file = join(scratchFolder('fping'), 'targets');
  writeFileSync(file, addresses.map((address) => `${address}\n`).join(''));
  return file;
}

/**
 * Pings everything in a file once, each silent host three times more.
 * @param interval ms between two packets; below 1 it needs root
 */
export function runFping(file: string, interval: number): { ms: number; cpuUs: number } {
  const command = `TIMEFORMAT='${FORMAT}'; time ${FPING} -q -i ${interval} -r 3 -f ${file} 2> /dev/null`;
  const text = execFileSync('bash', ['-c', `{ ${command}; } 2>&1`], { encoding: 'utf8' });
  const [wall = 0, user = 0, system = 0] = text.trim().split(' ').map(Number);
  return { ms: wall * 1000, cpuUs: (user + system) * 1e6 };
}
