import t from 'tap';
import { MessageFault } from '../../src/fleet/messages.js';
import { packed, parcelsOf, Posting, unpacked } from '../../src/fleet/parcels.js';
import { FLEET_MESSAGE, FLEET_PARCEL } from '../../src/kit/fleet-limits.js';
import { until } from '../support/until.js';

const WITHIN = 30_000;
const written = (content: unknown) => ({ data: Buffer.from(JSON.stringify(content)) });

void t.test('one message is as it is, several are a list, and both are read again', async (t) => {
  t.equal(String(packed([written({ id: 'a' })])), '{"id":"a"}');
  t.equal(String(packed([written({ id: 'a' }), written({ id: 'b' }), written('ü')])), '[{"id":"a"},{"id":"b"},"ü"]');
  t.same(unpacked(packed([written({ id: 'a' })])), [{ id: 'a' }]);
  t.same(unpacked(packed([written({ id: 'a' }), written({ id: 'b' })])), [{ id: 'a' }, { id: 'b' }]);
});

void t.test('many are parted, so that each part may be sent and read', async (t) => {
  for (const [count, size] of [
    [1, 10],
    [FLEET_PARCEL, 10],
    [FLEET_PARCEL + 1, 10],
    [1000, 10],
    [40, 5000],
    [3, FLEET_MESSAGE - 2],
    [5, FLEET_MESSAGE / 2 - 3],
  ] as const) {
    const all = Array.from({ length: count }, (_, index) => written(String(index).padStart(size, 'x')));
    const parts = [...parcelsOf(all)];
    t.same(parts.flat(), all, `${count} of ${size}`);
    t.same(
      parts.flatMap((part) => unpacked(packed(part))),
      all.map(({ data }) => JSON.parse(String(data)) as string),
    );
  }
  t.equal([...parcelsOf(Array.from({ length: FLEET_PARCEL + 1 }, () => written('x')))].length, 2, 'not in more parts than they need');
  t.equal([...parcelsOf([])].length, 0);
});

void t.test('what is no parcel, or holds too much, is refused', async (t) => {
  const faults: readonly (readonly [string, Buffer])[] = [
    ['no JSON', Buffer.from('[{"id":"a"},')], ['no UTF-8', Buffer.from([0x22, 0xff, 0x22])], ['nothing', Buffer.alloc(0)],
    ['too many', Buffer.from(JSON.stringify(Array.from({ length: FLEET_PARCEL + 1 }, () => 1)))], ['too large', written('x'.repeat(FLEET_MESSAGE)).data],
  ];
  for (const [what, data] of faults) t.throws(() => unpacked(data), MessageFault, what);
  t.throws(() => unpacked(written('x'.repeat(100)).data, 50), MessageFault, 'too large for one that comes alone');
  t.same(unpacked(packed([written('x'.repeat(100)), written('y')]), 50), ['x'.repeat(100), 'y']);
});

void t.test('what is to go to one place in one turn goes together, in order, and nothing is left behind', async (t) => {
  const given: string[] = [];
  const posting = new Posting<string, ReturnType<typeof written>>((to, parcel) => { given.push(`${to}: ${String(packed(parcel))}`); }, { gathering: WITHIN, signing: 0 });
  for (const [to, content] of [['a', 1], ['b', 2], ['a', 3]] as const) posting.put(to, written(content));
  t.same(given, []);
  await until(() => given.length === 2, WITHIN, 'both to go out');
  t.same(given, ['a: [1,3]', 'b: 2'], 'also where signing takes longer than a turn may');
  posting.put('a', written(4));
  posting.flush();
  t.same(given.slice(2), ['a: 4'], 'at once where that is wanted');
  posting.put('c', written(5));
  await until(() => given.length === 4, WITHIN, 'what comes afterwards');
});

void t.test('several wait for more as long as more comes, but not for ever', async (t) => {
  const given: string[] = [];
  const give = (to: string, parcel: readonly { readonly data: Uint8Array }[]): void => { given.push(`${to}: ${String(packed(parcel))}`); };
  const patient = new Posting<string, ReturnType<typeof written>>(give, { gathering: WITHIN, signing: WITHIN });
  for (const content of [1, 2]) patient.put('a', written(content));
  for (const content of [3, 4]) {
    await new Promise(setImmediate);
    patient.put('a', written(content));
  }
  await until(() => given.length > 0, WITHIN, 'all of them');
  t.same(given.splice(0), ['a: [1,2,3,4]']);
  const impatient = new Posting<string, ReturnType<typeof written>>(give, { gathering: 0, signing: WITHIN });
  let content = 0;
  await until(
    () => {
      impatient.put('a', written((content += 1)));
      impatient.put('a', written((content += 1)));
      return given.length > 1;
    },
    WITHIN,
    'some of what never ends',
  );
  t.equal(given[0], 'a: [1,2]');
});
