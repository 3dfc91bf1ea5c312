import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LogOutput } from '../../src/daemon/log-output.js';
import { until } from '../support/until.js';

const WITHIN = 10_000;
const LINE = `${'x'.repeat(99)}\n`;

/** A pipe that says so when it is full, as one of a service manager's may. */
function pipeIn(t: Test): { descriptor: number; read(): string } {
  const path = join(t.testdir(), 'pipe');
  execFileSync('mkfifo', [path]);
  const descriptor = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  t.teardown(() => closeSync(descriptor));
  const buffer = Buffer.alloc(1024 * 1024);
  const read = (): string => {
    try {
      return buffer.toString('latin1', 0, readSync(descriptor, buffer));
    } catch {
      return '';
    }
  };
  return { descriptor, read };
}

void t.test('lines are written in their order, also those that come at once', async (t) => {
  const file = join(t.testdir(), 'log');
  const descriptor = openSync(file, 'a');
  t.teardown(() => closeSync(descriptor));
  const output = new LogOutput(descriptor);
  const lines = Array.from({ length: 1000 }, (_, index) => `line ${index}, ü\n`);
  output.append(lines[0]!);
  await until(() => readFileSync(file, 'utf8') === lines[0], WITHIN, 'a lone line');
  lines.slice(1).forEach((line) => output.append(line));
  await until(() => readFileSync(file, 'utf8') === lines.join(''), WITHIN, 'all of them');
});

void t.test('what waits is written before the end', async (t) => {
  const file = join(t.testdir(), 'log');
  const descriptor = openSync(file, 'a');
  t.teardown(() => closeSync(descriptor));
  const output = new LogOutput(descriptor);
  output.append('first\n');
  await until(() => readFileSync(file, 'utf8') === 'first\n', WITHIN, 'the first');
  output.append('second\n');
  output.append('third\n');
  output.flush();
  await until(() => readFileSync(file, 'utf8') === 'first\nsecond\nthird\n', WITHIN, 'the others');
  output.flush();
  t.equal(readFileSync(file, 'utf8'), 'first\nsecond\nthird\n', 'and only once');
});

/** Many more lines than are kept for somebody who does not read. */
async function flood(output: LogOutput): Promise<void> {
  for (let count = 0; count < 50_000; count += 1) {
    output.append(LINE);
    if (count % 1000 === 0) await new Promise(setImmediate);
  }
}

void t.test('a reader who stops holds nobody up, and finds whole lines later', async (t) => {
  const { descriptor, read } = pipeIn(t);
  const output = new LogOutput(descriptor);
  await flood(output);
  let text = '';
  await until(() => {
    text += read();
    output.append('later\n');
    return text.endsWith('later\n');
  }, WITHIN, 'what comes when it reads again');
  t.ok(text.length < 3 * 1024 * 1024, 'not all was kept for it');
  t.same(new Set(text.split('\n')), new Set([LINE.trim(), 'later', '']), 'whole lines');
});

void t.test('the end of the process does not wait for a reader who stops', async (t) => {
  const { descriptor } = pipeIn(t);
  const output = new LogOutput(descriptor);
  await flood(output);
  output.flush();
  t.pass('it goes on');
});

void t.test('where nothing can be written, nobody is told', async (t) => {
  const descriptor = openSync(join(t.testdir({ log: '' }), 'log'), 'r');
  t.teardown(() => closeSync(descriptor));
  const output = new LogOutput(descriptor);
  output.append(LINE);
  await new Promise(setImmediate);
  output.append(LINE);
  output.flush();
  t.pass('no error');
});
