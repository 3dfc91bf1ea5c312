import t, { type Test } from 'tap';
import { hashPassword } from '../../src/auth/passwords.js';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { XapiPeer } from '../peers/xapi.js';
import { startEcho } from '../support/echo.js';
import { startDaemon, type Daemon } from '../support/daemon.js';
import { connect, type LineClient } from '../support/line-client.js';
import { fromRoot } from '../support/paths.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';

/** A pool through the daemon, as a person at a socket sees it. */

const PASSWORD = 'pool-sesame';
const hash = await hashPassword('secret');

/** A daemon with the pool as its provider, and a client that has logged in. @param trust the key that says whom to trust */
async function startWith(t: Test, peer: XapiPeer, trust: string): Promise<{ daemon: Daemon; client: LineClient }> {
  const daemon = await startDaemon({
    config: `
[accounts.admin]
password = "${hash}"
grants = [{ instances = ["*"], commands = ["*"] }]
[providers.pool1]
type = "xenserver"
url = "${peer.url()}"
user = "root"
password = "${PASSWORD}"
${trust}
`,
  });
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  t.equal((await client.ask('auth admin secret')).code, 300);
  return { daemon, client };
}

void t.test('a pool from list to logout', { skip: lacks('openssl', 'ping'), timeout: 120_000 }, async (t) => {
  const peer = await XapiPeer.start({ tls: true, password: PASSWORD, vms: ['web1', 'db1'] });
  t.teardown(() => peer.stop());
  const { daemon, client } = await startWith(t, peer, `fingerprint = "SHA256:${peer.certificate?.fingerprint}"`);
  const ask = (request: string): Promise<string> => client.answer(request, 60_000);
  t.equal(await ask('list'), 'db1\nweb1\nxen1');
  t.equal(await ask('start web1 --wait'), '');
  t.equal(await ask('list running'), 'web1\nxen1');
  t.equal(await ask('reboot web1 --wait'), '');
  t.equal(await ask('suspend web1 --wait'), '');
  t.equal(await ask('start web1 --wait'), '', 'brings it back');
  t.match(await ask('rx web1'), /^\d+ /);
  t.match(await ask('dmesg pool1'), /^\(XEN\)/);
  peer.world.set('VM', peer.world.vm('db1'), { power_state: 'Running' });
  await until(async () => await ask('list running') === 'db1\nweb1\nxen1', 60_000, 'what others did');
  peer.world.bare.add('db1');
  t.match(await ask('stop db1'), /^400 NOT SUPPORTED: .*--force/);
  t.equal(await ask('stop db1 --force --wait'), '');
  peer.fault('Async.VM.start', { kind: 'cut after' });
  t.equal(await ask('start db1 --wait'), '', 'the answer was lost, and the state tells');
  t.equal(peer.calls('Async.VM.start'), 2, 'it was not ordered twice');
  t.equal(await ask('stop db1 --force --wait'), '');
  peer.fault('Async.VM.start', { kind: 'status', status: 503, after: true });
  t.equal(await ask('start db1 --wait'), '', 'a proxy failed after it had passed the order on, and the state tells');
  t.equal(await ask('stop db1 --force --wait'), '');
  peer.fault('Async.VM.start', { kind: 'status', status: 503, after: false });
  t.match(await ask('start db1'), /^400 UNCERTAIN: /, 'before: so says the state, once');
  peer.fault('Async.VM.start', { kind: 'status', status: 404, after: false });
  t.match(await ask('start db1 --wait'), /^400 UNREACHABLE: .*HTTP status 404/, 'nothing was done, and nothing is waited for');
  peer.fault('Async.VM.start', { kind: 'fail', code: 'OPERATION_BLOCKED', params: ['OpaqueRef:1', 'ask the DBA'] });
  t.match(await ask('start db1'), /^400 FAILED: it is blocked in the pool: ask the DBA/);
  t.equal(await ask('start db1 --wait'), '');
  t.match(await ask('info db1'), /console text/);
  peer.behind.set('vt100', (await startEcho(t, Buffer.from('db1 login: '))).where);
  client.send('console db1\n');
  await client.expect('200 OK\ndb1 login: ');
  client.send('root\r');
  await client.expect('root\r');
  client.send('\u001d');
  await client.expect('\n300 DONE\n');
  t.match(await ask('shell xen1'), '400 NOT SUPPORTED: xen1 has no shell to log in to: XenAPI has no shell of hosts; a provider of type linux can give one, by SSH');
  peer.world.setLive(0, false);
  await until(async () => await ask('status db1') === 'unknown', 60_000, 'the loss of the host');
  t.match(await ask('stop db1 --wait'), /^400 UNREACHABLE: .*does not answer the pool/, 'it is ordered, not taken for off or on');
  peer.world.setLive(0, true);
  peer.sessions.clear();
  t.equal(await ask('stop db1 --force --wait'), '', 'a session that has ended');
  const [session] = peer.sessions;
  await daemon.stop();
  t.equal(peer.sessions.size, 0, 'logged out');
  for (const secret of [PASSWORD, session ?? PASSWORD]) t.notOk(daemon.stderr().includes(secret), 'no secret in the log');
});

void t.test('machines of one name, and a master that dies in the middle of a task', { skip: lacks('ping'), timeout: 120_000 }, async (t) => {
  const hosts = [{ name: 'xen1', address: '127.0.0.1' }, { name: 'xen2', address: '127.0.0.2' }];
  const peer = await XapiPeer.start({ password: PASSWORD, hosts, vms: ['twin', 'twin', 'web1', 'it\'s "odd" %2f\n\u001b[31mred'], stepMs: 300 });
  t.teardown(() => peer.stop());
  const { daemon, client } = await startWith(t, peer, 'insecure = true');
  t.ok(await daemon.logs(/insecure = true/));
  const { body } = await client.ask('list');
  const twins = body.filter((name) => name.startsWith('pool1/#'));
  t.equal(new Set(twins).size, 2, 'each is shown by what selects it alone');
  const ambiguous = await client.ask('start twin');
  t.match(`${ambiguous.code} ${ambiguous.comment}`, /^400 AMBIGUOUS: pool1\/#\S+, pool1\/#\S+$/);
  t.equal(peer.calls('Async.VM.start'), 0, 'none of them is guessed at');
  const named = ambiguous.comment.replace(/^AMBIGUOUS: /, '').split(', ');
  t.same([...named].sort(), [...twins].sort(), 'what is told is what is listed');
  for (const full of named) {
    const uuid = full.replace('pool1/#', '');
    t.match((await client.ask(`info ${full}`)).body.join('\n'), uuid, 'and can be typed');
    t.equal((await client.ask(`status ${full}`)).code, 300);
  }
  const single = String(peer.world.get('VM', peer.world.vm('web1')).uuid);
  t.equal((await client.ask(`status pool1/#${single}`)).code, 300, 'so can one whose name is its own');
  t.equal((await client.ask(`start ${twins[1]} --wait`, 60_000)).code, 300);
  t.same((await client.ask('list running')).body.filter((name) => name.startsWith('pool1/#')), [twins[1]]);
  const odd = body.find((name) => name.includes('odd')) ?? '';
  t.notMatch(odd, '\u001b');
  t.equal((await client.ask(`start "${odd.replace(/["\\]/g, '\\$&')}" --wait`, 60_000)).code, 300, odd);

  const start = client.ask('start web1', 60_000);
  await until(() => peer.world.table('task').size > 0 && Object.keys(peer.world.get('VM', peer.world.vm('web1')).current_operations as object).length > 0, 60_000, 'the task');
  await peer.shut(0);
  peer.master = 1;
  peer.restart();
  peer.world.set('VM', peer.world.vm('web1'), { current_operations: {}, power_state: 'Halted' });
  const { code, comment } = await start;
  t.equal(code, 400);
  t.match(comment, /^UNCERTAIN: /);
  t.equal(peer.calls('Async.VM.start'), 3, 'it was not ordered twice');
  const audit = execFileSync(process.execPath, [fromRoot('bin', 'argo-server.js'), 'audit', '--json', '--config', join(daemon.folder, 'argo-server.conf')], { encoding: 'utf8' });
  const last = JSON.parse(audit.trim().split('\n').at(-1) ?? '') as unknown;
  t.match(last, { account: 'admin', command: 'start', instance: 'pool1/web1', outcome: /^UNCERTAIN/ });
});
