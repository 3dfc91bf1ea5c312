import t, { type Test } from 'tap';
import { hashPassword } from '../../src/auth/passwords.js';
import { FRONT_USER, lacksFront, WmiFront, type Spoiling } from '../peers/wmi-front.js';
import { RETURN, startWmiDouble, type WmiDouble, type WmiDoubleOptions } from '../peers/wmi/index.js';
import { startDaemon, type Daemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';

/** Hyper-V through the daemon, behind a real NTLM that wants everything sealed, as a person at a socket sees it. */

const options = { skip: lacksFront() || lacks('ping'), timeout: 170_000 };
/** For one request, ms. */
const WITHIN = 60_000;
const MANY = 500;

const hash = await hashPassword('secret');

const provider = (name: string, front: WmiFront, password = FRONT_USER.password, more = ''): string => `
[providers.${name}]
type = "hyperv"
address = "127.0.0.1"
url = "${front.url}"
user = '${FRONT_USER.domain}\\${FRONT_USER.user}'
password = "${password}"
poll-interval = "200ms"
${more}
`;

interface Peer {
  readonly peer: WmiDouble;
  readonly front: WmiFront;
}

async function startPeer(t: Test, given: Partial<WmiDoubleOptions>): Promise<Peer> {
  const peer = await startWmiDouble({ role: 'hyperv', ...given });
  t.teardown(() => peer.stop());
  const front = await WmiFront.start({ backend: peer.url, requireSeal: true });
  t.teardown(() => front.stop());
  return { peer, front };
}

async function startWith(t: Test, providers: string): Promise<{ daemon: Daemon; ask: (request: string) => Promise<string> }> {
  const daemon = await startDaemon({ config: `
[server]
log-level = "debug"
[accounts.admin]
password = "${hash}"
grants = [{ instances = ["*"], commands = ["*"] }]
${providers}` });
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  t.equal((await client.ask('auth admin secret')).code, 300);
  const ask = (request: string): Promise<string> => client.answer(request, WITHIN);
  return { daemon, ask };
}

void t.test('machines from list to logout', options, async (t) => {
  const { peer, front } = await startPeer(t, { locale: 'de-DE', vms: ['web1', 'db 1', { name: 'old', state: 'saved' }] });
  const { daemon, ask } = await startWith(t, provider('hv1', front));
  await until(async () => await ask('list') === 'hv1\nweb1\ndb 1\nold', WITHIN, 'all machines to show');
  t.equal(await ask('list hosts'), 'hv1');
  for (const [request, state] of [
    ['start web1', 'on'], ['pause web1', 'paused'], ['unpause web1', 'on'], ['suspend web1', 'suspended'], ['start web1', 'on'], ['reboot web1', 'on'], ['reboot web1 --force', 'on'],
    ['stop web1', 'off'], ['start web1', 'on'], ['stop web1 --force', 'off'], ['stop web1', 'off'],
  ] as const) {
    if (request.startsWith('reboot')) peer.world.hyperv.vm('web1').age(60_000);
    t.equal(await ask(`${request} --wait`), '', request);
    t.equal(await ask('status web1'), state, `after ${request}`);
  }
  t.equal(await ask('resume old --wait'), '');
  t.same((await ask('status "db 1" old hv1')).split('\n').sort(), ['db 1: off', 'hv1: on', 'old: on']);
  t.match(await ask('info old'), /^name: old\n(?:.*\n)*type: vm\n(?:.*\n)*cpus: 2\n/m);
  t.match(await ask('ip old'), /^10\.1\.0\.3$/m);
  t.match(await ask('mac old'), '00:15:5d:00:00:03');
  t.match(await ask('uptime old'), /^\d+ 0:0\d:\d\d$/);
  t.match(await ask('load old'), '7.0%');
  t.match(await ask('disk old'), /^disk0 file vhdx 42949672960/);
  t.match(await ask('rx old'), /^400 NOT SUPPORTED/);
  t.match(await ask('info old'), /^autostart: only where it ran before$/m);
  t.equal(await ask('autostart old off --dry-run'), 'old: autostart off (it is neither on nor off)');
  t.equal(await ask('autostart old on'), '');
  t.match(await ask('info old'), /^autostart: on$/m);
  t.equal(peer.world.hyperv.vm('old').startup, 4);
  t.match(await ask('uptime hv1'), /^36\d\d 1:0\d:\d\d$/);
  t.match(await ask('info hv1'), /^system: Microsoft Windows Server 2022 Datacenter 10\.0\.20348$/m);
  peer.world.hyperv.vm('db 1').become('running');
  await until(async () => await ask('list running') === 'hv1\ndb 1\nold', WITHIN, 'what others did');
  peer.world.hyperv.vm('old').guest = 'deaf';
  t.equal(await ask('stop old --force --timeout=1'), '', 'asked in vain, and turned off');
  peer.world.windows.usersLoggedOn = 1;
  t.match(await ask('stop hv1'), /^400 FAILED: other users are logged on to it; --force/);
  t.ok(front.opened > 20, 'sealed');
  t.same([...new Set(front.logins)], [`${FRONT_USER.domain}\\${FRONT_USER.user}`]);
  // Once for orders and once for readings; again where a slow machine let a question be given up.
  t.ok(front.logins.length < 6, `${front.logins.length} logins`);
  await daemon.stop();
  for (const secret of [FRONT_USER.password, Buffer.from(FRONT_USER.password).toString('base64')]) t.notOk(daemon.stderr().includes(secret), 'no secret in the log');
  t.notMatch(daemon.stderr(), /Warning/, 'nor what Node complains of');
});

void t.test('what goes wrong', options, async (t) => {
  const { peer, front } = await startPeer(t, { vms: ['web1', 'web2'] });
  const { ask, daemon } = await startWith(t, provider('hv1', front, undefined, 'concurrency = 8'));
  await until(async () => await ask('list') === 'hv1\nweb1\nweb2', WITHIN, 'all machines to show');

  await t.test('answers that are altered or cut off on their way', async (t) => {
    for (const how of ['signature', 'sequence', 'ciphertext', 'cut'] as const satisfies readonly Spoiling[]) {
      await front.spoil(how);
      const before = front.logins.length;
      // Whichever request meets it, a poll or ours: what is told is true.
      t.match(await ask('start web1 --wait'), /^$|^400 (UNCERTAIN|UNREACHABLE)/, how);
      t.equal(await ask('start web1 --wait'), '', 'and what comes after it is done');
      await until(() => front.logins.length > before, WITHIN, `another login after ${how}`);
      t.equal(await ask('stop web1 --force --wait'), '');
    }
  });

  await t.test('access denied in both its forms', async (t) => {
    for (const fault of ['access denied', 'access denied inside'] as const) {
      peer.faults.add('RequestStateChange', { kind: 'refuse', fault });
      t.match(await ask('start web1'), /^400 ACCESS DENIED: the account has logged in, but lacks the right/, fault);
    }
    peer.world.hyperv.refuse('RequestStateChange', RETURN.accessDenied);
    t.match(await ask('start web1'), /^400 ACCESS DENIED: .*Hyper-V Administrators/);
    t.equal(await ask('start web1 --wait'), '');
  });

  await t.test('others were quicker, a job that vanishes, a machine that is deleted', async (t) => {
    peer.world.hyperv.refuse('RequestStateChange', RETURN.badState);
    t.match(await ask('pause web1'), /^400 WRONG STATE: the machine is not in a state for that/);
    peer.world.hyperv.jobs.plans.push({ takes: 0, staysFor: 0 });
    t.equal(await ask('pause web1'), '', 'the state tells what came of it');
    peer.world.hyperv.jobs.plans.push({ takes: Infinity });
    const starting = ask('start web2');
    await until(() => peer.world.hyperv.jobs.running === 1, WITHIN, 'the order');
    peer.world.hyperv.remove('web2');
    t.match(await starting, /^400 NO SUCH INSTANCE/);
    await until(async () => await ask('list') === 'hv1\nweb1', WITHIN, 'it to be gone from the list');
  });

  await t.test('a password that is changed there locks nobody out', async (t) => {
    await daemon.stop();
    const wrong = await startWith(t, provider('hv1', front, 'yesterday') + provider('hv2', front));
    const before = front.refusals.length;
    await until(() => wrong.daemon.stderr().includes('a login was refused; it is held back'), WITHIN, 'the refusal');
    await until(async () => /hv2\/web1|^web1$/m.test(await wrong.ask('list')), WITHIN, 'the other provider');
    for (let i = 0; i < 5; i += 1) t.match(await wrong.ask('uptime hv1/hv1'), /^400 ACCESS DENIED: the account or its password is not accepted; not tried again before/);
    t.ok(front.refusals.length - before <= 1, `${front.refusals.length - before} logins were refused`);
    await wrong.daemon.stop();
    t.notOk(wrong.daemon.stderr().includes('yesterday'));
  });
});

void t.test(`${MANY} machines`, options, async (t) => {
  const { peer, front } = await startPeer(t, { vms: MANY });
  const { ask } = await startWith(t, provider('hv1', front));
  const lines = async (request: string): Promise<number> => (await ask(request)).split('\n').length;
  await until(async () => await lines('list') === MANY + 1, WITHIN, 'all machines to show');
  peer.world.hyperv.vm('vm-499').become('running');
  await until(async () => await ask('list running') === 'hv1\nvm-499', WITHIN, 'a change');
  t.equal(await lines('status vm-*'), MANY);
  t.equal(await lines('start vm-[0-99] --wait'), 100);
  // A listing that was under way may tell what was before; the next one does not.
  await until(async () => await lines('list running') === 102, WITHIN, 'all of them to be listed as on');
});
