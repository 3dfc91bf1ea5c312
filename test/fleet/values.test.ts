import t from 'tap';
import { lastIdAt, newId, timeOfId } from '../../src/fleet/ids.js';
import { MessageFault } from '../../src/fleet/messages.js';
import { readValue, writeValue, type AskedValues } from '../../src/fleet/values.js';

const overTheBus = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;

await t.test('what is read of a machine comes over the bus as it is', async (t) => {
  const values: { readonly [Name in keyof AskedValues]: readonly AskedValues[Name][] } = {
    status: ['on', 'unknown'],
    info: [{}, { uuid: 'u', cpus: 2, memory: 2n ** 70n, ips: [], macs: ['m'], disks: [{ target: 'vda', type: 'file', format: 'raw', size: 0n, source: '/x' }], host: 'h', persistent: false, autostart: true, more: { a: 'b' } }],
    ip: [[], ['::1']], mac: [['m']], uptime: [0, 1.5], rx: [0n, 2n ** 63n], tx: [1n], load: [{ averages: [0, 1.25, 2] }, { cpuPercent: 3.5 }],
    disk: [[], [{ target: 'vda', type: 'lvm' }]], bootMark: ['b', undefined], autostart: [true, false, undefined], plan: ['nothing'], dmesg: ['a\nb'],
  };
  for (const [asked, all] of Object.entries(values) as [keyof AskedValues, AskedValues[keyof AskedValues][]][]) {
    for (const value of all) t.strictSame(readValue(asked, overTheBus(writeValue(value))), value, asked);
  }
  t.strictSame(readValue('info', overTheBus(writeValue({ cpus: 1, host: undefined } as unknown as AskedValues['info']))), { cpus: 1 }, 'what is not there is left out');
});

await t.test('what is none of it is refused', async (t) => {
  const wrong: readonly (readonly [keyof AskedValues, unknown])[] = [
    ['status', 'burning'], ['status', undefined], ['info', null], ['info', { memory: 5 }], ['ip', 'x'], ['uptime', '5'], ['uptime', null], ['rx', 5], ['rx', '1e3'], ['rx', '9'.repeat(31)],
    ['load', { averages: [1, 2] }], ['disk', [{ target: 'vda' }]], ['bootMark', 5], ['autostart', 'on'], ['plan', null],
  ];
  for (const [asked, value] of wrong) t.throws(() => readValue(asked, value), MessageFault, `${asked} ${JSON.stringify(value)}`);
});

await t.test('ids stand in the order of their making, and say when that was', async (t) => {
  const at = Date.UTC(2026, 10, 29, 20, 0, 0, 123);
  const ids = [newId(at - 1), newId(at), newId(at + 1)];
  for (const id of ids) t.match(id, /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  t.same(ids.map(timeOfId), [at - 1, at, at + 1]);
  t.same([...ids].sort(), ids);
  t.ok(newId(at) <= lastIdAt(at) && lastIdAt(at) < newId(at + 1));
  t.not(newId(at), newId(at));
  for (const none of ['', 'x', newId().toUpperCase(), `${newId()}0`, '123e4567-e89b-42d3-a456-426614174000']) t.equal(timeOfId(none), undefined, none);
});
