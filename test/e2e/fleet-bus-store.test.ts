import t, { type Test } from 'tap';
import type { NatsBus } from '../../src/fleet/bus.js';
import type { BusError, KeyEntry } from '../../src/fleet/contract.js';
import { chunkKey, EVENTS_OF_ALL, EVENTS_STREAM, eventSubject, INVENTORY_BUCKET, LEASES_BUCKET } from '../../src/fleet/subjects.js';
import { BUS_HEARTBEAT, BUS_HEARTBEAT_PATIENCE, FLEET_CHUNK_SIZE } from '../../src/kit/fleet-limits.js';
import { Nats, natsUser, NATS_PROGRAMS } from '../peers/nats.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { bytes, connected, failure, join, LONG_MS, words } from './support/fleet-bus.js';

/** Buckets, streams and what is watched, over the JetStream of a real nats-server. */

const front = natsUser('f1', 'front');
const berlin = natsUser('berlin', 'site');
const SHORT_WINDOW_NS = 1e8;

interface Watched {
  readonly entries: KeyEntry[];
  /** by key: the last value, undefined where it was deleted */
  readonly last: Map<string, string | undefined>;
  settled: number;
  stop(): void;
}

function watch(t: Test, bus: NatsBus, bucket: string, filter: string, told: (entry: KeyEntry) => void | Promise<void> = () => undefined): Watched {
  const controller = new AbortController();
  const watched: Watched = { entries: [], last: new Map(), settled: 0, stop: () => { controller.abort(); } };
  bus.bucket(bucket).watch(filter, (entry) => {
    watched.entries.push(entry);
    watched.last.set(entry.key, entry.value === undefined ? undefined : Buffer.from(entry.value).toString());
    return told(entry);
  }, controller.signal, () => { watched.settled += 1; });
  t.teardown(watched.stop);
  return watched;
}

await t.test('the store', { skip: lacks(...NATS_PROGRAMS) }, async (t) => {
  const nats = await Nats.start({ users: [front, berlin] });
  t.teardown(() => nats.stop());
  const { bus: reader, log } = join(t, nats, front);
  const { bus: site } = join(t, nats, berlin);
  const leases = site.bucket(LEASES_BUCKET);
  const inventory = site.bucket(INVENTORY_BUCKET);
  t.match(await failure(leases.get('san1')), { reason: 'down' });
  await connected(reader, site);

  await t.test('a bucket keeps the last of each key, and is written where nobody has written since', async (t) => {
    t.equal(await leases.get('san1'), undefined);
    const first = await leases.update('san1', bytes('one'), 0);
    t.match(await leases.get('san1'), { key: 'san1', revision: first });
    t.equal(Buffer.from((await leases.get('san1'))!.value!).toString(), 'one');
    t.match(await failure(leases.update('san1', bytes('two'), 0)), { reason: 'conflict' });
    const second = await leases.update('san1', bytes('two'), first);
    t.match(await failure(leases.update('san1', bytes('three'), first)), { reason: 'conflict' });
    t.ok(await leases.put('san1', bytes('three')) > second);
    await leases.delete('san1');
    t.equal(await leases.get('san1'), undefined);
    t.match(await failure(leases.update('san1', bytes('four'), second)), { reason: 'conflict' });
    const fourth = await leases.update('san1', bytes('four'), 0);
    t.match(await leases.get('san1'), { revision: fourth });
    const racers = await Promise.allSettled(Array.from({ length: 20 }, (_, at) => leases.update('san1', bytes(`racer ${at}`), fourth)));
    t.equal(racers.filter(({ status }) => status === 'fulfilled').length, 1, 'one of many who write at a time');
    for (const key of ['', 'a b', '*', 'a.>', '.a', 'a.', 'a..b', 'ü']) await t.rejects(leases.put(key, bytes('x')), /no key/);
    t.match(await failure(leases.put('other', bytes('x'))), { reason: 'store', message: /does not let us send/ }, 'one that is not ours to write');
    t.match(await failure(inventory.put(chunkKey('berlin', 'kvm1', 0), Buffer.alloc(FLEET_CHUNK_SIZE + 10_000))), { reason: 'store', message: /exceeds/ });
    t.ok(await inventory.put(chunkKey('berlin', 'kvm1', 0), Buffer.alloc(FLEET_CHUNK_SIZE)));
    await inventory.delete(chunkKey('berlin', 'kvm1', 0));
  });

  await t.test('a stream takes each event once, in order', async (t) => {
    const subject = eventSubject('berlin', 'state');
    const heard: string[] = [];
    t.teardown(reader.subscribe(EVENTS_OF_ALL, (message) => { heard.push(words(message)); }));
    t.equal(await site.lastOfSubject(EVENTS_STREAM, subject), undefined);
    const first = await site.addToStream(EVENTS_STREAM, subject, bytes('1'), 'id-1', 0);
    t.equal(await site.addToStream(EVENTS_STREAM, subject, bytes('1'), 'id-1', 0), first, 'sent again, it is there once');
    t.match(await failure(site.addToStream(EVENTS_STREAM, subject, bytes('2'), 'id-2', 0)), { reason: 'conflict', message: /wrong last sequence/ });
    const second = await site.addToStream(EVENTS_STREAM, subject, bytes('2'), 'id-2', first);
    t.equal(second, first + 1);
    t.match(await site.lastOfSubject(EVENTS_STREAM, subject), { seq: second });
    t.equal(words((await site.lastOfSubject(EVENTS_STREAM, subject))!), '2');
    await site.addToStream(EVENTS_STREAM, eventSubject('berlin', 'added'), bytes('other'), 'id-3');
    t.match(await site.lastOfSubject(EVENTS_STREAM, subject), { seq: second }, 'each subject has its own last');
    await until(() => heard.includes('other'), LONG_MS, 'the event at who listens');
    // Who listens hears what was sent, also what the stream knew or refused.
    t.same(heard, ['1', '1', '2', '2', 'other']);
    t.match(await failure(site.addToStream(EVENTS_STREAM, eventSubject('paris', 'state'), bytes('x'), 'id-4')), { reason: 'store', message: /does not let us send/ });

    // Beyond the time in which ids are known, it is its predecessor that tells.
    const { config } = await nats.ask(`STREAM.INFO.${EVENTS_STREAM}`) as { config: object };
    await nats.ask(`STREAM.UPDATE.${EVENTS_STREAM}`, { ...config, duplicate_window: SHORT_WINDOW_NS });
    await until(async () => (await site.addToStream(EVENTS_STREAM, subject, bytes('2'), 'id-2', first).catch(({ reason }: BusError) => reason)) === 'conflict', LONG_MS, 'the id to be forgotten');
    t.match(await site.lastOfSubject(EVENTS_STREAM, subject), { seq: second });
  });

  await t.test('what is watched: what is there, then what changes, each as its bucket has it', async (t) => {
    const key = (at: number): string => chunkKey('berlin', 'kvm1', at);
    for (let at = 0; at < 20; at += 1) await inventory.put(key(at), bytes(`value ${at}`));
    await inventory.delete(key(7));
    const all = watch(t, reader, INVENTORY_BUCKET, '>');
    const one = watch(t, reader, INVENTORY_BUCKET, `berlin.kvm1.${3}`);
    const none = watch(t, reader, INVENTORY_BUCKET, 'paris.>');
    await until(() => all.settled === 1 && one.settled === 1 && none.settled === 1, LONG_MS, 'all to be there');
    t.equal(all.last.get(key(19)), 'value 19');
    t.ok(all.last.has(key(7)) && all.last.get(key(7)) === undefined, 'one that was deleted is told as that');
    t.same(one.entries.map(({ key: name }) => name), [key(3)]);
    t.same(none.entries, []);
    const revision = await inventory.put(key(3), bytes('new'));
    await inventory.delete(key(4));
    await until(() => all.last.get(key(3)) === 'new' && all.last.get(key(4)) === undefined && one.last.get(key(3)) === 'new', LONG_MS, 'the change');
    t.match(one.entries.at(-1), { revision });
    all.stop();
    const { length } = all.entries;
    await inventory.put(key(5), bytes('unseen'));
    await inventory.put(key(3), bytes('seen by another'));
    await until(() => one.last.get(key(3)) === 'seen by another', LONG_MS, 'the change');
    t.equal(all.entries.length, length, 'one that is stopped hears nothing more');
    t.same(none.entries, []);
    t.equal(none.settled, 1);
  });

  await t.test('who is slow gets no more than it takes, and misses nothing', async (t) => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => { release = resolve; });
    const key = (at: number): string => chunkKey('berlin', 'slow', at);
    const value = 'x'.repeat(100_000);
    const slow = watch(t, reader, INVENTORY_BUCKET, 'berlin.slow.*', () => gate);
    await until(() => slow.settled === 1, LONG_MS, 'it to be there');
    const got = async (): Promise<number> => {
      const { connections } = await nats.servers[0]!.monitor('connz') as { connections: readonly { readonly name: string; readonly out_bytes: number }[] };
      return connections.find(({ name }) => name === 'f1')!.out_bytes;
    };
    const before = await got();
    for (let at = 0; at < 1000; at += 1) await inventory.put(key(at), bytes(`${at} ${value}`));
    // Longer than the patience with a store that says nothing: it says that it waits for us.
    await new Promise((done) => setTimeout(done, BUS_HEARTBEAT_PATIENCE + BUS_HEARTBEAT));
    t.ok(slow.entries.length <= 1);
    t.ok(await got() - before < 50_000_000, 'half of it waits at the server');
    release();
    await until(() => slow.last.size === 1000, LONG_MS, 'all of it');
    t.same(slow.entries.map(({ key: name }) => name), Array.from({ length: 1000 }, (_, at) => key(at)), 'each once, in order: it was not begun anew');
    await inventory.put(key(0), bytes('after'));
    await until(() => slow.last.get(key(0)) === 'after', LONG_MS, 'what comes afterwards');
  });

  await t.test('over a death of the server, a hang, and a bucket that is made anew', async (t) => {
    const key = chunkKey('berlin', 'kvm1', 3);
    const seen = watch(t, reader, INVENTORY_BUCKET, 'berlin.kvm1.*');
    await until(() => seen.settled === 1, LONG_MS, 'it to be there');
    const [server] = nats.servers;
    await server!.kill();
    await until(() => reader.trouble !== undefined && site.trouble !== undefined, LONG_MS, 'the loss');
    t.match(await failure(inventory.put(key, bytes('x'))), { reason: 'down' });
    await server!.start();
    await connected(reader, site);
    await inventory.put(key, bytes('after the death'));
    await until(() => seen.last.get(key) === 'after the death', LONG_MS, 'the change');

    server!.hang(true);
    t.match(await failure(inventory.put(key, bytes('x'))), { reason: 'store' }, 'nobody knows whether it was written');
    await until(() => reader.trouble !== undefined && site.trouble !== undefined, LONG_MS, 'the loss');
    server!.hang(false);
    await connected(reader, site);
    await inventory.put(key, bytes('after the hang'));
    await until(() => seen.last.get(key) === 'after the hang', LONG_MS, 'the change');

    await nats.ask(`STREAM.DELETE.KV_${INVENTORY_BUCKET}`);
    t.match(await failure(inventory.put(key, bytes('x'))), { reason: 'absent', message: /KV_argo-inventory.*fleet init/ });
    t.match(await failure(inventory.get(key)), { reason: 'absent' });
    await until(() => log.some((line) => /watched anew/.test(line)), LONG_MS, 'the watch to say so');
    await nats.makeStore();
    await inventory.put(key, bytes('in a new one'));
    await until(() => seen.last.get(key) === 'in a new one', LONG_MS, 'the change');
    t.equal(seen.settled, 1, 'told once');
  });

  await t.test('what was never made is told as that, and watched when it is made', async (t) => {
    const bare = await Nats.start({ users: [front, berlin], store: false });
    t.teardown(() => bare.stop());
    const { bus } = join(t, bare, berlin);
    await connected(bus);
    t.match(await failure(bus.bucket(INVENTORY_BUCKET).put(chunkKey('berlin', 'a', 0), bytes('x'))), { reason: 'absent' });
    t.match(await failure(bus.addToStream(EVENTS_STREAM, eventSubject('berlin', 'state'), bytes('x'), 'id')), { reason: 'absent' });
    const later = watch(t, join(t, bare, front).bus, INVENTORY_BUCKET, '>');
    await bare.makeStore();
    await until(() => later.settled === 1, LONG_MS, 'one that is made later to be watched');
    await bus.bucket(INVENTORY_BUCKET).put(chunkKey('berlin', 'a', 0), bytes('x'));
    await until(() => later.entries.length === 1, LONG_MS, 'the value');
  });

  await t.test('what cannot be taken is given again', async (t) => {
    let times = 0;
    const faulty = watch(t, reader, INVENTORY_BUCKET, 'berlin.kvm1.3', () => {
      times += 1;
      if (times === 1) throw new Error('a fault of the test');
    });
    await until(() => times === 2 && faulty.settled === 1, LONG_MS, 'it to come again');
    t.ok(log.some((line) => /a fault of the test/.test(line)));
  });
});
