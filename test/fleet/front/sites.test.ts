import t from 'tap';
import { setTimeout as sleep } from 'node:timers/promises';
import { aliveSubject, askSubject } from '../../../src/fleet/subjects.js';
import { FLEET_SITES } from '../../../src/kit/fleet-limits.js';
import { newSeed, NkeySigner } from '../../../src/fleet/signer.js';
import { told as tell } from '../../../src/instances/told.js';
import { ScriptedSite } from '../../support/fleet/scripted-site.js';
import { until } from '../../support/until.js';
import { WITHIN, world } from './world.js';

type World = Awaited<ReturnType<typeof world>>;

const troubleOf = ({ sites }: World): string | undefined => sites.info('berlin').trouble;
const becomes = ({ sites }: World, trouble: RegExp | undefined): Promise<void> => until(() => {
  const now = sites.info('berlin').trouble;
  return trouble === undefined ? now === undefined : now !== undefined && trouble.test(now);
}, WITHIN, String(trouble));
/** What is on its way has come. */
const arrived = (): Promise<void> => sleep(20);

void t.test('a site is known by what it says of itself', async (t) => {
  const w = await world(t, { isUnheard: true });
  t.equal(troubleOf(w), 'it has not been heard of', 'one that is configured is there before');
  t.same(w.sites.list().map(({ name }) => name), ['berlin']);
  const told: string[] = [];
  w.sites.onChange((name) => told.push(name));
  w.site.alive({ orders: 3 });
  await becomes(w, undefined);
  t.match(w.sites.info('berlin'), { alive: { orders: 3, incarnation: w.site.incarnation } });
  t.ok(Math.abs(w.sites.info('berlin').skew!) < 1000);
  t.ok(Math.abs(Date.now() - w.sites.info('berlin').heard!) < 5000);
  t.same(told, ['berlin']);
  t.equal(w.sites.info('paris').trouble, 'it has not been heard of');
});

void t.test('signs of life that are not its are not believed', async (t) => {
  const w = await world(t, { isUnheard: true });
  const stranger = new NkeySigner(newSeed());
  for (const signing of [{ isSigned: false }, { signer: stranger }, { from: 'paris' }, { purpose: 'argo.v1.reply' }]) w.site.alive({}, signing);
  w.site.alive({ site: 'paris' });
  new ScriptedSite(w.hub, 'paris', w.signer.publicKey).alive();
  await arrived();
  t.match(troubleOf(w), /^it has not been heard of$|^what it says of itself cannot be read: it is of paris$/);
  t.same(w.sites.list().map(({ name }) => name), ['berlin'], 'nor is one shown that is not configured');
  const open = await world(t, { isOpen: true });
  new ScriptedSite(open.hub, 'paris', open.signer.publicKey).alive({}, { isSigned: false });
  await until(() => open.sites.list().length === 2, WITHIN, 'paris');
});

void t.test('a sign of life of another version is told', async (t) => {
  const w = await world(t);
  const data = Buffer.from(JSON.stringify({ v: 2 }));
  w.site.bus.publish(aliveSubject('berlin'), data, { 'Argo-From': 'berlin', 'Argo-Signature': w.site.signer.sign(aliveSubject('berlin'), data) });
  await becomes(w, /^what it says of itself cannot be read: it is of version 2/);
  w.site.alive();
  await becomes(w, undefined);
});

void t.test('a provider is called as one can be in a configuration', async (t) => {
  for (const provider of [{ name: 'kvm1/web' }, { name: 'kvm 1' }, { name: 'kvm*' }, { name: '.kvm1' }, { name: 'kvm1\n300 DONE' }, { name: '@web' }, { name: 'x'.repeat(65) }, { type: 'lib virt' }, { type: '' }]) {
    const w = await world(t);
    const data = Buffer.from(JSON.stringify({
      v: 1, site: 'berlin', incarnation: w.site.incarnation, at: Date.now() + 1000, started: w.site.started, version: '1', interval: 5000, orders: 0, outbox: 0,
      providers: [{ name: 'kvm1', type: 'libvirt', held: true, dmesg: true, ...provider }],
    }));
    w.site.bus.publish(aliveSubject('berlin'), data, { 'Argo-From': 'berlin', 'Argo-Signature': w.site.signer.sign(aliveSubject('berlin'), data) });
    await becomes(w, /^what it says of itself cannot be read: providers\.0\.(name|type)/);
  }
  const w = await world(t);
  w.site.alive({ at: Date.now() + 500, providers: [{ name: 'Kvm-1_a.b', type: 'esxi-free', held: true, dmesg: true }] });
  await until(() => w.sites.info('berlin').alive?.providers[0]?.name === 'Kvm-1_a.b', WITHIN, 'one that can be');
  t.equal(troubleOf(w), undefined);
});

void t.test('a time that is no date is told as a fault of that site, and keeps nobody from being shown', async (t) => {
  for (const started of [1e20, -1, 8_640_000_000_000_001, 0.5]) {
    const w = await world(t);
    const data = Buffer.from(JSON.stringify({ v: 1, site: 'berlin', incarnation: w.site.incarnation, at: Date.now() + 1000, started, version: '1', interval: 5000, providers: [], orders: 0, outbox: 0 }));
    w.site.bus.publish(aliveSubject('berlin'), data, { 'Argo-From': 'berlin', 'Argo-Signature': w.site.signer.sign(aliveSubject('berlin'), data) });
    await becomes(w, /^what it says of itself cannot be read: started/);
    t.ok(w.sites.list().every(({ alive }) => new Date(alive?.started ?? 0).toISOString()));
  }
});

void t.test('a site falls silent, and a question finds it again', async (t) => {
  const w = await world(t, { deadAfter: 300 });
  const told: string[] = [];
  w.sites.onChange(() => told.push(String(troubleOf(w))));
  await until(() => told.some((trouble) => /^it has said nothing since 20/.test(trouble)), WITHIN, 'the word that it is silent');
  w.site.onAsk = (question, reply) => {
    t.match(question, { ask: 'status', machine: '-' });
    reply({ state: 'failed', phrase: 'NO SUCH INSTANCE', detail: '' });
  };
  await until(() => w.hub.passed.some(({ subject }) => subject === askSubject('berlin')), WITHIN, 'a probe');
  w.site.alive();
  await becomes(w, undefined);
});

void t.test('that a site is silent is told when it is, and not at the next look', async (t) => {
  // where this process stands still for seconds, what has come is read first: then it is told later
  const isTold = async (): Promise<boolean> => {
    const w = await world(t, { deadAfter: 1100 });
    return new Promise((resolve) => {
      w.sites.onChange(() => { if (troubleOf(w) !== undefined) resolve(true); });
      setTimeout(() => resolve(false), 1800);
    });
  };
  t.ok(await isTold() || await isTold() || await isTold());
});

void t.test('one that is not connected is told apart', async (t) => {
  const w = await world(t, { deadAfter: 100 });
  w.site.close();
  await becomes(w, /^it is not connected \(nobody listens at argo\.v1\.site\.berlin\.ask\)$/);
  t.equal(w.hub.passed.filter(({ subject }) => subject === askSubject('berlin')).length, 1, 'it is asked once');
});

void t.test('a site for which the bus has nobody is away at once, until it is heard of again, and comes back once', async (t) => {
  const w = await world(t);
  const told: (string | undefined)[] = [];
  w.sites.onChange(() => { if (told.at(-1) !== troubleOf(w) || told.length === 0) told.push(troubleOf(w)); });
  const asks = (): number => w.hub.passed.filter(({ subject }) => subject === askSubject('berlin')).length;
  w.site.close();
  await t.rejects(tell(w.power(), true), { message: /^UNREACHABLE: site berlin: it is not connected/ });
  t.match(troubleOf(w), /^it is not connected \(nobody listens at argo\.v1\.site\.berlin\.op\)$/);
  const sent = w.hub.passed.length;
  await t.rejects(tell(w.power(), true), { message: /^UNREACHABLE: site berlin: it is not connected/ });
  t.equal(w.hub.passed.length, sent, 'and is not sent anything');
  await until(() => asks() >= 2, WITHIN, 'it to be asked soon whether it is there');
  // its next process listens whether there is another one of its name, and then says that it takes orders
  w.site.incarnation = '0197dddd-bbbb-7ccc-8ddd-eeeeeeeeeeee';
  w.site.alive({ started: Date.now() + 1, opening: true });
  await becomes(w, /^its server has just begun/);
  await t.rejects(tell(w.power(), true), { message: /just begun/ });
  w.site.alive({ at: Date.now() + 100 });
  await becomes(w, undefined);
  t.match(told, [/not connected/, /just begun/, undefined], 'told once of each');
  t.equal(told.length, 3);
});

void t.test('one that has only moved to another server of the bus is found again by a question', async (t) => {
  const w = await world(t);
  w.site.close();
  await t.rejects(tell(w.power(), true), { message: /^UNREACHABLE: site berlin: it is not connected/ });
  await becomes(w, /^it is not connected/);
  const back = new ScriptedSite(w.hub, 'berlin', w.signer.publicKey);
  Object.assign(back, { signer: w.site.signer, incarnation: w.site.incarnation });
  back.onAsk = (_question, reply) => reply({ state: 'failed', phrase: 'NO SUCH INSTANCE', detail: '' });
  await becomes(w, undefined);
});

void t.test('a clock that is off', async (t) => {
  const w = await world(t, { isUnheard: true });
  w.site.alive({ at: Date.now() - 40_000 });
  await becomes(w, /^its clock is 40.* behind ours$/);
  const v = await world(t, { isUnheard: true });
  v.site.alive({ at: Date.now() + 40_000 });
  await becomes(v, /^its clock is 40.* ahead of ours$/);
  const late = await world(t, { isUnheard: true });
  late.site.alive({ at: Date.now() - 5000 });
  await becomes(late, /behind/);
  late.site.alive();
  await becomes(late, undefined);
  t.pass('a word that came late says nothing of the clock, once another came in time');
});

void t.test('it says that it leaves, and comes back as another process', async (t) => {
  const w = await world(t);
  w.site.alive({ leaving: true, at: Date.now() + 1 });
  await becomes(w, /^its server has ended$/);
  w.site.incarnation = '0197dddd-bbbb-7ccc-8ddd-eeeeeeeeeeee';
  w.site.alive({ started: Date.now() + 1 });
  await becomes(w, undefined);
});

void t.test('two servers of one name', async (t) => {
  const w = await world(t, { deadAfter: 1500 });
  const first = w.site.incarnation;
  const second = '0197dddd-bbbb-7ccc-8ddd-eeeeeeeeeeee';
  const say = (incarnation: string, at: number, started: number): void => {
    w.site.incarnation = incarnation;
    w.site.alive({ at, started });
  };
  const now = Date.now();
  say(second, now + 200, w.site.started + 100);
  await until(() => w.sites.info('berlin').alive?.incarnation === second, WITHIN, 'the second one');
  t.equal(troubleOf(w), undefined, 'it may have been started anew');
  say(first, now + 100, w.site.started);
  await arrived();
  t.equal(troubleOf(w), undefined, 'a late word of the one before says nothing');
  say(first, now + 300, w.site.started);
  await becomes(w, /^two servers say that they are this site$/);
  t.notOk(w.sites.mayVoid('berlin', second, second), 'then neither can say what was not begun');
  await until(() => {
    say(second, Date.now() + 1000, w.site.started + 100);
    return troubleOf(w) === undefined;
  }, WITHIN, 'one of them to be gone');
  say(first, now + 300, w.site.started);
  await arrived();
  t.equal(troubleOf(w), undefined, 'the same word once more is no sign of life');
});

void t.test('one that was there before is another server, too', async (t) => {
  const w = await world(t);
  w.site.incarnation = '0197dddd-bbbb-7ccc-8ddd-eeeeeeeeeeee';
  w.site.alive({ started: w.site.started - 60_000 });
  await becomes(w, /^two servers/);
});

void t.test('the bus goes away and comes back', async (t) => {
  const w = await world(t);
  const told: (string | undefined)[] = [];
  w.sites.onChange(() => told.push(troubleOf(w)));
  w.bus.cut('the cable is out');
  t.equal(troubleOf(w), 'the bus cannot be used: the cable is out');
  w.bus.restore();
  t.same(told, ['the bus cannot be used: the cable is out', undefined]);
});

void t.test('a reload takes a site away, and another key is not believed any longer', async (t) => {
  const w = await world(t);
  w.keys.replace(new Map([['berlin', new NkeySigner(newSeed()).publicKey]]));
  w.sites.review();
  const before = w.sites.info('berlin').heard;
  w.site.alive({ orders: 7 });
  await arrived();
  t.equal(w.sites.info('berlin').heard, before);
  w.keys.replace(new Map());
  w.sites.review();
  t.same(w.sites.list(), []);
});

void t.test('a server that is a site, too, does not take itself for another one', async (t) => {
  const w = await world(t, { isUnheard: true, isOwn: true });
  const paris = new ScriptedSite(w.hub, 'paris', w.signer.publicKey);
  w.site.alive();
  paris.alive();
  await until(() => w.sites.list().length > 0, WITHIN, 'paris');
  t.same(w.sites.list().map(({ name }) => name), ['paris']);
  t.notOk(w.keys.isSite('berlin'));
});

void t.test('no more sites are known than a front can have', async (t) => {
  const w = await world(t, { isUnheard: true, isOpen: true });
  const alive = (name: string): void => {
    const data = Buffer.from(JSON.stringify({
      v: 1, site: name, incarnation: w.site.incarnation, at: Date.now(), started: 0, version: '1', interval: 5000, providers: [], orders: 0, outbox: 0,
    }));
    w.site.bus.publish(aliveSubject(name), data);
  };
  for (let number = 0; number < FLEET_SITES + 10; number += 1) alive(`s${number}`);
  await until(() => w.sites.list().length >= FLEET_SITES, WITHIN, 'as many as there can be');
  await arrived();
  t.equal(w.sites.list().length, FLEET_SITES);
});
