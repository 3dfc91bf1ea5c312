import t from 'tap';
import { val, type Misdeed } from '../../peers/vim-double.js';
import { find, refusal, setUp, soon } from './open-driver.js';

/** Answers that are none. */

/** For an answer of 50 MiB, which costs some seconds of a processor that many may share, ms. */
const HUGE_MS = 150_000;

await t.test('bad answers', { timeout: HUGE_MS + 20_000 }, async (t) => {
  const misdeeds: Misdeed[] = ['cut', 'half', 'huge', 503];
  for (const misdeed of misdeeds) {
    const { vim, driver } = await setUp(t);
    vim.addVm('vm-1');
    const vm = await find(driver, 'vm-1');
    vim.instead.set('RetrievePropertiesEx', () => misdeed);
    t.equal((await refusal(vm.status(soon(HUGE_MS)))).phrase, 'UNREACHABLE', String(misdeed));
    vim.instead.delete('RetrievePropertiesEx');
    t.equal(await vm.status(soon()), 'on', 'and is used again afterwards');
  }
  const { vim, driver } = await setUp(t);
  vim.addVm('vm-1');
  const vm = await find(driver, 'vm-1');
  vim.instead.set('RetrievePropertiesEx', () => 'silence');
  await t.rejects(vm.status(AbortSignal.timeout(200)), { name: 'TimeoutError' });
});

await t.test('what a guest calls itself leaves its server readable', async (t) => {
  const { vim, driver } = await setUp(t);
  vim.addVm('vm-1', { 'guest.hostName': val('string', 'a]]>b') });
  t.same((await driver.list(soon())).map(({ machine, state }) => [machine.name, state]), [['vm-1', 'on']]);
});

await t.test('objects of which little or nothing is told', async (t) => {
  const { vim, driver } = await setUp(t);
  vim.addVm('vm-1');
  vim.addVm('vm-2', { 'runtime.connectionState': val('VirtualMachineConnectionState', 'orphaned') });
  for (const path of ['config.template', 'config.instanceUuid', 'runtime.powerState']) vim.objects.get('vm-2')!.properties.delete(path);
  vim.objects.set('vm-3', { type: 'VirtualMachine', properties: new Map() });
  t.same((await driver.list(soon())).map(({ machine, state }) => [machine.name, state]), [['vm-1', 'on'], ['vm-2', 'unknown']], 'one without a name is not seen');
});
