import t from 'tap';
import { until } from '../../support/until.js';
import { LONG } from '../../support/faults.js';
import { Reference, type Properties } from './cim.js';
import { HyperV, RETURN } from './hyperv.js';
import { HyperVNamespace } from './hyperv-classes.js';
import { JOB } from './jobs.js';

/** The double's Hyper-V by itself: states, jobs and guests, in both of its versions. */

const ask = (hyperv: HyperV, name: string, state: number): Properties => hyperv.requestStateChange(hyperv.vm(name), { RequestedState: String(state) });
const jobOf = (hyperv: HyperV, { Job }: Properties): Properties | undefined =>
  hyperv.jobs.type.instances().find(({ InstanceID }) => Job instanceof Reference && InstanceID === Job.keys.InstanceID);
const rest = (hyperv: HyperV): Promise<void> => until(() => hyperv.jobs.running === 0, LONG, 'the jobs to end');

void t.test('states by the numbers of each version', { timeout: LONG }, async (t) => {
  for (const [version, numbers] of [['v2', { on: 2, off: 3, paused: 9, saved: 6, reset: 11 }], ['v1', { on: 2, off: 3, paused: 32_768, saved: 32_769, reset: 10 }]] as const) {
    const hyperv = new HyperV({ version, vms: ['a'], jobMs: 5 });
    t.teardown(() => hyperv.stop());
    const vm = hyperv.vm('a');
    for (const [wanted, number] of [['on', 2], ['paused', numbers.paused], ['on', 2], ['saved', numbers.saved], ['on', 2], ['reset', numbers.reset], ['off', 3]] as const) {
      const answer = ask(hyperv, 'a', numbers[wanted]);
      t.equal(answer.ReturnValue, RETURN.job, `${version}: ${wanted}`);
      t.not(hyperv.enabledState(vm), number, 'on its way');
      t.equal(ask(hyperv, 'a', numbers.off).ReturnValue, RETURN.badState, 'one thing at a time');
      await rest(hyperv);
      t.equal(jobOf(hyperv, answer)?.JobState, JOB.completed);
      t.equal(hyperv.enabledState(vm), wanted === 'reset' ? 2 : number);
      if (wanted !== 'reset') t.equal(ask(hyperv, 'a', numbers[wanted]).ReturnValue, RETURN.badState, 'it is there already');
    }
    t.equal(ask(hyperv, 'a', numbers.paused).ReturnValue, RETURN.badState, 'what is off cannot be paused');
    t.equal(ask(hyperv, 'a', version === 'v2' ? 32_768 : 9).ReturnValue, RETURN.badParameter, 'numbers of the other version');
  }
});

void t.test('jobs that end otherwise', { timeout: LONG }, async (t) => {
  const hyperv = new HyperV({ vms: ['a', 'b'], jobMs: 5 });
  t.teardown(() => hyperv.stop());
  for (const state of [JOB.terminated, JOB.killed, JOB.exception]) {
    hyperv.jobs.plans.push({ state, errorCode: 32_768, description: 'no' });
    const answer = ask(hyperv, 'a', 2);
    await rest(hyperv);
    t.match(jobOf(hyperv, answer), { JobState: state, ErrorCode: 32_768, ErrorDescription: 'no' });
    t.equal(hyperv.vm('a').state, 'off');
  }
  hyperv.jobs.plans.push({ state: JOB.completed, errorCode: 1 });
  const failed = ask(hyperv, 'a', 2);
  await rest(hyperv);
  t.match(jobOf(hyperv, failed), { JobState: JOB.completed, ErrorCode: 1 });
  t.equal(hyperv.vm('a').state, 'off', 'an error code is a failure, whatever the state says');

  hyperv.jobs.plans.push({ state: JOB.warnings, staysFor: 0 });
  const gone = ask(hyperv, 'a', 2);
  await rest(hyperv);
  t.equal(jobOf(hyperv, gone), undefined, 'it has vanished');
  t.equal(hyperv.vm('a').state, 'running', 'and had succeeded');

  hyperv.jobs.plans.push({ takes: Infinity });
  const cut = ask(hyperv, 'b', 2);
  t.match(jobOf(hyperv, cut), { JobState: JOB.running, PercentComplete: 50 });
  hyperv.remove('b');
  t.match(jobOf(hyperv, cut), { JobState: JOB.exception }, 'of a machine that was deleted');
  hyperv.refuse('RequestStateChange', RETURN.noMemory);
  t.equal(ask(hyperv, 'a', 3).ReturnValue, RETURN.noMemory);
  t.equal(hyperv.vm('a').state, 'running');
});

void t.test('guests', { timeout: LONG }, async (t) => {
  const hyperv = new HyperV({ vms: [{ name: 'a', state: 'running' }], guestMs: 10 });
  t.teardown(() => hyperv.stop());
  const vm = hyperv.vm('a');
  const shutdown = (Force = 'false'): unknown => hyperv.initiateShutdown(vm, { Force, Reason: '' }).ReturnValue;
  const components = (): number => new HyperVNamespace(hyperv, 'HV1', 'en-US').classes.find(({ name }) => name === 'Msvm_ShutdownComponent')!.instances().length;
  t.equal(components(), 1);
  vm.guest = 'without services';
  t.equal(components(), 0);
  vm.guest = 'not ready';
  t.equal(shutdown(), RETURN.notReady);
  vm.guest = 'locked';
  t.equal(shutdown(), RETURN.locked);
  t.equal(shutdown('true'), RETURN.ok);
  t.equal(shutdown('true'), RETURN.inProgress);
  await until(() => vm.state === 'off', LONG, 'the guest to go');
  t.equal(shutdown(), RETURN.badState);
  t.equal(components(), 0);
  vm.become('running');
  vm.guest = 'willing';
  vm.age(60_000);
  t.equal(hyperv.initiateShutdown(vm, { Force: '0', Reason: '' }, true).ReturnValue, RETURN.ok);
  await until(() => vm.onTime < 60_000, LONG, 'the guest to restart');
  t.equal(vm.state, 'running');
});

void t.test('settings are those of machines, of their checkpoints and of nobody', (t) => {
  for (const version of ['v2', 'v1'] as const) {
    const hyperv = new HyperV({ version, vms: ['a'] });
    hyperv.vm('a').checkpoints.push('before update');
    const { classes, name } = new HyperVNamespace(hyperv, 'HV1', 'ja-JP');
    t.equal(name, version === 'v2' ? 'root/virtualization/v2' : 'root/virtualization');
    const of = (className: string): readonly Properties[] => classes.find((each) => each.name === className)?.instances() ?? [];
    const ids = of('Msvm_SyntheticEthernetPortSettingData').map(({ InstanceID }) => String(InstanceID));
    t.equal(ids.filter((id) => id.startsWith('Microsoft:Definition\\')).length, 4);
    t.equal(ids.filter((id) => id.startsWith(`Microsoft:${hyperv.vm('a').id}\\`)).length, 1);
    t.equal(ids.length, 6);
    t.equal(of('Msvm_VirtualSystemSettingData').length, 2);
    t.equal(of('Msvm_StorageAllocationSettingData').length > 0, version === 'v2');
    t.equal(of('Msvm_ResourceAllocationSettingData').length > 0, version === 'v1');
    t.match(of('Msvm_ComputerSystem'), [{ Name: 'HV1', InstallDate: null, Caption: 'ホスト コンピューター システム' }, { ElementName: 'a', Caption: '仮想マシン' }]);
  }
  t.end();
});
