import t, { type Test } from 'tap';
import { hashPassword } from '../../src/auth/passwords.js';
import { ACCOUNTS, HOSTS_PROGRAMS, HostsPeer, type HostOrder } from '../peers/hosts.js';
import { IPMI_PROGRAMS, IpmiSim, OPERATOR } from '../peers/ipmi-sim.js';
import { startDaemon, type Daemon } from '../support/daemon.js';
import { connect, type LineClient } from '../support/line-client.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** A Linux host with sshd whose mains hang on a simulated board that speaks IPMI. */

const options = { skip: lacksRoot(...HOSTS_PROGRAMS, ...IPMI_PROGRAMS), timeout: 170_000 };
const WAIT_MS = 60_000;
const LOOK_EVERY_MS = 20;

const hash = await hashPassword('secret');

/** What the board's orders do to the host, by the simulator's words. */
const MAINS: Readonly<Record<string, HostOrder>> = { 'power 1': 'on', 'power 0': 'pull', 'reset 1': 'reboot', 'shutdown 1': 'off' };

/** Wires the board's switch to the host's mains, and its power sensor to the host. */
function wire(t: Test, sim: IpmiSim, peer: HostsPeer, name: string): void {
  let done = 0;
  let wasOn = peer.isOn(name);
  let isBusy = false;
  const step = async (): Promise<void> => {
    const order = sim.orders[done];
    if (order !== undefined) {
      done += 1;
      await peer.order(MAINS[order]!, name);
    }
    const isOn = peer.isOn(name);
    if (isOn !== wasOn && done === sim.orders.length) sim.setPower(isOn);
    wasOn = isOn;
  };
  const timer = setInterval(() => {
    if (isBusy) return;
    isBusy = true;
    void step().finally(() => { isBusy = false; });
  }, LOOK_EVERY_MS);
  t.teardown(() => clearInterval(timer));
}

async function setUp(t: Test): Promise<{ peer: HostsPeer; sim: IpmiSim; daemon: Daemon; client: LineClient }> {
  const peer = await HostsPeer.start({ count: 1 });
  t.teardown(() => peer.stop());
  const sim = await IpmiSim.start({ isOn: true });
  t.teardown(() => sim.stop());
  wire(t, sim, peer, 'h1');
  const daemon = await startDaemon({
    env: { ARGO_SUDO: ACCOUNTS.bash.password, BMC_WORD: OPERATOR.password },
    config: `
[accounts.admin]
password = "${hash}"
grants = [{ instances = ["*"], commands = ["*"] }]
[providers.lab]
type = "linux"
hosts = [{ name = "h1", address = "${peer.hosts[0]!.address}", board = "${sim.host}" }]
user = "${ACCOUNTS.bash.name}"
private-key-file = "${peer.privateKeyFile}"
sudo-password-env = "ARGO_SUDO"
known-hosts-file = "${peer.knownHostsFile}"
ping = { timeout = "1s", retries = 1 }
connect-timeout = "3s"
power = { type = "ipmi", port = ${sim.port}, user = "${OPERATOR.user}", password-env = "BMC_WORD", cipher-suite = 3 }
`,
  });
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  t.equal((await client.ask('auth admin secret')).code, 300);
  return { peer, sim, daemon, client };
}

await t.test('power by the board', options, async (t) => {
  const { peer, sim, daemon, client } = await setUp(t);
  const state = async (): Promise<string | undefined> => (await client.ask('status h1', WAIT_MS)).body[0];
  const done = async (line: string): Promise<void> => { t.match(await client.ask(line, WAIT_MS), { code: 300, comment: 'DONE' }, line); };

  await t.test('clean by the system, seen by the board', async (t) => {
    t.equal(await state(), 'on');
    await done('stop h1 --wait');
    t.notOk(peer.isOn('h1'));
    t.equal(await state(), 'off');
    t.same([sim.orders, peer.ordersTo('h1')], [[], ['shutdown -P +0']]);
  });

  await t.test('start without a MAC address, done when the system is there', async (t) => {
    await done('start h1 --wait');
    t.ok(await peer.pings('h1'));
    t.equal(await state(), 'on');
    await done('start h1');
    t.same(sim.orders, ['power 1'], 'what is on already is not started again');
  });

  await t.test('the plug', async (t) => {
    await until(() => peer.isReady('h1'), WAIT_MS, 'sshd');
    await done('stop h1 --force --wait');
    t.notOk(peer.isOn('h1'));
    t.same(sim.orders, ['power 1', 'power 0']);
    t.equal(peer.ordersTo('h1').length, 1, 'its system was not asked');
    await done('start h1 --wait');
    await until(() => peer.isReady('h1'), WAIT_MS, 'sshd');
  });

  await t.test('a reset, seen by its boot', async (t) => {
    await done('reboot h1 --force --wait');
    t.same(sim.orders.slice(3), ['reset 1']);
    await until(() => peer.isReady('h1'), WAIT_MS, 'sshd');
  });

  await t.test('a system that is silent is on all the same, and its button is pressed', async (t) => {
    await peer.order('crash', 'h1');
    await peer.order('mute', 'h1');
    t.equal(await state(), 'on');
    t.notOk(await peer.pings('h1'));
    await done('reboot h1 --force');
    await until(() => peer.isReady('h1'), WAIT_MS, 'sshd');
    await peer.order('crash', 'h1');
    await peer.order('mute', 'h1');
    await done('stop h1 --wait');
    t.notOk(peer.isOn('h1'));
    t.same(sim.orders.slice(4), ['reset 1', 'shutdown 1']);
  });

  await t.test('a board that is gone', async (t) => {
    sim.hang(true);
    t.equal(await state(), 'unknown', 'the silence of all is not off');
    const before = sim.orders.length;
    t.match((await client.ask('start h1', WAIT_MS)).comment, /^UNREACHABLE: ipmi 127\.0\.0\.1: the board does not answer/);
    sim.hang(false);
    t.equal(sim.orders.length, before);
    await until(async () => await state() === 'off', WAIT_MS, 'the board to be back');
    await done('start h1 --wait');
    await peer.order('unmute', 'h1');
    sim.hang(true);
    t.equal(await state(), 'on', 'a sign of life counts without it');
    sim.hang(false);
  });

  t.notOk((daemon.stdout() + daemon.stderr()).includes(OPERATOR.password));
});
