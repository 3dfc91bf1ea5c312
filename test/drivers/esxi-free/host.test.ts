import t, { type Test } from 'tap';
import type { Machine } from '../../../src/drivers/driver.js';
import type { EsxiFreeParts } from '../../../src/drivers/esxi-free/driver.js';
import { EsxiModel } from '../../peers/esxi/model.js';
import { ESXI_VERSIONS } from '../../peers/esxi/printing.js';
import { openDriver, outcome, patient, presence, type Told } from './model-shell.js';

async function openHost(model: EsxiModel, given: Partial<EsxiFreeParts> = {}): Promise<{ host: Machine; told: Told }> {
  const { driver, told } = openDriver(model, given);
  const [first] = await driver.list(patient);
  return { host: first!.machine, told };
}

const orders = (model: EsxiModel): string[] => model.commands.filter((command) => /^esxcli system (?!.* get$)|^(?:poweroff|reboot)$/.test(command));

const ENTER = 'esxcli system maintenanceMode set --enable true --timeout 60';
const LEAVE = 'esxcli system maintenanceMode set --enable false --timeout 0';
const DOWN = 'esxcli system shutdown poweroff --delay 10 --reason argo-server';

for (const version of ESXI_VERSIONS) {
  void t.test(`a host's end, ESXi ${version}`, async (t) => {
    const model = new EsxiModel(version);
    const web = model.add('web', { state: 'poweredOn' });
    model.add('saved', { state: 'suspended' });
    let down = 0;
    const { host } = await openHost(model, { goingDown: () => { down += 1; } });
    t.equal(await outcome(host.shutdown?.(patient)), 'WRONG STATE: web runs on it; stop it first, or use --force');
    t.same(orders(model), []);
    web.state = 'poweredOff';
    t.equal(await outcome(host.shutdown?.(patient)), 'done');
    t.same(orders(model), [ENTER, DOWN, LEAVE]);
    t.equal(model.goingDown, 'poweroff');
    t.equal(model.maintenance, false, 'or it would start no machine when it comes up again');
    t.equal(down, 1);
    t.equal(await outcome(host.reboot?.(patient)), 'done');
    t.equal(model.goingDown, 'reboot');
    web.state = 'poweredOn';
    t.equal(await outcome(host.powerOff?.(patient)), 'done', 'forced');
    t.equal(await outcome(host.reset?.(patient)), 'done');
    t.same(orders(model).slice(-2), ['poweroff', 'reboot']);
  });
}

void t.test('who runs on it', async (t) => {
  const model = new EsxiModel('7');
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) model.add(name, { state: 'poweredOn' });
  const { host } = await openHost(model);
  t.equal(await outcome(host.shutdown?.(patient)), 'WRONG STATE: a, b, c, d, e and 2 more run on it; stop them first, or use --force');
  model.vms.splice(0);
  model.add('stray', { state: 'poweredOn', unregistered: true });
  t.equal(await outcome(host.shutdown?.(patient)), 'WRONG STATE: stray runs on it; stop it first, or use --force', 'the kernel knows more than vim-cmd');
  model.vms.splice(0);
  model.add('vCLS-6b723342-8292-1962-f970-0422f48bc6ea', { file: '[] /var/run/crx/infra/v/v.vmx', state: 'poweredOn' });
  model.faults.push({ on: /process list/, does: { says: 'Connect to localhost failed: Connection failure' }, times: 1 });
  t.match(await outcome(host.shutdown?.(patient)), /^UNREACHABLE: hostd/, 'what cannot be told is not taken for nothing');
  t.same(orders(model), []);
});

async function refusedEntry(t: Test, prepare: (model: EsxiModel) => void): Promise<{ model: EsxiModel; result: string }> {
  const model = new EsxiModel('7');
  model.add('web');
  const { host, told } = await openHost(model);
  prepare(model);
  const result = await outcome(host.shutdown?.(patient));
  t.equal(model.goingDown, undefined);
  t.equal(model.maintenance, false, 'it is not left behind in maintenance mode');
  t.ok(orders(model).includes(LEAVE));
  t.ok(told.logged.every(({ level }) => level === 'warn'));
  return { model, result };
}

void t.test('maintenance mode', async (t) => {
  await t.test('a machine that is started meanwhile', async (t) => {
    const { result } = await refusedEntry(t, (model) => {
      model.before = (command) => { if (command === ENTER) model.get('web').state = 'poweredOn'; };
      model.faults.push({ on: /enable true/, does: { says: 'The operation timed out.' } });
    });
    t.equal(result, 'WRONG STATE: web runs on it; stop it first, or use --force');
  });
  await t.test('refused for another reason', async (t) => {
    const { result } = await refusedEntry(t, (model) => model.faults.push({ on: /enable true/, does: { says: 'Error: no' } }));
    t.equal(result, 'FAILED: Error: no');
  });
  await t.test('entered, but told otherwise', async (t) => {
    const model = new EsxiModel('7');
    const { host } = await openHost(model);
    model.faults.push({ on: /enable true/, does: 'lost', times: 1 });
    t.equal(await outcome(host.shutdown?.(patient)), 'done');
  });
  await t.test('in it already, and left in it', async (t) => {
    const model = new EsxiModel('7');
    const { host } = await openHost(model);
    model.maintenance = true;
    t.equal(await outcome(host.shutdown?.(patient)), 'done');
    t.same(orders(model), [DOWN]);
  });
  await t.test('to be kept', async (t) => {
    const model = new EsxiModel('7');
    const { host } = await openHost(model, { staysInMaintenance: true });
    t.equal(await outcome(host.shutdown?.(patient)), 'done');
    t.same(orders(model), [ENTER, DOWN]);
    t.ok(model.maintenance);
  });
  await t.test('the shutdown refused', async (t) => {
    const { result } = await refusedEntry(t, (model) => model.faults.push({ on: /shutdown poweroff/, does: { says: 'Error: not now' } }));
    t.equal(result, 'FAILED: Error: not now');
  });
  await t.test('the answer to the shutdown lost', async (t) => {
    const model = new EsxiModel('7');
    const { host } = await openHost(model);
    model.faults.push({ on: /shutdown poweroff/, does: 'lost' }, { on: /enable false/, does: 'lost' });
    t.match(await outcome(host.shutdown?.(patient)), /^UNCERTAIN/);
    t.equal(model.goingDown, 'poweroff');
  });
  await t.test('machines cannot be started in it', async (t) => {
    const model = new EsxiModel('9');
    model.add('web');
    model.maintenance = true;
    const { driver } = openDriver(model);
    const [, web] = await driver.list(patient);
    t.equal(await outcome(web?.machine.start?.(patient)), 'WRONG STATE: the host is in maintenance mode');
  });
});

void t.test('what is told of a host', async (t) => {
  const model = new EsxiModel('6.5');
  let woken = 0;
  const { host } = await openHost(model, { presence: presence({ mac: '52:54:00:aa:00:11', state: () => 'off', wake: () => { woken += 1; } }) });
  t.match(await host.info?.(patient), {
    uuid: '4c4c4544-0042-3510-8052-b4c04f4e3333', cpus: 16, memory: 137066807296n, ips: ['192.0.2.1'], macs: ['52:54:00:aa:00:11'],
    more: { product: 'VMware ESXi 6.5.0 build-6765664', model: 'Dell Inc. PowerEdge R640', maintenance: 'no' },
  });
  t.equal(await host.status(patient), 'off');
  await host.start?.(patient);
  t.equal(woken, 1);
  t.same(await host.mac?.(patient), ['52:54:00:aa:00:11']);
  t.same(await host.ip?.(patient), ['192.0.2.1']);
  t.equal(await host.uptime?.(patient), 86_400);
  t.same(await host.load?.(patient), { cpuPercent: 10 });
  const mark = await host.bootMark?.(patient);
  model.booted += 1000;
  t.not(await host.bootMark?.(patient), mark);
  model.faults.push({ on: /hostsummary/, does: 'lost', times: 1 });
  t.same(await host.info?.(patient), {
    ips: ['192.0.2.1'], macs: ['52:54:00:aa:00:11'], more: { error: 'UNREACHABLE: the connection was lost' },
  }, 'what the configuration says is told of a host that is off, too');
  const { host: plain } = await openHost(model);
  t.equal(plain.start, undefined, 'no MAC, no way to wake it');
  t.equal(plain.mac, undefined);
  const { driver } = openDriver(model);
  t.match(await driver.dmesg?.(patient), /vmnic0: link up/);
});
