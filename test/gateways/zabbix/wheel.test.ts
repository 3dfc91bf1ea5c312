import t from 'tap';
import { Wheel } from '../../../src/gateways/zabbix/collecting/wheel.js';

await t.test('what is due is taken once, earliest first, and no second is slept through', async (t) => {
  const wheel = new Wheel<string>(100);
  wheel.add(102, 'b');
  wheel.add(101, 'a');
  wheel.add(99, 'late');
  t.equal(wheel.pause(100_250), 750);
  t.same(wheel.take(100), [], 'a timer that ended early');
  t.equal(wheel.pause(101_000), 0, 'the second has begun since it was looked');
  t.same(wheel.take(101), [['a', 'late']]);
  t.equal(wheel.pause(101_001), 999);
  t.same(wheel.take(102), [['b']]);
  t.equal(wheel.pause(99_000), 1000, 'of a clock that went back');
  wheel.clear(99);
  t.equal(wheel.pause(99_400), 600);
});
