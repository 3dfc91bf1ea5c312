import t from 'tap';
import { val, vAppSummary, type Answer, type Element, type VimDouble } from '../../peers/vim-double.js';
import { until } from '../../support/until.js';
import { find, refusal, setUp, soon } from './open-driver.js';

/**
 * An object that has come to be another machine, as after a restore from backup: orders of those who were shown the former
 * must not reach it, and they are told nothing of it.
 */

/** What is read of a host. */
const OF_A_HOST = ['info', 'uptime', 'bootMark'] as const;
/** What is read of a machine beside its state and its autostart. */
const READINGS = [...OF_A_HOST, 'ip', 'mac', 'disk', 'load', 'rx', 'tx'] as const;

/** Bob's machine takes the place of Alice's, without a word. */
function replace({ objects }: VimDouble): void {
  const { properties } = objects.get('vm-1')!;
  properties.set('name', val('string', 'bob'));
  properties.set('config.instanceUuid', val('string', 'uuid-of-bob'));
}

/** All that there is of the object, as an update tells it. */
function entry({ objects }: VimDouble): string {
  const changes = [...objects.get('vm-1')!.properties].map(([path, value]) => `<changeSet><name>${path}</name><op>assign</op>${value}</changeSet>`);
  return `<objectSet><kind>enter</kind><obj type="VirtualMachine">vm-1</obj>${changes.join('')}</objectSet>`;
}

/** Answers that break off behind the object: in the first page, or in the one after it. */
const BROKEN: Readonly<Record<string, (vim: VimDouble) => (request: Element) => Answer>> = {
  'page 1': (vim) => () => `<returnval><version>1</version><filterSet><filter type="PropertyFilter">filter-1</filter>${entry(vim)}<objectSet><kind>enter</kin>`,
  'page 2': (vim) => ({ children }) => (children.find(({ name }) => name === 'version')?.text
    ? '<returnval><version>2</version></bad>'
    : `<returnval><version>1</version><filterSet><filter type="PropertyFilter">filter-1</filter>${entry(vim)}</filterSet><truncated>true</truncated></returnval>`),
};

await t.test('a listing that breaks off behind it', async (t) => {
  for (const [where, answer] of Object.entries(BROKEN)) {
    const { vim, driver, told } = await setUp(t);
    vim.addVm('vm-1', { name: val('string', 'alice') });
    const alice = await find(driver, 'alice');
    replace(vim);
    vim.instead.set('WaitForUpdatesEx', answer(vim));
    vim.expireSessions();
    await until(() => told.relists > 0, 60_000, 'the call for a listing');
    t.match(await refusal(driver.list(soon())), { phrase: 'UNREACHABLE', detail: /cannot be read/ }, where);
    t.equal((await refusal(alice.status(soon()))).phrase, 'NO SUCH INSTANCE', where);
    t.equal((await refusal(alice.resume!(soon()))).phrase, 'NO SUCH INSTANCE', where);
    t.equal((await refusal(alice.autostart!.set(true, soon()))).phrase, 'NO SUCH INSTANCE', where);
    vim.instead.delete('WaitForUpdatesEx');
    t.same((await driver.list(soon())).map(({ machine }) => [machine.name, machine.id]), [['bob', 'vm-1:uuid-of-bob']], 'and is told as soon as it can be read');
  }
});

await t.test('news of it', async (t) => {
  const { vim, driver, told } = await setUp(t);
  vim.addVm('vm-1', { name: val('string', 'alice') });
  const alice = await find(driver, 'alice');
  replace(vim);
  vim.set('vm-1', 'config.instanceUuid', val('string', 'uuid-of-bob'));
  await until(() => told.relists > 0, 60_000, 'the call for a listing');
  for (const step of ['powerOff', 'reset', 'suspend', 'shutdown', 'reboot', 'resume', 'status', 'info'] as const) {
    t.match(await refusal(alice[step]!(soon()) as Promise<unknown>), { phrase: 'NO SUCH INSTANCE', detail: /another machine/ }, step);
  }
  t.equal((await refusal(alice.autostart!.set(true, soon()))).phrase, 'NO SUCH INSTANCE');
  t.same(vim.calls.filter((call) => call.endsWith('VM_Task') || call.endsWith('Guest')), [], 'nothing was ordered');
});

await t.test('a reading before any news of it', async (t) => {
  const becomeTemplate = ({ objects }: VimDouble): void => void objects.get('vm-1')!.properties.set('config.template', val('boolean', true));
  for (const [change, detail] of [[replace, /another machine/], [becomeTemplate, /a template/]] as const) {
    for (const reading of [...READINGS, 'autostart'] as const) {
      const { vim, driver } = await setUp(t);
      vim.addVm('vm-1', { name: val('string', 'alice') });
      const alice = await find(driver, 'alice');
      change(vim);
      const asked = vim.count('RetrievePropertiesEx');
      const answer = reading === 'autostart' ? alice.autostart!.read(soon()) : alice[reading]!(soon());
      t.match(await refusal(answer as Promise<unknown>), { phrase: 'NO SUCH INSTANCE', detail }, reading);
      // info asks for its parts at once, and is refused by the first answer
      if (reading !== 'info') t.equal(vim.count('RetrievePropertiesEx') - asked, 1, `${reading}: by the question itself`);
    }
  }
});

await t.test('what is told of a machine that told no uuid before', async (t) => {
  const { vim, driver } = await setUp(t);
  vim.addVm('vm-1');
  vim.objects.get('vm-1')!.properties.delete('config.instanceUuid');
  const unknown = await find(driver, 'vm-1');
  t.equal(await unknown.status(soon()), 'on');
  replace(vim);
  t.equal((await refusal(unknown.status(soon()))).phrase, 'NO SUCH INSTANCE');
});

await t.test('a vApp', async (t) => {
  const { vim, driver } = await setUp(t, { vapps: true });
  vim.addVApp('resgroup-1', { name: val('string', 'alice') });
  const alice = await find(driver, 'alice');
  t.equal(await alice.status(soon()), 'off');
  vim.objects.get('resgroup-1')!.properties.set('summary', vAppSummary('bob', 'started'));
  t.equal((await refusal(alice.status(soon()))).phrase, 'NO SUCH INSTANCE');
  t.equal((await refusal(alice.info!(soon()))).phrase, 'NO SUCH INSTANCE');
});

await t.test('a host', async (t) => {
  const { vim, driver } = await setUp(t);
  vim.addHost('host-1', { name: val('string', '127.0.0.1'), 'hardware.systemInfo.uuid': val('string', 'uuid-of-1') });
  const host = await find(driver, '127.0.0.1');
  vim.objects.get('host-1')!.properties.set('hardware.systemInfo.uuid', val('string', 'uuid-of-2'));
  for (const step of ['powerOff', 'suspend', 'resume', ...OF_A_HOST] as const) {
    t.equal((await refusal(host[step]!(soon()) as Promise<unknown>)).phrase, 'NO SUCH INSTANCE', step);
  }
  t.same(vim.calls.filter((call) => call.endsWith('Host_Task') || call.includes('StandBy')), [], 'nothing was ordered');
});
