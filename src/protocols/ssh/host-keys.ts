import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { HostKeyError } from './errors.js';

/** Checks of an SSH host's key: a pinned fingerprint, or a known_hosts file as sshd(8) describes it. */

/** What a host's key is compared with. With neither, no key is good. */
export interface HostKeyPolicy {
  /** `SHA256:…`, with or without the `=` at its end */
  readonly fingerprint?: string;
  /** the text of a known_hosts file */
  readonly knownHosts?: string;
  /**
   * Takes a host of which no key is known by its word, as ssh's `StrictHostKeyChecking=accept-new`:
   * called with the line for known_hosts, which must be kept before this returns. A key that is
   * another than the known one is refused all the same, and so is one of a host for which known_hosts has an
   * authority, which ssh would take.
   */
  readonly acceptNew?: (line: string) => void;
  /** a key that a certificate of one of known_hosts' authorities is about, in SSH's own encoding: as good as one that stands there */
  readonly certified?: Buffer;
  /** why there is no such key although known_hosts has authorities for the host, for people */
  readonly certificateFault?: string;
}

interface KnownKey {
  readonly type: string;
  readonly key: Buffer;
  readonly revoked: boolean;
}

const SSH_PORT = 22;

/** `SHA256:…`, as `ssh-keygen -l` prints it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/**
 * Lets a good key pass.
 * @param key the public key as it came, in SSH's own encoding
 * @throws HostKeyError for every other
 */
export function checkHostKey(policy: HostKeyPolicy, host: string, port: number, key: Buffer): void {
  const shown = fingerprintOf(key);
  if (policy.fingerprint !== undefined) {
    if (policy.fingerprint.replace(/=+$/, '') === shown) return;
    throw new HostKeyError('changed', shown, `${host} shows the key ${shown}, not the one configured`);
  }
  const known = knownKeys(policy, host, port);
  const same = known.filter((candidate) => candidate.key.equals(key));
  if (same.some((candidate) => candidate.revoked)) throw new HostKeyError('revoked', shown, `the key ${shown} of ${host} is revoked`);
  if (same.length > 0) return;
  const { certificateFault = revokedAuthority(policy, host, port) } = policy;
  const fault = certificateFault === undefined ? '' : `; ${certificateFault}`;
  const others = known.some((candidate) => !candidate.revoked);
  if (others) throw new HostKeyError('changed', shown, `${host} shows the key ${shown}, which is not in known_hosts, while others of it are${fault}`);
  // Where an authority should vouch for the host, a key without its word would make that pointless: ssh takes it all the same.
  if (policy.acceptNew === undefined || certificateFault !== undefined) throw new HostKeyError('unknown', shown, `the key ${shown} of ${host} is in no known_hosts${fault}`);
  try {
    policy.acceptNew(knownHostsLine(host, port, key));
  } catch (error) {
    throw new HostKeyError('unknown', shown, `the new key ${shown} of ${host} cannot be remembered: ${(error as Error).message}`);
  }
}

/** How known_hosts names a host. */
const nameOf = (host: string, port: number): string => port === SSH_PORT ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;

/** A public key starts with the length and the text of its type (RFC 4253, section 6.6). */
export const typeOf = (key: Buffer): string => key.subarray(4, 4 + key.readUInt32BE(0)).toString('latin1');

/** A host's key as a line of known_hosts, without a line end. */
export const knownHostsLine = (host: string, port: number, key: Buffer): string => `${nameOf(host, port)} ${typeOf(key)} ${key.toString('base64')}`;

/** The types of key that are known for a host: the ones to ask it for, so that they can be compared. */
export function knownKeyTypes(policy: HostKeyPolicy, host: string, port: number): string[] {
  if (policy.fingerprint !== undefined) return [];
  return [...new Set(knownKeys(policy, host, port).filter((known) => !known.revoked).map((known) => known.type))];
}

/** A host shows ssh2 its plain key, which a certificate may be about. */
function knownKeys({ knownHosts = '', certified }: HostKeyPolicy, host: string, port: number): KnownKey[] {
  const known = linesOf(knownHosts, host, port).filter(({ marker }) => marker !== '@cert-authority')
    .map(({ marker, type, encoded }) => ({ type, key: Buffer.from(encoded, 'base64'), revoked: marker === '@revoked' }));
  return certified === undefined ? known : [{ type: typeOf(certified), key: certified, revoked: false }, ...known];
}

/**
 * The keys of those whose certificates make a host known: its @cert-authority lines, of which none counts that is
 * @revoked too. As ssh has it, they need not name the port.
 */
export function authoritiesOf(policy: HostKeyPolicy, host: string, port: number): Buffer[] {
  return authorityLines(policy, host, port).filter(({ isRevoked }) => !isRevoked).map(({ encoded }) => Buffer.from(encoded, 'base64'));
}

function authorityLines({ fingerprint, knownHosts = '' }: HostKeyPolicy, host: string, port: number): { readonly encoded: string; readonly isRevoked: boolean }[] {
  if (fingerprint !== undefined) return [];
  const lines = [...new Set([port, SSH_PORT])].flatMap((each) => linesOf(knownHosts, host, each));
  const revoked = lines.filter(({ marker }) => marker === '@revoked').map(({ encoded }) => encoded);
  return lines.filter(({ marker }) => marker === '@cert-authority').map(({ encoded }) => ({ encoded, isRevoked: revoked.includes(encoded) }));
}

/** Why no certificate was asked for, where known_hosts names authorities of which none counts; for people. */
function revokedAuthority(policy: HostKeyPolicy, host: string, port: number): string | undefined {
  const lines = authorityLines(policy, host, port);
  return lines.length > 0 && lines.every(({ isRevoked }) => isRevoked) ? 'its @cert-authority is @revoked there' : undefined;
}

interface Line {
  readonly marker: string | undefined;
  readonly type: string;
  readonly encoded: string;
}

function linesOf(file: string, host: string, port: number): Line[] {
  const lines: Line[] = [];
  for (const line of file.split('\n')) {
    const words = line.trim().split(/\s+/);
    if (words[0] === '' || words[0]!.startsWith('#')) continue;
    const marker = words[0]!.startsWith('@') ? words.shift() : undefined;
    const [patterns, type, encoded] = words;
    if (patterns === undefined || type === undefined || encoded === undefined) continue;
    if (matchesHost(patterns, host, port)) lines.push({ marker, type, encoded });
  }
  return lines;
}

function matchesHost(patterns: string, host: string, port: number): boolean {
  const name = nameOf(host, port);
  if (patterns.startsWith('|1|')) return matchesHash(patterns, name);
  let matched = false;
  for (const pattern of patterns.toLowerCase().split(',')) {
    const negated = pattern.startsWith('!');
    if (!matchesPattern(negated ? pattern.slice(1) : pattern, name)) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}

/** `|1|salt|HMAC-SHA1(salt, name)`, as HashKnownHosts writes it. */
function matchesHash(hashed: string, name: string): boolean {
  const [, , salt, digest] = hashed.split('|');
  if (salt === undefined || digest === undefined) return false;
  const expected = Buffer.from(digest, 'base64');
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

/** `*` and `?`, without a regular expression of a stranger's making. */
export function matchesPattern(pattern: string, name: string): boolean {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*+/g, '.*').replace(/\?/g, '.');
  return new RegExp(`^${escaped}$`).test(name);
}
