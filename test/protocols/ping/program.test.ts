import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { MOST_PROCESSES } from '../../../src/protocols/ping/limits.js';
import { PingProgram } from '../../../src/protocols/ping/program.js';

const never = new AbortController().signal;
const options = { signal: never, retries: 3, timeout: 4000 };

/** A program that keeps a list of its calls, prints and ends as told. */
function program(t: Test, script: string): { ping: PingProgram; calls: () => string[] } {
  const folder = t.testdir({ calls: '' });
  const file = join(folder, 'ping');
  const calls = join(folder, 'calls');
  writeFileSync(file, `#!/bin/sh\necho "$*" >> ${calls}\n${script}\n`);
  chmodSync(file, 0o755);
  return { ping: new PingProgram(file), calls: () => readFileSync(calls, 'utf8').split('\n').slice(0, -1) };
}

await t.test('a reply', async (t) => {
  const { ping, calls } = program(t, 'echo "64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.042 ms"');
  t.same(await ping.ask('10.0.0.1', options), { alive: true, ms: 0.042, address: '10.0.0.1', by: 'program' });
  await ping.ask('::1', { ...options, retries: 1 });
  t.same(calls(), ['-n -c 1 -W 1 10.0.0.1', '-n -c 1 -W 2 -6 ::1']);
});

await t.test('silence is asked again', async (t) => {
  const { ping, calls } = program(t, 'exit 1');
  t.same(await ping.ask('10.0.0.1', options), { alive: false, reason: 'no answer to ping' });
  t.equal(calls().length, 4);
});

await t.test('errors of routers, of the host itself, and of filters', async (t) => {
  const says = (who: string, what: string) => program(t, `echo "From ${who} icmp_seq=1 ${what}"; exit 1`).ping.ask('10.0.0.1', options);
  t.same(await says('10.0.0.254', 'Destination Host Unreachable'), { alive: false, isTold: true, reason: 'destination host unreachable, says 10.0.0.254' });
  await t.rejects(says('10.0.0.254', 'Destination Net Unreachable'), { kind: 'not sent', message: 'destination net unreachable, says 10.0.0.254' });
  t.match(await says('10.0.0.1', 'Destination Port Unreachable'), { alive: true });
  await t.rejects(says('10.0.0.254', 'Packet filtered'), { kind: 'prohibited', message: 'packet filtered, says 10.0.0.254' });
});

await t.test('what was not sent is not silence', async (t) => {
  for (const [script, message] of [
    ['echo "ping: connect: Network is unreachable" >&2; exit 2', /Network is unreachable/],
    ['echo "ping: sendmsg: Operation not permitted" >&2; exit 1', /sendmsg: Operation not permitted/],
    ['kill -KILL $$', /ended with/],
  ] as const) {
    await t.rejects(program(t, script).ping.ask('10.0.0.1', options), { kind: 'not sent', message }, script);
  }
});

await t.test('a program without the right, or none at all, is not asked again', async (t) => {
  const { ping, calls } = program(t, 'echo "ping: socket: Operation not permitted" >&2; exit 2');
  await t.rejects(ping.ask('10.0.0.1', options), { kind: 'no right', message: 'ping: socket: Operation not permitted' });
  await t.rejects(ping.ask('10.0.0.1', options), { kind: 'no right', message: /./ });
  t.equal(calls().length, 1);
  const none = new PingProgram('/nonexistent/ping');
  await t.rejects(none.ask('10.0.0.1', options), { kind: 'no right', message: /cannot be run \(ENOENT\)/ });
  t.match(none.useless, { kind: 'no right' });
});

await t.test('only so many run at a time', async (t) => {
  const folder = t.testdir({});
  // Each leaves a mark for as long as it runs, and tells how many marks there are.
  const { ping, calls } = program(t, `mark=${folder}/$$; : > $mark; sleep 0.05; ls ${folder} | wc -l >> ${folder}.counts; rm $mark`);
  await Promise.all(Array.from({ length: 3 * MOST_PROCESSES }, () => ping.ask('10.0.0.1', options)));
  t.equal(calls().length, 3 * MOST_PROCESSES);
  const counts = readFileSync(`${folder}.counts`, 'utf8').split('\n').filter(Boolean).map(Number);
  // The scratch folder is the program's too: its own files are not counted as marks.
  t.ok(Math.max(...counts) - 2 <= MOST_PROCESSES, `${Math.max(...counts)} files at a time`);
});

await t.test('aborted, running or waiting', async (t) => {
  const { ping } = program(t, 'exec sleep 30');
  const controller = new AbortController();
  const outcomes = Promise.allSettled(Array.from({ length: MOST_PROCESSES + 2 }, () => ping.ask('10.0.0.1', { ...options, signal: controller.signal })));
  controller.abort(new Error('enough'));
  for (const outcome of await outcomes) t.match(outcome, { status: 'rejected', reason: { message: 'enough' } });
});
