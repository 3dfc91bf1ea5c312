import t from 'tap';
import { val } from '../../peers/vim-double.js';
import { find, refusal, setUp, soon } from './open-driver.js';

/** Readings of all virtual machines at once, for those who look at all of them again and again. */

const on = { 'runtime.powerState': val('VirtualMachinePowerState', 'poweredOn'), 'runtime.connectionState': val('VirtualMachineConnectionState', 'connected') };
const stats = (uptime: number, used: number, most: number) => ({
  'summary.quickStats.uptimeSeconds': val('int', uptime), 'summary.quickStats.overallCpuUsage': val('int', used), 'runtime.maxCpuUsage': val('int', most),
});

await t.test('one question tells of all of them; of one that is off its state alone', async (t) => {
  const { vim, driver } = await setUp(t);
  t.same(await driver.sample!(soon()), new Map(), 'nothing before the first listing');
  vim.addVm('vm-1', { ...on, ...stats(300, 500, 2000) });
  vim.addVm('vm-2', { 'runtime.powerState': val('VirtualMachinePowerState', 'poweredOff'), ...stats(300, 500, 2000) });
  vim.addVm('vm-3', { ...on, ...stats(0, 500, 0) });
  vim.addVm('vm-4', { ...on, 'runtime.connectionState': val('VirtualMachineConnectionState', 'disconnected'), ...stats(300, 500, 2000) });
  vim.addVm('vm-5', { 'config.template': val('boolean', true) });
  await driver.list(soon());
  const asked = vim.count('RetrievePropertiesEx');
  const samples = await driver.sample!(soon());
  t.equal(vim.count('RetrievePropertiesEx'), asked + 1);
  t.same(Object.fromEntries(samples), {
    'vm-1:uuid-of-vm-1': { status: 'on', uptime: 300, load: { cpuPercent: 25 } },
    'vm-2:uuid-of-vm-2': { status: 'off' },
    'vm-3:uuid-of-vm-3': { status: 'on' },
    'vm-4:uuid-of-vm-4': { status: 'unknown' },
  }, 'what vSphere does not tell is left to those who ask singly');
  const vm = await find(driver, 'vm-1');
  t.same([await vm.status(soon()), await vm.uptime!(soon()), await vm.load!(soon())], ['on', 300, { cpuPercent: 25 }], 'who tell the same');
});

await t.test('another machine behind a reference is not taken for the one before', async (t) => {
  const { vim, driver } = await setUp(t);
  vim.addVm('vm-1', on);
  const vm = await find(driver, 'vm-1');
  vim.objects.get('vm-1')!.properties.set('config.instanceUuid', val('string', 'another'));
  t.equal((await driver.sample!(soon())).get(vm.id), undefined);
});

await t.test('a session that has ended costs nobody an answer, a server that is gone does', async (t) => {
  const { vim, driver } = await setUp(t);
  vim.addVm('vm-1', on);
  const { id } = await find(driver, 'vm-1');
  vim.expireSessions();
  const samples = await driver.sample!(soon());
  t.ok([undefined, 'on'].includes(samples.get(id)?.status));
  await driver.list(soon());
  t.equal((await driver.sample!(soon())).get(id)?.status, 'on');
  await vim.stop();
  t.equal((await refusal(driver.sample!(soon()))).phrase, 'UNREACHABLE');
});
