import t, { type Test } from 'tap';
import * as v from 'valibot';
import type { Driver, DriverHost, Machine } from '../../../src/drivers/driver.js';
import vmserverd from '../../../src/drivers/vmserverd/index.js';
import { makeCertificate, VmserverdDouble, type DoubleOptions } from '../../peers/vmserverd-double.js';
import { lacks } from '../../support/peers.js';
import { findMachine, outcome, soon } from '../driving.js';

const MORE = '<guestOS>winxp</guestOS><memsize>512</memsize><numvcpus>2</numvcpus><uptime>3600</uptime><owner>root</owner><permissions>rwx</permissions><heartbeat>7</heartbeat>';
const EVENT = '<event><time>1180000000</time><type>action</type><user>kim</user><text>start done</text></event>';

const machinesOf = () => ({
  '/vms/web1/web1.vmx': { name: 'web1', state: 1, more: MORE, events: [EVENT, '<event><time>1170000000</time><type>state</type><text>off → on</text></event>'] },
  '/vms/db1/db1.vmx': { name: 'db1', state: 3, events: ['<event><time>1175000000</time><type>state</type><text>on → suspended</text></event>'] },
  'C:\\VMs\\stuck <1>.vmx': { name: 'stuck <1>', state: 4, more: '<question>Is it &lt;moved&gt;?</question>' },
});

interface Told {
  relists: number;
  readonly log: string[];
}

function openDriver(t: Test, given: Record<string, unknown>): { driver: Driver; told: Told } {
  const told: Told = { relists: 0, log: [] };
  const host: DriverHost = {
    name: 'gsx1', log: (level, message, facts) => { told.log.push(`${level}: ${message} ${JSON.stringify(facts ?? {})}`); },
    changed: () => undefined, relist: () => { told.relists += 1; }, lost: () => undefined,
  };
  const driver = vmserverd.open(v.parse(v.strictObject(vmserverd.options), { host: '127.0.0.1', user: 'operator', password: 'sesame', ...given }), host);
  t.teardown(() => driver.close(soon()));
  return { driver, told };
}

async function setUp(t: Test, options: DoubleOptions = {}, given: Record<string, unknown> = { insecure: true }) {
  const double = await VmserverdDouble.start({ machines: machinesOf(), space: '\n  ', ...options });
  t.teardown(() => double.stop());
  return { double, ...openDriver(t, { port: double.port, ...given }) };
}

const listed = async (driver: Driver): Promise<readonly string[]> => (await driver.list(soon())).map(({ machine, state }) => `${machine.name} ${state}`);

const STEPS = ['start', 'shutdown', 'powerOff', 'reboot', 'reset', 'suspend', 'resume', 'unpause'] as const;

await t.test('an old server: what it lists, what it tells, and nothing that it cannot', async (t) => {
  const { double, driver, told } = await setUp(t);
  t.same(await listed(driver), ['db1 suspended', 'stuck <1> unknown', 'web1 on']);
  const web1 = await findMachine(driver, 'web1');
  t.equal(web1.id, '/vms/web1/web1.vmx');
  t.equal(await web1.status(soon()), 'on');
  t.equal(await web1.uptime?.(soon()), 3600);
  t.same(await web1.info?.(soon()), {
    cpus: 2, memory: 512n * 1024n * 1024n, host: `127.0.0.1:${double.port}`,
    more: { config: '/vms/web1/web1.vmx', guest: 'winxp', owner: 'root', permissions: 'rwx', 'last event': '2007-05-24T09:46:40Z action by kim: start done' },
  });
  t.match(await (await findMachine(driver, 'stuck <1>')).info?.(soon()), { more: { question: 'Is it <moved>?' } });
  t.match(await outcome((await findMachine(driver, 'db1')).uptime?.(soon())), { phrase: 'WRONG STATE', detail: 'it is suspended' });
  for (const step of [...STEPS, 'pause', 'console', 'rx'] as const) t.equal((web1 as unknown as Record<string, unknown>)[step], undefined, `${step} is not supported`);
  t.equal(await driver.dmesg?.(soon()), [
    '2007-01-28T16:00:00Z web1: state: off → on', '2007-03-27T12:53:20Z db1: state: on → suspended', '2007-05-24T09:46:40Z web1: action by kim: start done',
  ].join('\n'));
  t.equal(double.logins <= 4, true, 'connections are used again');
  t.match(told.log.join('\n'), /insecure = true/);
  t.same(double.faults, []);
});

await t.test('a machine that leaves the list of those that run is asked for; one that is gone is gone', async (t) => {
  const { double, driver } = await setUp(t);
  t.equal((await listed(driver)).length, 3);
  double.machines.get('/vms/web1/web1.vmx')!.state = 2;
  t.same(await listed(driver), ['db1 suspended', 'stuck <1> unknown', 'web1 off'], 'it is off because the server says so');
  double.machines.delete('/vms/db1/db1.vmx');
  t.same(await listed(driver), ['stuck <1> unknown', 'web1 off']);
  double.does('VM_INFO', { kind: 'fail', code: -999, words: 'who knows' });
  t.same(await listed(driver), ['stuck <1> unknown', 'web1 unknown'], 'it is not off because nobody says anything');
  t.same(double.faults, []);
});

const switched = (machine: Machine): Required<Pick<Machine, (typeof STEPS)[number]>> => machine as Required<Pick<Machine, (typeof STEPS)[number]>>;

await t.test('a server that lists X_VM_PowerOp: every step is one order', async (t) => {
  const { double, driver } = await setUp(t, { isExtended: true });
  double.machines.set('/vms/off1.vmx', { name: 'off1', state: 2 });
  t.same(await listed(driver), ['db1 suspended', 'off1 off', 'stuck <1> unknown', 'web1 on']);
  const off1 = switched(await findMachine(driver, 'off1'));
  for (const step of ['start', 'reboot', 'reset', 'suspend', 'resume', 'shutdown', 'unpause', 'powerOff'] as const) await off1[step](soon());
  t.same(double.orders, ['start 2', 'reset 2', 'reset 1', 'suspend 2', 'resume 2', 'stop 2', 'start 2', 'stop 1'].map((order) => order.replace(' ', ' /vms/off1.vmx ')));
  t.match(await outcome(off1.powerOff(soon())), { phrase: 'WRONG STATE' });
  t.same(double.faults, []);
});

await t.test('how an order fails is told as it is, and it is never sent twice', async (t) => {
  const { double, driver, told } = await setUp(t, { isExtended: true });
  await driver.list(soon());
  const web1 = switched(await findMachine(driver, 'web1'));
  const orders = (): number => double.calls.filter((call) => call === 'X_VM_PowerOp').length;
  for (const [deed, expected] of [
    [{ kind: 'fail', code: -5, words: 'NOT ALLOWED' }, { phrase: 'ACCESS DENIED' }],
    [{ kind: 'fail', code: -34, words: 'BUSY: another action' }, { phrase: 'BUSY', detail: 'another action' }],
    [{ kind: 'fail', code: -17, words: 'TIMEOUT: no end' }, { phrase: 'UNCERTAIN' }],
    [{ kind: 'fail', code: -999, words: 'UNCERTAIN: the order was sent' }, { phrase: 'UNCERTAIN', detail: 'the order was sent' }],
    [{ kind: 'fail', code: -999, words: 'UNREACHABLE: its host is off' }, { phrase: 'UNREACHABLE', detail: 'its host is off' }],
    [{ kind: 'fail', code: -999, words: 'Internal error' }, { phrase: 'FAILED', detail: 'Internal error' }],
    [{ kind: 'fail', code: -20, words: 'Virtual machine already exists' }, { phrase: 'FAILED', detail: 'Virtual machine already exists (error -20)' }],
    [{ kind: 'cut' }, { phrase: 'UNCERTAIN' }],
    [{ kind: 'cut after' }, { phrase: 'UNCERTAIN' }],
    [{ kind: 'say', words: 'what?' }, { phrase: 'UNCERTAIN' }],
    [{ kind: 'say', words: '<exec><returncode>1</returncode><out></out></exec>\0' }, { phrase: 'UNCERTAIN' }],
  ] as const) {
    const before = orders();
    double.does('X_VM_PowerOp', deed);
    t.match(await outcome(web1.reset(soon())), expected, JSON.stringify(deed));
    t.equal(orders() - before, 1);
  }
  double.does('VM_INFO', { kind: 'cut' });
  const before = orders();
  t.match(await outcome(web1.reset(soon())).then(({ phrase, value }) => phrase ?? value), undefined, 'a question on a connection that had been idle is asked again');
  t.equal(orders() - before, 1);
  double.machines.get('/vms/web1/web1.vmx')!.state = 1;
  double.machines.set('/vms/web1/web1.vmx', { name: 'another', state: 1 });
  t.match(await outcome(web1.reset(soon())), { phrase: 'NO SUCH INSTANCE', detail: 'it has another name by now' });
  double.machines.delete('/vms/web1/web1.vmx');
  const { relists } = told;
  t.match(await outcome(web1.reset(soon())), { phrase: 'NO SUCH INSTANCE' });
  t.equal(told.relists, relists + 1);
  t.equal(orders() - before, 1, 'nothing was sent to it');
  t.same(double.faults, []);
});

await t.test('a task is followed to its end', async (t) => {
  const { double, driver } = await setUp(t, { isExtended: true });
  await driver.list(soon());
  const web1 = switched(await findMachine(driver, 'web1'));
  const answer = (state: string, error: string): string => `<exec><returncode>1</returncode><out><status><task>t1</task><state>${state}</state>${error}</status></out></exec>\0`;
  const after = async (...answers: readonly string[]): Promise<unknown> => {
    answers.forEach((words) => double.does('TaskManager_StatusOfTask', { kind: 'say', words }));
    return outcome(web1.reset(soon()));
  };
  t.same(await after(answer('running', ''), answer('done', '')), { value: undefined });
  t.match(await after(answer('failed', '<error>NEEDS ANSWER: is it moved?</error>')), { phrase: 'NEEDS ANSWER', detail: 'is it moved?' });
  t.match(await after(answer('failed', '<error>no disk</error>')), { phrase: 'FAILED', detail: 'no disk' });
  t.match(await after(answer('stopped', '')), { phrase: 'UNCERTAIN' });
  double.does('TaskManager_StatusOfTask', { kind: 'fail', code: -33, words: 'there is no such task' });
  t.match(await after(), { phrase: 'UNCERTAIN' });
  for (let times = 0; times < 2; times += 1) double.does('TaskManager_StatusOfTask', { kind: 'cut' });
  t.match(await after(), { phrase: 'UNCERTAIN' });
});

await t.test('one who hangs does not hold up others, and who gives up is answered at once', async (t) => {
  const { double, driver } = await setUp(t);
  await driver.list(soon());
  const [web1, db1] = [await findMachine(driver, 'web1'), await findMachine(driver, 'db1')];
  double.does('VM_INFO', { kind: 'silent' });
  const giveUp = new AbortController();
  const hanging = outcome(web1.status(giveUp.signal));
  t.equal(await db1.status(soon()), 'suspended');
  giveUp.abort(new Error('enough'));
  t.match(await hanging, { error: { message: 'enough' } });
  t.equal(await web1.status(soon()), 'on');
});

await t.test('a wrong password is not tried again; another one is', async (t) => {
  const { double, driver } = await setUp(t, { password: 'another' });
  t.match(await outcome(driver.list(soon())), { phrase: 'ACCESS DENIED', detail: /^the user or the password is wrong; not tried again before / });
  t.match(await outcome(driver.list(soon())), { phrase: 'ACCESS DENIED' });
  t.equal(double.logins, 1);
});

await t.test('the way there', { skip: lacks('openssl') }, async (t) => {
  const tls = makeCertificate();
  const double = await VmserverdDouble.start({ tls, machines: machinesOf() });
  t.teardown(() => double.stop());
  const open = (given: Record<string, unknown>): Driver => openDriver(t, { port: double.port, ...given }).driver;
  t.equal((await listed(open({ fingerprint: `SHA256:${tls.fingerprint}` }))).length, 3);
  t.match(await outcome(open({ fingerprint: `SHA256:${'x'.repeat(43)}` }).list(soon())), { phrase: 'CERTIFICATE REJECTED', detail: new RegExp(tls.fingerprint.replaceAll('+', '\\+')) });
  t.match(await outcome(open({}).list(soon())), { phrase: 'CERTIFICATE REJECTED' });
  const plain = await setUp(t, {}, {});
  t.match(await outcome(plain.driver.list(soon())), { phrase: 'UNREACHABLE', detail: /in the clear/ });
  t.equal(plain.double.logins, 0, 'no password was sent');
  await plain.double.stop();
  t.match(await outcome(plain.driver.list(soon())), { phrase: 'UNREACHABLE', detail: 'the server: nobody listens there' });
  t.same([...vmserverd.check?.(v.parse(v.strictObject(vmserverd.options), { host: 'gsx1', user: 'x' })) ?? []], [{ message: 'a password, password-file or password-env is missing' }]);
});

await t.test('the log of a server that has never answered is not empty: nobody knows it', async (t) => {
  const { driver } = openDriver(t, { port: 1, insecure: true });
  t.match(await outcome(driver.dmesg!(soon())), { phrase: 'UNREACHABLE' });
  const { driver: first } = await setUp(t);
  t.match(await first.dmesg!(soon()), /web1: action by kim/, 'one that was not listed yet is asked for its machines');
});
