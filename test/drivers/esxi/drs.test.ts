import t, { type Test } from 'tap';
import { ref, val, type VimDouble } from '../../peers/vim-double.js';
import { find, refusal, setUp, soon } from './open-driver.js';

/** A machine for which there is no room, in a cluster of a strict double. */

const OUR_VM = '<vm type="VirtualMachine">vm-1</vm>';
const result = (fields: string): string => `<val xsi:type="ClusterPowerOnVmResult">${fields}</val>`;
const taskIn = (returned: string): string => /type="Task">([\w-]+)</.exec(returned)?.[1] ?? '';
const isOn = (vim: VimDouble): void => vim.set('vm-1', 'runtime.powerState', val('VirtualMachinePowerState', 'poweredOn'));

async function fullCluster(t: Test, { drs = true, fault = 'InsufficientHostCapacityFault' } = {}) {
  const opened = await setUp(t);
  const { vim, driver } = opened;
  const place = (name: string, type: string, properties: Record<string, string>): void => {
    vim.objects.set(name, { type, properties: new Map(Object.entries(properties)) });
  };
  place('datacenter-2', 'Datacenter', { parent: ref('Folder', 'group-d1') });
  place('group-h4', 'Folder', { parent: ref('Datacenter', 'datacenter-2') });
  place('domain-c7', 'ClusterComputeResource', { parent: ref('Folder', 'group-h4'), 'configuration.drsConfig.enabled': val('boolean', drs) });
  vim.addHost('host-1', { parent: ref('ClusterComputeResource', 'domain-c7') });
  vim.addVm('vm-1', { 'runtime.host': ref('HostSystem', 'host-1'), 'runtime.powerState': val('VirtualMachinePowerState', 'poweredOff') });
  vim.instead.set('PowerOnVM_Task', () => vim.addTask('error', fault));
  return { ...opened, vm: await find(driver, 'vm-1') };
}

await t.test('DRS makes room, with a task for the machine or without', async (t) => {
  for (const withTask of [true, false]) {
    const { vim, vm } = await fullCluster(t);
    vim.instead.set('PowerOnMultiVM_Task', () => {
      const own = taskIn(vim.addTask('success'));
      isOn(vim);
      return vim.addTask('success', '', result(`<attempted>${OUR_VM}${withTask ? `<task type="Task">${own}</task>` : ''}</attempted>`));
    });
    await vm.start!(soon());
    t.equal(await vm.status(soon()), 'on');
    t.equal(vim.count('PowerOnVM_Task'), 1);
    t.equal(vim.count('PowerOnMultiVM_Task'), 1);
  }
});

await t.test('what was only tried or recommended is not done', async (t) => {
  const fault = '<fault><fault xsi:type="NoCompatibleHost"/><localizedMessage>no host is good enough</localizedMessage></fault>';
  const cases: readonly [string, string, RegExp][] = [
    [`<recommendations><key>1</key><reason>powerOnVm</reason></recommendations>`, 'FAILED', /not started: DRS only recommends/],
    [`<notAttempted>${OUR_VM}${fault}</notAttempted>`, 'FAILED', /^no host is good enough$/],
  ];
  for (const [fields, phrase, detail] of cases) {
    const { vim, vm } = await fullCluster(t);
    vim.instead.set('PowerOnMultiVM_Task', () => vim.addTask('success', '', result(fields)));
    t.match(await refusal(vm.start!(soon())), { phrase, detail });
  }
  const { vim, vm } = await fullCluster(t);
  vim.instead.set('PowerOnMultiVM_Task', () => {
    const failed = taskIn(vim.addTask('error', 'InsufficientMemoryResourcesFault'));
    return vim.addTask('success', '', result(`<attempted>${OUR_VM}<task type="Task">${failed}</task></attempted>`));
  });
  t.match(await refusal(vm.start!(soon())), { phrase: 'FAILED', detail: 'it said InsufficientMemoryResourcesFault' });
  vim.instead.set('PowerOnMultiVM_Task', () => { vim.instead.set('RetrievePropertiesEx', () => 'cut'); return vim.addTask('success'); });
  t.equal((await refusal(vm.start!(soon()))).phrase, 'UNCERTAIN', 'it was ordered, and cannot be looked at');
});

await t.test('DRS is not asked where it is not there, or cannot help', async (t) => {
  for (const given of [{ drs: false }, { fault: 'FileNotFound' }]) {
    const { vim, vm } = await fullCluster(t, given);
    t.equal((await refusal(vm.start!(soon()))).phrase, 'FAILED');
    t.equal(vim.count('PowerOnMultiVM_Task'), 0);
  }
});
