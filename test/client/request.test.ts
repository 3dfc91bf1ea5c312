import t from 'tap';
import { ArgoError } from '../../src/kit/errors.js';
import { isAuthLine, quoteWord, requestFromArguments, requestFromLine, shownLine, splitLine } from '../../src/client/request.js';

void t.test('words go to the wire bare unless they would fall apart', async (t) => {
  t.equal(quoteWord('lj'), 'lj');
  t.equal(quoteWord('web[1-20]'), 'web[1-20]', 'quotes would make the range a literal name');
  t.equal(quoteWord('LAB\\argo'), 'LAB\\argo');
  t.equal(quoteWord('a"b'), 'a"b', 'a quote in the middle is a character like any other');
  t.equal(quoteWord(''), '""');
  t.equal(quoteWord('my vm'), '"my vm"');
  t.equal(quoteWord('web1\u00a0'), '"web1\u00a0"', 'another than web1, whoever reads it');
  t.equal(quoteWord('a "b" \\c'), '"a \\"b\\" \\\\c"');
  for (const bad of ['a\nb', 'a\rb', 'a\tb', 'a\0b', '\u001b[1m', '\u0085']) {
    t.throws(() => quoteWord(bad), new ArgoError('BAD REQUEST', 'an argument holds a control character'));
  }
});

void t.test('a tag with blanks stays one that selects', async (t) => {
  t.equal(quoteWord('@tag:web'), '@tag:web');
  t.equal(quoteWord('@tag:rack 7'), '@tag:"rack 7"');
  t.same(splitLine('stop @tag:"rack 7"'), [{ text: 'stop', quoted: false }, { text: '@tag:rack 7', quoted: false }]);
  t.equal(quoteWord('@tag:a/b c'), '"@tag:a/b c"', 'what can be no tag is a name like any other');
});

void t.test('what is quoted is read back as it was', async (t) => {
  for (const text of ['', ' ', 'a b', '"', '"x', 'x"', '\\', 'a \\', 'a \\" b', '""', '*', 'ä ö', '\u00a0', 'web\u3000', '\u2003web']) {
    t.same(splitLine(quoteWord(text))?.map((word) => word.text), [text]);
  }
});

void t.test('an argument in quotes of its own is a literal name', async (t) => {
  const request = requestFromArguments(['status', '"web[1]"']);
  t.equal(request.line, 'status "web[1]"');
  t.same(request.targets, [{ text: 'web[1]', quoted: true }]);
  t.equal(request.many, false);
  t.throws(() => requestFromArguments(['status', '"a\nb"']), ArgoError);
});

void t.test('what the server will answer with a line a target', async (t) => {
  const many = (line: string) => requestFromLine(line).many;
  t.equal(many('stop lj'), false);
  t.equal(many('stop lj --wait --force'), false);
  t.equal(many('stop lj dev'), true);
  t.equal(many('stop web*'), true);
  t.equal(many('stop web[1-2]'), true);
  t.equal(many('stop @web'), true);
  t.equal(many('stop @tag:"rack 7"'), true);
  t.equal(many('stop "web*"'), false);
  t.equal(many('stop -- --odd'), false);
  t.equal(many('stop -- --odd --wait'), true, 'after -- all are names');
  t.equal(many('auth steve *'), false);
  t.equal(many('list running'), false);
});

void t.test('a line keeps its form and knows its parts', async (t) => {
  t.match(requestFromLine('  STOP \t"a b" lj --timeout=60  '), {
    line: 'STOP \t"a b" lj --timeout=60', command: 'stop', options: ['--timeout=60'],
    targets: [{ text: 'a b', quoted: true }, { text: 'lj', quoted: false }],
  });
  t.throws(() => requestFromLine('status "lj'), new ArgoError('BAD REQUEST', 'an open quote'));
  t.throws(() => requestFromLine('status "a"b'), new ArgoError('BAD REQUEST', 'an open quote'));
  t.throws(() => requestFromLine('status \u001bx'), ArgoError);
});

void t.test('blanks of Unicode part no words, and are parts of names', async (t) => {
  for (const blank of ['\u00a0', '\u3000', '\u2003', '\ufeff']) {
    t.match(requestFromLine(` stop web${blank}\t`), { line: `stop web${blank}`, targets: [{ text: `web${blank}`, quoted: false }] });
    t.match(requestFromLine(`stop ${blank}`), { line: `stop ${blank}`, targets: [{ text: blank, quoted: false }] });
    t.match(requestFromLine(`${blank}stop web`), { line: `${blank}stop web`, command: `${blank}stop` });
    t.match(requestFromArguments(['stop', `web${blank}`]), { line: `stop "web${blank}"`, targets: [{ text: `web${blank}`, quoted: true }] });
  }
});

void t.test('lines with a password are known, well-formed or not', async (t) => {
  for (const line of ['auth steve x', 'AUTH a b', '  auth', '"auth" a b', 'auth "open', '\tAuth x y', 'enrol approve h1 root x', 'enrol-me token h1', 'ENROL  "approve" h1', '"enrol" "approve"']) t.ok(isAuthLine(line), line);
  t.same(['auth steve x', ' Enrol "approve" h1 root x', 'status lj', ''].map(shownLine), ['auth', 'enrol approve', 'status lj', '']);
  for (const line of ['author', 'list', 'status auth', '', 'enrol list', 'enrol approved x', 'enrol', 'enrol-mean x']) t.notOk(isAuthLine(line), line);
});
