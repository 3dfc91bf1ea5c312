import t from 'tap';
import { describeOptions } from '../../src/instances/order.js';

void t.test('times are told to the millisecond', (t) => {
  t.equal(describeOptions({ action: 'stop', mode: 'soft', wait: 9998.123456 }, 4999.9999), '--timeout=5 --wait=9.998');
  t.equal(describeOptions({ action: 'stop', mode: { softFor: 60_000.04 }, wait: true }, undefined), '--force --timeout=60 --wait');
  t.equal(describeOptions({ action: 'start', mode: 'soft', wait: 5 }, undefined), '--wait=0.005');
  t.end();
});
