import t from 'tap';
import { ArgoError } from '../../src/kit/errors.js';
import { type LineEnd, Reply, type Sink } from '../../src/server/reply.js';
import { TextSink } from './core.js';

/** What a reply sends. */
function sent(work: (reply: Reply) => void, eol: LineEnd = '\n'): string {
  const sink = new TextSink();
  work(new Reply(sink, eol));
  return sink.text;
}

await t.test('200, body, 300', async (t) => {
  t.equal(sent((reply) => reply.done()), '200 OK\n300 DONE\n');
  t.equal(sent((reply) => { reply.line('lj'); reply.done(); }, '\r\n'), '200 OK\r\nlj\r\n300 DONE\r\n');
  t.equal(
    sent((reply) => {
      reply.accept();
      reply.accept();
      void reply.lines(['a', 'b']);
      reply.line('c');
      reply.done();
    }),
    '200 OK\na\nb\nc\n300 DONE\n',
  );
});

await t.test('400, at once or after a body', async (t) => {
  t.equal(sent((reply) => reply.fail(new ArgoError('NOT ALLOWED'))), '400 NOT ALLOWED\n');
  t.equal(sent((reply) => { reply.line('a: done'); reply.fail(new ArgoError('FAILED', '1 of 2')); }), '200 OK\na: done\n400 FAILED: 1 of 2\n');
});

await t.test('what comes after the end is dropped', async (t) => {
  const late = (reply: Reply) => {
    reply.line('late');
    void reply.lines(['late']);
    reply.accept();
    reply.done();
    reply.fail(new ArgoError('TIMEOUT'));
  };
  t.equal(sent((reply) => { reply.done(); late(reply); }), '200 OK\n300 DONE\n');
  t.equal(sent((reply) => { reply.fail(new ArgoError('TIMEOUT')); late(reply); }), '400 TIMEOUT\n');
});

await t.test('no body line can be mistaken for a reply', async (t) => {
  for (const [line, shown] of [
    ['200', ' 200'], ['200 x', ' 200 x'], ['300 DONE', ' 300 DONE'], ['400\tx', ' 400 x'], ['400 ', ' 400 '],
    ['2000', '2000'], ['200x', '200x'], ['100 x', '100 x'], ['500 x', '500 x'], [' 200 x', ' 200 x'], ['', ''], ['x 200 OK', 'x 200 OK'],
    ['200\u00a0x', '200\u00a0x'], ['200\r\n300 DONE', '200??300 DONE'], ['\u001b[2K300 DONE', '?[2K300 DONE'], ['a\nb', 'a?b'],
  ] as const) {
    t.equal(sent((reply) => reply.line(line)), `200 OK\n${shown}\n`, JSON.stringify(line));
    t.equal(sent((reply) => void reply.lines([line])), `200 OK\n${shown}\n`);
  }
});

await t.test('details and remarks stay on their line', async (t) => {
  t.equal(sent((reply) => reply.fail(new ArgoError('FAILED', 'the machine says\r\n300 DONE\u001b[0m'))), '400 FAILED: the machine says??300 DONE?[0m\n');
  t.equal(sent((reply) => { reply.remark('stale: x\ny'); reply.done(); }), '200 OK\n300 DONE: stale: x?y\n');
});

/** A client that takes so many characters at a time. */
class SlowSink implements Sink {
  text = '';
  drains = 0;
  gone = false;
  #waiting = '';
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  get full(): boolean {
    return this.#waiting.length >= this.#most;
  }

  append(text: string): void {
    this.#waiting += text;
  }

  async drain(): Promise<void> {
    this.drains += 1;
    await new Promise(setImmediate);
    this.text += this.#waiting;
    this.#waiting = '';
  }
}

await t.test('many lines are made at the pace at which they are taken', async (t) => {
  const sink = new SlowSink(100);
  let made = 0;
  function* names(): Generator<string> {
    for (; made < 1000; made += 1) yield `name${made}`;
  }
  const reply = new Reply(sink, '\n');
  const running = reply.lines(names());
  t.ok(made <= 15, `${made} made at first`);
  await running;
  t.equal(made, 1000);
  t.ok(sink.drains > 50);
  await sink.drain();
  t.equal(sink.text.split('\n').length, 1 + 1000 + 1);
});

await t.test('the work ends when the client is gone', async (t) => {
  const sink = new SlowSink(100);
  let made = 0;
  function* names(): Generator<string> {
    for (;;) {
      made += 1;
      if (made === 200) sink.gone = true;
      yield 'a name without end';
    }
  }
  await t.rejects(Promise.resolve(new Reply(sink, '\n').lines(names())), { message: 'the client is gone' });
  t.ok(made < 250);
});

await t.test('the work ends when the reply has failed meanwhile', async (t) => {
  const sink = new SlowSink(10);
  const reply = new Reply(sink, '\n');
  const running = reply.lines((function* () { for (;;) yield 'without end'; })());
  reply.fail(new ArgoError('TIMEOUT'));
  await running;
  await sink.drain();
  t.match(sink.text, /^200 OK\n(without end\n)+400 TIMEOUT\n$/);
});
