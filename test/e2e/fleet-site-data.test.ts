import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import t, { type Test } from 'tap';
import type { NatsBus } from '../../src/fleet/bus.js';
import { keysSubject } from '../../src/fleet/bus-store.js';
import { placeOfKey, unpackChunk } from '../../src/fleet/chunks.js';
import type { Bus } from '../../src/fleet/contract.js';
import { SiteLease, type LeaseTimes } from '../../src/fleet/site/lease.js';
import { newsMessage, readMessage, type EventMessage } from '../../src/fleet/messages.js';
import { SiteEvents } from '../../src/fleet/site/events.js';
import { Inventory } from '../../src/fleet/site/inventory.js';
import { SiteKeys } from '../../src/fleet/site-keys.js';
import { EVENTS_STREAM, INVENTORY_BUCKET, LEASES_BUCKET, NEWS_OF_ALL } from '../../src/fleet/subjects.js';
import { FLEET_NEWS } from '../../src/kit/fleet-limits.js';
import { State } from '../../src/store/state.js';
import { machines, notes, World } from '../fleet/site/data-world.js';
import { Nats, natsUser, NATS_PROGRAMS, type NatsUser } from '../peers/nats.js';
import { LONG_MS } from '../support/fleet/bus-helpers.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { connected, join, storedEvents } from './support/fleet-bus.js';

/** What a site tells of itself over a real nats-server: its events once and in order, what it has, and leases. */

const options = { skip: lacks(...NATS_PROGRAMS) };
const front = natsUser('f1', 'front');
const [berlin, paris, rome] = [natsUser('berlin', 'site'), natsUser('paris', 'site'), natsUser('rome', 'site')];
const WAIT = 2 * LONG_MS;
const keys = new SiteKeys(new Map([berlin, paris, rome].map(({ member, signer }) => [member.name, signer.publicKey])));

/** A site that tells of what happens, with its folder, over restarts. */
class Site {
  readonly folder = mkdtempSync(path(tmpdir(), 'argo-site-'));
  readonly logged: string[] = [];
  world!: World;
  events!: SiteEvents;
  #state!: State;
  #first = 0;
  #ending = new AbortController();
  #running: Promise<void> = Promise.resolve();

  async start(bus: Bus, incarnation: string): Promise<void> {
    this.world = new World();
    this.#state = new State(this.folder, () => undefined);
    this.#ending = new AbortController();
    this.events = new SiteEvents({
      site: 'berlin', incarnation, feed: this.world.feed, bus, signer: berlin.signer, offers: { isShared: () => true, isTold: () => true }, log: (level, message) => void this.logged.push(`${level} ${message}`),
      changes: this.#state.outbox('fleet events'), deeds: this.#state.outbox('fleet deeds'), notes: this.#state.keyValue('fleet events'),
    });
    await this.events.load(this.#ending.signal);
    this.#first = this.events.last;
    this.#running = this.events.run(this.#ending.signal);
    await this.world.open('kvm1', machines(1));
  }

  /** As far as what is on the disk goes, as kill -9 does. */
  async kill(): Promise<void> {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort();
    await this.#running;
    await this.world.end();
    await this.#state.close();
  }

  /** All that has happened is on the disk. */
  kept(): Promise<void> {
    const { counts } = this.world.events;
    return until(() => this.events.last - this.#first >= [...counts.values()].reduce((sum, count) => sum + count, 0), WAIT, 'all to be kept');
  }

  /** One state and one deed. */
  happen(number: number): void {
    this.world.see('kvm1', 'm0', number % 2 === 0 ? 'off' : 'on');
    this.world.events.add({ type: 'action', instance: 'kvm1/m0', command: 'stop', options: '', account: 'kim@f1', auditId: number, outcome: 'done' }, this.world.registry.find('kvm1/m0')[0]);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** In order, without gaps, and each once: the deeds by the numbers of the test's own. */
function checkStored(t: Test, found: readonly EventMessage[], deeds: number): void {
  const numbers = found.map(({ seq }) => seq);
  t.same(numbers, numbers.map((_, at) => numbers[0]! + at), `${numbers.length} events: in order, none missing, none twice`);
  t.same(found.filter(({ type }) => type === 'action').map(({ event }) => event['auditId']), Array.from({ length: deeds }, (_, at) => at));
}

await t.test('one server: what the stream does not take, fronts hear of; it keeps each event once', options, async (t) => {
  // its ids are forgotten at once: what it has must be read back
  const nats = await Nats.start({ users: [front, berlin] });
  t.teardown(() => nats.stop());
  const [{ bus }, { bus: listening }] = [join(t, nats, berlin), join(t, nats, front)];
  await connected(bus, listening);
  const alone: number[] = [];
  listening.subscribe(NEWS_OF_ALL, (message) => {
    t.equal(keys.doubt('berlin', message.subject, message), undefined);
    alone.push(...readMessage(newsMessage, message.data, FLEET_NEWS).events.map(({ seq }) => seq));
  });
  const site = new Site();
  t.teardown(() => site.remove());
  t.teardown(() => site.kill());
  await site.start(bus, 'incarnation-0001');
  for (let number = 0; number < 100; number += 1) site.happen(number);
  await until(() => site.events.backlog === 0 && alone.length >= 100, WAIT, 'all events');
  t.same(alone, [...alone].sort((one, other) => one - other));
  checkStored(t, await storedEvents(nats), 100);

  // the server is killed while it takes events, and comes again
  let number = 100;
  for (let round = 0; round < 3; round += 1) {
    const end = number + 300;
    const timer = setInterval(() => { for (let one = 0; one < 10 && number < end; one += 1) site.happen(number++); }, 5);
    await until(() => number > end - 200, WAIT, 'some to happen');
    await nats.servers[0]!.kill();
    await until(() => number === end, WAIT, 'all to happen');
    clearInterval(timer);
    await nats.servers[0]!.start();
    if (round === 1) {
      await site.kept();
      await site.kill();
      await site.start(bus, 'incarnation-0002');
    }
  }
  await until(() => bus.trouble === undefined && site.events.backlog === 0, WAIT, 'all events to be stored');
  checkStored(t, await storedEvents(nats), 1000);
  await site.kill();
});

await t.test('three servers, whose leader of events is killed while events come', options, async (t) => {
  const nats = await Nats.start({ users: [front, berlin], servers: 3 });
  t.teardown(() => nats.stop());
  const { bus } = join(t, nats, berlin);
  await connected(bus);
  const site = new Site();
  t.teardown(() => site.remove());
  t.teardown(() => site.kill());
  await site.start(bus, 'incarnation-0001');
  let number = 0;
  for (let round = 0; round < 2; round += 1) {
    const end = number + 400;
    const timer = setInterval(() => { for (let one = 0; one < 5 && number < end; one += 1) site.happen(number++); }, 10);
    await until(() => number > end - 300, WAIT, 'some to happen');
    const leader = await nats.leaderOf(EVENTS_STREAM);
    await leader.kill();
    await until(() => number === end, WAIT, 'all to happen');
    clearInterval(timer);
    await until(() => site.events.backlog === 0, WAIT, 'all events to be stored by the others');
    await leader.start();
  }
  checkStored(t, await storedEvents(nats), 800);
  await site.kill();
});

await t.test('what a site has is there for whoever looks, and what it has no longer is not', options, async (t) => {
  const nats = await Nats.start({ users: [front, berlin] });
  t.teardown(() => nats.stop());
  const [{ bus }, { bus: looking }] = [join(t, nats, berlin), join(t, nats, front)];
  await connected(bus, looking);
  const world = new World();
  await world.open('kvm1', machines(3000));
  const ending = new AbortController();
  let told = ['kvm1'];
  const inventory = new Inventory({ site: 'berlin', incarnation: 'incarnation-0001', stock: world.stock, feed: world.feed, bucket: bus.bucket(INVENTORY_BUCKET), kept: notes(), log: world.log, signer: berlin.signer, told: () => told, isOpen: () => false, seq: () => 1, life: () => 1 });
  const running = inventory.run(ending.signal);
  const seen = new Map<string, number>();
  looking.bucket(INVENTORY_BUCKET).watch('>', async ({ key, value }) => {
    if (value === undefined) seen.delete(key);
    else seen.set(key, (await unpackChunk(keys.unsealed('berlin', keysSubject(INVENTORY_BUCKET, key), value), placeOfKey(key))).machines.length);
  }, ending.signal);
  const count = (): number => [...seen.values()].reduce((sum, one) => sum + one, 0);
  await until(() => seen.size === 8 && count() === 3000, WAIT, 'all machines');
  await world.list('kvm1', machines(2500));
  await until(() => count() === 2500, WAIT, 'fewer machines');
  await nats.servers[0]!.kill();
  await world.list('kvm1', machines(100));
  await nats.servers[0]!.start();
  await until(() => seen.size === 1 && count() === 100, WAIT, 'what is there after the break');
  told = [];
  inventory.refresh();
  await until(() => seen.size === 0, WAIT, 'nothing to be left');
  ending.abort();
  await running;
  await world.end();
});

const TIMES: LeaseTimes = { ttl: 3000, renew: 800, margin: 800, look: 200 };

await t.test('a lease has one holder at any time, whatever dies', options, async (t) => {
  const nats = await Nats.start({ users: [berlin, paris, rome], servers: 3 });
  t.teardown(() => nats.stop());
  const member = (user: NatsUser): { readonly bus: NatsBus; readonly lease: SiteLease } => {
    const { bus } = join(t, nats, user);
    const lease = new SiteLease('san1', { bucket: bus.bucket(LEASES_BUCKET), site: user.member.name, incarnation: `${user.member.name}-incarnation`, signer: user.signer, keys, refused: { add: () => undefined }, log: () => undefined, changed: () => undefined, times: TIMES });
    return { bus, lease };
  };
  const members = [berlin, paris, rome].map(member);
  await connected(...members.map(({ bus }) => bus));
  const holders = (): typeof members => members.filter(({ lease }) => lease.left > 0);
  let most = 0;
  const timer = setInterval(() => { most = Math.max(most, holders().length); }, 1);
  t.teardown(() => clearInterval(timer));
  members.forEach(({ lease }) => lease.start());
  await until(() => holders().length === 1, WAIT, 'one to hold it');
  const [first] = holders();
  t.equal(first!.lease.term, 1);

  await first!.bus.close();
  await until(() => holders().some((one) => one !== first), WAIT, 'another to take it over');
  const [second] = holders();
  t.equal(second!.lease.term, 2);
  t.equal(first!.lease.left, 0);

  // a leader's death stops writes for seconds: it may be lost meanwhile, and is somebody's again, never two's
  await (await nats.leaderOf(`KV_${LEASES_BUCKET}`)).kill();
  await nats.leaderOf(`KV_${LEASES_BUCKET}`);
  await until(() => holders().length === 1 && holders()[0]!.lease.left > TIMES.ttl - TIMES.margin - 200, WAIT, 'one to hold it that has just renewed it');
  const third = holders()[0]!;
  const term = third.lease.term;
  await third.lease.close();
  await until(() => holders().length === 1, WAIT, 'the other to take what was given up');
  t.equal(holders()[0]!.lease.term, term + 1);
  t.equal(holders()[0]!.lease.age, Infinity);
  t.equal(most, 1, 'never two at a time');
  await Promise.all(members.map(({ lease }) => lease.close()));
});
