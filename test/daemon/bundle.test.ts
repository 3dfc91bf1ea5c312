import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startDaemon } from '../support/daemon.js';
import { ADMIN, logIn } from '../support/faults.js';
import type { LineClient } from '../support/line-client.js';
import { fromRoot, ROOT } from '../support/paths.js';
import { runProgram } from '../support/programs.js';
import { until } from '../support/until.js';

/** What users run is put together of a few files: what its parts share must be there once, and be found. */

const PLUGIN = `
import { ArgoError, HttpError } from 'argo-server';
import * as driver from 'argo-server/driver';

const command = (word, run) => ({ word, usage: word, help: 'x', right: 'anyone', run });
export default {
  commands: [
    command('busy', () => { throw new ArgoError('BUSY', 'at lunch'); }),
    command('same', (request) => { if (driver.ArgoError !== ArgoError) throw new Error('two'); }),
    command('broken', () => { throw new TypeError('a fault of the plugin'); }),
    {
      ...command('caught', (request) => request.each(async (target) => {
        try {
          await request.power(target, 'start');
        } catch (error) {
          throw error instanceof ArgoError ? new ArgoError('NOT ALLOWED', 'it was ' + error.phrase) : error;
        }
      })), right: 'power', on: 'instances',
    },
  ],
};`;

/** A driver without a type: its only machine refuses whatever is asked. */
const DRIVER = `
import { ArgoError, text, v } from 'argo-server/driver';

export default {
  kind: 'driver',
  options: { why: text, further: v.optional(v.array(v.pipe(v.string(), v.minLength(2)))) },
  open: ({ why }) => ({
    list: async () => [{ id: '1', name: 'box', type: 'host', state: 'off', machine: {
      id: '1', name: 'box', type: 'host',
      status: async () => 'off',
      start: async () => { throw new ArgoError('ACCESS DENIED', why); },
    } }],
    close: async () => {},
  }),
};`;

/** A daemon with what was written by others, from whose folder the package can be imported. */
async function serve(t: Test, provider = 'why = "the door is locked"'): Promise<{ client: LineClient; log: () => string }> {
  const folder = mkdtempSync(join(tmpdir(), 'argo-bundle-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules', 'argo-server'));
  writeFileSync(join(folder, 'words.mjs'), PLUGIN);
  writeFileSync(join(folder, 'odd.mjs'), DRIVER);
  const config = `[server]\nplugin-path = [${JSON.stringify(folder)}]\n${ADMIN}\n[providers.odd1]\ntype = "odd"\n${provider}\n`;
  const daemon = await startDaemon({ config });
  t.teardown(() => daemon.stop());
  const client = await logIn(daemon);
  t.teardown(() => client.destroy());
  return { client, log: () => daemon.stderr() };
}

await t.test('an ArgoError is one, whoever throws it and whoever catches it', async (t) => {
  const { client } = await serve(t);
  t.match(await client.ask('busy'), { code: 400, comment: 'BUSY: at lunch' });
  t.match(await client.ask('same'), { code: 300 }, 'both doors of the package hand out the same');
  t.match(await client.ask('start box'), { code: 400, comment: 'ACCESS DENIED: the door is locked' });
  t.match(await client.ask('caught box'), { code: 400, comment: 'NOT ALLOWED: it was ACCESS DENIED' });
});

await t.test('a driver of others describes its keys with what the package hands out', async (t) => {
  const failure = await serve(t, 'why = "x"\nfurther = ["long", "y"]').then(() => undefined, (error: unknown) => error as { stderr: string });
  t.match(failure?.stderr, /argo-server\.conf:\d+:\d+: .*further/);
});

await t.test('the log names places in the sources', async (t) => {
  const { client, log } = await serve(t);
  t.match(await client.ask('broken'), { code: 400, comment: /^INTERNAL ERROR/ });
  await until(() => log().includes('a fault of the plugin'), 5000, 'the log');
  const line = log().split('\n').find((one) => one.includes('a fault of the plugin')) ?? '';
  const [, file = '', at = ''] = /(src\/server\/[\w-]+\.ts):(\d+):\d+/.exec(line) ?? [];
  t.match(line, 'words.mjs', 'those of others as they are');
  t.match(readFileSync(fromRoot(file), 'utf8').split('\n')[Number(at) - 1], /\(/, 'a line from which something is called');
  t.notMatch(line, '/dist/bundle/');
});

await t.test('every start loads few files, and nothing of gateways that are not configured', (t) => {
  const loaded = new Map<string, string>();
  const load = (path: string): void => {
    if (loaded.has(path)) return;
    const text = readFileSync(fromRoot('dist', 'bundle', path), 'utf8');
    loaded.set(path, text);
    for (const [, name = ''] of text.matchAll(/^(?:import|export)\b[^'";]*?(?:\bfrom )?"(\.[^"]+)"/gm)) load(join(path, '..', name));
  };
  load('main.js');
  readdirSync(fromRoot('dist', 'bundle', 'plugins')).filter((name) => name.endsWith('.js')).forEach((name) => load(`plugins/${name}`));
  t.ok(loaded.size <= 4, [...loaded.keys()].join(' '));
  for (const what of ['WebSocketServer', '__Host-argo', 'ZBXD', 'prom-client"']) t.notOk([...loaded.values()].some((text) => text.includes(what)), what);
  t.end();
});

await t.test('what is published holds all that runs, and the types of both doors', async (t) => {
  const { stdout, stderr } = await runProgram('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT, env: process.env });
  const [pack] = JSON.parse(stdout || stderr) as [{ files: { path: string }[] }];
  const files = new Set(pack.files.map(({ path }) => path));
  const { exports, bin } = JSON.parse(readFileSync(fromRoot('package.json'), 'utf8')) as { exports: Record<string, string | Record<string, string>>; bin: Record<string, string> };
  const named = [...Object.values(bin), ...Object.values(exports).flatMap((one) => (typeof one === 'string' ? [one] : Object.values(one)))];
  for (const path of named) t.ok(files.has(path.replace('./', '')), path);
  for (const path of ['dist/bundle/store/thread-main.js', 'dist/bundle/LICENSES', 'dist/web/manifest.json', 'dist/web/index.html.br', 'src/protocols/dcom/helper.py', 'dist/src/drivers/driver.d.ts']) t.ok(files.has(path), path);
  t.notOk([...files].some((path) => /^dist\/(src\/.*\.js|test|bench)/.test(path)));
});
