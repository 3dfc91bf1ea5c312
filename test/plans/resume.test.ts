import t, { type Test } from 'tap';
import type { PlanSettings } from '../../src/config/config.js';
import { RunClock, type RunTime } from '../../src/plans/run-clock.js';
import { until } from '../support/until.js';
import { cause, plan, stage, stageStates, targetStates, WITHIN, World, type Life } from './world.js';

const PROVIDERS = '[providers.sim]\ntype = "sim"\ninstances = ["a", "b", "c"]\nlatency = "20ms"\n';

const begin = async ({ engine }: Life, name: string): Promise<string> => (await engine.begin(name, cause('trigger ups')) as { run: string }).run;

/** A life that is killed when its first target has settled. */
async function cutOff(t: Test, rest: Partial<PlanSettings>): Promise<{ world: World; run: string }> {
  const world = new World(t, {
    providers: PROVIDERS, plans: [plan('off', [stage('one', 'stop', ['a', 'b'], { parallel: 1, pauseBetween: 1000, soft: 5000 }), stage('two', 'stop', ['c'], { after: ['one'], soft: 5000 })], rest)],
  });
  const life = await world.open();
  const run = await begin(life, 'off');
  await until(async () => (await life.engine.run(run))!.run.targets.ended >= 1, WITHIN, 'the first target');
  life.kill();
  return { world, run };
}

await t.test('what was cut off asks, where it is so configured', async (t) => {
  const { world, run } = await cutOff(t, { resume: 'ask' });
  const life = await world.open();
  t.match((await life.engine.run(run))!.run, { state: 'asking', reason: /cut off by a restart/ });
  t.ok(life.news.some(({ outcome }) => outcome === 'asking'));
  t.equal(life.states()['sim/c'], 'on');
  await t.rejects(life.engine.resume('00000000'), { message: /^WRONG STATE/ });
  await life.engine.resume(run);
  t.equal((await life.ended(run)).run.state, 'done');
  await t.rejects(life.engine.resume(run), { message: /^WRONG STATE/ });
});

await t.test('one that asks does not keep its plan from being begun', async (t) => {
  const { world, run } = await cutOff(t, { resume: 'ask' });
  const life = await world.open();
  const next = await begin(life, 'off');
  t.not(next, run);
  t.match((await life.engine.run(run))!.run, { state: 'unknown', reason: /begun anew/ });
  t.same(targetStates(await life.ended(next)), { 'sim/a': 'already', 'sim/b': 'done', 'sim/c': 'done' });
  const third = await world.open({ plans: [plan('back', [stage('all', 'start', ['@stopped-by off'])])] });
  t.same(targetStates(await third.ended(await begin(third, 'back'))), { 'sim/a': 'done', 'sim/b': 'done', 'sim/c': 'done' }, 'what the run before it switched off is theirs as well');
});

await t.test('or is dropped', async (t) => {
  const { world, run } = await cutOff(t, { resume: 'drop' });
  const life = await world.open();
  const end = await life.ended(run);
  t.match(end.run, { state: 'unknown', reason: /dropped/ });
  t.same(stageStates(end), { one: 'cancelled', two: 'cancelled' });
  t.equal(targetStates(end)['sim/b'], 'skipped');
  t.same((await life.engine.runs()).map(({ state }) => state), ['unknown']);
});

await t.test('a run keeps the settings with which it began, also over a restart', async (t) => {
  const { world, run } = await cutOff(t, {});
  const life = await world.open({ plans: [] });
  t.equal((await life.ended(run)).run.state, 'done');
  t.equal(life.states()['sim/c'], 'off');
});

await t.test('a stop of the server leaves its runs to the next start', async (t) => {
  const world = new World(t, { providers: PROVIDERS, plans: [plan('off', [stage('one', 'stop', ['a', 'b', 'c'], { parallel: 1, pauseBetween: 500, soft: 5000 })])] });
  const life = await world.open();
  const run = await begin(life, 'off');
  await until(async () => (await life.engine.run(run))!.run.targets.ended >= 1, WITHIN, 'the first target');
  life.engine.drain();
  await life.gate.drain(1000, 1000);
  await life.engine.close();
  t.equal((await life.engine.run(run))!.run.state, 'running');
  await life.state.close();
  await t.rejects(life.engine.begin('off', cause()), { message: /^SHUTTING DOWN/ });
  const next = await world.open();
  const end = await next.ended(run);
  t.same([end.run.state, targetStates(end)], ['done', { 'sim/a': 'done', 'sim/b': 'done', 'sim/c': 'done' }]);
});

await t.test('a cancelled run stays cancelled, even where the server is killed before it has ended', async (t) => {
  const { world, run } = await cutOff(t, {});
  const second = await world.open({ parts: { ownHost: () => new Promise(() => undefined) } });
  void second.engine.cancel(run, 'enough');
  await until(async () => (await second.state.plans().get(run))!.run.state === 'cancelled', WITHIN, 'the word on the disk');
  second.kill();
  const third = await world.open();
  t.match((await third.ended(run)).run, { state: 'cancelled', reason: 'enough' });
  t.equal(third.states()['sim/c'], 'on');
});

await t.test('a reboot that was sent is not sent twice where nothing tells the one boot from the next', async (t) => {
  const world = new World(t, { providers: '[providers.sim]\ntype = "sim"\ninstances = ["a", "b"]\nlatency = "500ms"\n', plans: [plan('again', [stage('all', 'reboot', ['*'])])] });
  const { state } = await world.open({ plans: [] });
  const journal = state.plans();
  const life = await world.open({ parts: { journal: { ...journal, sent: (key, facts) => journal.sent(key, { ...facts, mark: undefined }) } } });
  const run = await begin(life, 'again');
  await until(async () => Object.values(targetStates((await life.engine.run(run))!)).filter((one) => one === 'sent').length === 2, WITHIN, 'both to be sent');
  life.kill();
  const next = await world.open();
  t.same(targetStates(await next.ended(run)), { 'sim/a': 'uncertain', 'sim/b': 'uncertain' });
  t.equal(next.audit.begun.length, 0);
});

await t.test('where it does, it is only sent again if the machine has not restarted', async (t) => {
  const world = new World(t, { providers: '[providers.sim]\ntype = "sim"\ninstances = ["a"]\nlatency = "200ms"\n', plans: [plan('again', [stage('all', 'reboot', ['a'])])] });
  const life = await world.open();
  const run = await begin(life, 'again');
  await until(() => life.audit.begun.length === 1, WITHIN, 'the order');
  // what is under way at the machine goes on when the server is killed
  life.kill();
  const next = await world.open();
  t.same([targetStates(await next.ended(run)), next.audit.begun.length], [{ 'sim/a': 'done' }, 0]);
});

/** Clocks that stand until they are set. */
const clocks = (): RunTime & { now: number; passed: number } => ({
  now: 1_700_000_000_000, passed: 0,
  wall() { return this.now; },
  elapsed() { return this.passed; },
});

await t.test('the time-limit counts from the cause, and a clock that is set moves it by no more than it may', (t) => {
  const clock = clocks();
  t.equal(RunClock.atBegin(clock, 60_000, clock.now - 10_000), 50_000);
  t.equal(RunClock.atBegin(clock, 60_000, clock.now + 3_600_000), 60_000, 'a cause in the future');
  t.equal(RunClock.atBegin(clock, 60_000, clock.now - 3_600_000), 30_000, 'a cause of long ago');
  t.equal(RunClock.atBegin(clock, undefined, clock.now), undefined);
  const run = new RunClock(clock, 50_000);
  clock.now += 3_600_000;
  t.equal(run.left, 50_000, 'a leap within a process');
  clock.passed += 20_000;
  clock.now -= 7_200_000;
  t.equal(run.left, 30_000);
  t.same(RunClock.atResume(clock, { timeLeft: 30_000, noted: clock.now - 10_000 }), { left: 20_000, doubtful: false });
  t.same(RunClock.atResume(clock, { timeLeft: 30_000, noted: clock.now + 3_600_000 }), { left: 30_000, doubtful: false }, 'set back while no server ran');
  t.same(RunClock.atResume(clock, { timeLeft: 30_000, noted: clock.now - 3_600_000 }), { left: 0, doubtful: true }, 'a leap, or a long time');
  t.same(RunClock.atResume(clock, { timeLeft: 0, noted: clock.now - 5000 }), { left: 0, doubtful: false }, 'it was over before');
  t.same(RunClock.atResume(clock, { timeLeft: null, noted: clock.now - 3_600_000 }), { left: undefined, doubtful: false });
  t.end();
});

await t.test('a run whose time would be over only by the clock asks instead of switching off hard', async (t) => {
  const { world, run } = await cutOff(t, { timeLimit: 60_000 });
  const clock: RunTime = { wall: () => Date.now() + 3_600_000, elapsed: () => performance.now() };
  const life = await world.open({ parts: { clock } });
  t.match((await life.engine.run(run))!.run, { state: 'asking', reason: /too much time has passed/ });
  await life.engine.resume(run);
  t.equal((await life.ended(run)).run.state, 'done');
  t.notOk(life.audit.begun.some(({ options }) => options.includes('--force')), 'and has time then');
});

await t.test('under a time-limit the stages share what is left, and what is left at its end goes hard at once', async (t) => {
  const deaf = ['d1', 'd2', 'd3', 'd4', 'd5', 'd6'];
  const world = new World(t, {
    providers: `[providers.sim]\ntype = "sim"\ninstances = [${deaf.map((name) => `"${name}"`).join(', ')}]\nfaults = { ${deaf.map((name) => `${name} = "deaf"`).join(', ')} }\n`,
    plans: [plan('off', [
      stage('one', 'stop', ['d1', 'd2'], { parallel: 1, soft: 600_000 }), stage('two', 'stop', ['d3', 'd4'], { after: ['one'], soft: 600_000 }),
      stage('left', 'stop', ['d5'], { after: ['two'], then: 'leave', soft: 600_000 }),
      stage('last', 'stop', ['d6'], { after: ['left'] }),
    ], { timeLimit: 8000 })],
  });
  const life = await world.open();
  const run = await begin(life, 'off');
  const deadline = (await life.engine.run(run))!.run.deadline!.getTime();
  const end = await life.ended(run);
  t.same(stageStates(end), { one: 'done', two: 'done', left: 'failed', last: 'done' });
  t.same(life.states(), { 'sim/d1': 'off', 'sim/d2': 'off', 'sim/d3': 'off', 'sim/d4': 'off', 'sim/d5': 'on', 'sim/d6': 'off' }, 'what is to be left is never forced');
  t.ok(end.run.ended!.getTime() < deadline + 10_000, 'about in its time');
});
