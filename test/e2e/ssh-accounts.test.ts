import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openDriver } from '../drivers/libvirt/open-driver.js';
import { openLinux } from '../drivers/linux/open-driver.js';
import { findMachine, outcome } from '../drivers/driving.js';
import { ACCOUNTS, HOSTS_PROGRAMS, HostsPeer } from '../peers/hosts.js';
import { lacksRoot } from '../support/peers.js';

/** Providers of several types whose hosts are one, with one account there. */

const WAIT_MS = 60_000;
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS);

await t.test('twelve providers with a wrong password make one refused login', { skip: lacksRoot(...HOSTS_PROGRAMS), timeout: 170_000 }, async (t) => {
  const peer = await HostsPeer.start({ count: 1 });
  t.teardown(() => peer.stop());
  const { name, address, mac } = peer.hosts[0]!;
  const refusals = (): number => readFileSync(join(peer.folderOf(name), 'log'), 'utf8').match(/Failed password/g)?.length ?? 0;
  const { user, access } = { user: ACCOUNTS.bash.name, access: { password: 'a wrong one', 'known-hosts-file': peer.knownHostsFile } };
  const linux = Array.from({ length: 9 }, () => openLinux({ hosts: [{ name, address, mac }], user, ...access, wol: { broadcast: peer.broadcast }, ping: { timeout: '1s', retries: 1 } }).driver);
  const libvirt = Array.from({ length: 3 }, () => openDriver(`qemu+ssh://${user}@${address}/system`, access).driver);
  t.teardown(() => Promise.all([...linux, ...libvirt].map((driver) => driver.close(soon()))));
  const ask = (): Promise<unknown[]> => Promise.all([
    ...linux.map(async (driver) => outcome((await findMachine(driver, name, soon())).uptime!(soon()))),
    ...libvirt.map((driver) => outcome(driver.list(soon()))),
  ]);
  for (const round of [1, 2]) {
    for (const told of await ask()) t.match(told, { phrase: 'ACCESS DENIED', detail: /not tried again before .*Z, unless others are configured/ });
    t.equal(refusals(), 1, `round ${round}`);
  }
});
