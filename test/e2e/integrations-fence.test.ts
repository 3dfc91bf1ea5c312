import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { fromRoot } from '../support/paths.js';
import { runProgram } from '../support/programs.js';
import { runSessions } from '../support/sessions.js';
import { agentOf, FENCE_AGENT, FENCED, FENCER, lacksFencing, statesOf } from './support/fencing.js';
import { startIntegrated } from './support/integrations.js';

const SCHEMA = '/usr/share/cluster/relaxng/metadata.rng';
const skip = lacksFencing('xmllint');

await t.test('the metadata is what Pacemaker expects', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-metadata-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const { code, stdout } = await runProgram(FENCE_AGENT, ['-o', 'metadata']);
  t.equal(code, 0);
  writeFileSync(join(folder, 'metadata.xml'), stdout);
  t.match(await runProgram('xmllint', ['--noout', '--relaxng', SCHEMA, join(folder, 'metadata.xml')]), { code: 0 });
  const documented = [...readFileSync(fromRoot('docs/integrations/fence.md'), 'utf8').matchAll(/^\| `([a-z_]+)` \| ?(\d*) ?\|/gm)].map(([, name = '', value = '']) => [name, value] as const);
  t.ok(documented.length > 5);
  for (const [name, value] of documented) t.match(stdout, new RegExp(`<parameter name="${name}"[^>]*>\\s*<getopt[^>]*>\\s*<content type="\\w+"${value === '' ? '' : ` default="${value}"`} `), name);
  t.notMatch(stdout, 'ssl_insecure');
});

await t.test('by itself', { skip }, async (t) => {
  const daemon = await startIntegrated(t, FENCER, FENCED);
  const agent = agentOf(daemon);
  const state = await statesOf(t, daemon);

  await t.test('the document\'s sessions are true', async (t) => {
    const few = await startIntegrated(t, { ...FENCER, instances: ['lj', 'builder'] }, FENCED);
    await runSessions(t, 'docs/integrations/fence.md', { here: { 20203: `${few.port}`, '/etc/argo': few.etc }, env: few.env });
  });

  await t.test('off and on are what the machine says', async (t) => {
    t.match(await agent({ action: 'off', plug: 'lj' }), { code: 0, stdout: /Powered OFF/ });
    t.equal(await state('lj'), 'off');
    t.match(await agent({ action: 'status', plug: 'demo/lj' }), { code: 2, stdout: 'Status: OFF\n' });
    t.match(await agent({ action: 'off', plug: 'demo/#1' }), { code: 0, stdout: /Already OFF/ });
    t.match(await agent({ action: 'on', plug: 'lj' }), { code: 0, stdout: /Powered ON/ });
    t.equal(await state('lj'), 'on');
  });

  await t.test('what would not shut down, or might go on, is fenced', async (t) => {
    await Promise.all(['dev', 'kept', 'fallen', 'held'].map(async (plug) => {
      t.match(await agent({ action: 'status', plug }), { code: 0, stdout: 'Status: ON\n' }, plug);
      t.match(await agent({ action: 'off', plug }), { code: 0, stdout: /Powered OFF/ }, plug);
    }));
    for (const plug of ['dev', 'kept', 'fallen', 'held']) t.equal(await state(plug), 'off', plug);
  });
});
