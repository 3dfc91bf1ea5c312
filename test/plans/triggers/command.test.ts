import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import t, { type Test } from 'tap';
import command from '../../../src/plans/triggers/command/index.js';
import { runProgram, type ProgramOutcome } from '../../../src/plans/program.js';
import { CommandTrigger, type CommandSettings } from '../../../src/plans/triggers/command/trigger.js';
import { until } from '../../support/until.js';
import { fakeHost, type FakeHost } from './support.js';

const PATIENCE_MS = 60_000;

/** Not tap's own, which goes before what the test has opened is closed: a command would still write there. */
function scratch(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'argo-command-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

function script(t: Test, ...lines: readonly string[]): string {
  const path = join(scratch(t), 'script');
  writeFileSync(path, ['#!/bin/sh', ...lines, ''].join('\n'), { mode: 0o755 });
  return path;
}

const never = new AbortController().signal;
const probe = (command: readonly string[], timeout: number, name: string, signal: AbortSignal): Promise<ProgramOutcome> =>
  runProgram(command, { timeout, env: { ARGO_TRIGGER: name }, signal });

void t.test('how a command ends', async (t) => {
  t.match(await probe([script(t, 'echo " hot:  $1 $ARGO_TRIGGER"; exit 1'), '90; exit 3'], 30_000, 'heat', never), { code: 1, reason: '', output: /hot: +90; exit 3 heat/ }, 'without a shell');
  t.match(await probe(['/no/such/program'], 30_000, 'heat', never), { code: undefined, reason: 'ENOENT' });
  t.match(await probe(['/etc/passwd/too-hot'], 30_000, 'heat', never), { code: undefined, reason: 'ENOTDIR' }, 'what is thrown, and not told as an event');
  t.match(await probe([script(t, 'exit 0'), 'a\0b'], 30_000, 'heat', never), { code: undefined, reason: 'ERR_INVALID_ARG_VALUE' });
  t.match(await probe([script(t, 'kill -TERM $$')], 30_000, 'heat', never), { code: undefined, reason: 'it was ended by SIGTERM' });
  t.match(await probe([script(t, 'yes | head -c 3000000; exit 0')], 30_000, 'heat', never), { code: 0 });
  t.ok((await probe([script(t, 'yes | head -c 3000000')], 30_000, 'heat', never)).output.length <= 4096, 'its output has a limit');
});

void t.test('nothing of the server\'s environment reaches it but the path', async (t) => {
  process.env.ARGO_TEST_SECRET = 'hidden';
  t.teardown(() => { delete process.env.ARGO_TEST_SECRET; });
  const { output } = await probe(['/usr/bin/env'], 30_000, 'heat', never);
  t.match(output, /ARGO_TRIGGER=heat/);
  t.notMatch(output, /hidden/);
});

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

void t.test('one that takes too long ends with all that it began', async (t) => {
  const folder = scratch(t);
  const path = script(t, `sleep 600 & echo $! > ${folder}/child`, 'trap "" TERM', `touch ${folder}/ready`, 'wait');
  const abort = new AbortController();
  const ends = [probe([path], 1000, 'heat', never), probe([path], 600_000, 'heat', abort.signal)];
  t.match(await ends[0], { code: undefined, reason: 'its time was over' });
  await until(() => existsSync(join(folder, 'ready')), PATIENCE_MS, 'the second one');
  abort.abort();
  t.match(await ends[1], { code: undefined, reason: 'it is not waited for any longer' });
  const child = Number(readFileSync(join(folder, 'child'), 'utf8'));
  await until(() => !isAlive(child), PATIENCE_MS, 'the end of its child');
});

function open(t: Test, program: string, more: Partial<CommandSettings> = {}): { host: FakeHost; trigger: CommandTrigger } {
  const host = fakeHost(undefined);
  const trigger = new CommandTrigger({ command: [program], every: 20, lasts: 0, timeout: 30_000, minInterval: 0, plan: 'cool-down', ...more }, host);
  t.teardown(() => trigger.close());
  return { host, trigger };
}

void t.test('a plan is begun once each time that the command says so', async (t) => {
  const folder = scratch(t);
  const program = script(t, `echo x >> ${folder}/runs`, `read code < ${folder}/code`, 'exit $code');
  const says = (code: number): void => writeFileSync(join(folder, 'code'), `${code}\n`);
  const runs = (): number => (existsSync(join(folder, 'runs')) ? readFileSync(join(folder, 'runs'), 'utf8').length / 2 : 0);
  const goesOn = async (): Promise<void> => {
    const before = runs();
    await until(() => runs() >= before + 3, PATIENCE_MS, 'three more runs');
  };
  says(0);
  const { host, trigger } = open(t, program);
  await goesOn();
  t.equal(trigger.describe(), 'not due');
  says(1);
  await until(() => host.starter.plans.length === 1, PATIENCE_MS, 'the plan');
  t.match(host.starter.begun[0]!.cause.words, /^trigger ups: .*script says that it is due$/);
  says(2);
  await goesOn();
  t.match(trigger.describe(), /not known: it ended with 2/);
  says(1);
  await goesOn();
  t.equal(host.starter.plans.length, 1, 'what was not known is no end of the cause');
  says(0);
  await goesOn();
  says(1);
  await until(() => host.starter.plans.length === 2, PATIENCE_MS, 'the plan once more');
  await trigger.close();
  const last = runs();
  await new Promise((resolve) => { setImmediate(resolve); });
  t.equal(runs(), last, 'nothing runs after the end');
});

void t.test('what it has begun is taken back when the command has said no for long enough', async (t) => {
  const folder = scratch(t);
  const program = script(t, `echo x >> ${folder}/runs`, `read code < ${folder}/code`, 'exit $code');
  const says = (code: number): void => writeFileSync(join(folder, 'code'), `${code}\n`);
  const runs = (): number => (existsSync(join(folder, 'runs')) ? readFileSync(join(folder, 'runs'), 'utf8').length / 2 : 0);
  const goesOn = async (): Promise<void> => {
    const before = runs();
    await until(() => runs() >= before + 3, PATIENCE_MS, 'three more runs');
  };
  says(1);
  const { host, trigger } = open(t, program, { stop: { plan: 'warm-up', lasts: 50 } });
  await until(() => host.starter.plans.length === 1, PATIENCE_MS, 'the plan');
  says(3);
  await goesOn();
  t.same(host.starter.gone, [], 'what is not known takes nothing back');
  await trigger.close();
  says(0);
  const next = fakeHost(undefined, host.stored);
  const after = new CommandTrigger({ command: [program], every: 20, lasts: 0, timeout: 30_000, minInterval: 0, plan: 'cool-down', stop: { plan: 'warm-up', lasts: 50 } }, next);
  t.teardown(() => after.close());
  await until(() => next.starter.gone.length === 1, PATIENCE_MS, 'the end of it, also after a restart');
  t.match(next.starter.gone[0], { source: 'trigger ups', words: /says that it is not due$/, then: 'warm-up' });
  await goesOn();
  t.equal(next.starter.gone.length, 1, 'once');
});

void t.test('what never says that it is due begins nothing', async (t) => {
  for (const code of [0, 2, 127, 255]) {
    const { host, trigger } = open(t, script(t, `exit ${code}`));
    await until(() => trigger.describe() !== 'not asked yet', PATIENCE_MS, 'its answer');
    t.same(host.starter.plans, [], `exit code ${code}`);
  }
  const missing = open(t, '/no/such/program');
  await until(() => missing.trigger.describe() === 'not known: ENOENT', PATIENCE_MS, 'the complaint');
  t.same(missing.host.starter.plans, []);
});

void t.test('closing ends the command under way', async (t) => {
  const folder = scratch(t);
  const { trigger } = open(t, script(t, `touch ${folder}/ready`, 'sleep 600'));
  await until(() => existsSync(join(folder, 'ready')), PATIENCE_MS, 'the command');
  await trigger.close();
  t.pass('it did not wait for ten minutes');
});

void t.test('the table', async (t) => {
  const table = v.strictObject(command.options);
  const parse = (keys: object): v.InferOutput<typeof table> => v.parse(table, { command: ['/usr/lib/argo/too-hot'], plan: 'p', ...keys });
  t.same(command.faults(parse({})), []);
  t.match(command.faults(parse({ command: ['too-hot'] })), [{ path: ['command', 0] }]);
  t.match(command.faults(parse({ command: ['/bin/echo', 'a\0b'] })), [{ path: ['command', 1] }]);
  t.same(command.plans(parse({ stop: { plan: 'q', for: '5m' } })).map(({ plan }) => plan), ['p', 'q']);
  t.throws(() => parse({ command: [] }));
  t.throws(() => parse({ every: '10ms' }));
  t.throws(() => parse({ command: 'rm -rf /' }));
});
