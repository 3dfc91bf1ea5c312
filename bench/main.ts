/**
 * `npm run bench`: one table, argo-server beside its peers in the same run.
 *
 *     node dist/bench/main.js [--only NAME]… [--quick] [--json FILE]
 *
 * Exit code 1 when a target was missed, 2 on wrong usage. What it measures and how: docs/performance.md.
 */
import { writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { cleanUp } from './process.js';
import { formatTable, missed, type Row } from './report.js';
import { audit } from './rows/audit.js';
import { files } from './rows/files.js';
import { fleet } from './rows/fleet.js';
import { hosts, ssh } from './rows/hosts.js';
import { hypervRows } from './rows/hyperv.js';
import { libvirt } from './rows/libvirt.js';
import { metrics } from './rows/metrics.js';
import { powerman, upsd } from './rows/peers.js';
import { consoles } from './rows/consoles.js';
import { oms } from './rows/oms.js';
import { omsLibvirt } from './rows/oms-libvirt.js';
import { page } from './rows/page.js';
import { pingMany, pingSweep } from './rows/ping.js';
import { plans } from './rows/plans.js';
import { pushed } from './rows/pushed.js';
import { glob, hung, listCost, polls } from './rows/scale.js';
import { selection } from './rows/selection.js';
import { connects, memory, startup } from './rows/size.js';
import { watch } from './rows/watch.js';
import { templates } from './rows/templates.js';
import { vmserverd } from './rows/vmserverd.js';
import { vsphere } from './rows/vsphere.js';
import { list, nop } from './rows/wire.js';
import { web } from './rows/web.js';
import { wsman } from './rows/wsman.js';
import { xenserver } from './rows/xenserver.js';
import { zabbix } from './rows/zabbix.js';
import { zabbixCollecting } from './rows/zabbix-collecting.js';
import { FULL, QUICK, type Scenario } from './scenario.js';

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  nop, list, watch, connects, memory, startup, 'list-cost': listCost, polls, selection, glob, hung, audit, metrics, plans, upsd, powerman, libvirt, pushed,
  'ping-sweep': pingSweep, 'ping-many': pingMany, ssh, hosts, xenserver, vsphere, wsman, hyperv: hypervRows, zabbix, 'zabbix-collecting': zabbixCollecting,
  templates, web, page, consoles, oms, 'oms-libvirt': omsLibvirt, vmserverd, files, fleet,
};

const USAGE = `usage: node dist/bench/main.js [--only NAME]… [--quick] [--json FILE]
names: ${Object.keys(SCENARIOS).join(' ')}`;

function usage(problem: string): never {
  console.error(`${problem}\n${USAGE}`);
  process.exit(2);
}

function readArguments() {
  try {
    return parseArgs({
      options: { only: { type: 'string', multiple: true }, quick: { type: 'boolean' }, json: { type: 'string' }, help: { type: 'boolean' } },
    }).values;
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

/** The machine that the figures belong to. */
const machine = () => ({
  node: process.version, kernel: release(), cpus: cpus().length, cpu: cpus()[0]?.model ?? 'unknown',
  memoryGb: Math.round(totalmem() / 1e9),
});

async function main(): Promise<void> {
  const values = readArguments();
  if (values.help) return console.log(USAGE);
  const names = values.only ?? Object.keys(SCENARIOS);
  const settings = values.quick ? QUICK : FULL;
  const chosen = names.map((name) => [name, SCENARIOS[name] ?? usage(`no such row: ${name}`)] as const);
  const rows: Row[] = [];
  const broken: string[] = [];
  for (const [name, scenario] of chosen) {
    try {
      for await (const row of scenario(settings)) {
        rows.push(row);
        console.error(`… ${row.what}`);
      }
    } catch (error) {
      broken.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const about = machine();
  console.log(`${about.cpus} × ${about.cpu}, Node ${about.node}, Linux ${about.kernel}; medians of ${settings.rounds} runs`
    + `${values.quick ? ' (quick: rough figures)' : ''}\n`);
  console.log(formatTable(rows));
  for (const line of broken) console.log(`could not be measured: ${line}`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ machine: about, settings, rows, broken }, null, 2)}\n`);
  process.exitCode = missed(rows) + broken.length > 0 ? 1 : 0;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
process.once('exit', cleanUp);
await main();
