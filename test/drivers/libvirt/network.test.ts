import t from 'tap';
import { outcome, soon } from '../driving.js';
import { openDriver } from './open-driver.js';

/** The host's network is not changed from here unless the provider's table says so. */

const call = { signal: soon(), task: 'task', progress: () => undefined };
const guard = { rollback: 60_000, force: true };
const route = { destination: '10.50.0.0', prefix: 16, interface: 'nowhere9' };

await t.test('changes are off', async (t) => {
  const { driver } = openDriver('test:///default');
  t.teardown(() => driver.close(soon()));
  const network = driver.abilities!.network!;
  const changes = [
    network.addRoute!({ ...route, ...guard }, call),
    network.deleteRoute!({ ...route, ...guard }, call),
    network.replaceRoute!({ old: route, new: route, ...guard }, call),
    network.setGateway!({ gateway: '10.0.0.1', interface: 'nowhere9', ...guard }, call),
    network.addBridge!({ name: 'nowhere9', ...guard }, call),
    network.changeBridge!({ name: 'nowhere9', ...guard }, call),
    network.deleteBridge!({ name: 'nowhere9', ...guard }, call),
    network.addMember!({ bridge: 'nowhere9', member: 'nowhere8', ...guard }, call),
    network.deleteMember!({ bridge: 'nowhere9', member: 'nowhere8', ...guard }, call),
  ];
  for (const change of changes) t.match(await outcome(change), { phrase: 'NOT SUPPORTED', detail: /has no network-changes = true$/ });
});

await t.test('and may be on', async (t) => {
  const { driver } = openDriver('test:///default', { 'network-changes': true });
  t.teardown(() => driver.close(soon()));
  t.match(await outcome(driver.abilities!.network!.deleteBridge!({ name: 'nowhere9', ...guard }, call)),
    { phrase: 'WRONG STATE', detail: 'the host has no interface of that name' });
});
