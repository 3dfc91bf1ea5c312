import t, { type Test } from 'tap';
import { startDaemon, type Daemon } from '../support/daemon.js';
import { connect, type LineClient } from '../support/line-client.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { accountTables, EVERYTHING, gatewayTable, HOSTS, PASSWORD, startVmserverd, type Grants } from '../support/vmserverd/world.js';

/** One argo-server behind another, by the protocol of an old VMware Server. */

const WITHIN = 60_000;
const accounts: Readonly<Record<string, Grants>> = { front: EVERYTHING, reader: [{ instances: ['demo/lj'], commands: ['read'] }] };

/** The server behind: two simulated hosts, with the gateway in the clear and by TLS. */
async function startBehind(t: Test, more = '') {
  const behind = await startVmserverd(t, await accountTables(accounts) + HOSTS + more + gatewayTable());
  await behind.daemon.logs(/certificate made/);
  const [, hex = ''] = /"fingerprint":"([\dA-F:]{95})"/.exec(behind.daemon.stderr()) ?? [];
  const client = await connect(behind.daemon.port);
  t.teardown(() => client.destroy());
  t.equal((await client.ask(`auth front ${PASSWORD}`)).code, 300);
  return { ...behind, fingerprint: hex, ask: asker(client) };
}

const asker = (client: LineClient) => (request: string): Promise<string> => client.answer(request, WITHIN);

/** The server in front. @param keys of its provider's table */
async function startFront(t: Test, keys: string): Promise<{ daemon: Daemon; ask: (request: string) => Promise<string> }> {
  const daemon = await startDaemon({ config: `${await accountTables({ admin: EVERYTHING })}
[providers.back]
type = "vmserverd"
password = "${PASSWORD}"
poll-interval = "500ms"
${keys}
` });
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  t.equal((await client.ask(`auth admin ${PASSWORD}`)).code, 300);
  return { daemon, ask: asker(client) };
}

await t.test('one argo-server switches the machines of another', { skip: lacks('openssl'), timeout: 300_000 }, async (t) => {
  const back = await startBehind(t);
  const front = await startFront(t, `host = "127.0.0.2"\nport = ${back.tlsPort}\nuser = "front"\nfingerprint = "${back.fingerprint}"`);
  t.same((await front.ask('list')).split('\n').sort(), ['lj', 'old', 'web1', 'x']);
  t.equal(await front.ask('status lj'), 'on');
  t.equal(await front.ask('start old --wait'), '');
  t.equal(await back.ask('status old'), 'on', 'the machine behind is on');
  t.equal(await front.ask('suspend old --wait'), '');
  t.equal(await back.ask('status old'), 'suspended');
  t.equal(await front.ask('resume old --wait'), '');
  t.match(await front.ask('reboot old --wait'), /^400 NOT SUPPORTED: .*cannot be verified/, 'nothing tells one boot from the next');
  t.equal(await front.ask('reboot old'), '');
  t.equal(await front.ask('stop old --wait'), '');
  t.equal(await back.ask('status old'), 'off');
  t.equal(await front.ask('stop lj --force --wait'), '');
  t.equal(await back.ask('status lj'), 'off');
  t.equal(await back.ask('start lj --wait'), '');
  t.equal(await back.ask('pause lj --wait'), '');
  await until(async () => await front.ask('status lj') === 'paused', WITHIN, 'the word of the server behind');
  t.equal(await front.ask('start lj --wait'), '', 'takes it up');
  t.match(await front.ask('pause lj'), /^400 NOT SUPPORTED/);
  t.match(await front.ask('info lj'), /^config: \/vms\/demo\/lj\.vmx$/m);
  t.match(await front.ask('info lj'), /^last event: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ /m);
  t.match(await front.ask('dmesg back'), /Z lj: action by front: .*start/);
  t.match(await front.ask('uptime lj'), /^\d+/);
  await back.daemon.stop();
  await until(async () => await front.ask('status lj') === 'unknown', WITHIN, 'the loss of the server behind');
  t.match(await front.ask('stop lj'), /^400 UNREACHABLE/, 'nothing was done, and it is said so');
  t.notMatch(front.daemon.stderr(), PASSWORD);
  t.notMatch(back.daemon.stderr(), PASSWORD);
});

await t.test('an account behind may do what it may, and the way there is the one that is meant', { skip: lacks('openssl'), timeout: 300_000 }, async (t) => {
  const back = await startBehind(t);
  const reader = await startFront(t, `host = "127.0.0.2"\nport = ${back.tlsPort}\nuser = "reader"\nfingerprint = "${back.fingerprint}"`);
  t.equal(await reader.ask('list'), 'lj', 'the others are not told of');
  t.match(await reader.ask('stop lj --wait'), /^400 ACCESS DENIED/);
  t.equal(await back.ask('status lj'), 'on');
  const plain = await startFront(t, `host = "127.0.0.1"\nport = ${back.port}\nuser = "front"`);
  t.equal(await plain.ask('list'), '');
  await plain.daemon.logs(/in the clear/);
  const meant = await startFront(t, `host = "127.0.0.1"\nport = ${back.port}\nuser = "front"\ninsecure = true`);
  t.equal((await meant.ask('list')).split('\n').length, 4);
  t.equal(await meant.ask('reboot lj --force'), '');
});
