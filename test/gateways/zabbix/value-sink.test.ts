import t, { type Test } from 'tap';
import { ValueSink } from '../../../src/gateways/zabbix/collecting/value-sink.js';
import type { NewValue } from '../../../src/gateways/zabbix/contract.js';
import { VALUES_A_WRITE, VALUES_WAITING_SIZE } from '../../../src/kit/zabbix-collecting-limits.js';
import { StateError } from '../../../src/store/state-error.js';
import { until } from '../../support/until.js';
import { Received } from './rig.js';
import { value } from './speaking.js';

/** What becomes of values that cannot be kept. */

/** As much as a store takes in one go. */
const GO = 10_000;

class Narrow extends Received {
  override values(values: readonly NewValue[]): Promise<void> {
    if (JSON.stringify(values).length > GO) return Promise.reject(new StateError('too large', `at most ${GO} characters in one go`));
    return super.values(values);
  }
}

function sinkFor(t: Test, received: Received) {
  const logged: string[] = [];
  const sink = new ValueSink(received, (level, message, facts) => void logged.push(`${level} ${message} ${JSON.stringify(facts)}`));
  t.teardown(() => sink.close());
  return { sink, logged };
}

const kept = (received: Received, count: number): Promise<void> => until(() => received.all.length >= count, 10_000, `${count} values to be kept`);

void t.test('those that are too long together go in parts, in order, and one that is too long alone keeps no other waiting', async (t) => {
  const received = new Narrow();
  const { sink, logged } = sinkFor(t, received);
  const count = 2 * VALUES_A_WRITE;
  for (let index = 0; index < count; index += 1) sink.add(value(String(index), 'x'.repeat(index === 700 ? GO : 100)));
  await kept(received, count - 1);
  t.same(received.all.map(({ itemid }) => Number(itemid)), Array.from({ length: count }, (_, index) => index).filter((index) => index !== 700));
  t.same(received.lost, { 'too large': 1 });
  t.same(logged, ['error a value for Zabbix is too long to be kept {"lost":1,"itemid":"700"}']);
  t.equal(sink.waiting, 0);
});

void t.test('those that could not be kept until the end are lost, which is told and counted', async (t) => {
  const received = new Received();
  const { sink, logged } = sinkFor(t, received);
  received.refuse = new StateError('unavailable', 'the disk is full');
  for (const itemid of ['1', '2', '3']) sink.add(value(itemid));
  await until(() => logged.length > 0, 10_000, 'a first attempt');
  await sink.close();
  t.same(received.lost, { shutdown: 3 });
  t.match(logged, [/^error values for Zabbix cannot be kept/, 'error values are lost, since they could not be kept until the end {"lost":3}']);
});

void t.test('long values fill it sooner', async (t) => {
  const received = new Received();
  const { sink } = sinkFor(t, received);
  received.refuse = new StateError('unavailable', 'the disk is full');
  const text = 'x'.repeat(VALUES_WAITING_SIZE / 16);
  for (let index = 0; index < 15; index += 1) sink.add(value('1', text));
  t.equal(sink.isFull, false);
  sink.add(value('1', text));
  t.equal(sink.isFull, true);
  received.refuse = undefined;
  await kept(received, 16);
  t.equal(sink.isFull, false);
});
