import * as v from 'valibot';
import { readSecret, secretEntries } from '../../config/secret.js';
import { duration, flag, text, whole } from '../../config/values.js';
import { ArgoError } from '../../kit/errors.js';
import { listedHostEntries, manyHostsEntries } from '../host/options.js';
import { fingerprint, sshEntries } from '../ssh/options.js';
import type { Rights } from './power.js';

/** The keys of a `[providers.NAME]` table of type linux. */

/** A shell command of one line. */
const command = v.pipe(text, v.regex(/^[^\r\n\0]+$/, 'a command must be one line'));

export const options = {
  ...sshEntries,
  ...manyHostsEntries(v.strictObject({
    ...listedHostEntries,
    user: v.optional(text),
    'ssh-port': v.optional(whole(1, 65_535)),
    'host-key': v.optional(fingerprint),
  })),
  shell: v.optional(flag, false),
  sudo: v.optional(flag),
  ...secretEntries('sudo-password'),
  'shutdown-command': v.optional(command, 'sleep 1 && shutdown -P +0'),
  'reboot-command': v.optional(command, 'sleep 1 && shutdown -r +0'),
  'power-off-command': v.optional(command),
  'reset-command': v.optional(command),
  'uptime-command': v.optional(command, 'cat /proc/uptime'),
  'boot-id-command': v.optional(command, 'cat /proc/sys/kernel/random/boot_id'),
  'command-timeout': v.optional(duration, '20s'),
  witness: v.optional(text),
};

export type LinuxOptions = v.InferOutput<v.ObjectSchema<typeof options, undefined>>;

/** root needs no sudo, unless it is asked for. */
export function rightsOf(table: LinuxOptions, user: string): Rights {
  if (!(table.sudo ?? user !== 'root')) return { by: 'nobody' };
  try {
    return { by: 'sudo', password: readSecret(table, 'sudo-password') };
  } catch (error) {
    throw new ArgoError('UNREACHABLE', (error as Error).message, { cause: error });
  }
}
