import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t, { type Test } from 'tap';
import type { Core } from './core.js';
import { connect, type LineClient } from '../support/line-client.js';
import { parseConfig } from '../support/configuration.js';
import { SEED_CONFIG, startCore } from './core.js';

/** `watch` on a socket: what is told, to whom, until when, and what one costs who does not read. */

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const HISTORY = 1024;
const withHistory = SEED_CONFIG.replace('[server]', `[server]\nevent-history = ${HISTORY}`);
const lj = { provider: 'demo', id: 'lj', name: 'lj', fullName: 'demo/lj', state: 'off' as const };
const dev = { ...lj, id: 'dev', name: 'dev', fullName: 'demo/dev' };

async function serve(t: Test): Promise<Core & { watcher(account: string, request: string): Promise<LineClient> }> {
  const core = await startCore(t, { config: withHistory });
  const { port } = await core.listen();
  return {
    ...core,
    watcher: async (account, request) => {
      const client = await connect(port);
      t.teardown(() => client.destroy());
      await client.ask(`auth ${account} steve`);
      client.line(request);
      await client.expect('200 OK\n');
      return client;
    },
  };
}

/** So many events, the loop given to others now and then. */
async function pass({ events }: Core, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    events.state(lj, 'on');
    if (i % 100 === 0) await nextTurn();
  }
}

/** What is reachable, in bytes. */
function inUse(): number {
  collectGarbage();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

await t.test('one that never reads costs little, and learns in the end that it missed something', async (t) => {
  const core = await serve(t);
  await pass(core, 2 * HISTORY);
  const before = inUse();
  const client = await core.watcher('steve', 'watch');
  client.socket.pause();
  await pass(core, 100_000);
  t.ok(inUse() - before < 5e6, 'less than 5 MB');
  client.socket.resume();
  const last = await client.expect(/400 CURSOR EXPIRED: [^\n]*\n/);
  t.match(last, / state demo\/lj off on\n400 CURSOR EXPIRED: list, then watch again\n$/, 'what it still got comes first');
  t.equal((await client.ask('nop')).code, 300, 'the connection goes on');
});

await t.test('grants that a reload takes away end what is told at once', async (t) => {
  const core = await serve(t);
  const client = await core.watcher('tenant', 'watch --types=state');
  core.events.state(lj, 'on');
  core.events.state(dev, 'on');
  await client.expect(' state demo/lj off on\n');
  core.authenticator.configure(await parseConfig('argo-server.conf', withHistory.replace('instances = ["lj", "test"]', 'instances = ["test"]').replace('instances = ["lj"]', 'instances = ["test"]'), '/nonexistent'));
  core.events.state(lj, 'paused');
  core.events.state({ ...lj, id: 'test', name: 'test', fullName: 'demo/test' }, 'on');
  t.equal((await client.expect(/state [^\n]*\n/)).includes('demo/lj'), false);
  core.authenticator.configure(await parseConfig('argo-server.conf', withHistory.replaceAll('accounts.tenant', 'accounts.other'), '/nonexistent'));
  t.match(await client.reply(), { code: 400, comment: /^NOT ALLOWED/ }, 'an account that is gone watches nothing');
});

await t.test('what comes while others are being told is told once, in order', async (t) => {
  const core = await serve(t);
  const clients = await Promise.all(Array.from({ length: 40 }, () => core.watcher('steve', 'watch --types=state')));
  for (let i = 0; i < 200; i += 1) {
    core.events.state({ ...lj, name: `lj${i}`, fullName: `demo/lj${i}` }, 'on');
    if (i % 7 === 0) await nextTurn();
  }
  for (const client of clients) {
    const text = await client.expect('demo/lj199 off on\n');
    t.same([...text.matchAll(/ state demo\/lj(\d+) /g)].map(([, number]) => Number(number)), Array.from({ length: 200 }, (_, i) => i));
  }
});

await t.test('many who watch by different filters each get their lines, and their ends', async (t) => {
  const core = await serve(t);
  const [all, named, typed, tenant] = await Promise.all([
    core.watcher('steve', 'watch'), core.watcher('steve', 'watch dev'), core.watcher('steve', 'watch --types=server'), core.watcher('tenant', 'watch'),
  ]);
  core.events.state(lj, 'on');
  core.events.state(dev, 'on');
  core.events.add({ type: 'server', now: 'reloaded' });
  const lines = async (client: LineClient): Promise<string[]> => [...(await client.expect('server reloaded\n')).matchAll(/Z (.*)/g)].map(([, words = '']) => words);
  t.same(await lines(all), ['state demo/lj off on', 'state demo/dev off on', 'server reloaded']);
  t.same(await lines(named), ['state demo/dev off on', 'server reloaded']);
  t.same(await lines(typed), ['server reloaded']);
  t.same(await lines(tenant), ['state demo/lj off on', 'server reloaded'], 'what it may know');
});

await t.test('nothing is sent unasked', async (t) => {
  const core = await serve(t);
  const watcher = await core.watcher('steve', 'watch');
  const { port } = await core.listen();
  const other = await connect(port);
  t.teardown(() => other.destroy());
  await other.ask('auth steve steve');
  core.events.state(lj, 'on');
  await watcher.expect(' state demo/lj off on\n');
  t.match(await other.ask('nop'), { code: 300, body: [] });
  watcher.line('nop');
  t.match(await watcher.reply(), { code: 300 }, 'the next line ends it');
  t.match(await watcher.reply(), { code: 300, body: [] }, 'and is answered');
  core.events.state(lj, 'on');
  t.match(await watcher.ask('nop'), { code: 300, body: [] }, 'nothing comes any more');
});
