import t from 'tap';
import { hashPassword } from '../../src/auth/passwords.js';
import { val, VimDouble } from '../peers/vim-double.js';
import { startDaemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { until } from '../support/until.js';

/** Through the daemon: a restore from backup gives the reference of Alice's machine to Bob's, and the answer that tells of it breaks off. */

const PATIENCE_MS = 60_000;
const hash = await hashPassword('secret');

await t.test('an order never reaches a machine that its caller was not shown', async (t) => {
  const vim = await VimDouble.start();
  t.teardown(() => vim.stop());
  vim.addVm('vm-1', { name: val('string', 'alice') });
  const daemon = await startDaemon({
    config: `
[accounts.alice]
password = "${hash}"
grants = [{ instances = ["vc/alice"], commands = ["*"] }]
[providers.vc]
type = "esxi"
url = "${vim.url}"
user = "argo"
password = "x"
insecure = true
poll-interval = "1s"
`,
  });
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  const ask = (request: string): Promise<string> => client.answer(request, PATIENCE_MS);
  t.equal(await ask('auth alice secret'), '');
  t.equal(await ask('status alice'), 'on');

  const { properties } = vim.objects.get('vm-1')!;
  properties.set('name', val('string', 'bob'));
  properties.set('config.instanceUuid', val('string', 'uuid-of-bob'));
  const changes = [...properties].map(([path, value]) => `<changeSet><name>${path}</name><op>assign</op>${value}</changeSet>`);
  const entry = `<objectSet><kind>enter</kind><obj type="VirtualMachine">vm-1</obj>${changes.join('')}</objectSet>`;
  let broken = 0;
  vim.instead.set('WaitForUpdatesEx', () => {
    broken += 1;
    return `<returnval><version>1</version><filterSet><filter type="PropertyFilter">filter-1</filter>${entry}<objectSet><kind>enter</kin></objectSet>`;
  });
  vim.expireSessions();
  await until(() => broken > 1, PATIENCE_MS, 'listings that break off');
  for (const order of ['stop alice --force', 'reboot alice --force', 'suspend alice']) t.match(await ask(order), /^400 /, order);
  t.same(vim.calls.filter((call) => call.endsWith('VM_Task') || call.endsWith('Guest')), [], 'nothing was ordered');
  t.match(properties.get('runtime.powerState'), /poweredOn/);
});
