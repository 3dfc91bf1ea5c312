import { mock } from 'node:test';
import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import t from 'tap';
import { ArgoError } from '../../src/kit/errors.js';
import { CONSOLE_BUFFER, CONSOLE_SILENCE, CONSOLE_SILENCE_LONGEST, CONSOLE_STUCK } from '../../src/kit/console-limits.js';
import { RawConsole } from '../../src/server/raw-console.js';

/** A console and a client's connection, both in the test's hands, and its time. */

class Side extends Duplex {
  readonly taken: Buffer[] = [];
  isStuck = false;

  constructor() {
    super({ readableHighWaterMark: CONSOLE_BUFFER, writableHighWaterMark: CONSOLE_BUFFER });
  }

  override _read(): void {
    // the test pushes
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.taken.push(chunk);
    if (!this.isStuck) done();
  }
}

function open(stream = new Side()) {
  const socket = new Side();
  const ends: { rest: string; error: string | undefined }[] = [];
  const raw = new RawConsole({
    socket: socket as unknown as Socket, isTelnet: false, eol: '\n',
    end: { stream, notice: undefined, resize: () => undefined },
    done: (rest, error) => ends.push({ rest: rest.toString(), error: error?.message }),
  });
  return { raw, socket, stream, ends };
}

const aTurn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

/** The time after which nothing is on its way any longer. */
async function silence(): Promise<void> {
  mock.timers.tick(CONSOLE_SILENCE);
  await aTurn();
}

t.beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
t.afterEach(() => mock.timers.reset());

await t.test('one that has ended before the client was ready ends', async (t) => {
  const stream = new Side();
  stream.on('error', () => undefined).destroy(new ArgoError('NOT ALLOWED'));
  await aTurn();
  const { ends } = open(stream);
  await aTurn();
  await silence();
  t.same(ends, [{ rest: '', error: 'NOT ALLOWED' }]);
});

await t.test('what comes behind an end that the client did not ask for is dropped until it is silent', async (t) => {
  const { raw, stream, ends } = open();
  stream.push(null);
  await aTurn();
  await aTurn();
  for (let line = 0; line < 3; line += 1) {
    mock.timers.tick(CONSOLE_SILENCE - 1);
    raw.receive(Buffer.from('stop lj\n'));
  }
  // what had come while this process stood still is read behind the timers
  mock.timers.tick(CONSOLE_SILENCE);
  raw.receive(Buffer.from('stop lj\n'));
  await aTurn();
  t.same(ends, []);
  await silence();
  t.same(ends, [{ rest: '', error: undefined }]);
});

await t.test('one who is never silent is cut off', async (t) => {
  const { raw, socket, stream, ends } = open();
  socket.once('close', () => raw.gone());
  stream.destroy();
  await aTurn();
  for (let passed = 0; passed < CONSOLE_SILENCE_LONGEST; passed += CONSOLE_SILENCE / 2) {
    raw.receive(Buffer.from('stop lj\n'));
    mock.timers.tick(CONSOLE_SILENCE / 2);
  }
  await aTurn();
  t.equal(socket.destroyed, true);
  t.same(ends, [{ rest: '', error: undefined }]);
});

await t.test('a machine that takes nothing of what is typed does not hold its client for ever', async (t) => {
  const { raw, socket, stream, ends } = open();
  stream.isStuck = true;
  raw.receive(Buffer.alloc(CONSOLE_BUFFER * 2, 'x'));
  t.equal(socket.isPaused(), true);
  mock.timers.tick(CONSOLE_STUCK);
  await aTurn();
  t.equal(socket.isPaused(), false);
  await silence();
  t.match(ends, [{ error: /^TIMEOUT: the machine has taken nothing of what was typed for/ }]);
});

await t.test('one that takes it late has all of it', async (t) => {
  const { raw, stream, ends } = open();
  stream.isStuck = true;
  raw.receive(Buffer.alloc(CONSOLE_BUFFER * 2, 'x'));
  mock.timers.tick(CONSOLE_STUCK - 1);
  stream.emit('drain');
  mock.timers.tick(CONSOLE_STUCK);
  t.same(ends, []);
  raw.receive(Buffer.from('\x1dnop\n'));
  t.same(ends, [{ rest: 'nop\n', error: undefined }], 'and what is behind the escape is a request at once');
});
