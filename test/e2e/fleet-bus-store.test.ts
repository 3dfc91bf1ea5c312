import { connect, headers, nkeyAuthenticator } from '@nats-io/transport-node';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { keysSubject } from '../../src/fleet/bus-store.js';
import type { BusError } from '../../src/fleet/contract.js';
import { chunkKey, EVENTS_STREAM, eventSubject, inboxPrefix, INVENTORY_BUCKET, LEASES_BUCKET } from '../../src/fleet/subjects.js';
import { BUS_HEARTBEAT, BUS_HEARTBEAT_PATIENCE } from '../../src/kit/fleet-limits.js';
import { Nats, natsUser, NATS_PROGRAMS } from '../peers/nats.js';
import { busContract } from '../support/fleet/bus-contract.js';
import { bytes, failure, LONG_MS, watch } from '../support/fleet/bus-helpers.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { connected, join } from './support/fleet-bus.js';

/** Buckets, streams and what is watched, over the JetStream of a real nats-server. */

const front = natsUser('f1', 'front');
const berlin = natsUser('berlin', 'site');
const paris = natsUser('paris', 'site');
const SHORT_WINDOW_NS = 1e8;

await t.test('the store', { skip: lacks(...NATS_PROGRAMS) }, async (t) => {
  const nats = await Nats.start({ users: [front, berlin, paris] });
  t.teardown(() => nats.stop());
  const { bus: reader, log } = join(t, nats, front);
  const { bus: site } = join(t, nats, berlin);
  const leases = site.bucket(LEASES_BUCKET);
  const inventory = site.bucket(INVENTORY_BUCKET);
  t.match(await failure(leases.get('san1')), { reason: 'down' });
  await connected(reader, site);

  await t.test('it is a bus', async (t) => {
    const { bus: twin } = join(t, nats, berlin);
    await connected(twin);
    await busContract(t, reader, site, twin);
  });

  await t.test('what is not ours to write is refused, with the reason', async (t) => {
    t.match(await failure(leases.put('other', bytes('x'))), { reason: 'store', message: /does not let us send/ });
    t.match(await failure(inventory.put(chunkKey('paris', 'kvm1', 0), bytes('x'))), { reason: 'store', message: /does not let us send/ });
    t.match(await failure(site.addToStream(EVENTS_STREAM, eventSubject('paris', 'state'), bytes('x'), {}, 'id-4')), { reason: 'store', message: /does not let us send/ });
  });

  await t.test('who may write one key cannot have those of others forgotten', async (t) => {
    const { bus: other } = join(t, nats, paris);
    const thief = await connect({
      servers: [...nats.urls], tls: { ca: readFileSync(nats.caFile!, 'utf8') }, inboxPrefix: inboxPrefix('berlin'), reconnect: false,
      authenticator: nkeyAuthenticator(new TextEncoder().encode(berlin.seed)),
    });
    t.teardown(() => thief.close());
    await connected(other);
    const theirs = chunkKey('paris', 'kvm1', 0);
    await other.bucket(INVENTORY_BUCKET).put(theirs, bytes('theirs'));
    for (const scope of ['all', 'sub']) {
      const made = headers();
      made.set('Nats-Rollup', scope);
      const answer = await thief.request(keysSubject(INVENTORY_BUCKET, chunkKey('berlin', 'kvm1', 9)), bytes('x'), { timeout: LONG_MS, headers: made });
      t.match(answer.json(), { error: { description: /rollup not permitted/i } }, scope);
    }
    // the store's own answer to a question would be an order to it: whoever may ask anything, may send that
    thief.publish(`$JS.API.STREAM.INFO.KV_${INVENTORY_BUCKET}`, new Uint8Array(), { reply: `$JS.API.STREAM.PURGE.KV_${INVENTORY_BUCKET}` });
    await thief.flush();
    await site.bucket(INVENTORY_BUCKET).put(chunkKey('berlin', 'kvm1', 8), bytes('after that'));
    t.match(await other.bucket(INVENTORY_BUCKET).get(theirs), { value: bytes('theirs') });
  });

  await t.test('where a value stands says the store, whatever who has written it says of that', async (t) => {
    const key = chunkKey('berlin', 'kvm1', 7);
    const written = await inventory.put(key, bytes('ours'));
    const thief = await connect({
      servers: [...nats.urls], tls: { ca: readFileSync(nats.caFile!, 'utf8') }, inboxPrefix: inboxPrefix('berlin'), reconnect: false,
      authenticator: nkeyAuthenticator(new TextEncoder().encode(berlin.seed)),
    });
    t.teardown(() => thief.close());
    const made = headers();
    made.set('Nats-Sequence', String(written));
    const { seq } = (await thief.request(keysSubject(INVENTORY_BUCKET, key), bytes('theirs'), { timeout: LONG_MS, headers: made })).json<{ readonly seq: number }>();
    t.ok(seq > written);
    t.match(await inventory.get(key), { value: bytes('theirs'), revision: seq });
  });

  await t.test('an event is in a stream once, also beyond the time in which its id is known', async (t) => {
    const subject = eventSubject('berlin', 'removed');
    const first = await site.addToStream(EVENTS_STREAM, subject, bytes('1'), {}, 'removed-1', 0);
    const { config } = await nats.ask(`STREAM.INFO.${EVENTS_STREAM}`) as { config: object };
    await nats.ask(`STREAM.UPDATE.${EVENTS_STREAM}`, { ...config, duplicate_window: SHORT_WINDOW_NS });
    await until(async () => (await site.addToStream(EVENTS_STREAM, subject, bytes('1'), {}, 'removed-1', 0).catch(({ reason }: BusError) => reason)) === 'conflict', LONG_MS, 'the id to be forgotten');
    t.match(await site.lastOfSubject(EVENTS_STREAM, subject), { seq: first });
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

  await t.test('who is still at one when the server dies gets the next afterwards', async (t) => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => { release = resolve; });
    const key = chunkKey('berlin', 'late', 0);
    const busy = watch(t, reader, INVENTORY_BUCKET, key, () => gate);
    const other = watch(t, reader, INVENTORY_BUCKET, key);
    await inventory.put(key, bytes('old'));
    await until(() => busy.entries.length === 1 && other.entries.length === 1, LONG_MS, 'the first');
    await nats.servers[0]!.kill();
    await until(() => reader.trouble !== undefined && site.trouble !== undefined, LONG_MS, 'the loss');
    await nats.servers[0]!.start();
    await connected(reader, site);
    await inventory.put(key, bytes('new'));
    await until(() => other.last.get(key) === 'new', LONG_MS, 'the change, at one who is not busy');
    t.equal(busy.entries.length, 1);
    release();
    await until(() => busy.last.get(key) === 'new', LONG_MS, 'the change');
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
    t.match(await failure(bus.addToStream(EVENTS_STREAM, eventSubject('berlin', 'state'), bytes('x'), {}, 'id')), { reason: 'absent' });
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
