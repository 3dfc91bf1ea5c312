import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { hash } from 'bcrypt';
import t, { type Test } from 'tap';
import { BCRYPT_COST } from '../../src/kit/limits.js';
import { startDaemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { which } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { until } from '../support/until.js';

const hashed = await hash('steve', BCRYPT_COST);

const configuration = (gateways: string): string => `
[accounts.steve]
password = "${hashed}"
grants = [{ instances = ["*"], commands = ["*"] }]
[accounts.prom]
password = "${hashed}"
grants = [{ instances = ["demo/lj"], commands = ["read"] }]
[providers.demo]
type = "sim"
instances = ["lj", { name = "test", state = "off" }]
[providers.secret]
type = "sim"
instances = ["x1"]
${gateways}`;

const METRICS = '[gateways.metrics]\ntype = "metrics"\nlisten = ["127.0.0.1:0"]\n';

async function start(t: Test, gateways: string) {
  const daemon = await startDaemon({ config: configuration(gateways), listeners: 2 });
  t.teardown(() => daemon.stop());
  return { daemon, url: `http://127.0.0.1:${daemon.ports[1]}/metrics` };
}

const basic = (name: string, password: string): RequestInit => ({ headers: { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` } });

await t.test('figures of the whole process, for everybody who may connect', async (t) => {
  const { daemon, url } = await start(t, METRICS);
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  await client.ask('auth steve steve');
  await client.ask('stop lj --wait');
  const response = await fetch(url);
  t.equal(response.status, 200);
  t.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  const text = await response.text();
  for (const line of [
    /^argo_build_info\{version="[^"]+",node="[^"]+"\} 1$/m, /^argo_connections\{listener="127\.0\.0\.1:0"\} 1$/m, /^argo_requests_total\{command="stop"\} 1$/m,
    /^argo_logins_total\{result="done"\} 1$/m, /^argo_provider_up\{provider="demo"\} 1$/m, /^argo_instances\{provider="demo",state="off"\} 2$/m,
    /^process_cpu_seconds_total [\d.]+$/m, /^process_resident_memory_bytes \d+$/m, /^argo_eventloop_lag_seconds_bucket\{le="\+Inf"\} \d+$/m,
  ]) t.match(text, line);
  t.equal((await fetch(url.replace('/metrics', '/other'))).status, 404);
  t.equal((await fetch(`${url}/below`)).status, 404);
  t.equal((await fetch(url, { method: 'POST', body: 'x' })).status, 405);

  await t.test('Prometheus finds nothing wrong with them', { skip: which('promtool') === undefined && 'needs promtool (Debian: prometheus)' }, async (t) => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    t.equal(status, 0, stdout + stderr);
    t.equal(stdout + stderr, '', 'not even a warning');
  });
});

await t.test('with an account it asks for a login, and shows what that account sees', async (t) => {
  const { url } = await start(t, `${METRICS}account = "prom"\n`);
  const refused = await fetch(url);
  t.equal(refused.status, 401);
  t.match(refused.headers.get('www-authenticate'), /^Basic /);
  for (const [name, password] of [['prom', 'wrong'], ['steve', 'steve'], ['nobody', 'steve']] as const) t.equal((await fetch(url, basic(name, password))).status, 401, name);
  const text = await (await fetch(url, basic('prom', 'steve'))).text();
  t.match(text, /^argo_instances\{provider="demo",state="on"\} 1$/m);
  t.match(text, /^argo_instances\{provider="demo",state="off"\} 0$/m, 'what it may not see is not counted');
  t.notMatch(text, 'secret');
  t.notMatch(text, 'argo_requests_total');
});

await t.test('an account that sees all is shown all; one that sees a provider, what is done there', async (t) => {
  const { daemon, url } = await start(t, `${METRICS}account = "steve"\n`);
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  await client.ask('auth steve steve');
  await client.ask('stop x1 --wait');
  await client.ask('stop lj --wait');
  const all = await (await fetch(url, basic('steve', 'steve'))).text();
  for (const line of [/^argo_requests_total\{command="stop"\} 2$/m, /^argo_actions_total\{provider="secret",/m, /^argo_actions_running\{provider="secret"\} 0$/m, /^argo_instance_state\{provider="secret",/m]) t.match(all, line);
  daemon.reconfigure(configuration(`${METRICS}account = "steve"\n`).replace('instances = ["*"], commands = ["*"]', 'instances = ["demo/*"], commands = ["read"]'));
  daemon.signal('SIGHUP');
  await until(() => daemon.stderr().includes('"reloaded"'), 10_000, 'the reload');
  const part = await (await fetch(url, basic('steve', 'steve'))).text();
  t.match(part, /^argo_actions_total\{provider="demo",command="stop",outcome="done"\} 1$/m);
  t.match(part, /^argo_instance_state\{provider="demo",instance="lj",state="off"\} 1$/m);
  t.notMatch(part, /secret|argo_requests_total/);
});

await t.test('instances have series of their own where they are to, and are not too many', async (t) => {
  const { daemon, url } = await start(t, `${METRICS}max-series = 27\n`);
  const scrape = async (): Promise<string> => (await fetch(url)).text();
  const become = async (gateways: string): Promise<string> => {
    const before = daemon.stderr().length;
    daemon.reconfigure(configuration(gateways));
    daemon.signal('SIGHUP');
    await until(() => daemon.stderr().slice(before).includes('"reloaded"'), 10_000, 'the reload');
    return scrape();
  };
  t.match(await scrape(), /^argo_instance_series_left_out 0$[^]*^argo_instance_state\{provider="demo",instance="test",state="off"\} 1$/m);
  const few = await become(`${METRICS}max-series = 26\n`);
  t.match(few, /^argo_instance_series_left_out 27$/m);
  t.match(few, /^argo_instances\{provider="demo",state="on"\} 1$/m);
  t.notMatch(few, 'argo_instance_state');
  await scrape();
  t.notMatch(await become(`${METRICS}instances = false\n`), /argo_instance_s/);
  t.match(await become(METRICS), 'argo_instance_state{');
  t.equal(daemon.stderr().match(/too many instances for series of their own/g)?.length, 1, 'it is said once');
});

await t.test('who reads slowly, or not at all, costs no memory', async (t) => {
  const daemon = await startDaemon({ config: configuration(`[providers.many]\ntype = "sim"\ncount = 10000\n${METRICS}max-series = 1000000\n`), listeners: 2 });
  t.teardown(() => daemon.stop());
  const url = `http://127.0.0.1:${daemon.ports[1]}/metrics`;
  const memory = async (): Promise<[number, number]> => {
    const text = await (await fetch(url)).text();
    return [Number(/^process_resident_memory_bytes (\d+)$/m.exec(text)?.[1]), text.length];
  };
  // what a scrape needs by itself, and V8 keeps
  for (let at = 0; at < 5; at += 1) await memory();
  const [before, size] = await memory();
  const sockets = await Promise.all(Array.from({ length: 40 }, async () => {
    const socket = createConnection(daemon.ports[1]!, '127.0.0.1');
    t.teardown(() => socket.destroy());
    socket.write('GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(socket, 'readable');
    return socket;
  }));
  await memory();
  const [after] = await memory();
  t.ok(size > 4e6, `${size} bytes a scrape`);
  t.ok(after - before < sockets.length * size / 3, `${(after - before) / 1e6} MB more for ${sockets.length} readers`);
  t.notOk(sockets.some(({ destroyed }) => destroyed));
});

await t.test('a reload changes only what its table says; a port that cannot be had changes nothing', async (t) => {
  const metrics = METRICS.replace(':0"', `:${await freePort()}"`);
  const { daemon, url } = await start(t, metrics);
  const reload = async (gateways: string, said: string): Promise<void> => {
    const before = daemon.stderr().length;
    daemon.reconfigure(configuration(gateways));
    daemon.signal('SIGHUP');
    await until(() => daemon.stderr().slice(before).includes(said), 10_000, said);
  };
  await reload(`${metrics}# a comment\n`, '"reloaded"');
  t.equal((await fetch(url)).status, 200, 'the same port as before');
  await reload(`${metrics}[gateways.taken]\ntype = "metrics"\nlisten = ["127.0.0.1:${daemon.port}"]\n`, `gateway taken: cannot listen on 127.0.0.1:${daemon.port}: another program listens there already`);
  t.equal((await fetch(url)).status, 200);
  await reload(`${metrics}from = ["192.0.2.0/24"]\n`, '"reloaded"');
  t.equal((await fetch(url)).status, 403, 'not from there');
  await reload(metrics.replace('[gateways.metrics]', '[gateways.figures]'), '"reloaded"');
  t.equal((await fetch(url)).status, 200, 'under another name');
  await reload('', '"reloaded"');
  // the connection of the last answer may be open still, on which it is said that the server is ending
  const answers: number[] = [];
  await until(() => fetch(url).then(({ status }) => { answers.push(status); return false; }, () => true), 10_000, 'nobody to listen any more');
  t.same(answers.filter((status) => status !== 503), []);
});

await t.test('its table is checked like a provider\'s', async (t) => {
  for (const [table, message] of [
    ['[gateways.x]\n', /gateways\.x needs a type: one of metrics/],
    ['[gateways.x]\ntype = "metrix"\n', /there is no gateway for type "metrix"; there are metrics/],
    ['[gateways.x]\ntype = "metrics"\nlissen = []\n', /:\d+:1: unknown key lissen/],
    ['[gateways.x]\ntype = "metrics"\nlisten = ["127.0.0.1:9"]\nmax-series = -1\n', /:\d+:\d+: .*max-series/],
    ['[gateways.x]\ntype = "metrics"\nlisten = ["127.0.0.1:9"]\ninstances = "yes"\n', /:\d+:\d+: .*instances/],
    ['[gateways.x]\ntype = "metrics"\naccount = "who"\n', /there is no account who/],
    ['[gateways."a b"]\ntype = "metrics"\n', /"a b" cannot be used as a name/],
    ['[gateways.x]\ntype = "metrics"\nlisten = ["127.0.0.1:9"]\n[gateways.y]\ntype = "metrics"\nlisten = ["127.0.0.1:8", "127.0.0.1:9"]\n', /:\d+:\d+: the gateway x is there already/],
    ['[gateways.x]\ntype = "metrics"\n', /:\d+:\d+: listen and tls-listen are both empty/],
  ] as const) {
    const failure = await startDaemon({ config: configuration(table), listeners: 2 }).then((daemon) => daemon.stop(), (error: unknown) => error);
    t.match((failure as { stderr?: string }).stderr, message);
  }
});
