import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import t from 'tap';
import { Fault, val, VimDouble } from '../../peers/vim-double.js';
import { lacks } from '../../support/peers.js';
import { until } from '../../support/until.js';
import { find, openDriver, PASSWORD, refusal, setUp, soon } from './open-driver.js';

/** The session with a strict double: paging, expiry, restarts, certificates, secrets. */

await t.test('reads everything in pages, and logs out at the end', async (t) => {
  const { vim, driver } = await setUp(t);
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

await t.test('listings that fail leave nothing behind in the session', async (t) => {
  const { vim, driver } = await setUp(t);
  vim.addVm('vm-1');
  vim.instead.set('WaitForUpdatesEx', () => '<returnval></bad>');
  for (let times = 0; times < 3; times += 1) await refusal(driver.list(soon()));
  vim.instead.delete('WaitForUpdatesEx');
  vim.instead.set('CreateFilter', () => new Fault('InvalidArgument'));
  await refusal(driver.list(soon()));
  for (const method of ['DestroyPropertyCollector', 'DestroyView']) await until(() => vim.count(method) === 4, 60_000, method);
  t.equal(vim.count('Login'), 1);
});

await t.test('a server that sends everything in one answer', async (t) => {
  const { vim, driver } = await setUp(t);
  vim.ignoresPages = true;
  const long = val('string', 'x'.repeat(10_000));
  for (let i = 0; i < 1000; i += 1) vim.addVm(`vm-${i}`, { 'guest.hostName': long });
  t.equal((await driver.list(soon())).length, 1000);
  t.ok(vim.count('WaitForUpdatesEx') <= 2, 'all in the first, and the question about news');
});

await t.test('connections that are all broken at once are tried anew', async (t) => {
  for (const isExpired of [false, true]) {
    const { vim, driver } = await setUp(t);
    for (let i = 0; i < 8; i += 1) vim.addVm(`vm-${i}`);
    const machines = (await driver.list(soon())).map(({ machine }) => machine);
    await Promise.all(machines.map((machine) => machine.status(soon())));
    if (isExpired) vim.sessions.clear();
    t.ok(vim.breakConnections() >= 3);
    t.equal(await machines[0]?.status(soon()), 'on', 'one alone');
    t.same(new Set(await Promise.all(machines.map((machine) => machine.status(soon())))), new Set(['on']));
  }
});

await t.test('the path of the service', async (t) => {
  const vim = await VimDouble.start();
  const table = { user: 'argo', password: PASSWORD, insecure: true };
  for (const [given, used] of [['', '/sdk'], ['/', '/sdk'], ['/sdk', '/sdk'], ['/vcenter1/sdk/', '/vcenter1/sdk']] as const) {
    vim.paths.clear();
    const { driver } = openDriver({ ...table, url: new URL(vim.url).origin + given });
    await driver.list(soon());
    t.same([...vim.paths], [`${used}/vimServiceVersions.xml`, used], `"${given}"`);
    await driver.close(soon());
  }
  await vim.stop();
  for (const wrong of ['/ui', '/vcenter1', '/sdk?a=b', '/sdk#c', '/sdk/x']) {
    t.throws(() => openDriver({ ...table, url: `https://vc1.example${wrong}` }), `${wrong} would not be used, so it is refused`);
  }
});

await t.test('an ended session', async (t) => {
  await t.test('is made anew, once for all who wait', async (t) => {
    const { vim, driver, told } = await setUp(t);
    for (let i = 0; i < 20; i += 1) vim.addVm(`vm-${i}`);
    const machines = (await driver.list(soon())).map(({ machine }) => machine);
    vim.expireSessions();
    t.same(new Set(await Promise.all(machines.map((machine) => machine.status(soon())))), new Set(['on']));
    t.equal(vim.count('Login'), 2);
    await until(() => told.relists > 0, 60_000, 'the call for a listing');
    t.same(told.lost, [], 'which is no loss');
    t.equal((await driver.list(soon())).length, 20);
    t.equal(vim.count('Login'), 2);
  });

  await t.test('that stays ended is given up', async (t) => {
    const { vim, driver } = await setUp(t);
    vim.addVm('vm-1');
    const vm = await find(driver, 'vm-1');
    vim.instead.set('PowerOffVM_Task', () => new Fault('NotAuthenticated'));
    t.equal((await refusal(vm.powerOff!(soon()))).phrase, 'ACCESS DENIED');
    t.equal(vim.count('PowerOffVM_Task'), 2);
  });

  await t.test('may answer with nothing, which is not "no machines"', async (t) => {
    const { vim, driver } = await setUp(t);
    vim.addVm('vm-1');
    vim.instead.set('WaitForUpdatesEx', () => '<returnval><version>1</version></returnval>');
    t.equal((await refusal(driver.list(soon()))).phrase, 'ACCESS DENIED');
    const vm = await (vim.instead.delete('WaitForUpdatesEx'), find(driver, 'vm-1'));
    vim.instead.set('RetrievePropertiesEx', () => (vim.sessions.clear(), vim.instead.delete('RetrievePropertiesEx'), ''));
    t.equal(await vm.status(soon()), 'on', 'asked again after a new login');
  });

  await t.test('may hide in missingSet', async (t) => {
    const { vim, driver } = await setUp(t);
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
  const { vim, driver } = await setUp(t);
  vim.instead.set('Login', () => new Fault('InvalidLogin', 'Cannot complete login due to an incorrect user name or password.'));
  const detail = /^the user name or the password is refused; not tried again before \d{4}-\S+Z, unless others are configured/;
  for (let i = 0; i < 3; i += 1) t.match(await refusal(driver.list(soon())), { phrase: 'ACCESS DENIED', detail });
  t.equal(vim.count('Login'), 1);
});

await t.test('twelve providers of one server with a refused password log in once', async (t) => {
  const { vim, driver } = await setUp(t, { password: 'stale' });
  vim.instead.set('Login', () => new Fault('InvalidLogin'));
  const others = Array.from({ length: 11 }, () => openDriver({ url: vim.url, user: 'argo', password: 'stale', insecure: true }).driver);
  const told = await Promise.all([driver, ...others].map((each) => refusal(each.list(soon()))));
  t.ok(told.every(({ phrase }) => phrase === 'ACCESS DENIED'));
  t.equal(vim.count('Login'), 1);
  await Promise.all(others.map((each) => each.close(soon())));
});

await t.test('an account of a domain is one account on all vCenters', async (t) => {
  for (const [user, logins] of [['svc@corp.example', 1], ['CORP\\svc', 1], ['argo@vsphere.local', 2], ['root', 2]] as const) {
    const both = [await setUp(t, { user, password: 'stale' }), await setUp(t, { user, password: 'stale' })];
    for (const { vim } of both) vim.instead.set('Login', () => new Fault('InvalidLogin'));
    for (const { driver } of both) t.equal((await refusal(driver.list(soon()))).phrase, 'ACCESS DENIED', user);
    t.equal(both.reduce((sum, { vim }) => sum + vim.count('Login'), 0), logins, user);
  }
});

await t.test('a vCenter that its directory does not let in holds no other back', async (t) => {
  const credentials = { user: 'svc@far.example', password: PASSWORD };
  const [good, outside] = [await setUp(t, credentials), await setUp(t, credentials)];
  outside.vim.instead.set('Login', () => new Fault('InvalidLogin'));
  good.vim.addVm('vm-1');
  const vm = await find(good.driver, 'vm-1');
  for (let time = 0; time < 2; time += 1) t.equal((await refusal(outside.driver.list(soon()))).phrase, 'ACCESS DENIED');
  t.equal(outside.vim.count('Login'), 1);
  good.vim.expireSessions();
  t.equal(await vm.status(soon()), 'on');
});

await t.test('a password that was good is held back too, for all, and another is tried at once', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-esxi-password-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'password');
  writeFileSync(file, 'former', { mode: 0o600 });
  const { vim, driver } = await setUp(t, { password: undefined, 'password-file': file });
  vim.addVm('vm-1');
  const vm = await find(driver, 'vm-1');
  vim.expireSessions();
  vim.instead.set('Login', () => new Fault('InvalidLogin'));
  const asked = Array.from({ length: 3 }, () => refusal(vm.status(soon())));
  for (const told of [...await Promise.all(asked), await refusal(vm.powerOff!(soon()))]) t.match(told, { phrase: 'ACCESS DENIED', detail: /not tried again before/ });
  t.equal(vim.count('Login'), 2);
  vim.instead.delete('Login');
  writeFileSync(file, 'new', { mode: 0o600 });
  t.equal(await vm.status(soon()), 'on');
});

await t.test('a server that is started anew is read anew', async (t) => {
  const { vim, driver, told } = await setUp(t);
  vim.addVm('vm-1');
  await find(driver, 'vm-1');
  vim.instead.set('WaitForUpdatesEx', () => 'cut');
  vim.set('vm-1', 'runtime.powerState', val('VirtualMachinePowerState', 'poweredOff'));
  await until(() => told.lost.length > 0, 60_000, 'the loss');
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
  const { vim, driver, told } = await setUp(t);
  vim.instead.set('Login', () => 'cut');
  const error = await refusal(driver.list(soon()));
  vim.instead.set('Login', () => new Fault('InvalidLogin'));
  const denied = await refusal(driver.list(soon()));
  const seen = inspect([error, denied, told, driver], { depth: 20, showHidden: true });
  t.notMatch(seen, 'hunter2');
});

await t.test('properties that come in pages', async (t) => {
  const { vim, driver } = await setUp(t);
  vim.pageSize = 1;
  vim.addVm('vm-1', { 'runtime.powerState': val('VirtualMachinePowerState', 'poweredOff') });
  const vm = await find(driver, 'vm-1');
  vim.instead.set('PowerOnVM_Task', () => vim.addTask('running'));
  const done = vm.start!(soon());
  await until(() => vim.count('ContinueRetrievePropertiesEx') > 0, 60_000, 'the task and the machine beside it, each in a page of its own');
  vim.set('task-1', 'info.state', val('TaskInfoState', 'success'));
  await done;
});

await t.test('a server that is starting, or in lockdown', async (t) => {
  const { vim, driver } = await setUp(t);
  for (const method of ['RetrieveServiceContent', 'Login'] as const) {
    vim.instead.set(method, () => 503);
    t.match(await refusal(driver.list(soon())), { phrase: 'UNREACHABLE', detail: /503/ });
    vim.instead.delete(method);
  }
  vim.instead.set('Login', () => new Fault('AdminDisabled', 'disabled'));
  t.match(await refusal(driver.list(soon())), { phrase: 'ACCESS DENIED', detail: /lockdown/ });
  vim.instead.delete('Login');
  t.same(await driver.list(soon()), []);
});

await t.test('a logout that is not answered holds up nobody for long', async (t) => {
  const { vim, driver } = await setUp(t);
  vim.addVm('vm-1');
  await driver.list(soon());
  vim.instead.set('Logout', () => 'silence');
  await driver.close(soon());
  t.equal(vim.count('Logout'), 1);
});

await t.test('a server that hangs', async (t) => {
  const { vim, driver, told } = await setUp(t);
  vim.addVm('vm-1');
  await driver.list(soon());
  vim.isFrozen = true;
  const began = performance.now();
  await until(() => told.lost.length > 0, 60_000, 'the loss');
  t.ok(performance.now() - began < 15_000, 'told long before its news would have been due');
  t.equal((await refusal(driver.list(soon()).finally(() => { vim.isFrozen = false; }))).phrase, 'UNREACHABLE', 'and not listed from memory');
  await until(() => told.relists > 0, 60_000, 'the call for a listing');
  t.equal((await driver.list(soon())).length, 1);
  t.equal(vim.count('CreateFilter'), 1, 'from what was held all the time');
});

await t.test('a server that hangs at the login', async (t) => {
  const { vim, driver } = await setUp(t);
  vim.addVm('vm-1');
  const vm = await find(driver, 'vm-1');
  vim.instead.set('Login', () => 'silence');
  vim.expireSessions();
  await t.rejects(vm.status(AbortSignal.timeout(500)), { name: 'TimeoutError' });
  t.equal(vim.count('Login'), 2);
  t.equal((await refusal(vm.powerOff!(AbortSignal.timeout(100)))).phrase, 'UNREACHABLE', 'the order was not sent');
  t.equal(vim.count('PowerOffVM_Task'), 0);
  await vim.stop();
});

await t.test('an order that is given up over the question before it was not sent', async (t) => {
  const { vim, driver } = await setUp(t);
  vim.addVm('vm-1');
  const vm = await find(driver, 'vm-1');
  vim.instead.set('RetrievePropertiesEx', () => 'silence');
  t.equal((await refusal(vm.resume!(AbortSignal.timeout(100)))).phrase, 'UNREACHABLE');
  t.equal(vim.count('PowerOnVM_Task'), 0);
});

await t.test('an order that waits for a free connection is not sent', async (t) => {
  const { vim, driver } = await setUp(t);
  vim.addVm('vm-1');
  const vm = await find(driver, 'vm-1');
  vim.instead.set('RetrievePropertiesEx', () => 'silence');
  const questions = new AbortController();
  const before = vim.count('RetrievePropertiesEx');
  const asked = Array.from({ length: 12 }, () => vm.status(questions.signal).catch(() => undefined));
  await until(() => vim.count('RetrievePropertiesEx') >= before + 9, 60_000, 'the questions');
  t.match(await refusal(vm.powerOff!(AbortSignal.timeout(100))), { phrase: 'UNREACHABLE', detail: 'no connection in time' });
  questions.abort();
  await Promise.all(asked);
  t.equal(vim.count('PowerOffVM_Task'), 0);
});
