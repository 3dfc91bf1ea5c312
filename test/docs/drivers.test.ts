import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hash } from 'bcrypt';
import t, { type Test } from 'tap';
import { BCRYPT_COST } from '../../src/kit/limits.js';
import { startDaemon } from '../support/daemon.js';
import { connect, type LineClient } from '../support/line-client.js';
import { fromRoot, ROOT } from '../support/paths.js';
import { until } from '../support/until.js';
import { blocksOf, readDocument } from './markdown.js';
import { runNode } from '../support/programs.js';
import { FakeStrip } from './strip.js';

const DOCUMENT = readDocument('docs/drivers.md');
const PASSWORD = 'sesame';
const hashed = await hash('steve', BCRYPT_COST);

const block = (mark: string): string => blocksOf(DOCUMENT).find(({ marks }) => marks[0] === mark)?.text ?? '';

const scratch = mkdtempSync(join(tmpdir(), 'argo-driver-'));
t.teardown(() => rmSync(scratch, { recursive: true }));

/** A folder of plugin-path with the printed driver, compiled with the project's own options as its author would. @returns what the compiler says */
async function compileDriver(): Promise<string> {
  mkdirSync(join(scratch, 'node_modules'));
  symlinkSync(ROOT, join(scratch, 'node_modules', 'argo-server'));
  symlinkSync(fromRoot('node_modules', '@types'), join(scratch, 'node_modules', '@types'));
  writeFileSync(join(scratch, 'strip.ts'), block('strip'));
  writeFileSync(join(scratch, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(scratch, 'tsconfig.json'), JSON.stringify({
    extends: fromRoot('tsconfig.json'),
    compilerOptions: { rootDir: '.', outDir: 'plugins', incremental: false, declaration: false, sourceMap: false, tsBuildInfoFile: null },
    include: ['strip.ts'],
  }));
  const { stdout } = await runNode([fromRoot('node_modules', 'typescript', 'bin', 'tsc'), '-p', scratch]);
  return stdout;
}

await t.test('the example driver compiles', async (t) => {
  t.equal(await compileDriver(), '');
});

const configuration = (folder: string, hashed: string, strip: string): string => `
[server]
plugin-path = [${JSON.stringify(folder)}]
[accounts.steve]
password = "${hashed}"
grants = [{ instances = ["*"], commands = ["*"] }]
${strip}`;

/** A daemon whose only provider is the strip, and somebody who may do everything. */
async function serve(t: Test, strip: FakeStrip, password = PASSWORD, folder = join(scratch, 'plugins')): Promise<LineClient> {
  const provider = `[providers.pdu1]\ntype = "strip"\naddress = "127.0.0.1:${await strip.listen()}"\npassword = "${password}"\n`;
  t.teardown(() => strip.close());
  const daemon = await startDaemon({ config: configuration(folder, hashed, provider) });
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  await client.ask('auth steve steve');
  return client;
}

await t.test('it does what the document shows', async (t) => {
  const client = await serve(t, new FakeStrip(PASSWORD));
  const [example] = blocksOf(DOCUMENT).filter(({ language }) => language === 'argo');
  for (const exchange of (example?.text ?? '').split(/^> /m).slice(1)) {
    const [request = '', ...answer] = exchange.split('\n').slice(0, -1);
    const { accepted, body, code, comment } = await client.ask(request);
    t.same([`200 ${accepted}`, ...body, `${code} ${comment}`], answer, request);
  }
});

await t.test('an order whose answer was cut off is done if the machine says so, else uncertain', async (t) => {
  const strip = new FakeStrip(PASSWORD);
  const client = await serve(t, strip);
  strip.mood = 'cuts';
  t.match(await client.ask('start builder'), { code: 300 });
  strip.mood = 'drops';
  t.match(await client.ask('stop builder --force'), { code: 400, comment: /^UNCERTAIN: .*builder.*last seen on$/ });
});

await t.test('a strip that says nothing: the deadline holds, and the socket is given back', async (t) => {
  const strip = new FakeStrip(PASSWORD);
  const client = await serve(t, strip);
  strip.mood = 'hangs';
  t.match(await client.ask('start builder --timeout=1'), { code: 400, comment: /^UNCERTAIN/ });
  await until(() => strip.sockets.size === 0, 5000, 'the sockets to be closed');
});

await t.test('a wrong password', async (t) => {
  const client = await serve(t, new FakeStrip(PASSWORD), 'guess');
  t.match(await client.ask('status pdu1/lj'), { code: 400, comment: /^UNREACHABLE: pdu1 has not answered yet: ACCESS DENIED/ });
});

await t.test('a strip that goes away', async (t) => {
  const strip = new FakeStrip(PASSWORD);
  const client = await serve(t, strip);
  strip.close();
  t.match(await client.ask('start builder'), { code: 400, comment: /^UNREACHABLE: 127\.0\.0\.1: / });
  t.match(await client.ask('status builder'), { code: 300, body: ['unknown'] });
});

const loadsTypes = 'typescript' in process.features && Boolean(process.features.typescript);

await t.test('in TypeScript, as it is printed', { skip: !loadsTypes && 'this Node does not load TypeScript' }, async (t) => {
  const folder = join(scratch, 'typed');
  mkdirSync(folder);
  writeFileSync(join(folder, 'strip.ts'), block('strip'));
  const client = await serve(t, new FakeStrip(PASSWORD), PASSWORD, folder);
  t.match(await client.ask('list'), { code: 300, body: ['lj', 'builder', 'no plug'] });
});

await t.test('its table is checked, and a file that has changed opens its providers anew', async (t) => {
  const strip = new FakeStrip(PASSWORD);
  const address = `127.0.0.1:${await strip.listen()}`;
  t.teardown(() => strip.close());
  const folder = join(scratch, 'changing');
  mkdirSync(folder);
  const compiled = readFileSync(join(scratch, 'plugins', 'strip.js'), 'utf8');
  writeFileSync(join(folder, 'strip.js'), compiled);
  const table = (address: string): string => `[providers.pdu1]\ntype = "strip"\naddress = ${address}\npassword = "${PASSWORD}"\n`;
  const failure = await startDaemon({ config: configuration(folder, hashed, table('7')) }).then((daemon) => daemon.stop(), (error: unknown) => error);
  t.match((failure as { stderr?: string }).stderr, /:\d+:\d+: .*pdu1|:\d+:\d+: address/, 'a wrong key is told with its line');
  const daemon = await startDaemon({ config: configuration(folder, hashed, table(`"${address}"`)) });
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  await client.ask('auth steve steve');
  t.match(await client.ask('list'), { body: ['lj', 'builder', 'no plug'] });
  writeFileSync(join(folder, 'strip.js'), compiled.replace("throw new ArgoError('NO SUCH INSTANCE'", "throw new ArgoError('FAILED'").replace('new Outlet(unit, number, label)', 'new Outlet(unit, number, `new ${label}`)'));
  daemon.signal('SIGHUP');
  await until(async () => (await client.ask('list')).body[0] === 'new lj', 10_000, 'the changed driver');
});

await t.test('the document names every member of the contract', (t) => {
  const contract = readDocument('src/drivers/driver.ts').split('export interface Machine {')[1]?.split('\n}\n')[0] ?? '';
  for (const [, name = ''] of contract.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(]/gm)) t.ok(DOCUMENT.includes(`\`${name}\``), name);
  t.end();
});
