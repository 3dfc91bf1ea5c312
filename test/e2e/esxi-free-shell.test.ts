import t, { type Test } from 'tap';
import * as v from 'valibot';
import esxiFree from '../../src/drivers/esxi-free/index.js';
import type { Machine } from '../../src/drivers/driver.js';
import { findMachine, outcome, soon } from '../drivers/driving.js';
import { ESXI_PROGRAMS, startEsxi } from '../peers/esxi/host.js';
import { EsxiModel } from '../peers/esxi/model.js';
import { ACCOUNTS, HOSTS_PROGRAMS, HostsPeer, type HostPeer } from '../peers/hosts.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** A shell on an ESXi host, by a real sshd. */

const WAIT_MS = 60_000;

/** The host of a provider with this table, and no word of its machines. */
async function open(t: Test, network: HostsPeer, { address, mac }: HostPeer, more: object): Promise<Machine> {
  const driver = esxiFree.open(v.parse(v.strictObject(esxiFree.options), {
    address, mac, 'private-key-file': network.privateKeyFile, 'known-hosts-file': network.knownHostsFile, ping: { timeout: '1s', retries: 1 }, ...more,
  }), { name: 'esx1', log: () => undefined, changed: () => undefined, relist: () => undefined, lost: () => undefined });
  t.teardown(() => driver.close(soon()));
  return findMachine(driver, 'esx1');
}

await t.test('where its table says so', { skip: lacksRoot(...HOSTS_PROGRAMS), timeout: 170_000 }, async (t) => {
  const network = await HostsPeer.start({ count: 1 });
  t.teardown(() => network.stop());
  const [host] = network.hosts;
  const user = ACCOUNTS.bash.name;
  t.equal((await open(t, network, host!, { user })).console, undefined);
  const machine = await open(t, network, host!, { user, shell: true });
  const { stream, resize } = await machine.console!.shell!({ signal: soon(), size: { columns: 90, rows: 30 } });
  let seen = '';
  let isOver = false;
  stream.on('data', (chunk: Buffer) => { seen += chunk.toString('latin1'); });
  stream.on('close', () => { isOver = true; });
  stream.write('stty size; echo who=$(id -un)\r');
  await until(() => seen.includes(`who=${user}`), WAIT_MS, 'an answer of the shell');
  t.match(seen, /30 90/);
  resize!({ columns: 120, rows: 40 });
  stream.write('stty size\r');
  await until(() => seen.includes('40 120'), WAIT_MS, 'the new size');
  stream.write('exit\r');
  await until(() => isOver, WAIT_MS, 'its end');
});

await t.test('a login that gets no terminal', { skip: lacksRoot(...ESXI_PROGRAMS), timeout: 170_000 }, async (t) => {
  const model = new EsxiModel('7');
  model.add('web', { vmid: 1 });
  const peer = await startEsxi(model);
  t.teardown(() => peer.stop());
  const machine = await open(t, peer.network, peer.hosts[0]!, { user: ACCOUNTS.free.name, shell: true });
  t.match(await outcome(machine.console!.shell!({ signal: soon() })), { phrase: 'ACCESS DENIED', detail: /no terminal/ });
});
