import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { hashPassword } from '../../src/auth/passwords.js';
import { ESXI_PROGRAMS, startEsxi, type EsxiPeer } from '../peers/esxi/host.js';
import { EsxiModel } from '../peers/esxi/model.js';
import { ESXI_VERSIONS } from '../peers/esxi/printing.js';
import { ACCOUNTS } from '../peers/hosts.js';
import { startDaemon, type Daemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** Free ESXi hosts through the daemon, as a person at a socket sees them. */

const options = { skip: lacksRoot(...ESXI_PROGRAMS), timeout: 170_000 };
/** For one request, ms. */
const WITHIN = 60_000;

const hash = await hashPassword('secret');

type Ask = (request: string) => Promise<string>;

/** One provider a host: esx1 for the first. */
const configuration = ({ hosts, network }: EsxiPeer, poll = '1s'): string => `
[accounts.admin]
password = "${hash}"
grants = [{ instances = ["*"], commands = ["*"] }]
[accounts.owner]
password = "${hash}"
grants = [{ instances = ["web"], commands = ["*"] }]
${hosts.map(({ address, mac }, i) => `
[providers.esx${i + 1}]
type = "esxi-free"
address = "${address}"
mac = "${mac}"
user = "${ACCOUNTS.free.name}"
private-key-file = "${network.privateKeyFile}"
known-hosts-file = "${network.knownHostsFile}"
wol = { broadcast = "${network.broadcast}" }
ping = { timeout = "1s", retries = 1 }
connect-timeout = "4s"
poll-interval = "${poll}"
`).join('')}`;

async function setUp(
  t: Test,
  models: readonly EsxiModel[],
  poll?: string,
): Promise<{ peer: EsxiPeer; daemon: Daemon; login: (account?: string) => Promise<Ask> }> {
  const peer = await startEsxi(...models);
  t.teardown(() => peer.stop());
  const daemon = await startDaemon({ config: configuration(peer, poll) });
  t.teardown(() => daemon.stop());
  const login = async (account = 'admin'): Promise<Ask> => {
    const client = await connect(daemon.port);
    t.teardown(() => client.destroy());
    t.equal((await client.ask(`auth ${account} secret`)).code, 300);
    return (request) => client.answer(request, WITHIN);
  };
  return { peer, daemon, login };
}

// they mostly wait
t.jobs = 4;

void t.test('machines of ESXi 5, 6.5, 7 and 9', options, async (t) => {
  const models = ESXI_VERSIONS.map((version) => new EsxiModel(version));
  models.forEach((model, i) => {
    model.add(`web${i + 1}`, { vmid: 7, ips: [`192.0.2.${i + 1}`] });
    model.add(`my vm ${i + 1}`, { annotation: 'first\n99     evil   [d] evil/evil.vmx   g   vmx-1', state: 'poweredOn' });
    model.add('vCLS-6b723342-8292-1962-f970-0422f48bc6ea', { file: '[] /var/run/crx/infra/v/v.vmx', state: 'poweredOn' });
    model.add(`lost${i + 1}`, { connection: 'invalid' });
  });
  const { peer, login } = await setUp(t, models);
  const admin = await login();
  await until(async () => (await admin('list')).split('\n').length === 16, WITHIN, 'all machines to show');
  t.equal(await admin('list hosts'), 'esx1\nesx2\nesx3\nesx4');
  const running = [1, 2, 3, 4].map((i) => `esx${i}\nmy vm ${i}`).join('\n');
  await until(async () => await admin('list running') === running, WITHIN, 'all states to be known');

  const all = async (action: string): Promise<string[]> => (await admin(`${action} web[1-4]`)).split('\n').sort();
  const each = (words: string): string[] => [1, 2, 3, 4].map((i) => `web${i}: ${words}`);
  t.same(await all('status'), each('off'));
  t.same(await all('start --wait'), each('done'));
  t.same(await all('start'), each('done'), 'already');
  t.same(await all('status'), each('on'));
  t.same(await all('suspend --wait'), each('done'));
  t.same(await all('status'), each('suspended'));
  t.match(await admin('stop web1'), /^400 WRONG STATE: web1 is suspended/);
  t.same(await all('start --wait'), each('done'), 'which resumes');
  t.same(await all('reboot'), each('done'));
  t.same(await all('reboot --force'), each('done'));
  t.same(models.map((model) => model.get(`web${ESXI_VERSIONS.indexOf(model.version) + 1}`).boots), [2, 2, 2, 2]);
  t.equal(await admin('reboot web1 --force --wait'), '', 'ESXi has reset it');
  t.match(await admin('reboot web1 --wait=5'), /^400 TIMEOUT: accepted, but web1 has not been seen to restart/, 'no boot was seen');
  models[0]!.rebootTime = 8000;
  t.equal(await admin('reboot web1 --wait'), '', 'VMware Tools came back');
  t.equal(await admin('ip web3'), '192.0.2.3');
  t.equal(await admin('mac web3'), '00:0c:29:00:00:07');
  t.match(await admin('uptime web4'), /^\d+ 0:0\d:\d\d$/);
  t.equal(await admin('load web2'), '25.0%');
  t.match(await admin('disk web2'), /^Hard disk 1 file vmdk 42949672960/);
  const info = await admin('info web2');
  for (const line of [/^name: web2$/m, /^type: vm$/m, /^state: on$/m, /^uuid: 564d/m, /^cpus: 2$/m, /^vmid: 7$/m, /^file: \[datastore1\] web2\/web2\.vmx$/m, /^tools: running$/m]) {
    t.match(info, line);
  }
  t.match(await admin('status "my vm 2"'), 'on');
  t.same(await all('stop --wait'), each('done'));
  t.same(await all('status'), each('off'));
  t.equal(await admin('status lost2'), 'unknown');
  t.match(await admin('start lost2'), /^400 WRONG STATE: ESXi cannot read its files/);
  t.match(await admin('start vCLS-6b723342-8292-1962-f970-0422f48bc6ea'), /^400 NO SUCH INSTANCE/);
  t.match(await admin('pause web1'), /^400 NOT SUPPORTED/);
  t.match(await admin('info esx3'), /^product: VMware ESXi 7\.0\.3/m);
  t.match(await admin('dmesg esx1'), /vmnic0: link up/);
  for (const { name } of peer.hosts) {
    const logins = readFileSync(join(peer.network.folderOf(name), 'log'), 'utf8').match(/Accepted publickey/g)?.length;
    t.equal(logins, 1, `${name}: one login for everything`);
  }
  t.notMatch(models.flatMap(({ commands }) => commands).filter((command) => command.includes(' vmsvc/power.')).join('\n'), / (?!7$|\d+$)\S+$/m);
});

void t.test('what goes wrong with machines', options, async (t) => {
  const model = new EsxiModel('7');
  const web = model.add('web', { state: 'poweredOn', tools: false });
  const deaf = model.add('deaf', { state: 'poweredOn', deaf: true });
  const copy = model.add('copy', { asks: 'This virtual machine might have been moved or copied.\nIf you don\'t know, answer "I copied it".\n' });
  model.add('brief', { state: 'poweredOn' });
  // The faults are for the requests below, not for a listing that happens to come by.
  const { login } = await setUp(t, [model], '1h');
  const admin = await login();
  await until(async () => (await admin('list')).includes('brief'), WITHIN, 'the machines to show');

  t.match(await admin('stop web'), /^400 NOT SUPPORTED: VMware Tools does not run in it/);
  t.equal(await admin('stop web --force'), '');
  t.equal(await admin('status web'), 'off');
  t.match(await admin('stop deaf --wait=5'), /^400 TIMEOUT: accepted, but deaf is still on/);
  t.equal(await admin('stop deaf --timeout=2 --force'), '', 'clean first, then the plug');
  t.equal(deaf.state, 'poweredOff');

  t.match(await admin('start copy'), /^400 NEEDS ANSWER: This virtual machine might have been moved or copied\. .* \(Cancel \/ I moved it \/ I copied it\)$/);
  t.match(await admin('info copy'), /^question: This virtual machine might/m);
  copy.question = undefined;
  copy.asks = undefined;
  t.equal(await admin('start copy --wait'), '');

  model.faults.push({ on: /power\.on/, does: 'lie', times: 1 });
  t.equal(await admin('start web'), '', 'ESXi says that it failed; it did not');
  model.faults.push({ on: /power\.off/, does: 'lost', times: 1 });
  t.equal(await admin('stop web --force'), '', 'the connection was lost after the order; the state tells');
  t.equal(web.state, 'poweredOff');
  model.faults.push({ on: /power\.on/, does: 'hang', times: 1 });
  t.match(await admin('start web --timeout=5'), /^400 (?:UNCERTAIN|TIMEOUT)/);
  t.equal(await admin('start web --wait'), '', 'what hung holds nothing up');
  model.faults.push({ on: /get\.summary/, does: 'flood', times: 1 });
  t.equal(await admin('status web'), 'unknown', 'megabytes are no answer');
  t.equal(await admin('status web'), 'on');
  model.faults.push({ on: /get\.summary/, does: 'cut', times: 1 });
  t.equal(await admin('status web'), 'on', 'a question that was cut off is asked again');
  model.faults.push({ on: /get\.summary/, does: 'killed', times: 1 });
  t.equal(await admin('status web'), 'unknown', 'half an answer is none');
  model.faults.push({ on: /get\.summary/, does: { says: 'Failed to login: Connection reset by peer' }, times: 1 });
  t.match(await admin('stop web --force'), /^400 UNREACHABLE: hostd/);

  model.before = (command) => { if (command.includes('power.off')) model.remove('brief'); };
  t.match(await admin('stop brief --force'), /^400 NO SUCH INSTANCE/);
  model.before = () => undefined;
  await until(async () => !(await admin('list')).includes('brief'), WITHIN, 'it to go from the list');

  const owner = await login('owner');
  t.equal(await owner('list'), 'web');
  t.match(await owner('stop deaf'), /^400 NOT ALLOWED/);
  t.match(await owner('stop esx1'), /^400 NOT ALLOWED/);
});

void t.test('a host goes down, comes up, and is not itself any more', options, async (t) => {
  const model = new EsxiModel('6.5');
  model.add('web', { state: 'poweredOn' });
  model.add('db', { state: 'poweredOn' });
  const { peer, daemon, login } = await setUp(t, [model]);
  const { name } = peer.hosts[0]!;
  const admin = await login();
  await until(async () => (await admin('list')).includes('web'), WITHIN, 'the machines to show');

  t.match(await admin('stop esx1'), /^400 WRONG STATE: (?:web, db|db, web) run on it; stop them first, or use --force$/);
  t.equal(await admin('status esx1'), 'on');
  t.match(await admin('stop web db --wait'), /web: done/);
  t.equal(await admin('stop esx1 --wait'), '');
  t.notOk(await peer.network.pings(name));
  t.equal(await admin('status esx1'), 'off');
  t.equal(await admin('status web'), 'unknown', 'never off by default');
  t.match(await admin('start web'), /^400 (?:UNREACHABLE|UNCERTAIN|TIMEOUT)/);
  t.equal(await admin('list hosts'), 'esx1');

  t.equal(await admin('start esx1 --wait'), '');
  t.equal(await admin('status esx1'), 'on');
  t.equal(model.maintenance, false);
  await until(async () => await admin('status web') === 'off', WITHIN, 'sshd to be up again');
  t.equal(await admin('start web --wait'), '');
  t.equal(await admin('stop esx1 --force --wait'), '', 'forced');
  t.notOk(await peer.network.pings(name));
  t.equal(await admin('start esx1 --wait'), '');
  await until(async () => await admin('status web') === 'off', WITHIN, 'it to have lost its power with the host');
  t.equal(await admin('reboot esx1 --wait'), '');

  await peer.network.changeHostKey(name);
  await until(async () => /^400 HOST KEY CHANGED/.test(await admin('start web')), WITHIN, 'the other key to be refused');
  t.equal(await admin('status esx1'), 'on', 'a ping needs no key');
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  await client.ask('auth admin secret');
  await until(async () => /^DONE: stale: .*HOST KEY CHANGED/.test((await client.ask('list')).comment), WITHIN, 'the list to say so');
  t.notMatch(daemon.stderr(), /PRIVATE KEY/);
});

void t.test('refused credentials', options, async (t) => {
  const model = new EsxiModel('7');
  model.add('web');
  const { login, daemon, peer } = await setUp(t, [model]);
  const { address, name } = peer.hosts[0]!;
  daemon.reconfigure(configuration(peer).replace(/private-key-file = .*/, 'password = "sesame-street"').replace(/user = .*/, `user = "${ACCOUNTS.bash.name}"`));
  daemon.signal('SIGHUP');
  const admin = await login();
  await until(async () => /ACCESS DENIED/.test(daemon.stderr()), WITHIN, 'the refusal to be logged');
  t.equal(await admin('status esx1'), 'on', address);
  t.equal(await admin('list'), 'esx1');
  t.match(await admin('uptime esx1'), /^400 ACCESS DENIED: SSH: .*not tried again before .*Z, unless others are configured/);
  t.equal(readFileSync(join(peer.network.folderOf(name), 'log'), 'utf8').match(/Failed password/g)?.length, 1, 'or the account would be locked');
  t.notMatch(daemon.stderr(), /sesame-street/);
});
