import t from 'tap';
import { until } from '../support/until.js';
import { cause, plan, stage, stageStates, targetStates, WITHIN, World } from './world.js';

const PROVIDERS = `
[providers.sim]
type = "sim"
instances = ["web1", "web2", "app1", { name = "app2", state = "off" }, "db1"]
[providers.hosts]
type = "sim"
instances = ["kvm1"]
`;

const CUT = plan('power-cut', [
  stage('workers', 'stop', ['web*'], { soft: 5000 }),
  stage('apps', 'stop', ['app*'], { soft: 5000, after: ['workers'] }),
  stage('db', 'stop', ['db*'], { then: 'leave', soft: 5000, after: ['apps'] }),
  stage('hosts', 'stop', ['hosts/*'], { after: ['db'] }),
], { undo: 'power-back' });
const BACK = plan('power-back', [stage('hosts', 'start', ['kvm1']), stage('rest', 'start', ['@stopped-by power-cut'], { after: ['hosts'] })]);

await t.test('stages run in order, and what was switched off is started again, no more', async (t) => {
  const world = new World(t, { providers: PROVIDERS, plans: [CUT, BACK] });
  const life = await world.open();
  const begun = await life.engine.begin('power-cut', cause('trigger ups'));
  t.equal(begun.result, 'begun');
  t.match((begun as { run: string }).run, /^[0-9a-f]{8}$/);
  const cut = await life.ended((begun as { run: string }).run);
  t.equal(cut.run.state, 'done');
  t.same(stageStates(cut), { workers: 'done', apps: 'done', db: 'done', hosts: 'done' });
  t.same(targetStates(cut), { 'sim/web1': 'done', 'sim/web2': 'done', 'sim/app1': 'done', 'sim/app2': 'already', 'sim/db1': 'done', 'hosts/kvm1': 'done' });
  t.same(life.states(), { 'sim/web1': 'off', 'sim/web2': 'off', 'sim/app1': 'off', 'sim/app2': 'off', 'sim/db1': 'off', 'hosts/kvm1': 'off' });
  const order = life.audit.begun.map(({ instance }) => instance.replace(/\d$/, ''));
  t.same(order, ['sim/web', 'sim/web', 'sim/app', 'sim/app', 'sim/db', 'hosts/kvm']);
  t.ok(life.audit.begun.every(({ account, from }) => account === 'ups' && from === `plan:power-cut#${cut.run.id}`));
  t.same(life.news.map(({ stage: name = 'run', outcome }) => `${name} ${outcome}`), [
    'run begun', 'workers begun', 'workers done', 'apps begun', 'apps done', 'db begun', 'db done', 'hosts begun', 'hosts done', 'run done',
  ]);
  await life.engine.causeGone('trigger ups', 'on-line', undefined);
  const [back] = await life.engine.runs();
  t.equal(back!.plan, 'power-back');
  const ended = await life.ended(back!.id);
  t.same(targetStates(ended), { 'hosts/kvm1': 'done', 'sim/web1': 'done', 'sim/web2': 'done', 'sim/app1': 'done', 'sim/db1': 'done' });
  t.equal(life.states()['sim/app2'], 'off', 'as it was');
  await life.engine.causeGone('trigger ups', 'on-line', undefined);
  t.equal((await life.engine.runs()).length, 2, 'there is nothing left to start');
});

await t.test('what changes is told as it changes', async (t) => {
  const world = new World(t, { providers: PROVIDERS, plans: [CUT] });
  const { engine } = await world.open();
  const begun = await engine.begin('power-cut', cause());
  const { run: id } = begun as { run: string };
  const whole = new Map((await engine.run(id))!.targets.map((one) => [one.instance, one.state]));
  for await (const { targets, run } of engine.changes(id, AbortSignal.timeout(WITHIN))) {
    for (const one of targets) whole.set(one.instance, one.state);
    t.ok(run.targets.all >= whole.size || run.targets.all === 0 || whole.size > 0);
  }
  t.equal(whole.size, 6);
  t.notOk([...whole.values()].some((state) => state === 'waiting' || state === 'sent'));
});

await t.test('a running plan is not begun twice, one that is held not at all', async (t) => {
  const world = new World(t, { providers: PROVIDERS, plans: [plan('slow', [stage('one', 'stop', ['web*'], { pauseBefore: 60_000 })])] });
  const { engine } = await world.open();
  const [first, second] = await Promise.all([engine.begin('slow', cause()), engine.begin('slow', cause())]);
  t.equal(first.result, 'begun');
  t.same(second, { result: 'runs', run: (first as { run: string }).run });
  await engine.hold('slow');
  const info = await engine.cancel((first as { run: string }).run, 'kim');
  t.match(info, { state: 'cancelled', reason: 'kim' });
  t.same(await engine.begin('slow', cause()), { result: 'held' });
  await engine.close();
  const again = await world.open();
  t.ok(again.engine.isHeld('slow'), 'also after a restart');
  await again.engine.release('slow');
  t.equal((await again.engine.begin('slow', cause())).result, 'begun');
});

await t.test('killed in mid-plan, it goes on and sends nothing twice that has settled', async (t) => {
  const providers = '[providers.sim]\ntype = "sim"\ncount = 30\nlatency = "60ms"\n';
  const plans = [plan('off', [stage('all', 'stop', ['vm*'], { parallel: 4, soft: 10_000 })])];
  const world = new World(t, { providers, plans });
  const first = await world.open();
  const { run } = await first.engine.begin('off', cause()) as { run: string };
  await until(async () => (await first.engine.run(run))!.run.targets.ended >= 6, WITHIN, 'some that have settled');
  first.kill();
  const before = new Set(first.audit.ended.map(({ id }) => first.audit.begun[id - 1]!.instance));
  const second = await world.open();
  const end = await second.ended(run);
  t.equal(end.run.state, 'done');
  t.equal(end.targets.length, 30);
  t.ok(Object.values(targetStates(end)).every((state) => state === 'done'), 'each by this run, also what was sent before the end');
  t.ok(Object.values(second.states()).every((state) => state === 'off'));
  const again = second.audit.begun.filter(({ instance }) => before.has(instance)).length;
  t.ok(again <= 8, `${again} were ordered again`);
});
