import { mock } from 'node:test';
import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import t from 'tap';
import { ArgoError } from '../../src/kit/errors.js';
import { CONSOLE_BUFFER, CONSOLE_LET_GO, CONSOLE_SILENCE, CONSOLE_SILENCE_LONGEST, CONSOLE_STUCK } from '../../src/kit/console-limits.js';
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

function open(stream = new Side(), isTelnet = false) {
  const socket = new Side();
  const ends: { rest: string; error: string | undefined }[] = [];
  let freed: string | undefined;
  const raw = new RawConsole({
    socket: socket as unknown as Socket, isTelnet, eol: '\n',
    end: { stream, notice: undefined, resize: () => undefined },
    free: (rest) => { freed = rest.toString(); },
    done: (error) => void ends.push({ rest: freed ?? 'not yet', error: error?.message }),
  });
  return { raw, socket, stream, ends, freed: () => freed };
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

await t.test('a telnet client is told of the end at once, and heard again when it has said that it understands', async (t) => {
  const { raw, socket, stream, ends, freed } = open(new Side(), true);
  stream.push(null);
  await aTurn();
  await aTurn();
  t.same(ends, [{ rest: 'not yet', error: undefined }]);
  t.match(Buffer.concat(socket.taken).toString('latin1'), /\xff\xfc\x01/, 'WONT ECHO');
  raw.receive(Buffer.from('stop lj\r\n'));
  t.equal(freed(), undefined);
  raw.receive(Buffer.from('stop lj\r\n\xff\xfe\x01nop\r\n', 'latin1'));
  t.equal(freed(), 'nop\r\n', 'what comes behind DONT ECHO is a request');
});

await t.test('a telnet client that never says so is heard after a while', async (t) => {
  const { raw, stream, freed } = open(new Side(), true);
  stream.push(null);
  await aTurn();
  await aTurn();
  mock.timers.tick(CONSOLE_LET_GO - 1);
  raw.receive(Buffer.from('stop lj\r\n'));
  t.equal(freed(), undefined);
  mock.timers.tick(1);
  t.equal(freed(), '');
});
