import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { HostCommandOptions, Words } from '../../../src/drivers/management/host-commands.js';
import { lastWords, outputOf } from '../../../src/drivers/management/host-commands.js';
import { localCommands } from '../../../src/drivers/management/local-commands.js';
import { until } from '../../support/until.js';
import { outcome, soon } from '../driving.js';
import { commandsDoAsSaid } from './host-commands.js';

/** Commands on this host. */

const WITHIN_MS = 30_000;
const run = (words: Words, options: Partial<HostCommandOptions> = {}) => localCommands.run(words, { signal: soon(), effect: 'reads', ...options });
const isGone = (pid: string): boolean => !existsSync(`/proc/${pid.trim()}`);

await commandsDoAsSaid(t, run);

await t.test('nothing else of our environment arrives', async (t) => {
  process.env.ARGO_TEST_SECRET = 'sesame';
  t.teardown(() => { delete process.env.ARGO_TEST_SECRET; });
  const { stdout } = await run(['env']);
  // Node itself hands on where it is to note what code was run
  t.same(stdout.trim().split('\n').map((line) => line.split('=')[0]).filter((name) => name !== 'NODE_V8_COVERAGE').sort(), ['LC_ALL', 'PATH']);
  t.equal((await run(['pwd'])).stdout, '/\n');
});

await t.test('what a shell would say of how it ended', async (t) => {
  t.match(await run(['sh', '-c', 'exit 3']), { code: 3, signal: undefined, truncated: false });
  t.match(await run(['sh', '-c', 'kill -KILL $$']), { code: undefined, signal: 'KILL' });
  t.equal((await run(['argo-no-such-program'])).stderr, 'argo-no-such-program: not found\n');
  const file = join(t.testdir(), 'plain');
  writeFileSync(file, 'x');
  chmodSync(file, 0o644);
  t.match(await run([file]), { code: 126 });
  t.match(await run([join(file, 'below')]), { code: 127 }, 'a path through a file');
  t.equal(await localCommands.way(soon()), undefined);
  t.equal((await localCommands.runAnew(['echo', 'x'], { signal: soon(), effect: 'reads' })).stdout, 'x\n');
});

await t.test('input and output', async (t) => {
  t.equal((await run(['true'], { stdin: 'x'.repeat(1_000_000) })).code, 0, 'one that reads nothing of it');
  const much = await run(['head', '-c', '5000000', '/dev/zero'], { maxOutput: 1000 });
  t.match(much, { code: 0, truncated: true });
  t.equal(much.stdout.length, 1000);
  const left = await run(['sh', '-c', 'sleep 60 & echo $!']);
  t.equal(left.code, 0, 'what it leaves behind holds the pipe, and nobody up');
  process.kill(Number(left.stdout));
});

/** A shell that has begun a child, and says which. */
const parent = (file: string, before = '') => ['sh', '-c', `${before} sleep 300 & echo $! > "$1.part"; mv "$1.part" "$1"; wait; wait`, 'sh', file] as const;

await t.test('at the deadline it ends with all that it has begun', async (t) => {
  const file = join(t.testdir(), 'pid');
  for (const [effect, phrase] of [['reads', 'TIMEOUT'], ['acts', 'UNCERTAIN']] as const) {
    t.match(await outcome(run(parent(file), { effect, timeout: 700 })), { phrase, detail: 'sh took longer than 700 ms' });
    const { stdout } = await run(['cat', file]);
    await until(() => isGone(stdout), WITHIN_MS, 'the end of its child');
  }
  t.match(await outcome(run(parent(file, 'trap "" TERM;'), { timeout: 300 })), { phrase: 'TIMEOUT' }, 'one that does not listen');
  await until(async () => isGone((await run(['cat', file])).stdout), WITHIN_MS, 'the end of its child');
});

await t.test('given up', async (t) => {
  const reason = new Error('given up');
  const file = join(t.testdir(), 'pid');
  const controller = new AbortController();
  const running = outcome(run(parent(file), { signal: controller.signal, effect: 'acts' }));
  await until(() => existsSync(file), WITHIN_MS, 'its beginning');
  controller.abort(reason);
  t.equal((await running).error, reason);
  await until(async () => isGone((await run(['cat', file])).stdout), WITHIN_MS, 'the end of its child');
  t.match(await outcome(run(['true'], { signal: controller.signal })), { phrase: 'UNREACHABLE' }, 'before it has begun');
});

await t.test('more than there are places for', async (t) => {
  const all = await Promise.all(Array.from({ length: 60 }, async (_, index) => (await run(['echo', String(index)])).stdout.trim()));
  t.same(all, Array.from({ length: 60 }, (_, index) => String(index)));
});

await t.test('what a command prints', async (t) => {
  const options = { signal: soon(), effect: 'reads' } as const;
  t.equal(await outputOf(localCommands, ['echo', 'x'], options), 'x\n');
  t.match(await outcome(outputOf(localCommands, ['argo-no-such-program'], options)), { phrase: 'NOT SUPPORTED', detail: 'the host has no program argo-no-such-program' });
  t.match(await outcome(outputOf(localCommands, ['sh', '-c', 'echo first; echo why >&2; exit 5'], options)), { phrase: 'FAILED', detail: 'sh: why' });
  t.match(await outcome(outputOf(localCommands, ['seq', '1000'], { ...options, maxOutput: 10 })), { phrase: 'FAILED' });
  const noisy = { code: 5, signal: undefined, stdout: '', truncated: false, stderr: 'File descriptor 20 (pipe:[1]) leaked on vgs invocation. Parent PID 1: node\n  no such group\n' };
  t.equal(lastWords(noisy), 'no such group');
});
