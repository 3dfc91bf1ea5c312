import t, { type Test } from 'tap';
import type { Command, Plugin } from '../../src/plugins/host/contract.js';
import { Gate } from '../../src/instances/gate.js';
import { READY_REPLIES } from '../../src/kit/limits.js';
import { CommandTable, loadCommands } from '../../src/plugins/host/command-table.js';
import list from '../../src/plugins/list.js';
import { Dispatcher } from '../../src/server/dispatcher.js';
import { Reply } from '../../src/server/reply.js';
import { FakeMachine, fakeProvider } from '../instances/fake-driver.js';
import { connect, type LineClient } from '../support/line-client.js';
import { until } from '../support/until.js';
import { RememberedAudit, startCore, TextSink, type CoreOptions } from './core.js';

async function serve(t: Test, options: CoreOptions = {}) {
  const core = await startCore(t, options);
  const { port } = await core.listen();
  const client = async (account?: string): Promise<LineClient> => {
    const one = await connect(port);
    t.teardown(() => one.destroy());
    if (account !== undefined) await one.ask(`auth ${account} steve`);
    return one;
  };
  return { ...core, client };
}

/** A command that counts how often it runs. */
function counting(row: Partial<Command>): { plugin: Plugin; runs: () => number } {
  let runs = 0;
  const run: Command['run'] = (request) => {
    runs += 1;
    request.body.line(String(runs));
  };
  return { runs: () => runs, plugin: { commands: [{ word: 'count', usage: 'count', help: 'For a test.', right: 'anyone', run, ...row }] } };
}

await t.test('a reply that was made before is sent again until something changes', async (t) => {
  const { plugin, runs } = counting({ repeatable: true });
  const { client } = await serve(t, { plugins: { plugin } });
  const steve = await client('steve');
  for (let time = 0; time < 3; time += 1) t.same((await steve.ask('count')).body, ['1']);
  t.equal(runs(), 1);
  t.same((await steve.ask('COUNT')).body, ['2'], 'another line');
  t.same((await (await client('tenant')).ask('count')).body, ['3'], 'another account');
  t.same((await (await client()).ask('count')).body, ['4'], 'a stranger');
  t.same((await (await client('steve')).ask('count')).body, ['1'], 'the same account elsewhere');
  await steve.ask('pause lj --wait');
  t.same((await steve.ask('count')).body, ['5'], 'an instance has another state');
});

await t.test('a command that does not say so runs each time', async (t) => {
  for (const row of [{}, { repeatable: false }, { repeatable: 'yes' as unknown as boolean }]) {
    const { plugin, runs } = counting(row);
    const { client } = await serve(t, { plugins: { plugin } });
    const steve = await client('steve');
    for (let time = 0; time < 3; time += 1) await steve.ask('count');
    t.equal(runs(), 3);
  }
});

await t.test('neither refusals nor what takes its time nor what is long is kept', async (t) => {
  for (const end of [() => { throw new Error('no'); }, () => Promise.resolve(), (request: Parameters<Command['run']>[0]) => request.body.line('x'.repeat(10_000))]) {
    let runs = 0;
    const { plugin } = counting({ repeatable: true, run: (request) => {
      runs += 1;
      return end(request);
    } });
    const { client } = await serve(t, { plugins: { plugin } });
    const steve = await client('steve');
    for (let time = 0; time < 3; time += 1) await steve.ask('count');
    t.equal(runs, 3);
  }
});

await t.test('list is what there is now, for whoever asks', async (t) => {
  const { client } = await serve(t);
  const one = await client();
  const [steve, tenant] = [await client('steve'), await client('tenant')];
  const ask = async (line: string) => [(await one.ask(line)).body, (await tenant.ask(line)).body, (await steve.ask(line)).body];
  const all = ['lj', 'builder', 'test', 'dev'];
  for (let time = 0; time < 2; time += 1) {
    t.same(await ask('list'), [all, ['lj', 'test'], all]);
    t.same(await ask('list running'), [['lj', 'builder', 'dev'], ['lj'], ['lj', 'builder', 'dev']]);
  }
  await steve.ask('stop lj --force --wait');
  t.same(await ask('list running'), [['builder', 'dev'], [], ['builder', 'dev']]);
  t.same((await one.ask('auth tenant steve')).code, 300);
  t.same((await one.ask('list')).body, ['lj', 'test'], 'the same connection has logged in meanwhile');
});

await t.test('each client has its own line ends', async (t) => {
  const { client } = await serve(t);
  const steve = await client('steve');
  for (const eol of ['\n', '\r\n', '\n', '\r\n']) {
    steve.send(`list${eol}`);
    t.equal(await steve.expect(`300 DONE${eol}`), ['200 OK', 'lj', 'builder', 'test', 'dev', '300 DONE', ''].join(eol));
  }
});

await t.test('a provider that goes stale is told of, and one that is current again', async (t) => {
  const { authenticator, session } = await startCore(t);
  const { registry, host, driver } = await fakeProvider([new FakeMachine('lj', 'on')]);
  const log = () => undefined;
  const table = new CommandTable([{ name: 'own', commands: loadCommands(list) }], log);
  const gate = new Gate({ registry, audit: new RememberedAudit(), log, actionTimeout: () => 1000, groups: () => new Map() });
  const dispatcher = new Dispatcher({ authenticator, gate, table, log });
  const steve = await session('steve');
  const ask = async (): Promise<string> => {
    const sink = new TextSink();
    await dispatcher.dispatch(steve, 'list', new Reply(sink, '\n'));
    return dispatcher.ready(steve, 'list', '\n')?.text ?? 'nothing ready';
  };
  t.equal(await ask(), '200 OK\nlj\n300 DONE\n');
  host.lost('the link is down');
  t.equal(dispatcher.ready(steve, 'list', '\n'), undefined);
  t.equal(await ask(), '200 OK\nlj\n300 DONE: stale: fake (the link is down)\n');
  driver.list = async () => [];
  host.relist();
  await until(() => registry.size === 0, 10_000, 'the provider lists');
  t.equal(dispatcher.ready(steve, 'list', '\n'), undefined);
  t.equal(await ask(), '200 OK\n300 DONE\n');
});

await t.test('there is an end to what is kept', async (t) => {
  const { plugin, runs } = counting({ repeatable: true, rawWords: true });
  const { session, dispatcher } = await serve(t, { plugins: { plugin } });
  const steve = await session('steve');
  for (let line = 0; line < READY_REPLIES + 10; line += 1) {
    await dispatcher.dispatch(steve, `count ${line}`, new Reply(new TextSink(), '\n'));
  }
  t.equal(runs(), READY_REPLIES + 10);
  t.equal(dispatcher.ready(steve, 'count 0', '\n'), undefined);
  t.match(dispatcher.ready(steve, `count ${READY_REPLIES + 9}`, '\n')?.text, '200 OK\n');
});
