import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { FROM_HEADER, SIGNATURE_HEADER, signedBy, type BusMessage } from '../../../src/fleet/contract.js';
import { checkMessage, eventMessage, newsMessage, readMessage, type EventMessage, type NewsMessage } from '../../../src/fleet/messages.js';
import { unpacked } from '../../../src/fleet/parcels.js';
import { KnownKey, newSeed, NkeySigner } from '../../../src/fleet/signer.js';
import { SiteEvents } from '../../../src/fleet/site/events.js';
import { EVENTS_STREAM, eventSubject, NEWS_OF_ALL, newsSubject } from '../../../src/fleet/subjects.js';
import { FLEET_MESSAGE, FLEET_NEWS, FLEET_PARCEL } from '../../../src/kit/fleet-limits.js';
import { OUTBOX_KEPT } from '../../../src/kit/limits.js';
import { State, type KeyValue, type Outbox } from '../../../src/store/state.js';
import { MemoryHub } from '../../support/fleet/memory-bus.js';
import { until } from '../../support/until.js';
import { machines, World } from './data-world.js';

const WAIT = 20_000;
const SIGNER = new NkeySigner(newSeed());

const told = ({ data }: { readonly data: Uint8Array }): EventMessage[] => unpacked(data).map((one) => checkMessage(eventMessage, one));
/** A number and what stands for the event, short. */
const short = ({ type, event }: EventMessage): string => `${type} ${String(event['instance'] ?? event['provider'] ?? event['count'] ?? '')}`.trim();

/** A site whose events are told, over restarts of it. */
class Rig {
  readonly hub = new MemoryHub();
  readonly bus = this.hub.connect('berlin');
  folder = mkdtempSync(join(tmpdir(), 'argo-events-'));
  world!: World;
  state!: State;
  events!: SiteEvents;
  /** what a front hears, as it comes */
  readonly heard: NewsMessage['events'] = [];
  /** in how many messages */
  messages = 0;
  #ending = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #first = 0;

  constructor() {
    this.hub.connect('f1').subscribe(NEWS_OF_ALL, (message: BusMessage) => {
      if (message.header(FROM_HEADER) !== 'berlin' || !new KnownKey(SIGNER.publicKey).verifies(newsSubject('berlin'), message.data, message.header(SIGNATURE_HEADER))) throw new Error('it is not signed');
      this.messages += 1;
      this.heard.push(...readMessage(newsMessage, message.data, FLEET_NEWS).events);
    });
  }

  async start(incarnation = 'incarnation-0001', more: { changes?: Outbox; deeds?: Outbox; notes?: KeyValue; world?: World; isShared?: (name: string) => boolean } = {}): Promise<void> {
    this.world = more.world ?? new World();
    this.state = new State(this.folder, () => undefined);
    this.#ending = new AbortController();
    const isShared = more.isShared ?? (() => true);
    this.events = new SiteEvents({
      site: 'berlin', incarnation, feed: this.world.feed, bus: this.bus, signer: SIGNER, offers: { isShared, isTold: isShared }, log: this.world.log,
      changes: more.changes ?? this.state.outbox('fleet events'), deeds: more.deeds ?? this.state.outbox('fleet deeds'), notes: more.notes ?? this.state.keyValue('fleet events'),
    });
    await this.events.load(this.#ending.signal);
    this.#first = this.events.last;
    this.#running = this.events.run(this.#ending.signal);
  }

  /** As kill -9 does, as far as what is on the disk goes. */
  async kill(): Promise<void> {
    this.#ending.abort();
    await this.#running;
    await this.world.end();
    await this.state.close();
  }

  /** As the server's end does. */
  async end(): Promise<void> {
    await this.world.end();
    await this.#running;
    await this.state.close();
  }

  /** All that has happened is in the stream. */
  settled(): Promise<void> {
    return until(() => this.events.last - this.#first >= this.#happened && this.events.backlog === 0, WAIT, 'all events to be sent');
  }

  get #happened(): number {
    return [...this.world.events.counts].reduce((sum, [type, count]) => sum + (type === 'server' || type === 'plan' ? 0 : count), 0);
  }

  get stored(): EventMessage[] {
    return this.hub.store.messages(EVENTS_STREAM).flatMap(told);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const deed = (instance: string, outcome: string): Parameters<World['events']['add']>[0] =>
  ({ type: 'action', instance, command: 'stop', options: '--force', account: 'kim@f1', auditId: 7, outcome });

void t.test('what happens is told at once, and is in the stream in order, with numbers that go up by one', async (t) => {
  const rig = new Rig();
  await rig.start();
  await rig.world.open('kvm1', machines(2));
  rig.world.events.add(deed('kvm1/m1', 'begun'), rig.world.registry.find('kvm1/m1')[0]);
  rig.world.see('kvm1', 'm1', 'off');
  rig.world.events.add(deed('kvm1/m1', 'done'), rig.world.registry.find('kvm1/m1')[0]);
  rig.world.events.add({ type: 'server', now: 'reloaded' });
  rig.world.events.add({ type: 'plan', plan: 'night', run: '1', outcome: 'begun' });
  await until(() => rig.stored.length === 6, WAIT, 'all events');
  t.same(rig.stored.map(short), ['added kvm1/m0', 'added kvm1/m1', 'provider kvm1', 'action kvm1/m1', 'state kvm1/m1', 'action kvm1/m1']);
  const numbers = rig.stored.map(({ seq }) => seq);
  t.same(numbers.map((seq) => seq - numbers[0]!), [0, 1, 2, 3, 4, 5]);
  t.match(rig.stored[4], { site: 'berlin', incarnation: 'incarnation-0001', event: { type: 'state', instance: 'kvm1/m1', provider: 'kvm1', id: 'm1', now: 'off', before: 'on' } });
  t.match(rig.stored[5], { event: { type: 'action', account: 'kim@f1', auditId: 7, options: '--force', outcome: 'done' } });
  t.equal(rig.events.last, numbers.at(-1));
  t.same(rig.heard.map(({ seq }) => seq), [numbers[4]], 'and a front was told of the state, which is what it goes by');
  const known = new KnownKey(SIGNER.publicKey);
  t.ok(rig.hub.store.messages(EVENTS_STREAM).every(({ subject, data, headers }) => known.verifies(subject, data, headers[SIGNATURE_HEADER])), 'each is signed');
  await rig.end();
  rig.remove();
});

void t.test('of what is not shared, nothing is told', async (t) => {
  const rig = new Rig();
  await rig.start(undefined, { isShared: (name) => name === 'kvm1' });
  await rig.world.open('esx1', machines(1));
  await rig.world.open('kvm1', machines(1));
  rig.world.events.add(deed('esx1/m0', 'done'), rig.world.registry.find('esx1/m0')[0]);
  rig.world.events.add(deed('esx1', 'done'));
  rig.world.events.add(deed('kvm1', 'done'));
  await until(() => rig.stored.some(({ type }) => type === 'action'), WAIT, 'the last');
  t.same(rig.stored.map(short), ['added kvm1/m0', 'provider kvm1', 'action kvm1']);
  await rig.end();
  rig.remove();
});

void t.test('what is too long for a message is not told, and everything shorter is', async (t) => {
  const rig = new Rig();
  await rig.start();
  const step = 8;
  const names = Array.from({ length: 40 }, (_, at) => `kvm1/${'é'.repeat(FLEET_MESSAGE / 2 - (40 - at) * step)}`);
  for (const name of names) rig.world.events.add(deed(name, 'done'));
  rig.world.events.add(deed('kvm1/short', 'done'));
  await until(() => rig.stored.at(-1)?.event['instance'] === 'kvm1/short', WAIT, 'the last');
  const parcels = rig.hub.store.messages(EVENTS_STREAM);
  const untold = rig.world.logged.filter((line) => line.includes('an event is not told to the fleet'));
  t.same(rig.stored.map(({ event }) => event['instance']), [...names.slice(0, names.length - untold.length), 'kvm1/short']);
  t.ok(untold.every((line) => Number(/it would have (\d+) bytes/.exec(line)?.[1]) > FLEET_MESSAGE), untold.join());
  t.ok(parcels.every(({ data }) => data.length <= FLEET_MESSAGE), 'none is too long');
  // two bytes a character; and a number of 16 digits and a word of 8 letters would have room
  t.ok(Math.max(...parcels.map(({ data }) => data.length)) > FLEET_MESSAGE - 2 * step - 8, 'and none is left out that would be a message');
  await rig.end();
  rig.remove();
});

void t.test('while the store refuses, fronts hear of it all the same; then the stream has each once', async (t) => {
  const rig = new Rig();
  await rig.start();
  rig.hub.store.trouble = 'no quorum';
  await rig.world.open('kvm1', machines(3));
  rig.world.see('kvm1', 'm1', 'off');
  await until(() => rig.heard.some(({ event }) => event['now'] === 'off'), WAIT, 'a front to hear of the state');
  t.equal(rig.events.backlog, 5);
  await until(() => rig.world.logged.length > 0, WAIT, 'that the store refuses');
  rig.hub.store.trouble = undefined;
  await rig.settled();
  t.equal(rig.stored.length, 5);
  t.same(rig.world.logged.map((line) => line.split(' {')[0]), ['warn events do not arrive on the bus, they are kept and tried again', 'info events arrive on the bus again']);
  await rig.end();
  rig.remove();
});

void t.test('an event whose acknowledgement was lost is not stored twice, also when the bus has forgotten its id, and over kill -9', async (t) => {
  const rig = new Rig();
  await rig.start();
  await rig.world.open('kvm1', machines(1));
  await rig.settled();
  for (let round = 0; round < 3; round += 1) {
    rig.hub.store.losesAnswers = true;
    const [before, { last }] = [rig.stored.length, rig.events];
    rig.world.see('kvm1', 'm0', round % 2 === 0 ? 'off' : 'on');
    await until(() => rig.stored.length === before + 1, WAIT, 'the event to be stored');
    rig.world.events.add(deed('kvm1/m0', `round ${round}`), rig.world.registry.find('kvm1/m0')[0]);
    if (round === 1) {
      await until(() => rig.events.last === last + 2, WAIT, 'the deed to be kept');
      await rig.kill();
      await rig.start('incarnation-0002');
      await rig.world.open('kvm1', machines(1));
    }
    rig.hub.store.forgetIds();
    rig.hub.store.losesAnswers = false;
    await rig.settled();
  }
  const numbers = rig.stored.map(({ seq }) => seq);
  t.same(numbers, numbers.map((_, at) => numbers[0]! + at), 'in order, and each once');
  t.same(rig.stored.filter(({ type }) => type === 'action').map(({ event }) => event['outcome']), ['round 0', 'round 1', 'round 2']);
  await rig.end();
  rig.remove();
});

void t.test('several that have gone together are known again by their last one, also where more have come meanwhile', async (t) => {
  const rig = new Rig();
  await rig.start();
  await rig.world.open('kvm1', machines(1));
  await rig.settled();
  const [[one], { length }] = [rig.world.registry.find('kvm1/m0'), rig.hub.store.messages(EVENTS_STREAM)];
  const happen = (outcome: string): void => void rig.world.events.add(deed('kvm1/m0', outcome), one);
  rig.bus.cut();
  for (let at = 0; at < 200; at += 1) happen(String(at));
  await until(() => rig.events.backlog === 200, WAIT, 'them to be kept');
  rig.hub.store.losesAnswers = true;
  rig.bus.restore();
  await until(() => rig.hub.store.messages(EVENTS_STREAM).length > length, WAIT, 'the first message');
  t.equal(told(rig.hub.store.messages(EVENTS_STREAM)[length]!).length, FLEET_PARCEL);
  for (let at = 200; at < 220; at += 1) happen(String(at));
  await until(() => rig.events.last === rig.stored.at(0)!.seq + 220 + 1, WAIT, 'all to be kept');
  await rig.kill();
  rig.hub.store.forgetIds();
  rig.hub.store.losesAnswers = false;
  await rig.start('incarnation-0002');
  await rig.settled();
  t.same(rig.stored.filter(({ type }) => type === 'action').map(({ event }) => event['outcome']), Array.from({ length: 220 }, (_, at) => String(at)));
  const numbers = rig.stored.map(({ seq }) => seq);
  t.same(numbers, numbers.map((_, at) => numbers[0]! + at), 'in order, and each once');
  await rig.end();
  rig.remove();
});

void t.test('a message of one event, and one of several, whose last it is, tell how far the stream is', async (t) => {
  for (const isList of [false, true]) {
    const rig = new Rig();
    await rig.start();
    await rig.world.open('kvm1', machines(1));
    await rig.settled();
    const { last } = rig.events;
    await rig.kill();
    const event = (seq: number): object => ({ v: 1, site: 'berlin', incarnation: 'incarnation-0001', seq, type: 'state', at: '', event: {} });
    const [subject, data] = [eventSubject('berlin', 'state'), Buffer.from(JSON.stringify(isList ? [event(last + 999), event(last + 1000)] : event(last + 1000)))];
    rig.hub.store.append(EVENTS_STREAM, subject, data, signedBy('berlin', SIGNER, subject, data), 'of another life');
    await rig.start('incarnation-0002');
    await rig.world.open('kvm1', machines(1));
    await rig.settled();
    rig.world.see('kvm1', 'm0', 'off');
    await until(() => rig.stored.at(-1)!.event['now'] === 'off', WAIT, 'the state');
    t.ok(rig.events.last > last + 1000, 'no number is used again');
    await rig.end();
    rig.remove();
  }
});

void t.test('a break of the connection: what comes meanwhile is told afterwards, in order', async (t) => {
  const rig = new Rig();
  await rig.start();
  await rig.world.open('kvm1', machines(1));
  await rig.settled();
  rig.bus.cut();
  for (let at = 0; at < 10; at += 1) rig.world.see('kvm1', 'm0', at % 2 === 0 ? 'off' : 'on');
  await until(() => rig.events.backlog === 10, WAIT, 'them to be kept');
  rig.bus.restore();
  await rig.settled();
  await until(() => rig.heard.length === 10, WAIT, 'a front to hear of all states');
  const numbers = rig.heard.map(({ seq }) => seq);
  t.same(numbers, [...numbers].sort((one, other) => one - other));
  t.ok(rig.messages < 10, 'those that came together are told together');
  t.equal(rig.stored.length, 12);
  t.ok(rig.hub.store.messages(EVENTS_STREAM).length < 12, 'and are one message of the stream');
  await rig.end();
  rig.remove();
});

void t.test('where there is no room, states give way to deeds, and how many are lost is said in their place', async (t) => {
  const rig = new Rig();
  await rig.start();
  rig.bus.cut();
  await rig.world.open('kvm1', machines(1));
  const [one] = rig.world.registry.find('kvm1/m0');
  rig.world.events.add(deed('kvm1/m0', 'the first'), one);
  // so fast that the memory of events is not overrun: each batch is on the disk before the next
  for (let at = 0, last = rig.events.last; at < OUTBOX_KEPT + 10; at += 1000) {
    for (let index = 0; index < 1000; index += 1) rig.world.see('kvm1', 'm0', index % 2 === 0 ? 'off' : 'on');
    last += 1000;
    await until(() => rig.events.last >= last, WAIT, `${at} states to be kept`);
  }
  rig.world.events.add(deed('kvm1/m0', 'the last'), one);
  await until(() => rig.heard.length === 0 && rig.events.backlog > OUTBOX_KEPT, WAIT, 'the last to be kept');
  const first = rig.events.last - rig.events.backlog;
  t.ok(first > 0);
  rig.bus.restore();
  await until(() => rig.stored.length > 4, WAIT, 'the oldest to be sent');
  await rig.kill();
  const [lost, provider, kept, lostAgain, state] = rig.stored;
  t.match(lost, { type: 'lost', seq: provider!.seq - 1, event: { type: 'lost', count: 1 } }, 'the machine that came');
  t.equal(provider!.type, 'provider');
  t.match(kept, { type: 'action', event: { outcome: 'the first' } });
  t.match(lostAgain, { type: 'lost', seq: state!.seq - 1, event: { type: 'lost', count: state!.seq - kept!.seq - 1 } });
  t.equal(state!.type, 'state');
  rig.remove();
});

void t.test('a state folder that is lost, or an old one, brings no number again', async (t) => {
  const rig = new Rig();
  await rig.start();
  await rig.world.open('kvm1', machines(2));
  await rig.settled();
  const last = rig.events.last;
  await rig.kill();
  rig.remove();
  await rig.start('incarnation-0002');
  await rig.world.open('kvm1', machines(1));
  await rig.settled();
  t.ok(rig.stored.at(-1)!.seq > last, `${rig.stored.at(-1)!.seq} > ${last}`);
  t.same(rig.stored.filter(({ type }) => type === 'lost'), [], 'nothing is said to be lost');
  await rig.kill();

  // one that was put back: it has given out fewer numbers than the stream knows
  rig.remove();
  const state = new State(rig.folder, () => undefined);
  await state.keyValue('fleet events').set('base', '5');
  await state.close();
  const before = rig.stored.at(-1)!.seq;
  await rig.start('incarnation-0003');
  await rig.world.open('kvm1', machines(1));
  await rig.settled();
  rig.world.see('kvm1', 'm0', 'off');
  await until(() => rig.stored.at(-1)!.event['now'] === 'off', WAIT, 'the state');
  t.ok(rig.stored.at(-1)!.seq > before, `${rig.stored.at(-1)!.seq} > ${before}`);
  t.same(rig.stored.filter(({ type }) => type === 'lost'), []);
  await rig.end();
  rig.remove();
});

void t.test('what had arrived does not come twice where power cuts undo that this was noted, whoever was there since', async (t) => {
  const rig = new Rig();
  for (const life of ['0001', '0002', '0003', '0004']) {
    const forgetful = new State(rig.folder, () => undefined);
    await rig.start(`incarnation-${life}`, { deeds: { ...forgetful.outbox('fleet deeds'), acknowledge: async () => undefined } });
    rig.world.events.add(deed('kvm1', life));
    await rig.settled();
    await rig.kill();
    await forgetful.close();
    rig.hub.store.forgetIds();
  }
  t.same(rig.stored.map(({ event }) => event['outcome']), ['0001', '0002', '0003', '0004']);
  const numbers = rig.stored.map(({ seq }) => seq);
  t.same(numbers, numbers.map((_, at) => numbers[0]! + at));
  rig.remove();
});

void t.test('what the bus has not taken comes when it does, also where another server had the site\'s name meanwhile, or the folder is an old one', async (t) => {
  const rig = new Rig();
  const life = async (incarnation: string, isAway: boolean): Promise<void> => {
    if (isAway) rig.bus.cut();
    await rig.start(incarnation);
    rig.world.events.add(deed('kvm1', incarnation));
    await until(() => isAway ? rig.events.backlog > 0 : rig.events.last > 0 && rig.stored.some(({ event }) => event['outcome'] === incarnation), WAIT, 'the deed');
    if (!isAway) await until(() => rig.events.backlog === 0, WAIT, 'all events to be sent');
    await rig.kill();
    rig.bus.restore();
  };
  const [own, other, copy] = [rig.folder, mkdtempSync(join(tmpdir(), 'argo-events-')), mkdtempSync(join(tmpdir(), 'argo-events-'))];
  await life('incarnation-00a1', true);
  // a folder's first number is the time in ms
  const made = Date.now();
  await until(() => Date.now() > made + 5, WAIT, 'another time');
  rig.folder = other;
  await life('incarnation-00b1', false);
  rig.folder = own;
  await life('incarnation-00a2', false);
  t.same(rig.stored.map(({ event }) => event['outcome']), ['incarnation-00b1', 'incarnation-00a1', 'incarnation-00a2']);
  cpSync(own, copy, { recursive: true });
  await life('incarnation-00a3', false);
  await life('incarnation-00a4', false);
  rig.folder = copy;
  await life('incarnation-00c1', true);
  await life('incarnation-00c2', false);
  t.same(rig.stored.slice(3).flatMap(({ event }) => event['outcome'] ?? []), ['incarnation-00a3', 'incarnation-00a4', 'incarnation-00c1', 'incarnation-00c2']);
  for (const folder of [own, other, copy]) rmSync(folder, { recursive: true, force: true });
});

void t.test('the disk refuses for a while, or has put down what it said it did not: each is kept once', async (t) => {
  const rig = new Rig();
  const state = new State(rig.folder, () => undefined);
  let fault: 'before' | 'after' | undefined;
  const faulty = (outbox: Outbox): Outbox => ({
    ...outbox,
    append: async (events) => {
      if (fault === 'before') throw new Error('the disk is full');
      const done = await outbox.append(events);
      if (fault === 'after') throw new Error('no answer');
      return done;
    },
  });
  await rig.start(undefined, { changes: faulty(state.outbox('fleet events')), deeds: faulty(state.outbox('fleet deeds')) });
  await rig.world.open('kvm1', machines(1));
  await rig.settled();
  for (const next of ['before', 'after', 'before'] as const) {
    fault = next;
    const { length } = rig.world.logged;
    rig.world.see('kvm1', 'm0', next === 'after' ? 'on' : 'off');
    await until(() => rig.world.logged.length > length, WAIT, 'a complaint');
    fault = undefined;
    await until(() => rig.stored.at(-1)?.event['now'] === (next === 'after' ? 'on' : 'off'), WAIT, 'the event');
  }
  const numbers = rig.stored.map(({ seq }) => seq);
  t.same(numbers, numbers.map((_, at) => numbers[0]! + at));
  t.equal(rig.stored.length, 5);
  await rig.end();
  await state.close();
  rig.remove();
});

void t.test('what is forgotten before it is kept is said to be lost, and long words are cut', async (t) => {
  const rig = new Rig();
  await rig.start(undefined, { world: new World(10) });
  await rig.world.open('kvm1', machines(1));
  await rig.settled();
  for (let at = 0; at < 50; at += 1) rig.world.see('kvm1', 'm0', at % 2 === 0 ? 'off' : 'on');
  await until(() => rig.stored.some(({ type }) => type === 'lost'), WAIT, 'the loss');
  rig.world.events.add({ ...deed('kvm1/m0', '\u0001'.repeat(60_000)), type: 'action' } as never, rig.world.registry.find('kvm1/m0')[0]);
  await until(() => rig.stored.at(-1)?.type === 'action', WAIT, 'the deed');
  t.equal(String(rig.stored.at(-1)!.event['outcome']).length, 2049);
  t.equal(rig.hub.store.messages(EVENTS_STREAM).at(-1)!.subject, eventSubject('berlin', 'action'));
  await rig.end();
  rig.remove();
});

void t.test('at the end of the server, what is there is sent; where the bus is away, it stays on the disk for the next life', async (t) => {
  const rig = new Rig();
  await rig.start();
  await rig.world.open('kvm1', machines(5));
  await rig.end();
  t.equal(rig.stored.length, 6);
  await rig.start('incarnation-0002');
  rig.bus.cut();
  await rig.world.open('kvm1', machines(1));
  await until(() => rig.events.backlog === 2, WAIT, 'both to be kept');
  await rig.end();
  rig.bus.restore();
  await rig.start('incarnation-0003');
  await rig.settled();
  t.same(rig.stored.slice(6).map((one) => [short(one), one.incarnation]), [['added kvm1/m0', 'incarnation-0002'], ['provider kvm1', 'incarnation-0002']]);
  await rig.end();
  rig.remove();
});

void t.test('what somebody else has put into the stream moves no number, and what is too long for one message are several', async (t) => {
  const rig = new Rig();
  await rig.start();
  await rig.world.open('kvm1', machines(1));
  await rig.settled();
  const last = rig.events.last;
  await rig.kill();
  const subject = eventSubject('berlin', 'state');
  const forged = Buffer.from(JSON.stringify({ v: 1, site: 'berlin', incarnation: 'incarnation-0001', seq: Number.MAX_SAFE_INTEGER - 1, type: 'state', at: '', event: {} }));
  rig.hub.store.append(EVENTS_STREAM, subject, forged, signedBy('berlin', new NkeySigner(newSeed()), subject, forged), 'forged');
  await rig.start('incarnation-0002');
  await rig.world.open('kvm1', machines(1));
  await rig.settled();
  rig.world.see('kvm1', 'm0', 'off');
  await until(() => rig.stored.at(-1)!.event['now'] === 'off', WAIT, 'the state');
  await rig.settled();
  t.ok(rig.events.last < last + 100, `${rig.events.last} after ${last}`);
  rig.bus.cut();
  for (let at = 0; at < 60; at += 1) rig.world.events.add(deed('kvm1/m0', `${at}${'x'.repeat(2000)}`), rig.world.registry.find('kvm1/m0')[0]);
  await until(() => rig.events.backlog === 60, WAIT, 'all to be kept');
  for (let at = 0; at < 400; at += 1) rig.world.see('kvm1', 'm0', at % 2 === 0 ? 'on' : 'off');
  await until(() => rig.events.backlog === 460, WAIT, 'all to be kept');
  const [messages, heard, there] = [rig.messages, rig.heard.length, rig.hub.store.messages(EVENTS_STREAM).length];
  rig.bus.restore();
  await until(() => rig.heard.length === heard + 400, WAIT, 'a front to hear of all states');
  t.ok(rig.messages - messages >= 2 && rig.messages - messages <= 6, `${rig.messages - messages} messages`);
  await rig.settled();
  const parcels = rig.hub.store.messages(EVENTS_STREAM).slice(there);
  t.ok(parcels.length >= 7 && parcels.length <= 20, `${parcels.length} messages of the stream`);
  t.ok(parcels.every((parcel) => parcel.data.length <= FLEET_MESSAGE && told(parcel).length <= FLEET_PARCEL), 'none is too long, nor has too many');
  await rig.end();
  rig.remove();
});
