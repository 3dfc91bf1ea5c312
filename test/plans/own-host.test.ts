import t from 'tap';
import { InstancePattern } from '../../src/kit/patterns.js';
import { OwnHostTest, readOwnHost, waysOfWriting } from '../../src/plans/own-host.js';
import { until } from '../support/until.js';
import { cause, plan, stage, targetStates, WITHIN, World } from './world.js';

await t.test('a machine is known by its uuid in either way of writing, a host by its names too', (t) => {
  const uuid = '00112233-4455-6677-8899-aabbccddeeff';
  t.same(waysOfWriting(uuid), [uuid, '33221100-5544-7766-8899-aabbccddeeff']);
  for (const none of ['', 'Not Settable', '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff']) t.same(waysOfWriting(none), []);
  const own = new OwnHostTest({ uuids: waysOfWriting(uuid), names: ['kvm1.example.net', 'kvm1', '192.0.2.7'] });
  t.ok(own.isOwn({ provider: 'lab', id: uuid.toUpperCase(), name: 'x', type: 'vm' }));
  t.ok(own.isOwn({ provider: 'lab', id: '33221100-5544-7766-8899-aabbccddeeff', name: 'x', type: 'vm' }));
  t.ok(own.isOwn({ provider: 'lab', id: 'host 1', name: 'KVM1', type: 'host' }));
  t.ok(own.isOwn({ provider: 'lab', id: 'host 1', name: 'kvm1.other.example', type: 'host' }));
  t.ok(own.isOwn({ provider: 'lab', id: 'host 1', name: '192.0.2.7', type: 'host' }));
  t.notOk(own.isOwn({ provider: 'lab', id: 'host 1', name: '192.0.2.70', type: 'host' }));
  t.notOk(own.isOwn({ provider: 'lab', id: '1', name: 'kvm1', type: 'vm' }), 'a guest of that name is another machine');
  const named = new OwnHostTest({ uuids: [], names: [], patterns: [new InstancePattern('vc1/argo'), new InstancePattern('hv[1-2]')] });
  t.ok(named.isOwn({ provider: 'vc1', id: 'vm-7', name: 'argo', type: 'vm' }), 'the configuration may name guests too');
  t.ok(named.isOwn({ provider: 'hosts', id: '1', name: 'hv2', type: 'host' }));
  t.notOk(named.isOwn({ provider: 'vc2', id: 'vm-7', name: 'argo', type: 'vm' }));
  t.notOk(new OwnHostTest({ uuids: [], names: [] }).isOwn({ provider: 'lab', id: '', name: '', type: 'host' }));
  t.end();
});

await t.test('the system is asked', async (t) => {
  const own = await readOwnHost();
  t.ok(own.uuids.length === 0 || own.uuids.length === 2);
  t.notOk(own.names.includes('localhost') || own.names.includes('127.0.0.1') || own.names.includes(''));
});

await t.test('the machine that runs this server goes last, and only when the run has ended on the disk', async (t) => {
  const ownHost = () => Promise.resolve({ uuids: ['2'], names: [] });
  const world = new World(t, {
    providers: '[providers.sim]\ntype = "sim"\ninstances = ["a", "own", "b"]\n',
    plans: [plan('off', [stage('one', 'stop', ['a', 'own'], { soft: 5000 }), stage('two', 'stop', ['b'], { after: ['one'], soft: 5000 })])],
    parts: { ownHost },
  });
  const life = await world.open();
  t.same((await life.engine.targets(life.engine.plan('off')!)).map(({ stage: name, targets }) => [name, targets.map((one) => one.name)]),
    [['one', ['a']], ['two', ['b']], ['one', ['own']]]);
  const { run } = await life.engine.begin('off', cause()) as { run: string };
  await until(() => life.states()['sim/own'] === 'off', WITHIN, 'its own machine to be off');
  t.same(life.audit.begun.map(({ instance }) => instance), ['sim/a', 'sim/b', 'sim/own']);
  t.equal((await life.state.plans().get(run))!.run.state, 'done');
  life.kill();
  const next = await world.open();
  const end = (await next.engine.run(run))!;
  t.match(end.run, { state: 'done' });
  t.same(targetStates(end), { 'sim/a': 'done', 'sim/own': 'sent', 'sim/b': 'done' });
  t.equal(next.audit.begun.length, 0, 'and it is not ordered again');
});

await t.test('a host that will not end is told as what it is', async (t) => {
  const world = new World(t, {
    providers: '[providers.sim]\ntype = "sim"\ninstances = ["own"]\nfaults = { own = "error" }\n',
    plans: [plan('off', [stage('one', 'stop', ['own'], { then: 'leave', soft: 1000 })])],
    parts: { ownHost: () => Promise.resolve({ uuids: ['1'], names: [] }) },
  });
  const life = await world.open();
  const { run } = await life.engine.begin('off', cause()) as { run: string };
  await until(async () => (await life.engine.run(run))?.run.state === 'failed', WITHIN, 'the word that it has failed');
  t.match((await life.engine.run(run))!.run.reason, /its own host: FAILED/);
});

await t.test('one that was asked to end, and may not be switched off hard, may end yet', async (t) => {
  const world = new World(t, {
    providers: '[providers.sim]\ntype = "sim"\ninstances = ["own"]\nfaults = { own = "deaf" }\n',
    plans: [plan('off', [stage('one', 'stop', ['own'], { soft: 3000 })])],
    parts: { ownHost: () => Promise.resolve({ uuids: ['1'], names: [] }) },
  });
  const life = await world.open();
  const { run } = await life.engine.begin('off', cause()) as { run: string };
  await until(() => life.audit.ended.length === 1, WITHIN, 'the word that it was asked');
  const ups = world.config.accounts.get('ups')!;
  life.authenticator.configure({ ...world.config, accounts: new Map([['ups', { ...ups, grants: [{ instances: ['*'], commands: ['read'] }] }]]) });
  await until(async () => (await life.engine.run(run))?.run.state === 'failed', WITHIN, 'the word that it could not be switched off');
  t.match((await life.engine.run(run))!.targets, [{ state: 'uncertain', detail: 'UNCERTAIN: it was asked to end; now NOT ALLOWED' }]);
});

await t.test('the hypervisor under the machine that this is goes last as well', async (t) => {
  const world = new World(t, {
    providers: '[providers.sim]\ntype = "sim"\ninstances = ["a"]\n',
    plans: [],
  });
  const life = await world.open();
  const actor = life.engine.actor(plan('x', []), 'test');
  const own = await OwnHostTest.find(() => Promise.resolve({ uuids: ['1'], names: [] }), actor);
  t.ok(own.isOwn({ provider: 'lab', id: 'host 1', name: 'simulated', type: 'host' }), 'by what the machine\'s `info` says of its host');
});
