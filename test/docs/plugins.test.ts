import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hash } from 'bcrypt';
import t, { type Test } from 'tap';
import { BCRYPT_COST } from '../../src/kit/limits.js';
import { startDaemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { ROOT } from '../support/paths.js';
import { blocksOf, readDocument, section } from './markdown.js';
import { until } from '../support/until.js';
import { runProgram } from '../support/programs.js';

const DOCUMENT = readDocument('docs/plugins.md');

/** The code that the document prints for a file. */
function printed(name: string): string {
  const block = blocksOf(DOCUMENT).find(({ marks }) => marks[0] === name);
  if (block === undefined) throw new Error(`docs/plugins.md prints no ${name}`);
  return block.text;
}

const scratch = mkdtempSync(join(tmpdir(), 'argo-plugins-'));
t.teardown(() => rmSync(scratch, { recursive: true }));
const hashed = await hash('steve', BCRYPT_COST);

const configuration = (plugins: string): string => `
[server]
plugin-path = [${JSON.stringify(plugins)}]
[accounts.steve]
password = "${hashed}"
grants = [{ instances = ["*"], commands = ["*"] }]
[accounts.kim]
password = "${hashed}"
grants = [{ instances = ["*"], commands = ["read"] }]
[providers.demo]
type = "sim"
instances = ["lj", "web1"]
`;

/** A folder for plugins, from which the package can be imported. */
function folder(name: string): string {
  const path = join(scratch, name);
  mkdirSync(join(path, 'node_modules'), { recursive: true });
  symlinkSync(ROOT, join(path, 'node_modules', 'argo-server'));
  return path;
}

/** Uses `cycle` as the document shows it, and as somebody who may not. */
async function useCycle(t: Test, plugins: string): Promise<void> {
  const daemon = await startDaemon({ config: configuration(plugins) });
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  await client.ask('auth steve steve');
  const [example] = blocksOf(DOCUMENT).filter(({ language }) => language === 'argo');
  for (const exchange of (example?.text ?? '').split(/^> /m).slice(1)) {
    const [request = '', ...answer] = exchange.split('\n').slice(0, -1);
    const { accepted, body, code, comment } = await client.ask(request);
    t.same([`200 ${accepted}`, ...[...body].sort(), `${code} ${comment}`], answer, request);
  }
  t.same((await client.ask('status lj')).body, ['on']);
  t.equal((await client.ask('cycle')).comment, 'USAGE: cycle NAME... [--force] [--timeout=SECONDS]');
  await client.ask('auth kim steve');
  t.equal((await client.ask('cycle lj')).comment, 'NOT ALLOWED');
  t.notMatch(daemon.stderr(), 'plugin cannot be loaded');
  t.ok(await daemon.logs(/("command":"cycle: st.*"instance":"demo\/lj"[^]*){2}/), 'its two actions went through the gate');
}

await t.test('the JavaScript plugin works as printed', async (t) => {
  const plugins = join(scratch, 'js');
  mkdirSync(plugins);
  writeFileSync(join(plugins, 'cycle.mjs'), printed('cycle.mjs'));
  t.ok(printed('cycle.mjs').trimEnd().split('\n').length <= 16, 'it is short');
  await useCycle(t, plugins);
});

await t.test('the TypeScript plugin compiles with the commands as printed, and works', async (t) => {
  const source = join(scratch, 'ts');
  const plugins = join(scratch, 'compiled');
  mkdirSync(source);
  writeFileSync(join(source, 'cycle.mts'), printed('cycle.mts'));
  const [commands] = blocksOf(section(DOCUMENT, '## In TypeScript')).filter(({ language }) => language === 'sh');
  const script = (commands?.text ?? '').replaceAll('/opt/argo-server', ROOT).replaceAll('/etc/argo-server/plugins', plugins);
  const { code, stdout, stderr } = await runProgram('sh', ['-e'], { cwd: source, input: script });
  t.equal(code, 0, stdout + stderr);
  await useCycle(t, plugins);
});

const stripsTypes = 'typescript' in process.features && Boolean(process.features.typescript);

await t.test('the TypeScript plugin loads as it is', { skip: !stripsTypes && 'this Node does not load TypeScript' }, async (t) => {
  const plugins = join(scratch, 'as-it-is');
  mkdirSync(plugins);
  copyFileSync(join(scratch, 'ts', 'cycle.mts'), join(plugins, 'cycle.mts'));
  await useCycle(t, plugins);
});

await t.test('an ArgoError of a plugin is told to the client', async (t) => {
  const plugins = folder('busy');
  writeFileSync(join(plugins, 'busy.mjs'), printed('busy.mjs'));
  const daemon = await startDaemon({ config: configuration(plugins) });
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  t.equal((await client.ask('lunch')).comment, 'BUSY: come back at two');
});

await t.test('the command that begins an order works as printed', async (t) => {
  const plugins = folder('later');
  writeFileSync(join(plugins, 'later.mjs'), printed('later.mjs'));
  const daemon = await startDaemon({ config: configuration(plugins) });
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  t.equal((await client.ask('later')).comment, 'NOT AUTHENTICATED');
  await client.ask('auth steve steve');
  t.equal((await client.ask('later')).comment, 'USAGE: later KEY NAME... | later ID');
  const { body: [begun = ''] } = await client.ask('later tonight-1 lj web1');
  const [, id = ''] = /^(\S+) (?:running|done)$/.exec(begun) ?? [];
  await until(async () => (await client.ask(`later ${id}`)).body[0] === `${id} done`, 10_000, 'its end');
  t.same((await client.ask('later tonight-1 lj web1')).body, [`${id} done`, 'demo/lj done', 'demo/web1 done'], 'begun once');
  t.ok(await daemon.logs(/"command":"later: stop","instance":"demo\/lj"/));
  t.match((await client.ask('later tonight-1 lj no')).comment, /^NO SUCH INSTANCE/);
  await client.ask('auth kim steve');
  t.equal((await client.ask('later tonight-2 lj')).comment, 'NOT ALLOWED');
});

await t.test('the command that makes a machine works as printed', async (t) => {
  const plugins = folder('made');
  writeFileSync(join(plugins, 'made.mjs'), printed('made.mjs'));
  writeFileSync(join(plugins, 'bare.mjs'), 'export default { kind: \'driver\', options: {}, open: () => ({ list: async () => [], close: async () => undefined }) };');
  const daemon = await startDaemon({ config: `${configuration(plugins)}\n[providers.bare]\ntype = "bare"\n` });
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  await client.ask('auth steve steve');
  const [template = ''] = (await client.ask('template list demo')).body.map((line) => line.split(' ')[0]!);
  t.not(template, '');
  t.equal((await client.ask(`made demo ${template}`)).comment, 'USAGE: made [PROVIDER TEMPLATE NAME]');
  t.match((await client.ask(`made bare ${template} web7`)).comment, /^NOT SUPPORTED/);
  t.match((await client.ask('made demo ../debian web7')).comment, /^BAD REQUEST: template: /);
  t.match((await client.ask(`made demo ${template} web7`)).body, [/^[\da-f-]{36}$/]);
  await until(async () => (await client.ask('made')).body[0] === `demo --template=${template} --name=web7 done 100 %`, 10_000, 'its end');
  t.ok((await client.ask('list')).body.includes('web7'));
  await client.ask('auth kim steve');
  t.match((await client.ask(`made demo ${template} web8`)).comment, /^NOT ALLOWED/);
});
