import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { hashPassword } from '../../src/auth/passwords.js';
import { ACCOUNTS, HOSTS_PROGRAMS, HostsPeer } from '../peers/hosts.js';
import { startDaemon, type Daemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** Hosts through the daemon, as people at a socket see them: with nc, and many at a time. */

const options = { skip: lacksRoot(...HOSTS_PROGRAMS, 'nc'), timeout: 170_000 };
const WAIT_MS = 60_000;
/** Longer than anything else here takes: nobody must wait for the host that hangs. */
const CONNECT_TIMEOUT_S = 30;

const hash = await hashPassword('secret');

/** @param more further keys of the provider */
async function setUp(t: Test, count: number, more: (peer: HostsPeer) => string = () => ''): Promise<{ peer: HostsPeer; daemon: Daemon }> {
  const peer = await HostsPeer.start({ count });
  t.teardown(() => peer.stop());
  const hosts = peer.hosts.map(({ name, address, mac }) => `{ name = "${name}", address = "${address}", mac = "${mac}" }`);
  const daemon = await startDaemon({
    env: { ARGO_SUDO: ACCOUNTS.bash.password },
    config: `
[accounts.admin]
password = "${hash}"
grants = [{ instances = ["*"], commands = ["*"] }]
[providers.lab]
type = "linux"
hosts = [${hosts.join(', ')}]
user = "${ACCOUNTS.bash.name}"
private-key-file = "${peer.privateKeyFile}"
sudo-password-env = "ARGO_SUDO"
known-hosts-file = "${peer.knownHostsFile}"
wol = { broadcast = "${peer.broadcast}" }
ping = { timeout = "1s", retries = 1 }
connect-timeout = "${CONNECT_TIMEOUT_S}s"
${more(peer)}
`,
  });
  t.teardown(() => daemon.stop());
  return { peer, daemon };
}

const toldSecret = (daemon: Daemon): boolean => (daemon.stdout() + daemon.stderr()).includes(ACCOUNTS.bash.password);

/** What nc shows of a session, from the login to the end. */
async function netcat(port: number, ...lines: readonly string[]): Promise<string> {
  const client = spawn('nc', ['127.0.0.1', String(port)], { stdio: ['pipe', 'pipe', 'inherit'], timeout: WAIT_MS });
  let shown = '';
  client.stdout.setEncoding('utf8').on('data', (text: string) => { shown += text; });
  client.stdin.on('error', () => undefined).end(['auth admin secret', ...lines, 'exit', ''].join('\n'));
  await new Promise((resolve) => { client.on('close', resolve); });
  return shown;
}

const OK = '200 OK\n300 DONE\n';
const state = (word: string): string => `200 OK\n${word}\n300 DONE\n`;

// they mostly wait
t.jobs = 3;

void t.test('one host, with nc', options, async (t) => {
  const { peer, daemon } = await setUp(t, 1);
  t.equal(await netcat(daemon.port, 'status h1', 'stop h1 --wait', 'status h1'), OK + state('on') + OK + state('off') + OK);
  t.notOk(peer.isOn('h1'));
  t.equal(await netcat(daemon.port, 'start h1 --wait', 'status h1'), OK + OK + state('on') + OK);
  t.ok(peer.isReady('h1'));
  t.equal(await netcat(daemon.port, 'start h1', 'reboot h1 --wait', 'status h1'), OK + OK + OK + state('on') + OK, 'on already, then around');
  t.same(peer.ordersTo('h1'), ['shutdown -P +0', 'shutdown -r +0']);
  t.match(await netcat(daemon.port, 'stop h1 --force'), /^200 OK\n300 DONE\n200 OK\n400 NOT SUPPORTED: h1 has no power off\n/);
  t.match(await netcat(daemon.port, 'ip h1', 'mac h1', 'dmesg lab'), `${OK}${state(peer.hosts[0]!.address)}${state(peer.hosts[0]!.mac)}200 OK\n`);
  t.notOk(toldSecret(daemon));
});

void t.test('the network is down between an order and the look at what came of it', options, async (t) => {
  const folder = '/run/peers/h1';
  const { peer, daemon } = await setUp(t, 2, ({ hosts }) => `
witness = "${hosts[1]!.address}"
shutdown-command = "touch ${folder}/begun; until [ -e ${folder}/go ]; do sleep 0.1; done; shutdown -P +0"
`);
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  t.equal((await client.ask('auth admin secret')).code, 300);
  const stopped = client.ask('stop h1 --wait=10', WAIT_MS);
  await until(() => existsSync(join(peer.folderOf('h1'), 'begun')), WAIT_MS, 'the order to be carried out');
  await peer.cable('uplink', 'down');
  t.match((await stopped).comment, /^(?:TIMEOUT: accepted, but h1 is still on|UNCERTAIN: )/, 'silence is no success');
  t.same((await client.ask('status h1')).body, ['unknown']);
  await peer.cable('uplink', 'up');
  await until(async () => (await client.ask('status h1')).body[0] === 'on', WAIT_MS, 'the network to be back');
  writeFileSync(join(peer.folderOf('h1'), 'go'), '');
  await until(async () => (await client.ask('status h1')).body[0] === 'off', WAIT_MS, 'the host to be off');
});

void t.test('ten at once, one of which hangs and one of which is not who it was', options, async (t) => {
  const { peer, daemon } = await setUp(t, 10);
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  t.equal((await client.ask('auth admin secret')).code, 300);
  const names = peer.hosts.map(({ name }) => name);
  t.same((await client.ask('status h[1-10]')).body.toSorted(), names.map((name) => `${name}: on`).toSorted());

  await peer.order('stop', 'h4');
  await peer.changeHostKey('h7');
  t.match((await client.ask('stop h4 --timeout=5')).comment, /^UNREACHABLE: SSH: the time was over before the command was sent$/, 'and nothing else');
  const { body, code, comment } = await client.ask('stop h[1-10] --wait', WAIT_MS);
  t.same([code, comment], [400, 'FAILED: 2 of 10']);
  const good = names.filter((name) => !['h4', 'h7'].includes(name));
  t.same(body.filter((line) => line.endsWith(': done')).toSorted(), good.map((name) => `${name}: done`).toSorted());
  t.match(body.find((line) => line.startsWith('h7')), /^h7: HOST KEY CHANGED: /);
  t.match(body.at(-1), /^h4: UNREACHABLE: SSH: .* accepts the connection and says nothing/, 'the last: nobody waited for it');
  for (const name of names) t.equal(peer.isOn(name), !good.includes(name), name);
  t.same(['h4', 'h7'].flatMap((name) => peer.ordersTo(name)), []);

  await peer.order('continue', 'h4');
  const started = await client.ask('start h[1-10] --wait', WAIT_MS);
  t.same([started.code, started.body.length], [300, 10]);
  await until(() => names.every((name) => peer.isReady(name)), WAIT_MS, 'all of them to be up');
  t.notOk(toldSecret(daemon));
});
