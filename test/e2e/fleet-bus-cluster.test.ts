import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import type { BusError } from '../../src/fleet/contract.js';
import { chunkKey, EVENTS_STREAM, eventSubject, INVENTORY_BUCKET, orderSubject } from '../../src/fleet/subjects.js';
import { Nats, natsUser, NATS_PROGRAMS } from '../peers/nats.js';
import { bytes, failure, LONG_MS, words } from '../support/fleet/bus-helpers.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { connected, join } from './support/fleet-bus.js';

/** Three servers in a cluster, of which some are killed with -9: what is asked, written and watched meanwhile. */

/** For a new leader, and for a server that has to take in what it has missed. */
const ELECTION_MS = 60_000;
const CALLERS = 8;
/** Of a question among many while a server dies, ms. */
const QUESTION_MS = 2000;

const front = natsUser('f1', 'front');
const berlin = natsUser('berlin', 'site');

await t.test('a cluster', { skip: lacks(...NATS_PROGRAMS) }, async (t) => {
  const nats = await Nats.start({ servers: 3, users: [front, berlin] });
  t.teardown(() => nats.stop());
  const { bus: asking } = join(t, nats, front);
  const { bus: site } = join(t, nats, berlin);
  await connected(asking, site);
  const subject = orderSubject('berlin');
  /** by the words of each question: how often it was heard */
  const heard = new Map<string, number>();
  site.subscribe(subject, (message) => {
    heard.set(words(message), (heard.get(words(message)) ?? 0) + 1);
    message.respond(bytes(`did ${words(message)}`));
  }, 'site');
  const answers = (): Promise<boolean> => asking.request(subject, bytes('?'), {}, 1000).then(() => true, () => false);
  await until(answers, LONG_MS, 'the site');

  await t.test('asked without a pause while servers die: what is told is so', async (t) => {
    heard.clear();
    const told: { question: string; result: string }[] = [];
    let longest = 0;
    const over = new AbortController();
    const callers = Array.from({ length: CALLERS }, async (_, caller) => {
      for (let number = 0; !over.signal.aborted; number += 1) {
        const question = `${caller}-${number}`;
        const began = performance.now();
        const result = await asking.request(subject, bytes(question), {}, QUESTION_MS).then((message) => (words(message) === `did ${question}` ? 'done' : 'another answer'), ({ reason }: BusError) => reason as string);
        longest = Math.max(longest, performance.now() - began);
        told.push({ question, result });
        // One that fails at once is not asked in a circle.
        if (result !== 'done') await pause(20);
      }
    });
    for (const server of nats.servers) {
      await until(answers, LONG_MS, 'the site');
      await pause(500);
      await server.kill();
      await until(answers, LONG_MS, 'the site to be asked by another server');
      await server.start();
      await connected(asking, site);
    }
    over.abort();
    await Promise.all(callers);
    const count = (result: string): number => told.filter((one) => one.result === result).length;
    const wrong = told.filter(({ question, result }) => {
      const times = heard.get(question) ?? 0;
      return result === 'done' ? times !== 1 : result === 'late' ? times > 1 : times !== 0;
    });
    t.comment(`${told.length} questions: ${['done', 'late', 'no responders', 'down'].map((result) => `${result} ${count(result)}`).join(', ')}; the longest took ${Math.round(longest)} ms`);
    t.same(wrong, [], 'done is heard once, late at most once, the others never');
    t.ok(count('done') > 100);
    t.equal(count('done') + count('late') + count('no responders') + count('down'), told.length);
  });

  await t.test('what is watched goes on whichever server dies', async (t) => {
    const controller = new AbortController();
    t.teardown(() => { controller.abort(); });
    const seen = new Map<string, string>();
    let settled = false;
    const key = chunkKey('berlin', 'kvm1', 0);
    asking.bucket(INVENTORY_BUCKET).watch('>', ({ key: name, value }) => { seen.set(name, Buffer.from(value ?? '').toString()); }, controller.signal, () => { settled = true; });
    await until(() => settled, LONG_MS, 'it to be there');
    const write = async (value: string): Promise<void> =>
      until(() => site.bucket(INVENTORY_BUCKET).put(key, bytes(value)).then(() => true, () => false), ELECTION_MS, 'the bucket to be written');
    for (const server of nats.servers) {
      await server.kill();
      await connected(asking, site);
      await write(`without ${server.name}`);
      const began = performance.now();
      await until(() => seen.get(key) === `without ${server.name}`, ELECTION_MS, 'the change');
      t.comment(`without ${server.name}: seen ${Math.round(performance.now() - began)} ms after it was written`);
      await server.start();
      await nats.leaderOf(`KV_${INVENTORY_BUCKET}`);
    }
    await write('at last');
    await until(() => seen.get(key) === 'at last', ELECTION_MS, 'the change');
  });

  await t.test('with one of three, the site is asked on; the store refuses, and takes all afterwards, once and in order', async (t) => {
    await connected(asking, site);
    await until(async () => site.addToStream(EVENTS_STREAM, eventSubject('berlin', 'state'), bytes('first'), {}, 'first').then(() => true, () => false), ELECTION_MS, 'the stream');
    let last = (await site.lastOfSubject(EVENTS_STREAM, eventSubject('berlin', 'state')))!.seq;
    const [one, two] = nats.servers;
    await Promise.all([one!.kill(), two!.kill()]);
    await connected(asking, site);
    await until(answers, LONG_MS, 'the site');
    heard.clear();
    for (let number = 0; number < 50; number += 1) await asking.request(subject, bytes(String(number)), {}, LONG_MS);
    t.equal(heard.size, 50);
    t.match(await failure(site.addToStream(EVENTS_STREAM, eventSubject('berlin', 'state'), bytes('0'), {}, 'id-0', last)), { reason: 'store' });
    t.match(await failure(site.bucket(INVENTORY_BUCKET).put(chunkKey('berlin', 'kvm1', 0), bytes('x'))), { reason: 'store' });
    await Promise.all([one!.start(), two!.start()]);
    // As an outbox does: each with its predecessor, until it is there.
    for (let number = 0; number < 20; number += 1) {
      await until(async () => {
        try {
          last = await site.addToStream(EVENTS_STREAM, eventSubject('berlin', 'state'), bytes(String(number)), {}, `id-${number}`, last);
          return true;
        } catch (error) {
          if ((error as BusError).reason !== 'conflict') return false;
          const there = await site.lastOfSubject(EVENTS_STREAM, eventSubject('berlin', 'state')).catch(() => undefined);
          if (there === undefined || words(there) !== String(number)) return false;
          last = there.seq;
          return true;
        }
      }, ELECTION_MS, 'the event to be taken');
    }
    const { config, state } = await nats.ask(`STREAM.INFO.${EVENTS_STREAM}`) as { config: { num_replicas: number }; state: { messages: number } };
    t.equal(config.num_replicas, 3);
    t.equal(state.messages, 21);
    t.equal(words((await site.lastOfSubject(EVENTS_STREAM, eventSubject('berlin', 'state')))!), '19');
  });

  await t.test('a hanging server of three holds up nobody who comes anew', async (t) => {
    const [one] = nats.servers;
    one!.hang(true);
    t.teardown(() => { one!.hang(false); });
    for (let round = 0; round < 4; round += 1) {
      const { bus } = join(t, nats, front);
      const began = performance.now();
      await connected(bus);
      t.ok(performance.now() - began < 9000, 'another server is taken before that one is given up');
      await bus.close();
    }
  });
});
