import t from 'tap';
import { COMMAND_SIZE } from '../../../src/kit/zabbix-collecting-limits.js';
import { ArgoError } from '../../../src/kit/errors.js';
import type { PlanDesk, RunInfo } from '../../../src/instances/plans.js';
import { FakeMachine, lostAfterSending, never } from '../../instances/fake-driver.js';
import { until } from '../../support/until.js';
import { arrange, CONFIG, type Rig } from './rig.js';

/** Runs commands on a gateway of the rig's. */
const runner = (rig: Rig) => {
  const collecting = rig.collecting();
  return (command: string, signal = new AbortController().signal) => collecting.run({ kind: 'command', parentTaskId: 1, clock: 0, ttl: 600, hostid: 1, command }, '192.0.2.1', signal);
};

await t.test('what was verified is told, and done as the account, in the audit', async (t) => {
  const rig = await arrange(t);
  const run = runner(rig);
  t.same(await run('stop lj'), { status: 0, info: 'lj: done, off (was on)' });
  t.match(rig.audit.begun, [{ account: 'zabbix', from: '192.0.2.1 zabbix', instance: 'demo/lj', command: 'stop' }]);
  t.same(await run('stop lj --force'), { status: 0, info: 'lj: already so, off' });
  t.same(await run('  START lj\n'), { status: 0, info: 'lj: done, on (was off)' });
  t.same(await run('reboot "demo lj" --timeout=5s'), { status: 0, info: 'lj: done, on (was on)' }, 'a technical name in quotes');
  const many = await run('status lj t*');
  t.equal(many.status, 0);
  t.same(many.info.split('\n').toSorted(), ['lj: on', 'test: off']);
});

await t.test('a technical name that may stand for two machines switches neither', async (t) => {
  const rig = await arrange(t, { own: [{ name: 'own', machines: [new FakeMachine('demo lj', 'on')] }] });
  const run = runner(rig);
  t.match(await run('stop "demo lj"'), { status: -1, info: /^AMBIGUOUS/ });
  t.same(rig.audit.begun, []);
  t.same(await run('stop "own/demo lj"'), { status: 0, info: 'demo lj: done, off (was on)' });
});

await t.test('one target in vain is a failure of the whole, each with its reason', async (t) => {
  const lost = new FakeMachine('lost', 'on');
  lost.script.shutdown = lostAfterSending;
  lost.script.status = () => { if (lost.calls.length > 0) throw new ArgoError('UNREACHABLE', 'cut off'); };
  const rig = await arrange(t, { own: [{ name: 'own', machines: [lost] }] });
  const { status, info } = await runner(rig)('stop lj lost');
  t.equal(status, -1);
  t.match(info, /^lj: done, off \(was on\)$/m);
  t.match(info, /^lost: UNCERTAIN/m);
  t.match(await runner(rig)('pause test'), { status: -1, info: /^test: WRONG STATE/ });
});

await t.test('nothing else is run', async (t) => {
  const rig = await arrange(t);
  const run = runner(rig);
  for (const [command, info] of [
    ['', /^BAD REQUEST: the command is empty/], [' \n ', /empty/], ['stop lj\nstop dev', /one line/], ['stop lj\rstop dev', /one line/], [`stop ${'x'.repeat(COMMAND_SIZE)}`, /^LINE TOO LONG/],
    ['stop l\u0007j', /control/], ['stop "lj', /open quote/], ['rm -rf /', /^UNKNOWN COMMAND: .*programs and scripts are not run/], ['/bin/sh -c x', /^UNKNOWN COMMAND/], ['"stop" lj', /^UNKNOWN COMMAND/],
    ['constructor lj', /^UNKNOWN COMMAND/], ['autostart lj on', /^UNKNOWN COMMAND/], ['stop lj; reboot dev', /no shell/], ['stop $(id)', /no shell/], ['stop lj && x', /no shell/], ['stop `id`', /no shell/],
    ['stop', /^USAGE: stop NAME/], ['stop --force', /^USAGE/], ['stop lj --no', /^USAGE/], ['pause lj --dry-run', /^USAGE/], ['plan run', /^USAGE/], ['plan hold night', /^USAGE: plan run NAME/],
    ['stop nobody', /^NO SUCH INSTANCE/], ['stop x*', /^NO MATCH/], ['stop "l*"', /^NO SUCH INSTANCE/], ['stop lj\u00a0', /^NO SUCH INSTANCE/], ['\u3000stop lj', /^UNKNOWN COMMAND/], ['plan run night', /^NO SUCH PLAN/],
  ] as const) t.match(await run(command), { status: -1, info }, JSON.stringify(command.slice(0, 40)));
  t.same(rig.audit.begun, [], 'nothing was begun');
});

await t.test('the account\'s grants decide, as they are at that moment', async (t) => {
  const rig = await arrange(t);
  const run = runner(rig);
  await rig.reload(CONFIG.replace('"power", ', '"start", '));
  t.match(await run('stop lj'), { status: -1, info: 'lj: NOT ALLOWED' });
  t.match(await run('start lj'), { status: 0 });
  await rig.reload(CONFIG.replace('[accounts.zabbix]', '[accounts.other]'));
  t.match(await run('status lj'), { status: -1, info: /NOT ALLOWED/ });
});

await t.test('the gateway\'s end is no answer', async (t) => {
  const hung = new FakeMachine('hung', 'on');
  hung.script.status = never;
  const rig = await arrange(t, { own: [{ name: 'own', machines: [hung] }] });
  const run = runner(rig);
  const ends = new AbortController();
  const running = ['stop hung', 'stop hung', 'stop hung'].map((command) => run(command, ends.signal));
  await until(() => rig.audit.begun.length > 0, 5000, 'the first of them');
  ends.abort(new ArgoError('SHUTTING DOWN'));
  for (const result of await Promise.all(running)) t.match(result, { status: -1, info: 'hung: UNCERTAIN: the gateway ended before it was verified' });
});

await t.test('a plan is run and waited for', async (t) => {
  const runOf = (state: RunInfo['state'], failed = 0): RunInfo => ({
    id: '1a2b3c4d', plan: 'night', state, began: new Date(), ended: undefined, deadline: undefined, cause: 'zabbix', reason: undefined, stages: { ended: 1, all: 1 }, targets: { ended: 3, failed, all: 3 },
  });
  let last = runOf('done');
  const desk = {
    run: () => Promise.resolve(runOf('running')),
    follow: async function* follow() { yield { run: runOf('running'), stages: [], targets: [] }; yield { run: last, stages: [], targets: [] }; },
  } as unknown as PlanDesk;
  const rig = await arrange(t, { plans: desk });
  const run = runner(rig);
  t.same(await run('plan run night'), { status: 0, info: 'plan night: done (3 of 3 targets, 0 failed, run 1a2b3c4d)' });
  last = runOf('failed', 1);
  t.match(await run('plan run night'), { status: -1, info: /^plan night: failed/ });
  last = runOf('running');
  t.match(await run('plan run night'), { status: -1, info: /^plan night: running, and goes on/ });
});
