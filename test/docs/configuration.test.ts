import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import * as v from 'valibot';
import { parseConfig } from '../support/configuration.js';
import { fleetTable, frontTable, siteTable } from '../../src/config/fleet.js';
import { planTable, settleTable, stageTable } from '../../src/config/plans.js';
import { accountTable, providerEntries, serverTable } from '../../src/config/schema.js';
import { passwordEntries } from '../../src/config/secret.js';
import { openLoaders } from '../../src/daemon/loaders.js';
import { driverTypes, loadDriver } from '../../src/drivers/catalogue.js';
import { newSeed } from '../../src/fleet/signer.js';
import { SHUTDOWN_TIMEOUT } from '../../src/kit/limits.js';
import { MQTT_FLUSH } from '../../src/kit/mqtt-limits.js';
import { fromRoot } from '../support/paths.js';
import { which } from '../support/peers.js';
import { blocksOf, codeWords, documentsIn, readDocument, section, tableRows } from './markdown.js';
import { runNode, runProgram } from '../support/programs.js';

const DOCUMENT = readDocument('docs/configuration.md');

/** The client and argo-mqtt have files of their own, which are not argo-server.conf. */
const OTHER_FILES = ['docs/client.md', 'docs/integrations/home-assistant.md'];

/** The first column's keys with their default column, of the tables under a heading. */
const keyTable = (heading: string): Map<string, string> =>
  new Map(tableRows(section(DOCUMENT, heading)).flatMap(([keys = '', value = '']) => codeWords(keys).map((key) => [key, value] as const)));

/** A configuration whose files are in a scratch folder; those that hold secrets must be there, so they are made; a key must be one. */
function withFiles(text: string, scratch: string): string {
  const source = text.replace(/"\/etc\/argo-server\//g, `"${join(scratch, 'argo-server')}/`);
  for (const [, key = '', file = ''] of source.matchAll(/(\w+)-file = "([^"]+)"/g)) if (file.startsWith(scratch)) writeFileSync(file, key === 'nkey' ? newSeed() : 'secret\n');
  return source;
}

await t.test('every key of [server] is described, with its default', (t) => {
  const rows = keyTable('## `[server]`');
  t.same([...rows.keys()], Object.keys(serverTable.entries));
  for (const [key, entry] of Object.entries(serverTable.entries)) {
    const value = v.getDefault(entry);
    if (value !== undefined) t.equal(rows.get(key), `\`${JSON.stringify(value).replaceAll(',', ', ')}\``, key);
  }
  t.end();
});

await t.test('every key of accounts, grants and providers is described', (t) => {
  const accounts = keyTable('## `[accounts]`');
  const { grants } = accountTable.entries;
  for (const key of [...Object.keys(accountTable.entries), ...Object.keys(grants.wrapped.item.entries)]) t.ok(accounts.has(key), key);
  const providers = keyTable('## `[providers]`');
  for (const key of Object.keys(providerEntries)) t.ok(providers.has(key), key);
  for (const type of driverTypes()) t.ok(providers.has(type), `type ${type}`);
  t.same([...keyTable('## Secrets').keys()], Object.keys(passwordEntries));
  t.end();
});

await t.test('every key of plans and of their stages is described, and every type of triggers', async (t) => {
  const rows = keyTable('## `[plans]`');
  for (const key of [...Object.keys(planTable.entries), ...Object.keys(stageTable.entries)]) t.ok(rows.has(key), key);
  for (const key of Object.keys(settleTable.entries)) t.match(section(DOCUMENT, '## `[plans]`'), `\`${key}\``, key);
  const triggers = keyTable('## `[triggers]`');
  for (const type of (await openLoaders(() => undefined).catalogues.triggers()).types()) t.ok(triggers.has(type), `type ${type}`);
});

await t.test('every key of [fleet] is described, with its default', (t) => {
  const rows = keyTable('## `[fleet]`');
  for (const [key, entry] of Object.entries(fleetTable.entries)) {
    if (key === 'nkey' || key === 'nkey-env') continue;
    t.ok(rows.has(key), key);
    const value = v.getDefault(entry as v.GenericSchema);
    if (value !== undefined && value !== null && key !== 'fronts') t.equal(rows.get(key), `\`${JSON.stringify(value)}\``, key);
  }
  for (const key of [...Object.keys(frontTable.entries), ...Object.keys(siteTable.entries)]) t.ok(rows.has(key), key);
  const text = readDocument('etc/argo-server.conf');
  for (const key of rows.keys()) if (!['sites', 'fronts'].includes(key)) t.match(text, new RegExp(`^(# )?${key} = `, 'm'), key);
  t.end();
});

await t.test('every key of every driver is described in its document', async (t) => {
  for (const type of driverTypes()) {
    const text = readDocument(`docs/drivers/${type}.md`);
    const named = new Set([...codeWords(text), ...[...text.matchAll(/^[# ]*([a-z-]+) = /gm)].map(([, key = '']) => key)]);
    for (const key of Object.keys((await loadDriver(type))?.options ?? {})) t.ok(named.has(key), `${type}: ${key}`);
  }
});

await t.test('every TOML example is a good configuration', async (t) => {
  const scratch = mkdtempSync(join(tmpdir(), 'argo-docs-'));
  t.teardown(() => rmSync(scratch, { recursive: true }));
  mkdirSync(join(scratch, 'argo-server'));
  const documents = ['README.md', 'CONTRIBUTING.md', ...documentsIn('docs')].filter((path) => !OTHER_FILES.includes(path));
  for (const path of documents) {
    for (const { language, text, line } of blocksOf(readDocument(path))) {
      // the driver of docs/drivers.md is tried in a test of its own
      if (language !== 'toml' || text.includes('type = "strip"')) continue;
      const source = withFiles(text, scratch);
      for (const [, name = ''] of source.matchAll(/-env = "([^"]+)"/g)) process.env[name] = 'secret';
      await t.resolves(parseConfig(`${path}:${line}`, source, scratch), `${path}:${line}`);
    }
  }
});

await t.test('etc/argo-server.conf is good as it stands, and names every key of [server]', async (t) => {
  const { code, stdout, stderr } = await runNode([fromRoot('bin', 'argo-server.js'), 'check', '--config', fromRoot('etc', 'argo-server.conf')]);
  t.equal(code, 0, stderr);
  t.match(stdout, 'is good');
  const text = readDocument('etc/argo-server.conf');
  for (const key of Object.keys(serverTable.entries)) t.match(text, new RegExp(`^(# )?${key} = `, 'm'), key);
});

await t.test('etc/argo-server.conf with its comments taken away is good, too', async (t) => {
  const scratch = mkdtempSync(join(tmpdir(), 'argo-docs-'));
  t.teardown(() => rmSync(scratch, { recursive: true }));
  const text = readDocument('etc/argo-server.conf')
    .replace(/^# ?(?=\[\[?[a-z]|[a-z-]+ = | {2}\{ name = |\]$)/gm, '')
    .replaceAll('$2b$12$…', `$2b$12$${'.'.repeat(53)}`);
  t.match(text, /^\[accounts\.steve\]$/m);
  mkdirSync(join(scratch, 'argo-server'));
  const { providers, accounts, groups, plans, triggers, fleet } = await parseConfig('argo-server.conf', withFiles(text, scratch), scratch);
  t.same([[...providers.keys()], [...accounts.keys()], [...groups.keys()]], [['demo', 'kvm1', 'kvm2', 'boxes', 'dom0', 'web', 'wins', 'hv1', 'vc1', 'esx2', 'pool1', 'gsx1'], ['steve', 'kim'], ['web']]);
  t.same([[...plans.keys()], [...triggers.keys()]], [['lab-off'], ['nightly']]);
  t.match(fleet, { name: 'berlin', fronts: [{ name: 'f1' }] });
});

for (const [name, longest] of [['argo-server', SHUTDOWN_TIMEOUT], ['argo-mqtt', MQTT_FLUSH]] as const) {
  await t.test(`etc/${name}.service`, async (t) => {
    const unit = readDocument(`etc/${name}.service`);
    const seconds = Number(/^TimeoutStopSec=(\d+)s$/m.exec(unit)?.[1]);
    t.ok(seconds * 1000 > longest, 'systemd waits longer than the program takes');
    const programs = [...unit.matchAll(/ \/opt\/argo-server\/(\S+)/g)].map(([, path = '']) => path);
    t.same([...new Set(programs)], [`bin/${name}.js`]);
    await t.test('systemd understands it', { skip: which('systemd-analyze') === undefined && 'needs systemd-analyze' }, async (t) => {
      const { code, stdout, stderr } = await runProgram('systemd-analyze', ['verify', '--man=no', fromRoot('etc', `${name}.service`)]);
      t.equal(code, 0, stdout + stderr);
      // It looks at units that this one names, too; what it says of those is not ours.
      t.notMatch(stderr, new RegExp(`${name}\\.service:\\d+`));
    });
  });
}
