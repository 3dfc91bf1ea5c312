import t from 'tap';
import { Entry } from '../../../src/gateways/zabbix/collecting/entry.js';
import { Outcomes } from '../../../src/gateways/zabbix/collecting/outcomes.js';
import { ItemLog } from '../../../src/gateways/zabbix/collecting/item-log.js';
import { ValueSink } from '../../../src/gateways/zabbix/collecting/value-sink.js';
import { until } from '../../support/until.js';
import { arrange, Received, valueOf, wanted } from './rig.js';

const WITHIN = 30_000;
const LINE = /^warn items of Zabbix are not supported/;

void t.test('what people have to mend is in the log, many items in one line, each once for a reason', async (t) => {
  const logged: string[] = [];
  const itemLog = new ItemLog((level, message, facts) => void logged.push(`${level} ${message} ${JSON.stringify(facts)}`), 50);
  const sink = new ValueSink(new Received(), () => undefined);
  const outcomes = new Outcomes({ sink, dependents: () => [], skipped: () => undefined, unserved: (entry, reason) => itemLog.unserved(entry, reason) });
  const { items, hosts } = wanted({ items: Array.from({ length: 100 }, () => ({ key: 'argo.status[s3cret]' })) });
  const entries = items.map((item) => new Entry(item, hosts.get(1)!, []));
  const refuse = (reason: string): void => entries.forEach((entry) => outcomes.refuse(entry, reason, Date.now()));

  for (let round = 0; round < 3; round += 1) refuse('NO SUCH INSTANCE: s3cret');
  await until(() => logged.length > 0, WITHIN, 'a line of the log');
  t.match(logged, [/^warn items of Zabbix are not supported {"items":100,"item":"argo.status","itemid":"1","host":"lj","reason":"NO SUCH INSTANCE"}$/]);
  for (const reason of ['NO SUCH INSTANCE: s3cret', 'WRONG STATE: lj is off', 'UNREACHABLE: demo']) refuse(reason);
  refuse('NOT ALLOWED');
  itemLog.close();
  t.equal(logged.length, 2);
  t.match(logged[1], /"items":100,.*"reason":"NOT ALLOWED"/);
  for (const entry of entries) itemLog.add('items of Zabbix could not be read', entry, { error: 'a fault of the driver' });
  itemLog.close();
  t.match(logged.slice(2), [/^warn items of Zabbix could not be read {"items":100,"item":"argo.status",.*"error":"a fault of the driver"}$/]);
  await sink.close();
});

void t.test('so it is of items that are collected, and what waits for its line is told at the end', async (t) => {
  const rig = await arrange(t);
  const collecting = rig.collecting();
  collecting.configured(wanted({ hosts: ['lj', 'nobody'], items: [{ key: 'argo.status' }, { key: 'argo.status', hostid: 2 }, { key: 'vfs.fs.size' }] }));
  for (const itemid of ['1', '2', '3']) await valueOf(rig, itemid);
  await collecting.close();
  t.match(rig.logged.filter((line) => LINE.test(line)), [/"items":2,/]);
});
