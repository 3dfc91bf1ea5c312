import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import t, { type Test } from 'tap';
import { makeHome, Terminal } from '../client/support/argo.js';
import { ACCOUNTS, HOSTS_PROGRAMS, HostsPeer } from '../peers/hosts.js';
import { defineKeys } from '../peers/keys-guest.js';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { STEVE_HASH } from '../server/core.js';
import { startDaemon, type Daemon } from '../support/daemon.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** `argo console` and `argo shell` on a terminal, by a real server: to a guest's serial console, and to a shell on a host. */

const WAIT_MS = 60_000;
const ACCOUNT = `[accounts.steve]\npassword = "${STEVE_HASH}"\ngrants = [{ instances = ["*"], commands = ["*"] }]\n`;

function openTerminal(t: Test, daemon: Daemon, command: string): Terminal {
  const one = new Terminal(makeHome(t), command, { ARGO_SERVER: `127.0.0.1:${daemon.port}`, ARGO_ACCOUNT: 'steve', ARGO_PASSWORD: 'steve' });
  t.teardown(() => one.close());
  return one;
}

await t.test('the serial console of a guest', { skip: lacksRoot(...LIBVIRT_PROGRAMS, 'script'), timeout: 170_000 }, async (t) => {
  const peer = await startLibvirt();
  t.teardown(() => peer.stop());
  await defineKeys(peer, 'keys');
  const daemon = await startDaemon({ config: `${ACCOUNT}[providers.kvm1]\ntype = "libvirt"\nuri = "qemu:///system?socket=${peer.socket}"\n` });
  t.teardown(() => daemon.stop());
  const started = openTerminal(t, daemon, 'argo start keys --wait; argo console keys; echo code=$?');
  await started.expect('Ctrl-] or Enter ~ . leaves it');
  await peer.guestReady('keys', WAIT_MS);
  started.send('hello\r');
  await started.expect('hello\r');
  const second = openTerminal(t, daemon, 'argo console keys; argo console keys --force; echo code=$?');
  await second.expect('argo: BUSY: steve has had it open since ');
  await second.expect('leaves it');
  await started.expect('code=1');
  second.send('there');
  await second.expect('there');
  const off = openTerminal(t, daemon, 'argo stop keys --force --wait; argo console keys; echo code=$?');
  await off.expect('argo: WRONG STATE: ');
  await off.expect('code=1');
  await second.expect('code=');
});

await t.test('a shell on a host', { skip: lacksRoot(...HOSTS_PROGRAMS, 'script'), timeout: 170_000 }, async (t) => {
  const peer = await HostsPeer.start({ count: 1 });
  t.teardown(() => peer.stop());
  const [host] = peer.hosts;
  const daemon = await startDaemon({
    config: `${ACCOUNT}[providers.lab]
type = "linux"
hosts = [{ name = "${host!.name}", address = "${host!.address}", mac = "${host!.mac}" }]
user = "${ACCOUNTS.bash.name}"
private-key-file = "${peer.privateKeyFile}"
known-hosts-file = "${peer.knownHostsFile}"
ping = { timeout = "1s", retries = 1 }
shell = true
`,
  });
  t.teardown(() => daemon.stop());
  const one = openTerminal(t, daemon, `stty cols 100 rows 30; sh -c 'echo pid=$$.; exec argo shell ${host!.name}'; echo code=$?; stty -a`);
  await one.expect('leaves it');
  one.send('echo who=$(id -un)\r');
  await one.expect(`who=${ACCOUNTS.bash.name}\r\n`);
  await until(async () => {
    one.send('stty size\r');
    await one.expect('stty size\r\n');
    await one.expect('\r\n');
    return one.screen.includes('30 100\r\n');
  }, WAIT_MS, 'the size of the window');
  execFileSync('stty', ['-F', readlinkSync(`/proc/${/pid=(\d+)\./.exec(one.screen)![1]}/fd/0`), 'cols', '123', 'rows', '45']);
  await until(async () => {
    one.send('stty size\r');
    await one.expect('stty size\r\n');
    await one.expect('\r\n');
    return one.screen.includes('45 123\r\n');
  }, WAIT_MS, 'its new size');
  one.send('sleep 1000; echo next=$((40 + 2))\r');
  await one.expect('sleep 1000');
  one.send('\x03');
  one.send('echo and=$((1 + 1))\r');
  await one.expect('and=2');
  t.notMatch(one.screen, /next=42/, 'Ctrl-C is the shell’s there');
  one.send('printf "a\\nb" | od -c | head -1; stty -onlcr; printf "X\\nY\\n"; stty onlcr\r');
  await one.expect('X\nY\n');
  one.send('exit 3\r');
  await one.expect('code=0');
  await one.expect(' icanon');
  t.match(one.screen.slice(one.screen.lastIndexOf('code=0')), /[^-]opost/);
});
