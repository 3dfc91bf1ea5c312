import * as v from 'valibot';
import type { Driver } from '../../../src/drivers/driver.js';
import linux from '../../../src/drivers/linux/index.js';

/** A line of the log. */
export interface Logged {
  readonly level: string;
  readonly message: string;
  readonly facts: Record<string, unknown> | undefined;
}

/** The driver as a provider has it, with a log that is kept. */
export function openLinux(options: Record<string, unknown>): { driver: Driver; log: Logged[] } {
  const log: Logged[] = [];
  const driver = linux.open(v.parse(v.strictObject(linux.options), options), {
    name: 'lab',
    log: (level, message, facts) => { log.push({ level, message, facts }); },
    changed: () => undefined,
    relist: () => undefined,
    lost: () => undefined,
  });
  return { driver, log };
}
