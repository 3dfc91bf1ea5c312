import t from 'tap';
import type { Machine, Sightings } from '../../../src/drivers/driver.js';
import { JOB, RETURN, type Fault } from '../../peers/wmi/index.js';
import { lacks } from '../../support/peers.js';
import { until } from '../../support/until.js';
import { openDriver, setUp } from './open-driver.js';
import { findMachine, outcome, soon } from '../driving.js';

/** What can go wrong with Hyper-V and on the way to it: each has its phrase, and no order is given twice. */

const WITHIN = 60_000;

void t.test('what Hyper-V returns', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const vm = await findMachine(driver, 'web1');
  for (const [code, phrase] of [
    [RETURN.failed, 'FAILED'], [RETURN.accessDenied, 'ACCESS DENIED'], [RETURN.notSupported, 'NOT SUPPORTED'], [RETURN.timeout, 'UNCERTAIN'], [RETURN.badParameter, 'FAILED'],
    [RETURN.inUse, 'BUSY'], [RETURN.badState, 'WRONG STATE'], [RETURN.unavailable, 'UNREACHABLE'], [RETURN.noMemory, 'FAILED'], [32_771, 'UNCERTAIN'], [32_779, 'FAILED'], [1, 'NOT SUPPORTED'], [4, 'FAILED'], [4097, 'WRONG STATE'], [2, 'UNCERTAIN'], [3, 'UNCERTAIN'], [77, 'UNCERTAIN'], [40_000, 'UNCERTAIN'],
  ] as const) {
    peer.world.hyperv.refuse('RequestStateChange', code);
    t.match(await outcome(vm.start?.(soon())), { phrase }, String(code));
  }
  t.equal(await vm.status(soon()), 'off');
  t.match(await outcome(vm.pause?.(soon())), { phrase: 'WRONG STATE' }, 'the host itself refuses it');
});

void t.test('what guests do', async (t) => {
  const { driver, peer } = await setUp(t, { vms: [{ name: 'web1', state: 'running' }] });
  const [vm, world] = [await findMachine(driver, 'web1'), peer.world.hyperv.vm('web1')];
  for (const [guest, step, expected] of [
    ['without services', 'shutdown', { phrase: 'NOT SUPPORTED', detail: /integration services.*--force/ }], ['not ready', 'shutdown', { phrase: 'BUSY', detail: /not ready/ }],
    ['locked', 'shutdown', { phrase: 'FAILED', detail: /close-programs.*--force/ }], ['locked', 'reboot', { phrase: 'FAILED' }],
  ] as const) {
    world.guest = guest;
    t.match(await outcome(vm[step]?.(soon())), expected, `${guest}: ${step}`);
    t.equal(await vm.status(soon()), 'on');
  }
  world.guest = 'willing';
  peer.world.hyperv.refuse('InitiateShutdown', RETURN.inProgress);
  t.match(await outcome(vm.shutdown?.(soon())), { value: undefined }, 'it does what is wanted already');
  peer.world.hyperv.refuse('InitiateReboot', RETURN.inProgress);
  t.match(await outcome(vm.reboot?.(soon())), { phrase: 'BUSY' });
  await vm.powerOff?.(soon());
  t.match(await outcome(vm.shutdown?.(soon())), { phrase: 'WRONG STATE', detail: 'it is off' });
  await vm.start?.(soon());
  peer.faults.add('InitiateShutdown', { kind: 'refuse', fault: 'not found' });
  t.match(await outcome(vm.shutdown?.(soon())), { phrase: 'WRONG STATE', detail: 'it is on by now' }, 'its services have gone, and it has not');
  world.guest = 'deaf';
  t.match(await outcome(vm.shutdown?.(soon())), { value: undefined });
  t.equal(await vm.status(soon()), 'on');

  const forced = await setUp(t, { vms: [{ name: 'web1', state: 'running' }] }, { 'close-programs': true });
  forced.peer.world.hyperv.vm('web1').guest = 'locked';
  t.match(await outcome((await findMachine(forced.driver, 'web1')).shutdown?.(soon())), { value: undefined });

  const old = await setUp(t, { version: 'v1', vms: [{ name: 'web1', state: 'running' }] });
  t.match(await outcome((await findMachine(old.driver, 'web1')).reboot?.(soon())), { phrase: 'NOT SUPPORTED', detail: /Windows Server 2016/ });
});

void t.test('jobs', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const { jobs } = peer.world.hyperv;
  const vm = await findMachine(driver, 'web1');
  const start = () => outcome(vm.start?.(soon()));
  jobs.plans.push({ state: JOB.exception, errorCode: RETURN.noMemory, description: 'Nicht genügend\nArbeitsspeicher' });
  t.match(await start(), { phrase: 'FAILED', detail: 'the host has not enough memory: Nicht genügend Arbeitsspeicher' });
  jobs.plans.push({ errorCode: RETURN.accessDenied });
  t.match(await start(), { phrase: 'ACCESS DENIED' }, 'completed, with an error');
  jobs.plans.push({ state: JOB.exception, errorCode: 77 });
  t.match(await start(), { phrase: 'FAILED', detail: /error 77/ }, 'it has ended, whatever the number means');
  for (const state of [JOB.terminated, JOB.killed]) {
    jobs.plans.push({ state });
    t.match(await start(), { phrase: 'FAILED' }, String(state));
  }
  jobs.plans.push({ takes: 0, staysFor: 0, isDone: false });
  t.match(await outcome(vm.start?.(AbortSignal.timeout(1000))), { phrase: 'UNCERTAIN', detail: 'the host does not tell what became of its job; the machine is off' }, 'nobody saw its end');
  jobs.plans.push({ takes: 0, staysFor: 0 });
  t.match(await start(), { value: undefined }, 'and the state tells that it has succeeded');
  jobs.plans.push({ takes: 0, staysFor: 0 });
  t.match(await outcome(vm.reset?.(soon())), { phrase: 'UNCERTAIN' }, 'no state tells of a reset');
  jobs.plans.push({ state: JOB.warnings });
  t.match(await outcome(vm.pause?.(soon())), { value: undefined });
  jobs.plans.push({ takes: Infinity });
  const abort = new AbortController();
  const endless = outcome(vm.powerOff?.(abort.signal));
  await until(() => jobs.running === 1, WITHIN, 'the order');
  abort.abort(new Error('enough'));
  t.match(await endless, { error: { message: /enough|abort/ } });
});

void t.test('an order whose job is not named, or whose answer is lost, is told by the state', async (t) => {
  for (const wmiErrors of [false, true]) {
    const { driver, peer } = await setUp(t, { vms: ['web1'], wmiErrors });
    const { jobs } = peer.world.hyperv;
    const [vm, world] = [await findMachine(driver, 'web1'), peer.world.hyperv.vm('web1')];
    for (const fault of [
      { kind: 'refuse after', fault: 'timed out' }, { kind: 'refuse after', fault: 'timed out inside' }, { kind: 'refuse after', fault: 'call cancelled' },
      ...[302, 403, 408, 429, 500, 501, 502, 503, 504].map((status): Fault => ({ kind: 'bare after', status })), { kind: 'cut after' }, { kind: 'half' }, undefined,
    ] as const) {
      world.become('off');
      const called = peer.calls('RequestStateChange');
      jobs.plans.push({ takes: 200, isHidden: fault === undefined });
      if (fault) peer.faults.add('RequestStateChange', fault);
      t.same(await outcome(vm.start?.(soon())), { value: undefined }, JSON.stringify(fault));
      t.equal(await vm.status(soon()), 'on');
      t.equal(peer.calls('RequestStateChange'), called + 1, 'once');
    }
    world.become('off');
    for (const fault of [{ kind: 'refuse', fault: 'timed out inside' }, { kind: 'bare', status: 503 }] as const) {
      peer.faults.add('RequestStateChange', fault);
      t.match(await outcome(vm.start?.(soon())), { phrase: 'UNCERTAIN', detail: /the machine is off$/ }, 'it was not carried out, which nobody can know');
    }
    jobs.plans.push({ takes: Infinity, isHidden: true });
    t.match(await outcome(vm.start?.(AbortSignal.timeout(700))), { phrase: 'UNCERTAIN', detail: 'Hyper-V has begun it and names no job; the machine is starting' }, 'the time is over');
  }
});

void t.test('what was refused by HTTP is no doubt', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const vm = await findMachine(driver, 'web1');
  for (const status of [301, 400, 404, 405, 413, 415]) {
    peer.faults.add('RequestStateChange', { kind: 'bare', status });
    t.match(await outcome(vm.start?.(soon())), { phrase: 'UNREACHABLE', detail: `WMI: it answers with HTTP status ${status}, and no SOAP: is WinRM at this URL?` });
  }
});

void t.test('nothing that goes wrong with the look at a job is taken for what became of the order', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const vm = await findMachine(driver, 'web1');
  for (const fault of ['access denied', 'quota', 'internal error', 'timed out'] as const) {
    peer.world.hyperv.vm('web1').become('off');
    peer.world.hyperv.jobs.plans.push({ takes: 300 });
    peer.faults.add('Msvm_ConcreteJob', { kind: 'refuse', fault }, 10);
    t.same(await outcome(vm.start?.(soon())), { value: undefined }, fault);
    t.equal(await vm.status(soon()), 'on');
    peer.faults.clear();
  }
});

void t.test('a job is followed over lost connections', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'], jobMs: 300 });
  const vm = await findMachine(driver, 'web1');
  peer.faults.add('Msvm_ConcreteJob', { kind: 'cut after' }, 2);
  t.match(await outcome(vm.start?.(soon())), { value: undefined });
  t.equal(peer.calls('RequestStateChange'), 1);
});

void t.test('a machine that is deleted', async (t) => {
  const { driver, peer, told } = await setUp(t, { vms: ['web1', 'web2'] });
  const [one, two] = [await findMachine(driver, 'web1'), await findMachine(driver, 'web2')];
  peer.world.hyperv.jobs.plans.push({ takes: Infinity });
  const starting = outcome(one.start?.(soon()));
  await until(() => peer.world.hyperv.jobs.running === 1, WITHIN, 'the order');
  peer.world.hyperv.remove('web1');
  t.match(await starting, { phrase: 'NO SUCH INSTANCE' }, 'in the middle of its start');
  peer.world.hyperv.remove('web2');
  for (const step of ['start', 'shutdown', 'reset', 'status', 'info', 'uptime'] as const) t.match(await outcome(two[step]?.(soon())), { phrase: 'NO SUCH INSTANCE' }, step);
  t.ok(told.relists > 0, 'the registry is told');
  t.same((await driver.list(soon())).map(({ machine }) => machine.name), ['hv1']);
});

void t.test('access is denied in all its forms', async (t) => {
  for (const wmiErrors of [false, true]) {
    const { driver, peer } = await setUp(t, { vms: ['web1'], wmiErrors });
    const vm = await findMachine(driver, 'web1');
    for (const fault of ['access denied', 'access denied inside', 'access denied by wmi'] as const) {
      peer.faults.add('*', { kind: 'refuse', fault }, 2);
      t.match(await outcome(vm.start?.(soon())), { phrase: 'ACCESS DENIED', detail: /logged in, but lacks the right/ }, fault);
      t.match(await outcome(vm.status(soon())), { phrase: 'ACCESS DENIED' }, fault);
    }
    t.same(await outcome(vm.start?.(soon())), { value: undefined }, 'no login was refused, so nothing is held back');
    for (const [fault, phrase] of [['quota', 'BUSY'], ['internal error', 'UNCERTAIN'], ['no such class', wmiErrors ? 'NOT SUPPORTED' : 'NO SUCH INSTANCE'], ['timed out', 'UNCERTAIN']] as const) {
      peer.faults.add('RequestStateChange', { kind: 'refuse', fault }, 2);
      t.match(await outcome(vm.powerOff?.(soon())), { phrase }, fault);
      peer.faults.clear();
    }
  }
});

void t.test('a wrong password is tried once, by people and by polls', async (t) => {
  const { driver, peer, told } = await setUp(t, { vms: ['web1'] }, { password: 'wrong', ping: { timeout: '500ms' } });
  const lists = [];
  for (let poll = 0; poll < 5; poll += 1) lists.push(await outcome(driver.list(soon())));
  t.match(lists[0], { value: [{ machine: { name: 'hv1' } }] }, 'the host alone, so that it can be seen');
  t.match((lists[0]?.value as Sightings).incomplete, /^the virtual machines could not be listed yet: ACCESS DENIED/);
  t.match(lists.slice(1), Array.from({ length: 4 }, () => ({ phrase: 'ACCESS DENIED', detail: /not tried again before/ })));
  t.equal(peer.requests.length, 0);
  t.ok(peer.connections < lists.length, `${peer.connections}: one to log in, and looks whether it listens where a ping was late; none a poll`);
  t.match(told.log.join('\n'), /warn: a login was refused; it is held back/);
  t.notMatch(told.log.join('\n'), /wrong/);
});

void t.test('twelve providers with one account and a wrong password make one refused login', async (t) => {
  const first = await setUp(t, { vms: ['web1'] }, { password: 'stale', ping: { timeout: '500ms' } });
  const { peer } = first;
  const others = Array.from({ length: 11 }, () => openDriver(t, peer, { password: 'stale', ping: { timeout: '500ms' } }).driver);
  await Promise.all([first.driver, ...others].map((driver) => outcome(driver.list(soon()))));
  t.equal(peer.refusals, 1);
  const { driver } = openDriver(t, peer);
  t.equal((await driver.list(soon())).length, 2, 'the right password is tried at once');
});

void t.test('what is not encrypted is refused there, or here', async (t) => {
  const there = await setUp(t, { vms: ['web1'], allowUnencrypted: false });
  await there.driver.list(soon());
  t.match(await outcome(there.driver.list(soon())), { phrase: 'ACCESS DENIED', detail: /Basic is not on offer there; it offers Negotiate/ });
  const here = await setUp(t, { vms: ['web1'] }, { 'allow-unencrypted': false });
  await here.driver.list(soon());
  t.match(await outcome(here.driver.list(soon())), { phrase: 'ACCESS DENIED', detail: /over plain HTTP/ });
  t.equal(here.peer.requests.length, 0);
});

void t.test('answers that are none', { skip: lacks('ping') }, async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const vm = await findMachine(driver, 'web1');
  const asks = async (kind: Fault['kind'], step: 'status' | 'start') => {
    peer.faults.add('*', { kind } as Fault);
    const result = await outcome(vm[step]?.(soon()));
    peer.faults.clear();
    return result;
  };
  for (const kind of ['bomb', 'entity', 'page', 'stranger', 'huge', 'half'] as const) {
    t.match(await asks(kind, 'status'), { phrase: 'UNREACHABLE' }, `${kind} to a question`);
    t.match(await asks(kind, 'start'), { value: undefined }, `${kind} to an order, which the state tells to be done`);
    t.equal(peer.world.hyperv.vm('web1').state, 'running');
    peer.world.hyperv.vm('web1').become('off');
  }
  const orders = peer.calls('RequestStateChange');
  t.match(await asks('cut', 'start'), { phrase: 'UNCERTAIN', detail: /the machine is off$/ });
  t.match(await asks('cut after', 'start'), { value: undefined });
  t.equal(peer.calls('RequestStateChange'), orders + 2, 'once each');
  t.equal(await vm.status(soon()), 'on', 'the order that arrived');
});

void t.test('a host that goes away and comes back', { skip: lacks('ping') }, async (t) => {
  const { driver, peer, told } = await setUp(t, { vms: ['web1'] }, { ping: { timeout: '500ms' } });
  const vm: Machine = await findMachine(driver, 'web1');
  await peer.down();
  t.match(await outcome(vm.status(soon())), { phrase: 'UNREACHABLE' });
  t.match(await outcome(vm.start?.(soon())), { phrase: 'UNREACHABLE' }, 'nothing was ordered');
  t.match(await outcome(driver.list(soon())), { phrase: 'UNREACHABLE' }, 'it answers pings, so something is wrong');
  t.same(told.changed, [{ id: 'host', state: 'on' }]);
  await peer.wake();
  t.equal(await vm.status(soon()), 'off');
  t.equal((await driver.list(soon())).length, 2);
});

void t.test('Windows without Hyper-V', async (t) => {
  const { driver, told } = await setUp(t, { role: 'windows' });
  const alone = await driver.list(soon());
  t.same(alone.map(({ machine }) => machine.name), ['hv1']);
  t.match(alone.incomplete, /^the virtual machines could not be listed yet: NOT SUPPORTED: Hyper-V is not installed there/);
  t.match(told.log.join('\n'), /NOT SUPPORTED: Hyper-V is not installed there/);
  t.match(await outcome(driver.list(soon())), { phrase: 'NOT SUPPORTED' });
});
