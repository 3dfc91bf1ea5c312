import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { blocksOf, readDocument } from '../docs/markdown.js';
import { lacks } from '../support/peers.js';
import { runSessions } from '../support/sessions.js';
import { Ansible, ANSIBLE_PROGRAMS, PLAYER } from './support/ansible.js';
import { startIntegrated } from './support/integrations.js';
import { buildCollection } from './support/packages.js';

const skip = lacks(...ANSIBLE_PROGRAMS);
const DOCUMENT = 'docs/integrations/ansible.md';

await t.test('the collection', { skip }, async (t) => {
  const ansible = await Ansible.install(t);

  await t.test('is what Ansible takes for one, the same each time, and documents itself', async (t) => {
    const verified = await ansible.run('ansible-galaxy', ['collection', 'verify', '--offline', 'argo.power']);
    t.match(verified, { code: 0, stdout: /Successfully verified/ });
    const again = await buildCollection(join(ansible.folder, 'again'), { TZ: 'Asia/Tokyo', LC_ALL: 'C' });
    t.ok(readFileSync(again).equals(readFileSync(ansible.tarball)), 'byte by byte');
    for (const [type, ...names] of [['module', 'argo.power.argo_power', 'argo.power.argo_info'], ['inventory', 'argo.power.argo']] as const) {
      const { code, stdout, stderr } = await ansible.run('ansible-doc', ['--json', '--type', type, ...names]);
      t.equal(code, 0, stderr);
      const shown = JSON.parse(stdout) as Record<string, { doc: { options: object; description: string[] }; examples: string; return: object | null }>;
      t.same(Object.keys(shown).sort(), [...names].sort());
      for (const { doc, examples, return: returned } of Object.values(shown)) {
        t.ok('fingerprint' in doc.options && examples.includes('argo.power.argo') && (type === 'inventory' || returned !== null));
      }
    }
  });

  await t.test('the document\'s playbooks and sessions are true', async (t) => {
    const { port, etc } = await startIntegrated(t, PLAYER, `
[providers.demo]
type = "sim"
instances = ["lj", { name = "test", state = "off" }, "web1", "web2", { name = "mail server", state = "off" }, "hung"]
faults = { hung = "error" }
`);
    const here = { '127.0.0.1:20203': `127.0.0.1:${port}`, '/etc/argo': etc };
    for (const { text } of blocksOf(readDocument(DOCUMENT)).filter(({ language }) => language === 'yaml')) {
      const name = /^# (\S+)\n/.exec(text)?.[1];
      ansible.write(name!, Object.entries(here).reduce((found, [there, place]) => found.replaceAll(there, place), text));
    }
    const { env } = ansible;
    await runSessions(t, DOCUMENT, { here, cwd: ansible.folder, env: { ...env, ARGO_SERVER: `127.0.0.1:${port}`, ARGO_ACCOUNT: PLAYER.name, ARGO_PASSWORD_FILE: join(etc, PLAYER.name) } });
  });
});
