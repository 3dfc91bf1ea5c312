import t, { type Test } from 'tap';
import type { Driver, Machine } from '../../../src/drivers/driver.js';
import { EsxiModel } from '../../peers/esxi/model.js';
import { ESXI_VERSIONS } from '../../peers/esxi/printing.js';
import { until } from '../../support/until.js';
import { after, openDriver, outcome, patient, presence } from './model-shell.js';

async function list(driver: Driver): Promise<Record<string, string>> {
  return Object.fromEntries((await driver.list(patient)).map(({ machine, state }) => [machine.name, state]));
}

async function find(driver: Driver, name: string): Promise<Machine> {
  const found = (await driver.list(patient)).find(({ machine }) => machine.name === name);
  if (!found) throw new Error(`no ${name}`);
  return found.machine;
}

/** Runs a test for the words of each version. */
function eachVersion(name: string, body: (t: Test, model: EsxiModel) => Promise<void>): void {
  for (const version of ESXI_VERSIONS) void t.test(`${name}, ESXi ${version}`, (t) => body(t, new EsxiModel(version)));
}

eachVersion('what is listed', async (t, model) => {
  model.add('web', { state: 'poweredOn', annotation: 'Rocky linux 8\nautostart\n99     evil   [pve-esx] evil/evil.vmx   solaris10Guest   vmx-19' });
  model.add('my vm', { vmid: 11, state: 'suspended', file: '[datastore1 (4)] my vm/my vm.vmx' });
  model.add('win-214 [maintenance]', { vmid: 1424 });
  model.add('x'.repeat(80));
  model.add('vCLS-6b723342-8292-1962-f970-0422f48bc6ea', { file: '[] /var/run/crx/infra/vCLS-6b723342/vCLS-6b723342.vmx', guestId: 'crxSys1Guest' });
  model.add('golden', { template: true });
  model.add('broken', { connection: 'invalid', state: 'poweredOn' });
  model.add('far away', { connection: 'inaccessible', state: 'poweredOff' });
  const { driver, told } = openDriver(model);
  const sightings = await driver.list(patient);
  t.same(sightings.map(({ machine, state }) => [machine.name, state]), [
    ['esx2', 'on'], ['web', 'on'], ['my vm', 'suspended'], ['win-214 [maintenance]', 'off'], ['x'.repeat(80), 'off'], ['broken', 'unknown'], ['far away', 'unknown'],
  ]);
  t.same(sightings.map(({ machine }) => machine.type), ['host', ...Array<string>(6).fill('vm')]);
  t.equal(sightings[1]?.machine.id, model.get('web').uuid, 'known by their uuids');
  t.notOk(model.commands.some((command) => /power\.(?!getstate)/.test(command)));
  t.same(told.logged, []);
  const broken = await find(driver, 'broken');
  t.equal(await outcome(broken.start?.(patient)), 'WRONG STATE: ESXi cannot read its files');
  t.match(await broken.info?.(patient), { more: { access: /cannot/ } });
});

eachVersion('a boot is told by ESXi\'s resets, its power, and VMware Tools that comes back', async (t, model) => {
  const vm = model.add('web', { state: 'poweredOn' });
  const { driver } = openDriver(model);
  const web = await find(driver, 'web');
  const marks = new Set([await web.bootMark?.(patient)]);
  const isNew = async (): Promise<boolean> => {
    const before = marks.size;
    // The machine is another object after each listing.
    return marks.add(await (await find(driver, 'web')).bootMark?.(patient)).size > before;
  };
  t.equal(await isNew(), false);
  await web.reboot?.(patient);
  t.equal(await isNew(), false, 'accepted is not done');
  vm.tools = false;
  t.equal(await isNew(), false, 'on its way down');
  vm.tools = true;
  t.equal(await isNew(), true, 'back');
  t.equal(await isNew(), false, 'once');
  await web.reset?.(patient);
  t.equal(await isNew(), true);
  vm.since += 60_000;
  t.equal(await isNew(), true, 'powered off and on');
  const bare = model.add('bare', { state: 'poweredOn', tools: false });
  const without = await find(driver, 'bare');
  const mark = await without.bootMark?.(patient);
  bare.tools = true;
  t.equal(await without.bootMark?.(patient), mark, 'that VMware Tools comes up is no boot where it was not seen before');
});

eachVersion('a machine\'s life', async (t, model) => {
  const vm = model.add('web');
  const { driver } = openDriver(model);
  const web = await find(driver, 'web');
  const does = async (step: 'start' | 'shutdown' | 'powerOff' | 'reboot' | 'reset' | 'suspend' | 'resume'): Promise<string> => outcome(web[step]?.(patient));
  t.equal(await does('start'), 'done');
  t.equal(vm.state, 'poweredOn');
  t.equal(await web.status(patient), 'on');
  t.equal(await does('start'), 'done', 'already so, whatever the version says of that');
  t.equal(await does('reboot'), 'done');
  t.equal(await does('reset'), 'done');
  t.equal(vm.boots, 2);
  t.equal(await does('suspend'), 'done');
  t.equal(await web.status(patient), 'suspended');
  t.match(await does('reset'), model.version === '6.5' ? 'FAILED: Reset failed' : /^WRONG STATE: The attempted operation .*\(Suspended\)/);
  t.match(await does('shutdown'), /^WRONG STATE: The attempted operation .*\(Suspended\)/);
  t.equal(await does('resume'), 'done');
  t.equal(await does('shutdown'), 'done');
  await until(async () => await web.status(patient) === 'off', 5000, 'the guest to end');
  t.equal(await does('powerOff'), 'done', 'off already');
  vm.tools = false;
  t.equal(await does('start'), 'done');
  t.equal(await does('shutdown'), 'NOT SUPPORTED: VMware Tools does not run in it, so it cannot be asked; --force does not ask');
  t.match(await does('reboot'), /^NOT SUPPORTED: VMware Tools/);
  t.equal(await does('powerOff'), 'done');
  t.equal(vm.state, 'poweredOff');
  t.equal(web.pause, undefined, 'vim-cmd cannot');
});

eachVersion('what is told of a machine', async (t, model) => {
  const vm = model.add('web', { vmid: 7, state: 'poweredOn', ips: ['192.0.2.9', 'fe80::1', '2001:db8::9'], since: Date.now() - 3_600_000 });
  const { driver } = openDriver(model);
  const web = await find(driver, 'web');
  t.match(await web.info?.(patient), {
    uuid: vm.uuid, cpus: 2, memory: 2147483648n, ips: ['192.0.2.9', '2001:db8::9'], macs: ['00:0c:29:00:00:07'], disks: [{ target: 'Hard disk 1' }], host: '192.0.2.1',
    more: { vmid: '7', file: '[datastore1] web/web.vmx', guest: 'Debian GNU/Linux 10 (64-bit)', tools: 'running' },
  });
  t.same(await web.ip?.(patient), ['192.0.2.9', '2001:db8::9']);
  t.same(await web.mac?.(patient), ['00:0c:29:00:00:07']);
  t.match(await web.uptime?.(patient), 3600);
  t.same(await web.load?.(patient), { cpuPercent: 25 });
  t.match(await web.disk?.(patient), [{ size: 42949672960n }]);
  vm.tools = false;
  t.equal(await outcome(web.ip?.(patient)), 'FAILED: VMware Tools does not run in it, so ESXi does not know its address');
  vm.state = 'poweredOff';
  t.equal(await outcome(web.ip?.(patient)), 'WRONG STATE: it is off');
  t.equal(await outcome(web.uptime?.(patient)), 'WRONG STATE: it is off');
  t.same(await web.mac?.(patient), ['00:0c:29:00:00:07'], 'known while it is off');
});

eachVersion('a failure is one only while the state says so too', async (t, model) => {
  model.add('web');
  const { driver } = openDriver(model);
  const web = await find(driver, 'web');
  model.faults.push({ on: /power\.(on|off)/, does: 'lie', times: 2 });
  t.equal(await outcome(web.start?.(patient)), 'done');
  t.equal(await outcome(web.powerOff?.(patient)), 'done');
  model.faults.push({ on: /power\.on/, does: 'lost', times: 1 });
  t.equal(await outcome(web.start?.(patient)), 'done', 'carried out, and the connection lost: the state tells');
  model.faults.push({ on: /power\.reset/, does: 'lost', times: 1 });
  t.match(await outcome(web.reset?.(patient)), /^UNCERTAIN/, 'no state tells of a reset');
  model.faults.push({ on: /power\.reset/, does: 'killed', times: 1 });
  t.match(await outcome(web.reset?.(patient)), /^UNCERTAIN/, 'vim-cmd was killed while it worked');
  for (const says of ['Connection failure', 'Reset failed: (vim.fault.Timedout) {\n   msg = "timed out"\n}', 'Reset failed: (vim.fault.HostCommunication) {\n   msg = "lost"\n}']) {
    model.faults.push({ on: /power\.reset/, does: { says }, times: 1 });
    t.match(await outcome(web.reset?.(patient)), /^UNCERTAIN/, says);
  }
  model.faults.push({ on: /power\.off/, does: { says: 'Powering off VM:\nPower off failed' }, times: 1 });
  t.equal(await outcome(web.powerOff?.(patient)), 'FAILED: Power off failed');
  t.equal(model.get('web').state, 'poweredOn');
});

eachVersion('questions', async (t, model) => {
  const text = 'This virtual machine might have been moved or copied.\nIf you don\'t know, answer "I copied it".\n';
  const vm = model.add('copy', { asks: text });
  const { driver } = openDriver(model);
  const copy = await find(driver, 'copy');
  const needs = /^NEEDS ANSWER: This virtual machine might have been moved or copied\. If .* "I copied it"\. \(Cancel \/ I moved it \/ I copied it\)$/;
  t.match(await outcome(copy.start?.(patient)), needs, 'while vim-cmd waits without a word');
  t.equal(vm.state, 'poweredOff');
  t.match(await outcome(copy.start?.(patient)), needs, 'asked before anything is ordered');
  t.equal(model.commands.filter((command) => command.includes('power.on')).length, 1);
  t.match(await copy.info?.(patient), { more: { question: /moved or copied/ } });
  vm.question = undefined;
  vm.asks = undefined;
  t.equal(await outcome(copy.start?.(patient)), 'done');
  vm.question = text;
  t.match(await outcome(copy.shutdown?.(patient)), needs);
  t.equal(await outcome(copy.powerOff?.(patient)), 'done', 'the plug can be pulled');
});

void t.test('machines that are not what they were', async (t) => {
  const model = new EsxiModel('7');
  model.add('web', { vmid: 1, state: 'poweredOn' });
  model.add('db', { vmid: 2, state: 'poweredOn' });
  const { driver, told } = openDriver(model);
  const [web, db] = [await find(driver, 'web'), await find(driver, 'db')];
  const kept = model.get('web');

  await t.test('registered again under another id, with its old id given to another', async (t) => {
    model.remove('web');
    model.add('other', { vmid: 1, state: 'poweredOn' });
    model.vms.push({ ...kept, vmid: 5 });
    t.equal(await outcome(web.powerOff?.(patient)), 'done');
    t.equal(model.get('web').state, 'poweredOff');
    t.equal(model.get('other').state, 'poweredOn');
  });

  await t.test('renamed', async (t) => {
    model.get('db').name = 'db-old';
    t.match(await outcome(db.powerOff?.(patient)), /^NO SUCH INSTANCE: it has another name/);
    t.equal(model.get('db-old').state, 'poweredOn');
    t.equal(told.relists, 1);
    t.equal(await db.status(patient), 'on', 'to look does no harm');
  });

  await t.test('deleted between the look and the order', async (t) => {
    model.before = (command) => { if (command.includes('power.off')) model.remove('other'); };
    const other = await find(driver, 'other');
    t.match(await outcome(other.powerOff?.(patient)), /^NO SUCH INSTANCE/);
    model.before = () => undefined;
    t.match(await outcome(other.start?.(patient)), /^NO SUCH INSTANCE/);
    t.match(await outcome(other.status(patient)), /^NO SUCH INSTANCE/);
    t.ok(told.relists > 1);
  });

  await t.test('deleted between the table and its summary', async (t) => {
    const { vmid } = model.add('brief');
    model.before = (command) => { if (command.endsWith(`get.summary ${vmid}`)) model.remove('brief'); };
    t.notOk('brief' in await list(driver));
    model.before = () => undefined;
  });

  await t.test('copies that share a uuid', async (t) => {
    const uuid = '564d0000-0000-0000-0000-000000000001';
    model.add('twin a', { uuid, state: 'poweredOn' });
    model.add('twin b', { uuid, state: 'poweredOn' });
    const [a, b] = [await find(driver, 'twin a'), await find(driver, 'twin b')];
    t.not(a.id, b.id);
    t.equal(await outcome(b.powerOff?.(patient)), 'done');
    t.same([model.get('twin a').state, model.get('twin b').state], ['poweredOn', 'poweredOff']);
  });
});

void t.test('hosts in trouble', async (t) => {
  const model = new EsxiModel('7');
  model.add('web', { state: 'poweredOn' });
  model.add('db', { state: 'poweredOn' });
  const { driver, told } = openDriver(model);
  const web = await find(driver, 'web');
  const troubles: [string, RegExp][] = [
    ['Failed to login: Connection reset by peer', /^UNREACHABLE: hostd/],
    ['Failed to login: SSL Exception: The SSL handshake timed out local: 127.0.0.1:52713 peer: 127.0.0.1:443.', /^UNREACHABLE: hostd/],
    ['Connect to localhost failed: Connection failure', /^UNREACHABLE: hostd/],
    ['sh: vim-cmd: not found', /^NOT SUPPORTED: there is no vim-cmd/],
    ['(vim.fault.NoPermission) {\n   faultCause = (vmodl.MethodFault) null,\n   privilegeId = "VirtualMachine.Interact.PowerOff"\n   msg = "Permission to perform this operation was denied."\n}', /^ACCESS DENIED: the account lacks the right/],
    ['(vim.fault.RestrictedVersion) {\n   msg = "Current license or ESXi version prohibits execution of the requested operation."\n}', /^NOT SUPPORTED: the licence/],
    ['(vim.fault.TaskInProgress) {\n   msg = "The operation is not allowed in the current state."\n}', /^BUSY/],
    ['(vim.fault.Surprise) {\n   msg = "half of', /^FAILED: Surprise/],
    ['something \u001b[31melse', /^FAILED: something \[31melse$/],
    ['', /^FAILED: the command exited with 1$/],
  ];
  for (const [says, expected] of troubles) {
    model.faults.push({ on: /power\.off/, does: { says }, times: 1 });
    t.match(await outcome(web.powerOff?.(patient)), expected, says);
  }
  model.faults.push({ on: /power\.off/, does: { says: "terminate called after throwing an instance of 'std::bad_alloc'" }, times: 1 });
  t.match(await outcome(web.powerOff?.(patient)), /^UNCERTAIN/, 'vim-cmd itself went down');

  model.faults.push({ on: /getallvms/, does: { says: 'Failed to login: Connection reset by peer' }, times: 1 });
  t.match(await outcome(driver.list(patient)), /^UNREACHABLE: hostd/, 'trouble is never an empty list');
  t.same(told.changed, [{ id: 'host', state: 'on' }]);
  for (const does of ['flood', 'cut', 'killed'] as const) {
    model.faults.push({ on: /getallvms/, does, times: 1 });
    t.match(await outcome(driver.list(patient)), { flood: /^FAILED: .* longer than 4 MiB/, cut: /^UNREACHABLE/, killed: /^FAILED/ }[does], does);
  }
  model.faults.push({ on: /get\.summary 1/, does: { says: 'rubbish' }, times: 1 });
  t.same(await list(driver), { esx2: 'on', web: 'unknown', db: 'on' }, 'one that tells nothing hides no other');
  t.match(told.logged, [{ level: 'warn', message: 'a virtual machine tells nothing of itself', facts: { vmid: 1 } }]);
  t.same(await list(driver), { esx2: 'on', web: 'on', db: 'on' });

  model.faults.push({ on: /power\.off/, does: 'hang', times: 1 });
  t.match(await outcome(web.powerOff?.(after(200))), /given up/, 'a deadline is heeded');
  t.equal(await outcome(web.powerOff?.(patient)), 'done', 'and nothing is held up by it');
});

void t.test('few commands at a time', async (t) => {
  const model = new EsxiModel('7');
  for (let i = 0; i < 40; i += 1) model.add(`vm${i}`);
  const { driver, shell } = openDriver(model);
  const machines = (await driver.list(patient)).map(({ machine }) => machine).filter(({ type }) => type === 'vm');
  t.equal(shell.most, 3);
  model.faults.push({ on: /power\.on 1$|power\.on 2$|power\.on 3$|power\.on 4$/, does: 'hang' });
  const hung = machines.slice(0, 4).map((machine) => outcome(machine.start?.(after(1500))));
  await until(() => model.commands.filter((command) => command.includes('power.on')).length >= 3, 5000, 'the orders to hang');
  t.same(await Promise.all(machines.slice(4).map((machine) => machine.status(patient))), Array(36).fill('off'), 'orders that hang do not hold questions up');
  await Promise.all(hung);
  t.same(await Promise.all(machines.slice(4).map((machine) => outcome(machine.start?.(patient)))), Array(36).fill('done'));
  t.ok(shell.most <= 7);
});

void t.test('a host that is off, and one that only answers a ping', async (t) => {
  const model = new EsxiModel('6.5');
  model.add('web', { state: 'poweredOn' });
  let there: 'on' | 'off' = 'on';
  const { driver, told } = openDriver(model, { presence: presence({ state: () => there }) });
  const cut = { on: /./, does: 'lost' as const, times: 100 };
  model.faults.push(cut);
  const alone = await driver.list(patient);
  t.same(alone.map(({ machine, state }) => [machine.name, state]), [['esx2', 'on']], 'at first: the host alone, so that it can be named');
  t.match(alone.incomplete, /^the virtual machines could not be listed yet: /);
  t.match(told.logged, [{ level: 'warn', message: 'the virtual machines cannot be listed' }]);
  t.match(await outcome(driver.list(patient)), /^UNREACHABLE/);
  cut.times = 0;
  t.same(await list(driver), { esx2: 'on', web: 'on' });
  cut.times = 100;
  there = 'off';
  t.same(await list(driver), { esx2: 'off', web: 'unknown' }, 'its machines are never called off');
});

void t.test('a host that is off from the start has machines that nobody knows', async (t) => {
  const model = new EsxiModel('7');
  model.add('web', { state: 'poweredOn' });
  let there: 'on' | 'off' = 'off';
  const { driver } = openDriver(model, { presence: presence({ state: () => there }) });
  const cut = { on: /./, does: 'lost' as const, times: 100 };
  model.faults.push(cut);
  for (let time = 0; time < 2; time += 1) {
    const alone = await driver.list(patient);
    t.same(alone.map(({ machine, state }) => [machine.name, state]), [['esx2', 'off']]);
    t.match(alone.incomplete, /could not be listed yet: the host is off/);
  }
  [there, cut.times] = ['on', 0];
  t.same(await list(driver), { esx2: 'on', web: 'on' });
  [there, cut.times] = ['off', 100];
  t.equal((await driver.list(patient)).incomplete, undefined, 'later they are known');
});

void t.test('silence of pings alone is not off', async (t) => {
  const model = new EsxiModel('7');
  model.add('web', { state: 'poweredOn' });
  const { driver } = openDriver(model, { presence: presence({ state: () => 'off' }) });
  t.same(await list(driver), { esx2: 'on', web: 'on' }, 'it answers in another way');
});

void t.test('a refused login is not tried again by every listing', async (t) => {
  const model = new EsxiModel('7');
  model.add('web');
  const { driver } = openDriver(model);
  const web = await find(driver, 'web');
  const refusal = { on: /./, does: { says: 'Failed to login: Cannot complete login due to an incorrect user name or password.' }, times: 100 };
  model.faults.push(refusal);
  t.match(await outcome(driver.list(patient)), /^ACCESS DENIED: the account may log in by SSH, but not use vim-cmd/);
  const commands = model.commands.length;
  t.match(await outcome(driver.list(patient)), /^ACCESS DENIED/);
  t.equal(model.commands.length, commands, 'or ESXi would lock the account');
  refusal.times = 0;
  t.equal(await outcome(web.start?.(patient)), 'done', 'what a person asks for is tried');
});
