import t, { type Test } from 'tap';
import { hashPassword } from '../../src/auth/passwords.js';
import { lacksVcsim, PASSWORD, startVcsim, type Vcsim, type VcsimOptions } from '../peers/vcsim.js';
import { startDaemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { until } from '../support/until.js';

/** vCenter and ESXi through the daemon, as a person at a socket sees them, while govc changes things behind our back. */

const skip = await lacksVcsim();
const hash = await hashPassword('secret');
/** One reply, and what is told between two of them, ms. */
const PATIENCE_MS = 60_000;

interface Session {
  readonly vcsim: Vcsim;
  /** the body of a reply; where it is refused, with its 400 line */
  ask(request: string): Promise<string>;
  /** the state of a machine as govc sees it */
  power(name: string): Promise<string>;
  /** ends the daemon. @returns its log */
  stop(): Promise<string>;
}

async function open(t: Test, options: VcsimOptions): Promise<Session> {
  const vcsim = await startVcsim(options);
  t.teardown(() => vcsim.stop());
  const daemon = await startDaemon({
    config: `
[accounts.admin]
password = "${hash}"
grants = [{ instances = ["*"], commands = ["*"] }]
[providers.vc]
${vcsim.config}`,
  });
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  const ask = (request: string): Promise<string> => client.answer(request, PATIENCE_MS);
  t.equal(await ask('auth admin secret'), '');
  return {
    vcsim, ask,
    power: async (name) => /Power state:\s+(\w+)/.exec(await vcsim.govc('vm.info', name))?.[1] ?? '',
    stop: async () => {
      await daemon.stop();
      return `${daemon.stdout()}${daemon.stderr()}`;
    },
  };
}

/** One machine through all its states, each seen by govc. */
async function cycle(t: Test, { ask, power, vcsim }: Session, name: string): Promise<void> {
  t.equal(await ask(`stop ${name} --wait`), '', 'the guest is shut down');
  t.equal(await power(name), 'poweredOff');
  t.equal(await ask(`stop ${name}`), '', 'what is off already is no failure');
  t.equal(await ask(`start ${name} --wait`), '');
  t.equal(await power(name), 'poweredOn');
  t.equal(await ask(`suspend ${name} --wait`), '');
  t.equal(await power(name), 'suspended');
  t.equal(await ask(`status ${name}`), 'suspended');
  t.equal(await ask(`resume ${name} --wait`), '');
  t.equal(await ask(`reboot ${name} --force --wait`), '', 'a reset is verified');
  t.equal(await power(name), 'poweredOn');
  t.equal(await ask(`stop ${name} --force --wait`), '');
  t.match(await ask(`pause ${name}`), /^400 NOT SUPPORTED/);
  await vcsim.govc('vm.power', '-on', name);
  await until(async () => (await ask('list running')).split('\n').includes(name), PATIENCE_MS, 'what govc did');
  await vcsim.govc('vm.power', '-off', name);
  await until(async () => (await ask('list stopped')).split('\n').includes(name), PATIENCE_MS, 'what govc did then');
  t.match(await ask(`info ${name}`), /^type: vm$/m);
  t.match(await ask(`mac ${name}`), /^00:0c:29:/i);
}

// they mostly wait
t.jobs = 2;

void t.test('vCenter', { skip }, async (t) => {
  const session = await open(t, { vms: 60 });
  const { ask, vcsim } = session;
  await until(async () => (await ask('list')).split('\n').length === 124, PATIENCE_MS, 'its hosts and machines');
  t.match(await ask('list hosts'), /^DC0_C0_H0\nDC0_C0_H1\nDC0_C0_H2\nDC0_H0$/);
  await cycle(t, session, 'DC0_H0_VM0');

  await t.test('a hundred at a time', async (t) => {
    const all = 'DC0_C0_RP0_VM[0-49] DC0_H0_VM[1-50]';
    t.equal((await ask(`stop ${all} --force`)).split('\n').filter((line) => line.endsWith(': done')).length, 100);
    await until(async () => (await ask('list stopped')).split('\n').length === 101, PATIENCE_MS, 'them all off');
    t.equal((await ask(`start ${all} --wait`)).split('\n').filter((line) => line.endsWith(': done')).length, 100);
  });

  await t.test('names that others give', async () => {
    await vcsim.govc('object.rename', '/DC0/vm/DC0_H0_VM1', 'a/b "c"');
    await until(async () => (await ask('list')).split('\n').includes('vc/a/b "c"'), PATIENCE_MS, 'the new name');
    t.equal(await ask('stop "vc/a/b \\"c\\"" --force --wait'), '');
    await vcsim.govc('object.rename', '/DC0/vm/DC0_H0_VM2', 'twin');
    await vcsim.govc('object.rename', '/DC0/vm/DC0_H0_VM3', 'gone');
    await vcsim.govc('vm.destroy', 'gone');
    await until(async () => {
      const names = (await ask('list')).split('\n');
      return names.includes('twin') && !names.includes('DC0_H0_VM3') && !names.includes('gone');
    }, PATIENCE_MS, 'the end of one');
    t.match(await ask('stop gone'), /^400 NO SUCH INSTANCE/);
  });

  await t.test('a host whose machines run stays up', async (t) => {
    t.equal(await ask('status DC0_H0'), 'on');
    t.match(await ask('stop DC0_H0'), /^400 WRONG STATE: \d+ of its machines run: .*use --force$/);
  });

  await t.test('a vCenter that goes away takes no state for granted', async (t) => {
    await vcsim.stop();
    t.equal(await ask('status DC0_H0_VM0'), 'unknown');
    t.match(await ask('stop DC0_H0_VM4'), /^400 UNREACHABLE/);
  });
  const log = await session.stop();
  t.match(log, /insecure = true/, 'a server that is not checked is told of');
  t.notOk(log.includes(PASSWORD), 'no password in the log');
});

void t.test('an ESXi alone', { skip }, async (t) => {
  const session = await open(t, { esx: true, vms: 3 });
  const { ask } = session;
  await until(async () => (await ask('list')).includes('ha-host_VM2'), PATIENCE_MS, 'its machines');
  t.equal((await ask('list hosts')).split('\n').length, 1);
  await cycle(t, session, 'ha-host_VM1');
  t.notOk((await session.stop()).includes(PASSWORD), 'no password in the log');
});
