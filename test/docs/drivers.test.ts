import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { hash } from 'bcrypt';
import t, { type Test } from 'tap';
import * as v from 'valibot';
import type { Config } from '../../src/config/config.js';
import { parseConfig } from '../support/configuration.js';
import { Daemon } from '../../src/daemon/daemon.js';
import { openHouse } from '../../src/daemon/house.js';
import type { DriverModule } from '../../src/drivers/driver.js';
import { BCRYPT_COST } from '../../src/kit/limits.js';
import { connect, type LineClient } from '../support/line-client.js';
import { fromRoot } from '../support/paths.js';
import { until } from '../support/until.js';
import { blocksOf, readDocument } from './markdown.js';
import { runNode } from '../support/programs.js';
import { FakeStrip } from './strip.js';

const DOCUMENT = readDocument('docs/drivers.md');
const PASSWORD = 'sesame';

const block = (mark: string): string => blocksOf(DOCUMENT).find(({ marks }) => marks[0] === mark)?.text ?? '';

const scratch = mkdtempSync(join(tmpdir(), 'argo-driver-'));
t.teardown(() => rmSync(scratch, { recursive: true }));

/**
 * Compiles the printed driver as if it stood in src/drivers/strip: with the project's own options,
 * against the compiled rest, which it then runs with.
 */
async function compileDriver(): Promise<{ module: DriverModule | undefined; complaints: string }> {
  const source = join(scratch, 'src', 'drivers', 'strip', 'index.ts');
  const compiled = join(scratch, 'dist', 'src');
  mkdirSync(dirname(source), { recursive: true });
  mkdirSync(compiled, { recursive: true });
  writeFileSync(source, block('strip'));
  writeFileSync(join(scratch, 'package.json'), '{ "type": "module" }');
  symlinkSync(fromRoot('node_modules'), join(scratch, 'node_modules'));
  for (const name of ['kit', 'config']) symlinkSync(fromRoot('dist', 'src', name), join(compiled, name));
  writeFileSync(join(scratch, 'tsconfig.json'), JSON.stringify({
    extends: fromRoot('tsconfig.json'),
    compilerOptions: { rootDir: '.', rootDirs: ['.', fromRoot('dist')], outDir: 'dist', incremental: false, declaration: false, tsBuildInfoFile: null },
    include: ['src'],
  }));
  const { code, stdout } = await runNode([fromRoot('node_modules', 'typescript', 'bin', 'tsc'), '-p', scratch]);
  if (code !== 0) return { module: undefined, complaints: stdout };
  const { default: module } = await import(pathToFileURL(join(compiled, 'drivers', 'strip', 'index.js')).href) as { default: DriverModule };
  return { module, complaints: '' };
}

const { module, complaints } = await compileDriver();

t.equal(complaints, '', 'the example driver compiles');
if (module === undefined) t.bailout('there is no driver to try');

/** A whole daemon in this process, whose only provider is the strip, and somebody who may do everything. */
async function serve(t: Test, strip: FakeStrip, password = PASSWORD): Promise<LineClient> {
  const address = `127.0.0.1:${await strip.listen()}`;
  t.teardown(() => strip.close());
  const parsed = await parseConfig('argo-server.conf', `
    server = { listen = ["127.0.0.1:0"] }
    accounts.steve.password = "${await hash('steve', BCRYPT_COST)}"
    accounts.steve.grants = [{ instances = ["*"], commands = ["*"] }]
  `, join(mkdtempSync(join(scratch, 'state-'))));
  const provider = {
    name: 'pdu1', type: 'strip', options: v.parse(v.strictObject(module!.options), { address, password }),
    actionTimeout: undefined, pollInterval: undefined, concurrency: undefined, fingerprint: '',
  };
  const config: Config = { ...parsed, providers: new Map([['pdu1', provider]]) };
  const house = { ...openHouse(() => undefined), loadDriver: () => Promise.resolve(module) };
  const daemon = await Daemon.start(config, { log: () => undefined, setLevel: () => undefined, flush: () => undefined }, house);
  t.teardown(() => daemon.stop());
  const client = await connect(Number(daemon.addresses()[0]?.split(':').at(-1)));
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

await t.test('the line for the catalogue looks like the others there', (t) => {
  const lines: readonly string[] = readDocument('src/drivers/catalogue.ts').match(/^ {2}\w+: \(\) => import\('\.\/\w+\/index\.js'\),$/gm) ?? [];
  t.ok(lines.includes("  sim: () => import('./sim/index.js'),"));
  t.equal(block('catalogue').trimEnd(), lines[0]?.replaceAll('sim', 'strip'));
  t.end();
});

await t.test('the document names every member of the contract', (t) => {
  const contract = readDocument('src/drivers/driver.ts').split('export interface Machine {')[1]?.split('\n}\n')[0] ?? '';
  for (const [, name = ''] of contract.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(]/gm)) t.ok(DOCUMENT.includes(`\`${name}\``), name);
  t.end();
});
