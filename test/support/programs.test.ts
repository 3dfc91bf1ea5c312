import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { fromRoot } from './paths.js';
import { runProgram } from './programs.js';

await t.test('a program that ends without reading is no failure', async (t) => {
  const input = 'x'.repeat(1024 * 1024);
  t.match(await runProgram('sh', ['-c', 'exec <&-; exit 3'], { input }), { code: 3 });
  t.match(await runProgram('sh', ['-c', 'cat; echo "$WORD"'], { input: 'read ', env: { ...process.env, WORD: 'given' } }), { code: 0, stdout: 'read given\n' });
});

/** Something is written to a child's stdin, but for its mere end. */
const WRITES = /(?<!process\.)stdin[?!]?\.(?:write\(|on\(.*\)\.end\(|end\([^)])/;
const LISTENS = /stdin[?!]?\.on\('error'/;

/** A broken pipe that nobody listens to ends the process: the daemon's, or now and then a test's. */
await t.test('whoever writes to a child listens to the errors of that pipe', async (t) => {
  const files = ['src', 'test', 'bench'].flatMap((folder) =>
    readdirSync(fromRoot(folder), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).map((name) => fromRoot(folder, name)));
  const writing = files.map((file) => ({ file, text: readFileSync(file, 'utf8') })).filter(({ text }) => WRITES.test(text));
  t.ok(writing.length > 5, 'it finds them');
  t.same(writing.filter(({ text }) => !LISTENS.test(text)).map(({ file }) => file), []);
});
