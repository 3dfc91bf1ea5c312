import t from 'tap';
import { isoDate, readObject, readPath, writePath } from '../../../src/protocols/dcom/values.js';
import { WmiAnswerError } from '../../../src/protocols/wmi/errors.js';

void t.test('dates become those of ISO 8601, and intervals stay', (t) => {
  t.equal(isoDate('20130410161723.500000+000'), '2013-04-10T16:17:23.5Z');
  t.equal(isoDate('20130410161723.000000+330'), '2013-04-10T16:17:23+05:30');
  t.equal(isoDate('20130410161723.123456-060'), '2013-04-10T16:17:23.123456-01:00');
  t.equal(isoDate('00000000000500.000000:000'), '00000000000500.000000:000');
  t.equal(isoDate('201304101617**.******+000'), '201304101617**.******+000');
  t.end();
});

void t.test('paths', (t) => {
  const path = { namespace: 'root/cimv2', className: 'Msvm_X', keys: { CreationClassName: 'a"b', DeviceID: 'Microsoft:1\\2' } };
  t.equal(writePath(path), 'Msvm_X.CreationClassName="a\\"b",DeviceID="Microsoft:1\\\\2"');
  t.equal(writePath({ ...path, keys: {} }), 'Msvm_X=@');
  t.same(readPath(`\\\\HV1\\root\\cimv2:${writePath(path)}`, 'other'), path, 'what is written is read');
  t.same(readPath(writePath(path), 'root/cimv2'), path);
  t.same(readPath('\\\\HV1\\root\\cimv2:Win32_OperatingSystem=@', ''), { namespace: 'root/cimv2', className: 'Win32_OperatingSystem', keys: {} });
  t.same(readPath('Win32_X.Index=12,Name="a,b=c"', 'n'), { namespace: 'n', className: 'Win32_X', keys: { Index: '12', Name: 'a,b=c' } });
  t.equal(readPath('no path at all', 'n'), undefined);
  t.end();
});

void t.test('objects', (t) => {
  const row = {
    Name: ['string', 'x'], Nothing: ['string', null], Yes: ['bool', 'True'], Big: ['uint64', '18446744073709551615'], Since: ['datetime', '20130410161723.000000+000'],
    All: ['string[]', ['a', 'b']], None: ['string[]', []], No: ['uint32[]', null], In: ['object', { A: ['uint8', '1'] }], Ins: ['object[]', [{ A: ['uint8', '2'] }]],
    Of: ['reference', '\\\\H\\root\\cimv2:C.K="v"'],
  };
  t.same(readObject(row, 'root/cimv2'), {
    Name: 'x', Nothing: null, Yes: 'true', Big: '18446744073709551615', Since: '2013-04-10T16:17:23Z', All: ['a', 'b'], None: [], No: null, In: { A: '1' }, Ins: [{ A: '2' }],
    Of: { namespace: 'root/cimv2', className: 'C', keys: { K: 'v' } },
  });
  for (const bad of [null, [], 'x', { A: 'x' }, { A: [1, 'x'] }, { A: ['string'] }, { A: ['string', 1] }, { A: ['string[]', 'x'] }, { A: ['object', 'x'] }]) {
    t.throws(() => readObject(bad, 'n'), WmiAnswerError, JSON.stringify(bad));
  }
  t.end();
});
