import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answered, pidOf, scratchFolder, start } from '../process.js';
import type { Server } from './bare.js';
import { freePort } from '../../test/support/ports.js';

const POWERMAND = '/usr/sbin/powermand';
const VPCD = '/usr/sbin/vpcd';
const DEVICE = '/etc/powerman/vpc.dev';

/** How many plugs the simulated power controller has. */
export const PLUGS = 16;

/** Asks the controller for the state of every plug. 103 is "query complete", 211 "query completed with errors" (client_proto.h). */
export const POWERMAN_REQUEST = { request: 'status\n', end: '103', fail: '211' } as const;

/** What is absent for powermand to be measured, or undefined. */
export const powermanLacks = (): string | undefined =>
  [POWERMAND, VPCD, DEVICE].every((path) => existsSync(path)) ? undefined : 'powermand is not installed (powerman)';

/** Starts powermand over its own simulated power controller. */
export async function startPowermand(): Promise<Server> {
  const port = await freePort();
  const file = join(scratchFolder('powerman'), 'powerman.conf');
  writeFileSync(file, [
    `include "${DEVICE}"`,
    `listen "127.0.0.1:${port}"`,
    `device "v0" "vpc" "${VPCD} |&"`,
    `node "t[0-${PLUGS - 1}]" "v0" "[0-${PLUGS - 1}]"`,
    '',
  ].join('\n'));
  const child = start(POWERMAND, ['-f', '-c', file]);
  await answered(child, port, POWERMAN_REQUEST.request, /^103 .*\r?\n/m);
  return { child, pid: pidOf(child), port };
}
