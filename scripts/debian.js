/** Installs the real peers of the end-to-end tests, where that is possible. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fromRoot } from './root.js';

/** What Debian's packages ask before they start a daemon (invoke-rc.d(8)); 101 forbids it. */
const POLICY = '/usr/sbin/policy-rc.d';
const ATTEMPTS = 3;
const RETRY_AFTER_MS = 10_000;
/** How long apt may wait for another apt to end, s. */
const LOCK_WAIT_S = 300;
const ENV = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };

/** The packages that a list names: one a line, `#` starts a comment. @param {string} text */
export const packageNames = (text) => text.split('\n').map((line) => line.replace(/#.*/, '').trim()).filter((name) => name !== '');

/** @param {string[]} names @returns {string[]} those that are not installed */
function absent(names) {
  const { stdout } = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names], { encoding: 'utf8' });
  const installed = new Set(stdout.split('\n').filter((line) => line.endsWith(' installed')).map((line) => line.split(' ')[0]));
  return names.filter((name) => !installed.has(name));
}

const apt = (/** @type {string[]} */ ...args) => spawnSync('apt-get', ['-q', '-o', `DPkg::Lock::Timeout=${LOCK_WAIT_S}`, ...args], {
  env: ENV, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 * 1024 * 1024,
});

/**
 * Runs a step while no package may start its daemon: the tests start their own.
 * @template T @param {() => T} step @returns {T}
 */
function withoutDaemons(step) {
  if (existsSync(POLICY)) return step();
  const remove = () => rmSync(POLICY, { force: true });
  process.once('exit', remove);
  try {
    writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    return step();
  } finally {
    remove();
    process.removeListener('exit', remove);
  }
}

/**
 * Installs the packages of test/peers/packages.txt that this machine lacks.
 * @returns {Promise<string | undefined>} what a person should know: which are missing and why
 */
export async function installPeers() {
  if (!existsSync('/etc/debian_version')) return 'this is no Debian: tests whose peers are missing are skipped';
  const names = packageNames(readFileSync(fromRoot('test', 'peers', 'packages.txt'), 'utf8'));
  let lacking = absent(names);
  if (lacking.length === 0) return undefined;
  if (process.getuid?.() !== 0) return `not root, so these Debian packages are not installed: ${lacking.join(' ')}`;
  process.stderr.write(`argo: installing Debian packages for the tests: ${lacking.join(' ')}\n`);
  let said = '';
  for (let attempt = 1; attempt <= ATTEMPTS && lacking.length > 0; attempt += 1) {
    if (attempt > 1) await sleep(RETRY_AFTER_MS);
    const update = apt('update');
    // One by one at last: a single name that this release does not know makes apt install none.
    const portions = attempt < ATTEMPTS ? [lacking] : lacking.map((name) => [name]);
    const installs = withoutDaemons(() => portions.map((portion) => apt('install', '-y', '--no-install-recommends', ...portion)));
    said = `${update.stderr}${installs.map(({ stderr }) => stderr).join('')}`;
    lacking = absent(lacking);
  }
  return lacking.length > 0 ? `these Debian packages could not be installed: ${lacking.join(' ')}\n${said}` : undefined;
}
