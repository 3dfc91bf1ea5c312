import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hash } from 'bcrypt';
import t, { type Test } from 'tap';
import { BCRYPT_COST } from '../../src/kit/limits.js';
import { codeWords, readDocument, section, tableRows } from '../docs/markdown.js';
import { ProcessGroup } from '../peers/process-group.js';
import { startDaemon, type Daemon } from '../support/daemon.js';
import { choicesOf, expressionsOf, type Dashboard } from '../support/dashboard.js';
import { documented } from '../support/documented.js';
import { connect } from '../support/line-client.js';
import { fromRoot } from '../support/paths.js';
import { lacks } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { until } from '../support/until.js';

/** For a scrape a second, on a busy machine. */
const WAIT_MS = 60_000;

const hashed = await hash('steve', BCRYPT_COST);

const CONFIGURATION = `
[accounts.steve]
password = "${hashed}"
grants = [{ instances = ["*"], commands = ["*"] }]
[accounts.prometheus]
password = "${hashed}"
grants = [{ instances = ["demo/*"], commands = ["read"] }]
[providers.demo]
type = "sim"
instances = ["lj", { name = "a \\"quoted\\" \\\\ name", state = "off" }, { name = "ill", state = "crashed" }]
[providers.secret]
type = "sim"
instances = ["x1"]
[gateways.open]
type = "metrics"
listen = ["127.0.0.1:0"]
[gateways.closed]
type = "metrics"
listen = ["127.0.0.1:0"]
account = "prometheus"
`;

/** What a reader of the dashboard can choose from. */
const CHOICES: Readonly<Record<string, readonly string[]>> = { provider: ['demo', 'secret'], instance: ['a "quoted" \\ name', 'ill', 'lj', 'x1'] };

interface Series { readonly metric: Readonly<Record<string, string>>; readonly value: readonly [number, string] }

/** What the documents have Prometheus read, by the names of files: jobs for both gateways, and rules. */
function configured(t: Test, daemon: Daemon): Readonly<Record<string, string>> {
  const settings = (port: number | undefined, every: string, here: Readonly<Record<string, string>> = {}): string => documented(t, 'docs/metrics.md', 'scrape_configs:', {
    'scrape_interval: 30s': `scrape_interval: ${every}`, '127.0.0.1:9720': `127.0.0.1:${port}`, ...here,
  });
  const open = settings(daemon.ports[1], '1s').replace(/^ +basic_auth:.*\n(?: {6}.*\n)*/m, '');
  const closed = /^ {2}- [^]*?^(?=\S)/m.exec(settings(daemon.ports[2], '5s', { 'job_name: argo': 'job_name: login', '/etc/prometheus/': '' }))![0];
  return {
    'prometheus.yml': `global: { evaluation_interval: 1s }\n${open.replace('rule_files:\n', `${closed}rule_files:\n  - wanted.yml\n`)}`,
    'argo.password': 'steve',
    'argo-alerts.yml': readFileSync(fromRoot('docs/prometheus/argo-alerts.yml'), 'utf8'),
    'wanted.yml': documented(t, 'docs/integrations/prometheus.md', 'groups:', { 'instance=~"web.*"': 'instance="lj"', 'for: 5m': 'for: 1s' }),
  };
}

/** Prometheus as its package has it, which scrapes both gateways. */
async function startPrometheus(t: Test, daemon: Daemon) {
  const folder = mkdtempSync(join(tmpdir(), 'argo-prometheus-'));
  for (const [name, text] of Object.entries(configured(t, daemon))) writeFileSync(join(folder, name), text);
  const port = await freePort();
  const program = new ProcessGroup('prometheus', [
    `--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=127.0.0.1:${port}`,
  ]);
  t.teardown(async () => {
    await program.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const get = async (path: string): Promise<unknown> => {
    const answer = await (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).json() as { status: string; error?: string; data: unknown };
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  };
  await until(() => get('status/buildinfo').then(() => true, () => false), WAIT_MS, 'Prometheus').catch((error: unknown) => { throw new Error(program.output, { cause: error }); });
  const query = async (expression: string): Promise<readonly Series[]> => (await get(`query?query=${encodeURIComponent(expression)}`) as { result: readonly Series[] }).result;
  return { get, query, value: async (expression: string) => (await query(expression))[0]?.value[1] };
}

await t.test('a real Prometheus collects the figures', { skip: lacks('prometheus'), timeout: 170_000 }, async (t) => {
  const daemon = await startDaemon({ config: CONFIGURATION, listeners: 3 });
  t.teardown(() => daemon.stop());
  const prometheus = await startPrometheus(t, daemon);
  const becomes = (expression: string, value: string | undefined): Promise<void> =>
    until(async () => await prometheus.value(expression) === value, WAIT_MS, `${expression} to be ${value}`);
  await becomes('up{job="argo"}', '1');
  await becomes('up{job="login"}', '1');
  await becomes('argo_instance_state{job="argo",instance="lj",state="on"}', '1');

  await t.test('a stop is seen', async (t) => {
    const client = await connect(daemon.port);
    t.teardown(() => client.destroy());
    await client.ask('auth steve steve');
    await client.ask('stop lj --wait');
    await becomes('argo_instance_state{job="argo",provider="demo",instance="lj",state="off"}', '1');
    t.equal(await prometheus.value('argo_instance_state{job="argo",provider="demo",instance="lj",state="on"}'), '0');
    t.equal(await prometheus.value('argo_actions_total{job="argo",provider="demo",command="stop",outcome="done"}'), '1');
    t.ok(Number(await prometheus.value('time() - argo_instance_state_since_timestamp_seconds{job="argo",instance="lj"}')) < 120);
    t.equal(await prometheus.value(String.raw`argo_instance_state{job="argo",instance="a \"quoted\" \\ name",state="off"}`), '1', 'any name comes through');
  });

  await t.test('who logs in has what its account sees', async (t) => {
    const providers = (await prometheus.query('argo_provider_up{job="login"}')).map(({ metric }) => metric.provider);
    t.same(providers, ['demo']);
    t.same(await prometheus.query('{job="login",provider="secret"}'), []);
    t.same(await prometheus.query('argo_requests_total{job="login"}'), []);
    // it covers that provider
    await becomes('argo_actions_total{job="login",provider="demo",outcome="done"}', '1');
  });

  await t.test('alerts and dashboard can be evaluated', async (t) => {
    type Rule = { readonly name: string; readonly health: string; readonly lastError?: string };
    const rules = async (): Promise<readonly Rule[]> => (await prometheus.get('rules') as { groups: readonly { rules: readonly Rule[] }[] }).groups.flatMap((group) => group.rules);
    t.ok((await rules()).length > 10);
    await until(async () => (await rules()).every(({ health }) => health !== 'unknown'), WAIT_MS, 'all rules to be evaluated');
    t.same((await rules()).filter(({ health }) => health !== 'ok').map(({ name, lastError }) => [name, lastError]), []);
    const dashboard = JSON.parse(readFileSync(fromRoot('docs/grafana/argo-dashboard.json'), 'utf8')) as Dashboard;
    // a rate needs two scrapes
    for (const expression of expressionsOf(dashboard)) {
      if (/webhook|UNCERTAIN/.test(expression)) await prometheus.query(expression);
      else await until(async () => (await prometheus.query(expression)).length > 0, WAIT_MS, `something to show: ${expression}`);
    }
    t.same(choicesOf(dashboard).map(({ label }) => label), Object.keys(CHOICES));
    for (const { label, of } of choicesOf(dashboard)) t.same(await prometheus.get(`label/${label}/values?match[]=${encodeURIComponent(of)}`), CHOICES[label], of);
  });

  await t.test('the questions of the document are good ones', async () => {
    const questions = tableRows(section(readDocument('docs/metrics.md'), '## Prometheus')).map(([question = '']) => codeWords(question)[0]!);
    for (const question of questions) {
      // nothing has failed, and there is no fleet
      if (/already so|fleet/.test(question)) await prometheus.query(question);
      else await until(async () => (await prometheus.query(question)).length > 0, WAIT_MS, `an answer: ${question}`);
    }
  });

  await t.test('a machine that shall be on is told of', () => becomes('ALERTS{alertname="WebServerNotOn",alertstate="firing",job="argo",provider="demo",instance="lj"}', '1'));
});
