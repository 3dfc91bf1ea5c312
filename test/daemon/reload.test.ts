import { rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startDaemon, type Daemon, type DaemonOptions } from '../support/daemon.js';
import { connect, type LineClient } from '../support/line-client.js';
import { freePort } from '../support/ports.js';
import { until } from '../support/until.js';

/** Of the password `steve`. */
const HASH = '$2b$12$NputH3vRqBIdT3Fcq5GCFOmeRf0Z.6rUOcz6VRBiuKunt6qCHPKGO';
/** Of another password. */
const OTHER_HASH = '$2b$12$......................C6lFTKEst94GxZLWSWGLyqdu/B8RfUq';
const WITHIN = 20_000;

const account = (name: string, grants: string, hash = HASH): string => `[accounts.${name}]\npassword = "${hash}"\ngrants = [${grants}]\n`;
const ALL = '{ instances = ["*"], commands = ["*"] }';
const DEMO = '[providers.demo]\ntype = "sim"\ninstances = ["lj", "dev"]\n';

async function start(t: Test, config: string, options: DaemonOptions = {}) {
  const daemon = await startDaemon({ config, ...options });
  t.teardown(() => daemon.stop());
  let reloads = 0;
  const client = async (port = daemon.port): Promise<LineClient> => {
    const one = await connect(port);
    t.teardown(() => one.destroy());
    return one;
  };
  return {
    daemon, client,
    login: async (name: string): Promise<LineClient> => {
      const one = await client();
      t.equal((await one.ask(`auth ${name} steve`)).code, 300, `${name} logs in`);
      return one;
    },
    /** @returns what the log said of it */
    reload: async (text: string): Promise<string> => {
      daemon.reconfigure(text);
      return hangUp(daemon, (reloads += 1));
    },
  };
}

const outcomes = (daemon: Daemon): string[] => daemon.stderr().split('\n').filter((line) => /"msg":"reload(ed| refused)/.test(line));

async function hangUp(daemon: Daemon, count: number): Promise<string> {
  daemon.signal('SIGHUP');
  await until(() => outcomes(daemon).length >= count, WITHIN, 'the reload');
  return outcomes(daemon)[count - 1] ?? '';
}

await t.test('accounts and grants, for connections that are open', async (t) => {
  const { login, reload, client } = await start(t, account('steve', ALL) + account('bob', ALL) + account('ann', ALL) + DEMO);
  const [steve, bob, ann] = [await login('steve'), await login('bob'), await login('ann')];
  t.match(await reload(account('steve', '{ instances = ["lj"], commands = ["read"] }') + account('ann', ALL, OTHER_HASH) + account('new', ALL) + DEMO), /"reloaded"/);
  t.same((await steve.ask('list')).body, ['lj'], 'fewer grants');
  t.equal((await steve.ask('status dev')).comment, 'NOT ALLOWED');
  t.equal((await steve.ask('pause lj')).comment, 'NOT ALLOWED');
  t.same((await steve.ask('status lj')).body, ['on']);
  t.equal((await bob.ask('status lj')).comment, 'NOT AUTHENTICATED', 'an account that is gone');
  t.equal((await ann.ask('status lj')).comment, 'NOT AUTHENTICATED', 'another password');
  t.equal((await ann.ask('auth ann steve')).comment, 'NOT AUTHENTICATED');
  t.equal((await bob.ask('auth new steve')).code, 300, 'a new account');
  t.same((await (await client()).ask('list')).body, ['lj', 'dev']);
});

await t.test('groups, providers and settings', async (t) => {
  const base = account('steve', ALL);
  const { login, reload, client } = await start(t, `[server]\nanonymous-list = true\n${base}[groups]\ng = ["lj"]\n${DEMO}[providers.other]\ntype = "sim"\ninstances = ["old"]\n`);
  const steve = await login('steve');
  t.equal((await steve.ask('pause lj')).code, 300);
  t.same((await steve.ask('status @g')).body, ['lj: paused']);
  await reload(`[server]\nanonymous-list = false\nmax-line = 64\n${base}[groups]\ng = ["dev"]\n[providers.second]\ntype = "sim"\ninstances = ["new"]\n${DEMO}`);
  t.same((await steve.ask('list')).body, ['new', 'lj', 'dev'], 'in the order of the file');
  t.same((await steve.ask('status @g')).body, ['dev: on']);
  t.same((await steve.ask('status lj')).body, ['paused'], 'a provider that has not changed goes on as it was');
  t.equal((await steve.ask('status old')).comment, 'NO SUCH INSTANCE: old');
  t.equal((await (await client()).ask('list')).comment, 'NOT AUTHENTICATED');
  t.match((await steve.ask(`status ${'x'.repeat(80)}`)).comment, /LINE TOO LONG: more than 64/);
  await reload(`${base}[providers.demo]\ntype = "sim"\ninstances = ["lj"]\n`);
  t.same((await steve.ask('status lj')).body, ['on'], 'a provider whose table has changed is opened anew');
});

await t.test('plugins', async (t) => {
  const plugin = (word: string): string => `export default { commands: [{ word: '${word}', usage: '${word}', help: 'x', right: 'anyone', run({ body }) { body.line('${word} ran'); } }] };\n`;
  const { daemon, client } = await start(t, '[server]\nplugin-path = ["plugins"]\n', { files: { 'plugins/a.mjs': plugin('one'), 'plugins/package.json': '{}' } });
  const file = join(daemon.folder, 'plugins', 'a.mjs');
  const one = await client();
  t.same((await one.ask('one')).body, ['one ran']);
  writeFileSync(file, plugin('other'));
  t.match(await hangUp(daemon, 1), /"reloaded"/);
  t.same((await one.ask('other')).body, ['other ran']);
  t.equal((await one.ask('one')).comment, 'NOT AUTHENTICATED', 'a word that is gone, to a stranger');
  writeFileSync(file, 'half {');
  await hangUp(daemon, 2);
  t.same((await one.ask('other')).body, ['other ran'], 'broken: as before');
  rmSync(file);
  await hangUp(daemon, 3);
  t.equal((await one.ask('other')).comment, 'NOT AUTHENTICATED');
});

await t.test('listeners', async (t) => {
  const { daemon, client, reload } = await start(t, DEMO);
  const one = await client();
  const first = daemon.port;
  const ports = (): number[] => [...daemon.stderr().matchAll(/"address":"[^"]*:(\d+)","tls":false,"msg":"listening"/g)].map(([, port]) => Number(port));
  t.match(await reload(`[server]\nlisten = ["127.0.0.1:0", "127.0.0.2:0"]\n${DEMO}`), /"reloaded"/);
  const second = ports()[1] ?? 0;
  const there = await connect(second, '127.0.0.2');
  t.teardown(() => there.destroy());
  t.equal((await there.ask('nop')).code, 300);
  t.equal((await (await client(first)).ask('nop')).code, 300, 'the one that stays');
  await reload(`[server]\nlisten = ["127.0.0.2:0"]\n${DEMO}`);
  await t.rejects(connect(first), { code: 'ECONNREFUSED' });
  t.equal((await one.ask('nop')).code, 300, 'connections outlive their listener');
  t.equal((await there.ask('nop')).code, 300);
});

await t.test('from one address to all of them, on the same port', async (t) => {
  const { daemon, reload, client } = await start(t, DEMO, { args: [] });
  const free = await freePort();
  t.match(await reload(`[server]\nlisten = ["127.0.0.1:${free}"]\n${DEMO}`), /"reloaded"/);
  t.match(await reload(`[server]\nlisten = ["0.0.0.0:${free}"]\n${DEMO}`), /"reloaded"/, daemon.stderr());
  t.equal((await (await client(free)).ask('nop')).code, 300);
});

await t.test('a file that is not good is refused as a whole', async (t) => {
  const good = account('steve', ALL) + DEMO;
  const { daemon, login, reload, client } = await start(t, good);
  const steve = await login('steve');
  const taken = createServer();
  await new Promise<void>((resolve) => { taken.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  for (const [text, reason] of [
    ['[server\n', /argo-server\.conf:\d+:\d+: /], [`[server]\nbogus = 1\n`, /unknown key bogus/], ['[accounts.bob]\npassword = "hunter2"\n', /bcrypt/], ['[providers.x]\ntype = "vax"\n', /no driver/],
    // good as a file, and not to be put into force
    [`[server]\nlisten = ["127.0.0.1:0", "127.0.0.3:0", "127.0.0.1:${port}"]\n`, /another program listens there already/],
    ['[server]\ntls-listen = ["127.0.0.1:0"]\ntls-cert = "/nonexistent.pem"\ntls-key = "/nonexistent.pem"\n', /nonexistent\.pem/],
  ] as const) {
    const said = await reload(text);
    t.match(said, /reload refused, the former configuration stays/);
    t.match(said, reason);
    t.notMatch(said, /hunter2/);
    t.same((await steve.ask('status lj')).body, ['on'], 'accounts and providers stay');
    t.equal((await (await client()).ask('auth steve steve')).code, 300);
  }
  const opened = [...daemon.stderr().matchAll(/"address":"([^"]*):(\d+)","tls":false,"msg":"listening"/g)].slice(1);
  for (const [, host = '', number] of opened) await t.rejects(connect(Number(number), host), { code: 'ECONNREFUSED' }, 'what was opened in vain is closed again');
  t.match(await reload(good), /"reloaded"/, 'and a good one is taken');
  rmSync(join(daemon.folder, 'argo-server.conf'));
  t.match(await hangUp(daemon, 8), /cannot be read: there is no such file.*reload refused/);
  t.same((await steve.ask('status lj')).body, ['on']);
});

await t.test('an action under way is not disturbed', async (t) => {
  const slow = `${account('steve', ALL)}[providers.slow]\ntype = "sim"\nlatency = "700ms"\ninstances = ["lj"]\n`;
  const { login, reload } = await start(t, slow);
  const steve = await login('steve');
  steve.line('pause lj');
  await steve.expect('200 OK\n');
  await reload(`${account('steve', ALL)}[providers.slow]\ntype = "sim"\nlatency = "1ms"\ninstances = ["lj"]\n`);
  t.equal(await steve.expect(/[^\n]+\n/), '300 DONE\n', 'although its provider is gone, it is seen through');
  t.same((await steve.ask('status lj')).body, ['on'], 'the new one knows nothing of it');
});

await t.test('many signals at a time', async (t) => {
  const { daemon, client } = await start(t, DEMO);
  for (let count = 0; count < 20; count += 1) daemon.signal('SIGHUP');
  const one = await client();
  t.equal((await one.ask('nop')).code, 300);
  await until(() => outcomes(daemon).length >= 1, WITHIN, 'a reload');
  t.equal((await one.ask('list')).body.length, 2);
  t.notMatch(daemon.stderr(), /refused|uncaught|unhandled/);
});
