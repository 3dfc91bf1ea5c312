import t from 'tap';
import { Fault } from '../../peers/vim-double.js';
import { find, refusal, setUp, soon } from './open-driver.js';

/** Whether machines are started with their host. */

await t.test('set and read', async (t) => {
  const { vim, driver } = await setUp(t);
  vim.addHost('host-1');
  for (const name of ['vm-1', 'vm-2']) vim.addVm(name);
  vim.addAutostart('host-1', true, ['vm-1', 'vm-2']);
  const [one, other] = [await find(driver, 'vm-1'), await find(driver, 'vm-2')];
  t.equal(await one.autostart!.read(soon()), false);
  await one.autostart!.set(true, soon());
  await other.autostart!.set(true, soon());
  t.same([await one.autostart!.read(soon()), await other.autostart!.read(soon())], [true, true], 'that of the other stays');
  t.match(await one.info!(soon()), { autostart: true });
  const orders = vim.count('ReconfigureAutostart');
  await one.autostart!.set(true, soon());
  t.equal(vim.count('ReconfigureAutostart'), orders, 'what is so already is not ordered');
  await one.autostart!.set(false, soon());
  t.same([await one.autostart!.read(soon()), await other.autostart!.read(soon())], [false, true]);
  t.match(vim.objects.get('autostart-of-host-1')?.properties.get('config'), /vm-1<.*?<startAction>none<.*?<stopAction>systemDefault</, 'how it is stopped is left as it was');
  vim.objects.get('autostart-of-host-1')!.properties.set('config', vim.objects.get('autostart-of-host-1')!.properties.get('config')!.replaceAll('powerOn', 'PowerOn'));
  t.equal(await other.autostart!.read(soon()), true, 'as older hosts write it');
});

await t.test('what it cannot be set for', async (t) => {
  const { vim, driver } = await setUp(t);
  vim.addHost('host-1');
  vim.addHost('host-2');
  for (const name of ['vm-1', 'vm-2', 'vm-3']) vim.addVm(name);
  vim.addAutostart('host-1', false, ['vm-1']);
  const idle = await find(driver, 'vm-1');
  t.match(await refusal(idle.autostart!.set(true, soon())), { phrase: 'WRONG STATE', detail: /starts no machine by itself/ });
  await idle.autostart!.set(false, soon());
  t.match(await idle.info!(soon()), { autostart: false });
  const lost = await find(driver, 'vm-2');
  t.match(await refusal(lost.autostart!.set(true, soon())), { phrase: 'WRONG STATE', detail: /on no host/ });
  t.notOk('autostart' in await lost.info!(soon()), 'it is not said where it is not known');
  vim.addAutostart('host-2', true, ['vm-3']);
  vim.objects.get('host-2')!.properties.delete('configManager.autoStartManager');
  t.match(await refusal((await find(driver, 'vm-3')).autostart!.read(soon())), { phrase: 'NOT SUPPORTED' });
  vim.addAutostart('host-2', true, ['vm-3']);
  vim.instead.set('ReconfigureAutostart', () => new Fault('NoPermission', '', '<object type="HostSystem">host-2</object><privilegeId>Host.Config.AutoStart</privilegeId>'));
  t.match(await refusal((await find(driver, 'vm-3')).autostart!.set(true, soon())), { phrase: 'ACCESS DENIED', detail: /Host\.Config\.AutoStart/ });
  vim.instead.set('ReconfigureAutostart', () => 'cut');
  t.equal((await refusal((await find(driver, 'vm-3')).autostart!.set(true, soon()))).phrase, 'UNCERTAIN');
  t.equal(vim.count('ReconfigureAutostart'), 2);
  vim.objects.delete('autostart-of-host-2');
  t.match(await refusal((await find(driver, 'vm-3')).autostart!.read(soon())), { phrase: 'NOT SUPPORTED' }, 'the machine is not gone');
});
