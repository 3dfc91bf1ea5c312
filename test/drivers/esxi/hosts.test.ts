import { once } from 'node:events';
import { createServer } from 'node:net';
import t from 'tap';
import { Fault, ref, val, VimDouble } from '../../peers/vim-double.js';
import { SWITCHED_PROGRAMS, SwitchedHosts } from '../../peers/switched-hosts.js';
import { lacks, lacksRoot } from '../../support/peers.js';
import { until } from '../../support/until.js';
import { find, openDriver, PASSWORD, refusal, setUp, soon } from './open-driver.js';

/** ESXi hosts on a strict double. */

await t.test('hosts', async (t) => {
  const { vim, driver, told } = await setUp(t);
  vim.addHost('host-1', { name: val('string', '127.0.0.1') });
  vim.addVm('vm-1', { 'runtime.host': ref('HostSystem', 'host-1'), 'guest.ipAddress': val('string', '127.0.0.1') });
  const host = await find(driver, '127.0.0.1');
  t.match(await refusal(host.shutdown!(soon())), { phrase: 'WRONG STATE', detail: /^1 of its machines run: vm-1; vm-1 is this vCenter; .*--force/ });
  vim.addVm('vm-2', { name: val('string', 'vc'), 'runtime.host': ref('HostSystem', 'host-1'), 'guest.hostName': val('string', '127.0.0.1') });
  vim.remove('vm-1');
  vim.move('vm-2');
  await until(async () => {
    const names = (await driver.list(soon())).map(({ machine }) => machine.name);
    return names.includes('vc') && !names.includes('vm-1');
  }, 60_000, 'another machine in the place of the first');
  t.match(await refusal(host.shutdown!(soon())), { detail: /^1 of its machines run: vc; vc is this vCenter;/ }, 'by its name');
  await host.powerOff!(soon());
  t.equal(vim.count('ShutdownHost_Task'), 1);
  t.equal(vim.count('EnterMaintenanceMode_Task'), 0);
  t.match(told.log.join('\n'), /carries this vCenter/);
  vim.set('vm-2', 'runtime.powerState', val('VirtualMachinePowerState', 'poweredOff'));
  await until(() => told.changed.length > 0, 60_000, 'the change');
  await host.reboot!(soon());
  t.equal(vim.count('EnterMaintenanceMode_Task'), 1);
  t.equal(vim.count('RebootHost_Task'), 1);
  vim.set('host-1', 'runtime.inMaintenanceMode', val('boolean', false));
  vim.instead.set('ShutdownHost_Task', () => new Fault('NoPermission', '', '<privilegeId>Host.Config.Maintenance</privilegeId>'));
  t.equal((await refusal(host.shutdown!(soon()))).phrase, 'ACCESS DENIED');
  t.equal(vim.count('ExitMaintenanceMode_Task'), 1, 'what was refused is undone');
  vim.instead.set('ShutdownHost_Task', () => { vim.instead.set('RetrievePropertiesEx', () => 'cut'); return vim.addTask('running'); });
  vim.set('host-1', 'runtime.inMaintenanceMode', val('boolean', true));
  await host.powerOff!(soon());
  t.pass('a host that takes its API with it has been told');
});

/** Of a host: a network card, and the management port that has taken its address over. */
const CARD = (mac: string, wakes: boolean): string => `<PhysicalNic xsi:type="PhysicalNic"><device>vmnic</device><mac>${mac}</mac><wakeOnLanSupported>${wakes}</wakeOnLanSupported></PhysicalNic>`;
const CARDS = `<val xsi:type="ArrayOfPhysicalNic">${CARD('52:54:00:aa:00:01', true)}${CARD('52:54:00:aa:00:02', true)}</val>`;
const PORT = '<val xsi:type="ArrayOfHostVirtualNic"><HostVirtualNic xsi:type="HostVirtualNic"><device>vmk0</device><spec><ip><ipAddress>10.0.0.7</ipAddress></ip><mac>52:54:00:AA:00:02</mac></spec></HostVirtualNic></val>';
const booted = (day: number): string => val('dateTime', `2026-01-0${day}T00:00:00Z`);
const inMaintenance = (vim: VimDouble): boolean => vim.objects.get('host-1')!.properties.get('runtime.inMaintenanceMode') === val('boolean', true);

await t.test('a host is taken out of maintenance mode when it is back', async (t) => {
  const { vim, driver } = await setUp(t);
  vim.addHost('host-1', { name: val('string', 'esx1'), 'runtime.bootTime': booted(1) });
  const host = await find(driver, 'esx1');
  await host.reboot!(soon());
  t.ok(inMaintenance(vim));
  vim.set('host-1', 'runtime.connectionState', val('HostSystemConnectionState', 'notResponding'));
  vim.set('host-1', 'runtime.bootTime', booted(2));
  vim.set('host-1', 'runtime.connectionState', val('HostSystemConnectionState', 'connected'));
  await until(() => !inMaintenance(vim), 60_000, 'the end of maintenance mode');
  t.equal(vim.count('ExitMaintenanceMode_Task'), 1);
});

await t.test('maintenance mode that somebody else has begun is left alone', async (t) => {
  const { vim, driver, told } = await setUp(t);
  vim.addHost('host-1', { name: val('string', 'esx1'), 'runtime.bootTime': booted(1), 'runtime.inMaintenanceMode': val('boolean', true) });
  const host = await find(driver, 'esx1');
  vim.instead.set('ShutdownHost_Task', () => new Fault('NoPermission', '', '<privilegeId>Host.Config.Maintenance</privilegeId>'));
  t.equal((await refusal(host.shutdown!(soon()))).phrase, 'ACCESS DENIED');
  vim.instead.delete('ShutdownHost_Task');
  await host.shutdown!(soon());
  const before = told.relists;
  vim.set('host-1', 'runtime.connectionState', val('HostSystemConnectionState', 'notResponding'));
  vim.set('host-1', 'runtime.bootTime', booted(2));
  vim.set('host-1', 'runtime.connectionState', val('HostSystemConnectionState', 'connected'));
  await until(() => told.relists > before, 60_000, 'what was told');
  await driver.list(soon());
  t.ok(inMaintenance(vim));
  t.equal(vim.count('ExitMaintenanceMode_Task'), 0);
});

await t.test('a host that does not enter maintenance mode in time is not left half way', async (t) => {
  for (const answered of [true, false]) {
    const { vim, driver } = await setUp(t);
    vim.addHost('host-1', { name: val('string', 'esx1'), 'runtime.bootTime': booted(1) });
    const host = await find(driver, 'esx1');
    vim.instead.set('EnterMaintenanceMode_Task', () => (answered ? vim.addTask('running') : 'silence'));
    const hurry = new AbortController();
    const stopped = host.shutdown!(hurry.signal);
    const looked = vim.count('RetrievePropertiesEx');
    await until(() => vim.count('EnterMaintenanceMode_Task') > 0 && (!answered || vim.count('RetrievePropertiesEx') > looked + 2), 60_000, 'the order');
    hurry.abort(new Error('its time is over'));
    await t.rejects(stopped, /its time is over/);
    if (answered) await until(() => vim.count('CancelTask') === 1, 60_000, 'that the task is cancelled');
    vim.set('host-1', 'runtime.inMaintenanceMode', val('boolean', true));
    await until(() => !inMaintenance(vim), 60_000, 'the way back');
    t.equal(vim.count('ShutdownHost_Task'), 0);
  }
});

await t.test('a host that the network shows nothing of', { skip: lacksRoot(...SWITCHED_PROGRAMS) }, async (t) => {
  const network = await SwitchedHosts.start();
  t.teardown(() => network.stop());
  const silent = network.take().replace(/\d+$/, '250');
  const { vim, driver } = await setUp(t, { ping: { timeout: '300ms', retries: 0, 'off-after': '1s' } });
  vim.addHost('host-1', { name: val('string', silent), 'runtime.bootTime': booted(1) });
  const connect = (is: boolean): void => vim.set('host-1', 'runtime.connectionState', val('HostSystemConnectionState', is ? 'connected' : 'notResponding'));
  const host = await find(driver, silent);
  t.equal(await host.status(soon()), 'on', 'it drops pings, and its vCenter is in touch with it');
  await host.powerOff!(soon());
  t.equal(vim.count('ShutdownHost_Task'), 1);
  t.equal(await host.status(soon()), 'stopping', 'silent, but perhaps only for a moment');
  const becomes = async (state: string): Promise<void> => {
    for (let now = await host.status(soon()); now !== state; now = await host.status(soon(60_000))) if (now !== 'stopping') throw new Error(now);
  };
  await becomes('unknown');
  t.pass('its vCenter has not missed it yet');
  connect(false);
  t.equal(await host.status(soon()), 'off', 'by all who can be asked');
  vim.set('host-1', 'runtime.bootTime', booted(2));
  connect(true);
  t.equal(await host.status(soon()), 'on', 'back');
  vim.instead.set('RetrievePropertiesEx', () => 'silence');
  t.equal(await host.status(soon()), 'off', 'a vCenter that hangs says nothing');
});

await t.test('a host that drops pings, and that its vCenter has lost sight of', { skip: lacksRoot(...SWITCHED_PROGRAMS, 'iptables') }, async (t) => {
  const network = await SwitchedHosts.start();
  t.teardown(() => network.stop());
  const address = network.take();
  network.dropPings(address);
  const service = createServer((socket) => socket.destroy()).listen(443, address);
  await once(service, 'listening');
  t.teardown(() => service.close());
  const { vim, driver, told } = await setUp(t, { ping: { timeout: '300ms', retries: 0 } });
  const lost = { name: val('string', address), 'runtime.connectionState': val('HostSystemConnectionState', 'notResponding') };
  vim.addHost('host-1', { ...lost, 'runtime.powerState': val('HostSystemPowerState', 'unknown') });
  const host = await find(driver, address);
  t.equal(await host.status(soon()), 'on', 'its port answers');
  const [listed] = await driver.list(soon());
  t.not(listed?.state, 'off');
  await until(() => listed?.state === 'on' || told.changed.some(([, state]) => state === 'on'), 60_000, 'the listing to find out');
  t.notOk(told.changed.some(([, state]) => state === 'off'));
  vim.instead.set('RetrievePropertiesEx', () => 'silence');
  t.equal(await host.status(soon()), 'on', 'so too where its vCenter hangs');
  vim.instead.delete('RetrievePropertiesEx');
  network.pull(address);
  t.equal(await host.status(soon()), 'off', 'silent in every way');
});

await t.test('standby', async (t) => {
  await t.test('of a host that has a vCenter', { skip: lacksRoot(...SWITCHED_PROGRAMS) }, async (t) => {
    const network = await SwitchedHosts.start();
    t.teardown(() => network.stop());
    const address = network.take();
    const { vim, driver } = await setUp(t, { ping: { timeout: '300ms', retries: 0 } });
    vim.addHost('host-1', { name: val('string', address) });
    vim.addVm('vm-1', { 'runtime.host': ref('HostSystem', 'host-1') });
    const host = await find(driver, address);
    const refused = await refusal(host.suspend!(soon()));
    t.match(refused, { phrase: 'WRONG STATE', detail: /^1 of its machines run: vm-1; stop them first$/ }, 'nothing is advised that the command has not');
    vim.remove('vm-1');
    await until(async () => (await driver.list(soon())).length === 1, 60_000, 'the machine to be gone');
    t.equal((await refusal(host.resume!(soon()))).phrase, 'WRONG STATE');
    await host.suspend!(soon());
    t.equal(await host.status(soon()), 'on', 'by its own word, which is newer');
    network.pull(address);
    t.equal(await host.status(soon()), 'suspended');
    t.equal((await driver.list(soon()))[0]?.machine.id, host.id);
    vim.instead.set('PowerUpHostFromStandBy_Task', () => vim.addTask('error', 'HostPowerOpFailed'));
    t.match(await refusal(host.resume!(soon())), { phrase: 'FAILED', detail: 'it said HostPowerOpFailed' });
    vim.instead.set('PowerUpHostFromStandBy_Task', () => vim.addTask('error', 'Timedout'));
    t.equal((await refusal(host.resume!(soon()))).phrase, 'UNCERTAIN', 'it may be on its way');
    vim.instead.delete('PowerUpHostFromStandBy_Task');
    await host.resume!(soon());
    t.equal(await host.status(soon()), 'on');
    t.equal(vim.count('PowerDownHostToStandBy_Task'), 1);
    t.equal(vim.count('PowerUpHostFromStandBy_Task'), 4);
  });
  await t.test('no ESXi can take itself out of it', async (t) => {
    const { vim, driver } = await setUp(t);
    vim.apiType = 'HostAgent';
    vim.addHost('ha-host', { name: val('string', 'localhost') });
    const [host] = await driver.list(soon());
    t.notOk(host!.machine.suspend);
    t.notOk(host!.machine.resume);
  });
});

await t.test('which card wakes a host, and where it is', async (t) => {
  const { vim, driver } = await setUp(t, { wol: { address: '127.0.0.1', port: 40_011 } });
  vim.addHost('host-1', { name: val('string', 'esx1'), 'config.network.pnic': CARDS, 'config.network.vnic': PORT });
  const host = await find(driver, 'esx1');
  t.same(await host.mac!(soon()), ['52:54:00:aa:00:01', '52:54:00:aa:00:02']);
  t.same(await host.ip!(soon()), ['10.0.0.7']);
  await host.start!(soon());
  t.equal((await driver.list(soon()))[0]?.state, 'on');
});

await t.test('an ESXi that is off at the start can be woken', { skip: lacks('ping') }, async (t) => {
  const before = await VimDouble.start();
  const { port, url } = before;
  await before.stop();
  const { driver, told } = openDriver({
    url, user: 'argo', password: PASSWORD, insecure: true, wol: { address: '127.0.0.1', port: 40_012 },
    hosts: [{ name: 'esx1', address: '127.0.0.1', mac: '52:54:00:aa:00:11' }],
  });
  const [off] = await driver.list(soon());
  t.match(off?.machine, { name: 'esx1', type: 'host' });
  t.match(told.log.join('\n'), /only the hosts of the configuration/);
  t.match(await refusal(off!.machine.shutdown!(soon())), { phrase: 'UNREACHABLE' });
  await off!.machine.start!(soon());
  const vim = await VimDouble.start({ port });
  t.teardown(() => vim.stop());
  t.teardown(() => driver.close(soon()));
  vim.apiType = 'HostAgent';
  vim.addHost('ha-host', { name: val('string', 'localhost.localdomain') });
  vim.addVm('1', { 'runtime.host': ref('HostSystem', 'ha-host') });
  await until(() => told.relists > 0, 60_000, 'another try');
  const listed = (await driver.list(soon())).map(({ machine }) => machine);
  t.same(listed.map(({ name }) => name), ['esx1', '1']);
  t.equal(listed[0]?.id, off?.machine.id, 'it is the same host');
  t.match(await refusal(listed[0]!.shutdown!(soon())), { phrase: 'WRONG STATE', detail: /^1 of its machines run: 1;/ });
});
