import t from 'tap';
import { Availability } from '../../../src/gateways/zabbix/collecting/availability.js';
import { Entry } from '../../../src/gateways/zabbix/collecting/entry.js';
import { Outcomes } from '../../../src/gateways/zabbix/collecting/outcomes.js';
import { Silence } from '../../../src/gateways/zabbix/collecting/subjects.js';
import { ValueSink } from '../../../src/gateways/zabbix/collecting/value-sink.js';
import { TOLD_ONCE_MORE } from '../../../src/kit/zabbix-collecting-limits.js';
import type { ConfiguredItem } from '../../../src/protocols/zabbix/configuration.js';
import { arrange, Received, wanted } from './rig.js';

/** A server before 6.4 drops what it is told of items and interfaces that it has handed out and not read itself yet, and says that all is well. */

const NOW = 1_700_000_000;
const MORE = TOLD_ONCE_MORE / 1000;
const AGES = 24 * 3600;

function entryOf(item: Partial<ConfiguredItem>): Entry {
  const { items, hosts } = wanted({ items: [{ key: 'argo.status', ...item }] });
  return new Entry(items[0]!, hosts.get(1)!, []);
}

void t.test('an item of a long interval is read once more after it was new, and then at its interval', (t) => {
  const entry = entryOf({ delay: '1d' });
  const first = entry.firstDue(NOW)!;
  const second = entry.due(first)!;
  t.equal(second, first + MORE);
  t.ok(entry.due(second)! <= second + AGES);
  t.not(entry.due(second), second);
  t.equal(entry.due(second), entryOf({ delay: '1d' }).due(second));
  t.end();
});

void t.test('why an item has no interval is told twice', (t) => {
  const entry = entryOf({ delay: 'nonsense' });
  const first = entry.firstDue(NOW)!;
  t.equal(entry.due(first), first + MORE);
  t.equal(entry.due(first + MORE), undefined);
  t.end();
});

void t.test('one of a short interval keeps it, and one that is read at certain times only keeps these', (t) => {
  for (const delay of ['10s', '0;m/10']) {
    const [entry, known] = [entryOf({ delay }), entryOf({ delay })];
    for (let at = entry.firstDue(NOW)!; at < NOW + 3 * MORE; at = entry.due(at)!) t.equal(entry.due(at), known.due(at), delay);
  }
  t.end();
});

void t.test('the same reason and the same value are told once more after an item was new, and once', async (t) => {
  const received = new Received();
  const entries = [
    entryOf({ itemid: 'refused' }), entryOf({ itemid: 'same', steps: [{ type: 19, params: '', onFail: 'fail', failText: '' }] }),
    entryOf({ itemid: 'dependent', masterItemid: 'same', steps: [{ type: 19, params: '', onFail: 'fail', failText: '' }] }),
  ];
  const [refused, same, dependent] = entries as [Entry, Entry, Entry];
  const sink = new ValueSink(received, () => undefined);
  const outcomes = new Outcomes({ sink, dependents: (itemid) => (itemid === 'same' ? [dependent] : []), skipped: () => undefined, unserved: () => undefined });
  for (const entry of entries) entry.firstDue(NOW);
  for (const after of [1, 10, MORE + 1, MORE + 10, 2 * MORE, 5 * MORE]) {
    outcomes.refuse(refused, 'NO SUCH INSTANCE', (NOW + after) * 1000);
    await outcomes.take(same, { value: 'on' }, (NOW + after) * 1000);
  }
  await sink.close();
  for (const itemid of ['refused', 'same', 'dependent']) t.same(received.of(itemid).map(({ clock }) => clock - NOW), [1, MORE + 1], itemid);
});

void t.test('whether interfaces are available is told once more after a configuration', async (t) => {
  const rig = await arrange(t);
  let now = 0;
  const availability = new Availability(rig.received, new Silence(), () => now);
  availability.configured(wanted({ interfaces: [{}] }));
  for (now of [0, 10_000, TOLD_ONCE_MORE, TOLD_ONCE_MORE + 10_000, 10 * TOLD_ONCE_MORE]) await availability.look(rig.member.actor('test'));
  t.match(rig.received.available, [{ interfaceid: 1, available: 1 }, { interfaceid: 1, available: 1 }]);
  t.equal(rig.received.available.length, 2);
});
