import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import * as v from 'valibot';
import esxiFree from '../../../src/drivers/esxi-free/index.js';
import type { DriverHost } from '../../../src/drivers/driver.js';
import { SWITCHED_PROGRAMS, SwitchedHosts } from '../../peers/switched-hosts.js';
import { lacksRoot } from '../../support/peers.js';
import { patient } from './model-shell.js';

/** A host that drops pings, as its options open it. */

void t.test('a host that drops pings is seen by the port of SSH', { skip: lacksRoot(...SWITCHED_PROGRAMS, 'iptables') }, async (t) => {
  const network = await SwitchedHosts.start();
  t.teardown(() => network.stop());
  const address = network.take();
  network.dropPings(address);
  // Nobody can log in there: what is seen is the port alone.
  const sshd = createServer((socket) => socket.destroy()).listen(0, address);
  await once(sshd, 'listening');
  t.teardown(() => sshd.close());
  const told: DriverHost = { name: 'esx2', log: () => undefined, changed: () => undefined, relist: () => undefined, lost: () => undefined };
  const folder = t.testdir({ password: 'secret', known_hosts: '' });
  const given = {
    address, user: 'argo', 'password-file': join(folder, 'password'), 'known-hosts-file': join(folder, 'known_hosts'),
    'ssh-port': (sshd.address() as AddressInfo).port, 'connect-timeout': '1s', ping: { timeout: '300ms', retries: 0 },
  };
  const driver = esxiFree.open(v.parse(v.strictObject(esxiFree.options), given), told);
  t.teardown(() => driver.close(patient));
  const [host] = await driver.list(patient);
  t.match(host, { state: 'on', machine: { name: 'esx2', type: 'host' } });
  t.equal(await host!.machine.status(patient), 'on');
  network.pull(address);
  t.equal(await host!.machine.status(patient), 'off', 'silent in every way');
  t.equal((await driver.list(patient))[0]?.state, 'off');
});
