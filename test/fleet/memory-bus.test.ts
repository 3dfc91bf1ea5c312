import t from 'tap';
import { AUDIT_STREAM, auditSubject, chunkKey, EVENTS_STREAM, eventSubject, INVENTORY_BUCKET, orderSubject } from '../../src/fleet/subjects.js';
import { busContract } from '../support/fleet/bus-contract.js';
import { bytes, failure, LONG_MS, watch, words } from '../support/fleet/bus-helpers.js';
import { MemoryHub } from '../support/fleet/memory-bus.js';
import { until } from '../support/until.js';

/** The bus in memory, of which other tests make use: it does what nats-server does, and fails as they want it. */

/** For a question that nobody answers, ms. */
const SHORT_MS = 100;

await t.test('it is a bus, as the real one is', (t) => {
  const hub = new MemoryHub();
  return busContract(t, hub.connect('f1'), hub.connect('berlin'), hub.connect('berlin'));
});

await t.test('messages and answers are lost, doubled and held as a test wants it', async (t) => {
  const hub = new MemoryHub();
  const [front, site] = [hub.connect('f1'), hub.connect('berlin')];
  const heard: string[] = [];
  site.subscribe(orderSubject('berlin'), (message) => {
    heard.push(words(message));
    message.respond(bytes('done'));
  });
  const ask = (text: string, ms = SHORT_MS): Promise<string> => front.request(orderSubject('berlin'), bytes(text), {}, ms).then(words, ({ reason }: { reason: string }) => reason);
  hub.fate = ({ kind }) => (kind === 'message' ? 'twice' : 'deliver');
  t.equal(await ask('twice', LONG_MS), 'done');
  hub.fate = ({ kind }) => (kind === 'answer' ? 'lose' : 'deliver');
  t.equal(await ask('no answer'), 'late');
  hub.fate = ({ kind }) => (kind === 'message' ? 'lose' : 'deliver');
  t.equal(await ask('lost'), 'late');
  hub.fate = () => 'hold';
  t.equal(await ask('held'), 'late');
  t.same(heard, ['twice', 'twice', 'no answer']);
  hub.fate = () => 'deliver';
  t.equal(hub.held, 1);
  hub.release();
  await until(() => heard.length === 4, LONG_MS, 'the one that was held');
  t.same(hub.passed.filter(({ kind }) => kind === 'message').map(({ from, data }) => `${from} ${words({ data })}`), ['f1 twice', 'f1 no answer', 'f1 lost', 'f1 held']);
});

await t.test('what is wrong on the real one throws', async (t) => {
  const bus = new MemoryHub().connect('f1');
  for (const subject of ['', 'a b', 'a..b', 'a.', '.a', 'a.*', 'a.>']) t.throws(() => { bus.publish(subject, bytes('x')); }, /no subject/, subject);
  for (const filter of ['', 'a b', 'a..b', 'a.>.b', 'a*']) t.throws(() => bus.subscribe(filter, () => undefined), /no filter/, filter);
  t.throws(() => { bus.publish('a', Buffer.alloc(2 * 1024 * 1024)); }, /more than the bus takes/);
  await t.rejects(bus.addToStream(AUDIT_STREAM, 'argo.v1.event.berlin.state', bytes('x'), {}, 'id'), /not in the stream/);
});

await t.test('one that is cut off, and one that hangs', async (t) => {
  const hub = new MemoryHub();
  const [front, site] = [hub.connect('f1'), hub.connect('berlin')];
  const changes: (string | undefined)[] = [];
  site.onChange(() => { changes.push(site.trouble); });
  site.subscribe(orderSubject('berlin'), (message) => { message.respond(bytes('done')); });
  const reason = async (ms = LONG_MS): Promise<string> => front.request(orderSubject('berlin'), bytes('x'), {}, ms).then(words, (error: { reason: string }) => error.reason);
  site.cut('the cable');
  t.equal(await reason(), 'no responders');
  t.match(await failure(site.request('argo.v1.x', bytes('x'), {}, LONG_MS)), { reason: 'down', message: 'the cable' });
  t.match(await failure(site.bucket(INVENTORY_BUCKET).get('a')), { reason: 'down' });
  site.restore();
  t.equal(await reason(), 'done');
  site.hangs = true;
  t.equal(await reason(SHORT_MS), 'late');
  t.match(await failure(site.request('argo.v1.x', bytes('x'), {}, SHORT_MS)), { reason: 'late' });
  t.match(await failure(site.bucket(INVENTORY_BUCKET).get('a')), { reason: 'store' });
  site.restore();
  t.equal(await reason(), 'done');
  t.same(changes, ['the cable', undefined, undefined]);
  front.cut();
  t.equal(await reason(), 'down');
  await site.close();
  front.restore();
  t.equal(await reason(), 'no responders');
  t.throws(() => { site.restore(); }, /closed/);
});

await t.test('a store that does not answer, whose answers are lost, and that lacks something', async (t) => {
  const hub = new MemoryHub();
  const [front, site] = [hub.connect('f1'), hub.connect('berlin')];
  const inventory = site.bucket(INVENTORY_BUCKET);
  const key = chunkKey('berlin', 'kvm1', 0);
  hub.store.trouble = 'no quorum';
  const early = watch(t, front, INVENTORY_BUCKET, '>');
  t.match(await failure(inventory.put(key, bytes('x'))), { reason: 'store', message: 'no quorum' });
  hub.store.trouble = undefined;
  await until(() => early.settled === 1, LONG_MS, 'what is watched to go on');
  hub.store.losesAnswers = true;
  t.match(await failure(inventory.put(key, bytes('written'))), { reason: 'store' });
  t.match(await failure(site.addToStream(EVENTS_STREAM, eventSubject('berlin', 'state'), bytes('x'), {}, 'id', 0)), { reason: 'store' });
  hub.store.losesAnswers = false;
  t.equal(words({ data: (await inventory.get(key))!.value! }), 'written');
  t.equal(await site.addToStream(EVENTS_STREAM, eventSubject('berlin', 'state'), bytes('x'), {}, 'id', 0), 1);
  hub.store.forgetIds();
  t.match(await failure(site.addToStream(EVENTS_STREAM, eventSubject('berlin', 'state'), bytes('x'), {}, 'id', 0)), { reason: 'conflict' });
  t.same(hub.store.messages(EVENTS_STREAM).map(({ id }) => id), ['id']);
  hub.store.remove(AUDIT_STREAM);
  hub.store.remove(INVENTORY_BUCKET);
  t.match(await failure(front.addToStream(AUDIT_STREAM, auditSubject('f1'), bytes('x'), {}, 'id')), { reason: 'absent' });
  t.match(await failure(inventory.get(key)), { reason: 'absent' });
});

await t.test('what is watched over a break comes again', async (t) => {
  const hub = new MemoryHub();
  const [front, site] = [hub.connect('f1'), hub.connect('berlin')];
  const inventory = site.bucket(INVENTORY_BUCKET);
  const key = (at: number): string => chunkKey('berlin', 'kvm1', at);
  await inventory.put(key(0), bytes('zero'));
  await inventory.put(key(1), bytes('one'));
  const seen = watch(t, front, INVENTORY_BUCKET, '>');
  await until(() => seen.settled === 1, LONG_MS, 'it to be there');
  front.cut();
  await inventory.put(key(1), bytes('changed'));
  await inventory.delete(key(0));
  t.equal(seen.entries.length, 2);
  front.restore();
  await until(() => seen.entries.length === 4, LONG_MS, 'all of it');
  t.same([...seen.last], [[key(0), undefined], [key(1), 'changed']]);
  t.equal(seen.settled, 1);
});
