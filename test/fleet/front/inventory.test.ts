import t, { type Test } from 'tap';
import { chunkOf } from '../../../src/fleet/chunk-of.js';
import { Inventory } from '../../../src/fleet/front/inventory.js';
import type { SiteOrders } from '../../../src/fleet/front/orders.js';
import { MachineKinds } from '../../../src/fleet/front/remote-machine.js';
import { writeMessage } from '../../../src/fleet/messages.js';
import { newSeed, NkeySigner } from '../../../src/fleet/signer.js';
import { chunkKey, INVENTORY_BUCKET, newsSubject } from '../../../src/fleet/subjects.js';
import { keysOf, packedValue, putValues, sealedFor, SITE_SIGNER, tellNews, tellState, valuesOf, type Rows } from '../../support/fleet/inventory-values.js';
import { MemoryHub } from '../../support/fleet/memory-bus.js';
import { until } from '../../support/until.js';

const WITHIN = 30_000;
const SECOND = 'incarnation-two-0002';

/** A front's inventory, and the bus of a site. */
function world(t: Test, ...sites: string[]) {
  const hub = new MemoryHub();
  const [front, site] = [hub.connect('f1'), hub.connect('berlin')];
  const log: string[] = [];
  const told: string[] = [];
  const refusals: Record<string, unknown>[] = [];
  const keys = keysOf(...sites.length === 0 ? ['berlin', 'paris'] : sites);
  /** what each site says that it has, by name; those that are not there say nothing */
  const offers = new Map<string, readonly string[]>();
  let arranged = 0;
  const kinds = new MachineKinds();
  const ended: string[] = [];
  const inventory = new Inventory({
    bus: front, keys, refused: { add: (facts) => void refusals.push(facts) },
    isOffered: (name, provider) => offers.get(name)?.includes(provider),
    log: (level, message, facts) => log.push(`${level} ${message} ${JSON.stringify(facts)}`),
    kindsOf: (name, provider) => {
      const { of, end } = kinds.at({ site: name, provider, orders: {} as SiteOrders });
      return {
        of,
        end: () => {
          ended.push(provider);
          end();
        },
      };
    },
    providersChanged: () => { arranged += 1; },
  });
  inventory.watch();
  t.teardown(() => inventory.close());
  const follow = (provider = 'kvm1'): void => {
    inventory.of('berlin', provider)!.listener = { relist: () => told.push('relist'), changed: (id, state) => told.push(`${id} ${state}`) };
  };
  return { hub, front, site, inventory, keys, offers, log, told, refusals, ended, follow, arranged: () => arranged };
}

const listed = async (inventory: Inventory, provider = 'kvm1'): Promise<string[]> =>
  (await inventory.of('berlin', provider)?.list() ?? []).map(({ machine, state }) => `${machine.name} ${state}`);

const whole = (inventory: Inventory, provider = 'kvm1') => until(() => inventory.of('berlin', provider)?.isWhole === true, WITHIN, `the whole inventory of ${provider}`);

const ROWS: Rows = Array.from({ length: 40 }, (_, at) => [`id-${at}`, `vm${at}`, at % 2 === 0 ? 'on' : 'off'] as const);

await t.test('what is in the bucket is listed by name, and machines that stay are the same objects', async (t) => {
  const { site, inventory, follow, told } = world(t);
  await putValues(site, valuesOf(ROWS, { chunks: 4 }));
  await whole(inventory);
  follow();
  const before = await inventory.of('berlin', 'kvm1')!.list();
  t.same(before.map(({ machine, state }) => `${machine.name} ${state}`), ROWS.map(([, name, state]) => `${name} ${state}`));
  const rows: Rows = [...ROWS.slice(1).map(([id, name, state]) => (id === 'id-7' ? [id, name, 'on'] as const : [id, name, state] as const)), ['id-new', 'vm0b']];
  await putValues(site, valuesOf(rows, { chunks: 4, seq: 5 }));
  await until(async () => (await listed(inventory))[0] === 'vm0b on' && (await listed(inventory)).includes('vm7 on'), WITHIN, 'what has changed');
  t.ok(told.includes('id-7 on'));
  t.ok(told.includes('relist'));
  const after = await inventory.of('berlin', 'kvm1')!.list();
  t.equal(after.length, ROWS.length);
  for (const seen of after.filter(({ machine }) => machine.id !== 'id-new')) t.ok(before.includes(seen), seen.machine.name);
});

await t.test('a listing that nobody waits for any longer takes nothing from the next one', async (t) => {
  const { site, inventory } = world(t);
  await putValues(site, valuesOf(ROWS, { chunks: 4 }));
  await whole(inventory);
  const [first, second] = await Promise.all([inventory.of('berlin', 'kvm1')!.list(), inventory.of('berlin', 'kvm1')!.list()]);
  t.same([first.length, second.length], [ROWS.length, ROWS.length]);
});

await t.test('while values of another division come, the former listing stays', async (t) => {
  const { site, inventory, follow, told } = world(t);
  await putValues(site, valuesOf(ROWS, { chunks: 2 }));
  await whole(inventory);
  follow();
  const before = await inventory.of('berlin', 'kvm1')!.list();
  const rows: Rows = [...ROWS, ['id-more', 'zebra', 'paused']];
  const values = valuesOf(rows, { chunks: 8, seq: 9 });
  await putValues(site, [...values.slice(0, 7), ...valuesOf([['id-else', 'other']], { provider: 'other' })]);
  await whole(inventory, 'other');
  t.same((await inventory.of('berlin', 'kvm1')!.list()).map(({ machine }) => machine.name), before.map(({ machine }) => machine.name));
  t.notOk(told.includes('relist'));
  await putValues(site, values.slice(7));
  await until(async () => (await listed(inventory)).at(-1) === 'zebra paused', WITHIN, 'the new division');
  const after = await inventory.of('berlin', 'kvm1')!.list();
  t.ok(before.every((seen) => after.includes(seen)), 'the machines are the same');
  // it shrinks: two values come, and the others are taken away
  await putValues(site, valuesOf(ROWS, { chunks: 2, seq: 12 }));
  for (let chunk = 2; chunk < 8; chunk += 1) await site.bucket(INVENTORY_BUCKET).delete(chunkKey('berlin', 'kvm1', chunk));
  await until(async () => (await listed(inventory)).length === ROWS.length, WITHIN, 'fewer');
  t.same(await inventory.of('berlin', 'kvm1')!.list(), before);
});

await t.test('an event is told at once where it is news', async (t) => {
  const { site, inventory, follow, told } = world(t);
  await putValues(site, valuesOf(ROWS, { chunks: 2, seq: 10 }));
  await whole(inventory);
  follow();
  tellState(site, 10, { provider: 'kvm1', id: 'id-0', now: 'off' });
  tellState(site, 11, { provider: 'kvm1', id: 'id-2', now: 'paused' });
  tellState(site, 11, { provider: 'kvm1', id: 'id-2', now: 'off' });
  await until(() => told.length > 0, WITHIN, 'the event');
  t.same(told, ['id-2 paused'], 'what is in the value already is older, and the same number tells nothing twice');
  t.ok((await listed(inventory)).includes('vm2 paused'));
  // a value that was written before the event is older than it
  await putValues(site, valuesOf([...ROWS, ['id-x', 'zz']], { chunks: 2, seq: 10 }));
  await until(async () => (await listed(inventory)).includes('zz on'), WITHIN, 'the value');
  t.ok((await listed(inventory)).includes('vm2 paused'));
  await putValues(site, valuesOf(ROWS, { chunks: 2, seq: 11 }));
  await until(async () => (await listed(inventory)).includes('vm2 on'), WITHIN, 'a value that has the event in it');
});

await t.test('an event counts over a change of the division', async (t) => {
  const { site, inventory, follow } = world(t);
  await putValues(site, valuesOf(ROWS, { chunks: 2, seq: 10 }));
  await whole(inventory);
  follow();
  for (const [id] of ROWS) tellState(site, 11 + Number(id.slice(3)), { provider: 'kvm1', id, now: 'crashed' });
  await until(async () => (await listed(inventory)).every((line) => line.endsWith(' crashed')), WITHIN, 'the events');
  await putValues(site, valuesOf([...ROWS, ['id-last', 'zz']], { chunks: 8, seq: 10 }));
  await until(async () => (await listed(inventory)).includes('zz on'), WITHIN, 'the new division');
  t.equal((await listed(inventory)).filter((line) => line.endsWith(' crashed')).length, ROWS.length);
});

await t.test('what a site counts from the beginning, after its state was lost, is believed when its values have come', async (t) => {
  const { site, inventory, follow, told } = world(t);
  await putValues(site, valuesOf(ROWS, { seq: 500 }));
  await whole(inventory);
  follow();
  tellState(site, 501, { provider: 'kvm1', id: 'id-0', now: 'crashed' });
  await until(() => told.length === 1, WITHIN, 'the event of the former process');
  await putValues(site, valuesOf(ROWS, { seq: 1, incarnation: SECOND }));
  await until(async () => (await listed(inventory)).includes('vm0 on'), WITHIN, 'the value of the new process');
  tellState(site, 2, { provider: 'kvm1', id: 'id-0', now: 'off' }, SECOND);
  await until(() => told.length === 3, WITHIN, 'its event');
  t.same(told, ['id-0 crashed', 'id-0 on', 'id-0 off']);
});

await t.test('a machine that is renamed, or can do something else, is another one', async (t) => {
  const { site, inventory, follow, told } = world(t);
  await putValues(site, valuesOf([['a', 'web'], ['b', 'db']]));
  await whole(inventory);
  follow();
  const before = await inventory.of('berlin', 'kvm1')!.list();
  await putValues(site, valuesOf([['a', 'www'], ['b', 'db', 'on', ['start', 'shutdown']]], { seq: 1 }));
  await until(() => told.includes('relist'), WITHIN, 'the change');
  const after = await inventory.of('berlin', 'kvm1')!.list();
  t.same(after.map(({ machine }) => `${machine.id} ${machine.name}`), ['b db', 'a www']);
  t.notOk(after.some((seen) => before.includes(seen)));
});

await t.test('what is no good is told once and passed over', async (t) => {
  const { site, hub, inventory, log } = world(t);
  const bucket = site.bucket(INVENTORY_BUCKET);
  const [good] = valuesOf([['a', 'web']]);
  const foreign = (key: string): Promise<Uint8Array> => sealedFor(key, { ...good!, provider: 'other' });
  for (let round = 0; round < 2; round += 1) {
    await bucket.put('berlin', new Uint8Array(3));
    await bucket.put('berlin.kvm1.x', new Uint8Array(3));
    await bucket.put('berlin.kvm1.01', await foreign('berlin.kvm1.01'));
    await bucket.put('BERLIN.kvm1.0', await foreign('BERLIN.kvm1.0'));
    await bucket.put('berlin.kvm1.0', Buffer.from('no gzip'));
    await bucket.put('berlin.kvm2.0', await foreign('berlin.kvm2.0'));
    tellState(site, round, { provider: 'kvm1', id: 'a' });
    tellNews(site, Buffer.from('{'));
  }
  await putValues(site, valuesOf([['b', 'fine']], { provider: 'last' }));
  await whole(inventory, 'last');
  t.equal(log.filter((line) => line.startsWith('warn value of the inventory is passed over')).length, 6, log.join('\n'));
  t.equal(log.filter((line) => line.startsWith('warn news of a site are passed over')).length, 1);
  t.equal(inventory.of('berlin', 'kvm1'), undefined);
  await putValues(site, [good!]);
  await whole(inventory);
  t.same(await listed(inventory), ['web on']);
  await bucket.put('berlin.kvm1.0', Buffer.from('no gzip'));
  await until(() => log.filter((line) => line.includes('"berlin.kvm1.0"')).length === 2, WITHIN, 'that it is told again after a good one');
  t.same(await listed(inventory), ['web on'], 'what was known stays');
  t.equal(hub.held, 0);
});

await t.test('a provider of which all values go is gone, and sites that are none of the fleet are not there', async (t) => {
  const { site, inventory, keys, offers, arranged, ended } = world(t, 'berlin');
  await putValues(site, [...valuesOf([['a', 'web']]), ...valuesOf([['a', 'web']], { site: 'paris' })]);
  await whole(inventory);
  t.same([inventory.sites(), inventory.providersOf('berlin'), inventory.of('berlin', 'kvm1')!.type], [['berlin'], ['kvm1'], 'libvirt']);
  keys.replace(new Map(['berlin', 'paris'].map((name) => [name, SITE_SIGNER.publicKey])));
  inventory.watch();
  await until(() => inventory.of('paris', 'kvm1')?.isWhole === true, WITHIN, 'the site that was added');
  keys.replace(new Map([['paris', SITE_SIGNER.publicKey]]));
  const before = arranged();
  inventory.watch();
  t.same([inventory.sites(), arranged()], [['paris'], before + 1]);
  t.same(ended, ['kvm1'], 'its kinds of machines go with it');
  await site.bucket(INVENTORY_BUCKET).delete(chunkKey('paris', 'kvm1', 0));
  await until(() => inventory.of('paris', 'kvm1')?.trouble !== undefined, WITHIN, 'that it is known that something is wrong');
  t.same(inventory.providersOf('paris'), ['kvm1'], 'what the bus alone says is gone is there');
  offers.set('paris', ['kvm1']);
  inventory.siteChanged('paris');
  t.same(inventory.providersOf('paris'), ['kvm1'], 'as long as the site says that it has it');
  offers.set('paris', []);
  inventory.siteChanged('paris');
  t.same([inventory.sites(), arranged() > before + 1], [[], true], 'until it says that it has not');
  t.same(ended, ['kvm1', 'kvm1']);
});

await t.test('over a break nothing is taken in twice, and what came meanwhile is not missed', async (t) => {
  const { site, front, inventory, follow, told } = world(t);
  await putValues(site, valuesOf(ROWS, { chunks: 2 }));
  await whole(inventory);
  follow();
  front.cut();
  await putValues(site, valuesOf([...ROWS, ['id-new', 'aa']], { chunks: 2, seq: 3 }).filter(({ chunk }) => chunk === chunkOf('id-new', 2)));
  front.restore();
  await until(async () => (await listed(inventory)).includes('aa on'), WITHIN, 'what came meanwhile');
  t.same(told, ['relist']);
});

await t.test('what its site has not signed for that very key is not taken for what it has, and what is known is out of date then', async (t) => {
  const { site, inventory, refusals, log, follow, told } = world(t);
  const thief = new NkeySigner(newSeed());
  const bucket = site.bucket(INVENTORY_BUCKET);
  await putValues(site, valuesOf(ROWS, { chunks: 2 }));
  await whole(inventory);
  follow();
  const provider = inventory.of('berlin', 'kvm1')!;
  const before = await listed(inventory);
  const [other] = valuesOf([['x', 'forged', 'off']], { chunks: 2 }).filter(({ machines }) => machines.length > 0);
  const key = chunkKey('berlin', 'kvm1', other!.chunk);
  const [paris] = valuesOf([['x', 'forged', 'off']], { site: 'paris' });
  const forged = [
    await sealedFor(key, other!, thief), await packedValue(other!), Buffer.from('{}'), new Uint8Array(0),
    await sealedFor(chunkKey('paris', 'kvm1', 0), paris!), await sealedFor(chunkKey('berlin', 'kvm2', other!.chunk), other!),
  ];
  for (const value of forged) {
    const count = refusals.length;
    await bucket.put(key, value);
    await until(() => refusals.length > count, WITHIN, 'that it is refused');
    t.same(refusals.at(-1), { site: 'berlin', key, reason: value.length < 64 ? 'it is not signed' : 'its signature is not by the key of that site' });
    t.match(provider.trouble, /changed by somebody else \(1 of 2 values\)/);
    t.same(await listed(inventory), before);
  }
  t.equal(log.length, 1, 'told once');
  tellNews(site, writeMessage({ v: 1, site: 'berlin', events: [{ incarnation: 'incarnation-one-0001', seq: 900, type: 'state', at: '', event: { provider: 'kvm1', id: 'id-0', now: 'crashed' } }] }), thief);
  await until(() => refusals.at(-1)!['subject'] === newsSubject('berlin'), WITHIN, 'that news are refused');
  t.same([await listed(inventory), told], [before, []]);
  await putValues(site, valuesOf([...ROWS, ['x', 'real']], { chunks: 2 }));
  await until(() => provider.trouble === undefined, WITHIN, 'that it is current again');
  t.ok((await listed(inventory)).includes('real on'));
});

await t.test('an old value that its site has signed is not taken for a new one, over a new life of the site, too', async (t) => {
  const { site, inventory, log } = world(t);
  const key = chunkKey('berlin', 'kvm1', 0);
  const [old, second] = [valuesOf([['a', 'old']])[0]!, valuesOf([['a', 'second']])[0]!];
  const next = { ...valuesOf([['a', 'next']])[0]!, life: 2, turn: 1 };
  for (const [value, name] of [[old, 'old on'], [second, 'second on'], [next, 'next on']] as const) {
    await site.bucket(INVENTORY_BUCKET).put(key, await sealedFor(key, value));
    await until(async () => (await listed(inventory))[0] === name, WITHIN, name);
  }
  for (const value of [old, second]) {
    await site.bucket(INVENTORY_BUCKET).put(key, await sealedFor(key, value));
    await until(() => inventory.of('berlin', 'kvm1')!.trouble !== undefined, WITHIN, 'that it is refused');
    t.same(await listed(inventory), ['next on']);
    await site.bucket(INVENTORY_BUCKET).put(key, await sealedFor(key, next));
    await until(() => inventory.of('berlin', 'kvm1')!.trouble === undefined, WITHIN, 'that the last one is right');
  }
  t.match(log[0], /it is an old one that was put back/);
});

await t.test('a site that has another key is believed by that alone, also where its number is smaller', async (t) => {
  const { site, inventory, keys } = world(t);
  const another = new NkeySigner(newSeed());
  await putValues(site, [{ ...valuesOf([['a', 'stolen']])[0]!, life: Number.MAX_SAFE_INTEGER }]);
  await whole(inventory);
  keys.replace(new Map([['berlin', another.publicKey]]));
  inventory.watch();
  await until(() => inventory.of('berlin', 'kvm1')!.trouble !== undefined, WITHIN, 'that what the former key has signed is doubted');
  await putValues(site, valuesOf([['a', 'right']]), another);
  await until(async () => (await listed(inventory))[0] === 'right on', WITHIN, 'the value');
  t.equal(inventory.of('berlin', 'kvm1')!.trouble, undefined);
});
