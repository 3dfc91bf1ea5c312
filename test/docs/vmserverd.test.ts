import t from 'tap';
import { CODE_OF_PHRASE } from '../../src/gateways/vmserverd/faults.js';
import { fileRows } from '../../src/gateways/vmserverd/operations/files.js';
import { OPERATIONS as ROWS } from '../../src/gateways/vmserverd/operations/index.js';
import { options } from '../../src/gateways/vmserverd/options.js';
import { OPERATIONS } from '../../src/instances/operation-table.js';
import { CODES } from '../../src/protocols/vmserverd/codes.js';
import { accountTables, EVERYTHING, gatewayTable, HOSTS, PASSWORD, startVmserverd } from '../support/vmserverd/world.js';
import { VmserverdTestClient } from '../support/vmserverd/client.js';
import { blocksOf, codeWords, readDocument, section, tableRows } from './markdown.js';

const DOCUMENT = readDocument('docs/gateways/vmserverd.md');
const PART = section(DOCUMENT, '## Operations');

/** What stands inside an element, as the document writes it. */
const inside = (form: string, name: 'in' | 'out'): string => {
  const text = form.replace(new RegExp(`^<${name}>(.*)</${name}>$`), '$1');
  return text === '' ? '' : `\`${text}\``;
};

await t.test('docs/gateways/vmserverd.md has every key, and every error with its code', (t) => {
  const keys = new Set(tableRows(section(DOCUMENT, '## Configuration')).flatMap(([cell = '']) => codeWords(cell)));
  t.same([...keys].sort(), Object.keys(options).sort());
  t.same(tableRows(section(DOCUMENT, '## Errors')).map(([code, name]) => [code, name]), Object.entries(CODES).map(([name, code]) => [String(code), `\`${name}\``]));
  for (const name of Object.values(CODE_OF_PHRASE)) t.ok(name in CODES, name);
  t.end();
});

await t.test('and every operation, with what it needs, takes and answers', (t) => {
  const told = new Map(tableRows(PART).map(([name = '', ...cells]) => [codeWords(name)[0]!, { isRoot: name.endsWith('*'), cells }]));
  for (const [name, row] of ROWS) {
    // those about files are told with the folders in which they work
    if (Object.hasOwn(fileRows, name)) continue;
    const needed = row.operations ?? (row.operation === undefined ? [] : [row.operation]);
    const needs = needed.length === 0 ? '' : `${needed.map((one) => `\`${one}\``).join(', ')} (${OPERATIONS[needed[0]!].right})`;
    t.same(told.get(name), { isRoot: row.access === 'rootonly', cells: [needs, inside(row.in.form('in'), 'in'), inside(row.out.form('out'), 'out')] }, name);
  }
  t.end();
});

/** What is another one each time. */
const PASSING: readonly (readonly [RegExp, string])[] = [
  [/<(time|since|started|ended|uptime|count|certNotAfter)>\d+</g, '<$1>N<'],
  [/<task>[\w-]{32}</g, '<task>TASK<'],
  [/<certificate>.*?<\/certificate>/g, '<certificate>PEM</certificate>'],
  [/(?:[0-9A-F]{2}:){31}[0-9A-F]{2}/g, 'FINGERPRINT'],
  [/there is no task [\w-]+ of yours/g, 'there is no task TASK of yours'],
  [/127\.0\.0\.[12]:\d+/g, 'ADDRESS'],
  [/<certSubject>CN=[\w.-]+</g, '<certSubject>CN=HOST<'],
];
const lasting = (text: string): string => PASSING.reduce((left, [pattern, by]) => left.replaceAll(pattern, by), text);

await t.test('what is printed is what happens', async (t) => {
  const { port, daemon } = await startVmserverd(t, await accountTables({ steve: EVERYTHING }) + HOSTS + gatewayTable());
  const client = await VmserverdTestClient.login(port, 'steve', PASSWORD);
  t.teardown(() => client.end());
  let [task, examples] = ['', 0];
  for (const { text } of blocksOf(PART).filter(({ language, marks }) => language === 'vmserverd' && marks.length === 0)) {
    const lines = text.trimEnd().split('\n');
    for (let at = 0; at < lines.length; at += 2) {
      const [, operation = '', args = ''] = /^> (\w+) ?(.*)$/.exec(lines[at]!) ?? [];
      const { code, message, out } = await client.call(operation, args.replace(/<task>[\w-]+</, `<task>${task}<`));
      t.equal(lasting(`< ${code === 0 ? out : `${code} ${message}`}`.trimEnd()), lasting(lines[at + 1]!), lines[at]!);
      task = /<task>([\w-]+)</.exec(out)?.[1] ?? task;
      examples += 1;
    }
  }
  t.ok(examples >= 30, `${examples} examples`);
  t.notMatch(daemon.stderr(), 'operation failed');
});

await t.test('the answer of the seed, to the letter', async (t) => {
  const { port } = await startVmserverd(t, await accountTables({ steve: EVERYTHING }) + HOSTS + gatewayTable('compat = true'));
  const client = await VmserverdTestClient.login(port, 'steve', PASSWORD);
  t.teardown(() => client.end());
  const [request = '', answer = ''] = blocksOf(section(DOCUMENT, '## Documents')).filter(({ language }) => language === 'xml').map(({ text }) => text.trimEnd());
  t.equal(await client.ask(request), answer);
  client.send(request);
  t.equal(await client.line(), answer, 'also without a NUL, with a line feed behind it');
});
