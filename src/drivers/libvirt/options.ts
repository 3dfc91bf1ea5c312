import { readFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { passwordEntries, readPassword, readSecretFile, type Secret } from '../../config/secret.js';
import { text } from '../../config/values.js';
import { ArgoError } from '../../errors.js';
import { parseLibvirtUri, type LibvirtUri } from '../../protocols/libvirt/uri.js';
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
  ...passwordEntries,
};

export type LibvirtOptions = v.InferOutput<v.ObjectSchema<typeof options, undefined>>;

/**
 * Read anew for each attempt, so that a file that was put right is used without a restart.
 * @throws ArgoError, which names a file or variable that cannot be read
 */
export function sshOptions(given: LibvirtOptions, { host, port, user }: LibvirtUri): SshOptions {
  if (host === undefined) throw new TypeError('an SSH transport has a host');
  const keyFile = given['private-key-file'];
  const privateKey = keyFile === undefined ? undefined : reading(() => readSecretFile(keyFile));
  const password = reading(() => readPassword(given));
  const agent = process.env.SSH_AUTH_SOCK;
  const fingerprint = given['host-key'];
  const isOurs = privateKey !== undefined || password !== undefined;
  return {
    host,
    user: user ?? userInfo().username,
    ...(port === undefined ? {} : { port }),
    ...reveal('privateKey', privateKey),
    ...reveal('password', password),
    ...(isOurs || agent === undefined ? {} : { agent }),
    hostKey: fingerprint === undefined ? { knownHosts: knownHosts(given['known-hosts-file']) } : { fingerprint },
  };
}

function reveal<Name extends string>(name: Name, secret: Secret | undefined): Partial<Record<Name, string>> {
  return secret === undefined ? {} : { [name]: secret.reveal() } as Record<Name, string>;
}

/** Without a file of its own: what this user's ssh knows. */
function knownHosts(file: string | undefined): string {
  if (file !== undefined) return reading(() => readFileSync(file, 'utf8'));
  return ['/etc/ssh/ssh_known_hosts', join(homedir(), '.ssh', 'known_hosts')].map((path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  }).join('\n');
}

function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new ArgoError('UNREACHABLE', (error as Error).message, { cause: error });
  }
}
