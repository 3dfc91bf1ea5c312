import t from 'tap';
import { Tail } from '../../../src/gateways/zabbix/speaking/tail.js';

void t.test('where the values begin that were acknowledged of late', (t) => {
  const tail = new Tail();
  t.equal(tail.begin(-3000), undefined);
  tail.add(0, 0);
  tail.add(10, 1000);
  tail.add(25, 2000);
  t.equal(tail.begin(-500), 0);
  t.equal(tail.begin(500), 10);
  t.equal(tail.begin(1000), 10);
  t.equal(tail.begin(1001), 25);
  t.equal(tail.begin(2001), undefined);
  t.equal(tail.begin(2001), undefined);
  for (let at = 0; at < 100_000; at += 1) tail.add(at, 6000);
  t.ok(tail.begin(3000)! > 90_000, 'a backlog does not grow it without end');
  t.end();
});
