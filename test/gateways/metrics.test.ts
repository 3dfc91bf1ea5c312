import { spawnSync } from 'node:child_process';
import { hash } from 'bcrypt';
import t, { type Test } from 'tap';
import { BCRYPT_COST } from '../../src/kit/limits.js';
import { startDaemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { which } from '../support/peers.js';
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

await t.test('a reload changes only what its table says; a port that cannot be had changes nothing', async (t) => {
  const { daemon, url } = await start(t, METRICS);
  const reload = async (gateways: string, said: string): Promise<void> => {
    const before = daemon.stderr().length;
    daemon.reconfigure(configuration(gateways));
    daemon.signal('SIGHUP');
    await until(() => daemon.stderr().slice(before).includes(said), 10_000, said);
  };
  await reload(`${METRICS}# a comment\n`, '"reloaded"');
  t.equal((await fetch(url)).status, 200, 'the same port as before');
  await reload(`${METRICS}[gateways.taken]\ntype = "metrics"\nlisten = ["127.0.0.1:${daemon.port}"]\n`, `gateway taken: cannot listen on 127.0.0.1:${daemon.port}: another program listens there already`);
  t.equal((await fetch(url)).status, 200);
  await reload(`${METRICS}from = ["192.0.2.0/24"]\n`, '"reloaded"');
  t.equal((await fetch(url)).status, 403, 'not from there');
  await reload(METRICS.replace('[gateways.metrics]', '[gateways.figures]'), '"reloaded"');
  t.equal((await fetch(url)).status, 200, 'under another name');
  await reload('', '"reloaded"');
  await t.rejects(fetch(url), 'nobody listens any more');
});

await t.test('its table is checked like a provider\'s', async (t) => {
  for (const [table, message] of [
    ['[gateways.x]\n', /gateways\.x needs a type: one of metrics/],
    ['[gateways.x]\ntype = "metrix"\n', /there is no gateway for type "metrix"; there are metrics/],
    ['[gateways.x]\ntype = "metrics"\nlissen = []\n', /:\d+:1: unknown key lissen/],
    ['[gateways.x]\ntype = "metrics"\naccount = "who"\n', /there is no account who/],
    ['[gateways."a b"]\ntype = "metrics"\n', /"a b" cannot be used as a name/],
    ['[gateways.x]\ntype = "metrics"\nlisten = ["127.0.0.1:9"]\n[gateways.y]\ntype = "metrics"\nlisten = ["127.0.0.1:8", "127.0.0.1:9"]\n', /:\d+:\d+: the gateway x is there already/],
    ['[gateways.x]\ntype = "metrics"\n', /:\d+:\d+: listen and tls-listen are both empty/],
  ] as const) {
    const failure = await startDaemon({ config: configuration(table), listeners: 2 }).then((daemon) => daemon.stop(), (error: unknown) => error);
    t.match((failure as { stderr?: string }).stderr, message);
  }
});
