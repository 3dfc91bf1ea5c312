import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { newToken, tokenHash } from '../../src/auth/tokens.js';
import { routesOf } from '../../src/gateways/web/api/index.js';
import { ArgoError } from '../../src/kit/errors.js';
import { startApi } from '../gateways/web/api/asking.js';
import { SEED_CONFIG } from '../server/core.js';
import { runProgram } from '../support/programs.js';
import { blocksOf, readDocument, section, tableRows } from './markdown.js';

const DOCUMENT = readDocument('docs/http-api.md');

await t.test('docs/http-api.md has every route, and no other', (t) => {
  const rows = tableRows(section(DOCUMENT, '## Routes')).map(([route]) => route);
  t.same([...rows].sort(), routesOf('1').map(({ method, path }) => `\`${method} ${path}\``).sort());
  t.end();
});

await t.test('its examples work as printed', async (t) => {
  const TOKEN = newToken();
  const { answer, authenticator } = await startApi(t, { config: `${SEED_CONFIG}\n[[accounts.steve.tokens]]\nname = "backup"\nhash = "${tokenHash(TOKEN)}"\n` });
  const server = createServer((request, response) => void (async () => {
    try {
      const use = await authenticator.token((request.headers.authorization ?? '').replace(/^Bearer /, ''), '127.0.0.1', new AbortController().signal);
      if (use === undefined) throw new ArgoError('NOT AUTHENTICATED');
      let text = '';
      for await (const chunk of request.setEncoding('utf8')) text += chunk as string;
      const answered = await answer(use, request.method!, request.url!.replace(/^\/api/, ''), text);
      if (!('json' in answered)) throw new Error('a stream');
      response.writeHead(answered.status, { 'content-type': 'application/json' }).end(JSON.stringify(answered.json));
    } catch (error) {
      response.writeHead(400).end(String(error));
    }
  })()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const examples = blocksOf(section(DOCUMENT, '## Examples')).flatMap(({ text }) => text.split('\n')).filter((line) => line.startsWith('$ curl'));
  t.ok(examples.length > 10);
  for (const example of examples) {
    const { code, stdout } = await runProgram('sh', ['-c', example.slice(2).replaceAll(':8080', `:${port}`)], { env: { ...process.env, TOKEN } });
    t.equal(code, 0, example);
    t.doesNotThrow(() => { JSON.parse(stdout); }, example);
  }
});
