import t from 'tap';
import { VMSERVERD_DOCUMENT } from '../../../src/kit/vmserverd-limits.js';
import { CODES, OperationError } from '../../../src/protocols/vmserverd/codes.js';
import { DocumentStream, type Received } from '../../../src/protocols/vmserverd/framing.js';
import { escapeXml } from '../../../src/kit/xml-text.js';
import { seededRandom } from '../../support/seeded-random.js';

const BAD_XML = { name: 'OperationError', code: CODES.BAD_XML };

const request = (op: string): string => `<exec><op>${op}</op></exec>`;

/** What was received, in short: the operation and how its answer ends, or `nul`. */
const told = (received: Received): string => (received.kind === 'nul' ? 'nul' : `${received.root.children[0]?.text ?? received.root.name}${received.end === '\0' ? '0' : 'n'}`);

const all = (stream: DocumentStream, text: string | Uint8Array): readonly string[] => [...stream.push(Buffer.from(text))].map(told);

void t.test('a document ends with NUL or with </exec>, and its answer likewise', (t) => {
  for (const [text, expected] of [
    [`${request('a')}\0`, ['a0']],
    [request('a'), ['an']],
    [`${request('a')}\r\n\0`, ['an', 'nul']],
    [` \r\n${request('a')}${request('b')}\0\n${request('c')}\n`, ['an', 'b0', 'cn']],
    ['<other/>\0\0\0', ['other0']],
    ['\0\0\n\0', []],
    ['<exec/>', ['execn']],
    [`<exec />${request('a')}<x a="/>" b='">'/>\0`, ['execn', 'an', 'x0']],
    [`<?xml version="1.0"?><exec/>\n\0`, ['execn', 'nul']],
    ['<exec><op/><in a="/"/></exec>', ['n']],
    ['<exec><op>a</op></exec \n>\0', ['a0']],
    ['<exec><op>a</op><executes></executes></exec>', ['an']],
    [`<exec><op>${escapeXml('</exec>')}</op></exec>`, ['</exec>n']],
    [`<?xml version="1.0"?>\n${request('a')}`, ['an']],
    [`${request('a')}\n${request('b')}\n\0\0`, ['an', 'bn', 'nul']],
  ] as const) t.same(all(new DocumentStream(), text), expected, JSON.stringify(text));
  t.end();
});

void t.test('a NUL that comes later completes the answer, once', (t) => {
  const stream = new DocumentStream();
  t.same(all(stream, request('a')), ['an']);
  t.notOk(stream.isWithin);
  t.same(all(stream, ' \n'), []);
  t.same(all(stream, '\0'), ['nul']);
  t.same(all(stream, '\0'), []);
  t.same(all(stream, `${request('b').slice(0, -3)}`), []);
  t.ok(stream.isWithin);
  t.same(all(stream, 'ec>\0'), ['b0']);
  t.end();
});

const SMUGGLED = request('evil');

void t.test('a text that was meant as content never becomes a request, and what cannot be read is the last that is read', (t) => {
  for (const text of [
    `<exec><op>a</op><in><x><![CDATA[</exec>${SMUGGLED}]]></x></in></exec>\0`,
    `<exec><!-- </exec>${SMUGGLED} --><op>a</op></exec>\0`,
    `<exec><?x </exec>${SMUGGLED}?><op>a</op></exec>\0`,
    `<exec a="</exec>${SMUGGLED}"><op>a</op></exec>\0`,
    `<!DOCTYPE exec [<!ENTITY x "</exec>${SMUGGLED}">]><exec><op>&x;</op></exec>\0`,
    `<exec><op>a</op><in>${SMUGGLED}${SMUGGLED}</in></exec>\0`,
    `<exec><op>a</op><in></exec>${SMUGGLED}`,
    `<exec>\0${SMUGGLED}`,
    `x${SMUGGLED}`,
    `\uFEFF${SMUGGLED}`,
    `GET / HTTP/1.1\r\n\r\n${SMUGGLED}`,
  ]) {
    for (const size of [1, 3, text.length]) {
      const stream = new DocumentStream();
      const bytes = Buffer.from(text);
      const seen: string[] = [];
      t.throws(() => {
        for (let at = 0; at < bytes.length; at += size) for (const received of stream.push(bytes.subarray(at, at + size))) seen.push(told(received));
      }, BAD_XML, JSON.stringify(text));
      t.same(seen, []);
      t.throws(() => all(stream, SMUGGLED), BAD_XML, 'nothing is read after it');
    }
  }
  const behind = new DocumentStream();
  const seen: string[] = [];
  t.throws(() => { for (const received of behind.push(Buffer.from(`${request('a')}x${SMUGGLED}`))) seen.push(told(received)); }, BAD_XML);
  t.same(seen, ['an'], 'what came before it stands');
  t.end();
});

void t.test('any cut of a stream gives the same', (t) => {
  const random = seededRandom(902);
  const parts = [request('a'), request('b'), '\0', '\n', ' \0', '<x/>\0', '<exec a="/>"/>', '<y b=\'">', '</exec', '<exec>', '<!-- -->', 'ä', '<exec><in><list><e>ä</e></list></in></exec  >'];
  let refused = 0;
  for (let round = 0; round < 3000; round += 1) {
    const bytes = Buffer.from(Array.from({ length: 1 + random.below(8) }, () => parts[random.below(parts.length)]!).join(''));
    const results = [bytes.length, 1, 2 + random.below(9)].map((size) => {
      const stream = new DocumentStream();
      const seen: string[] = [];
      try {
        for (let at = 0; at < bytes.length; at += size) for (const received of stream.push(bytes.subarray(at, at + size))) seen.push(told(received));
      } catch (error) {
        if (!(error instanceof OperationError)) throw error;
        seen.push(String(error.code));
      }
      return seen;
    });
    if (results[0]?.at(-1) === String(CODES.BAD_XML)) refused += 1;
    // A NUL directly behind belongs to the document only where it is there already: the answer is completed otherwise.
    const [whole, ...cut] = results.map((seen) => seen.join(' ').replaceAll(/n nul\b/g, '0'));
    for (const other of cut) if (other !== whole) t.fail(`${JSON.stringify(bytes.toString())}: ${whole} / ${other}`);
  }
  t.ok(refused > 500 && refused < 2500, `${refused} of them are refused`);
  t.end();
});

void t.test('a document that never ends is refused at its limit, and a stream of nothing costs nothing', (t) => {
  const stream = new DocumentStream();
  all(stream, '<exec><op>');
  const block = Buffer.alloc(64 * 1024, 'x');
  let pushed = 0;
  t.throws(() => { for (; pushed <= VMSERVERD_DOCUMENT * 2; pushed += block.length) all(stream, block); }, BAD_XML);
  t.ok(pushed <= VMSERVERD_DOCUMENT);
  const idle = new DocumentStream();
  for (let times = 0; times < 100; times += 1) t.same(all(idle, Buffer.alloc(64 * 1024, ' \0\n')), []);
  t.end();
});

void t.test('a byte at a time costs in proportion to the bytes', (t) => {
  const cost = (length: number): number => {
    const bytes = Buffer.from(`<exec><op>${'x'.repeat(length)}</op></exec>\0`);
    const stream = new DocumentStream();
    const { user } = process.cpuUsage();
    let documents = 0;
    for (let at = 0; at < bytes.length; at += 1) for (const received of stream.push(bytes.subarray(at, at + 1))) documents += received.kind === 'document' ? 1 : 0;
    t.equal(documents, 1);
    return process.cpuUsage().user - user;
  };
  cost(20_000);
  const small = Math.min(cost(20_000), cost(20_000));
  const large = Math.min(cost(320_000), cost(320_000));
  // 16 times the bytes: where each were looked at again with the next one, it would be 256 times.
  t.ok(large < small * 64, `${small} and ${large} µs of the processor`);
  t.end();
});
