import t, { type Test } from 'tap';
import type { Actor } from '../../src/instances/actor.js';
import { ArgoError } from '../../src/kit/errors.js';
import type { EngineParts } from '../../src/plans/engine.js';
import type { PlanJournal } from '../../src/store/plan-journal.js';
import { StateError } from '../../src/store/state.js';
import { until } from '../support/until.js';
import { cause, plan, stage, targetStates, WITHIN, World, type Life } from './world.js';

/** Runs that end while others begin, and people who do two things at one moment. */

const sim = (instances: string, more = ''): string => `[providers.sim]\ntype = "sim"\ninstances = [${instances}]\n${more}\n`;

const begin = async ({ engine }: Life, name: string, source = 'trigger ups'): Promise<string> => (await engine.begin(name, cause(source)) as { run: string }).run;

/** Something that is let through when the test says so. */
class Latch {
  open: () => void = () => undefined;
  readonly opened = new Promise<void>((resolve) => { this.open = resolve; });
}

/** Orders to a machine come to an end when the test says so, whatever is done about them. */
async function withStubborn(t: Test, plans: ConstructorParameters<typeof World>[1]['plans']): Promise<{ life: Life; latch: Latch; sent: Latch }> {
  const world = new World(t, { providers: sim('"a", "b"'), plans });
  const { gate } = await world.open({ plans: [] });
  const [latch, sent] = [new Latch(), new Latch()];
  const stubborn = (actor: Actor): Actor => new Proxy(actor, {
    get: (of, name) => {
      const value: unknown = Reflect.get(of, name, of);
      if (name !== 'power') return typeof value === 'function' ? value.bind(of) as unknown : value;
      return async (...args: Parameters<Actor['power']>) => {
        if (of.known(args[0]).fullName === 'sim/b') sent.open();
        try {
          return await of.power(...args);
        } finally {
          if (of.known(args[0]).fullName === 'sim/b') await latch.opened;
        }
      };
    },
  });
  const parts: Partial<EngineParts> = {
    gate: {
      actor: (mandate) => stubborn(gate.actor(mandate)),
      get longestActionTimeout() {
        return gate.longestActionTimeout;
      },
    },
  };
  const life = await world.open({ parts });
  t.teardown(() => latch.open());
  return { life, latch, sent };
}

await t.test('what is cancelled and not over yet is no run that a trigger could count on, and is undone only then', async (t) => {
  const { life, latch, sent } = await withStubborn(t, [
    plan('cut', [stage('all', 'stop', ['a', 'b'], { soft: 5000 })], { undo: 'back' }),
    plan('back', [stage('all', 'start', ['@stopped-by cut'])]),
  ]);
  const { engine } = life;
  const run = await begin(life, 'cut');
  await until(async () => targetStates((await engine.run(run))!)['sim/a'] === 'done', WITHIN, 'the other one');
  await sent.opened;
  await t.rejects(engine.causeGone('trigger ups', 'on-line', undefined), { message: /^BUSY: run .* is still under way/ }, 'not as if it were taken back');
  t.same((await engine.runs()).map(({ plan: name, state }) => `${name} ${state}`), ['cut running']);
  const again = engine.begin('cut', cause('trigger ups'));
  setTimeout(() => latch.open(), 300);
  const begun = await again;
  t.equal(begun.result, 'begun', 'the second power cut has a run of its own');
  t.equal((await life.ended(run)).run.state, 'cancelled');
  await life.ended((begun as { run: string }).run);
  await engine.causeGone('trigger ups', 'on-line', undefined);
  const [back] = await engine.runs();
  t.same(targetStates(await life.ended(back!.id)), { 'sim/a': 'done', 'sim/b': 'done' });
});

await t.test('what undoes a run that is being ended waits until it is known what that has done', async (t) => {
  const { life, latch, sent } = await withStubborn(t, [
    plan('cut', [stage('all', 'stop', ['a', 'b'], { soft: 5000 })], { undo: 'back' }),
    plan('back', [stage('all', 'start', ['@stopped-by cut'])]),
  ]);
  const { engine } = life;
  const run = await begin(life, 'cut');
  await until(async () => targetStates((await engine.run(run))!)['sim/a'] === 'done', WITHIN, 'the other one');
  await sent.opened;
  const cancelled = engine.cancel(run, 'enough');
  const back = await begin(life, 'back', 'account kim');
  t.match((await engine.run(back))!.run, { state: 'waiting', reason: `waits for the end of run ${run} of plan cut` });
  latch.open();
  t.equal((await cancelled).state, 'cancelled');
  t.same(targetStates(await life.ended(back)), { 'sim/a': 'done', 'sim/b': 'done' });
});

await t.test('a plan that is held is not taken for one that has undone something', async (t) => {
  const life = await new World(t, {
    providers: sim('"a"'), plans: [plan('cut', [stage('all', 'stop', ['a'], { soft: 5000 })], { undo: 'back' }), plan('back', [stage('all', 'start', ['@stopped-by cut'])])],
  }).open();
  await life.ended(await begin(life, 'cut'));
  await life.engine.hold('back');
  await t.rejects(life.engine.causeGone('trigger ups', 'on-line', undefined), { message: 'WRONG STATE: back is held' });
  await life.engine.release('back');
  await life.engine.causeGone('trigger ups', 'on-line', undefined);
  const [back] = await life.engine.runs();
  t.equal((await life.ended(back!.id)).run.plan, 'back');
  t.same(life.states(), { 'sim/a': 'on' });
});

/** A journal whose writes of one kind wait until the test lets them through. */
function slow(journal: PlanJournal, name: keyof PlanJournal, latch: Latch): PlanJournal {
  return { ...journal, [name]: async (...args: unknown[]) => {
    const work = journal[name] as (...all: unknown[]) => Promise<unknown>;
    await latch.opened;
    return work(...args);
  } };
}

await t.test('one that is told twice to go on goes on once; one that is ended meanwhile does not', async (t) => {
  const world = new World(t, { providers: sim('"a", "b"'), plans: [plan('off', [stage('all', 'stop', ['a', 'b'], { parallel: 1, pauseBetween: 1000, soft: 5000 })], { resume: 'ask' })] });
  const first = await world.open();
  const run = await begin(first, 'off');
  await until(async () => (await first.engine.run(run))!.run.targets.ended >= 1, WITHIN, 'the first target');
  first.kill();
  const life = await world.open();
  const twice = await Promise.allSettled([life.engine.resume(run), life.engine.resume(run)]);
  t.same(twice.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  t.equal((await life.ended(run)).run.state, 'done');

  const third = await begin(life, 'off');
  life.kill();
  const last = await world.open();
  const [resumed, cancelled] = await Promise.allSettled([last.engine.resume(third), last.engine.cancel(third, 'no')]);
  t.match(resumed, { status: 'rejected', reason: { message: /^WRONG STATE/ } });
  t.match(cancelled, { status: 'fulfilled', value: { state: 'cancelled' } });
  t.equal((await last.ended(third)).run.state, 'cancelled');
});

await t.test('of two that hold and release a plan at one moment the later one counts', async (t) => {
  const world = new World(t, { providers: sim('"a"'), plans: [plan('off', [stage('all', 'stop', ['a'])])] });
  const life = await world.open();
  await life.engine.hold('off');
  await Promise.all([life.engine.release('off'), life.engine.hold('off')]);
  t.ok(life.engine.isHeld('off'), 'whoever held it last was told so');
  t.same(await life.engine.begin('off', cause()), { result: 'held' });
  await Promise.all([life.engine.hold('off'), life.engine.release('off')]);
  t.notOk(life.engine.isHeld('off'));
});

await t.test('a plan is held, or not any longer, when that is written: what is refused changes nothing, now or at the next start', async (t) => {
  const world = new World(t, { providers: sim('"a"'), plans: [plan('off', [stage('all', 'stop', ['a'], { soft: 5000 })])] });
  const { state } = await world.open({ plans: [] });
  const kv = state.keyValue('plans');
  const disk = { isFull: true, isLate: false };
  const refused = <Args extends string[]>(work: (...args: Args) => Promise<void>) => async (...args: Args): Promise<void> => {
    if (disk.isLate) await work(...args);
    if (disk.isFull) throw new StateError('unavailable', disk.isLate ? 'no answer from the disk in 10 s' : 'database or disk is full');
    await work(...args);
  };
  const life = await world.open({ parts: { kv: { ...kv, set: refused(kv.set), delete: refused(kv.delete) } } });
  await t.rejects(life.engine.hold('off'), { message: /^AUDIT UNAVAILABLE: .*disk is full/ });
  t.notOk(life.engine.isHeld('off'));
  const [held, begun] = await Promise.allSettled([life.engine.hold('off'), life.engine.begin('off', cause())]);
  t.match(held, { status: 'rejected' });
  t.match(begun, { status: 'fulfilled', value: { result: 'begun' } }, 'nor while it is being tried');
  await life.ended((begun as PromiseFulfilledResult<{ run: string }>).value.run);

  disk.isLate = true;
  await t.rejects(life.engine.hold('off'), { message: /no answer from the disk/ });
  t.same(await kv.list('held/'), [{ key: 'held/off', value: 'held' }], 'it was written all the same');
  disk.isFull = disk.isLate = false;
  await until(async () => (await kv.list('held/')).length === 0, WITHIN, 'what was refused to be gone');
  await life.engine.hold('off');
  disk.isFull = true;
  await t.rejects(life.engine.release('off'), { message: /^AUDIT UNAVAILABLE/ });
  t.ok(life.engine.isHeld('off'));
});

await t.test('one that is cancelled while its end is being written has come to its end, also for the next start', async (t) => {
  const world = new World(t, { providers: sim('"a"'), plans: [plan('off', [stage('all', 'stop', ['a'], { soft: 5000 })])] });
  const latch = new Latch();
  const { state } = await world.open({ plans: [] });
  const journal = state.plans();
  let writes = 0;
  const life = await world.open({ parts: { journal: { ...journal, noteRun: async (...args) => {
    writes += 1;
    if (writes === 1) await latch.opened;
    return journal.noteRun(...args);
  } } } });
  const run = await begin(life, 'off');
  await until(() => writes === 1, WITHIN, 'its end');
  const cancelled = t.rejects(life.engine.cancel(run, 'too late'), { message: /^WRONG STATE: run .* has come to its end/ });
  latch.open();
  await cancelled;
  t.equal((await life.ended(run)).run.state, 'done');
  life.kill();
  const next = await world.open();
  t.match((await next.engine.run(run))!.run, { state: 'done', reason: undefined });
  t.notOk(next.logged.some((line) => /cut off/.test(line)));
});

await t.test('a run that breaks ends, and its plan can be begun again', async (t) => {
  let isBroken = true;
  const life = await new World(t, {
    providers: sim('"a"'), plans: [plan('off', [stage('all', 'stop', ['a'], { soft: 5000 })])],
    parts: { ownHost: () => (isBroken ? Promise.reject(new Error('no such file')) : Promise.resolve({ uuids: [], names: [] })) },
  }).open();
  t.match((await life.ended(await begin(life, 'off'))).run, { state: 'failed', reason: /^INTERNAL ERROR/ });
  isBroken = false;
  t.equal((await life.ended(await begin(life, 'off'))).run.state, 'done');
});

await t.test('a start keeps the order of those that may not run beside each other', async (t) => {
  const slowly = (name: string, target: string) => plan(name, [stage('all', 'stop', [target], { pauseBefore: 400, soft: 5000 })], { exclusive: 'power' });
  const world = new World(t, { providers: sim('"a", "b"'), plans: [slowly('one', 'a'), slowly('two', 'b')] });
  const life = await world.open();
  const [one, two] = [await begin(life, 'one'), await begin(life, 'two')];
  life.kill();
  const next = await world.open();
  t.match((await next.engine.run(two))!.run, { state: 'waiting', reason: `waits for the end of run ${one} of plan one` });
  const [first, second] = [await next.ended(one), await next.ended(two)];
  t.ok(second.run.ended!.getTime() >= first.run.ended!.getTime());
});

await t.test('what a beginning was to end is ended by the next start, where the kill came in between', async (t) => {
  const world = new World(t, {
    providers: sim('{ name = "a", state = "off" }, "b"'),
    plans: [
      plan('back', [stage('all', 'start', ['a'], { pauseBefore: 1000 })]),
      plan('cut', [stage('all', 'stop', ['b'], { soft: 5000 })], { undo: 'back' }),
    ],
  });
  const { state } = await world.open({ plans: [] });
  const never = new Latch();
  const life = await world.open({ parts: { journal: slow(state.plans(), 'noteRun', never) } });
  const back = await begin(life, 'back');
  const cut = await begin(life, 'cut');
  life.kill();
  const next = await world.open();
  t.match((await next.ended(back)).run, { state: 'cancelled', reason: 'plan cut was begun' });
  t.equal((await next.ended(cut)).run.state, 'done');
  t.same(next.states(), { 'sim/a': 'off', 'sim/b': 'off' });
});

await t.test('what was sent before a restart is never told as not sent, and is started again', async (t) => {
  for (const how of ['drop', 'ask'] as const) {
    await t.test(how, async (t) => {
      const world = new World(t, {
        providers: sim('"a", "b"', 'faults = { a = "deaf" }'),
        plans: [plan('cut', [stage('all', 'stop', ['a', 'b'], { parallel: 1, soft: 60_000 })], { undo: 'back', resume: how }), plan('back', [stage('all', 'start', ['@stopped-by cut'])])],
      });
      const life = await world.open();
      const run = await begin(life, 'cut');
      await until(() => life.audit.begun.length === 1, WITHIN, 'the order');
      life.kill();
      const next = await world.open();
      if (how === 'ask') await next.engine.cancel(run, 'no');
      t.same(targetStates(await next.ended(run)), { 'sim/a': 'uncertain', 'sim/b': 'skipped' });
      const back = await begin(next, 'back');
      await until(async () => (await next.engine.run(back))!.targets.length > 0, WITHIN, 'what it selects');
      t.same(Object.keys(targetStates((await next.engine.run(back))!)), ['sim/a']);
    });
  }
  await t.test('goes on, and is cancelled before the order that it sends again', async (t) => {
    const world = new World(t, {
      providers: sim('"a"', 'faults = { a = "deaf" }'),
      plans: [plan('cut', [stage('all', 'stop', ['a'], { soft: 60_000 })]), plan('back', [stage('all', 'start', ['@stopped-by cut'])])],
    });
    const life = await world.open();
    const run = await begin(life, 'cut');
    await until(() => life.audit.begun.length === 1, WITHIN, 'the order');
    life.kill();
    const failing = new ArgoError('AUDIT UNAVAILABLE');
    const { gate } = life;
    const next = await world.open({ parts: { gate: {
      actor: (mandate) => new Proxy(gate.actor(mandate), { get: (of, name) => (name === 'power' ? () => Promise.reject(failing) : bound(of, name)) }),
      get longestActionTimeout() { return gate.longestActionTimeout; },
    } } });
    await until(() => next.news.some(({ outcome }) => outcome === 'orders wait'), WITHIN, 'the disk');
    await next.engine.cancel(run, 'no');
    t.same(targetStates(await next.ended(run)), { 'sim/a': 'uncertain' });
    const last = await world.open();
    const back = await begin(last, 'back');
    await until(async () => (await last.engine.run(back))!.targets.length > 0, WITHIN, 'what it selects');
    t.same(Object.keys(targetStates((await last.engine.run(back))!)), ['sim/a']);
  });
});

function bound(of: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(of, name, of);
  return typeof value === 'function' ? value.bind(of) as unknown : value;
}
