import t from 'tap';
import { LastingBus } from '../../src/fleet/lasting-bus.js';
import { INVENTORY_BUCKET } from '../../src/fleet/subjects.js';
import { MemoryHub } from '../support/fleet/memory-bus.js';
import { until } from '../support/until.js';

const WITHIN = 30_000;
const text = (data: Uint8Array | undefined): string => Buffer.from(data ?? []).toString();

await t.test('what is subscribed and watched goes on by another connection, and by that one alone', async (t) => {
  const [first, second] = [new MemoryHub(), new MemoryHub()];
  const [one, other] = [first.connect('us'), second.connect('us')];
  const [firstPeer, secondPeer] = [first.connect('peer'), second.connect('peer')];
  const bus = new LastingBus(one);
  const heard: string[] = [];
  const seen: string[] = [];
  let changes = 0;
  const ending = new AbortController();
  bus.onChange(() => { changes += 1; });
  const end = bus.subscribe('a.*', ({ data }) => heard.push(text(data)));
  bus.bucket(INVENTORY_BUCKET).watch('>', ({ key, value }) => { seen.push(`${key}=${text(value)}`); }, ending.signal);
  firstPeer.publish('a.b', Buffer.from('one'));
  await firstPeer.bucket(INVENTORY_BUCKET).put('k.1', Buffer.from('1'));
  await until(() => heard.length + seen.length === 2, WITHIN, 'what comes by the first');

  await bus.replace(other);
  t.equal(changes, 1, 'who follows the connection is told');
  t.equal(one.trouble, 'it is closed');
  firstPeer.publish('a.b', Buffer.from('lost'));
  secondPeer.publish('a.b', Buffer.from('two'));
  await secondPeer.bucket(INVENTORY_BUCKET).put('k.2', Buffer.from('2'));
  await until(() => heard.length + seen.length === 4, WITHIN, 'what comes by the second');
  t.same([heard, seen], [['one', 'two'], ['k.1=1', 'k.2=2']]);
  t.equal(text((await bus.bucket(INVENTORY_BUCKET).get('k.2'))?.value), '2');

  other.cut('the cable');
  t.same([bus.trouble, changes], ['the cable', 2]);
  other.restore();
  t.same([bus.trouble, changes], [undefined, 3]);
  end();
  ending.abort();
  secondPeer.publish('a.b', Buffer.from('three'));
  await secondPeer.bucket(INVENTORY_BUCKET).put('k.3', Buffer.from('3'));
  secondPeer.subscribe('q', (message) => { message.respond(Buffer.from('answer')); });
  t.equal(text((await bus.request('q', Buffer.from('?'), {}, WITHIN)).data), 'answer');
  t.same([heard.length, seen.length], [2, 2], 'what has ended stays ended');
  await bus.close();
  t.equal(other.trouble, 'it is closed');
});
