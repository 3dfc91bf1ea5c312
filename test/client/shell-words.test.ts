import t from 'tap';
import { readBash, writeBash } from '../../src/client/shell-words.js';
import { runProgram } from '../support/programs.js';
import { lacks } from '../support/peers.js';

const TEXTS = ['lj', 'a b', ' a ', '$(touch x)', '`touch x`', '$HOME', "it's", '"', 'a"b', '\\', 'a\\', 'a\\b', '\\$', '!', 'bang!x', '~', '~root', '#x', '*', '[a]', '?', '{a,b}', '&', ';x', '|', '<x', '>x', '(x)', 'a=b', 'a:b', '@x', '-x', 'é ü', '日本', '😀 x', '%s', '^a', "''", '""', "'\"'", 'bang!', "it'", '"star*"', '$', '$$', '"$x"'];

void t.test('what is written is what bash reads, and we', { skip: lacks('bash') }, async (t) => {
  const quotes = ['', '"', "'"] as const;
  // bash sees to the closing quote, unless one is there
  const closed = (word: string, quote: string): string => (word.endsWith(quote) ? word : word + quote);
  const written = quotes.flatMap((quote) => TEXTS.map((text) => ({ text, word: quote + closed(writeBash(text, quote), quote) })));
  const line = written.map(({ word }) => word).join(' ');
  const { stdout } = await runProgram('bash', ['--noprofile', '--norc', '-c', `printf '%s\\n' ${line}`]);
  t.same(stdout.split('\n').slice(0, -1), written.map(({ text }) => text));
  t.same(readBash(`argo ${line} `).words, ['argo', ...written.map(({ text }) => text)]);
});

void t.test('the word that is being typed', async (t) => {
  const open = (line: string) => readBash(line).open;
  t.same(readBash(''), { words: [], open: { raw: '', text: '', quote: '', isOthers: false } });
  t.same(readBash('argo  status\tlj '), { words: ['argo', 'status', 'lj'], open: { raw: '', text: '', quote: '', isOthers: false } });
  t.same(open('argo status a\\ b'), { raw: 'a\\ b', text: 'a b', quote: '', isOthers: false });
  t.same(open('argo status a"b c'), { raw: 'a"b c', text: 'ab c', quote: '"', isOthers: false });
  t.same(open("argo status 'a\\"), { raw: "'a\\", text: 'a\\', quote: "'", isOthers: false });
  t.same(open('argo status "a\\n\\"'), { raw: '"a\\n\\"', text: 'a\\n"', quote: '"', isOthers: false });
  t.match(open('argo status a\\'), { text: 'a', quote: '' });
  t.match(readBash('argo status ""'), { words: ['argo', 'status'], open: { raw: '""', text: '' } });
  t.same(readBash("argo '' x").words, ['argo', '']);
});

void t.test('what bash makes something else of is its own', async (t) => {
  for (const word of ['$HO', '"$HO', '`ec', 'a$(ec', '>fi', '> fi', '2>fi', '< "fi']) t.ok(readBash(`argo status ${word}`).open.isOthers, word);
  for (const word of ["'$HO", '\\$HO', '"\\`x', '> file lj', '2>file lj']) t.notOk(readBash(`argo status ${word}`).open.isOthers, word);
  t.same(readBash('argo list > file run').words, ['argo', 'list']);
  t.same(readBash('argo list 2>&1 run').words, ['argo', 'list']);
  t.same(readBash('argo status "$x y" run').words, ['argo', 'status', '$x y']);
});
