import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { passwordEntries, readPassword, readSecret, readSecretFile } from '../../config/secret.js';
import { duration, flag, parseEndpoint, text, whole } from '../../config/values.js';
import { ArgoError } from '../../kit/errors.js';
import { homeFolder } from '../../kit/own-folders.js';
import { keyFormatFault, type SshOptions } from '../../protocols/ssh/connection.js';
import type { HostKeyPolicy } from '../../protocols/ssh/host-keys.js';
import { SshSession } from '../../protocols/ssh/session.js';

/** What every driver that works over SSH takes from its table in argo-server.conf. */

const SSH_PORT = 22;

/** `SHA256:…`, as `ssh-keygen -l` prints it. */
export const fingerprint = v.pipe(text, v.regex(/^SHA256:[A-Za-z0-9+/]{43}=?$/, 'a fingerprint such as "SHA256:…" (43 characters) is expected'));

/** `user@host`, `user@host:port`, `host`, as ssh -J takes it. */
const jumpHost = v.pipe(
  text,
  v.check((value) => parseJump(value) !== undefined, 'write "host", "user@host" or "user@host:port"'),
  v.transform((value) => parseJump(value)!),
);

/** A file whose key is of a format that can be used, so far as it can be read: whether it can is told with the other secrets. */
const privateKeyFile = v.pipe(text, v.rawCheck(({ dataset, addIssue }) => {
  if (!dataset.typed) return;
  let fault: string | undefined;
  try {
    fault = keyFormatFault(readSecretFile(dataset.value).reveal(), dataset.value);
  } catch {
    return;
  }
  if (fault !== undefined) addIssue({ message: fault });
}));

/** Credentials, and by what a host is known. */
export const accessEntries = {
  ...passwordEntries,
  'private-key-file': v.optional(privateKeyFile),
  'private-key-env': v.optional(text),
  'known-hosts-file': v.optional(text),
  'host-key': v.optional(fingerprint),
  'accept-new-host-keys': v.optional(flag, false),
};

export const sshEntries = {
  user: text,
  'ssh-port': v.optional(whole(1, 65_535), SSH_PORT),
  ...accessEntries,
  'jump-host': v.optional(jumpHost),
  'jump-host-key': v.optional(fingerprint),
  'connect-timeout': v.optional(duration, '8s'),
  'ssh-idle': v.optional(duration, '2m'),
};

/** What {@link accessEntries} yield. */
export type SshAccess = v.InferOutput<v.ObjectSchema<typeof accessEntries, undefined>>;

/** What {@link sshEntries} yield. */
export type SshTable = v.InferOutput<v.ObjectSchema<typeof sshEntries, undefined>>;

/** One host of a table; what it does not say is the table's. */
export interface SshPlace {
  readonly address: string;
  readonly user?: string | undefined;
  readonly 'ssh-port'?: number | undefined;
  readonly 'host-key'?: string | undefined;
}

/** Where to log in, and as whom. */
export interface SshTarget {
  readonly host: string;
  readonly port: number | undefined;
  readonly user: string;
}

/** The session to one host. Nothing is read and nobody is asked before its first command. */
export function openSession(table: SshTable, place: SshPlace, via?: SshSession): SshSession {
  const target = { host: place.address, port: place['ssh-port'] ?? table['ssh-port'], user: place.user ?? table.user };
  const access = { ...table, 'host-key': place['host-key'] ?? table['host-key'] };
  return new SshSession(() => sshOptions(access, target), limitsOf(table), via);
}

/** The session to the table's jump host, if it has one: for all its hosts. */
export function openJump(table: SshTable): SshSession | undefined {
  const jump = table['jump-host'];
  if (jump === undefined) return undefined;
  const target = { host: jump.host, port: jump.port, user: jump.user ?? table.user };
  const access = { ...table, 'host-key': table['jump-host-key'] };
  return new SshSession(() => sshOptions(access, target), limitsOf(table));
}

const limitsOf = (table: SshTable) => ({ connect: table['connect-timeout'], idle: table['ssh-idle'] });

/**
 * What a connection needs. Keys and passwords are read anew with each call, so that a file that was put
 * right is used without a restart.
 * @throws ArgoError UNREACHABLE, which names a file or variable that cannot be read
 */
export function sshOptions(access: SshAccess, { host, port = SSH_PORT, user }: SshTarget): SshOptions {
  const keys = { 'private-key-file': access['private-key-file'], 'private-key-env': access['private-key-env'] };
  const privateKey = read(() => readSecret(keys, 'private-key'))?.reveal();
  const password = read(() => readPassword(access))?.reveal();
  const agent = process.env.SSH_AUTH_SOCK;
  return {
    host,
    port,
    user,
    hostKey: hostKeyOf(access),
    ...(privateKey === undefined ? {} : { privateKey }),
    ...(password === undefined ? {} : { password }),
    ...(privateKey === undefined && password === undefined && agent !== undefined ? { agent } : {}),
  };
}

function hostKeyOf(access: SshAccess): HostKeyPolicy {
  const pinned = access['host-key'];
  if (pinned !== undefined) return { fingerprint: pinned };
  const file = access['known-hosts-file'];
  const acceptsNew = access['accept-new-host-keys'];
  const known = knownHosts(file, acceptsNew);
  if (!acceptsNew) return { knownHosts: known };
  const remembers = file ?? ownKnownHosts();
  const before = known === '' || known.endsWith('\n') ? '' : '\n';
  return { knownHosts: known, acceptNew: (line) => appendFileSync(remembers, `${before}${line}\n`, { mode: 0o600 }) };
}

const ownKnownHosts = (): string => join(homeFolder(process.env), '.ssh', 'known_hosts');

/** Without a file of its own: what this user's ssh knows. */
function knownHosts(file: string | undefined, mayBeAbsent: boolean): string {
  const text = (path: string): string => read(() => readFileSync(path, 'utf8'));
  if (file !== undefined) return mayBeAbsent && !existsSync(file) ? '' : text(file);
  return ['/etc/ssh/ssh_known_hosts', ownKnownHosts()].filter(existsSync).map(text).join('\n');
}

/** What was good at the start may have gone away: nothing can be done with the host then, and nothing was. */
function read<T>(source: () => T): T {
  try {
    return source();
  } catch (error) {
    throw new ArgoError('UNREACHABLE', (error as Error).message, { cause: error });
  }
}

function parseJump(value: string): { readonly user: string | undefined; readonly host: string; readonly port: number } | undefined {
  const at = value.lastIndexOf('@');
  const user = at < 0 ? undefined : value.slice(0, at);
  const place = value.slice(at + 1);
  const endpoint = parseEndpoint(place) ?? parseEndpoint(`${place}:${SSH_PORT}`);
  return user === '' || endpoint === undefined || endpoint.port === 0 ? undefined : { user, host: endpoint.host, port: endpoint.port };
}
