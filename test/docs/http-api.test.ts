import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { newToken, tokenHash } from '../../src/auth/tokens.js';
import { routesOf } from '../../src/gateways/web/api/index.js';
import { STATUSES } from '../../src/gateways/web/door/answers.js';
import { SEED_CONFIG } from '../server/core.js';
import { startDaemon } from '../support/daemon.js';
import { runProgram } from '../support/programs.js';
import { until } from '../support/until.js';
import { blocksOf, readDocument, section, tableRows } from './markdown.js';

const DOCUMENT = readDocument('docs/http-api.md');

await t.test('docs/http-api.md has every route, and no other', (t) => {
  const rows = tableRows(section(DOCUMENT, '## Routes')).map(([route]) => route);
  t.same([...rows].sort(), routesOf('1').map(({ method, path }) => `\`${method} ${path}\``).sort());
  t.end();
});

await t.test('docs/http-api.md has the status of every phrase', (t) => {
  for (const [phrase, status] of Object.entries(STATUSES)) {
    if (phrase === 'LINE TOO LONG') continue;
    const row = tableRows(section(DOCUMENT, '## Errors')).find(([, words = '']) => words.includes(`\`${phrase}\``));
    t.equal(row?.[0], String(status), phrase);
  }
  t.end();
});

await t.test('its examples work as printed', async (t) => {
  const TOKEN = newToken();
  const account = `\n[[accounts.steve.tokens]]\nname = "backup"\nhash = "${tokenHash(TOKEN)}"\n`;
  const daemon = await startDaemon({ config: `${SEED_CONFIG}${account}\n[gateways.page]\ntype = "web"\nlisten = ["127.0.0.1:0"]\n`, listeners: 2 });
  t.teardown(() => daemon.stop());
  const header = join(t.testdir(), 'token.header');
  writeFileSync(header, `Authorization: Bearer ${TOKEN}\n`, { mode: 0o600 });
  const run = (example: string) => runProgram('sh', ['-c', example.replaceAll(':8080', `:${daemon.ports[1]}`).replaceAll('/etc/argo/token.header', header)]);
  const blocks = blocksOf(section(DOCUMENT, '## Examples'));
  const examples = blocks.flatMap(({ text }) => text.split('\n')).filter((line) => line.startsWith('$ curl'));
  t.ok(examples.length > 10);
  for (const example of examples) {
    const { code, stdout } = await run(example.slice(2));
    t.equal(code, 0, example);
    t.doesNotThrow(() => { JSON.parse(stdout); }, example);
  }
  const [follow] = blocks.map(({ text }) => text.trim()).filter((text) => text.startsWith('curl -sN'));
  const followed = run(`${follow!} | head -n 1`);
  const actions = ['stop', 'start'];
  await until(async () => {
    actions.reverse();
    await run(`curl -s -X POST -H @/etc/argo/token.header -H 'content-type: application/json' -d '{"targets": ["lj"], "action": "${actions[0]!}", "once": "follow-${performance.now().toFixed()}"}' http://127.0.0.1:8080/api/power`);
    return Promise.race([followed.then(() => true), new Promise<false>((resolve) => { setTimeout(resolve, 200, false); })]);
  }, 30_000, 'an event');
  t.match(JSON.parse((await followed).stdout), { type: 'state' }, 'a line a document');
});
