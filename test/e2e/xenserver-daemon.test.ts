import t from 'tap';
import { hashPassword } from '../../src/auth/passwords.js';
import { XapiPeer } from '../peers/xapi.js';
import { startDaemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';

/** A pool through the daemon, as a person at a socket sees it. */

const PASSWORD = 'pool-sesame';
const hash = await hashPassword('secret');

void t.test('a pool from list to logout', { skip: lacks('openssl', 'ping'), timeout: 120_000 }, async (t) => {
  const peer = await XapiPeer.start({ tls: true, password: PASSWORD, vms: ['web1', 'db1'] });
  t.teardown(() => peer.stop());
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
fingerprint = "SHA256:${peer.certificate?.fingerprint}"
`,
  });
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  t.equal((await client.ask('auth admin secret')).code, 300);
  const ask = async (request: string): Promise<string> => {
    const { code, comment, body } = await client.ask(request, 60_000);
    return [...body, ...(code === 400 ? [`400 ${comment}`] : [])].join('\n');
  };
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
  peer.sessions.clear();
  t.equal(await ask('stop db1 --force --wait'), '', 'a session that has ended');
  const [session] = peer.sessions;
  await daemon.stop();
  t.equal(peer.sessions.size, 0, 'logged out');
  for (const secret of [PASSWORD, session ?? PASSWORD]) t.notOk(daemon.stderr().includes(secret), 'no secret in the log');
});
