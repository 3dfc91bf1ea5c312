import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { answered, pidOf, scratchFolder, start } from '../process.js';
import type { Server } from './bare.js';
import { freePort } from '../../test/support/ports.js';

/** Where Debian keeps NUT's binaries; /sbin/upsd is a script that obeys /etc/nut/nut.conf. */
const FOLDER = '/lib/nut';
const UPSD = join(FOLDER, 'upsd');
const DRIVER = join(FOLDER, 'dummy-ups');
/** How long the driver may take to make its socket, in ms. */
const DRIVER_DEADLINE = 10_000;

/** The request that NUT's users make most: one variable of one device, from upsd's memory. */
export const NUT_REQUEST = { request: 'GET VAR sim ups.status\n', end: 'VAR', fail: 'ERR' } as const;

/** What is absent for upsd to be measured, or undefined. */
export const nutLacks = (): string | undefined =>
  existsSync(UPSD) && existsSync(DRIVER) ? undefined : 'upsd is not installed (nut-server)';

/** Starts upsd over NUT's own simulated UPS. */
export async function startUpsd(): Promise<Server> {
  const folder = scratchFolder('nut');
  const port = await freePort();
  chmodSync(folder, 0o700);
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text, { mode: 0o600 });
  write('ups.conf', '[sim]\n driver = dummy-ups\n port = sim.dev\n');
  write('sim.dev', 'ups.status: OL\nbattery.charge: 100\n');
  write('upsd.conf', `LISTEN 127.0.0.1 ${port}\nMAXCONN 2000\n`);
  write('upsd.users', '');
  const env = { ...process.env, NUT_CONFPATH: folder, NUT_STATEPATH: folder, NUT_ALTPIDPATH: folder, NUT_PIDPATH: folder };
  const user = process.getuid?.() === 0 ? ['-u', 'root'] : [];
  const driver = start(DRIVER, ['-a', 'sim', '-F', ...user], { env, stdio: 'ignore' });
  const deadline = Date.now() + DRIVER_DEADLINE;
  while (!existsSync(join(folder, 'dummy-ups-sim'))) {
    if (Date.now() > deadline) throw new Error('dummy-ups does not start');
    await pause(20);
  }
  const child = start(UPSD, ['-F', ...user], { env });
  while (!(await answered(child, port, NUT_REQUEST.request, /^(VAR|ERR).*\n/m)).startsWith('VAR')) {
    if (Date.now() > deadline) throw new Error('upsd does not reach its driver');
    await pause(20);
  }
  return { child, pid: pidOf(child), port, helpers: [driver] };
}
