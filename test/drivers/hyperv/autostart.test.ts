import t from 'tap';
import { RETURN, startWmiDouble } from '../../peers/wmi/index.js';
import { until } from '../../support/until.js';
import { findMachine, outcome, soon } from '../driving.js';
import { openDriver, PASSWORD, setUp } from './open-driver.js';

/** Whether machines are started with their host. */

const WITHIN_MS = 60_000;

await t.test('set and read', async (t) => {
  const { peer, driver } = await setUp(t, { vms: ['web1', 'db1'] });
  const [web, db] = [peer.world.hyperv.vm('web1'), peer.world.hyperv.vm('db1')];
  web.checkpoints.push('before');
  const machine = await findMachine(driver, 'web1');
  t.equal(await machine.autostart!.read(soon()), undefined, 'as it was made: started only where it ran before, which is neither');
  const made = await machine.info!(soon());
  t.match(made, { more: { autostart: 'only where it ran before' } });
  t.notOk('autostart' in made);
  for (const isOn of [false, true]) {
    await machine.autostart!.set(isOn, soon());
    t.equal(web.startup, isOn ? 4 : 2);
    t.equal(await machine.autostart!.read(soon()), isOn);
    const facts = await machine.info!(soon());
    t.equal(facts.autostart, isOn);
    t.notOk('autostart' in facts.more!);
  }
  t.equal(db.startup, 3, 'others stay as they are');
  await machine.autostart!.set(true, soon());
  t.equal(peer.calls('ModifySystemSettings'), 2, 'what is so already is not ordered');
});

await t.test('orders that are refused, and such as nobody knows of', async (t) => {
  const { peer, driver } = await setUp(t, { vms: ['web1'] });
  const { hyperv } = peer.world;
  const { autostart } = await findMachine(driver, 'web1');
  const set = () => outcome(autostart!.set(true, soon()));
  for (const [code, phrase] of [[RETURN.accessDenied, 'ACCESS DENIED'], [RETURN.inUse, 'BUSY'], [RETURN.badState, 'WRONG STATE'], [RETURN.timeout, 'UNCERTAIN'], [12_345, 'UNCERTAIN']] as const) {
    hyperv.refuse('ModifySystemSettings', code);
    t.match(await set(), { phrase }, String(code));
  }
  hyperv.jobs.plans.push({ state: 10, errorCode: 32_768, description: 'the disk is full' });
  t.match(await set(), { phrase: 'FAILED', detail: /the disk is full/ });
  for (const kind of ['cut', 'half'] as const) {
    peer.faults.add('ModifySystemSettings', { kind });
    t.match(await set(), { phrase: 'UNCERTAIN' }, kind);
  }
  await until(() => hyperv.jobs.running === 0, WITHIN_MS, 'the job of the one that was carried out');
  hyperv.vm('web1').startup = 3;
  hyperv.jobs.plans.push({ isHidden: true });
  t.match(await set(), { phrase: 'UNCERTAIN', detail: /names no job/ });
  const orders = peer.calls('ModifySystemSettings');
  peer.faults.add('Msvm_VirtualSystemSettingData', { kind: 'cut' }, Infinity);
  t.match(await outcome(autostart!.set(false, soon())), { phrase: 'UNREACHABLE' }, 'nothing was sent yet');
  peer.faults.clear();
  hyperv.remove('web1');
  t.match(await outcome(autostart!.set(false, soon())), { phrase: 'NO SUCH INSTANCE' });
  t.match(await outcome(autostart!.read(soon())), { phrase: 'NO SUCH INSTANCE' });
  t.equal(peer.calls('ModifySystemSettings'), orders);
});

await t.test('Hyper-V before 2012 keeps it elsewhere', async (t) => {
  const { driver } = await setUp(t, { version: 'v1', vms: ['web1'] });
  const machine = await findMachine(driver, 'web1');
  t.match(await outcome(machine.autostart!.read(soon())), { phrase: 'NOT SUPPORTED' });
  t.match(await outcome(machine.autostart!.set(true, soon())), { phrase: 'NOT SUPPORTED' });
  t.notOk('autostart' in await machine.info!(soon()));
});

await t.test('in a cluster it is set where the machine is', async (t) => {
  const { peer: one } = await setUp(t, { vms: ['web1'], name: 'HV1' });
  const two = await startWmiDouble({ role: 'hyperv', users: { argo: PASSWORD }, address: '127.0.0.2', port: one.port, name: 'HV2' });
  t.teardown(() => two.stop());
  const nodes = ['127.0.0.1', '127.0.0.2'].map((address, index) => ({ name: `hv${index + 1}`, address }));
  const { driver } = openDriver(t, one, { url: `http://{address}:${one.port}/wsman`, nodes });
  const machine = await findMachine(driver, 'web1');
  one.world.hyperv.handOver('web1', two.world.hyperv);
  await machine.autostart!.set(true, soon());
  t.equal(two.world.hyperv.vm('web1').startup, 4);
  t.equal(await machine.autostart!.read(soon()), true);
  t.same([one, two].map((peer) => peer.calls('ModifySystemSettings')), [0, 1]);
});
