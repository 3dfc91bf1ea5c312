import t from 'tap';
import { Fault, ref, val } from '../../peers/vim-double.js';
import { until } from '../../support/until.js';
import { find, refusal, setUp, soon } from './open-driver.js';

/** Virtual machines on a strict double: what a driver that believes its server would miss. */

const QUESTION = '<val xsi:type="VirtualMachineQuestionInfo"><id>q1</id><text>Did you move\nor copy it?</text><choice>'
  + '<choiceInfo xsi:type="ElementDescription"><label>I Moved It</label><summary>I Moved It</summary><key>1</key></choiceInfo>'
  + '<choiceInfo xsi:type="ElementDescription"><label>I Copied It</label><summary>I Copied It</summary><key>2</key></choiceInfo>'
  + '</choice><message><id>msg.uuid.altered</id><text>Did you…</text></message></val>';

await t.test('states', async (t) => {
  const { vim, driver, told } = await setUp(t);
  vim.addVm('vm-1', { 'runtime.connectionState': val('VirtualMachineConnectionState', 'inaccessible'), 'runtime.powerState': val('VirtualMachinePowerState', 'poweredOff') });
  vim.addVm('vm-2', { 'runtime.powerState': val('VirtualMachinePowerState', 'suspended') });
  vim.addVm('vm-3', { 'runtime.powerState': val('VirtualMachinePowerState', 'constructor') });
  t.same((await driver.list(soon())).map(({ state }) => state), ['unknown', 'suspended', 'unknown']);
  t.equal(await (await find(driver, 'vm-1')).status(soon()), 'unknown', 'lost from sight is not off');
  vim.set('vm-2', 'runtime.powerState', val('VirtualMachinePowerState', 'poweredOn'));
  await until(() => told.changed.length > 0, 60_000, 'the change');
  t.same(told.changed, [['vm-2:uuid-of-vm-2', 'on']]);
});

await t.test('names and what has none', async (t) => {
  const { vim, driver } = await setUp(t);
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
    const { vim, driver } = await setUp(t);
    vim.addVm('vm-1');
    const vm = await find(driver, 'vm-1');
    await vm.start!(soon());
    vim.instead.set('PowerOffVM_Task', () => new Fault('InvalidPowerState', '', '<existingState>suspended</existingState>'));
    t.equal((await refusal(vm.powerOff!(soon()))).phrase, 'WRONG STATE');
    t.equal(vim.count('PowerOffVM_Task'), 1);
  });

  await t.test('a task is followed to its end', async (t) => {
    const { vim, driver } = await setUp(t);
    vim.addVm('vm-1');
    const vm = await find(driver, 'vm-1');
    vim.instead.set('PowerOffVM_Task', () => vim.addTask('running'));
    const done = vm.powerOff!(soon());
    await until(() => vim.count('RetrievePropertiesEx') > 2, 60_000, 'looks at it');
    vim.set('task-1', 'info.state', val('TaskInfoState', 'success'));
    await done;
    vim.instead.set('PowerOffVM_Task', () => vim.addTask('error', 'GenericVmConfigFault'));
    t.match(await refusal(vm.powerOff!(soon())), { phrase: 'FAILED', detail: 'it said GenericVmConfigFault' });
    vim.instead.set('PowerOffVM_Task', () => vim.addTask('running'));
    const hurry = new AbortController();
    const givenUp = vm.powerOff!(hurry.signal);
    await until(() => vim.count('PowerOffVM_Task') === 3, 60_000, 'the order');
    hurry.abort(new Error('its time is over'));
    await t.rejects(givenUp, /its time is over/);
  });

  await t.test('an order whose answer is lost is in doubt, and not repeated', async (t) => {
    for (const misdeed of ['cut', 'half'] as const) {
      const { vim, driver } = await setUp(t);
      vim.addVm('vm-1');
      const vm = await find(driver, 'vm-1');
      vim.instead.set('PowerOffVM_Task', () => misdeed);
      t.equal((await refusal(vm.powerOff!(soon()))).phrase, 'UNCERTAIN', misdeed);
      t.equal(vim.count('PowerOffVM_Task'), 1);
    }
  });

  await t.test('an order that a proxy has passed on before it answers in its own words is in doubt', async (t) => {
    for (const status of [303, 408, 429, 500, 501, 502, 503, 504, 599]) {
      const { vim, driver } = await setUp(t);
      vim.addVm('vm-1');
      const vm = await find(driver, 'vm-1');
      vim.instead.set('PowerOffVM_Task', () => (vim.set('vm-1', 'runtime.powerState', val('VirtualMachinePowerState', 'poweredOff')), status));
      t.equal((await refusal(vm.powerOff!(soon()))).phrase, 'UNCERTAIN', String(status));
      t.equal(vim.count('PowerOffVM_Task'), 1);
      t.equal(await vm.status(soon()), 'off');
    }
  });

  await t.test('an order that is refused by its head alone was not carried out', async (t) => {
    const { vim, driver } = await setUp(t);
    vim.addVm('vm-1');
    const vm = await find(driver, 'vm-1');
    vim.instead.set('PowerOffVM_Task', () => 404);
    t.match(await refusal(vm.powerOff!(soon())), { phrase: 'UNREACHABLE', detail: /404/ });
    vim.instead.set('PowerOffVM_Task', () => (vim.instead.set('Login', () => 503), new Fault('NotAuthenticated')));
    t.match(await refusal(vm.powerOff!(soon())), { phrase: 'UNREACHABLE', detail: /503/ }, 'and neither was one that waits for a login');
  });

  await t.test('a task that nobody looks at any longer is in doubt', async (t) => {
    for (const fault of ['HostCommunication', 'HostNotConnected', 'HostNotReachable', 'Timedout']) {
      const { vim, driver } = await setUp(t);
      vim.addVm('vm-1');
      const vm = await find(driver, 'vm-1');
      vim.instead.set('PowerOffVM_Task', () => vim.addTask('error', fault));
      t.equal((await refusal(vm.powerOff!(soon()))).phrase, 'UNCERTAIN', fault);
      vim.instead.set('PowerOffVM_Task', () => new Fault('HostNotConnected'));
      t.equal((await refusal(vm.powerOff!(soon()))).phrase, 'UNREACHABLE', 'refused, it was not taken on');
    }
  });

  await t.test('a task that is gone after a restart is in doubt', async (t) => {
    const { vim, driver } = await setUp(t);
    vim.addVm('vm-1');
    const vm = await find(driver, 'vm-1');
    vim.instead.set('PowerOffVM_Task', () => '<returnval type="Task">task-of-before</returnval>');
    t.equal((await refusal(vm.powerOff!(soon()))).phrase, 'UNCERTAIN');
  });

  await t.test('guests are asked through their Tools', async (t) => {
    const { vim, driver } = await setUp(t);
    vim.addVm('vm-1', { 'guest.guestState': val('string', 'running') });
    const vm = await find(driver, 'vm-1');
    await vm.shutdown!(soon());
    const mark = await vm.bootMark!(soon());
    await vm.reboot!(soon());
    for (const state of ['notRunning', 'running']) vim.set('vm-1', 'guest.guestState', val('string', state));
    await until(async () => await vm.bootMark!(soon()) !== mark, 60_000, 'the boot');
    vim.instead.set('ShutdownGuest', () => new Fault('ToolsUnavailable', 'Tools are not running'));
    t.match(await refusal(vm.shutdown!(soon())), { phrase: 'NOT SUPPORTED', detail: /VMware Tools .*--force/ });
  });

  await t.test('refusals', async (t) => {
    const { vim, driver } = await setUp(t);
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
    const { vim, driver, told } = await setUp(t);
    vim.addVm('vm-1', { 'runtime.powerState': val('VirtualMachinePowerState', 'poweredOff') });
    const vm = await find(driver, 'vm-1');
    vim.instead.set('PowerOnVM_Task', () => (vim.set('vm-1', 'runtime.question', QUESTION), vim.addTask('running')));
    t.match(await refusal(vm.start!(soon())), { phrase: 'NEEDS ANSWER', detail: 'Did you move or copy it? (I Moved It | I Copied It)' });
    t.equal(vim.count('AnswerVM'), 0);
    t.match(told.log.join('\n'), /waits for an answer/);
  });

  await t.test('is answered where that is configured', async (t) => {
    const { vim, driver } = await setUp(t, { answers: { 'msg.uuid.altered': 'I copied it' } });
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

await t.test('what happens to a machine while an action runs', async (t) => {
  await t.test('it is renamed and moved', async (t) => {
    const { vim, driver, told } = await setUp(t);
    vim.addVm('vm-1');
    const vm = await find(driver, 'vm-1');
    vim.instead.set('PowerOffVM_Task', () => vim.addTask('running'));
    const done = vm.powerOff!(soon());
    await until(() => vim.count('PowerOffVM_Task') > 0, 60_000, 'the order');
    vim.set('vm-1', 'name', val('string', 'other'));
    vim.set('vm-1', 'runtime.host', ref('HostSystem', 'host-9'));
    vim.set('task-1', 'info.state', val('TaskInfoState', 'success'));
    await done;
    await until(() => told.relists > 0, 60_000, 'the call for a listing');
    const listed = (await driver.list(soon())).map(({ machine }) => machine);
    t.same(listed.map(({ name, id }) => [name, id]), [['other', vm.id]], 'the same by another name');
  });

  await t.test('it is deleted: its task says what became of that', async (t) => {
    const { vim, driver } = await setUp(t);
    vim.addVm('vm-1');
    const vm = await find(driver, 'vm-1');
    vim.instead.set('PowerOffVM_Task', () => vim.addTask('running'));
    const failed = refusal(vm.powerOff!(soon()));
    await until(() => vim.count('RetrievePropertiesEx') > 1, 60_000, 'looks at the task');
    vim.remove('vm-1');
    const looks = vim.count('RetrievePropertiesEx');
    await until(() => vim.count('RetrievePropertiesEx') > looks + 2, 60_000, 'further looks');
    vim.objects.get('task-1')!.properties.set('info.error', '<val xsi:type="LocalizedMethodFault"><fault xsi:type="ManagedObjectNotFound"/><localizedMessage>gone</localizedMessage></val>');
    vim.set('task-1', 'info.state', val('TaskInfoState', 'error'));
    t.equal((await failed).phrase, 'NO SUCH INSTANCE');
    t.same(await driver.list(soon()), []);
    t.equal(vim.count('PowerOffVM_Task'), 1);
  });

  await t.test('it is made a template', async (t) => {
    const { vim, driver, told } = await setUp(t);
    vim.addVm('vm-1');
    const vm = await find(driver, 'vm-1');
    vim.set('vm-1', 'config.template', val('boolean', true));
    t.match(await refusal(vm.status(soon())), { phrase: 'NO SUCH INSTANCE', detail: /template/ });
    await until(() => told.relists > 0, 60_000, 'the call for a listing');
    t.same(await driver.list(soon()), []);
  });
});

await t.test('what no event, or a misleading one, tells of', async (t) => {
  await t.test('moved between folders, it enters the new one before it leaves the former', async (t) => {
    const { vim, driver, told } = await setUp(t);
    vim.addVm('vm-1');
    vim.addVm('vm-2');
    const vm = await find(driver, 'vm-1');
    vim.move('vm-1');
    vim.remove('vm-2');
    await until(() => told.relists > 0, 60_000, 'the call for a listing');
    t.same((await driver.list(soon())).map(({ machine }) => machine.id), [vm.id]);
  });

  await t.test('what a person runs into is looked at anew', async (t) => {
    for (const change of ['template', 'gone', 'another'] as const) {
      const { vim, driver, told } = await setUp(t);
      vim.addVm('vm-1');
      const vm = await find(driver, 'vm-1');
      if (change === 'gone') vim.objects.delete('vm-1');
      else if (change === 'template') vim.objects.get('vm-1')!.properties.set('config.template', val('boolean', true));
      else vim.objects.get('vm-1')!.properties.set('config.instanceUuid', val('string', 'other'));
      t.equal((await refusal(vm.status(soon()))).phrase, 'NO SUCH INSTANCE');
      await until(() => told.relists > 0, 60_000, 'the call for a listing');
      t.same((await driver.list(soon())).map(({ machine }) => machine.id), change === 'another' ? ['vm-1:other'] : [], change);
    }
  });
});

await t.test('control characters of a name are for others to make harmless, not for XML to stumble over', async (t) => {
  const { vim, driver } = await setUp(t);
  vim.addVm('vm-1', { name: val('string', '200 OK\r\n300&#13;&#9;\u0007\u009b31m \u202e&lt;b&gt; %2F%2f%5c%25%41') });
  const [sighting] = await driver.list(soon());
  t.equal(sighting?.machine.name, '200 OK\n300\r\t\ufffd\u009b31m \u202e<b> //\\%%41', 'line ends as XML reads them');
});
