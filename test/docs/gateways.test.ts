import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from '../support/paths.js';
import { startDemo } from './demo.js';
import { blocksOf, readDocument } from './markdown.js';

const DOCUMENT = readDocument('docs/gateways.md');

await t.test('the gateway works as printed', async (t) => {
  const plugins = mkdtempSync(join(tmpdir(), 'argo-gateways-'));
  t.teardown(() => rmSync(plugins, { recursive: true }));
  mkdirSync(join(plugins, 'node_modules'));
  symlinkSync(ROOT, join(plugins, 'node_modules', 'argo-server'));
  const source = blocksOf(DOCUMENT).find(({ marks }) => marks[0] === 'hello.mjs')!.text;
  t.ok(source.split('\n').length < 60, 'it is short');
  writeFileSync(join(plugins, 'hello.mjs'), source);
  const daemon = await startDemo(t, { server: `plugin-path = [${JSON.stringify(plugins)}]`, tables: '[gateways.hello]\ntype = "hello"\nlisten = ["127.0.0.1:0"]' });
  const ask = (path: string, who: string, method = 'GET'): Promise<Response> =>
    fetch(`http://127.0.0.1:${daemon.ports[1]}${path}`, { method, headers: { authorization: `Basic ${Buffer.from(who).toString('base64')}` } });
  const session = blocksOf(DOCUMENT).find(({ language }) => language === 'console')!.text.trimEnd().split('\n');
  for (let at = 0; at < session.length; at += 2) {
    const [, post, path = ''] = /( -X POST)? http:\/\/[^/]+(\/\S+)$/.exec(session[at]!) ?? [];
    t.equal(await (await ask(path, 'steve:steve', post ? 'POST' : 'GET')).text(), session[at + 1], String(session[at]));
  }
  t.equal((await ask('/hello', 'steve:wrong')).status, 401);
  t.equal(await (await ask('/hello', 'kim:steve')).text(), '{"demo/lj":"off"}', 'who may see less is told of less');
  t.equal((await ask('/hello/lj/start', 'kim:steve', 'POST')).status, 403);
  t.ok(await daemon.logs(/"account":"steve","from":"127\.0\.0\.1:\d+ hello","command":"stop","instance":"demo\/lj"/), 'its action is recorded with its name');
});
