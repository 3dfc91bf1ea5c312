import t from 'tap';
import type { ProviderAbilities, WorkCall } from '../../src/drivers/management/contract.js';
import type { Destination } from '../../src/drivers/management/machine.js';
import type { GuestFigures } from '../../src/drivers/management/statistics.js';
import { Gate } from '../../src/instances/gate.js';
import type { InstanceRef } from '../../src/instances/info.js';
import { ArgoError, SettingsFault } from '../../src/kit/errors.js';
import { WORKS_OF_ACCOUNT } from '../../src/kit/work-limits.js';
import { until } from '../support/until.js';
import { FakeMachine, never } from './fake-driver.js';
import { world, type WorldOptions } from './works-world.js';

const WITHIN = 5000;
const EVERYTHING = [{ instances: ['*'], commands: ['*'] }];
const lj: InstanceRef = { provider: 'kvm1', id: 'lj' };

/** Something that ends when the test lets it. */
function gate<T = void>(): { readonly opened: Promise<T>; open(value: T): void; fail(error: unknown): void } {
  let open: (value: T) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const opened = new Promise<T>((resolve, reject) => { [open, fail] = [resolve, reject]; });
  return { opened, open, fail };
}

const images = (part: ProviderAbilities['images']): WorldOptions['hosts'] => ({ kvm1: { abilities: { images: part! } } });

await t.test('many who ask the same at a time share one answer, each with a copy of its own', async (t) => {
  const asked: string[][] = [];
  const answer = gate<{ cpu: { percent: number } }>();
  const abilities: ProviderAbilities = { statistics: { host: async ({ figures }) => { asked.push([...figures]); return answer.opened; } } };
  const { actor, audit } = await world(t, { hosts: { kvm1: { abilities } }, accounts: { kim: EVERYTHING } });
  const kim = actor('kim');
  const many = Array.from({ length: 50 }, (_, index) => kim.work('stats.host', 'kvm1', { figures: index % 2 === 0 ? ['memory', 'cpu'] : ['cpu', 'memory', 'cpu'] }));
  const other = kim.work('stats.host', 'kvm1', { figures: ['df'] });
  await until(() => asked.length >= 2, WITHIN, 'both questions');
  answer.open({ cpu: { percent: 3 } });
  const answers = await Promise.all(many);
  await other;
  t.same(asked.map(String).sort(), ['cpu,memory', 'cpu,memory', 'df'], 'in the order of the table, whoever asks in which; those who came after it was asked share the next');
  t.same(answers[0], { cpu: { percent: 3 } });
  t.not(answers[0], answers[1]);
  t.ok(Object.isFrozen(answers[0]) && Object.isFrozen(answers[0]!.cpu));
  t.same(audit.begun, [], 'looking is not recorded');
});

await t.test('an answer of some age will do for who says so, until something is changed', async (t) => {
  let asked = 0;
  const { actor } = await world(t, {
    hosts: images({
      list: async () => {
        asked += 1;
        return [];
      },
      delete: async () => undefined,
    }),
    accounts: { kim: EVERYTHING },
  });
  const kim = actor('kim');
  await kim.work('image.list', 'kvm1', {}, { maxAge: 60_000 });
  await kim.work('image.list', 'kvm1', {}, { maxAge: 60_000 });
  t.equal(asked, 1);
  await kim.work('image.delete', 'kvm1', { name: 'old.img' });
  await kim.work('image.list', 'kvm1', {}, { maxAge: 60_000 });
  t.equal(asked, 2);
});

await t.test('what is known of the host to which a machine goes holds no longer either', async (t) => {
  let asked = 0;
  const machine = Object.assign(new FakeMachine('lj', 'off'), { abilities: { migration: { to: async () => undefined } } });
  const { actor } = await world(t, {
    hosts: { kvm1: { machines: [machine] }, kvm2: { destination: (): Destination => ({ provider: 'kvm2', access: {} }), abilities: { images: { list: async () => { asked += 1; return []; } } as ProviderAbilities['images'] & object } } },
    accounts: { kim: EVERYTHING },
  });
  const kim = actor('kim');
  await kim.work('image.list', 'kvm2', {}, { maxAge: 60_000 });
  await kim.work('machine.migrate', lj, { to: 'kvm2' });
  await kim.work('image.list', 'kvm2', {}, { maxAge: 60_000 });
  t.equal(asked, 2);
});

await t.test('what is said of machines is said of those that the account may read', async (t) => {
  const figures: GuestFigures[] = [{ id: 'lj', vcpus: 1 }, { id: 'db', vcpus: 2 }, { id: 'unlisted', vcpus: 3 }];
  const machines = [new FakeMachine('lj', 'on'), new FakeMachine('db', 'on')];
  const { actor } = await world(t, {
    hosts: { kvm1: { machines, abilities: { statistics: { guests: async () => figures } } }, kvm2: {} },
    accounts: { kim: EVERYTHING, tenant: [{ instances: ['lj'], commands: ['read'] }], power: [{ instances: ['kvm1/*'], commands: ['power'] }], all: [{ instances: ['kvm1/*'], commands: ['stats.guests'] }] },
  });
  t.same(await actor('kim').work('stats.guests', 'kvm1', {}), figures);
  t.same(await actor('all').work('stats.guests', 'kvm1', {}), figures);
  t.same(await actor('tenant').work('stats.guests', 'kvm1', {}), [{ id: 'lj', vcpus: 1 }]);
  await t.rejects(actor('power').work('stats.guests', 'kvm1', {}), { message: 'NOT ALLOWED' });
  await t.rejects(actor('tenant').work('stats.guests', 'kvm2', {}), { message: 'NOT ALLOWED' }, 'one with nothing of its own');
  await t.rejects(actor('tenant').work('stats.guests', 'gone', {}), { message: 'NOT ALLOWED' }, 'is as one that is not there');
  t.same(actor('tenant').works('kvm1'), ['stats.guests']);
});

await t.test('what changes something is recorded before and after, told and logged, without secrets', async (t) => {
  const machine = Object.assign(new FakeMachine('lj', 'off'), { abilities: { hardware: { change: async () => undefined } } });
  const { actor, audit, events, logged } = await world(t, {
    hosts: { kvm1: { machines: [machine], abilities: { images: { delete: async () => undefined } } } },
    accounts: { kim: EVERYTHING, root: EVERYTHING },
  });
  const told: object[] = [];
  events.listen((facts) => told.push(facts));
  await actor('kim').work('hardware.change', lj, { vcpus: 2, memory: 2n ** 30n, password: 'hunter2' });
  await actor('kim', { word: 'image', right: 'configure' }).work('image.delete', 'kvm1', { name: 'old.img' });
  t.same(audit.begun, [
    { account: 'kim', from: '127.0.0.1:1', command: 'hardware.change', instance: 'kvm1/lj', options: '--vcpus=2 --memory=1073741824 --password' },
    { account: 'kim', from: '127.0.0.1:1', command: 'image: image.delete', instance: 'kvm1', options: '--name=old.img' },
  ]);
  t.same(audit.ended, [{ id: 1, outcome: 'done' }, { id: 2, outcome: 'done' }]);
  t.match(told, [
    { type: 'action', instance: 'kvm1/lj', command: 'hardware.change', outcome: 'begun', auditId: 1 }, { type: 'action', instance: 'kvm1/lj', outcome: 'done' },
    { type: 'action', instance: 'kvm1', command: 'image: image.delete', outcome: 'begun', auditId: 2 }, { type: 'action', instance: 'kvm1', outcome: 'done' },
  ]);
  t.notMatch(JSON.stringify([told, logged, audit.begun]), 'hunter2');
  t.match(logged.at(-1), /^info action .*"instance":"kvm1"/);
});

await t.test('what is done to a provider is told to who may read all of it', async (t) => {
  const machines = [new FakeMachine('lj', 'on'), new FakeMachine('kvm1', 'on')];
  const { actor } = await world(t, {
    hosts: { kvm1: { machines, abilities: { images: { delete: async () => undefined } } }, kvm2: {} },
    accounts: { kim: EVERYTHING, reader: [{ instances: ['kvm1/*'], commands: ['read'] }], namesake: [{ instances: ['kvm1', 'lj'], commands: ['read'] }], other: [{ instances: ['kvm2/*'], commands: ['*'] }] },
  });
  await actor('kim').work('image.delete', 'kvm1', { name: 'old.img' });
  const seen = async (name: string, names?: string[]) => (await actor(name).lastEvents({ types: ['action'], ...(names ? { names } : {}) }, 10)).map(({ facts }) => facts as { account: string; outcome: string });
  t.match(await seen('kim'), [{ account: 'kim', outcome: 'begun' }, { account: 'kim', outcome: 'done' }]);
  t.match(await seen('reader'), [{ account: '-' }, { account: '-' }]);
  t.equal((await seen('reader', ['kvm1/*'])).length, 2);
  t.same(await seen('reader', ['lj']), []);
  t.same(await seen('namesake'), [], 'also not to who may read a machine of its name');
  t.same(await seen('other'), []);
  const rows = async (name: string) => (await actor(name).audit({ most: 10 })).rows.map((row) => row.account);
  t.same([await rows('kim'), await rows('reader'), await rows('namesake'), await rows('other')], [['kim'], ['-'], [], []]);
  t.equal((await actor('kim').audit({ most: 10, instance: 'kvm1' })).rows.length, 1);
});

await t.test('what is done to a machine does not tell its readers of other hosts, templates and machines', async (t) => {
  const refuse = async (): Promise<never> => { throw new ArgoError('WRONG STATE', 'db has golden.qcow2'); };
  const machine = Object.assign(new FakeMachine('lj', 'off'), { abilities: { templating: { create: refuse }, migration: { to: async () => undefined } } });
  const { actor } = await world(t, {
    hosts: { kvm1: { machines: [machine] }, kvm2: { destination: (): Destination => ({ provider: 'kvm2', access: {} }) } },
    accounts: { kim: EVERYTHING, tenant: [{ instances: ['kvm1/lj'], commands: ['*'] }] },
  });
  const as = { word: 'migrate', right: 'configure' } as const;
  await t.rejects(actor('kim').work('template.create', lj, { template: 'golden', settings: {} }));
  await actor('kim', as).work('machine.migrate', lj, { to: 'kvm2' });
  const told = async (name: string): Promise<object[]> => (await actor(name).lastEvents({ types: ['action'] }, 10)).map(({ facts }) => facts);
  const rows = async (name: string): Promise<object[]> => [...(await actor(name).audit({ most: 10 })).rows];
  for (const shown of [await told('tenant'), await rows('tenant')]) {
    t.notMatch(JSON.stringify(shown), /kvm2|golden|db/);
    t.match(JSON.stringify(shown), /"outcome":"WRONG STATE"/, 'how it ended is told');
  }
  for (const shown of [await told('kim'), await rows('kim')]) t.match(JSON.stringify(shown), /--to=kvm2.*db has golden|db has golden.*--to=kvm2/);
});

await t.test('what a driver has not is not supported, and that is told to who may do it alone', async (t) => {
  const machines = [new FakeMachine('lj', 'on')];
  const { actor, audit } = await world(t, { hosts: { kvm1: { machines, abilities: { images: { list: async () => [] } } }, bare: {} }, accounts: { kim: EVERYTHING, reader: [{ instances: ['*'], commands: ['read'] }] } });
  const kim = actor('kim');
  await t.rejects(kim.work('image.delete', 'kvm1', { name: 'x' }), { message: 'NOT SUPPORTED: kvm1 (fake) has no image.delete' }, 'a method');
  await t.rejects(kim.work('image.list', 'bare', {}), { message: 'NOT SUPPORTED: bare (fake) has no image.list' }, 'all');
  await t.rejects(kim.work('machine.delete', lj, { disks: true }), { message: 'NOT SUPPORTED: lj (fake) has no machine.delete' });
  await t.rejects(kim.work('image.list', 'gone', {}), { message: 'NO SUCH PROVIDER: gone' });
  await t.rejects(kim.work('hardware.read', { provider: 'kvm1', id: 'gone' }, {}), { message: 'NO SUCH INSTANCE: kvm1/#gone' });
  await t.rejects(actor('reader').work('image.delete', 'kvm1', { name: 'x' }), { message: 'NOT ALLOWED' });
  for (const one of ['kvm1', 'gone']) await t.rejects(actor('stranger').work('image.list', one, {}), { message: 'NOT ALLOWED' });
  t.same(kim.works('kvm1'), ['image.list']);
  t.same(kim.works('bare'), []);
  t.same(kim.works(lj), []);
  t.throws(() => kim.works('gone'), { message: 'NO SUCH PROVIDER: gone' });
  t.throws(() => actor('stranger').works('kvm1'), { message: 'NOT ALLOWED' });
  t.same(audit.begun, []);
});

await t.test('what is no work, or is done to something else', async (t) => {
  const { actor } = await world(t, { hosts: { kvm1: { machines: [new FakeMachine('lj', 'on')], abilities: { images: { list: async () => [], delete: async () => undefined } } } }, accounts: { kim: EVERYTHING } });
  const work = actor('kim').work.bind(actor('kim')) as unknown as (name: unknown, on: unknown, args: unknown, call?: unknown) => Promise<unknown>;
  for (const [name, on, args, call] of [
    ['constructor', 'kvm1', {}], ['start', lj, {}], ['__proto__', 'kvm1', {}], [undefined, 'kvm1', {}], [{ toString: () => 'image.list' }, 'kvm1', {}],
    ['image.list', lj, {}], ['hardware.read', 'kvm1', {}], ['hardware.read', 7, {}],
    ['image.list', 'kvm1', {}, { once: 7 }], ['image.list', 'kvm1', {}, { once: 'key-0001' }], ['image.delete', 'kvm1', { name: 'x' }, { once: 'key-0001' }], ['image.list', 'kvm1', {}, { begun: 'x' }], ['image.list', 'kvm1', {}, { deadline: -1 }], ['image.list', 'kvm1', {}, { signal: {} }],
  ] as const) await t.rejects(work(name, on, args, call), { message: /^BAD REQUEST/ }, String(name));
});

await t.test('a machine is not switched while something else is done to it', async (t) => {
  const deleting = gate();
  let isDeleting = false;
  const machine = Object.assign(new FakeMachine('lj', 'on'), {
    abilities: {
      removal: {
        delete: async () => {
          isDeleting = true;
          await deleting.opened;
          isDeleting = false;
        },
      },
    },
  });
  const { actor } = await world(t, { hosts: { kvm1: { machines: [machine] } }, accounts: { kim: EVERYTHING, jo: EVERYTHING } });
  const done = actor('kim').work('machine.delete', lj, { disks: true });
  await until(() => isDeleting, WITHIN, 'the deletion');
  t.match(actor('jo').tasks.list(), [{ operation: 'machine.delete', instance: 'kvm1/lj', doing: 'working', account: 'kim' }]);
  t.match(await actor('jo').plan(lj, { action: 'stop', mode: 'soft', wait: false }), /after another action that holds it: machine\.delete$/);
  for (const mode of ['soft', 'hard'] as const) await t.rejects(actor('jo').power(lj, { action: 'stop', mode, wait: false }, { deadline: 50 }), { message: 'BUSY: another action holds lj' });
  const stopped = actor('jo').power(lj, { action: 'stop', mode: 'soft', wait: false });
  deleting.open();
  await done;
  await stopped;
  t.same(machine.calls, ['shutdown']);
  t.equal(isDeleting, false);
});

await t.test('one change of a host\'s network at a time, also where the host is two providers', async (t) => {
  const under = new Map<string, number>();
  let most = 0;
  let mostOfAll = 0;
  const network = (name: string): ProviderAbilities => ({
    network: {
      addRoute: async () => {
        under.set(name, (under.get(name) ?? 0) + 1);
        most = Math.max(most, under.get(name)!);
        mostOfAll = Math.max(mostOfAll, [...under.values()].reduce((sum, one) => sum + one, 0));
        await new Promise((resolve) => { setTimeout(resolve, 5); });
        under.set(name, under.get(name)! - 1);
        return { keptBy: undefined };
      },
    },
  });
  const one = { place: 'node1:22', abilities: network('node1') };
  const { actor } = await world(t, { hosts: { kvm1: one, lxc1: one, kvm2: { place: 'node2:22', abilities: network('node2') }, kvm3: { abilities: network('node3') } }, accounts: { kim: EVERYTHING, jo: EVERYTHING } });
  const route = (part: number) => ({ destination: `10.0.${part}.0`, prefix: 24, interface: 'eth0', rollback: 30_000, force: false });
  const all = ['kim', 'jo'].flatMap((name) => ['kvm1', 'lxc1', 'kvm2', 'kvm3'].flatMap((on) => Array.from({ length: 5 }, (_, part) => actor(name).work('route.add', on, route(part)))));
  t.same(new Set((await Promise.all(all)).map(({ keptBy }) => keptBy)), new Set([undefined]));
  t.equal(most, 1);
  t.equal(mostOfAll, 3, 'hosts do not wait for each other');
});

await t.test('errors of strangers are internal, and the log has the cause', async (t) => {
  const { actor, logged, audit } = await world(t, {
    hosts: images({ list: async () => { throw new Error('at 10.0.0.1 with secrets'); }, delete: () => { throw new TypeError('at once'); }, create: async () => { throw new SettingsFault({ size: 'too much' }); } }),
    accounts: { kim: EVERYTHING },
  });
  for (const work of [actor('kim').work('image.list', 'kvm1', {}), actor('kim').work('image.delete', 'kvm1', { name: 'x' })]) {
    const error = await work.then(() => undefined, (thrown: unknown) => thrown as ArgoError);
    t.equal(error?.message, 'INTERNAL ERROR');
    t.equal(error?.cause, undefined);
  }
  t.match(logged.at(-1), /at once/);
  t.same(audit.ended, [{ id: 1, outcome: 'INTERNAL ERROR' }]);
  await t.rejects(actor('kim').work('image.create', 'kvm1', { name: 'x', size: 2n ** 30n, format: 'raw' }), { message: 'BAD REQUEST: size: too much', faults: { size: 'too much' } });
});

await t.test('a driver that hangs holds nobody up beyond the deadline', async (t) => {
  const { actor } = await world(t, {
    hosts: { kvm1: { abilities: { images: { list: never, delete: never } }, settings: { concurrency: 1 } } },
    accounts: { kim: EVERYTHING },
  });
  await t.rejects(actor('kim').work('image.list', 'kvm1', {}, { deadline: 50 }), { message: 'TIMEOUT: no answer from kvm1 in 50 ms' });
  await t.rejects(actor('kim').work('image.delete', 'kvm1', { name: 'x' }, { deadline: 50 }), { message: 'UNCERTAIN: it had not ended after 50 ms; what came of it cannot be told' }, 'that nothing was done nobody knows');
  await t.rejects(actor('kim').work('image.list', 'kvm1', {}, { deadline: 50 }), { message: /^TIMEOUT/ }, 'its place was given back');
});

await t.test('at the deadline the driver has the last word', async (t) => {
  const words: Record<string, (call: WorkCall) => Promise<void>> = {
    done: (call) => new Promise((resolve) => { call.signal.addEventListener('abort', () => setTimeout(resolve, 5)); }),
    'TIMEOUT: it had not ended after 50 ms; nothing of it is left': (call) => new Promise((_, reject) => { call.signal.addEventListener('abort', () => reject(new ArgoError('UNREACHABLE', 'it was taken away'))); }),
    'FAILED: the disk is full': (call) => new Promise((_, reject) => { call.signal.addEventListener('abort', () => reject(new ArgoError('FAILED', 'the disk is full'))); }),
    'UNCERTAIN: it had not ended after 50 ms; what came of it cannot be told': (call) => new Promise((_, reject) => { call.signal.addEventListener('abort', () => reject(call.signal.reason as Error)); }),
  };
  for (const [told, work] of Object.entries(words)) {
    const { actor } = await world(t, { hosts: images({ delete: (_, call) => work(call) }), accounts: { kim: EVERYTHING } });
    t.equal(await actor('kim').work('image.delete', 'kvm1', { name: 'x' }, { deadline: 50 }).then(() => 'done', (error: unknown) => (error as Error).message), told);
  }
});

await t.test('what only reads ends with its caller, its request and its right; what acts goes on', async (t) => {
  const answer = gate<never[]>();
  let ended = 0;
  let isDeleted = false;
  const hosts = images({
    list: (_, { signal }) => { signal.addEventListener('abort', () => { ended += 1; }); return answer.opened; },
    delete: async (_, { signal }) => { await answer.opened; isDeleted = !signal.aborted; },
  });
  const { actor, grant } = await world(t, { hosts, accounts: { kim: EVERYTHING } });
  const caller = new AbortController();
  const reading = actor('kim').work('image.list', 'kvm1', {}, { signal: caller.signal });
  const mine = new Error('mine');
  caller.abort(mine);
  await t.rejects(reading, mine);
  await t.rejects(actor('kim').work('image.delete', 'kvm1', { name: 'x' }, { signal: caller.signal }), mine, 'nor is anything begun for who has left already');
  const lost = actor('kim').work('image.list', 'kvm1', {});
  const leaving = new AbortController();
  const acting = actor('kim').work('image.delete', 'kvm1', { name: 'x' }, { signal: leaving.signal });
  await until(() => actor('kim').tasks.list().length === 1, WITHIN, 'the deletion');
  leaving.abort(mine);
  grant('kim', [{ instances: ['*'], commands: ['configure'] }]);
  await t.rejects(lost, { message: 'NOT ALLOWED' });
  answer.open([]);
  await acting;
  t.equal(isDeleted, true);
  t.equal(ended, 2);
});

await t.test('a request that is over ends what it reads, and nothing that it has begun', async (t) => {
  const answer = gate<never[]>();
  let isDeleted = false;
  const { actor } = await world(t, {
    hosts: images({
      list: () => answer.opened,
      delete: async () => {
        await answer.opened;
        isDeleted = true;
      },
    }),
    accounts: { kim: EVERYTHING },
  });
  const kept = actor('kim');
  const acting = kept.work('image.delete', 'kvm1', { name: 'x' });
  const reading = kept.work('image.list', 'kvm1', {});
  await until(() => actor('kim').tasks.list().length === 1, WITHIN, 'the deletion');
  Gate.end(kept);
  await t.rejects(reading, { message: 'NOT ALLOWED: the request is over' });
  await t.rejects(kept.work('image.list', 'kvm1', {}), { message: 'NOT ALLOWED: the request is over' });
  answer.open([]);
  await acting;
  t.equal(isDeleted, true);
});

await t.test('a subject that lies about its name brings out nothing', async (t) => {
  const machines = ['lj', 'db'].map((name) => Object.assign(new FakeMachine(name, 'on'), { abilities: { hardware: { read: async () => ({ vcpus: 1, memory: 1n, limits: { vcpus: { min: 1, max: 1 }, memory: { min: 1n, max: 1n } } }) } } }));
  const { actor } = await world(t, { hosts: { kvm1: { machines } }, accounts: { tenant: [{ instances: ['lj'], commands: ['*'] }] } });
  const told = (on: object): Promise<string> => actor('tenant').work('hardware.read', on as InstanceRef, {}).then(() => 'done', (error: unknown) => (error as Error).message);
  t.equal(await told({ provider: 'kvm1', id: 'lj', fullName: 'kvm1/db' }), 'done');
  for (const fullName of ['kvm1/lj', 'kvm1/db', 'lj']) t.equal(await told({ provider: 'kvm1', id: 'db', fullName }), await told({ provider: 'kvm1', id: 'absent', fullName }), fullName);
  let looks = 0;
  t.equal(await told({ provider: 'kvm1', get id() { looks += 1; return looks === 1 ? 'db' : 'lj'; } }), 'NOT ALLOWED');
  t.equal(looks, 1);
});

await t.test('a right that is taken away in the middle ends the work', async (t) => {
  const { actor, grant, audit } = await world(t, {
    hosts: images({ delete: (_, { signal }) => new Promise((_resolve, reject) => { signal.addEventListener('abort', () => reject(new ArgoError('UNREACHABLE', 'taken back'))); }) }),
    accounts: { kim: EVERYTHING },
  });
  const work = actor('kim').work('image.delete', 'kvm1', { name: 'x' });
  await until(() => actor('kim').tasks.list().length === 1, WITHIN, 'the work');
  grant('kim', [{ instances: ['*'], commands: ['read'] }]);
  await t.rejects(work, { message: 'NOT ALLOWED: the right to it was taken away; nothing of it is left' });
  t.equal(audit.ended.length, 1);
});

await t.test('a right that is taken away while it waits for its turn', async (t) => {
  const first = gate<{ keptBy: undefined }>();
  let calls = 0;
  const { actor, grant } = await world(t, {
    hosts: {
      kvm1: {
        abilities: {
          network: {
            deleteBridge: () => {
              calls += 1;
              return first.opened;
            },
          },
        },
      },
    },
    accounts: { kim: EVERYTHING, jo: EVERYTHING },
  });
  const bridge = { name: 'br0', rollback: 5000, force: false };
  const holding = actor('jo').work('bridge.delete', 'kvm1', bridge);
  await until(() => calls === 1, WITHIN, 'the first');
  const waiting = actor('kim').work('bridge.delete', 'kvm1', bridge);
  await until(() => actor('kim').tasks.list().length === 2, WITHIN, 'the second');
  grant('kim', [{ instances: ['*'], commands: ['configure'] }]);
  await t.rejects(waiting, { message: /^NOT ALLOWED/ });
  first.open({ keptBy: undefined });
  await holding;
  t.equal(calls, 1);
});

await t.test('without an audit nothing is done', async (t) => {
  let calls = 0;
  const abilities: ProviderAbilities = { images: { delete: async () => { calls += 1; }, create: async () => { calls += 1; } } };
  const accounts = { kim: EVERYTHING };
  const refused = await world(t, { hosts: { kvm1: { abilities } }, accounts, audit: () => Promise.reject(new ArgoError('AUDIT UNAVAILABLE', 'the disk is full')) });
  const unwritten = await world(t, { hosts: { kvm1: { abilities } }, accounts, isWritten: false });
  const image = { name: 'x', size: 2n ** 30n, format: 'raw' } as const;
  await t.rejects(refused.actor('kim').work('image.delete', 'kvm1', { name: 'x' }), { message: /^AUDIT UNAVAILABLE/ });
  await t.rejects(refused.actor('kim').work('image.create', 'kvm1', image), { message: /^AUDIT UNAVAILABLE/ });
  await t.rejects(unwritten.actor('kim').work('image.create', 'kvm1', image), { message: /^AUDIT UNAVAILABLE/ });
  t.equal(calls, 0);
  t.match(await refused.actor('kim').tasks.works(), [{ state: 'failed', detail: /^AUDIT UNAVAILABLE/ }]);
});

await t.test('a thousand at once of one account leave room for others', async (t) => {
  const answer = gate();
  let calls = 0;
  const { actor } = await world(t, {
    hosts: images({
      delete: async () => {
        calls += 1;
        await answer.opened;
      },
    }),
    accounts: { kim: EVERYTHING, jo: EVERYTHING },
  });
  const all = Array.from({ length: 1000 }, (_, index) => actor('kim').work('image.delete', 'kvm1', { name: `image${index}` }).then(() => 'done', (error: unknown) => (error as ArgoError).phrase));
  await until(() => calls > 0, WITHIN, 'the first');
  const other = actor('jo').work('image.delete', 'kvm1', { name: 'other' });
  answer.open();
  await other;
  const ends = await Promise.all(all);
  t.equal(ends.filter((end) => end === 'done').length, WORKS_OF_ACCOUNT);
  t.equal(ends.filter((end) => end === 'BUSY').length, 1000 - WORKS_OF_ACCOUNT);
  await actor('kim').work('image.delete', 'kvm1', { name: 'later' });
});

await t.test('what makes or removes machines is done when they are listed', async (t) => {
  const machines = [new FakeMachine('lj', 'off')];
  Object.assign(machines[0]!, { abilities: { removal: { delete: async () => { machines.splice(0, 1); } } } });
  const { actor } = await world(t, { hosts: { kvm1: { machines, abilities: { templates: { deploy: async ({ name }) => { machines.push(new FakeMachine(name, 'off')); } } } } }, accounts: { kim: EVERYTHING } });
  await actor('kim').work('template.deploy', 'kvm1', { template: 'debian', name: 'web1', settings: {} });
  t.match((await actor('kim').select(['web1'])).instances, [{ fullName: 'kvm1/web1' }]);
  await actor('kim').work('machine.delete', lj, { disks: false });
  await t.rejects(actor('kim').select(['lj']), { message: 'NO SUCH INSTANCE: lj' });
});

await t.test('a machine is moved to a provider of its type, by who may configure both', async (t) => {
  const machines = [new FakeMachine('lj', 'on')];
  const moves: Destination[] = [];
  const there: FakeMachine[] = [];
  Object.assign(machines[0]!, {
    abilities: {
      migration: {
        to: async ({ destination }: { destination: Destination }) => {
          moves.push(destination);
          there.push(...machines.splice(0, 1));
        },
      },
    },
  });
  const { actor, audit, registry } = await world(t, {
    hosts: {
      kvm1: { machines }, kvm2: { machines: there, destination: () => ({ provider: 'kvm2', access: { uri: 'qemu+ssh://kvm2' } }) },
      closed: { destination: () => { throw new ArgoError('NOT SUPPORTED', 'it cannot be reached from elsewhere'); } }, plain: {}, xen: { type: 'other', destination: () => ({ provider: 'xen', access: {} }) },
    },
    accounts: { kim: EVERYTHING, half: [{ instances: ['kvm1/*'], commands: ['*'] }, { instances: ['kvm2/*'], commands: ['read', 'power'] }], part: [{ instances: ['kvm1/*', 'kvm2/web*'], commands: ['*'] }] },
  });
  const move = (name: string, to: unknown, more = {}): Promise<void> => actor(name).work('machine.migrate', lj, { to, ...more } as { to: string });
  for (const [name, to, told] of [
    ['half', 'kvm2', 'NOT ALLOWED'], ['part', 'kvm2', 'NOT ALLOWED'], ['half', 'nowhere', 'NOT ALLOWED'], ['kim', 'nowhere', 'NO SUCH PROVIDER: nowhere'], ['kim', 'kvm1', 'BAD REQUEST: to: lj is on kvm1 already'],
    ['kim', 'xen', 'NOT SUPPORTED: lj is a machine of type fake, and xen is of type other'], ['kim', 'plain', 'NOT SUPPORTED: machines cannot be moved to plain'], ['kim', 'closed', 'NOT SUPPORTED: it cannot be reached from elsewhere'],
    ['kim', '', 'BAD REQUEST: to: the name of a provider is expected'], ['kim', { provider: 'kvm2', access: {} }, 'BAD REQUEST: to: the name of a provider is expected'],
  ] as const) await t.rejects(move(name, to), { message: told }, `${name} to ${JSON.stringify(to)}`);
  await t.rejects(move('kim', 'kvm2', { destination: { provider: 'kvm2', access: { uri: 'qemu+ssh://evil' } } }), { message: 'BAD REQUEST: destination: there is no such argument' });
  t.same(audit.begun, []);
  t.match(await actor('kim').planWork('machine.migrate', lj, { to: 'kvm2' }), /^move it to kvm2/);
  await move('kim', 'kvm2');
  t.same(moves, [{ provider: 'kvm2', access: { uri: 'qemu+ssh://kvm2' } }]);
  t.match(audit.begun, [{ instance: 'kvm1/lj', command: 'machine.migrate', options: '--to=kvm2' }]);
  t.same([...registry.all()].map(({ fullName }) => fullName), ['kvm2/lj'], 'both are listed again');
});

await t.test('the right to where it goes may be taken away in the middle', async (t) => {
  const moving = gate();
  const machine = Object.assign(new FakeMachine('lj', 'on'), {
    abilities: { migration: { to: (_: object, { signal }: WorkCall) => { moving.open(); return new Promise<void>((_resolve, reject) => { signal.addEventListener('abort', () => reject(new ArgoError('UNREACHABLE', 'it stays'))); }); } } },
  });
  const { actor, grant } = await world(t, { hosts: { kvm1: { machines: [machine] }, kvm2: { destination: () => ({ provider: 'kvm2', access: {} }) } }, accounts: { kim: EVERYTHING } });
  const work = actor('kim').work('machine.migrate', lj, { to: 'kvm2' });
  await moving.opened;
  grant('kim', [{ instances: ['kvm1/*'], commands: ['*'] }]);
  await t.rejects(work, { message: 'NOT ALLOWED: the right to it was taken away; nothing of it is left' });
});

await t.test('a dry run says what stands against it, where a list tells that', async (t) => {
  let isBroken = false;
  const abilities: ProviderAbilities = {
    images: {
      list: async () => {
        if (isBroken) throw new ArgoError('UNREACHABLE', 'no answer');
        return [{ name: 'a.img', kind: 'disk', format: 'raw', capacity: 1n, allocation: 1n, usedBy: [] }];
      },
      create: never, delete: never,
    },
    templates: { list: async () => [{ name: 'debian', type: 'vm' }], deploy: never },
  };
  const { actor } = await world(t, { hosts: { kvm1: { abilities } }, accounts: { kim: EVERYTHING, maker: [{ instances: ['*'], commands: ['configure'] }] } });
  const [kim, maker] = [actor('kim'), actor('maker')];
  const create = (one: typeof kim, name: string): Promise<string> => one.planWork('image.create', 'kvm1', { name, size: 2n ** 30n, format: 'raw' });
  t.equal(await create(kim, 'b.img'), 'make the image b.img of 1.0 GiB (raw)');
  t.equal(await create(kim, 'a.img'), 'make the image a.img of 1.0 GiB (raw); there is a.img already');
  t.equal(await create(maker, 'a.img'), 'make the image a.img of 1.0 GiB (raw)', 'who may not read the list is told nothing of it');
  t.equal(await kim.planWork('image.delete', 'kvm1', { name: 'a.img' }), 'delete the image a.img');
  t.equal(await kim.planWork('image.delete', 'kvm1', { name: 'b.img' }), 'delete the image b.img; there is no b.img now');
  t.equal(await kim.planWork('template.deploy', 'kvm1', { template: 'suse', name: 'web1', settings: {} }), 'make the machine web1 from the template suse; there is no suse now');
  isBroken = true;
  t.equal(await kim.planWork('image.delete', 'kvm1', { name: 'b.img' }), 'delete the image b.img; whether b.img is there cannot be told (UNREACHABLE)');
  const left = new AbortController();
  left.abort(new Error('mine'));
  await t.rejects(kim.planWork('image.delete', 'kvm1', { name: 'b.img' }, { signal: left.signal }), { message: 'mine' });
});

await t.test('a dry run says what would be done, and does nothing', async (t) => {
  let calls = 0;
  const count = async (): Promise<never> => { calls += 1; throw new Error('it was done'); };
  const machine = Object.assign(new FakeMachine('lj', 'on'), { abilities: { hardware: { change: count, read: count }, removal: { delete: count } } });
  const { actor, audit } = await world(t, {
    hosts: { kvm1: { machines: [machine], abilities: { images: { create: count }, templates: { deploy: count }, network: { addRoute: count, replaceRoute: count, addBridge: count } } } }, accounts: { kim: EVERYTHING, reader: [{ instances: ['*'], commands: ['read'] }] },
  });
  const kim = actor('kim');
  const guard = { rollback: 30_000, force: false };
  t.equal(await kim.planWork('image.create', 'kvm1', { name: 'a.img', size: 10n * 1024n ** 3n, format: 'qcow2' }), 'make the image a.img of 10.0 GiB (qcow2)');
  t.equal(await kim.planWork('hardware.read', lj, {}), 'nothing, it only looks');
  t.equal(await kim.planWork('template.deploy', 'kvm1', { template: 'debian', name: 'web1', settings: { vcpus: 2, password: 'hunter2' } }), 'make the machine web1 from the template debian with vcpus 2, a new password');
  t.equal(await kim.planWork('hardware.change', lj, { memory: 2n ** 30n, autostart: true }), 'set memory 1.0 GiB, autostart on for its next start (it was last seen on)');
  t.equal(await kim.planWork('machine.delete', lj, { disks: true }), 'delete it with its disks (it was last seen on)');
  t.equal(await kim.planWork('route.add', 'kvm1', { destination: '0.0.0.0', prefix: 0, gateway: '10.0.0.1', interface: 'eth0', ...guard }), 'add the route default by 10.0.0.1 on eth0');
  t.equal(await kim.planWork('bridge.add', 'kvm1', { name: 'br0', address: '10.0.0.2', prefix: 24, ...guard }), 'make the bridge br0 with 10.0.0.2/24');
  await t.rejects(kim.planWork('image.create', 'kvm1', { name: '../a', size: 1n, format: 'qcow2' }), { message: /^BAD REQUEST: name: .*; size: / });
  await t.rejects(kim.planWork('image.delete', 'kvm1', { name: 'a' }), { message: /^NOT SUPPORTED/ });
  await t.rejects(actor('reader').planWork('image.create', 'kvm1', { name: 'a.img', size: 2n ** 30n, format: 'qcow2' }), { message: 'NOT ALLOWED' });
  t.equal(calls, 0);
  t.same(audit.begun, []);
});
