import t from 'tap';
import { openLinux } from '../drivers/linux/open-driver.js';
import { findMachine, outcome } from '../drivers/driving.js';
import { ACCOUNTS, HOSTS_PROGRAMS, HostsPeer } from '../peers/hosts.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** A shell on a host, by a real sshd. */

const WAIT_MS = 60_000;
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS);

await t.test('a shell on a host', { skip: lacksRoot(...HOSTS_PROGRAMS), timeout: 170_000 }, async (t) => {
  const peer = await HostsPeer.start({ count: 1 });
  t.teardown(() => peer.stop());
  const [host] = peer.hosts;
  const open = async (options: object) => {
    const { driver } = openLinux({
      hosts: [{ name: host!.name, address: host!.address, mac: host!.mac }],
      user: ACCOUNTS.bash.name, 'private-key-file': peer.privateKeyFile, 'known-hosts-file': peer.knownHostsFile, ping: { timeout: '1s', retries: 1 }, ...options,
    });
    t.teardown(() => driver.close(soon()));
    return findMachine(driver, host!.name, soon());
  };
  t.equal((await open({})).console, undefined, 'only where its table says so');
  const machine = await open({ shell: true });
  const { stream, resize } = await machine.console!.shell!({ signal: soon(), size: { columns: 90, rows: 30 } });
  let seen = '';
  let isOver = false;
  stream.on('close', () => { isOver = true; });
  stream.on('data', (chunk: Buffer) => { seen += chunk.toString('latin1'); });
  stream.write('stty size; echo who=$(id -un)\r');
  await until(() => seen.includes(`who=${ACCOUNTS.bash.name}`), WAIT_MS, 'an answer of the shell');
  t.match(seen, /30 90/, 'the size at the start');
  resize!({ columns: 120, rows: 40 });
  stream.write('stty size\r');
  await until(() => seen.includes('40 120'), WAIT_MS, 'the new size');
  t.match(await machine.uptime!(soon()), Number, 'readings go on beside it');
  stream.write('exit\r');
  await until(() => isOver, WAIT_MS, 'its end');
  const wrong = await open({ shell: true, 'host-key': `SHA256:${'A'.repeat(43)}` });
  t.match(await outcome(wrong.console!.shell!({ signal: soon() })), { phrase: 'HOST KEY CHANGED' });
});
