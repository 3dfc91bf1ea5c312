import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FolderLock } from '../../src/store/folder-lock.js';
import { startDaemon, StartFailure, type Daemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { until } from '../support/until.js';
import { argoServer } from './cli.js';

/** Two servers on one state folder. */

const HASH = '$2b$12$NputH3vRqBIdT3Fcq5GCFOmeRf0Z.6rUOcz6VRBiuKunt6qCHPKGO';
const CONFIG = `[accounts.steve]\npassword = "${HASH}"\ngrants = [{ instances = ["*"], commands = ["*"] }]\n[providers.demo]\ntype = "sim"\ninstances = ["lj", "dev"]\n`;
const WITHIN = 20_000;

function scratch(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'argo-folder-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const sockets = (state: string): string[] => readdirSync(state).filter((name) => /^(running|starting)\./.test(name));

/** Starts on a folder, which is expected to fail. */
async function failure(folder: string): Promise<StartFailure> {
  const error: unknown = await startDaemon({ config: CONFIG, folder }).then((daemon) => daemon.stop(), (thrown: unknown) => thrown);
  if (!(error instanceof StartFailure)) throw error instanceof Error ? error : new Error('it has started');
  return error;
}

async function act(t: Test, daemon: Daemon): Promise<void> {
  const client = await connect(daemon.port);
  t.equal((await client.ask('auth steve steve')).code, 300);
  t.equal((await client.ask('reboot --force lj')).code, 300);
  client.destroy();
}

await t.test('the second server says who has the folder, and ends with 1 before it listens', async (t) => {
  const folder = scratch(t);
  const first = await startDaemon({ config: CONFIG, folder });
  t.teardown(() => first.stop());
  const { exit, stderr } = await failure(folder);
  t.same(exit, { code: 1, signal: null });
  t.match(stderr, `argo-server: another argo-server (process ${first.pid}) runs on the state folder ${first.state}; `);
  t.notMatch(stderr, /"listening"|^\s+at /m);
  await act(t, first);
  const config = join(folder, 'argo-server.conf');
  for (const args of [['check'], ['audit'], ['account', 'list']]) {
    const { code, stderr: said } = await argoServer(folder, [...args, '--config', config]);
    t.equal(code, 0, `${args.join(' ')} beside a server: ${said}`);
  }
  await first.stop();
  t.same(sockets(first.state), [], 'it leaves nothing');
  const next = await startDaemon({ config: CONFIG, folder });
  t.teardown(() => next.stop());
  await act(t, next);
});

await t.test('kill -9 leaves no lock', async (t) => {
  const folder = scratch(t);
  for (let round = 0; round < 3; round += 1) {
    const daemon = await startDaemon({ config: CONFIG, folder });
    t.equal(sockets(daemon.state).length, 1, 'what others left is gone');
    await act(t, daemon);
    daemon.signal('SIGKILL');
    await daemon.exited;
  }
});

await t.test('of several that start at one moment exactly one runs', async (t) => {
  const folder = scratch(t);
  const started = await Promise.allSettled(Array.from({ length: 4 }, () => startDaemon({ config: CONFIG, folder })));
  const running = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  for (const daemon of running) t.teardown(() => daemon.stop());
  t.equal(running.length, 1);
  for (const result of started) if (result.status === 'rejected') t.match(String(result.reason), /another argo-server/);
});

await t.test('a reload with another state-dir only says so', async (t) => {
  const folder = scratch(t);
  const daemon = await startDaemon({ config: CONFIG, folder });
  t.teardown(() => daemon.stop());
  daemon.reconfigure(`[server]\nstate-dir = "${join(folder, 'other')}"\naudit-sync = "normal"\n${CONFIG}`);
  daemon.signal('SIGHUP');
  await until(() => daemon.stderr().includes('"msg":"reloaded"'), WITHIN, 'the reload');
  t.ok(await daemon.logs('state-dir changes at the next start only'));
  await act(t, daemon);
  t.equal(sockets(daemon.state).length, 1, 'the folder that it started with is still held');
});

await t.test('one that is stopped in its tracks is alive', async (t) => {
  const folder = scratch(t);
  const daemon = await startDaemon({ config: CONFIG, folder });
  t.teardown(() => daemon.stop());
  daemon.signal('SIGSTOP');
  t.match((await failure(folder)).stderr, /another argo-server runs on the state folder/);
  daemon.signal('SIGCONT');
  await act(t, daemon);
});

await t.test('folders with long names, and a file that is no socket', async (t) => {
  const folder = join(scratch(t), 'long'.repeat(40), 'longer'.repeat(20));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'running.0123456789ab'), '');
  const lock = await FolderLock.take(folder);
  await t.rejects(FolderLock.take(folder), { message: /another argo-server \(process \d+\) runs/ });
  t.equal(sockets(folder).length, 1);
  lock.release();
  (await FolderLock.take(folder)).release();
  t.same(sockets(folder), []);
});

await t.test('a folder in which no socket can be made holds nobody up', async (t) => {
  const folder = scratch(t);
  writeFileSync(join(folder, 'file'), '');
  const daemon = await startDaemon({ config: `[server]\nstate-dir = "${join(folder, 'file')}"\n${CONFIG}`, folder });
  t.teardown(() => daemon.stop());
  t.ok(await daemon.logs(/state folder cannot be held/));
  t.ok(await daemon.logs(/audit cannot be opened/));
  const client = await connect(daemon.port);
  await client.ask('auth steve steve');
  t.match(await client.ask('stop --force lj'), { code: 400, comment: 'AUDIT UNAVAILABLE: nothing was done' });
  t.same((await client.ask('status lj')).body, ['on']);
  client.destroy();
});
