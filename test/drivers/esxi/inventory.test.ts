import t, { type Test } from 'tap';
import { Inventory } from '../../../src/drivers/esxi/inventory.js';
import { VimSession } from '../../../src/protocols/vim/session.js';
import { val, VimDouble } from '../../peers/vim-double.js';
import { until } from '../../support/until.js';
import { PASSWORD, soon } from './open-driver.js';

/** What is held of a server, and mended where its events have missed something. */

const NEVER = 10 * 60_000;

async function hold(
  t: Test,
  pace: { count: number; all: number },
): Promise<{ vim: VimDouble; inventory: Inventory; news: string[]; state: (name: string) => unknown }> {
  const vim = await VimDouble.start();
  for (const name of ['vm-1', 'vm-2', 'vm-3']) vim.addVm(name);
  const session = new VimSession({
    url: new URL(vim.url),
    trust: () => ({ kind: 'anyone' }),
    credentials: () => ({ user: 'argo', password: PASSWORD }),
  });
  const news: string[] = [];
  const inventory = new Inventory(
    session,
    {
      modified: (item, paths) => {
        news.push(`${item.ref.value} ${[...paths].join(' ')}`);
      },
      membersChanged: () => {
        news.push('members');
      },
      ended: () => {
        news.push('ended');
      },
      silent: () => {
        news.push('silent');
      },
      answers: () => {
        news.push('answers');
      },
    },
    { alive: NEVER, ...pace },
  );
  t.teardown(async () => {
    await inventory.close();
    await session.close(soon());
    await vim.stop();
  });
  await inventory.fill(soon());
  return { vim, inventory, news, state: (name) => inventory.item(name)?.properties.get('runtime.powerState') };
}

await t.test('a count that differs leads to a check of all', async (t) => {
  const { vim, inventory, state, news } = await hold(t, { count: 20, all: NEVER });
  vim.objects.delete('vm-1');
  vim.objects.get('vm-2')!.properties.set('runtime.powerState', val('VirtualMachinePowerState', 'suspended'));
  await until(() => news.includes('members'), 60_000, 'that one has gone');
  t.equal(inventory.item('vm-1'), undefined);
  t.equal(state('vm-2'), 'suspended');
  t.equal(state('vm-3'), 'poweredOn');
  vim.addVm('vm-4');
  await until(() => state('vm-4') === 'poweredOn', 60_000, 'the new one');
  t.notOk(news.includes('ended'));
});

await t.test('now and then all are checked, whatever the count', async (t) => {
  const { vim, inventory, state, news } = await hold(t, { count: 20, all: 0 });
  const before = vim.count('RetrievePropertiesEx');
  await until(() => vim.count('RetrievePropertiesEx') > before + 3, 60_000, 'a check');
  t.same(news, [], 'where all is as it is held, nothing is told');
  vim.objects.get('vm-2')!.properties.set('config.template', val('boolean', true));
  vim.objects.get('vm-3')!.properties.delete('runtime.powerState');
  await until(() => news.length >= 2, 60_000, 'the news');
  t.same(news, ['vm-2 config.template', 'vm-3 runtime.powerState']);
  t.equal(inventory.item('vm-2')?.properties.get('config.template'), true);
  t.equal(state('vm-3'), null);
});
