import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { connect } from '../support/line-client.js';
import { ROOT } from '../support/paths.js';
import { startDemo } from './demo.js';
import { blocksOf, readDocument } from './markdown.js';

const DOCUMENT = readDocument('docs/gateways.md');

/** A daemon with a gateway that the document prints, and the session that it prints for it, without its prompts. */
async function start(t: Test, name: string) {
  const plugins = mkdtempSync(join(tmpdir(), 'argo-gateways-'));
  t.teardown(() => rmSync(plugins, { recursive: true }));
  mkdirSync(join(plugins, 'node_modules'));
  symlinkSync(ROOT, join(plugins, 'node_modules', 'argo-server'));
  const blocks = blocksOf(DOCUMENT);
  const at = blocks.findIndex(({ marks }) => marks[0] === `${name}.mjs`);
  t.ok(blocks[at]!.text.split('\n').length < 60, 'it is short');
  writeFileSync(join(plugins, `${name}.mjs`), blocks[at]!.text);
  const daemon = await startDemo(t, { server: `plugin-path = [${JSON.stringify(plugins)}]`, tables: `[gateways.${name}]\ntype = "${name}"\nlisten = ["127.0.0.1:0"]` });
  const session = blocks.slice(at).find(({ language }) => language === 'console')!.text.trimEnd().split('\n');
  return { daemon, session };
}

await t.test('the gateway for a protocol of its own works as printed, and lets the server end', async (t) => {
  const { daemon, session } = await start(t, 'askme');
  const ask = async (line: string): Promise<string> => {
    const client = await connect(daemon.ports[1]!);
    t.teardown(() => client.destroy());
    client.line(line);
    return client.expect(/^.*\n/);
  };
  for (let at = 0; at < session.length; at += 2) {
    const [, line = ''] = /^\$ echo (.*) \| nc 127/.exec(session[at]!) ?? [];
    t.equal(await ask(line), `${session[at + 1]}\n`, line);
  }
  t.equal(await ask('kim steve web1'), 'NOT ALLOWED\n');
  const silent = await connect(daemon.ports[1]!);
  t.teardown(() => silent.destroy());
  t.match(await daemon.stop(), { code: 0 }, 'one that says nothing does not keep it from ending');
  t.notMatch(daemon.stderr(), /did not (?:drain|close)/);
});

await t.test('the gateway works as printed', async (t) => {
  const { daemon, session } = await start(t, 'hello');
  const ask = (path: string, who: string, method = 'GET'): Promise<Response> =>
    fetch(`http://127.0.0.1:${daemon.ports[1]}${path}`, { method, headers: { authorization: `Basic ${Buffer.from(who).toString('base64')}` } });
  for (let at = 0; at < session.length; at += 2) {
    const [, post, path = ''] = /( -X POST)? http:\/\/[^/]+(\/\S+)$/.exec(session[at]!) ?? [];
    t.equal(await (await ask(path, 'steve:steve', post ? 'POST' : 'GET')).text(), session[at + 1], String(session[at]));
  }
  t.equal((await ask('/hello', 'steve:wrong')).status, 401);
  t.equal(await (await ask('/hello', 'kim:steve')).text(), '{"demo/lj":"off"}', 'who may see less is told of less');
  t.equal((await ask('/hello/lj/start', 'kim:steve', 'POST')).status, 403);
  t.ok(await daemon.logs(/"account":"steve","from":"127\.0\.0\.1:\d+ hello","command":"stop","instance":"demo\/lj"/), 'its action is recorded with its name');
});
