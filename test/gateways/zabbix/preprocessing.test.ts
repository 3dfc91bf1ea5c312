import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { ConfiguredItem } from '../../../src/protocols/zabbix/configuration.js';
import type { ConfiguredStep } from '../../../src/protocols/zabbix/preprocessing/configured-steps.js';
import { FakeMachine } from '../../instances/fake-driver.js';
import { until } from '../../support/until.js';
import { arrange, valueOf, wanted } from './rig.js';

const step = (type: number, params = '', onFail: ConfiguredStep['onFail'] = 'fail', failText = ''): ConfiguredStep => ({ type, params, onFail, failText });

class Counter extends FakeMachine {
  traffic = 0n;
  rx = (): Promise<bigint> => Promise.resolve(this.traffic += 1000n);
  info = () => Promise.resolve({ cpus: 2 });
}

// they mostly wait
t.jobs = 6;

void t.test('values go through their steps, and what cannot be done is told', async (t) => {
  const rig = await arrange(t, { own: [{ name: 'own', machines: [new Counter('m', 'on')] }] });
  const items: (Partial<ConfiguredItem> & { key: string })[] = [
    { key: 'argo.status', valueType: 'unsigned', steps: [step(1, '10')] },
    { key: 'argo.rx', valueType: 'float', steps: [step(10), step(1, '8')] },
    { key: 'argo.info', valueType: 'char', steps: [step(12, '$.name'), step(5, '^(.)\n<\\1>')] },
    { key: 'argo.discovery', valueType: 'text', steps: [step(12, '$[*]["{#ARGO.NAME}"]')] },
    { key: 'argo.status', valueType: 'unsigned', steps: [step(21, 'return 1', 'set value', '0')] },
    { key: 'argo.status', valueType: 'text', steps: [step(13, '5\n', 'set error', 'it is too small')] },
    { key: 'argo.load', valueType: 'unsigned', steps: [step(26, '', 'set value', '99')] },
    { key: 'argo.nothing', valueType: 'unsigned', steps: [step(26, '', 'set error', 'there is none')] },
    { key: 'argo.status', valueType: 'unsigned', steps: [step(12, '$.a', 'discard')] },
    { key: 'argo.status', valueType: 'char', steps: [step(5, '(.*)\n\\1\\1')] },
  ];
  rig.collecting().configured(wanted({ hosts: ['m'], items }));
  t.equal((await valueOf(rig, '1')).value, '10');
  const speed = Number((await valueOf(rig, '2')).value);
  t.ok(speed > 0 && speed < 100_000, `${speed} bits a second`);
  t.equal((await valueOf(rig, '3')).value, '<m>');
  t.match(JSON.parse((await valueOf(rig, '4')).value), ['lj', 'builder', 'test', 'dev', 'm']);
  t.match(await valueOf(rig, '5'), { state: 1, value: 'NOT SUPPORTED: step 1 of its preprocessing: JavaScript is not done here' });
  t.match(await valueOf(rig, '6'), { state: 1, value: 'it is too small' });
  t.match(await valueOf(rig, '7'), { state: undefined, value: '99' });
  t.match(await valueOf(rig, '8'), { state: 1, value: 'there is none' });
  t.equal((await valueOf(rig, '10')).value, 'onon');
  t.equal(rig.received.of('9').length, 0, 'what is discarded is not told');
});

void t.test('what steps know of the value before is kept while the item stays the same', async (t) => {
  const guest = new FakeMachine('m', 'on');
  const own = { name: 'own', machines: [guest] };
  const rig = await arrange(t, { own: [own] });
  const collecting = rig.collecting();
  const item = { key: 'argo.status', valueType: 'unsigned', steps: [step(19)] } as const;
  collecting.configured(wanted({ hosts: ['m'], items: [item] }));
  t.equal((await valueOf(rig, '1')).value, '1');
  collecting.configured(wanted({ hosts: ['m'], items: [item, { key: 'argo.status' }] }));
  collecting.configured(wanted({ hosts: ['m'], items: [{ ...item, delay: '2s' }, { key: 'argo.status' }] }));
  await until(() => rig.received.of('2').length >= 4, 15_000, 'some rounds');
  t.equal(rig.received.of('1').length, 1, 'the same is not told again, over changes of the rest');
  collecting.configured(wanted({ hosts: ['m'], items: [{ ...item, steps: [step(1, '1'), step(19)] }] }));
  await until(() => rig.received.of('1').length === 2, 10_000, 'the same for other steps');
  own.machines.length = 0;
  await rig.relist('own');
  await until(() => rig.received.last('1')?.state === 1, 10_000, 'that it is gone');
  own.machines.push(guest);
  await rig.relist('own');
  await until(() => rig.received.last('1')?.value === '1', 10_000, 'the same value once more: the server took it for unsupported');
});

void t.test('items are made of others', async (t) => {
  const own = { name: 'own', machines: [new Counter('m', 'on')] };
  const rig = await arrange(t, { own: [own] });
  const dependent = (masterItemid: string, steps: readonly ConfiguredStep[], more: Partial<ConfiguredItem> = {}) => ({ key: 'any.key', type: 18, delay: '0', masterItemid, steps, ...more });
  const collecting = rig.collecting();
  collecting.configured(wanted({ hosts: ['m'], items: [
    { key: 'argo.info', delay: '1s' },
    dependent('1', [step(12, '$.state')]),
    dependent('1', [step(12, '$.capabilities.length()')]),
    dependent('2', [step(6)], { valueType: 'unsigned' }),
    dependent('4', [step(1, '2')], { valueType: 'unsigned' }),
    dependent('5', [step(1, '2')], { valueType: 'unsigned' }),
    dependent('1', [], { valueType: 'unsigned' }),
    dependent('1', [step(24)]),
    dependent('99', []),
    { key: 'argo.info', delay: '1h' }, dependent('10', [step(12, '$.name')], { delay: '' }),
    { key: 'argo.discovery', delay: '1s' }, dependent('12', [step(12, '$..["{#ARGO.NAME}"].first()')]),
    dependent('15', []), dependent('14', []),
  ] }));
  t.equal((await valueOf(rig, '2')).value, 'on');
  t.match(await valueOf(rig, '3'), { state: 1, value: /^Preprocessing failed for: \{.*\n1\. Failed: cannot extract value from json by path/ });
  t.equal((await valueOf(rig, '4')).value, '1');
  t.equal((await valueOf(rig, '5')).value, '2');
  t.match(await valueOf(rig, '7'), { state: 1, value: /is not suitable for value type "Numeric \(unsigned\)"/ });
  t.match(await valueOf(rig, '8'), { state: 1, value: /CSV to JSON is not done here/ });
  t.equal((await valueOf(rig, '13')).value, 'lj');
  t.equal(rig.received.of('6').length, 0, 'three levels and no more');
  t.equal([9, 14, 15].flatMap((itemid) => rig.received.of(String(itemid))).length, 0, 'nor what depends on nothing that is read');
  const [master, made] = [rig.received.of('1')[0]!, rig.received.of('2')[0]!];
  t.same([made.clock, made.ns], [master.clock, master.ns], 'of the same time');

  const before = rig.received.of('11').length;
  collecting.checkNow('11');
  await until(() => rig.received.of('11').length > before, 10_000, 'a value at once, of what it is made of');

  own.machines.length = 0;
  await rig.relist('own');
  await until(() => rig.received.last('1')?.state === 1, 10_000, 'that it is gone');
  const told = rig.received.of('2').length;
  await sleep(2500);
  t.equal(rig.received.of('2').length, told);
  t.equal(rig.received.last('2')?.state, undefined, 'what depends on it stays as it was');
});
