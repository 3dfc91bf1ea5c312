import t from 'tap';
import { Fault, ref, val, vAppSummary } from '../../peers/vim-double.js';
import { until } from '../../support/until.js';
import { find, refusal, setUp, soon } from './open-driver.js';

/** vApps on a strict double, since VMware's simulator has none that can be started. */

const MACHINES = '<val xsi:type="ArrayOfManagedObjectReference"><ManagedObjectReference type="VirtualMachine">vm-1</ManagedObjectReference><ManagedObjectReference type="VirtualMachine">vm-9</ManagedObjectReference></val>';

await t.test('nobody gets names that he has not asked for', async (t) => {
  const { vim, driver } = await setUp(t);
  vim.addVm('vm-1');
  vim.addVApp('shop');
  t.same((await driver.list(soon())).map(({ machine }) => machine.name), ['vm-1']);
});

await t.test('names and states', async (t) => {
  const { vim, driver, told } = await setUp(t, { vapps: true });
  vim.addVm('vm-1', { name: val('string', 'web') });
  vim.addVApp('resgroup-v1', { name: val('string', 'shop%2feurope'), vm: MACHINES });
  vim.addVApp('resgroup-v2', { name: val('string', 'db'), parentVApp: ref('VirtualApp', 'resgroup-v1'), summary: vAppSummary('resgroup-v2', 'started') });
  const listed = async (): Promise<Record<string, string>> =>
    Object.fromEntries((await driver.list(soon())).map(({ machine, state }) => [machine.name, state]));
  t.same(await listed(), { web: 'on', 'shop/europe': 'off', 'shop/europe/db': 'on' });
  const shop = await find(driver, 'shop/europe');
  t.match(await shop.info!(soon()), { uuid: 'uuid-of-resgroup-v1', more: { kind: 'vApp', machines: 'web and 1 more' } });
  for (const [state, ours] of [['constructor', 'unknown'], ['starting', 'starting'], ['stopping', 'stopping'], ['started', 'on'], ['stopped', 'off']] as const) {
    vim.set('resgroup-v1', 'summary', vAppSummary('resgroup-v1', state));
    await until(() => told.changed.at(-1)?.[1] === ours, 60_000, state);
    t.same(told.changed.at(-1), [shop.id, ours]);
    t.equal(await shop.status(soon()), ours);
  }
  vim.set('resgroup-v1', 'name', val('string', 'store'));
  const before = told.relists;
  await until(() => told.relists >= before, 60_000, 'the new name');
  await until(async () => 'store/db' in await listed(), 60_000, 'the new name of the one within');
  vim.remove('resgroup-v1');
  await until(async () => !('store' in await listed()), 60_000, 'its end');
});

await t.test('power', async (t) => {
  const { vim, driver } = await setUp(t, { vapps: true });
  vim.addVApp('shop');
  const shop = await find(driver, 'shop');
  await shop.start!(soon());
  t.equal(await shop.status(soon()), 'on');
  t.equal((await refusal(shop.start!(soon()))).phrase, 'WRONG STATE', 'it is on already, as its status tells');
  await shop.suspend!(soon());
  t.equal(await shop.status(soon()), 'suspended');
  await shop.resume!(soon());
  await shop.shutdown!(soon());
  t.equal(await shop.status(soon()), 'off');
  await shop.start!(soon());
  let force = '';
  vim.instead.set('PowerOffVApp_Task', (request) => { force = request.children.find(({ name }) => name === 'force')?.text ?? ''; return undefined; });
  await shop.powerOff!(soon());
  t.equal(force, 'true');
  vim.instead.set('PowerOnVApp_Task', () => vim.addTask('error', 'InsufficientResourcesFault'));
  t.match(await refusal(shop.start!(soon())), { phrase: 'FAILED', detail: 'it said InsufficientResourcesFault' });
  vim.instead.set('PowerOnVApp_Task', () => 'cut');
  t.equal((await refusal(shop.start!(soon()))).phrase, 'UNCERTAIN');
  vim.instead.set('PowerOnVApp_Task', () => new Fault('NoPermission', '', '<privilegeId>VApp.PowerOn</privilegeId>'));
  t.match(await refusal(shop.start!(soon())), { phrase: 'ACCESS DENIED', detail: 'the account lacks the privilege VApp.PowerOn' });
  vim.instead.set('PowerOnVApp_Task', () => new Fault('InvalidPowerState', '', '<existingState>poweredOn</existingState>'));
  vim.set('shop', 'summary', vAppSummary('shop', 'stopped'));
  t.equal((await refusal(shop.start!(soon()))).phrase, 'WRONG STATE', 'one of its machines is on, not the vApp');
  vim.instead.set('PowerOnVApp_Task', () => new Fault('TaskInProgress'));
  t.equal((await refusal(shop.start!(soon()))).phrase, 'BUSY');
  vim.instead.delete('PowerOnVApp_Task');
  vim.objects.delete('shop');
  t.equal((await refusal(shop.start!(soon()))).phrase, 'NO SUCH INSTANCE');
  await until(async () => (await driver.list(soon())).length === 0, 60_000, 'a fresh look');
});
