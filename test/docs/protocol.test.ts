import { hash } from 'bcrypt';
import t from 'tap';
import { BCRYPT_COST } from '../../src/kit/limits.js';
import { startDaemon } from '../support/daemon.js';
import { connect, type LineClient, type Reply } from '../support/line-client.js';
import { blocksOf, readDocument, section, type Block } from './markdown.js';

const DOCUMENT = readDocument('docs/protocol.md');
const BLANKED_OUT = '$2b$12$.....................................................';

/** Lines whose figures depend on the moment, by the command that prints them, and what is compared instead. */
const VOLATILE: Readonly<Record<string, readonly [RegExp, string]>> = {
  uptime: [/^\d+ (\d+ days?, )?\d+:\d\d:\d\d$/, 'SECONDS CLOCK'],
  rx: [/^\d+ \d+(\.\d)? ([KMG]i)?B$/, 'BYTES SIZE'],
  tx: [/^\d+ \d+(\.\d)? ([KMG]i)?B$/, 'BYTES SIZE'],
  info: [/^since: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'since: TIME'],
};

interface Exchange {
  readonly request: string;
  readonly answer: readonly string[];
}

/** The requests of an example, each with the lines printed below it. */
function exchangesOf({ text }: Block): Exchange[] {
  const exchanges: { request: string; answer: string[] }[] = [];
  for (const line of text.split('\n').slice(0, -1)) {
    if (line.startsWith('> ')) exchanges.push({ request: line.slice(2), answer: [] });
    else exchanges.at(-1)?.answer.push(line);
  }
  return exchanges;
}

const linesOf = ({ accepted, body, code, comment }: Reply): string[] =>
  [...(accepted === undefined ? [] : [`200 ${accepted}`]), ...body, `${code} ${comment}`];

/** Lines as they are compared: figures taken out, and put in order where the order is not fixed. */
function comparable(request: string, lines: readonly string[], unordered: boolean): string[] {
  const [pattern, instead] = VOLATILE[request.split(' ')[0] ?? ''] ?? [];
  const plain = lines.map((line) => (pattern?.test(line) ? instead ?? '' : line));
  return unordered ? [...plain.slice(0, 1), ...plain.slice(1, -1).sort(), ...plain.slice(-1)] : plain;
}

async function configuration(): Promise<string> {
  const [block] = blocksOf(section(DOCUMENT, '## The configuration of the examples'));
  let text = block?.text ?? '';
  for (const password of ['steve', 'kim']) {
    text = text.replace(`[accounts.${password}]\npassword = "${BLANKED_OUT}"`, `[accounts.${password}]\npassword = "${await hash(password, BCRYPT_COST)}"`);
  }
  return text;
}

const daemon = await startDaemon({ config: await configuration() });
t.teardown(() => daemon.stop());

const examples = blocksOf(DOCUMENT).filter(({ language }) => language === 'argo');

await t.test('the examples happen as they are printed', async (t) => {
  let client: LineClient | undefined;
  t.teardown(() => client?.destroy());
  for (const block of examples) {
    if (block.marks.includes('new')) {
      client?.destroy();
      client = await connect(daemon.port);
    }
    for (const { request, answer } of exchangesOf(block)) {
      const reply = linesOf(await client!.ask(request));
      const unordered = block.marks.includes('unordered');
      t.same(comparable(request, reply, unordered), comparable(request, answer, unordered), `docs/protocol.md:${block.line} ${request}`);
    }
  }
});

await t.test('each command has its form and an example', async (t) => {
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  await client.ask('auth steve steve');
  const { body } = await client.ask('help');
  const forms = body.map((line) => line.split('  ')[0] ?? '');
  for (const form of forms) {
    const [word = ''] = form.split(' ');
    const text = section(DOCUMENT, `### ${word}`);
    t.ok(text.includes(`\`${form}\``), `form of ${word}`);
    const shown = blocksOf(text).flatMap(exchangesOf).some(({ request, answer }) => request.split(' ')[0] === word && answer[0]?.startsWith('200'));
    // that takes a host: what docs/enrolment.md prints is run in test/e2e/enrolment.test.ts
    t.ok(shown || word === 'enrol-me', `example of ${word}`);
  }
  for (const row of (await client.ask('help --json')).body.map((line) => JSON.parse(line) as { word: string; verbs: { usage: string }[] })) {
    for (const { usage } of row.verbs) t.ok(section(DOCUMENT, `### ${row.word}`).includes(`\`${usage}\``), `form of ${usage}`);
  }
  const headings = [...section(DOCUMENT, '## Commands').matchAll(/^### (.+)$/gm)].map(([, word = '']) => word);
  t.same(headings.sort(), forms.map((form) => form.split(' ')[0] ?? '').sort(), 'no command is described that is not there');
});
