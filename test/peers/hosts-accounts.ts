import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The accounts of namespace hosts. */

export interface HostAccount {
  readonly name: string;
  readonly password: string;
  readonly shell: string;
  /** what sudoers says of it; undefined: nothing */
  readonly sudo?: string;
}

/** Beyond what Debian hands out by itself, so that they meet no account of the machine. */
const FIRST_UID = 58_700;
export const HOME = '/run/peers/home';
const FAULT_SHELL = '/run/peers/shell-fault.sh';
const fault = (name: string): HostAccount => ({ name, password: 'sesame', shell: FAULT_SHELL, sudo: 'ALL=(ALL) NOPASSWD: ALL' });

/** Passwords hold what shells trip over. */
export const ACCOUNTS = {
  bash: { name: 'argo', password: 'Pa$s w0rd', shell: '/bin/bash', sudo: 'ALL=(ALL) ALL' },
  dash: { name: 'argo-dash', password: 'it\'s "$HOME" `id` \\n!', shell: '/bin/dash', sudo: 'ALL=(ALL) ALL' },
  free: { name: 'argo-free', password: 'sesame', shell: '/bin/sh', sudo: 'ALL=(ALL) NOPASSWD: ALL' },
  minimal: {
    name: 'argo-minimal', password: 'sesame', shell: '/bin/sh',
    sudo: 'ALL=(root) NOPASSWD: /bin/sh -c sleep 1 && shutdown -P +0, /bin/sh -c sleep 1 && shutdown -r +0, /bin/dmesg',
  },
  stranger: { name: 'argo-stranger', password: 'sesame', shell: '/bin/sh' },
  cut: fault('argo-cut'),
  lost: fault('argo-lost'),
  flood: fault('argo-flood'),
  hang: fault('argo-hang'),
} as const satisfies Record<string, HostAccount>;

/**
 * Copies of the machine's accounts with these, for the eyes of an enclosure.
 * @returns which file is bound over which
 */
export function hostAccountFiles(scratch: string, hosts: readonly (readonly [address: string, name: string])[]): Record<string, string> {
  const accounts: HostAccount[] = Object.values(ACCOUNTS);
  const write = (file: string, text: string, mode: number): string => {
    const path = join(scratch, file);
    writeFileSync(path, text, { mode });
    chmodSync(path, mode);
    return path;
  };
  const extend = (file: string, lines: string[]): string => `${readFileSync(`/etc/${file}`, 'utf8').trimEnd()}\n${lines.join('\n')}\n`;
  const sudoers = [
    'Defaults env_reset, use_pty', 'Defaults secure_path="/run/peers/sbin:/usr/sbin:/usr/bin:/sbin:/bin"', 'root ALL=(ALL) ALL',
    ...accounts.flatMap(({ name, sudo }) => sudo === undefined ? [] : [`${name} ${sudo}`]), '',
  ];
  return {
    [write('passwd', extend('passwd', accounts.map(({ name, shell }, i) => `${name}:x:${FIRST_UID + i}:65534::${HOME}:${shell}`)), 0o644)]: '/etc/passwd',
    [write('shadow', extend('shadow', accounts.map(({ name, password }) => `${name}:${hash(password)}:19000:0:99999:7:::`)), 0o600)]: '/etc/shadow',
    // Where a host can't look up its own name, sudo says so each time it is called.
    [write('hosts', extend('hosts', hosts.map((words) => words.join(' '))), 0o644)]: '/etc/hosts',
    [write('sudoers', sudoers.join('\n'), 0o440)]: '/etc/sudoers',
  };
}

/** As /etc/shadow holds it. Perl is on every Debian, and Node has no crypt(3). */
function hash(password: string): string {
  return execFileSync('perl', ['-e', 'print crypt(<STDIN>, q($6$argopeer$))'], { input: password, encoding: 'utf8' });
}
