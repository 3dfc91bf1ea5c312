import t from 'tap';
import { MAX_STRING_BYTES, XdrError, XdrReader, XdrWriter } from '../../../src/protocols/libvirt/xdr.js';

await t.test('what is written is read again', async (t) => {
  const body = new XdrWriter().int(-2).int(0xffffffff).string('').string('abc').string('grün').optionalString(null)
    .optionalString('x').fixed(Buffer.from([1, 2, 3, 4, 5])).bytes();
  t.equal(body.length % 4, 0);
  const reader = new XdrReader(body);
  t.equal(reader.int(), -2);
  t.equal(reader.unsigned(), 0xffffffff);
  t.equal(reader.string(), '');
  t.equal(reader.string(), 'abc');
  t.equal(reader.string(), 'grün');
  t.equal(reader.optionalString(), null);
  t.equal(reader.optionalString(), 'x');
  t.same(reader.fixed(5), Buffer.from([1, 2, 3, 4, 5]));
  t.equal(reader.left, 0);
});

await t.test('numbers of eight bytes', async (t) => {
  const body = Buffer.from('ffffffffffffffff' + 'fffffffffffffffe' + '3ff8000000000000', 'hex');
  const reader = new XdrReader(body);
  t.equal(reader.hyper(), -1n);
  t.equal(reader.unsignedHyper(), 18_446_744_073_709_551_614n);
  t.equal(reader.double(), 1.5);
});

await t.test('bytes that end too early are an error at every cut', async (t) => {
  const body = new XdrWriter().int(1).string('hello').optionalString('world').fixed(Buffer.alloc(16)).bytes();
  const readAll = (bytes: Buffer): void => {
    const reader = new XdrReader(bytes);
    reader.int();
    reader.string();
    reader.optionalString();
    reader.fixed(16);
  };
  t.doesNotThrow(() => readAll(body));
  for (let length = 0; length < body.length; length += 1) {
    t.throws(() => readAll(body.subarray(0, length)), XdrError, `cut at ${length}`);
  }
});

await t.test('absurd lengths cost nothing', async (t) => {
  const huge = new XdrWriter().int(0x7fffffff).int(0).bytes();
  t.throws(() => new XdrReader(huge).string(), XdrError);
  t.throws(() => new XdrReader(huge).array(0x7fffffff, () => 1), XdrError, 'more elements than bytes');
  t.throws(() => new XdrReader(huge).array(100, () => 1), XdrError, 'more elements than allowed');
  t.throws(() => new XdrReader(new XdrWriter().int(2).bytes()).optionalString(), XdrError, 'neither there nor not');
  t.throws(() => new XdrWriter().string('x'.repeat(MAX_STRING_BYTES + 1)), XdrError);
});

await t.test('a list', async (t) => {
  const reader = new XdrReader(new XdrWriter().int(3).int(7).int(8).int(9).bytes());
  t.same(reader.array(3, () => reader.int()), [7, 8, 9]);
});
