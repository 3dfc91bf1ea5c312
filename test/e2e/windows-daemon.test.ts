import t from 'tap';
import { hashPassword } from '../../src/auth/passwords.js';
import { SwitchedHosts, SWITCHED_PROGRAMS } from '../peers/switched-hosts.js';
import { startWmiDouble, type WmiDouble } from '../peers/wmi/index.js';
import { startDaemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** Hosts with Windows and Hyper-V through the daemon: they go down and are woken, as a person at a socket sees it. */

const WITHIN = 60_000;
const PASSWORD = 'win-sesame';
const OTHER = `SHA256:${'A'.repeat(43)}`;
const MACS = { win1: '52:54:00:aa:00:11', hv1: '52:54:00:aa:00:12' };

const hash = await hashPassword('secret');

void t.test('hosts go down and come back', { skip: lacksRoot(...SWITCHED_PROGRAMS), timeout: 170_000 }, async (t) => {
  const hosts = await SwitchedHosts.start();
  t.teardown(() => hosts.stop());
  const startHost = async (name: keyof typeof MACS, role: 'windows' | 'hyperv'): Promise<{ double: WmiDouble; table: string; address: string }> => {
    const address = hosts.take();
    const double = await startWmiDouble({ role, name: name.toUpperCase(), address, tls: true, users: { argo: PASSWORD }, vms: role === 'hyperv' ? ['web1'] : 0 });
    t.teardown(() => double.stop());
    hosts.watch(MACS[name], address, double);
    return { double, address, table: `
url = "${double.url.replace(address, '{address}')}"
user = "argo"
password = "${PASSWORD}"
auth = "basic"
wol = { address = "127.0.0.1", port = ${hosts.wolPort} }
ping = { timeout = "500ms", retries = 1 }
poll-interval = "300ms"
` };
  };
  const [win, hv] = [await startHost('win1', 'windows'), await startHost('hv1', 'hyperv')];
  const { windows } = win.double.world;
  const daemon = await startDaemon({ config: `
[accounts.admin]
password = "${hash}"
grants = [{ instances = ["*"], commands = ["*"] }]
[providers.wins]
type = "windows"
hosts = [
  { name = "win1", address = "${win.address}", mac = "${MACS.win1}", fingerprint = "SHA256:${win.double.certificate?.fingerprint}" },
  { name = "impostor", address = "${win.address}", fingerprint = "${OTHER}" },
]
${win.table}
[providers.hv1]
type = "hyperv"
address = "${hv.address}"
mac = "${MACS.hv1}"
fingerprint = "SHA256:${hv.double.certificate?.fingerprint}"
${hv.table}` });
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  t.equal((await client.ask('auth admin secret')).code, 300);
  const ask = (request: string): Promise<string> => client.answer(request, WITHIN);
  /** As if it had been up for long: a boot within two seconds of another can't be told from it. */
  const age = (): void => { windows.bootedAt -= 3_600_000; };

  await until(async () => await ask('list running') === 'win1\nimpostor\nhv1', WITHIN, 'all hosts to answer');
  t.match(await ask('uptime win1'), /^36\d\d 1:0\d:\d\d$/);
  t.match(await ask('load win1'), '21.0%');
  t.match(await ask('ip win1'), /^192\.0\.2\.10$/m);
  t.match(await ask('rx win1'), /^1000000 /);
  t.match(await ask('disk win1'), /^C: block NTFS 107374182400/);
  t.match(await ask('info win1'), /^hostname: WIN1$/m);
  t.match(await ask('uptime impostor'), /^400 CERTIFICATE REJECTED: its fingerprint is SHA256:/);

  windows.usersLoggedOn = 2;
  t.match(await ask('stop win1'), /^400 FAILED: other users are logged on to it; --force logs them off/);
  t.equal(await ask('stop win1 --force --wait'), '');
  t.equal(await ask('status win1'), 'off');
  t.match(await ask('uptime win1'), /^400 (UNREACHABLE|TIMEOUT)/);
  t.equal(await ask('start win1 --wait'), '');
  windows.usersLoggedOn = 0;
  t.equal(await ask('stop win1 --wait'), '');
  t.equal(await ask('start win1 --wait'), '');
  t.same(windows.orders, [8, 12, 8]);

  windows.manner = 'drops';
  t.equal(await ask('stop win1 --force'), '', 'the answer is lost, and its service goes away');
  await until(async () => await ask('status win1') === 'off', WITHIN, 'it to be off');
  t.equal(await ask('start win1 --wait'), '');
  age();
  t.equal(await ask('reboot win1 --force --wait'), '', 'it comes back from another boot');
  windows.manner = 'answers';
  age();
  t.equal(await ask('reboot win1 --wait'), '');
  t.same(windows.orders, [8, 12, 8, 12, 6, 2], 'each once');
  windows.manner = 'stays';
  t.match(await ask('stop win1 --wait=1'), /^400 TIMEOUT: accepted, but win1 is still on/);

  t.equal(await ask('start web1 --wait'), '');
  t.equal(await ask('stop hv1 --wait'), '');
  await until(async () => await ask('list running') === 'win1\nimpostor', WITHIN, 'nobody to know of its machines');
  t.match(await ask('start web1'), /^400 (UNREACHABLE|TIMEOUT)/);
  t.equal(await ask('start hv1 --wait'), '');
  await until(async () => await ask('list running') === 'win1\nimpostor\nhv1\nweb1', WITHIN, 'its machines to be seen again');
  await daemon.stop();
  t.notOk(daemon.stderr().includes(PASSWORD), 'no secret in the log');
});
