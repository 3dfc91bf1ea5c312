import t from 'tap';
import { until } from '../../support/until.js';
import { listVms, setUp } from './open-driver.js';
import { findMachine, soon } from '../driving.js';

void t.test('what others do is told', async (t) => {
  const { driver, peer, told } = await setUp(t, { vms: ['web1', 'db1'] });
  const web = await findMachine(driver, 'web1');
  const { world } = peer;
  const names = async (): Promise<string[]> => (await listVms(driver)).map(({ machine }) => machine.name);
  world.set('VM', world.vm('web1'), { power_state: 'Running' });
  await until(() => told.changed.length === 1, 60_000, 'a start');
  t.same(told.changed, [{ id: web.id, state: 'on' }]);
  world.addMachine('new1');
  await until(() => told.relists === 1, 60_000, 'a new machine');
  t.same(await names(), ['db1', 'new1', 'web1']);
  world.set('VM', world.vm('db1'), { name_label: 'db2' });
  await until(() => told.relists === 2, 60_000, 'a new name');
  t.same(await names(), ['db2', 'new1', 'web1']);
  world.remove('VM', world.vm('new1'));
  await until(() => told.relists === 3, 60_000, 'one less');
  world.set('VM', world.vm('db2'), { is_a_template: true });
  await until(() => told.relists === 4, 60_000, 'a template');
  t.same(await names(), ['web1']);
  t.equal(peer.calls('VM.get_all_records'), 1, 'all of that from memory');
  t.same(told.lost, []);
});

void t.test('events that are lost, a session that ends, a restart: everything is read again', async (t) => {
  const { driver, peer, told } = await setUp(t, { vms: ['web1'] });
  await driver.list(soon());
  const cases = [
    () => { peer.fault('event.from', { kind: 'refuse', code: 'EVENTS_LOST', params: [] }); peer.world.addMachine('more1'); },
    () => { peer.fault('event.from', { kind: 'refuse', code: 'SESSION_INVALID', params: ['x'] }); peer.world.addMachine('more2'); },
    () => { peer.restart(); },
    () => { peer.fault('event.from', { kind: 'cut' }); peer.world.addMachine('more3'); },
    () => { peer.fault('event.from', { kind: 'garbage' }); peer.world.addMachine('more4'); },
  ];
  for (const [index, happen] of cases.entries()) {
    const fills = peer.calls('VM.get_all_records');
    happen();
    await until(async () => {
      // A question for events that came before the fault is answered, so that the next one is asked.
      peer.world.touch('VM', peer.world.vm('web1'), 'mod');
      await driver.list(soon()).catch(() => undefined);
      return peer.calls('VM.get_all_records') > fills;
    }, 60_000, `case ${index}`);
  }
  t.same((await listVms(driver)).map(({ machine }) => machine.name), ['more1', 'more2', 'more3', 'more4', 'web1']);
  t.ok(told.lost.length > 0 && told.relists > 0);
});

void t.test('a thousand machines cost one question', async (t) => {
  const { driver, peer } = await setUp(t, { vms: Array.from({ length: 1000 }, (_, index) => `vm${index}`) });
  t.equal((await listVms(driver)).length, 1000);
  t.equal((await listVms(driver)).length, 1000);
  t.equal(peer.calls('VM.get_all_records') + peer.calls('VM.get_record'), 1);
});
