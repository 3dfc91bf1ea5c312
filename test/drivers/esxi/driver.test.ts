import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import t, { type Test } from 'tap';
import { Fault, ref, val, VimDouble, type Misdeed } from '../../peers/vim-double.js';
import { lacks } from '../../support/peers.js';
import { until } from '../../support/until.js';
import { find, openDriver, refusal, soon } from './open-driver.js';

/** The esxi driver on a strict double: what a driver that believes its server would miss. */

const PASSWORD = 'hunter2-&<>"';

async function start(t: Test, table: Record<string, unknown> = {}): Promise<{ vim: VimDouble } & ReturnType<typeof openDriver>> {
  const vim = await VimDouble.start();
  const opened = openDriver({ url: vim.url, user: 'argo', password: PASSWORD, insecure: true, ...table });
  t.teardown(async () => {
    await opened.driver.close(soon());
    await vim.stop();
  });
  return { vim, ...opened };
}

const QUESTION = '<val xsi:type="VirtualMachineQuestionInfo"><id>q1</id><text>Did you move\nor copy it?</text><choice>'
  + '<choiceInfo xsi:type="ElementDescription"><label>I Moved It</label><summary>I Moved It</summary><key>1</key></choiceInfo>'
  + '<choiceInfo xsi:type="ElementDescription"><label>I Copied It</label><summary>I Copied It</summary><key>2</key></choiceInfo>'
  + '</choice><message><id>msg.uuid.altered</id><text>Did you…</text></message></val>';

await t.test('reads everything in pages, and logs out at the end', async (t) => {
  const { vim, driver } = await start(t);
  for (let i = 0; i < 250; i += 1) vim.addVm(`vm-${i}`);
  t.equal((await driver.list(soon())).length, 250);
  t.ok(vim.count('WaitForUpdatesEx') >= 3);
  const asked = vim.calls.length;
  await driver.list(soon());
  t.equal(vim.calls.filter((call) => call !== 'WaitForUpdatesEx').length, vim.calls.slice(0, asked).filter((call) => call !== 'WaitForUpdatesEx').length, 'a listing asks nobody');
  await driver.close(soon());
  t.equal(vim.count('Logout'), 1);
  t.equal(vim.sessions.size, 0);
});

await t.test('an ended session', async (t) => {
  await t.test('is made anew, once for all who wait', async (t) => {
    const { vim, driver, told } = await start(t);
    for (let i = 0; i < 20; i += 1) vim.addVm(`vm-${i}`);
    const machines = (await driver.list(soon())).map(({ machine }) => machine);
    vim.expireSessions();
    t.same(new Set(await Promise.all(machines.map((machine) => machine.status(soon())))), new Set(['on']));
    t.equal(vim.count('Login'), 2);
    await until(() => told.relists > 0, 2000, 'the call for a listing');
    t.same(told.lost, [], 'which is no loss');
    t.equal((await driver.list(soon())).length, 20);
    t.equal(vim.count('Login'), 2);
  });

  await t.test('that stays ended is given up', async (t) => {
    const { vim, driver } = await start(t);
    vim.addVm('vm-1');
    const vm = await find(driver, 'vm-1');
    vim.instead.set('PowerOffVM_Task', () => new Fault('NotAuthenticated'));
    t.equal((await refusal(vm.powerOff!(soon()))).phrase, 'ACCESS DENIED');
    t.equal(vim.count('PowerOffVM_Task'), 2);
  });

  await t.test('may answer with nothing, which is not "no machines"', async (t) => {
    const { vim, driver } = await start(t);
    vim.addVm('vm-1');
    vim.instead.set('WaitForUpdatesEx', () => '<returnval><version>1</version></returnval>');
    t.equal((await refusal(driver.list(soon()))).phrase, 'ACCESS DENIED');
    const vm = await (vim.instead.delete('WaitForUpdatesEx'), find(driver, 'vm-1'));
    vim.instead.set('RetrievePropertiesEx', () => (vim.sessions.clear(), vim.instead.delete('RetrievePropertiesEx'), ''));
    t.equal(await vm.status(soon()), 'on', 'asked again after a new login');
  });

  await t.test('may hide in missingSet', async (t) => {
    const { vim, driver } = await start(t);
    vim.addVm('vm-1');
    const vm = await find(driver, 'vm-1');
    vim.instead.set('RetrievePropertiesEx', () => {
      vim.instead.delete('RetrievePropertiesEx');
      return '<returnval><objects><obj type="VirtualMachine">vm-1</obj><missingSet><path>runtime.powerState</path><fault><fault xsi:type="NotAuthenticated"/></fault></missingSet></objects></returnval>';
    });
    t.equal(await vm.status(soon()), 'on');
    t.equal(vim.count('Login'), 2);
  });
});

await t.test('a refused password is not tried again and again', async (t) => {
  const { vim, driver } = await start(t);
  vim.instead.set('Login', () => new Fault('InvalidLogin', 'Cannot complete login due to an incorrect user name or password.'));
  for (let i = 0; i < 3; i += 1) t.equal((await refusal(driver.list(soon()))).phrase, 'ACCESS DENIED');
  t.equal(vim.count('Login'), 1);
});

await t.test('states', async (t) => {
  const { vim, driver, told } = await start(t);
  vim.addVm('vm-1', { 'runtime.connectionState': val('VirtualMachineConnectionState', 'inaccessible'), 'runtime.powerState': val('VirtualMachinePowerState', 'poweredOff') });
  vim.addVm('vm-2', { 'runtime.powerState': val('VirtualMachinePowerState', 'suspended') });
  t.same((await driver.list(soon())).map(({ state }) => state), ['unknown', 'suspended']);
  t.equal(await (await find(driver, 'vm-1')).status(soon()), 'unknown', 'lost from sight is not off');
  vim.set('vm-2', 'runtime.powerState', val('VirtualMachinePowerState', 'poweredOn'));
  await until(() => told.changed.length > 0, 2000, 'the change');
  t.same(told.changed, [['vm-2:uuid-of-vm-2', 'on']]);
});

await t.test('names and what has none', async (t) => {
  const { vim, driver } = await start(t);
  vim.addVm('vm-1', { name: val('string', 'a%2fb%5Cc%25d &quot;e&quot;\nf') });
  vim.addVm('vm-2', { name: val('string', 'twin') });
  vim.addVm('vm-3', { name: val('string', 'twin') });
  vim.addVm('vm-4', { name: val('string', 'vCLS (1)') });
  vim.addVm('vm-5', { 'config.managedBy': '<val xsi:type="ManagedByInfo"><extensionKey>com.vmware.vim.eam</extensionKey><type>cluster-agent</type></val>' });
  vim.addVm('vm-6', { 'config.template': val('boolean', true) });
  const listed = (await driver.list(soon())).map(({ machine }) => machine);
  t.same(listed.map(({ name }) => name), ['a/b\\c%d "e"\nf', 'twin', 'twin']);
  t.equal(new Set(listed.map(({ id }) => id)).size, 3);
  vim.objects.get('vm-2')!.properties.set('config.instanceUuid', val('string', 'another'));
  t.equal((await refusal(listed[1]!.status(soon()))).phrase, 'NO SUCH INSTANCE', 'a reference that means another machine now');
  vim.remove('vm-3');
  t.equal((await refusal(listed[2]!.powerOff!(soon()))).phrase, 'NO SUCH INSTANCE');
});

await t.test('power', async (t) => {
  await t.test('what is so already is success, another state is not', async (t) => {
    const { vim, driver } = await start(t);
    vim.addVm('vm-1');
    const vm = await find(driver, 'vm-1');
    await vm.start!(soon());
    vim.instead.set('PowerOffVM_Task', () => new Fault('InvalidPowerState', '', '<existingState>suspended</existingState>'));
    t.equal((await refusal(vm.powerOff!(soon()))).phrase, 'WRONG STATE');
    t.equal(vim.count('PowerOffVM_Task'), 1);
  });

  await t.test('a task is followed to its end', async (t) => {
    const { vim, driver } = await start(t);
    vim.addVm('vm-1');
    const vm = await find(driver, 'vm-1');
    vim.instead.set('PowerOffVM_Task', () => vim.addTask('running'));
    const done = vm.powerOff!(soon());
    await until(() => vim.count('RetrievePropertiesEx') > 2, 5000, 'looks at it');
    vim.set('task-1', 'info.state', val('TaskInfoState', 'success'));
    await done;
    vim.instead.set('PowerOffVM_Task', () => vim.addTask('error', 'GenericVmConfigFault'));
    t.match(await refusal(vm.powerOff!(soon())), { phrase: 'FAILED', detail: 'it said GenericVmConfigFault' });
    vim.instead.set('PowerOffVM_Task', () => vim.addTask('running'));
    await t.rejects(vm.powerOff!(AbortSignal.timeout(100)), { name: 'TimeoutError' });
  });

  await t.test('an order whose answer is lost is in doubt, and not repeated', async (t) => {
    for (const misdeed of ['cut', 'half'] as const) {
      const { vim, driver } = await start(t);
      vim.addVm('vm-1');
      const vm = await find(driver, 'vm-1');
      vim.instead.set('PowerOffVM_Task', () => misdeed);
      t.equal((await refusal(vm.powerOff!(soon()))).phrase, 'UNCERTAIN', misdeed);
      t.equal(vim.count('PowerOffVM_Task'), 1);
    }
  });

  await t.test('a task that is gone after a restart is in doubt', async (t) => {
    const { vim, driver } = await start(t);
    vim.addVm('vm-1');
    const vm = await find(driver, 'vm-1');
    vim.instead.set('PowerOffVM_Task', () => '<returnval type="Task">task-of-before</returnval>');
    t.equal((await refusal(vm.powerOff!(soon()))).phrase, 'UNCERTAIN');
  });

  await t.test('guests are asked through their Tools', async (t) => {
    const { vim, driver } = await start(t);
    vim.addVm('vm-1', { 'guest.guestState': val('string', 'running') });
    const vm = await find(driver, 'vm-1');
    await vm.shutdown!(soon());
    const mark = await vm.bootMark!(soon());
    await vm.reboot!(soon());
    for (const state of ['notRunning', 'running']) vim.set('vm-1', 'guest.guestState', val('string', state));
    await until(async () => await vm.bootMark!(soon()) !== mark, 2000, 'the boot');
    vim.instead.set('ShutdownGuest', () => new Fault('ToolsUnavailable', 'Tools are not running'));
    t.match(await refusal(vm.shutdown!(soon())), { phrase: 'NOT SUPPORTED', detail: /VMware Tools .*--force/ });
  });

  await t.test('refusals', async (t) => {
    const { vim, driver } = await start(t);
    vim.addVm('vm-1');
    const vm = await find(driver, 'vm-1');
    const cases: [Fault, string, RegExp][] = [
      [new Fault('RestrictedVersion', 'Current license or ESXi version prohibits execution'), 'NOT SUPPORTED', /esxi-free/],
      [new Fault('NoPermission', 'denied', '<privilegeId>VirtualMachine.Interact.PowerOff</privilegeId>'), 'ACCESS DENIED', /VirtualMachine\.Interact\.PowerOff/],
      [new Fault('HostInLockdownMode'), 'ACCESS DENIED', /lockdown/],
      [new Fault('TaskInProgress', 'busy'), 'BUSY', /another task/],
      [new Fault('SystemError', 'A general\nsystem error'), 'FAILED', /^A general system error$/],
      [new Fault('SomethingNew'), 'FAILED', /^SomethingNew$/],
    ];
    for (const [fault, phrase, detail] of cases) {
      vim.instead.set('PowerOffVM_Task', () => fault);
      t.match(await refusal(vm.powerOff!(soon())), { phrase, detail }, fault.type);
    }
  });
});

await t.test('a machine that asks something', async (t) => {
  await t.test('is told of, and left alone', async (t) => {
    const { vim, driver, told } = await start(t);
    vim.addVm('vm-1', { 'runtime.powerState': val('VirtualMachinePowerState', 'poweredOff') });
    const vm = await find(driver, 'vm-1');
    vim.instead.set('PowerOnVM_Task', () => (vim.set('vm-1', 'runtime.question', QUESTION), vim.addTask('running')));
    t.match(await refusal(vm.start!(soon())), { phrase: 'NEEDS ANSWER', detail: 'Did you move or copy it? (I Moved It | I Copied It)' });
    t.equal(vim.count('AnswerVM'), 0);
    t.match(told.log.join('\n'), /waits for an answer/);
  });

  await t.test('is answered where that is configured', async (t) => {
    const { vim, driver } = await start(t, { answers: { 'msg.uuid.altered': 'I copied it' } });
    vim.addVm('vm-1', { 'runtime.powerState': val('VirtualMachinePowerState', 'poweredOff') });
    const vm = await find(driver, 'vm-1');
    vim.instead.set('PowerOnVM_Task', () => (vim.set('vm-1', 'runtime.question', QUESTION), vim.addTask('running')));
    vim.instead.set('AnswerVM', ({ children }) => {
      t.same(children.map(({ text }) => text), ['vm-1', 'q1', '2']);
      vim.objects.get('vm-1')!.properties.delete('runtime.question');
      vim.set('task-1', 'info.state', val('TaskInfoState', 'success'));
      return undefined;
    });
    await vm.start!(soon());
    t.equal(vim.count('AnswerVM'), 1);
  });
});

await t.test('bad answers', async (t) => {
  const misdeeds: Misdeed[] = ['cut', 'half', 'huge', 503];
  for (const misdeed of misdeeds) {
    const { vim, driver } = await start(t);
    vim.addVm('vm-1');
    const vm = await find(driver, 'vm-1');
    vim.instead.set('RetrievePropertiesEx', () => misdeed);
    t.equal((await refusal(vm.status(soon()))).phrase, 'UNREACHABLE', String(misdeed));
    vim.instead.delete('RetrievePropertiesEx');
    t.equal(await vm.status(soon()), 'on', 'and is used again afterwards');
  }
  const { vim, driver } = await start(t);
  vim.addVm('vm-1');
  const vm = await find(driver, 'vm-1');
  vim.instead.set('RetrievePropertiesEx', () => 'silence');
  await t.rejects(vm.status(AbortSignal.timeout(200)), { name: 'TimeoutError' });
});

await t.test('a server that is started anew is read anew', async (t) => {
  const { vim, driver, told } = await start(t);
  vim.addVm('vm-1');
  await find(driver, 'vm-1');
  vim.instead.set('WaitForUpdatesEx', () => 'cut');
  vim.set('vm-1', 'runtime.powerState', val('VirtualMachinePowerState', 'poweredOff'));
  await until(() => told.lost.length > 0, 5000, 'the loss');
  t.equal((await refusal(driver.list(soon()))).phrase, 'UNREACHABLE', 'what is known is not told as if it were current');
  vim.instead.delete('WaitForUpdatesEx');
  vim.sessions.clear();
  vim.objects.clear();
  vim.addVm('vm-77', { name: val('string', 'vm-1'), 'config.instanceUuid': val('string', 'uuid-of-vm-1') });
  t.same((await driver.list(soon())).map(({ machine }) => machine.id), ['vm-77:uuid-of-vm-1']);
});

await t.test('a certificate that has changed, and an authority that was put right', { skip: lacks('openssl') }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-esxi-tls-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = (name: string): string => join(folder, name);
  for (const name of ['old', 'new']) {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`,
      '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)], { stdio: 'ignore' });
  }
  copyFileSync(file('old.pem'), file('ca.pem'));
  const vim = await VimDouble.start({ tls: { key: readFileSync(file('new.key'), 'utf8'), cert: readFileSync(file('new.pem'), 'utf8') } });
  const { driver } = openDriver({ url: vim.url, user: 'argo', password: PASSWORD, 'ca-file': file('ca.pem') });
  t.teardown(async () => {
    await driver.close(soon());
    await vim.stop();
  });
  t.equal((await refusal(driver.list(soon()))).phrase, 'CERTIFICATE REJECTED');
  t.same(vim.calls, [], 'and not a word to it');
  copyFileSync(file('new.pem'), file('ca.pem'));
  t.same(await driver.list(soon()), []);
  const plain = openDriver({ url: 'http://127.0.0.1:9/sdk', user: 'argo', password: PASSWORD });
  t.equal((await refusal(plain.driver.list(soon()))).phrase, 'UNREACHABLE', 'http is not taken for safe');
  await plain.driver.close(soon());
});

await t.test('the password is in no error, no log and no object', async (t) => {
  const { vim, driver, told } = await start(t);
  vim.instead.set('Login', () => 'cut');
  const error = await refusal(driver.list(soon()));
  vim.instead.set('Login', () => new Fault('InvalidLogin'));
  const denied = await refusal(driver.list(soon()));
  const seen = inspect([error, denied, told, driver], { depth: 20, showHidden: true });
  t.notMatch(seen, 'hunter2');
});

await t.test('hosts', async (t) => {
  const { vim, driver, told } = await start(t);
  vim.addHost('host-1', { name: val('string', '127.0.0.1') });
  vim.addVm('vm-1', { 'runtime.host': ref('HostSystem', 'host-1'), 'guest.ipAddress': val('string', '127.0.0.1') });
  const host = await find(driver, '127.0.0.1');
  t.match(await refusal(host.shutdown!(soon())), { phrase: 'WRONG STATE', detail: /^1 of its machines run: vm-1; vm-1 is this vCenter; .*--force/ });
  await host.powerOff!(soon());
  t.equal(vim.count('ShutdownHost_Task'), 1);
  t.equal(vim.count('EnterMaintenanceMode_Task'), 0);
  t.match(told.log.join('\n'), /carries this vCenter/);
  vim.set('vm-1', 'runtime.powerState', val('VirtualMachinePowerState', 'poweredOff'));
  await until(() => told.changed.length > 0, 2000, 'the change');
  await host.reboot!(soon());
  t.equal(vim.count('EnterMaintenanceMode_Task'), 1);
  t.equal(vim.count('RebootHost_Task'), 1);
  vim.set('host-1', 'runtime.inMaintenanceMode', val('boolean', false));
  vim.instead.set('ShutdownHost_Task', () => new Fault('NoPermission', '', '<privilegeId>Host.Config.Power</privilegeId>'));
  t.equal((await refusal(host.shutdown!(soon()))).phrase, 'ACCESS DENIED');
  t.equal(vim.count('ExitMaintenanceMode_Task'), 1, 'what was refused is undone');
  vim.instead.set('ShutdownHost_Task', () => { vim.instead.set('RetrievePropertiesEx', () => 'cut'); return vim.addTask('running'); });
  vim.set('host-1', 'runtime.inMaintenanceMode', val('boolean', true));
  await host.powerOff!(soon());
  t.pass('a host that takes its API with it has been told');
});
