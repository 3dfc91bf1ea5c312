import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { SHUTDOWN_TIMEOUT } from '../../src/kit/limits.js';
import { readAudit } from '../../src/store/audit-reader.js';
import { startDaemon, StartFailure, type Daemon, type DaemonOptions } from '../support/daemon.js';
import { connect, type LineClient } from '../support/line-client.js';
import { until } from '../support/until.js';

const HASH = '$2b$12$NputH3vRqBIdT3Fcq5GCFOmeRf0Z.6rUOcz6VRBiuKunt6qCHPKGO';
const STEVE = `[accounts.steve]\npassword = "${HASH}"\ngrants = [{ instances = ["*"], commands = ["*"] }]\n`;
const sim = (...lines: string[]): string => ['[providers.demo]', 'type = "sim"', 'instances = ["lj", "dev"]', ...lines, ''].join('\n');
const WITHIN = 20_000;

async function start(t: Test, options: DaemonOptions): Promise<{ daemon: Daemon; login: () => Promise<LineClient> }> {
  const daemon = await startDaemon(options);
  t.teardown(() => daemon.stop());
  return {
    daemon,
    login: async () => {
      const client = await connect(daemon.port);
      t.teardown(() => client.destroy());
      t.equal((await client.ask('auth steve steve')).code, 300);
      return client;
    },
  };
}

const failure = async (options: DaemonOptions): Promise<StartFailure> => {
  const error: unknown = await startDaemon(options).then((daemon) => daemon.stop(), (thrown: unknown) => thrown);
  if (!(error instanceof StartFailure)) throw error instanceof Error ? error : new Error('it has started');
  return error;
};

await t.test('SIGTERM lets what runs end, says why to the others, and ends with 0', async (t) => {
  const { daemon, login } = await start(t, { config: STEVE + sim('latency = "500ms"') });
  const [acting, idle] = [await login(), await login()];
  acting.send('pause lj\nstatus dev\n');
  await acting.expect('200 OK\n');
  daemon.signal('SIGTERM');
  t.equal(await idle.closed(WITHIN), '400 SHUTTING DOWN\n');
  await t.rejects(connect(daemon.port), { code: 'ECONNREFUSED' }, 'nobody comes in any more');
  t.equal(await acting.closed(WITHIN), '300 DONE\n400 SHUTTING DOWN\n', 'the action is answered; what was sent behind it is not begun');
  acting.end();
  idle.end();
  t.same(await daemon.exited, { code: 0, signal: null });
  t.ok(await daemon.logs(/"msg":"stopping"[\s\S]*"msg":"stopped"/));
});

await t.test('the audit has what SIGTERM let end', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-life-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const { daemon, login } = await start(t, { config: STEVE + sim('latency = "300ms"'), folder });
  const client = await login();
  client.line('stop lj --force');
  await client.expect('200 OK\n');
  daemon.signal('SIGTERM');
  await client.closed(WITHIN);
  client.end();
  await daemon.exited;
  const records = [];
  for await (const record of readAudit(daemon.state, {})) records.push(record);
  t.match(records, [{ account: 'steve', command: 'stop', options: '--force', instance: 'demo/lj', outcome: 'done' }]);
});

await t.test('clients that never close do not keep the daemon from ending', async (t) => {
  const { daemon, login } = await start(t, { config: STEVE + sim() });
  await login();
  const blind = await login();
  blind.socket.pause();
  const began = performance.now();
  daemon.signal('SIGTERM');
  t.same(await daemon.exited, { code: 0, signal: null });
  t.ok(performance.now() - began < 14_000, 'before the grace for actions is over');
});

await t.test('a second signal ends at once', async (t) => {
  const { daemon, login } = await start(t, { config: STEVE + sim('faults = { lj = "hang" }', 'action-timeout = "60s"') });
  const client = await login();
  client.line('pause lj');
  await client.expect('200 OK\n');
  daemon.signal('SIGTERM');
  await until(() => daemon.stderr().includes('"msg":"stopping"'), WITHIN, 'the first signal');
  daemon.signal('SIGINT');
  t.same(await daemon.exited, { code: 1, signal: null });
  const records = [];
  for await (const record of readAudit(daemon.state, {})) records.push(record);
  t.match(records, [{ command: 'pause', instance: 'demo/lj', outcome: 'SHUTTING DOWN' }], 'and says how the action ended');
});

await t.test('calls that hang do not keep the daemon beyond the time that it says', async (t) => {
  const { daemon, login } = await start(t, { config: STEVE + sim('faults = { lj = "hang" }', 'action-timeout = "24h"') });
  const acting = await login();
  acting.line('pause lj');
  await acting.expect('200 OK\n');
  const readings = [];
  for (const request of ['uptime lj --timeout=24h', 'status lj --timeout=24h', 'start lj --dry-run --timeout=24h']) {
    const reading = await login();
    reading.line(request);
    await reading.expect('200 OK\n');
    readings.push(reading);
  }
  const began = performance.now();
  daemon.signal('SIGTERM');
  for (const reading of readings) t.match(await reading.closed(SHUTDOWN_TIMEOUT), /400 SHUTTING DOWN\n$/, 'a reading is told why it ends');
  t.same(await daemon.exited, { code: 0, signal: null });
  t.ok(performance.now() - began < SHUTDOWN_TIMEOUT);
});

await t.test('a port that is taken', async (t) => {
  const taken = createServer();
  await new Promise<void>((resolve) => { taken.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  for (const listen of [`["127.0.0.1:${port}"]`, `["127.0.0.1:${port}", "127.0.0.1:0"]`]) {
    const { exit, stderr } = await failure({ config: `[server]\nlisten = ${listen}\n${sim()}` });
    t.equal(exit.code, 1);
    t.match(stderr, new RegExp(`argo-server: cannot listen on 127\\.0\\.0\\.1:${port}: another program listens there already`));
  }
});

await t.test('one port of several that is taken ends the whole', async (t) => {
  const taken = createServer();
  await new Promise<void>((resolve) => { taken.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  // the first listens for a moment, so that the helper takes it as started
  const daemon = await startDaemon({ config: `[server]\nlisten = ["127.0.0.1:0", "127.0.0.1:${port}"]\n${sim()}` }).catch((error: unknown) => error);
  const exit = daemon instanceof StartFailure ? daemon.exit : await (daemon as Daemon).exited;
  t.same(exit, { code: 1, signal: null });
});

await t.test('addresses that are not ours, and files that are not there', async (t) => {
  t.match(await failure({ config: '[server]\nlisten = ["192.0.2.1:1"]\n' }), { exit: { code: 1 }, stderr: /this machine has no such address/ });
  t.match(await failure({ args: ['--config', '/nonexistent.conf'] }), { exit: { code: 1 }, stderr: /argo-server: \/nonexistent\.conf: cannot be read: there is no such file/ });
  t.match(await failure({ env: { ARGO_CONFIG: '/nonexistent.conf' } }), { exit: { code: 1 }, stderr: /\/nonexistent\.conf: cannot be read/ });
  t.match(await failure({ config: '[server]\nbogus = 1\n' }), { exit: { code: 1 }, stderr: /argo-server\.conf:\d+:\d+: unknown key bogus; there are listen, .*\n$/ });
  t.match(await failure({ config: '[server]\ntls-listen = ["127.0.0.1:0"]\ntls-cert = "/nonexistent.pem"\ntls-key = "/nonexistent.pem"\n' }), { exit: { code: 1 }, stderr: /nonexistent\.pem/ });
});

await t.test('what is named on the command line goes before the environment', async (t) => {
  const { daemon } = await start(t, { config: sim(), env: { ARGO_CONFIG: '/nonexistent.conf' } });
  const client = await connect(daemon.port);
  t.same((await client.ask('list')).body, ['lj', 'dev']);
  client.destroy();
});

await t.test('a start without a configuration: a password once, and the same state again', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-life-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const env = { ARGO_STATE_DIR: join(folder, 'state') };
  const args = ['--listen', '127.0.0.1:0'];
  const first = await startDaemon({ args, env, folder });
  t.teardown(() => first.stop());
  await until(() => first.stdout().includes('exit\n'), WITHIN, 'the greeting');
  const password = readFileSync(join(first.state, 'admin-password'), 'utf8').trim();
  t.match(password, /^[A-Za-z2-9]{20}$/);
  t.notMatch(first.stderr(), password, 'never in the log');
  const client = await connect(first.port);
  t.equal((await client.ask('status *')).comment, 'NOT AUTHENTICATED');
  t.equal((await client.ask(`auth admin ${password}`)).code, 300);
  t.equal((await client.ask('status *')).code, 300);
  client.destroy();
  await first.stop();
  const second = await startDaemon({ args, env, folder });
  t.teardown(() => second.stop());
  await until(() => second.stdout().includes('exit\n'), WITHIN, 'the greeting');
  t.match(second.stdout(), /made at an earlier start\. Its password is in .*admin-password,/);
  const again = await connect(second.port);
  t.equal((await again.ask(`auth admin ${password}`)).code, 300, 'the password of the first start');
  again.destroy();
});
