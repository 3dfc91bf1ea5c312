import t from 'tap';
import { ReplyParser, type ReplyEvent, splitReason } from '../../src/client/replies.js';

const parse = (...chunks: (string | Buffer)[]): ReplyEvent[] => {
  const parser = new ReplyParser();
  return chunks.flatMap((chunk) => parser.push(Buffer.from(chunk)));
};

void t.test('a reply, whichever line end it has', async (t) => {
  const wanted = [{ kind: 'accepted' }, { kind: 'body', text: 'lj' }, { kind: 'body', text: '' }, { kind: 'done', note: '' }];
  t.same(parse('200 OK\nlj\n\n300 DONE\n'), wanted);
  t.same(parse('200 OK\r\nlj\r\n\r\n300 END\r\n'), wanted);
  t.same(parse('200\nlj\n\n300\n'), wanted);
});

void t.test('cut at every byte it is the same', async (t) => {
  const reply = Buffer.from('200 OK\r\nwéb1: done\r\n 400 x\r\n400 FAILED: 1 of 2\r\n200 OK\n300 DONE: kvm1 (gone)\n');
  const whole = parse(reply);
  t.equal(whole.length, 6);
  for (let at = 1; at < reply.length; at += 1) t.same(parse(reply.subarray(0, at), reply.subarray(at)), whole);
  t.same(parse(...[...reply].map((byte) => Buffer.from([byte]))), whole);
});

void t.test('a body line that looks like a reply lost one blank on the way in and gets it taken off', async (t) => {
  const texts = parse('200 OK\n 200 x\n 300\n 400 NOT ALLOWED\n 4000\n  200 y\n300x\n500\n300 DONE\n').flatMap((event) => (event.kind === 'body' ? [event.text] : []));
  t.same(texts, ['200 x', '300', '400 NOT ALLOWED', ' 4000', '  200 y', '300x', '500']);
});

void t.test('errors at once and after lines, with and without a detail', async (t) => {
  t.same(parse('400 NOT AUTHENTICATED\n'), [{ kind: 'error', phrase: 'NOT AUTHENTICATED', detail: '' }]);
  t.same(parse('200 OK\n400 FAILED: xl: no such domain\n').at(-1), { kind: 'error', phrase: 'FAILED', detail: 'xl: no such domain' });
  t.same(splitReason('A: b: c'), { phrase: 'A', detail: 'b: c' });
});

void t.test('what is no reply is refused', async (t) => {
  t.throws(() => parse('SSH-2.0-OpenSSH_9.2\r\n'), { message: 'a reply begins with neither 200 nor 400' });
  t.throws(() => parse('200 OK\n300 DONE\nstray\n'), { message: 'a reply begins with neither 200 nor 400' });
  t.throws(() => parse(Buffer.alloc(1024 * 1024 + 1, 'x')), { message: 'a line is longer than 1048576 bytes' });
  t.doesNotThrow(() => parse('200 OK\n', Buffer.alloc(1024 * 1024 - 1, 'x'), '\n'));
});

void t.test('bytes that are not UTF-8 do no harm', async (t) => {
  t.same(parse(Buffer.concat([Buffer.from('200 OK\n'), Buffer.from([0xff, 0xfe]), Buffer.from('\n')])).at(-1), { kind: 'body', text: '\ufffd\ufffd' });
});
