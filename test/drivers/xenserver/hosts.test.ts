import t from 'tap';
import { lacks } from '../../support/peers.js';
import { until } from '../../support/until.js';
import { openDriver, setUp } from './open-driver.js';
import { XapiPeer } from '../../peers/xapi.js';
import { findMachine, outcome, soon } from '../driving.js';

const POOL = [{ name: 'xen1', address: '127.0.0.1' }, { name: 'xen2', address: '127.0.0.2' }];
const options = { skip: lacks('ping') };

void t.test('the hosts of a pool', options, async (t) => {
  const { driver } = await setUp(t, { hosts: POOL, vms: ['web1'] }, { hosts: [{ name: 'xen2', mac: '52:54:00:aa:00:22' }] });
  t.same((await driver.list(soon())).map(({ machine, state }) => [machine.name, machine.type, state]), [
    ['web1', 'vm', 'off'], ['xen1', 'host', 'on'], ['xen2', 'host', 'on'],
  ]);
  const [one, two] = [await findMachine(driver, 'xen1'), await findMachine(driver, 'xen2')];
  t.equal(await two.status(soon()), 'on', 'it answers pings');
  t.same(await one.mac?.(soon()), ['00:16:3e:aa:00:01'], 'of the card that the pool names');
  t.same(await two.mac?.(soon()), ['52:54:00:aa:00:22'], 'of the configuration');
  t.same(await two.ip?.(soon()), ['127.0.0.2']);
  t.ok(await one.uptime!(soon()) > 1_000_000);
  t.match(await one.info?.(soon()), { more: { product: 'XCP-ng 8.3.0', enabled: 'true' } });
  t.match(await driver.dmesg?.(soon()), /^== xen1 ==\n\(XEN\).*\n\n== xen2 ==\n\(XEN\)/);
  t.equal(await one.bootMark?.(soon()), '1700000000.');
});

void t.test('a host goes down when its VMs have gone elsewhere', options, async (t) => {
  const { driver, peer } = await setUp(t, { hosts: POOL, vms: ['web1'] });
  await (await findMachine(driver, 'web1')).start?.(soon());
  peer.log.length = 0;
  await (await findMachine(driver, 'xen1')).shutdown?.(soon());
  t.same(peer.log.filter((line) => line.startsWith('Async.')), ['Async.host.disable 0', 'Async.host.evacuate 0', 'Async.host.shutdown 0']);
  t.same(peer.down, ['shutdown xen1']);
  t.equal(peer.world.state('web1'), 'Running', 'on the other host');
});

void t.test('a host whose VMs have nowhere to go stays up, and takes VMs again', options, async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  await (await findMachine(driver, 'web1')).start?.(soon());
  const host = await findMachine(driver, 'xen1');
  t.match(await outcome(host.reboot?.(soon())), { phrase: 'FAILED', detail: /^NO_HOSTS_AVAILABLE: VMs run on it.*--force/ });
  t.same(peer.down, []);
  t.equal([...peer.world.table('host').values()][0]?.enabled, true);
  t.equal(peer.world.state('web1'), 'Running');
  await host.reset?.(soon());
  t.same(peer.down, ['reboot xen1']);
  t.equal(peer.world.state('web1'), 'Halted');
});

void t.test('each step that is refused puts the host back', options, async (t) => {
  const { driver, peer } = await setUp(t);
  const host = await findMachine(driver, 'xen1');
  const ref = peer.world.refs('host')[0]!;
  for (const [code, params, detail] of [
    ['HOST_NOT_DISABLED', [], 'the host is not disabled, so it does not shut down'], ['HOST_IN_USE', [ref, 'VM', 'OpaqueRef:1'], 'the host still carries a VM'],
  ] as const) {
    peer.fault('Async.host.shutdown', { kind: 'fail', code, params });
    t.same(await outcome(host.shutdown?.(soon())), { phrase: 'FAILED', detail });
    t.equal(peer.world.get('host', ref).enabled, true, code);
  }
  peer.fault('Async.host.evacuate', { kind: 'cut' });
  t.match(await outcome(host.shutdown?.(soon())), { phrase: 'UNCERTAIN' });
  t.equal(peer.world.get('host', ref).enabled, true);
  t.same(peer.down, []);
});

void t.test('a host that somebody has disabled stays so when it does not go down', options, async (t) => {
  const { driver, peer } = await setUp(t);
  const host = await findMachine(driver, 'xen1');
  const ref = peer.world.refs('host')[0]!;
  peer.world.set('host', ref, { enabled: false });
  peer.fault('Async.host.shutdown', { kind: 'fail', code: 'HOST_IN_USE', params: [ref, 'VM', 'OpaqueRef:1'] });
  t.match(await outcome(host.shutdown?.(soon())), { phrase: 'FAILED' });
  t.equal(peer.world.get('host', ref).enabled, false);
});

void t.test('a master that takes the API down with it has done as told', options, async (t) => {
  const { driver, peer } = await setUp(t);
  const host = await findMachine(driver, 'xen1');
  // The answers to what follows the order are lost; those of the steps before it are not.
  const stop = until(() => peer.down.length === 1, 60_000, 'the order').then(() => peer.shut());
  await host.shutdown?.(soon());
  await stop;
  t.same(peer.down, ['shutdown xen1']);
});

void t.test('a master that refuses to tell what came of the order is not down', options, async (t) => {
  const { driver, peer } = await setUp(t);
  const host = await findMachine(driver, 'xen1');
  const refuse = until(() => peer.calls('Async.host.shutdown') === 1, 60_000, 'the order')
    .then(() => peer.fault('task.get_record', { kind: 'refuse', code: 'RBAC_PERMISSION_DENIED', params: ['task.get_record'] }, 20));
  peer.fault('Async.host.shutdown', { kind: 'slow', ms: 100 });
  t.match(await outcome(host.shutdown?.(soon())), { phrase: 'UNCERTAIN' });
  await refuse;
});

void t.test('a last order whose answer is lost is in doubt', options, async (t) => {
  const { driver, peer } = await setUp(t);
  const host = await findMachine(driver, 'xen1');
  peer.fault('Async.host.shutdown', { kind: 'cut after' });
  t.match(await outcome(host.shutdown?.(soon())), { phrase: 'UNCERTAIN' });
  t.same(peer.down, ['shutdown xen1']);
  t.equal(peer.calls('host.enable'), 0);
});

void t.test('a pool that is off at the start: the hosts of the configuration can be woken', options, async (t) => {
  const peer = await XapiPeer.start({ vms: ['web1'] });
  t.teardown(() => peer.stop());
  await peer.shut();
  const { driver, told } = openDriver(t, {
    url: peer.url(), insecure: true, wol: { address: '127.0.0.1', port: 40_009 }, hosts: [{ name: 'xen1', address: '127.0.0.1', mac: '52:54:00:aa:00:11' }],
  });
  const listed = await driver.list(soon());
  t.same(listed.map(({ machine }) => [machine.name, machine.type]), [['xen1', 'host']]);
  t.match(listed.incomplete, /^the pool does not answer, so that only the hosts of the configuration are listed: /);
  t.match(told.log.join('\n'), /only the hosts of the configuration/);
  await listed[0]?.machine.start?.(soon());
  await peer.open();
  await until(() => told.relists > 0, 60_000, 'another try');
  const later = await driver.list(soon());
  t.same(later.map(({ machine }) => machine.name), ['web1', 'xen1']);
  t.equal(later[1]?.machine.id, listed[0]?.machine.id, 'it is the same host');
  await peer.shut();
  await until(() => told.lost.length > 0, 60_000, 'the loss');
  t.match(await outcome(driver.list(soon())), { phrase: 'UNREACHABLE' }, 'what was known still stands');
});

void t.test('a step in doubt: the host takes VMs again, unless it may be going down', options, async (t) => {
  const { driver, peer } = await setUp(t, { hosts: POOL });
  const host = await findMachine(driver, 'xen2');
  const [, ref = ''] = peer.world.refs('host');
  peer.fault('Async.host.disable', { kind: 'status', status: 503, after: true });
  t.match(await outcome(host.shutdown?.(soon())), { phrase: 'UNCERTAIN' });
  t.equal(peer.world.get('host', ref).enabled, true);
  t.equal(peer.calls('host.enable'), 1);
  for (const fault of [{ kind: 'status', status: 503, after: true }, { kind: 'fail', code: 'CANNOT_CONTACT_HOST', params: [ref] }] as const) {
    peer.log.length = 0;
    peer.world.set('host', ref, { enabled: true });
    peer.fault('Async.host.shutdown', fault);
    t.match(await outcome(host.shutdown?.(soon())), { phrase: 'UNCERTAIN' }, fault.kind);
    t.equal(peer.calls('host.enable'), 0);
  }
});
