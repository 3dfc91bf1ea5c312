import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openLinux } from '../drivers/linux/open-driver.js';
import { findMachine, outcome } from '../drivers/driving.js';
import { ACCOUNTS, HOSTS_PROGRAMS, HostsPeer } from '../peers/hosts.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** Hosts that are known by the certificate of an authority alone, shown by a real sshd. */

const options = { skip: lacksRoot(...HOSTS_PROGRAMS), timeout: 170_000 };
const WAIT_MS = 60_000;
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS);
const CERTIFICATE = 'host_key-cert.pub';

async function read(t: Test, peer: HostsPeer, name: string, keys: Record<string, unknown>) {
  const { driver } = openLinux({
    hosts: peer.hosts.map((host) => ({ name: host.name, address: host.address })), user: ACCOUNTS.bash.name, 'private-key-file': peer.privateKeyFile, ...keys,
  });
  t.teardown(() => driver.close(soon()));
  return outcome((await findMachine(driver, name, soon())).bootMark!(soon()));
}

await t.test('@cert-authority', options, async (t) => {
  const peer = await HostsPeer.start({ count: 2, sshd: [`HostCertificate /run/peers/h1/${CERTIFICATE}`] });
  t.teardown(() => peer.stop());
  const folder = t.testdir({});
  const keygen = (...args: string[]): void => void execFileSync('ssh-keygen', ['-q', ...args], { cwd: folder, stdio: 'pipe' });
  keygen('-t', 'ed25519', '-N', '', '-f', 'ca');
  const { address } = peer.host('h1');
  const authority = readFileSync(join(folder, 'ca.pub'), 'utf8').trim();
  const known = (text: string): Record<string, unknown> => {
    const file = join(mkdtempSync(join(folder, 'known-')), 'known_hosts');
    writeFileSync(file, text);
    return { 'known-hosts-file': file };
  };
  const byAuthority = `@cert-authority 198.18.* ${authority}\n`;
  const certify = async (...more: string[]): Promise<void> => {
    copyFileSync(join(peer.folderOf('h1'), 'host_key.pub'), join(folder, 'host_key.pub'));
    keygen('-s', 'ca', '-h', '-I', 'h1', ...more, 'host_key.pub');
    copyFileSync(join(folder, CERTIFICATE), join(peer.folderOf('h1'), CERTIFICATE));
    await peer.order('reboot', 'h1');
    await until(() => peer.isReady('h1'), WAIT_MS, 'h1 to boot');
  };

  t.match(await read(t, peer, 'h1', known(byAuthority)), { phrase: 'HOST KEY CHANGED', detail: /in no known_hosts; it shows no certificate/ });
  await certify('-n', `h1,${address}`);
  t.match(await read(t, peer, 'h1', known(byAuthority)), { value: /-/ }, 'certified');
  t.match(await read(t, peer, 'h2', { ...known(byAuthority), 'jump-host': `${ACCOUNTS.bash.name}@${address}` }), { phrase: 'HOST KEY CHANGED', detail: /certificate/ }, 'h2 shows one of another key');
  const other = readFileSync(join(peer.folderOf('h2'), 'host_key.pub'), 'utf8').trim();
  t.match(await read(t, peer, 'h1', known(`${byAuthority}${address} ${other}\n`)), { value: /-/ }, 'though another key of it is known');
  t.match(await read(t, peer, 'h1', known(`@cert-authority 198.18.* ${other}\n`)), { phrase: 'HOST KEY CHANGED', detail: /of another authority/ });
  t.match(await read(t, peer, 'h1', known(`${byAuthority}@revoked * ${authority}\n`)), { phrase: 'HOST KEY CHANGED' });
  const jump = { ...known(`${byAuthority}${peer.host('h2').address} ${other}\n`), 'jump-host': `${ACCOUNTS.bash.name}@${peer.host('h2').address}` };
  t.match(await read(t, peer, 'h1', jump), { value: /-/ }, 'through another host');

  await peer.changeHostKey('h1');
  t.match(await read(t, peer, 'h1', known(byAuthority)), { phrase: 'HOST KEY CHANGED' }, 'another key than the certified one');
  await certify('-n', 'h2,10.0.0.1');
  t.match(await read(t, peer, 'h1', known(byAuthority)), { phrase: 'HOST KEY CHANGED', detail: /for other names \(h2, 10\.0\.0\.1\)/ });
  await certify('-V', '20200101:20200201');
  t.match(await read(t, peer, 'h1', known(byAuthority)), { phrase: 'HOST KEY CHANGED', detail: /has expired/ });
  const learning: Record<string, unknown> = { ...known(byAuthority), 'accept-new-host-keys': true };
  t.match(await read(t, peer, 'h1', learning), { phrase: 'HOST KEY CHANGED', detail: /has expired/ }, 'its key is not learned instead');
  t.equal(readFileSync(learning['known-hosts-file'] as string, 'utf8'), byAuthority);
  await certify();
  t.match(await read(t, peer, 'h1', known(byAuthority)), { value: /-/ }, 'for any name');
});
