import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { connect } from '../support/line-client.js';
import { fromRoot } from '../support/paths.js';
import { lacks } from '../support/peers.js';
import { runProgram } from '../support/programs.js';
import { until } from '../support/until.js';
import { startDemo } from './demo.js';
import { blocksOf, codeWords, readDocument, tableRows } from './markdown.js';
import { expressionsOf, type Dashboard } from '../support/dashboard.js';

const DOCUMENT = readDocument('docs/metrics.md');
const ALL = DOCUMENT.slice(DOCUMENT.indexOf('## All figures'));
const ROWS = tableRows(ALL).map(([name = '', kind = '', labels = '']) => ({ name: codeWords(name)[0]!, kind, labels: codeWords(labels) }));
const DASHBOARD = JSON.parse(readFileSync(fromRoot('docs/grafana/argo-dashboard.json'), 'utf8')) as Dashboard;
const RULES = fromRoot('docs/prometheus/argo-alerts.yml');

/** Those that are there only where there are webhooks, a gateway for Zabbix, or a fleet; what makes them has tests of its own. */
const ELSEWHERE = [
  'argo_webhook_deliveries_total', 'argo_webhook_backlog',
  'argo_zabbix_values_total', 'argo_zabbix_dropped_values_total', 'argo_zabbix_exchanges_total', 'argo_zabbix_backlog', 'argo_zabbix_items', 'argo_zabbix_unsupported_items',
  'argo_zabbix_tasks', 'argo_zabbix_last_contact_timestamp_seconds', 'argo_zabbix_upload_disabled', 'argo_zabbix_waiting_values', 'argo_zabbix_skipped_values_total', 'argo_zabbix_clock_leaps_total',
  'argo_fleet_bus_up', 'argo_fleet_outbox', 'argo_fleet_site_up', 'argo_fleet_site_heard_timestamp_seconds', 'argo_fleet_site_clock_skew_seconds', 'argo_fleet_site_orders', 'argo_fleet_site_outbox',
];

/** For a busy machine. */
const WAIT_MS = 60_000;

/** What a text has of each figure. */
function shownIn(text: string): Map<string, { kind: string; labels: Set<string> }> {
  const shown = new Map<string, { kind: string; labels: Set<string> }>();
  let name = '';
  for (const line of text.split('\n')) {
    const [, typed, kind = ''] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (typed !== undefined) shown.set(name = typed, { kind, labels: new Set() });
    else if (!line.startsWith('#')) for (const [, label = ''] of line.matchAll(/[{,](\w+)="/g)) shown.get(name)!.labels.add(label);
  }
  return shown;
}

interface Place { readonly x: number; readonly y: number; readonly w: number; readonly h: number }

const overlap = (a: Place, b: Place): boolean => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

await t.test('the table has every figure that is shown, with its kind and labels', async (t) => {
  const daemon = await startDemo(t, {
    tables: '[plans.night]\naccount = "steve"\nstages = [{ name = "all", stop = ["web1"] }]\n[gateways.metrics]\ntype = "metrics"\nlisten = ["127.0.0.1:0"]\n',
  });
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  await client.ask('auth steve steve');
  await client.ask('stop lj --wait');
  await client.ask('made-up-by-a-client lj');
  t.equal((await client.ask('plan run night --follow')).code, 300);
  await client.ask('plan hold night');
  const scrape = async (): Promise<string> => (await fetch(`http://127.0.0.1:${daemon.ports[1]}/metrics`)).text();
  // what became of the targets is read from the disk when the run has ended
  await until(async () => (await scrape()).includes('argo_plan_targets_total{'), WAIT_MS, 'the targets of the run');
  const text = await scrape();
  const shown = shownIn(text);
  t.notMatch(text, 'made-up');
  for (const line of ['argo_plan_runs_total{plan="night",outcome="done"} 1', 'argo_plan_targets_total{plan="night",outcome="done"} 1', 'argo_plan_held{plan="night"} 1', 'argo_plan_runs{plan="night",state="running"} 0']) t.ok(text.includes(`${line}\n`), line);
  const here = ROWS.filter(({ name }) => !ELSEWHERE.includes(name));
  t.same([...shown.keys()].sort(), here.map(({ name }) => name).sort());
  for (const { name, kind, labels } of here) {
    t.equal(shown.get(name)?.kind, kind, name);
    t.same([...shown.get(name)?.labels ?? []].filter((label) => label !== 'le').sort(), [...labels].sort(), name);
  }
});

await t.test('the settings for Prometheus are as it takes them', { skip: lacks('promtool') }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-prometheus-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const settings = blocksOf(DOCUMENT).find(({ language }) => language === 'yaml')!.text.replace('/etc/prometheus/argo.password', 'argo.password');
  writeFileSync(join(folder, 'prometheus.yml'), settings);
  writeFileSync(join(folder, 'argo.password'), 'secret');
  writeFileSync(join(folder, 'argo-alerts.yml'), readFileSync(RULES));
  const { code, stdout, stderr } = await runProgram('promtool', ['check', 'config', 'prometheus.yml'], { cwd: folder });
  t.equal(code, 0, stdout + stderr);
});

await t.test('the alerts are good rules, and fire when they should', { skip: lacks('promtool') }, async (t) => {
  for (const args of [['check', 'rules', '--lint=all', '--lint-fatal', 'argo-alerts.yml'], ['test', 'rules', 'argo-alerts.test.yml']]) {
    const { code, stdout, stderr } = await runProgram('promtool', args, { cwd: fromRoot('docs/prometheus') });
    t.equal(code, 0, stdout + stderr);
  }
  const named = (text: string): string[] => [...text.matchAll(/\bArgo\w+/g)].map(([name]) => name);
  const rules = named(readFileSync(RULES, 'utf8').match(/alert: .*/g)!.join('\n'));
  const tested = new Set(named(readFileSync(fromRoot('docs/prometheus/argo-alerts.test.yml'), 'utf8')));
  t.same(rules.filter((name) => !tested.has(name)), [], 'each has a test');
});

await t.test('what alerts and dashboard ask for is in the table', (t) => {
  const known = new Set(ROWS.flatMap(({ name, kind }) => (kind === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name])));
  const asked = [...expressionsOf(DASHBOARD), ...DASHBOARD.templating.list.map(({ query }) => JSON.stringify(query)), readFileSync(RULES, 'utf8')]
    .flatMap((text) => text.match(/\b(?:argo|process)_\w+/g) ?? []);
  t.same([...new Set(asked)].filter((name) => !known.has(name)), []);
  t.end();
});

await t.test('the dashboard is whole', { skip: lacks('promtool') }, async (t) => {
  const { panels } = DASHBOARD;
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length, 'each panel has a number of its own');
  for (const one of panels) for (const other of panels) if (one !== other) t.notOk(overlap(one.gridPos, other.gridPos), `${one.title} beside ${other.title}`);
  const folder = mkdtempSync(join(tmpdir(), 'argo-grafana-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const rules = expressionsOf(DASHBOARD).map((expr, at) => ({ record: `dashboard:${at}`, expr }));
  // JSON is YAML
  writeFileSync(join(folder, 'rules.yml'), JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
  const { code, stdout, stderr } = await runProgram('promtool', ['check', 'rules', 'rules.yml'], { cwd: folder });
  t.equal(code, 0, stdout + stderr);
});
