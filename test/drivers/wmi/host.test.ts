import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import * as v from 'valibot';
import { hostSettings } from '../../../src/drivers/host/options.js';
import { HostPower, leasePinger } from '../../../src/drivers/host/power.js';
import { serviceSign } from '../../../src/drivers/wmi/open-link.js';
import { wmiEntries } from '../../../src/drivers/wmi/options.js';
import { WindowsHost } from '../../../src/drivers/wmi/host.js';
import { Pinger } from '../../../src/protocols/ping/pinger.js';
import { ConnectionLostError } from '../../../src/protocols/tls/errors.js';
import { WmiFault } from '../../../src/protocols/wmi/errors.js';
import { withoutSoap } from '../../../src/protocols/wsman/link.js';
import { fakeHostWmi } from './fake-host.js';
import { fakeLink } from './fake-wmi.js';
import { FakeSocket } from '../../protocols/ping/fake-socket.js';
import { until } from '../../support/until.js';
import { outcome, soon } from '../driving.js';

const PACE = { within: 3000, silentWithin: 4000, every: 20 };

async function setUp(t: Test, mac?: string, network?: Pinger, pace = PACE) {
  const { wmi, state } = fakeHostWmi();
  const { link, server } = await fakeLink(t, wmi);
  const lease = leasePinger(() => undefined);
  t.teardown(() => lease.release());
  const power = new HostPower(hostSettings({ name: 'win1', address: '127.0.0.1', ...(mac && { mac }) }, { wol: {}, ping: { timeout: 100, 'off-after': 300 } }), { pinger: network ?? lease.pinger, log: () => undefined });
  const host = new WindowsHost({ id: 'win1', power, control: link, readings: link, pace });
  return { wmi, state, host, server };
}

void t.test('what a host tells', async (t) => {
  const { host, wmi } = await setUp(t);
  const uptime = await host.uptime(soon());
  t.ok(uptime >= 3600 && uptime < 3700, String(uptime));
  t.same(await host.load(soon()), { cpuPercent: 15 });
  t.same(await host.ip(soon()), ['10.0.0.13', 'fd00::13'], 'of the adapter with a gateway, without what says nothing');
  t.same(await host.mac(soon()), ['52:54:00:aa:00:13']);
  t.equal(await host.rx(soon()), 18_446_744_073_709_551_000n);
  t.equal(await host.tx(soon()), 77n);
  const disks = [{ target: 'C:', type: 'block', format: 'NTFS', size: 107_374_182_400n, source: 'System' }];
  t.same(await host.disk(soon()), disks);
  t.same(await host.info(soon()), {
    uuid: '4c4c4544-0033-4a10-8051-b4c04f4a3232', cpus: 8, memory: 17_179_398_144n, ips: ['10.0.0.13', 'fd00::13'], macs: ['52:54:00:aa:00:13'], disks,
    more: { hostname: 'WIN1', system: 'Microsoft Windows Server 2022 Standard 10.0.20348', model: 'ACME R1', domain: 'lab.example' },
  });
  t.equal(wmi.opened, 1, 'over one connection');
  await host.close();
  t.equal(wmi.closed, 1);
});

void t.test('what it does not tell is said, not made up', async (t) => {
  const { host, wmi } = await setUp(t);
  wmi.tables.set('root/cimv2:Win32_Processor', () => [{ LoadPercentage: null }]);
  wmi.tables.set('root/cimv2:Win32_PerfRawData_Tcpip_NetworkInterface', () => []);
  wmi.tables.set('root/cimv2:Win32_OperatingSystem', () => []);
  for (const read of ['load', 'rx', 'uptime', 'info'] as const) t.match(await outcome(host[read](soon())), { phrase: 'FAILED' }, read);
});

void t.test('orders and their flags', async (t) => {
  const { host, state } = await setUp(t);
  for (const order of ['shutdown', 'powerOff', 'reboot', 'reset'] as const) await host[order](soon());
  t.same(state.orders, ['8', '12', '2', '6']);
  t.equal((host as { start?: unknown }).start, undefined, 'without a mac it cannot be woken');
  t.type((await setUp(t, '52:54:00:aa:00:13')).host.start, 'function');
});

void t.test('refusals', async (t) => {
  const { host, state, wmi } = await setUp(t);
  for (const [code, phrase, detail] of [
    ['1191', 'FAILED', /other users are logged on.*--force/], ['5', 'ACCESS DENIED', /shut the host down/], ['1314', 'ACCESS DENIED', /SeRemoteShutdownPrivilege/],
    ['1115', 'BUSY', /already/], ['21', 'FAILED', /--force/], ['1271', 'FAILED', /locked/], ['87', 'FAILED', /error 87/],
  ] as const) {
    state.returns = code;
    t.match(await outcome(host.shutdown(soon())), { phrase, detail }, code);
  }
  wmi.faults.push(undefined, new WmiFault('access-denied', 5, 'Zugriff verweigert'));
  t.match(await outcome(host.shutdown(soon())), { phrase: 'ACCESS DENIED', detail: /logged in, but lacks the right/ });
  wmi.faults.push(new ConnectionLostError('cut off', true));
  t.match(await outcome(host.shutdown(soon())), { phrase: 'UNREACHABLE' }, 'nothing was ordered yet');
});

void t.test('an answer that does not tell whether it is done is no refusal', async (t) => {
  const { host, state, wmi } = await setUp(t);
  for (const code of ['', '1460', '1726', '995']) {
    state.returns = code;
    t.match(await outcome(host.shutdown(soon())), { phrase: 'UNCERTAIN' }, code);
  }
  wmi.methods.set('Win32_OperatingSystem.Win32Shutdown', () => {
    state.booted = Date.now();
    return {};
  });
  t.same(await outcome(host.reboot(soon())), { value: undefined }, 'the host shows it');
});

void t.test('HTTP in the place of an answer is told at once', async (t) => {
  const { host, wmi, state } = await setUp(t, undefined, undefined, { ...PACE, within: 600_000 });
  for (const [status, phrase] of [[404, 'UNREACHABLE'], [405, 'UNREACHABLE'], [302, 'UNCERTAIN'], [403, 'UNCERTAIN'], [500, 'UNCERTAIN'], [503, 'UNCERTAIN']] as const) {
    wmi.faults.push(undefined, withoutSoap(status));
    t.match(await outcome(host.powerOff(soon())), { phrase, detail: new RegExp(`HTTP status ${status}`) }, String(status));
  }
  t.same(state.orders, []);
});

void t.test('an order whose answer is lost', async (t) => {
  const lost = () => new ConnectionLostError('cut off', true);
  await t.test('is in doubt where its service goes away, and the host is there', async (t) => {
    const { host, wmi, server, state } = await setUp(t);
    wmi.faults.push(undefined, () => {
      server.close();
      return lost();
    });
    t.match(await outcome(host.powerOff(soon())), { phrase: 'UNCERTAIN' });
    t.same(state.orders, []);
  });
  await t.test('or for a moment only', async (t) => {
    const { host, wmi, server } = await setUp(t);
    const { port } = server.address() as AddressInfo;
    wmi.faults.push(undefined, () => {
      server.close();
      setTimeout(() => server.listen(port, '127.0.0.1'), 1000);
      return lost();
    });
    t.match(await outcome(host.reboot(soon())), { phrase: 'UNCERTAIN' });
  });
  await t.test('is accepted where the host is silent for good', async (t) => {
    const { open } = FakeSocket.opener(() => undefined);
    const network = new Pinger({ open: (_, ...callbacks) => open(...callbacks) });
    t.teardown(() => network.close());
    const { host, wmi, server } = await setUp(t, undefined, network);
    wmi.faults.push(undefined, () => {
      server.close();
      return lost();
    });
    t.same(await outcome(host.powerOff(soon())), { value: undefined });
  });
  await t.test('or where the host comes back from another boot', async (t) => {
    const { host, wmi, state } = await setUp(t);
    wmi.faults.push(undefined, () => {
      state.booted = Date.now();
      return lost();
    }, lost());
    t.same(await outcome(host.reset(soon())), { value: undefined });
  });
  await t.test('and is in doubt where nothing shows', async (t) => {
    const { host, wmi, state } = await setUp(t);
    wmi.faults.push(undefined, lost());
    t.match(await outcome(host.powerOff(soon())), { phrase: 'UNCERTAIN' });
    t.same(state.orders, [], 'and never repeated');
  });
  await t.test('a clock that is set is no boot', async (t) => {
    const { host, wmi } = await setUp(t);
    const mark = await host.bootMark(soon());
    wmi.tables.set('root/cimv2:Win32_OperatingSystem', () => [{ LastBootUpTime: '2020-01-01T00:00:00Z', LocalDateTime: '2020-01-01T01:00:00Z' }]);
    t.equal(await host.bootMark(soon()), mark);
  });
});

void t.test('a host that is put to rest', async (t) => {
  const { wmi, state } = fakeHostWmi();
  const { link } = await fakeLink(t, wmi);
  const { open } = FakeSocket.opener(() => undefined);
  const network = new Pinger({ open: (_, ...callbacks) => open(...callbacks) });
  t.teardown(() => network.close());
  const world = { isAwake: true, returns: '0', started: [] as string[], obeys: true };
  wmi.tables.set('root/cimv2:Win32_Process', () => []);
  wmi.methods.set('Win32_Process.Create', (_path, { CommandLine = '' }) => {
    world.started.push(String(CommandLine));
    if (world.obeys) world.isAwake = false;
    return { ReturnValue: world.returns };
  });
  const rest = (suspension?: 'hibernate' | 'sleep', mac?: string) => {
    const settings = hostSettings({ name: 'win1', address: '127.0.0.1', ...(mac && { mac }) }, { wol: {}, ping: { timeout: 100, retries: 0, 'off-after': 300 } });
    const otherwise = () => Promise.resolve(world.isAwake ? { alive: true, ms: 1, address: '127.0.0.1', by: 'tcp' } as const : { alive: false, reason: 'silent' } as const);
    const power = new HostPower(settings, { pinger: network, log: () => undefined, otherwise });
    return new WindowsHost({ id: 'win1', power, control: link, readings: link, pace: { ...PACE, silentWithin: 1500 }, suspension });
  };
  t.equal(rest().suspend, undefined, 'only where the configuration says how');
  t.equal(rest('sleep').resume, undefined, 'what cannot be woken cannot be resumed');
  const host = rest('hibernate', '52:54:00:aa:00:11');
  t.same(await outcome(host.suspend?.(soon())), { value: undefined });
  t.same(world.started, ['shutdown.exe /h']);
  t.equal(await host.status(soon()), 'suspended', 'it was silent by our order');
  t.type(host.resume, 'function');
  world.isAwake = true;
  t.equal(await host.status(soon()), 'on');
  world.isAwake = false;
  t.equal(await host.status(soon()), 'off', 'what has answered since, and is silent by no order of ours');
  world.isAwake = true;
  world.obeys = false;
  t.match(await outcome(host.suspend?.(soon())), { phrase: 'UNCERTAIN', detail: /powercfg/ }, 'a program that began has done nothing yet');
  t.equal(await host.status(soon()), 'on');
  for (const [code, phrase] of [['2', 'ACCESS DENIED'], ['3', 'ACCESS DENIED'], ['9', 'NOT SUPPORTED'], ['8', 'FAILED'], ['', 'UNCERTAIN']] as const) {
    world.returns = code;
    t.match(await outcome(host.suspend?.(soon())), { phrase }, code);
  }
  wmi.faults.push(withoutSoap(503));
  t.match(await outcome(host.suspend?.(soon())), { phrase: 'UNCERTAIN', detail: /503/ });
  world.obeys = true;
  world.returns = '0';
  const sleeper = rest('sleep');
  t.same(await outcome(sleeper.suspend?.(soon())), { value: undefined });
  t.match(world.started.at(-1), /SetSuspendState\('Suspend', \$false, \$false\)/);
  world.isAwake = true;
  await sleeper.shutdown(soon());
  world.isAwake = false;
  await until(async () => await sleeper.status(soon()) === 'off', 10_000, 'the end of the shutdown');
  t.equal(state.orders.length, 1);
});

void t.test('the port by which a host shows that it is up', async (t) => {
  const { server, link } = await fakeLink(t, fakeHostWmi().wmi);
  const { port } = server.address() as AddressInfo;
  await link.close();
  const given = (more: Record<string, unknown>) => v.parse(v.strictObject(wmiEntries), { user: 'argo', password: 'pw', ...more });
  t.same(serviceSign(given({}), '10.0.0.1'), { port: 5986 });
  t.same(serviceSign(given({ url: 'http://{address}/wsman' }), 'Win1.lab.example'), { port: 5985 });
  t.same(serviceSign(given({ url: `https://{address}:${port}/wsman` }), 'fd00:0::1'), { port });
  t.same(serviceSign(given({}), 'fe80::1%lo'), { port: 5986 }, 'with its zone');
  const proxy = serviceSign(given({ url: `https://127.0.0.1:${port}/wsman` }), '10.0.0.1');
  t.equal(proxy.port, port, 'its own address is asked all the same');
  await t.rejects(proxy.otherwise!(soon()), { name: 'CannotTell', message: /its service answers at 127.0.0.1/ }, 'which may be another machine');
});
