import t, { type Test } from 'tap';
import type { EngineParts } from '../../src/plans/engine.js';
import type { EndMarks } from '../../src/store/end-marks.js';
import { StateError } from '../../src/store/state.js';
import type { PlanJournal } from '../../src/store/plan-journal.js';
import { STEVE_HASH } from '../server/core.js';
import { until } from '../support/until.js';
import { cause, plan, stage, stageStates, targetStates, WITHIN, World } from './world.js';

const sim = (name: string, instances: string, more = ''): string => `[providers.${name}]\ntype = "sim"\ninstances = [${instances}]\n${more}\n`;

const begin = async (life: Awaited<ReturnType<World['open']>>, name: string, source?: string): Promise<string> =>
  (await life.engine.begin(name, cause(source)) as { run: string }).run;

await t.test('one that ignores the clean stop is forced at its deadline, or left and told', async (t) => {
  const providers = sim('sim', '"deaf1", "deaf2"', 'faults = { deaf1 = "deaf", deaf2 = "deaf" }');
  const life = await new World(t, {
    providers,
    plans: [plan('off', [
      stage('forced', 'stop', ['deaf1'], { soft: 700 }),
      stage('left', 'stop', ['deaf2'], { soft: 700, then: 'leave', onFailure: 'abort' }),
      stage('behind', 'stop', ['deaf1'], { after: ['left'] }),
      stage('after that', 'stop', ['deaf1'], { after: ['behind'] }),
    ])],
  }).open();
  const end = await life.ended(await begin(life, 'off'));
  t.equal(end.run.state, 'failed');
  t.same(stageStates(end), { forced: 'done', left: 'failed', behind: 'skipped', 'after that': 'skipped' });
  t.match(end.targets.find(({ instance }) => instance === 'sim/deaf2'), { state: 'failed', detail: /^TIMEOUT: .* still on/ });
  t.same(life.states(), { 'sim/deaf1': 'off', 'sim/deaf2': 'on' });
  t.match(end.run.reason, /left failed: 1 of 1 failed; behind skipped: left has failed; after that skipped/);
});

await t.test('a hypervisor that hangs holds nobody up', async (t) => {
  const names = Array.from({ length: 8 }, (_, index) => `"h${index}"`).join(', ');
  const faults = Array.from({ length: 8 }, (_, index) => `h${index} = "hang"`).join(', ');
  const life = await new World(t, {
    providers: sim('hung', names, `faults = { ${faults} }`) + sim('well', Array.from({ length: 20 }, (_, index) => `"w${index}"`).join(', ')),
    plans: [plan('off', [stage('all', 'stop', ['hung/*', 'well/*'], { parallel: 4, soft: 20_000 })])],
  }).open();
  const run = await begin(life, 'off');
  await until(() => Object.entries(life.states()).every(([name, state]) => name.startsWith('hung/') || state === 'off'), WITHIN, 'the others to be off');
  const now = await life.engine.run(run);
  t.equal(now!.run.state, 'running');
  t.equal(now!.run.targets.ended, 20, 'while those that hang are still waited for');
  const cancelled = await life.engine.cancel(run, 'enough');
  t.equal(cancelled.state, 'cancelled');
  const states = Object.values(targetStates((await life.engine.run(run))!));
  t.equal(states.filter((state) => state === 'waiting' || state === 'sent').length, 0);
  t.ok(states.filter((state) => state === 'skipped').length >= 4, 'those that had not had their turn');
});

await t.test('cancelled between two targets: no further order, nobody is forced later, and the rest is started again', async (t) => {
  const life = await new World(t, {
    providers: sim('sim', '"a", "b", "c"', 'faults = { b = "deaf" }'),
    plans: [
      plan('cut', [stage('all', 'stop', ['a', 'b', 'c'], { parallel: 1, soft: 20_000 }), stage('next', 'stop', ['c'], { after: ['all'] })], { undo: 'back' }),
      plan('back', [stage('all', 'start', ['@stopped-by cut'])]),
    ],
  }).open();
  const run = await begin(life, 'cut', 'trigger ups');
  await until(async () => (await life.engine.run(run))!.targets[1]?.state === 'sent', WITHIN, 'the second one');
  await life.engine.causeGone('another trigger', 'on-line', undefined);
  t.equal((await life.engine.run(run))!.run.state, 'running', 'of another source');
  await life.engine.causeGone('trigger ups', 'on-line for 5m', undefined);
  const end = (await life.engine.run(run))!;
  t.match(end.run, { state: 'cancelled', reason: 'on-line for 5m' });
  t.same(stageStates(end), { all: 'cancelled', next: 'cancelled' });
  t.same(targetStates(end), { 'sim/a': 'done', 'sim/b': 'uncertain', 'sim/c': 'skipped' });
  const [back] = await life.engine.runs();
  const started = await life.ended(back!.id);
  t.same(targetStates(started), { 'sim/a': 'done', 'sim/b': 'already' });
  t.same(life.states(), { 'sim/a': 'on', 'sim/b': 'on', 'sim/c': 'on' });
  t.notOk(life.audit.begun.some(({ options }) => options.includes('--force')), 'the plug was never pulled');
});

await t.test('more failures than are allowed: by number and by percent, to go on, to leave out what depends, or to force', async (t) => {
  const instances = [...Array.from({ length: 8 }, (_, index) => `"w${index}"`), '"bad1"', '"bad2"'].join(', ');
  const life = await new World(t, {
    providers: sim('sim', instances, 'faults = { bad1 = "error", bad2 = "deaf" }'),
    plans: [
      plan('percent', [stage('all', 'stop', ['*'], { then: 'leave', soft: 500, maxFailures: { percent: 20 } })]),
      plan('force', [stage('all', 'stop', ['bad2'], { then: 'leave', soft: 500, onFailure: 'force' })]),
      plan('goes-on', [stage('all', 'start', ['w*', 'bad1'], { onFailure: 'continue' }), stage('next', 'stop', ['w0'], { after: ['all'] })]),
    ],
  }).open();
  t.same(stageStates(await life.ended(await begin(life, 'percent'))), { all: 'done' }, '2 of 10 are no more than 20 %');
  const forced = await life.ended(await begin(life, 'force'));
  t.same([stageStates(forced), targetStates(forced)], [{ all: 'done' }, { 'sim/bad2': 'done' }]);
  t.equal(life.states()['sim/bad2'], 'off');
  const went = await life.ended(await begin(life, 'goes-on'));
  t.same([went.run.state, stageStates(went)], ['failed', { all: 'failed', next: 'done' }]);
  t.equal(life.states()['sim/w0'], 'off');
});

await t.test('what its account does not see is not acted on, and told', async (t) => {
  const accounts = `
[server]
listen = ["127.0.0.1:0"]
[accounts.ups]
password = "${STEVE_HASH}"
[[accounts.ups.grants]]
instances = ["web*"]
commands = ["power", "read"]
[[accounts.ups.grants]]
instances = ["shown"]
commands = ["read"]
`;
  const world = new World(t, {
    accounts, providers: sim('sim', '"web1", "secret", "shown"'),
    plans: [plan('off', [stage('all', 'stop', ['web1', 'secret', 'shown', 'nobody*'], { soft: 500 }), stage('none', 'stop', ['x*'])])],
  });
  const life = await world.open();
  const end = await life.ended(await begin(life, 'off'));
  t.same(life.states(), { 'sim/web1': 'off', 'sim/secret': 'on', 'sim/shown': 'on' });
  t.same(targetStates(end), { 'sim/web1': 'done', 'sim/shown': 'failed' });
  t.match(end.stages[0], { state: 'failed', reason: /2 of 3 failed; NOT ALLOWED: secret; NO MATCH: nobody\*/ });
  t.match(end.stages[1], { state: 'done', reason: /nothing is selected/ });
  t.ok(life.logged.some((line) => line.includes('selects less than it names')));
  const seen = await life.engine.targets(life.engine.plan('off')!);
  t.same(seen.map(({ targets, remarks }) => [targets.map(({ name }) => name), remarks]), [
    [['web1', 'shown'], ['NOT ALLOWED: secret', 'NO MATCH: nobody*']], [[], ['NO MATCH: x*']],
  ]);
});

await t.test('what its patterns may have missed is told, of the providers that they reach', async (t) => {
  const world = new World(t, {
    providers: `${sim('sim', '"web1"')}\n[providers.away]\ntype = "libvirt"\nuri = "qemu:///system?socket=/nonexistent"\n`,
    plans: [plan('off', [stage('all', 'stop', ['web*', '*1']), stage('sim', 'stop', ['sim/*']), stage('one', 'stop', ['web1']), stage('none', 'stop', ['x*'])])],
  });
  const life = await world.open();
  const seen = await life.engine.targets(life.engine.plan('off')!);
  t.match(seen.map(({ remarks }) => remarks), [[/^stale: away \(/], [], [], [/^NO MATCH: away has not answered yet/, /^stale: away \(/]]);
  t.same(seen.map(({ remarks }) => remarks.length), [1, 0, 0, 2]);
});

await t.test('an account that a reload takes away ends its run; a plan that it takes away goes on', async (t) => {
  const plans = [plan('off', [stage('all', 'stop', ['a', 'b'], { pauseBetween: 400, parallel: 1, soft: 5000 })])];
  const world = new World(t, { providers: sim('sim', '"a", "b", "c"'), plans });
  const life = await world.open();
  const first = await begin(life, 'off');
  life.engine.configure(new Map());
  t.equal((await life.ended(first)).run.state, 'done');
  life.engine.configure(new Map([['slow', plan('slow', [stage('all', 'stop', ['c'], { pauseBefore: 60_000 })])]]));
  const second = await begin(life, 'slow');
  life.authenticator.configure({ ...world.config, accounts: new Map() });
  life.engine.configure(new Map());
  const end = await life.ended(second);
  t.match(end.run, { state: 'failed', reason: 'NOT ALLOWED: its account was taken away' });
  t.equal(life.states()['sim/c'], 'on');
});

/** A journal that cannot be written while its disk is full. */
function full(journal: PlanJournal, disk: { readonly isFull: boolean }): PlanJournal {
  return Object.fromEntries(Object.entries(journal).map(([name, work]) => [name, async (...args: unknown[]) => {
    if (disk.isFull && !['list', 'get', 'owed'].includes(name)) throw new StateError('unavailable', 'database or disk is full');
    return (work as (...all: unknown[]) => unknown)(...args);
  }])) as unknown as PlanJournal;
}

await t.test('while the disk is full no order is sent, and that is told; then it goes on', async (t) => {
  const world = new World(t, { providers: sim('sim', '"a", "b", "c"'), plans: [plan('off', [stage('all', 'stop', ['a', 'b', 'c'], { parallel: 1, soft: 5000, pauseBetween: 100 })])] });
  const disk = { isFull: false };
  const { state } = await world.open({ plans: [] });
  const life = await world.open({ parts: { journal: full(state.plans(), disk) } });
  const run = await begin(life, 'off');
  await until(async () => (await life.engine.run(run))!.run.targets.ended >= 1, WITHIN, 'the first one');
  disk.isFull = true;
  await until(() => life.news.some(({ outcome }) => outcome === 'orders wait'), WITHIN, 'an event');
  const sent = life.audit.begun.length;
  t.match((await life.engine.runs())[0], { state: 'running', reason: /^AUDIT UNAVAILABLE: .*disk is full/ });
  t.ok(life.logged.some((line) => line.startsWith('error orders of plans wait')));
  await t.rejects(life.engine.begin('off', cause()).then((one) => { if (one.result === 'begun') throw new Error('begun'); return Promise.reject(new Error(one.result)); }), { message: 'runs' });
  disk.isFull = false;
  const end = await life.ended(run);
  t.equal(end.run.state, 'done');
  t.equal(life.audit.begun.length, 3);
  t.ok(sent < 3);
  t.ok(life.news.some(({ outcome }) => outcome === 'orders go on'));
});

await t.test('what could not be written down is not begun', async (t) => {
  const world = new World(t, { providers: sim('sim', '"a"'), plans: [plan('off', [stage('all', 'stop', ['a'])])] });
  const { state } = await world.open({ plans: [] });
  const life = await world.open({ parts: { journal: { ...state.plans(), begin: () => Promise.reject(new StateError('unavailable', 'database or disk is full')) } } });
  await t.rejects(life.engine.begin('off', cause()), { message: /^AUDIT UNAVAILABLE/ });
  t.same(await life.engine.runs(), []);
  t.equal(life.states()['sim/a'], 'on');
});

await t.test('plans of one group do not run at the same time', async (t) => {
  const slow = (name: string, target: string, whenBusy: 'wait' | 'cancel') =>
    plan(name, [stage('all', 'stop', [target], { pauseBefore: 500, soft: 5000 })], { exclusive: 'power', whenBusy });
  const life = await new World(t, { providers: sim('sim', '"a", "b", "c"'), plans: [slow('one', 'a', 'wait'), slow('two', 'b', 'wait'), slow('three', 'c', 'cancel')] }).open();
  const one = await begin(life, 'one');
  const two = await begin(life, 'two');
  t.match((await life.engine.run(two))!.run, { state: 'waiting', reason: `waits for the end of run ${one} of plan one` });
  const [first, second] = [await life.ended(one), await life.ended(two)];
  t.ok(second.run.ended!.getTime() >= first.run.ended!.getTime() + 400);
  const again = await begin(life, 'one');
  const three = await begin(life, 'three');
  t.equal((await life.ended(again)).run.state, 'cancelled');
  t.equal((await life.ended(three)).run.state, 'done');
});

await t.test('two plans on one machine take turns: neither hangs, and each says what was so', async (t) => {
  const stage1 = (name: string, action: 'stop' | 'start') => stage(name, action, ['a', 'b'], { soft: action === 'stop' ? 20_000 : undefined });
  const life = await new World(t, {
    providers: sim('sim', '"a", "b"', 'latency = "50ms"'),
    plans: [plan('down', [stage1('all', 'stop')]), plan('down-too', [stage1('all', 'stop')]), plan('up', [stage1('all', 'start')])],
  }).open();
  const runs = await Promise.all([begin(life, 'down'), begin(life, 'down-too')]);
  const [one, other] = await Promise.all(runs.map((run) => life.ended(run)));
  t.same([one!.run.state, other!.run.state], ['done', 'done']);
  t.same([...Object.values(targetStates(one!)), ...Object.values(targetStates(other!))].sort(), ['already', 'already', 'done', 'done'], 'each machine was switched off once');
  t.same(life.states(), { 'sim/a': 'off', 'sim/b': 'off' });
  const [, up] = await Promise.all([begin(life, 'down'), begin(life, 'up')]);
  t.equal((await life.ended(up)).run.state, 'done');
  t.equal(life.audit.ended.length, life.audit.begun.length, 'nothing is left without an end');
});

await t.test('a stage ends when its command says that it is ready, or has failed', async (t) => {
  const settles = (name: string, command: readonly string[], timeout = 20_000) =>
    plan(name, [stage('gw', 'start', ['a'], { settle: { command, timeout } }), stage('rest', 'start', ['b'], { after: ['gw'] })]);
  const env = 'test "$ARGO_PLAN $ARGO_STAGE" = "env gw" && test -n "$ARGO_RUN" && test -z "$HOME$ARGO_TEST_SECRET"';
  process.env['ARGO_TEST_SECRET'] = 'secret';
  const life = await new World(t, {
    providers: sim('sim', '"a", { name = "b", state = "off" }'),
    plans: [
      settles('env', ['/bin/sh', '-c', env]), settles('never', ['/bin/sh', '-c', 'echo still down >&2; exit 3'], 2500),
      settles('hangs', ['/bin/sh', '-c', 'sleep 600 & sleep 600'], 300), settles('none', ['/no/such/program'], 300),
    ],
  }).open();
  t.match(await life.ended(await begin(life, 'never')), { run: { state: 'failed' }, stages: [{ state: 'failed', reason: 'not settled: /bin/sh: ended with 3: still down' }, { state: 'skipped' }] });
  t.equal(life.states()['sim/b'], 'off');
  t.match(await life.ended(await begin(life, 'hangs')), { stages: [{ reason: /its time was over/ }, {}] });
  t.match(await life.ended(await begin(life, 'none')), { stages: [{ reason: /ENOENT/ }, {}] });
  t.equal((await life.ended(await begin(life, 'env'))).run.state, 'done');
});

/** A life whose run has stopped the first of its machines when its disk becomes full; the machines and what is kept outlive it. */
async function cutOffByDisk(t: Test, parts: Partial<EngineParts> = {}) {
  const world = new World(t, {
    providers: sim('sim', '"a", "b", "c"'),
    plans: [plan('off', [stage('all', 'stop', ['a', 'b', 'c'], { parallel: 1, soft: 5000, pauseBetween: 300 })], { undo: 'back' }), plan('back', [stage('all', 'start', ['@stopped-by off'])])],
  });
  const disk = { isFull: false };
  const { state } = await world.open({ plans: [] });
  const life = await world.open({ parts: { journal: full(state.plans(), disk), ...parts } });
  const run = await begin(life, 'off');
  await until(async () => (await life.engine.run(run))!.run.targets.ended >= 1, WITHIN, 'the first one');
  disk.isFull = true;
  await until(() => life.news.some(({ outcome }) => outcome === 'orders wait'), WITHIN, 'an event');
  return { world, life, run, disk };
}

const UNWRITTEN = 'kim: no further order is sent, and its end is written down as soon as the disk can be written';

await t.test('a run is cancelled also while the disk is full: at once, and written down when there is room', async (t) => {
  const { life, run, disk } = await cutOffByDisk(t);
  const [told, sent] = [life.news.length, life.audit.begun.length];
  t.match(await life.engine.cancel(run, 'kim'), { state: 'running', reason: UNWRITTEN });
  t.match((await life.engine.run(run))!.run, { state: 'running', reason: UNWRITTEN });
  t.ok(life.logged.some((line) => line.startsWith('error the end of a run could not be written down yet')));
  disk.isFull = false;
  const end = await life.ended(run);
  t.match(end.run, { state: 'cancelled', reason: 'kim' });
  t.equal(life.audit.begun.length, sent, 'no further order');
  t.same(life.news.slice(told).filter(({ stage: one }) => one === undefined).map(({ outcome }) => outcome), ['cancelled'], 'nor is it told that orders go on');
  await until(async () => (await life.state.endMarks().list()).length === 0, WITHIN, 'the mark to be gone');
});

await t.test('one whose end has still room, and no more, does not keep whoever cancels it waiting', async (t) => {
  const world = new World(t, { providers: sim('sim', '"a", "b"'), plans: [plan('off', [stage('all', 'stop', ['a', 'b'], { pauseBefore: 60_000 })])] });
  const disk = { isFull: false };
  const { state } = await world.open({ plans: [] });
  const journal = state.plans();
  const life = await world.open({ parts: { journal: { ...full(journal, disk), noteRun: (...args) => journal.noteRun(...args) } } });
  const run = await begin(life, 'off');
  disk.isFull = true;
  t.match(await life.engine.cancel(run, 'kim'), { state: 'running', reason: UNWRITTEN });
  t.same(await life.state.endMarks().list(), [], 'the journal knows it');
  disk.isFull = false;
  t.match((await life.ended(run)).run, { state: 'cancelled', reason: 'kim' });
});

await t.test('nor does the next start go on with it', async (t) => {
  const { world, life, run } = await cutOffByDisk(t);
  await life.engine.cancel(run, 'kim');
  t.same(await life.state.endMarks().list(), [run]);
  life.kill();
  const next = await world.open();
  const end = await next.ended(run);
  t.match(end.run, { state: 'cancelled', reason: 'it was ended before a restart, while the disk could not be written' });
  t.same(next.audit.begun, []);
  await until(async () => (await next.state.endMarks().list()).length === 0, WITHIN, 'the mark to be gone');
});

await t.test('where that cannot be kept either, it is said', async (t) => {
  const marks = { add: () => Promise.reject(new StateError('unavailable', 'no room')), list: () => Promise.resolve([]), remove: () => Promise.resolve() } as unknown as EndMarks;
  const { life, run } = await cutOffByDisk(t, { marks });
  t.match(await life.engine.cancel(run, 'kim'), { state: 'running', reason: `${UNWRITTEN}; a server that is started anew before that does not know of it` });
});

await t.test('one that asks does so still where its answer was refused, and is ended where it is cancelled', async (t) => {
  const world = new World(t, {
    providers: sim('sim', '"a", "b"'), plans: [plan('off', [stage('all', 'stop', ['a', 'b'], { parallel: 1, pauseBetween: 1000, soft: 5000 })], { resume: 'ask' })],
  });
  const first = await world.open();
  const run = await begin(first, 'off');
  await until(async () => (await first.engine.run(run))!.run.targets.ended >= 1, WITHIN, 'the first one');
  first.kill();
  const disk = { isFull: false };
  const life = await world.open({ parts: { journal: full(first.state.plans(), disk) } });
  disk.isFull = true;
  const asks = async (): Promise<boolean> => t.match((await life.engine.run(run))!.run, { state: 'asking', reason: /^it was cut off by a restart: resume or cancel it$/ });
  await t.rejects(life.engine.resume(run), { message: /^AUDIT UNAVAILABLE/ });
  await asks();
  await t.rejects(life.engine.begin('off', cause()), { message: /^AUDIT UNAVAILABLE/ });
  await asks();
  t.match(await life.engine.cancel(run, 'kim'), { state: 'running', reason: UNWRITTEN });
  disk.isFull = false;
  t.match((await life.ended(run)).run, { state: 'cancelled', reason: 'kim' });
  t.equal(life.states()['sim/b'], 'on');
});
