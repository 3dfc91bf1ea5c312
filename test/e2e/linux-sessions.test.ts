import t from 'tap';
import { openLinux } from '../drivers/linux/open-driver.js';
import { findMachine, outcome } from '../drivers/driving.js';
import { ACCOUNTS, HOSTS_PROGRAMS, HostsPeer } from '../peers/hosts.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** Hosts whose sshd takes two commands at a time on a connection. */

const WAIT_MS = 60_000;
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS);

await t.test('a stop while readings take all the sessions', { skip: lacksRoot(...HOSTS_PROGRAMS), timeout: 170_000 }, async (t) => {
  const peer = await HostsPeer.start({ count: 1, sshd: ['MaxSessions 2'] });
  t.teardown(() => peer.stop());
  const [host] = peer.hosts;
  const { driver } = openLinux({
    hosts: [{ name: host!.name, address: host!.address, mac: host!.mac }],
    user: ACCOUNTS.bash.name, 'private-key-file': peer.privateKeyFile, 'known-hosts-file': peer.knownHostsFile, 'sudo-password': ACCOUNTS.bash.password,
    wol: { broadcast: peer.broadcast }, ping: { timeout: '1s', retries: 1 }, 'uptime-command': 'sleep 15; cat /proc/uptime', 'shutdown-command': 'sleep 4 && shutdown -P +0',
  });
  t.teardown(() => driver.close(soon()));
  const machine = await findMachine(driver, host!.name, soon());
  await machine.bootMark!(soon());
  const readings = [1, 2].map(() => outcome(machine.uptime!(soon())));
  const marks = [1, 2, 3].map(() => outcome(machine.bootMark!(soon())));
  await machine.shutdown!(soon());
  await until(() => !peer.isOn(host!.name), WAIT_MS, 'the host to go down');
  t.same(peer.ordersTo(host!.name), ['shutdown -P +0']);
  await driver.close(soon());
  await Promise.all([...readings, ...marks]);
});
