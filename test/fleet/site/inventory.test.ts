import t from 'tap';
import { keysSubject } from '../../../src/fleet/bus-store.js';
import { chunkOf } from '../../../src/fleet/chunk-of.js';
import { placeOfKey, unpackChunk } from '../../../src/fleet/chunks.js';
import type { Signer } from '../../../src/fleet/contract.js';
import type { ChunkMessage } from '../../../src/fleet/messages.js';
import { newSeed, NkeySigner } from '../../../src/fleet/signer.js';
import { SiteKeys } from '../../../src/fleet/site-keys.js';
import { Inventory } from '../../../src/fleet/site/inventory.js';
import { Offers } from '../../../src/fleet/site/offers.js';
import { chunkKey, INVENTORY_BUCKET } from '../../../src/fleet/subjects.js';
import { SITE_SIGNER } from '../../support/fleet/inventory-values.js';
import { MemoryHub } from '../../support/fleet/memory-bus.js';
import { until } from '../../support/until.js';
import { machines, notes, SmallMachine, World } from './data-world.js';

const WAIT = 20_000;

/** A site that tells of what it has, and what the bus has of that. */
class Rig {
  readonly hub = new MemoryHub();
  readonly world: World;
  readonly bus = this.hub.connect('berlin');
  readonly kept = notes();
  share: readonly string[] = ['*'];
  /** of which it is not known yet who tells of their machines */
  readonly undecided = new Set<string>();
  seq = 1;
  signer: Signer = SITE_SIGNER;
  /** key and what was written, in order; undefined: deleted */
  readonly writes: [string, ChunkMessage | undefined][] = [];
  readonly values = new Map<string, ChunkMessage>();
  inventory!: Inventory;
  #ending = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(history?: number) {
    this.world = new World(history);
    this.hub.connect('watcher').bucket(INVENTORY_BUCKET).watch('>', async ({ key, value }) => {
      const message = value && await unpackChunk(new SiteKeys(new Map([['berlin', this.signer.publicKey]])).unsealed('berlin', keysSubject(INVENTORY_BUCKET, key), value), placeOfKey(key));
      this.writes.push([key, message]);
      if (message) this.values.set(key, message);
      else this.values.delete(key);
    }, new AbortController().signal);
  }

  start(incarnation = 'incarnation-0001'): void {
    const { stock, feed, settings, log } = this.world;
    const now = (): Signer => this.signer;
    const signer: Signer = { get publicKey() { return now().publicKey; }, sign: (purpose, data) => now().sign(purpose, data) };
    const offers = new Offers({ stock, share: () => this.share, providers: () => settings, leaseOf: () => undefined });
    this.#ending = new AbortController();
    this.inventory = new Inventory({
      site: 'berlin',
      incarnation,
      signer,
      stock,
      feed,
      bucket: this.bus.bucket(INVENTORY_BUCKET),
      kept: this.kept,
      log,
      told: () => offers.shared().filter((name) => offers.isTold(name) && !this.undecided.has(name)),
      isOpen: (name) => this.undecided.has(name),
      seq: () => this.seq,
      life: () => 7,
    });
    this.#running = this.inventory.run(this.#ending.signal);
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  /** What a front has of a provider where its listing is whole: ids and states. */
  seen(provider: string): Map<string, number> | undefined {
    const first = this.values.get(chunkKey('berlin', provider, 0));
    if (first === undefined) return undefined;
    const values = Array.from({ length: first.chunks }, (_, index) => this.values.get(chunkKey('berlin', provider, index)));
    if (values.some((one) => one?.chunks !== first.chunks)) return undefined;
    return new Map(values.flatMap((one) => one!.machines).map(([id, , , state]) => [id, state]));
  }

  keys(): string[] {
    return [...this.values.keys()].sort();
  }
}

void t.test('what a provider has is told in values, and only those that differ are written again', async (t) => {
  const rig = new Rig();
  await rig.world.open('kvm1', machines(3000));
  rig.start();
  await until(() => rig.seen('kvm1')?.size === 3000, WAIT, 'all machines');
  t.equal(rig.keys().length, 8);
  const [one] = rig.values.values();
  t.match(one, { site: 'berlin', provider: 'kvm1', type: 'fake', incarnation: 'incarnation-0001', seq: 1, capabilities: [['start']] });
  t.same([...rig.seen('kvm1')!.keys()].sort(), machines(3000).map(([{ id }]) => id).sort());

  const before = rig.writes.length;
  rig.seq = 2;
  rig.world.see('kvm1', 'm17', 'off');
  await until(() => rig.seen('kvm1')?.get('m17') === 1, WAIT, 'the new state');
  t.same(rig.writes.slice(before).map(([key]) => key), [chunkKey('berlin', 'kvm1', chunkOf('m17', 8))]);
  t.equal(rig.writes.at(-1)![1]!.seq, 2);
  await rig.stop();
  await rig.world.end();
});

void t.test('one of several providers is not told to be empty while the others are looked at', async (t) => {
  const rig = new Rig();
  for (const name of ['kvm1', 'kvm2', 'kvm3']) await rig.world.open(name, machines(10));
  rig.start();
  await until(() => ['kvm1', 'kvm2', 'kvm3'].every((name) => rig.seen(name)?.size === 10), WAIT, 'all machines');
  t.same(rig.writes.map(([key, value]) => `${key} ${value?.machines.length}`).sort(), ['berlin.kvm1.0 10', 'berlin.kvm2.0 10', 'berlin.kvm3.0 10']);
  await rig.stop();
  await rig.world.end();
});

void t.test('a change that was taken back is not written, and many of a value are written together', async (t) => {
  const rig = new Rig();
  await rig.world.open('kvm1', machines(50));
  rig.start();
  await until(() => rig.seen('kvm1')?.size === 50, WAIT, 'all machines');
  const before = rig.writes.length;
  rig.world.see('kvm1', 'm1', 'off');
  rig.world.see('kvm1', 'm1', 'on');
  await rig.world.open('kvm2', machines(1));
  rig.inventory.refresh();
  await until(() => rig.seen('kvm2')?.size === 1, WAIT, 'the other');
  for (let index = 0; index < 50; index += 1) rig.world.see('kvm1', `m${index}`, 'off');
  await until(() => [...rig.seen('kvm1')!.values()].every((state) => state === 1), WAIT, 'all off');
  t.same(rig.writes.slice(before).map(([key]) => key), ['berlin.kvm2.0', 'berlin.kvm1.0']);
  await rig.stop();
  await rig.world.end();
});

void t.test('of a provider that another site may tell of by now, what was told stays until that is known', async (t) => {
  const rig = new Rig();
  await rig.world.open('kvm1', machines(10));
  await rig.world.open('san1', machines(3000));
  rig.start();
  await until(() => rig.seen('san1')?.size === 3000 && rig.seen('kvm1')?.size === 10, WAIT, 'all machines');
  await rig.stop();
  const before = rig.writes.length;
  rig.undecided.add('san1');
  rig.start('incarnation-0002');
  await until(() => rig.writes.length > before, WAIT, 'the other to be told anew');
  rig.world.see('kvm1', 'm1', 'off');
  rig.world.see('san1', 'm1', 'off');
  await until(() => rig.seen('kvm1')?.get('m1') === 1, WAIT, 'the other to be told of');
  t.same(rig.writes.slice(before).filter(([key]) => key.startsWith('berlin.san1.')), []);
  t.equal(rig.seen('san1')?.get('m1'), 0);
  rig.undecided.clear();
  rig.inventory.refresh();
  await until(() => rig.seen('san1')?.get('m1') === 1, WAIT, 'it to be told of');
  t.equal(rig.seen('san1')?.size, 3000);
  await rig.stop();
  // and where it is another one's
  rig.undecided.add('san1');
  rig.start('incarnation-0003');
  await until(() => rig.seen('kvm1') !== undefined, WAIT, 'it to run');
  rig.share = ['kvm*'];
  rig.undecided.clear();
  rig.inventory.refresh();
  await until(() => rig.keys().every((key) => key.startsWith('berlin.kvm1.')), WAIT, 'all of it to be taken away');
  await rig.stop();
  await rig.world.end();
});

void t.test('machines that come and go touch one value each; many more divide them anew', async (t) => {
  const rig = new Rig();
  const listed = machines(1000);
  await rig.world.open('kvm1', listed);
  rig.start();
  await until(() => rig.seen('kvm1')?.size === 1000, WAIT, 'all machines');
  t.equal(rig.keys().length, 2);
  let before = rig.writes.length;
  await rig.world.list('kvm1', [...listed.slice(0, 999)]);
  await until(() => rig.seen('kvm1')?.size === 999, WAIT, 'one less');
  t.equal(rig.writes.length - before, 1);
  before = rig.writes.length;
  await rig.world.list('kvm1', listed);
  await until(() => rig.seen('kvm1')?.size === 1000, WAIT, 'one more');
  t.equal(rig.writes.length - before, 1);

  await rig.world.list('kvm1', machines(1001));
  await until(() => rig.seen('kvm1')?.size === 1001, WAIT, 'another division');
  t.equal(rig.keys().length, 4);
  await rig.world.list('kvm1', machines(600));
  await until(() => rig.seen('kvm1')?.size === 600, WAIT, 'fewer machines in as many values');
  t.equal(rig.keys().length, 4);
  await rig.world.list('kvm1', machines(30));
  await until(() => rig.seen('kvm1')?.size === 30 && rig.keys().length === 1, WAIT, 'few machines in one value');
  await rig.world.list('kvm1', machines(20_000));
  await until(() => rig.seen('kvm1')?.size === 20_000, WAIT, 'more than are told one by one');
  t.equal(rig.keys().length, 64);
  await rig.world.list('kvm1', machines(3));
  await until(() => rig.seen('kvm1')?.size === 3 && rig.keys().length === 1, WAIT, 'what is too much to be deleted');
  await until(() => rig.kept.kept.get('kvm1') === '1', WAIT, 'that to be noted');
  await rig.stop();
  await rig.world.end();
});

void t.test('a renamed machine, and one that can do more than before', async (t) => {
  const rig = new Rig();
  await rig.world.open('kvm1', [[new SmallMachine('id1', 'old'), 'on'], [new SmallMachine('id2', 'other'), 'on']]);
  rig.start();
  await until(() => rig.seen('kvm1')?.size === 2, WAIT, 'both');
  await rig.world.list('kvm1', [[new SmallMachine('id1', 'new'), 'on'], [new SmallMachine('id2', 'other'), 'on']]);
  await until(() => rig.values.get('berlin.kvm1.0')!.machines.some(([id, name]) => id === 'id1' && name === 'new'), WAIT, 'the new name');
  const able = Object.assign(new SmallMachine('id3', 'able'), { shutdown: () => Promise.resolve(), uptime: () => Promise.resolve(1) });
  await rig.world.list('kvm1', [[new SmallMachine('id1', 'new'), 'on'], [able, 'on']]);
  await until(() => rig.seen('kvm1')?.has('id3') === true, WAIT, 'the able one');
  const { machines: rows, capabilities } = rig.values.get('berlin.kvm1.0')!;
  t.same(rows.map(([id, , , , can]) => [id, capabilities[can]]), [['id1', ['start']], ['id3', ['start', 'shutdown', 'uptime']]]);
  await rig.stop();
  await rig.world.end();
});

void t.test('only what is shared is told of, and what is not any longer is deleted, also after a restart', async (t) => {
  const rig = new Rig();
  rig.share = ['kvm*', 'x'];
  await rig.world.open('kvm1', machines(2000));
  await rig.world.open('esx1', machines(3));
  await rig.world.open('kvm.2', machines(2));
  rig.start();
  await until(() => rig.seen('kvm1')?.size === 2000 && rig.seen('kvm.2')?.size === 2, WAIT, 'those that are shared');
  t.equal(rig.seen('esx1'), undefined);
  rig.share = ['esx1', 'kvm1'];
  rig.inventory.refresh();
  await until(() => rig.seen('esx1')?.size === 3 && rig.keys().every((key) => /^berlin\.(kvm1|esx1)\./.test(key)), WAIT, 'the others');
  await rig.stop();

  await rig.world.close('kvm1');
  rig.start('incarnation-0002');
  await until(() => rig.keys().join() === 'berlin.esx1.0' && rig.values.get('berlin.esx1.0')!.incarnation === 'incarnation-0002', WAIT, 'what is gone to be deleted');
  await until(() => [...rig.kept.kept.keys()].join() === 'esx1', WAIT, 'that to be noted');
  await rig.stop();
  await rig.world.end();
});

void t.test('of one that has not listed yet nothing is told, and what was told stays', async (t) => {
  const rig = new Rig();
  await rig.world.open('kvm1', machines(5));
  await rig.world.open('new');
  await rig.world.open('empty', []);
  rig.start();
  await until(() => rig.seen('kvm1')?.size === 5 && rig.seen('empty')?.size === 0, WAIT, 'those that are listed');
  t.equal(rig.seen('new'), undefined);
  // configured anew, as by a reload
  await rig.world.close('kvm1', true);
  await rig.world.open('kvm1', undefined, { type: 'other' });
  rig.inventory.refresh();
  await rig.world.list('new', machines(2));
  await until(() => rig.seen('new')?.size === 2, WAIT, 'the new one');
  t.same([rig.seen('kvm1')?.size, rig.values.get('berlin.kvm1.0')?.type], [5, 'fake']);
  await rig.world.list('kvm1', machines(6));
  await until(() => rig.seen('kvm1')?.size === 6, WAIT, 'the one that was configured anew');
  t.equal(rig.values.get('berlin.kvm1.0')?.type, 'other');
  await rig.stop();
  await rig.world.end();
});

void t.test('while the store refuses, it is tried again, and what is there then is told', async (t) => {
  const rig = new Rig();
  await rig.world.open('kvm1', machines(10));
  rig.hub.store.trouble = 'no quorum';
  rig.start();
  await until(() => rig.world.logged.length > 0, WAIT, 'a complaint');
  rig.world.see('kvm1', 'm1', 'off');
  rig.world.see('kvm1', 'm1', 'paused');
  await rig.world.list('kvm1', machines(4).map(([machine]) => [machine, 'paused']));
  rig.hub.store.trouble = undefined;
  await until(() => rig.seen('kvm1')?.size === 4, WAIT, 'what is there');
  t.same([...rig.seen('kvm1')!.values()], [2, 2, 2, 2]);
  t.equal(rig.writes.length, 1);
  t.same(rig.world.logged.map((line) => line.split(' {')[0]), ['warn inventory cannot be told, it is tried again', 'info inventory is told again']);
  await rig.stop();
  await rig.world.end();
});

void t.test('what the bus does not know any more is told again', async () => {
  const rig = new Rig();
  await rig.world.open('kvm1', machines(1000));
  rig.start();
  await until(() => rig.seen('kvm1')?.size === 1000, WAIT, 'all machines');
  for (let at = 0; at < 50; at += 1) rig.hub.store.put(INVENTORY_BUCKET, 'paris.kvm9.0', undefined);
  rig.hub.store.empty(INVENTORY_BUCKET);
  rig.values.clear();
  rig.world.see('kvm1', 'm1', 'off');
  await until(() => rig.seen('kvm1')?.size === 1000, WAIT, 'all machines again');
  await rig.stop();
  await rig.world.end();
});

void t.test('machines whose names are too long for a value are spread over more', async (t) => {
  const rig = new Rig();
  const random = (length: number): string => Array.from({ length }, () => String.fromCodePoint(0x4e00 + Math.floor(Math.random() * 0x5000))).join('');
  await rig.world.open('kvm1', Array.from({ length: 400 }, (_, at) => [new SmallMachine(`m${at}`, random(400)), 'on']));
  rig.start();
  await until(() => rig.seen('kvm1')?.size === 400, WAIT, 'all machines');
  t.ok(rig.keys().length > 1, `${rig.keys().length} values`);
  await rig.stop();
  await rig.world.end();
});

void t.test('a million machines are told of while others have their turns', { skip: process.env['ARGO_LONG'] === undefined }, async (t) => {
  const rig = new Rig();
  await rig.world.open('kvm1', machines(1_000_000));
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  const [began, used] = [performance.now(), process.cpuUsage()];
  rig.start();
  await until(() => rig.writes.length >= 2048, 60_000, 'all machines');
  const { user, system } = process.cpuUsage(used);
  clearInterval(timer);
  t.comment(`${Math.round(performance.now() - began)} ms, ${Math.round((user + system) / 1000)} ms of CPU, longest turn ${Math.round(longest)} ms, ${process.memoryUsage().rss / 2 ** 20} MiB`);
  t.equal(rig.seen('kvm1')?.size, 1_000_000);
  await rig.stop();
  await rig.world.end();
});

void t.test('each value is numbered, and by another key of the site all are signed anew', async (t) => {
  const rig = new Rig();
  await rig.world.open('kvm1', machines(1500));
  rig.start();
  await until(() => rig.seen('kvm1')?.size === 1500, WAIT, 'all machines');
  t.same(rig.writes.map(([, message]) => message?.turn).sort((one, other) => one! - other!), [1, 2, 3, 4]);
  t.ok(rig.writes.every(([, message]) => message?.life === 7));
  rig.signer = new NkeySigner(newSeed());
  rig.writes.length = 0;
  rig.inventory.refresh();
  // who watches knows the new key alone
  await until(() => new Set(rig.writes.map(([key]) => key)).size === 4, WAIT, 'all to be written again');
  await rig.stop();
  await rig.world.end();
});
