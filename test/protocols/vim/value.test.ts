import t from 'tap';
import { at, flagOf, isRef, listOf, numberOf, textOf, toValue } from '../../../src/protocols/vim/value.js';

const xsi = (type: string, rest: object): object => ({ attributes: { 'xsi:type': type }, ...rest });

await t.test('elements as values', (t) => {
  t.equal(toValue(xsi('xsd:int', { $value: '42' })), 42);
  t.equal(toValue(xsi('xsd:boolean', { $value: 'false' })), false);
  t.equal(toValue(xsi('xsd:string', {})), '');
  t.equal(toValue(null), null);
  t.same(toValue(xsi('xsd:dateTime', { $value: '2026-01-01T00:00:00Z' })), new Date('2026-01-01T00:00:00Z'));
  t.same(toValue({ attributes: { 'XMLSchema-instance:type': 'ManagedObjectReference', type: 'HostSystem' }, $value: 'host-1' }), { type: 'HostSystem', value: 'host-1' });
  t.same(toValue(xsi('ArrayOfString', { string: 'one' })), ['one']);
  t.same(toValue(xsi('ArrayOfString', { string: ['one', 'two'] })), ['one', 'two']);
  t.same(toValue(xsi('ArrayOfString', {})), []);
  t.same(toValue(xsi('VirtualDisk', { key: '1' })), { $type: 'VirtualDisk', key: '1' });
  t.end();
});

await t.test('no depth of nesting does harm', (t) => {
  let deep: unknown = 'x';
  for (let i = 0; i < 100_000; i += 1) deep = { a: deep };
  t.throws(() => toValue(deep), RangeError);
  t.end();
});

await t.test('fields', (t) => {
  const value = toValue({ a: { b: '7', c: 'true', d: null } });
  t.equal(numberOf(at(value, 'a', 'b')), 7);
  t.equal(numberOf(at(value, 'a', 'c')), undefined);
  t.equal(flagOf(at(value, 'a', 'c')), true);
  t.equal(textOf(at(value, 'a', 'd')), undefined);
  t.same(listOf(at(value, 'x', 'y')), []);
  t.equal(isRef(at(value, 'a')), false);
  t.end();
});
