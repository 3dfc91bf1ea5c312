import type { Test } from 'tap';
import { isConflict, type Bus } from '../../../src/fleet/contract.js';
import { ALIVE_OF_ALL, aliveSubject, askSubject, chunkKey, EVENTS_OF_ALL, EVENTS_STREAM, eventSubject, INVENTORY_BUCKET, LEASES_BUCKET, orderSubject, resultSubject } from '../../../src/fleet/subjects.js';
import { FLEET_CHUNK_SIZE } from '../../../src/kit/fleet-limits.js';
import { until } from '../until.js';
import { bytes, failure, LONG_MS, watch, words } from './bus-helpers.js';

/**
 * What a bus does for whoever uses it: asked of the real one and of the one in memory, so that what holds over the double
 * holds over nats-server.
 * @param front of f1
 * @param site of berlin, with the lease san1; no other site is there
 * @param twin another process of that site
 */
export async function busContract(t: Test, front: Bus, site: Bus, twin: Bus): Promise<void> {
  await t.test('messages', (inner) => messages(inner, front, site, twin));
  await t.test('a bucket keeps the last of each key, and is written where nobody has written since', (inner) => buckets(inner, site));
  await t.test('a stream takes each event once, in order', (inner) => streams(inner, front, site));
  await t.test('what is watched: what is there, then what changes', (inner) => watches(inner, front, site));
}

/** Subscribes, and waits until the bus knows that. @returns the questions that were heard from then on */
async function serve(t: Test, bus: Bus, subject: string, asker: Bus, answers: (question: string) => readonly string[], queue?: string): Promise<string[]> {
  const heard: string[] = [];
  t.teardown(bus.subscribe(subject, (message) => {
    heard.push(words(message));
    for (const answer of answers(words(message))) message.respond(bytes(answer), { Word: 'answered' });
  }, queue));
  await until(async () => {
    await asker.request(subject, bytes('?'), {}, 100).catch(() => undefined);
    return heard.length > 0;
  }, LONG_MS, 'somebody to listen');
  heard.length = 0;
  return heard;
}

async function messages(t: Test, front: Bus, site: Bus, twin: Bus): Promise<void> {
  t.match(await failure(front.request(orderSubject('paris'), bytes('x'), {}, 10 * LONG_MS)), { reason: 'no responders' });
  const heard = await serve(t, site, orderSubject('berlin'), front, (question) => [`did ${question}`], 'site');
  const answer = await front.request(orderSubject('berlin'), bytes('start'), { 'Argo-From': 'f1' }, LONG_MS);
  t.equal(words(answer), 'did start');
  t.equal(answer.header('Word'), 'answered');
  t.equal(answer.header('Other'), undefined);

  await serve(t, site, askSubject('berlin'), front, () => ['one', 'two', 'three', 'four']);
  const told: string[] = [];
  const conversation = front.converse(askSubject('berlin'), bytes('?'), {}, (message) => {
    told.push(words(message));
    if (told.length === 3) conversation.end();
  }, (error) => { t.fail(error.message); });
  await until(() => told.length >= 3, LONG_MS, 'the answers');
  await front.request(askSubject('berlin'), bytes('?'), {}, LONG_MS);
  t.same(told, ['one', 'two', 'three'], 'in order, and none after the end');

  await serve(t, site, resultSubject('berlin'), front, () => []);
  t.match(await failure(front.request(resultSubject('berlin'), bytes('?'), {}, 50)), { reason: 'late' });
  const controller = new AbortController();
  const given = front.request(resultSubject('berlin'), bytes('?'), {}, LONG_MS, controller.signal);
  controller.abort(new Error('not waited for'));
  await t.rejects(given, /not waited for/);
  await t.rejects(front.request(resultSubject('berlin'), bytes('?'), {}, LONG_MS, controller.signal), /not waited for/);

  const theirs = await serve(t, twin, orderSubject('berlin'), front, () => ['by the other'], 'site');
  heard.length = 0;
  await Promise.all(Array.from({ length: 100 }, () => front.request(orderSubject('berlin'), bytes('x'), {}, LONG_MS)));
  t.equal(theirs.length + heard.length, 100, 'each goes to one of the processes of a site');
  t.ok(theirs.length > 0 && heard.length > 0, 'and to both in turns');

  const alive: string[] = [];
  const end = front.subscribe(ALIVE_OF_ALL, (message) => {
    alive.push(`${message.subject} ${words(message)} ${message.header('Argo-From') ?? ''}`);
    message.respond(bytes('nobody has asked'));
  });
  await until(() => {
    site.publish(aliveSubject('berlin'), bytes('alive'), { 'Argo-From': 'berlin' });
    return alive.length > 0;
  }, LONG_MS, 'a sign of life');
  t.equal(alive[0], 'argo.v1.site.berlin.alive alive berlin');
  end();
  // What the bus is told by one comes in order: now it knows that nobody listens there.
  await front.request(orderSubject('berlin'), bytes('x'), {}, LONG_MS);
  site.publish(aliveSubject('berlin'), bytes('unheard'));
  await front.request(orderSubject('berlin'), bytes('x'), {}, LONG_MS);
  t.equal(alive.filter((one) => one.includes('unheard')).length, 0);
}

async function buckets(t: Test, site: Bus): Promise<void> {
  const leases = site.bucket(LEASES_BUCKET);
  const inventory = site.bucket(INVENTORY_BUCKET);
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
  t.match(await failure(inventory.put(chunkKey('berlin', 'kvm1', 0), Buffer.alloc(FLEET_CHUNK_SIZE + 10_000))), { reason: 'store' });
  t.ok(await inventory.put(chunkKey('berlin', 'kvm1', 0), Buffer.alloc(FLEET_CHUNK_SIZE)));
  await inventory.delete(chunkKey('berlin', 'kvm1', 0));
}

async function streams(t: Test, front: Bus, site: Bus): Promise<void> {
  const subject = eventSubject('berlin', 'state');
  const heard: string[] = [];
  t.teardown(front.subscribe(EVENTS_OF_ALL, (message) => { heard.push(words(message)); }));
  t.equal(await site.lastOfSubject(EVENTS_STREAM, subject), undefined);
  const first = await site.addToStream(EVENTS_STREAM, subject, bytes('1'), {}, 'id-1', 0);
  const again = await site.addToStream(EVENTS_STREAM, subject, bytes('1'), {}, 'id-1', 0).catch((error: unknown) => error);
  t.ok(again === first || isConflict(again), 'sent again, it is there once');
  t.match(await failure(site.addToStream(EVENTS_STREAM, subject, bytes('2'), {}, 'id-2', 0)), { reason: 'conflict' });
  const second = await site.addToStream(EVENTS_STREAM, subject, bytes('2'), {}, 'id-2', first);
  t.equal(second, first + 1);
  t.match(await site.lastOfSubject(EVENTS_STREAM, subject), { seq: second });
  t.equal(words((await site.lastOfSubject(EVENTS_STREAM, subject))!), '2');
  await site.addToStream(EVENTS_STREAM, eventSubject('berlin', 'added'), bytes('other'), {}, 'id-3');
  t.match(await site.lastOfSubject(EVENTS_STREAM, subject), { seq: second }, 'each subject has its own last');
  await until(() => heard.includes('other'), LONG_MS, 'the event at who listens');
  // Who listens hears what was sent, also what the stream knew or refused.
  t.same(heard, ['1', '1', '2', '2', 'other']);
}

async function watches(t: Test, front: Bus, site: Bus): Promise<void> {
  const inventory = site.bucket(INVENTORY_BUCKET);
  const key = (at: number): string => chunkKey('berlin', 'kvm1', at);
  for (let at = 0; at < 20; at += 1) await inventory.put(key(at), bytes(`value ${at}`));
  await inventory.delete(key(7));
  const all = watch(t, front, INVENTORY_BUCKET, '>');
  const one = watch(t, front, INVENTORY_BUCKET, key(3));
  const none = watch(t, front, INVENTORY_BUCKET, 'paris.>');
  await until(() => all.settled === 1 && one.settled === 1 && none.settled === 1, LONG_MS, 'all to be there');
  t.equal(all.last.get(key(19)), 'value 19');
  t.ok(all.last.has(key(7)) && all.last.get(key(7)) === undefined, 'one that was deleted is told as that');
  t.same(one.entries.map(({ key: name }) => name), [key(3)]);
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
  t.same([all.settled, one.settled, none.settled], [1, 1, 1]);
}
