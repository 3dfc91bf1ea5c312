import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { keepCode as keepOne, runKept as runOne } from '../../src/kit/kept-code.js';
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

/** What is in the bundle, by paths. */
const inBundle = (...path: string[]): string => fromRoot('dist', 'bundle', ...path);

/** The files that a file loads, and itself: texts by paths in the bundle. */
function loadedBy(first: string): Map<string, string> {
  const loaded = new Map<string, string>();
  const load = (path: string): void => {
    if (loaded.has(path)) return;
    const text = readFileSync(inBundle(path), 'utf8');
    loaded.set(path, text);
    for (const [, name = ''] of text.matchAll(/^(?:const .* = |\} = )?require\("(\.[^"]+)"\)[;.]/gm)) load(join(path, '..', name));
    for (const [, name = ''] of text.matchAll(/`\$\{__dirname\}\/([\w-]+\.code\.js)`/g)) load(join(path, '..', name));
  };
  load(first);
  return loaded;
}

await t.test('every start loads few files, and nothing of gateways that are not configured', (t) => {
  const loaded = loadedBy('main.js');
  t.ok(loaded.size <= 4, [...loaded.keys()].join(' '));
  for (const what of ['WebSocketServer', '__Host-argo', 'ZBXD', 'prom-client"']) t.notOk([...loaded.values()].some((text) => text.includes(what)), what);
  for (const type of readdirSync(inBundle('drivers'))) t.ok(loadedBy(`drivers/${type}/index.js`).size <= 60, type);
  t.end();
});

await t.test('MQTT is spoken by argo-mqtt alone', (t) => {
  const files = readdirSync(inBundle(), { recursive: true, encoding: 'utf8' }).filter((path) => /\.m?js$/.test(path));
  t.same(files.filter((path) => /MqttClient|require\("mqtt"\)|import\("mqtt"\)/.test(readFileSync(inBundle(path), 'utf8'))), ['mqtt/main.js']);
  const text = readFileSync(inBundle('LICENSES'), 'utf8');
  for (const name of ['mqtt', 'mqtt-packet', 'readable-stream', 'bl']) t.match(text, new RegExp(`^${name} [\\d.]+, unchanged`, 'm'), name);
  t.end();
});

await t.test('what V8 has made of the code is used, and where it is not fit the code is read', async (t) => {
  for (const name of loadedBy('main.js').keys()) if (name.endsWith('.code.js')) t.ok(existsSync(inBundle(`${name}.kept`)), name);
  const folder = t.testdir({ 'package.json': '{ "type": "commonjs" }' });
  const file = join(folder, 'some.code.js');
  const require = createRequire(file);
  const { keepCode, runKept } = require(inBundle('kit', 'kept-code.js')) as { keepCode: typeof keepOne; runKept: typeof runOne };
  const write = (value: number): void => writeFileSync(file, `const deep = () => ${value};\nmodule.exports = [deep(), __filename, __dirname, typeof require];\n`);
  /** Whether what was kept is used; it says which code runs, too. */
  const isUsed = (value: number): boolean => {
    const module = { exports: {} } as NodeJS.Module;
    const used = runKept(module, require, file);
    Reflect.deleteProperty(require.cache, file);
    t.same(module.exports, [value, file, folder, 'function']);
    return used;
  };
  write(1);
  t.notOk(isUsed(1), 'nothing was kept');
  keepCode(file);
  t.ok(isUsed(1), 'it was');
  const kept = readFileSync(`${file}.kept`);
  write(2);
  t.notOk(isUsed(2), 'other code of the same length, which is all that V8 looks at');
  write(1);
  for (const content of [
    Buffer.alloc(0),
    kept.subarray(0, -8),
    Buffer.concat([kept, kept]),
    ...[0, 40, kept.length - 1].map((at) => Buffer.from(kept).fill(kept[at]! ^ 1, at, at + 1)),
  ]) {
    writeFileSync(`${file}.kept`, content);
    t.notOk(isUsed(1), 'damaged');
  }
  writeFileSync(`${file}.kept`, kept);
  const script = `const { runKept } = require(${JSON.stringify(inBundle('kit', 'kept-code.js'))}); console.log(runKept(module, require, ${JSON.stringify(file)}), module.exports[0])`;
  const { stdout } = await runProgram(process.execPath, ['--no-opt', '--eval', script], { cwd: folder, env: process.env });
  t.equal(stdout, 'false 1\n', 'V8 with other flags');
});

await t.test('a server runs without what was kept', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-unkept-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const part of ['bin', 'package.json', join('dist', 'bundle')]) cpSync(fromRoot(part), join(folder, part), { recursive: true, filter: (path) => !path.endsWith('.kept') });
  symlinkSync(fromRoot('node_modules'), join(folder, 'node_modules'));
  const file = join(folder, 'argo-server.conf');
  writeFileSync(file, '[providers.demo]\ntype = "sim"\ninstances = ["lj"]\n', { mode: 0o600 });
  const { code, stdout, stderr } = await runProgram(process.execPath, [join(folder, 'bin', 'argo-server.js'), 'check', '--config', file], { cwd: folder, env: process.env });
  t.equal(code, 0, stderr);
  t.match(stdout, /good|accounts|instances/i);
});

await t.test('what is published holds all that runs, and the types of both doors', async (t) => {
  const { stdout, stderr } = await runProgram('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT, env: process.env });
  const [pack] = JSON.parse(stdout || stderr) as [{ files: { path: string }[] }];
  const files = new Set(pack.files.map(({ path }) => path));
  const { exports, bin } = JSON.parse(readFileSync(fromRoot('package.json'), 'utf8')) as { exports: Record<string, string | Record<string, string>>; bin: Record<string, string> };
  const named = [...Object.values(bin), ...Object.values(exports).flatMap((one) => (typeof one === 'string' ? [one] : Object.values(one)))];
  for (const path of named) t.ok(files.has(path.replace('./', '')), path);
  for (const path of ['bin/package.json', 'dist/bundle/package.json', 'dist/bundle/store/thread-main.js', 'dist/bundle/LICENSES', 'dist/web/manifest.json', 'dist/web/index.html.br', 'src/protocols/dcom/helper.py', 'dist/src/drivers/driver.d.ts', 'docs/installing.md', 'CHANGELOG.md']) t.ok(files.has(path), path);
  t.notOk([...files].some((path) => /^dist\/(src\/.*\.js|test|bench)|\.kept$/.test(path)), 'nor what is fit for this Node alone');
  t.same([...files].filter((path) => /\.png$|\.test\./.test(path)), [], 'nor pictures and tests');
  t.match(await runProgram('npm', ['pack', '--dry-run'], { cwd: ROOT, env: process.env }), { code: 1, stderr: 'npm run package -- --only npm' }, 'by itself npm would leave out what is put together first');
});
