import t, { type Test } from 'tap';
import { SENDING_KEPT, WAIT_TOLD } from '../../src/kit/limits.js';
import { endingFor, ENDINGS } from '../../src/instances/turn.js';
import { Account } from '../../src/auth/account.js';
import { Service } from '../../src/auth/service.js';
import { ArgoError } from '../../src/kit/errors.js';
import { Gate } from '../../src/instances/gate.js';
import type { PowerOrder } from '../../src/instances/order.js';
import { PowerRun } from '../../src/instances/power-run.js';
import { FakeMachine, fakeProvider, never } from './fake-driver.js';
import { until } from '../support/until.js';
import { RememberedAudit, SEED_CONFIG, startCore, STEVE_HASH, type Core } from '../server/core.js';
import { parseConfig } from '../support/configuration.js';

const WITHIN = 10_000;
const deaf = SEED_CONFIG.replace('instances = ["lj", "builder"', 'faults = { lj = "deaf", builder = "hang" }\ninstances = ["lj", "builder"');
const further = (name: string, instances: string, commands: string): string =>
  `\n[accounts.${name}]\npassword = "${STEVE_HASH}"\n[[accounts.${name}.grants]]\ninstances = [${instances}]\ncommands = [${commands}]\n`;
const KIM = further('kim', '"lj", "builder"', '"power", "read"');

const world = (t: Test, further = KIM) => startCore(t, { config: deaf + further });
const outcomes = ({ audit }: Core): string[] => audit.ended.map(({ outcome }) => outcome);

void t.test('--force takes over from an action that only waits, which is told so', async (t) => {
  const core = await world(t);
  const kim = await core.session('kim');
  const stopping = core.ask(kim, 'stop lj --wait=24h');
  const steve = await core.session('steve');
  await until(async () => (await core.ask(steve, 'task')).includes(' verifying\n'), WITHIN, 'it waits');
  t.match(await core.ask(steve, 'stop lj --force --dry-run'), /lj: power off \(it is on\), in place of another action that holds it: stop\n/);
  t.match(await core.ask(steve, 'pause lj --dry-run'), /lj: pause \(it is on\), after another action that holds it: stop\n/);
  t.equal(await core.ask(steve, 'stop lj --force'), '200 OK\n300 DONE\n');
  t.equal(await stopping, '200 OK\n400 UNCERTAIN: accepted, and last seen on when an action with --force took over\n');
  t.ok(outcomes(core).some((outcome) => outcome.includes('took over')), 'on record');
});

void t.test('one that waits for an earlier stop gives way too, and has sent nothing', async (t) => {
  const core = await world(t);
  const kim = await core.session('kim');
  t.equal(await core.ask(kim, 'stop lj'), '200 OK\n300 DONE\n', 'accepted, and ignored by the guest');
  const starting = core.ask(kim, 'start lj --wait=24h');
  const steve = await core.session('steve');
  await until(async () => (await core.ask(steve, 'task')).includes(' waiting for an earlier stop\n'), WITHIN, 'it waits');
  t.equal(await core.ask(steve, 'stop lj --force'), '200 OK\n300 DONE\n');
  t.equal(await starting, '200 OK\n400 BUSY: an action with --force took over; nothing was sent\n');
});

void t.test('a call that hangs keeps --force out for a while only', async (t) => {
  const { instance, registry, machine } = await fakeProvider([new FakeMachine('lj', 'on')]);
  machine.script = { shutdown: never };
  const run = (mode: 'soft' | 'hard', account: string) => new PowerRun({
    instance, registry, account, order: { action: 'stop', mode, wait: false }, actionTimeout: 60_000, permit: () => undefined,
  });
  const stopping = run('soft', 'kim');
  const reply = stopping.run().catch((error: Error) => error.message);
  await until(() => stopping.doing === 'sending', WITHIN, 'it hangs');
  const began = performance.now();
  t.match(await run('hard', 'steve').run(), { result: 'done', after: 'off' });
  t.match(await reply, /^UNCERTAIN: the order was sent to lj without an answer yet when an action with --force took over/);
  t.ok(performance.now() - began >= SENDING_KEPT - 500, 'not at once: a healthy machine would have answered');
  t.same(machine.calls, ['shutdown', 'powerOff']);
});

void t.test('--force goes out although the state cannot be read', async (t) => {
  const { instance, registry, machine } = await fakeProvider([new FakeMachine('lj', 'on')]);
  machine.script = { status: never };
  const run = new PowerRun({
    instance, registry, account: 'kim', order: { action: 'stop', mode: { softFor: 200 }, wait: false }, actionTimeout: 60_000, permit: () => undefined,
  });
  const reply = run.run().catch((error: Error) => error.message);
  await until(() => machine.calls.includes('powerOff'), WITHIN, 'the plug is pulled');
  run.end(ENDINGS.cancelled());
  t.match(await reply, /^UNCERTAIN/);
});

void t.test('task shows what is under way to its owner and to whoever may do everything, and cancels it', async (t) => {
  const core = await world(t, KIM + further('lee', '"lj"', '"power"'));
  const [kim, lee, steve] = [await core.session('kim'), await core.session('lee'), await core.session('steve')];
  const stopping = core.ask(kim, 'stop lj --wait=24h');
  await until(async () => (await core.ask(kim, 'task')).includes(' verifying\n'), WITHIN, 'it waits');
  const list = await core.ask(kim, 'task');
  t.match(list, /^200 OK\n1 kim stop demo\/lj \d{4}-\S+ verifying\n300 DONE\n$/);
  t.equal(await core.ask(steve, 'task'), list, 'all, for steve');
  t.equal(await core.ask(lee, 'task'), '200 OK\n300 DONE\n');
  t.match(await core.ask(kim, 'task 1'), /^200 OK\nid: 1\naccount: kim\ncommand: stop\ninstance: demo\/lj\nsince: .*\ndoing: verifying\n300 DONE\n$/);
  for (const line of ['task cancel 1', 'task 1', 'task cancel 01', 'task cancel 7']) t.match(await core.ask(lee, line), /^400 NO SUCH TASK/, line);
  for (const line of ['task x', 'task 1 2', 'task cancel 1 2']) t.match(await core.ask(kim, line), /^400 USAGE/, line);
  t.equal(await core.ask(kim, 'task cancel 1'), '200 OK\n300 DONE: it is not waited for any longer; what was sent stays sent\n');
  t.equal(await stopping, '200 OK\n400 UNCERTAIN: accepted, and last seen on when it was cancelled\n');
  t.same(outcomes(core), ['UNCERTAIN: accepted, and last seen on when it was cancelled']);
  t.match(await core.ask(kim, 'task cancel 1'), /^400 NO SUCH TASK/);
});

void t.test('one that has not had its turn ends unsent when it is cancelled, and when the right to it is taken away', async (t) => {
  const core = await world(t);
  const [kim, steve] = [await core.session('kim'), await core.session('steve')];
  const first = core.ask(steve, 'stop lj --wait=24h');
  await until(async () => (await core.ask(steve, 'task')).includes(' verifying\n'), WITHIN, 'it waits');
  const [cancelled, forbidden] = [core.ask(kim, 'pause lj --timeout=24h'), core.ask(await core.session('kim'), 'pause lj --timeout=24h')];
  const reading = core.ask(await core.session('kim'), 'uptime builder --timeout=24h');
  const status = core.ask(await core.session('kim'), 'status builder --timeout=24h');
  const dryRun = core.ask(await core.session('kim'), 'stop builder --dry-run --timeout=24h');
  await until(async () => (await core.ask(kim, 'task')).split('waiting for its turn').length === 3, WITHIN, 'both wait');
  await core.ask(kim, 'task cancel 2');
  t.match(await cancelled, /\n400 BUSY: it was cancelled; nothing was sent\n$/);
  core.authenticator.configure(await parseConfig('argo-server.conf', deaf, '/nonexistent'));
  core.gate.review();
  t.match(await forbidden, /\n400 NOT ALLOWED: the right was taken away; nothing was sent\n$/);
  t.same([await reading, await status, await dryRun], Array(3).fill('200 OK\n400 NOT ALLOWED\n'), 'readings and dry runs end with the right too');
  await core.ask(steve, 'task cancel 1');
  await first;
  t.match(outcomes(core), [/^BUSY/, /^NOT ALLOWED/, /^UNCERTAIN/]);
});

void t.test('who waits on a single name is told for what, as far as one may know', async (t) => {
  const core = await world(t, KIM + further('lee', '"lj"', '"power"'));
  const [kim, lee, steve] = [await core.session('kim'), await core.session('lee'), await core.session('steve')];
  const first = core.ask(kim, 'stop lj --wait=24h');
  await until(async () => (await core.ask(kim, 'task')).includes(' verifying\n'), WITHIN, 'it waits');
  const waiting = [core.ask(steve, 'pause lj --timeout=24h'), core.ask(lee, 'pause lj --timeout=24h'), core.ask(await core.session('kim'), 'pause l* --timeout=24h'), core.ask(await core.session('steve'), 'autostart lj on --timeout=24h')];
  await until(async () => (await core.ask(steve, 'task')).split('waiting for its turn').length === 5, WITHIN, 'all to wait');
  await new Promise((resolve) => { setTimeout(resolve, WAIT_TOLD * 1.5); });
  t.equal(await core.ask(await core.session('kim'), 'task cancel 1'), '200 OK\n300 DONE: it is not waited for any longer; what was sent stays sent\n');
  await first;
  const [ofSteve, ofLee, ofMany, ofSetting] = await Promise.all(waiting);
  t.match(ofSteve, /^200 OK\nwaiting for its turn behind stop of kim, task 1\n[^]*300 DONE\n$/);
  t.match(ofLee, /^200 OK\nwaiting for its turn behind another action\n[^]*300 DONE\n$/);
  t.match(ofSetting, /^200 OK\nwaiting for its turn behind stop of kim, task 1\n[^]*400 FAILED: the order was accepted, but autostart/);
  t.notMatch(ofMany, /waiting/, 'of several each has its one line, when it has ended');
});

void t.test('a start behind a stop that nobody waits for says that it waits, also in a dry run', async (t) => {
  const core = await world(t);
  const [kim, steve] = [await core.session('kim'), await core.session('steve')];
  t.equal(await core.ask(kim, 'stop lj'), '200 OK\n300 DONE\n');
  t.equal(await core.ask(kim, 'start lj --dry-run'), '200 OK\nlj: start, when an earlier stop has ended (it is on)\n300 DONE\n');
  const start = core.ask(kim, 'start lj --timeout=24h');
  await until(async () => / start demo\/lj \S+ waiting for an earlier stop\n/.test(await core.ask(steve, 'task')), WITHIN, 'it to wait');
  await new Promise((resolve) => { setTimeout(resolve, WAIT_TOLD * 1.5); });
  t.equal(await core.ask(steve, 'stop lj --force'), '200 OK\n300 DONE\n');
  t.match(await start, /^200 OK\nwaiting for an earlier stop to end\n400 BUSY: an action with --force took over; nothing was sent\n$/);
});

void t.test('--timeout is for the acceptance and --wait for what is seen, and the words fit the action', async (t) => {
  const core = await world(t);
  const kim = await core.session('kim');
  const began = performance.now();
  t.match(await core.ask(kim, 'stop lj --wait=0.2 --timeout=30'), /^200 OK\n400 TIMEOUT: accepted, but lj is still on after /);
  t.ok(performance.now() - began < 20_000);
  t.match(await core.ask(kim, 'reboot lj --wait=0.2'), /^200 OK\n400 TIMEOUT: accepted, but lj has not been seen to restart in /);
});

void t.test('an action does not outlive its provider for longer than that is kept open', async (t) => {
  const { instance, registry, provider, machine } = await fakeProvider([new FakeMachine('lj', 'on')]);
  machine.script = { shutdown: () => undefined };
  const gate = new Gate({ registry, audit: new RememberedAudit(), log: () => undefined, actionTimeout: () => 60_000, groups: () => new Map() });
  const identity = { name: 'kim', principal: new Account({ name: 'kim', passwordHash: '', from: undefined, grants: [{ instances: ['*'], commands: ['*'] }] }, new Map()), onTakenAway: () => () => undefined };
  const actor = gate.actor({ identity, through: undefined, origin: 'x' });
  const stopping = actor.power({ provider: 'fake', id: 'lj' }, { action: 'stop', mode: 'soft', wait: 24 * 3_600_000 }).catch((error: Error) => error.message);
  await until(() => actor.tasks.list()[0]?.doing === 'verifying', WITHIN, 'it waits');
  await provider.close(50);
  t.match(await stopping, /^UNCERTAIN: accepted, and last seen on when its provider was closed/);
  t.equal(instance.turn.holder, undefined, 'and the machine is free');
});

void t.test('the time for the clean way begins when the turn has come', async (t) => {
  const { instance, registry, machine } = await fakeProvider([new FakeMachine('lj', 'on')]);
  machine.script = { shutdown: never };
  const run = (mode: PowerOrder['mode']) => new PowerRun({ instance, registry, account: 'kim', order: { action: 'stop', mode, wait: false }, actionTimeout: 60_000, permit: () => undefined });
  const first = run('soft');
  const hanging = first.run().catch((error: Error) => error.message);
  await until(() => first.doing === 'sending', WITHIN, 'it hangs');
  t.match(await run({ softFor: 100 }).run(), { result: 'done', after: 'off' });
  t.match(await hanging, /^UNCERTAIN/);
  t.equal(machine.calls.at(-1), 'powerOff');
});

void t.test('what a signal cancels ends for the reason of that signal', async (t) => {
  const core = await world(t);
  const actor = core.gate.actor({ identity: new Service('steve', core.authenticator), through: undefined, origin: 'test' });
  const { instances: [lj] } = await actor.select(['lj']);
  for (const [reason, event, unsent] of [
    [undefined, 'it was cancelled', 'BUSY: it was cancelled; nothing was sent'],
    [new ArgoError('NOT AUTHENTICATED', 'the token holds no longer'), 'the right to it was taken away', 'NOT ALLOWED: the right was taken away; nothing was sent'],
    [new ArgoError('TIMEOUT', 'so long'), 'it took too long', 'TIMEOUT: it took too long; nothing was sent'],
    [new ArgoError('SHUTTING DOWN'), 'its gateway ended', 'SHUTTING DOWN: its gateway ended; nothing was sent'],
  ] as const) {
    const [first, second] = [new AbortController(), new AbortController()];
    const order = (cancel: AbortSignal): Promise<unknown> => actor.power(lj!, { action: 'stop', mode: 'soft', wait: true }, { cancel }).catch((error: Error) => error.message);
    const doing = (): readonly string[] => actor.tasks.list().map((task) => task.doing);
    const sent = order(first.signal);
    await until(() => doing().includes('verifying'), WITHIN, 'it waits');
    const waiting = order(second.signal);
    await until(() => doing().includes('waiting for its turn'), WITHIN, 'the other');
    second.abort(reason);
    t.equal(await waiting, unsent);
    first.abort(reason);
    t.equal(await sent, `UNCERTAIN: accepted, and last seen on when ${event}`);
  }
  t.match(endingFor(new ArgoError('SHUTTING DOWN'), ENDINGS.shutDown), { event: 'the server ended' }, 'its gateway ends with the server');
});
