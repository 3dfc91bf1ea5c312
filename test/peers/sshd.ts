import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, listens } from '../support/ports.js';
import { until } from '../support/until.js';
import { must, type Enclosure } from './enclosure.js';
import { quickRoot } from './own-etc.js';

const HOST = '127.0.0.1';
const SSH_PORT = 22;
const START_TIMEOUT_MS = 60_000;
const END_TIMEOUT_MS = 60_000;
/**
 * Ends a process and all that come from it: a session's two processes and its commands are in process
 * groups of their own. Those below are held first, so that they begin no further ones; the first one
 * is not, since nsenter would hold itself too.
 */
const END_TREE = 'end() { for child in $(pgrep -P "$1"); do kill -STOP "$child"; end "$child"; done; kill -KILL "$1"; }';
/** Beyond what Debian hands out by itself, so that it meets no account of the machine. */
const ACCOUNT = { name: 'argo-tester', uid: 58_620, home: '/run/argo-home' };

/** A running sshd and all that a client needs. */
export interface SshdPeer {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly privateKeyFile: string;
  /** holds the host's key under `[host]:port`, of the usual port under its address */
  readonly knownHostsFile: string;
  /** as ssh-keygen prints it: `SHA256:…` */
  readonly hostKeyFingerprint: string;
  /** whether it has ended */
  ended(): boolean;
  /** ends it and the sessions on it */
  stop(): Promise<void>;
}

/**
 * Copies of the machine's accounts with one more, in the group libvirt, for the eyes of an enclosure.
 * @returns which file is bound over which
 */
export function accountFiles(scratch: string): Record<string, string> {
  const groupId = /^libvirt:[^:]*:(\d+):/m.exec(readFileSync('/etc/group', 'utf8'))?.[1] ?? '0';
  const { name, uid, home } = ACCOUNT;
  const add = (file: string, line: string): string => {
    const copy = join(scratch, file);
    writeFileSync(copy, `${quickRoot(readFileSync(`/etc/${file}`, 'utf8').trimEnd())}\n${line}\n`);
    chmodSync(copy, file === 'shadow' ? 0o600 : 0o644);
    return copy;
  };
  return {
    [add('passwd', `${name}:x:${uid}:${groupId}::${home}:/bin/sh`)]: '/etc/passwd',
    [add('shadow', `${name}:*:19000:0:99999:7:::`)]: '/etc/shadow',
  };
}

export interface SshdOptions {
  /** left out: a free one, or that of SSH at an address */
  readonly port?: number;
  /** in the enclosure's own network; left out: 127.0.0.1 of the machine's */
  readonly address?: string;
}

/** Starts sshd inside an enclosure. New keys at every call. root may log in by the same key. */
export async function startSshd(enclosure: Enclosure, options: SshdOptions): Promise<SshdPeer> {
  const { address } = options;
  const host = address ?? HOST;
  const port = options.port ?? (address === undefined ? await freePort() : SSH_PORT);
  // Below the enclosure's /run, since its user can't look into the scratch folder itself.
  const inside = join(enclosure.scratch, 'run');
  const home = join(enclosure.scratch, ACCOUNT.home);
  mkdirSync(home, { recursive: true });
  chownSync(home, ACCOUNT.uid, 0);
  const folder = mkdtempSync(join(inside, 'sshd-'));
  chmodSync(folder, 0o755);
  const file = (name: string): string => join(folder, name);
  const seen = (name: string): string => join('/run', folder.slice(inside.length), name);

  for (const name of ['host_key', 'user_key']) await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', file(name)]);
  chmodSync(file('user_key.pub'), 0o644);
  const [type = '', key = ''] = readFileSync(file('host_key.pub'), 'utf8').split(' ');
  writeFileSync(file('known_hosts'), `${port === SSH_PORT ? host : `[${host}]:${port}`} ${type} ${key}\n`);
  const fingerprint = (await must('ssh-keygen', ['-l', '-f', file('host_key.pub')])).split(' ')[1] ?? '';
  writeFileSync(file('sshd_config'), [
    `ListenAddress ${host}:${port}`, `HostKey ${seen('host_key')}`, `AuthorizedKeysFile ${seen('user_key.pub')} .ssh/authorized_keys`,
    `PidFile ${seen('pid')}`, 'PasswordAuthentication no', 'UsePAM no', 'UseDNS no', 'StrictModes no',
    'AllowStreamLocalForwarding yes', 'PermitRootLogin prohibit-password', '',
  ].join('\n'));

  const log = file('log');
  const daemon = enclosure.daemon(['/usr/sbin/sshd', '-D', '-e', '-f', seen('sshd_config')], log, address === undefined ? 'machine' : 'own');
  const ended = (): boolean => daemon.exitCode !== null || daemon.signalCode !== null;
  await until(async () => {
    if (ended()) throw new Error(`sshd ended: ${readFileSync(log, 'utf8')}`);
    return address === undefined ? listens(port) : readFileSync(log, 'utf8').includes('Server listening on');
  }, START_TIMEOUT_MS, 'sshd');

  return {
    host, port, user: ACCOUNT.name, privateKeyFile: file('user_key'), knownHostsFile: file('known_hosts'), hostKeyFingerprint: fingerprint,
    ended,
    stop: async () => {
      await enclosure.run('sh', '-c', `${END_TREE}; end $(cat ${seen('pid')})`);
      await until(ended, END_TIMEOUT_MS, 'the end of sshd');
    },
  };
}
