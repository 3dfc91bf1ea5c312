import { join } from 'node:path';
import t from 'tap';
import { blocksOf, readDocument } from '../docs/markdown.js';
import { Icinga, ICINGA_PROGRAMS } from '../peers/icinga.js';
import { fromRoot } from '../support/paths.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';
import { startIntegrated } from './support/integrations.js';

/** For a check of each machine, on a busy machine. */
const WAIT_MS = 90_000;

const TABLES = `
[providers.demo]
type = "sim"
instances = ["lj", { name = "test", state = "off" }, "hung"]
faults = { hung = "error" }
`;

await t.test('a real Icinga, by the configuration of the document', { skip: lacksRoot(...ICINGA_PROGRAMS), timeout: 120_000 }, async (t) => {
  const daemon = await startIntegrated(t, { name: 'nagios', instances: ['*'], commands: ['read'] }, TABLES);
  const printed = blocksOf(readDocument('docs/integrations/nagios.md')).find(({ text }) => text.startsWith('object CheckCommand'))!.text;
  const here: Readonly<Record<string, string>> = {
    '/usr/local/lib/nagios/plugins/check_argo': fromRoot('integrations', 'nagios', 'check_argo'),
    'lab.example:20204': `127.0.0.1:${daemon.port}`, 'argo_tls = true': 'argo_tls = false', '/etc/argo/nagios': join(daemon.etc, 'nagios'),
  };
  const configuration = Object.entries(here).reduce((text, [there, place]) => {
    t.ok(text.includes(there), there);
    return text.replaceAll(there, place);
  }, printed);
  const icinga = new Icinga(`
object CheckCommand "none" { command = [ "/bin/true" ] }
for (name in [ "lj", "test", "hung" ]) {
  object Host name { check_command = "none"; vars.argo = true }
}
${configuration.replace('check_command = "argo"', 'check_command = "argo"\n  check_interval = 5s')}`);
  t.teardown(() => icinga.stop());
  const ofAll = (): string[] => [...new Set(icinga.results())].sort();
  await until(() => ofAll().length >= 3, WAIT_MS, 'a check of each').catch((error: unknown) => { throw new Error(icinga.output, { cause: error }); });
  t.match(ofAll(), [/^hung UNKNOWN ARGO UNKNOWN - hung is unknown *\|wrong=0;;0;0;1 /, /^lj OK ARGO OK - lj is on *\|wrong=0;;0;0;1 on=1;;;0;1 /, /^test CRITICAL ARGO CRITICAL - test is off *\|wrong=1;/]);
});
