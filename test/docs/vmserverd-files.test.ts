import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SaxesParser } from 'saxes';
import t from 'tap';
import { fileRows } from '../../src/gateways/vmserverd/operations/files.js';
import { FilesWorld, openState, scratchFolder, type Given } from '../support/vmserverd/files-world.js';
import { blocksOf, codeWords, readDocument, tableRows } from './markdown.js';

const DOCUMENT = readDocument('docs/gateways/vmserverd-files.md');

/** What stands inside an element, as the document writes it. */
const inside = (form: string, name: 'in' | 'out'): string => {
  const text = form.replace(new RegExp(`^<${name}>(.*)</${name}>$`), '$1');
  return text === '' ? '' : `\`${text}\``;
};

await t.test('docs/gateways/vmserverd-files.md has every operation on files, with what it takes and answers', (t) => {
  const told = new Map(tableRows(DOCUMENT).filter(([name = '']) => Object.hasOwn(fileRows, codeWords(name)[0] ?? '')).map(([name = '', , ...cells]) => [codeWords(name)[0]!, cells]));
  for (const [name, row] of Object.entries(fileRows)) t.same(told.get(name), [inside(row.in.form('in'), 'in'), inside(row.out.form('out'), 'out')], name);
  t.end();
});

/** An element as the world takes it. */
function givenOf(xml: string): Given {
  const open: { name: string; text: string; children: [string, Given][] }[] = [{ name: '', text: '', children: [] }];
  const parser = new SaxesParser();
  parser.on('opentag', ({ name }) => void open.push({ name, text: '', children: [] }));
  parser.on('text', (text) => { open.at(-1)!.text += text; });
  parser.on('closetag', () => {
    const { name, text, children } = open.pop()!;
    open.at(-1)!.children.push([name, children.length > 0 ? children : text]);
  });
  parser.write(`<in>${xml}</in>`).close();
  const [[, given]] = open[0]!.children as [[string, Given]];
  return given === '' ? {} : given;
}

/** What is another one each time, or on each host. */
const PASSING: readonly (readonly [RegExp, string])[] = [
  [/<(mtime|used|free|total)>\d+</g, '<$1>N<'], [/<task>[\w-]{32}</g, '<task>TASK<'], [/<(owner|group|mount|device)>[^<]+</g, '<$1>NAME<'],
  // of a folder, which each file system counts in its own way
  [/(<type>dir<\/type><size>)\d+/g, '$1N'],
];
const lasting = (text: string): string => PASSING.reduce((left, [pattern, by]) => left.replaceAll(pattern, by), text);

await t.test('what is printed is what happens', async (t) => {
  const folder = scratchFolder(t);
  ['iso', 'disks', 'state'].forEach((name) => mkdirSync(join(folder, name)));
  const world = new FilesWorld(openState(t, join(folder, 'state')), [join(folder, 'state')]);
  await world.tasks.load();
  await world.roots({ path: join(folder, 'iso'), read: ['*'], write: ['kim'] }, { path: join(folder, 'disks'), read: ['kim'], write: ['kim'] });
  const examples = blocksOf(DOCUMENT).filter(({ language }) => language === 'vmserverd').flatMap(({ text }) => text.trimEnd().split(/\n(?=> )/));
  const seen = new Set<string>();
  for (const example of examples) {
    const [, operation = '', request = '', expected = ''] = /^> (\w+) ?(.*?)\n<(?: (.*))?$/s.exec(example) ?? [];
    seen.add(operation);
    const answer = await world.tell('kim', operation, givenOf(request.replaceAll('/srv/', `${folder}/`)));
    t.equal(lasting(answer.replaceAll(`${folder}/`, '/srv/')), lasting(expected), example);
    if (answer.includes('<task>')) t.equal((await world.ended(answer)).state, 'done');
  }
  t.same([...seen].sort(), Object.keys(fileRows).sort(), 'each of them has an example');
});
