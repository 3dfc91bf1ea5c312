import { readFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { text } from '../../config/values.js';
import { ArgoError } from '../../errors.js';
import type { LibvirtUri } from '../../protocols/libvirt/uri.js';
import { parseLibvirtUri } from '../../protocols/libvirt/uri.js';
import type { SshOptions } from '../../protocols/ssh/connection.js';

/** The keys of a `[providers.NAME]` table of type libvirt. */

const uri = v.pipe(text, v.rawCheck(({ dataset, addIssue }) => {
  if (!dataset.typed) return;
  try {
    parseLibvirtUri(dataset.value);
  } catch (error) {
    addIssue({ message: (error as Error).message });
  }
}));

export const options = {
  uri: v.optional(uri, 'qemu:///system'),
  /** for qemu+ssh://, as are all that follow */
  'private-key-file': v.optional(text),
  'known-hosts-file': v.optional(text),
  'host-key': v.optional(v.pipe(text, v.startsWith('SHA256:', 'a fingerprint such as "SHA256:…" is expected'))),
  password: v.optional(text),
  'password-file': v.optional(text),
  'password-env': v.optional(text),
};

export type LibvirtOptions = v.InferOutput<v.ObjectSchema<typeof options, undefined>>;

/** Read anew for each attempt, so that a file that was put right is used without a restart. */
export function sshOptions(given: LibvirtOptions, { host, port, user }: LibvirtUri): SshOptions {
  if (host === undefined) throw new TypeError('an SSH transport has a host');
  const privateKeyFile = given['private-key-file'];
  const password = passwordOf(given);
  const agent = process.env.SSH_AUTH_SOCK;
  const hostKey = given['host-key'];
  return {
    host,
    user: user ?? userInfo().username,
    ...(port === undefined ? {} : { port }),
    ...(privateKeyFile === undefined ? {} : { privateKey: read(privateKeyFile) }),
    ...(password === undefined ? {} : { password }),
    ...(privateKeyFile === undefined && password === undefined && agent !== undefined ? { agent } : {}),
    hostKey: hostKey === undefined ? { knownHosts: knownHosts(given['known-hosts-file']) } : { fingerprint: hostKey },
  };
}

function passwordOf(given: LibvirtOptions): string | undefined {
  const file = given['password-file'];
  const variable = given['password-env'];
  if (given.password !== undefined) return given.password;
  if (file !== undefined) return read(file).replace(/\r?\n$/, '');
  return variable === undefined ? undefined : process.env[variable];
}

/** Without a file of its own: what this user's ssh knows. */
function knownHosts(file: string | undefined): string {
  if (file !== undefined) return read(file);
  return ['/etc/ssh/ssh_known_hosts', join(homedir(), '.ssh', 'known_hosts')].map((path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  }).join('\n');
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ArgoError('UNREACHABLE', `${file} cannot be read`, { cause: error });
  }
}
