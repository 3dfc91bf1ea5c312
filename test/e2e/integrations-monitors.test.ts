import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Icinga, ICINGA_PROGRAMS } from '../peers/icinga.js';
import { Nagios, NAGIOS_PROGRAMS } from '../peers/nagios.js';
import { documented } from '../support/documented.js';
import { fromRoot } from '../support/paths.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';
import { startIntegrated } from './support/integrations.js';

/** Nagios and Icinga themselves run check_argo, by the configuration of the document. */

const DOCUMENT = 'docs/integrations/nagios.md';
/** For a check of each machine, on a busy machine. */
const WAIT_MS = 90_000;

const TABLES = `
[providers.demo]
type = "sim"
instances = ["lj", { name = "test", state = "off" }, "hung"]
faults = { hung = "error" }
`;

/** What the document says of paths, and what they are here. */
const placesOf = (etc: string): Readonly<Record<string, string>> => ({
  '/usr/local/lib/nagios/plugins/check_argo': fromRoot('integrations', 'nagios', 'check_argo'), '/etc/argo/nagios': join(etc, 'nagios'),
});

const start = (t: Test) => startIntegrated(t, { name: 'nagios', instances: ['*'], commands: ['read'] }, TABLES);

/** Waits until each machine was checked. @returns what came of it, by the names of machines */
async function resultsOf(t: Test, program: Icinga | Nagios): Promise<readonly string[]> {
  t.teardown(() => program.stop());
  const ofAll = (): readonly string[] => [...new Set(program.results())].sort();
  await until(() => ofAll().length >= 3 || program.ended, WAIT_MS, 'a check of each').catch((error: unknown) => { throw new Error(program.output, { cause: error }); });
  if (program.ended) throw new Error(`it has ended: ${program.output}`);
  return ofAll();
}

await t.test('a real Icinga', { skip: lacksRoot(...ICINGA_PROGRAMS), timeout: 120_000 }, async (t) => {
  const { etc, port } = await start(t);
  const configuration = documented(t, DOCUMENT, 'object CheckCommand', {
    ...placesOf(etc), 'lab.example:20204': `127.0.0.1:${port}`, 'argo_tls = true': 'argo_tls = false', 'check_command = "argo"': 'check_command = "argo"\n  check_interval = 5s',
  });
  const icinga = new Icinga(`
object CheckCommand "none" { command = [ "/bin/true" ] }
for (name in [ "lj", "test", "hung" ]) {
  object Host name { check_command = "none"; vars.argo = true }
}
${configuration}`);
  t.match(await resultsOf(t, icinga), [/^hung UNKNOWN ARGO UNKNOWN - hung is unknown *\|wrong=0;;0;0;1 /, /^lj OK ARGO OK - lj is on *\|wrong=0;;0;0;1 on=1;;;0;1 /, /^test CRITICAL ARGO CRITICAL - test is off *\|wrong=1;/]);
});

await t.test('a real Nagios', { skip: lacksRoot(...NAGIOS_PROGRAMS), timeout: 120_000 }, async (t) => {
  const { etc, port } = await start(t);
  const objects = documented(t, DOCUMENT, 'define command', {
    ...placesOf(etc), 'lab.example:20204 --tls': `127.0.0.1:${port}`, 'address    lab.example': 'address    127.0.0.1',
  });
  const service = /^define service \{\n[^}]*\}\n/m.exec(objects)![0];
  const others = ['lj', 'test', 'hung'].map((name) => service.replace(/(service_description +).*/, `$1${name}`).replace(/(check_argo!).*/, `$1${name}`));
  t.match(await resultsOf(t, new Nagios(objects.replace(service, others.join('')))), [
    /^hung UNKNOWN ARGO UNKNOWN - hung is unknown *\|'wrong'=0;;0;0;1 /, /^lj OK ARGO OK - lj is on *\|'wrong'=0;;0;0;1 'on'=1;;;0;1 /, /^test CRITICAL ARGO CRITICAL - test is off *\|'wrong'=1;/,
  ]);
});
