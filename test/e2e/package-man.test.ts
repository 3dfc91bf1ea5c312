import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import t from 'tap';
import { documentsIn } from '../docs/markdown.js';
import { fromRoot } from '../support/paths.js';
import { runNode, runProgram } from '../support/programs.js';

/** Man pages as the package has them, read by mandoc: once by its checker, once as people do. */

const folder = mkdtempSync(join(tmpdir(), 'argo-man-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

const make = (to: string): ReturnType<typeof runNode> =>
  runNode([fromRoot('scripts', 'man.js'), to], { env: { ...process.env, SOURCE_DATE_EPOCH: '1790000000' } });

const files = (within: string): string[] => readdirSync(within, { recursive: true, encoding: 'utf8' }).filter((path) => /\/.*\.\d$/.test(path)).sort();

/** A page as a terminal of 80 columns shows it, without what makes it bold. */
async function shown(path: string): Promise<string> {
  const { stdout } = await runProgram('mandoc', ['-T', 'utf8', '-O', 'width=80', path]);
  return stdout.replace(/.\x08/gu, '');
}

const pages = join(folder, 'pages');

await t.test('each page is there, and clean to mandoc', async (t) => {
  const { code, stderr } = await make(pages);
  t.equal(code, 0, stderr);
  t.same(files(pages), ['man1/argo.1', 'man5/argo-server.conf.5', 'man7/argo-protocol.7', 'man8/argo-mqtt.8', 'man8/argo-server.8', 'man8/fence_argo.8']);
  for (const path of files(pages)) {
    const lint = await runProgram('mandoc', ['-T', 'lint', '-W', 'warning', join(pages, path)]);
    t.equal(lint.stdout + lint.stderr, '', path);
    t.equal(lint.code, 0, path);
  }
});

await t.test('they are found by what they are for, and name each other', async (t) => {
  for (const path of files(pages)) {
    const text = await shown(join(pages, path));
    const name = basename(path).replace(/\.\d$/, '');
    t.match(text, new RegExp(`NAME\\n +${name.replaceAll('.', '\\.')} - \\w`), path);
    // a name may be parted at the end of a line
    const words = text.replace(/(?<=-)\n +/g, '');
    for (const other of files(pages).filter((one) => one !== path)) {
      t.ok(words.includes(basename(other).replace(/\.(\d)$/, '($1)')), `${path} names ${other}`);
    }
  }
});

await t.test('no mark of Markdown and no link is left, and every document named is one that there is', async (t) => {
  const there = documentsIn('docs').map((path) => path.replace(/^docs\//, ''));
  for (const path of files(pages)) {
    const text = await shown(join(pages, path));
    t.same(text.split('\n').filter((line) => /\]\(|⟨|^ *\|[ -].*\|$|^ *```/.test(line)), [], path);
    for (const [, named = ''] of text.matchAll(/\(([a-z/-]+\.md)\)/g)) t.ok(there.includes(named), `${path}: ${named}`);
  }
});

await t.test('tables of words are lists, and each word and each cell of the document is there', async (t) => {
  const client = await shown(join(pages, 'man1', 'argo.1'));
  t.match(client, /^ +--server NAME\n +host, host:port,/m);
  const protocol = (await shown(join(pages, 'man7', 'argo-protocol.7'))).replace(/\s+/g, ' ');
  t.match(protocol, /--timeout=SECONDS *│ *power commands, *│ *Until the order/, 'long cells stand in their row');
  t.ok(readFileSync(join(pages, 'man7', 'argo-protocol.7'), 'utf8').includes('auth steve steve'), 'examples');
});

await t.test('the same documents give the same pages', async (t) => {
  const again = join(folder, 'again');
  await make(again);
  for (const path of files(pages)) t.equal(readFileSync(join(again, path), 'utf8'), readFileSync(join(pages, path), 'utf8'), path);
});
