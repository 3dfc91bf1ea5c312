import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { connect } from '../support/line-client.js';
import { fromRoot } from '../support/paths.js';
import { runProgram, type Outcome } from '../support/programs.js';
import { runSessions } from '../support/sessions.js';
import { FENCE_AGENT, FENCED, FENCER, lacksFencing, statesOf } from './support/fencing.js';
import { PASSWORD, startIntegrated, type Integrated } from './support/integrations.js';

const SCHEMA = '/usr/share/cluster/relaxng/metadata.rng';
const skip = lacksFencing('xmllint');

/** The agent as Pacemaker calls it: all parameters on standard input. */
const agentOf = ({ env, port }: Integrated) => (parameters: Readonly<Record<string, string | number>>): Promise<Outcome> => {
  const all = { ip: '127.0.0.1', ipport: port, username: 'fencer', password: PASSWORD, ...parameters };
  return runProgram(FENCE_AGENT, [], { env, input: Object.entries(all).map(([key, value]) => `${key}=${value}\n`).join('') });
};

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
    await runSessions(t, 'docs/integrations/fence.md', { here: { '20203': `${few.port}`, '/etc/argo': few.etc }, env: few.env });
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

  await t.test('what is not known is never off', async (t) => {
    await Promise.all(['status', 'off', 'on', 'reboot'].map(async (action) => {
      const { code, stdout } = await agent({ action, plug: 'hung', power_timeout: 2 });
      t.equal(code, 1, action);
      t.notMatch(stdout, /OFF|Success/, action);
    }));
    t.match((await agent({ action: 'list-status' })).stdout.split('\n').slice(0, -1).toSorted(), [
      'builder,,ON', 'dev,,OFF', 'fallen,,OFF', 'held,,OFF', 'hung,,UNKNOWN', 'kept,,OFF', 'lj,,ON', 'test,,OFF',
    ]);
    await Promise.all(['nobody', 'te*', '@all', ''].map(async (plug) => t.equal((await agent({ action: 'off', plug })).code, 1, plug)));
    t.equal(await state('lj'), 'on', 'a plug is no pattern');
  });

  await t.test('who may not, or cannot, is told so and switches nothing', async (t) => {
    t.match(await agent({ action: 'off', plug: 'lj', password: 'wrong-one' }), { code: 1, stderr: /NOT AUTHENTICATED/ });
    t.match(await agent({ action: 'off', plug: 'lj', ipport: 1 }), { code: 1, stderr: /UNREACHABLE/ });
    t.match(await agent({ action: 'off', plug: 'lj', ssl: 1, login_timeout: 2 }), { code: 1, stderr: /UNREACHABLE/ }, 'no TLS there');
    t.match(await agent({ action: 'off', plug: 'lj', tls_fingerprint: 'x' }), { code: 1, stderr: /fingerprint/ });
    t.match(await agent({ action: 'status', plug: 'lj', ssl: 0 }), { code: 0 });
    t.equal(await state('lj'), 'on');
    t.match(await agent({ action: 'validate-all', plug: 'lj', ipport: 1 }), { code: 0 });
    const { stderr } = await agent({ action: 'off', plug: 'lj', password: 'wrong-one', verbose: 1 });
    t.notMatch(stderr, 'wrong-one');
  });
});

await t.test('an answer that was lost decides nothing', { skip }, async (t) => {
  const daemon = await startIntegrated(t, FENCER, FENCED);
  const state = await statesOf(t, daemon);
  let cut: 'before' | 'after' = 'after';
  let orders = 0;
  // between agent and server: the first connection that gives an order ends with it, carried out or not
  const proxy = createServer((near) => {
    void connect(daemon.port).then(({ socket: far }) => {
      const end = (): void => { near.destroy(); far.destroy(); };
      near.on('close', end).on('error', end).on('data', (data: Buffer) => {
        if (!data.toString().startsWith('stop')) return void far.write(data);
        orders += 1;
        if (cut === 'before') return end();
        far.removeAllListeners('data');
        far.write(data);
        far.once('data', end);
      });
      far.on('close', end).on('error', end).on('data', (data: Buffer | string) => near.write(data));
    });
  }).listen(0, '127.0.0.1');
  t.teardown(() => proxy.close());
  await once(proxy, 'listening');
  const agent = agentOf({ ...daemon, port: (proxy.address() as AddressInfo).port });

  t.match(await agent({ action: 'off', plug: 'lj' }), { code: 0, stdout: /Powered OFF/, stderr: /UNCERTAIN/ });
  t.equal(await state('lj'), 'off');
  cut = 'before';
  const { code, stdout } = await agent({ action: 'off', plug: 'builder', power_timeout: 2 });
  t.equal(code, 1);
  t.notMatch(stdout, /OFF/);
  t.equal(await state('builder'), 'on');
  t.equal(orders, 2, 'each was given once');
});
