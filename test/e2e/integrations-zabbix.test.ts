import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { newToken, tokenHash } from '../../src/auth/tokens.js';
import { ARGO } from '../client/support/argo.js';
import { Agent, AGENT_PROGRAMS } from '../peers/zabbix/agent.js';
import { INTERFACE } from '../peers/zabbix/api.js';
import { lacksZabbix } from '../peers/zabbix.js';
import { documented } from '../support/documented.js';
import { connect } from '../support/line-client.js';
import { fromRoot } from '../support/paths.js';
import { runProgram } from '../support/programs.js';
import { until } from '../support/until.js';
import { PASSWORD, selfSigned, startIntegrated } from './support/integrations.js';
import { startWorld } from './support/zabbix.js';

/** A real Zabbix server that sees machines without a proxy: by a real agent, and by the HTTP API, as the document says. */

const DOCUMENT = 'docs/integrations/zabbix.md';
const WAIT_MS = 90_000;
/** What Zabbix could take for its own. */
const ODD = 'an "odd" name';
const TOKEN = newToken();
/** It shows no machine. */
const BLIND = newToken();

const TABLES = `
[[accounts.zabbix.tokens]]
name = "zabbix"
hash = "${tokenHash(TOKEN)}"
commands = ["read"]
[[accounts.zabbix.tokens]]
name = "blind"
hash = "${tokenHash(BLIND)}"
instances = ["none"]
[providers.demo]
type = "sim"
instances = ["lj", { name = "test", state = "off" }, ${JSON.stringify(ODD)}, "hung"]
faults = { hung = "error" }
[providers.away]
type = "away"
poll-interval = "1s"
[gateways.page]
type = "web"
tls-listen = ["127.0.0.1:0"]
tls-cert = "cert.pem"
tls-key = "key.pem"
`;

/** A provider of one machine, which does not answer while there is a file. */
const AWAY = `
import { existsSync } from 'node:fs';
const ask = () => {
  if (existsSync('silent')) throw new Error('silent');
  return 'off';
};
const machine = { type: 'vm', id: '1', name: 'far', status: async () => ask() };
export default { kind: 'driver', options: {}, open: () => ({ list: async () => [{ machine, state: ask() }], close: async () => undefined }) };
`;

/** Hands on what it is called with to argo, and writes it down as others on the machine could see it. */
const RECORDING = `#!/bin/sh
{ printf '%s\\n' "$@"; env; } >> "$0.calls"
exec ${ARGO} "$@"
`;

await t.test('Zabbix without the proxy', { skip: lacksZabbix(...AGENT_PROGRAMS, 'openssl'), timeout: 170_000 }, async (t) => {
  const account = { name: 'zabbix', instances: ['*'], commands: ['read', 'power'] };
  const { trust, files } = await selfSigned(t);
  const [world, daemon] = await Promise.all([
    startWorld(t, { settings: { Timeout: 30, SSLCALocation: trust } }),
    startIntegrated(t, account, TABLES, 'plugin-path = ["plugins"]', { ...files, 'plugins/away.mjs': AWAY }),
  ]);
  const { etc, port } = daemon;
  const places = { '/etc/zabbix/argo.toml': join(etc, 'argo.toml') };
  writeFileSync(join(etc, 'argo.toml'), documented(t, DOCUMENT, '# /etc/zabbix/argo.toml', {
    ...places, '/etc/zabbix/argo.password': join(etc, 'zabbix'), 'lab.example:20204': `127.0.0.1:${port}`, 'tls = true': 'tls = false',
  }));
  const bin = join(etc, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'argo'), RECORDING, { mode: 0o755 });
  const agent = await Agent.start(documented(t, DOCUMENT, '# /etc/zabbix/zabbix_agentd.conf.d/argo.conf', places), { PATH: `${bin}:${process.env.PATH}`, HOME: etc });
  t.teardown(() => agent.stop());

  await t.test('the agent answers', async (t) => {
    const get = async (key: string): Promise<string> => {
      const { stdout, stderr } = await runProgram('zabbix_get', ['-s', '127.0.0.1', '-p', `${agent.port}`, '-k', key]);
      return (stdout || stderr).trim();
    };
    t.equal(await get('argo.state[lj]'), 'on');
    t.equal(await get('argo.state[hung]'), 'unknown');
    t.match(JSON.parse(await get('argo.status')), { results: { length: 5 } });
    t.match(await get('argo.state[lj;id]'), 'ZBX_NOTSUPPORTED: Special characters', 'nothing is handed to a shell');
    t.equal(await get('argo.state[nobody]'), 'unknown');
  });

  const { api, database } = world.zabbix;
  await api.import('yaml', readFileSync(fromRoot('docs', 'zabbix', 'argo-without-proxy-6.0.yaml'), 'utf8'));
  const host = async (name: string, template: string, macros: readonly object[], more: object = {}): Promise<void> => {
    const [found] = await api.call<readonly { templateid: string }[]>('template.get', { output: [], filter: { host: [template] } });
    await api.call('host.create', {
      host: name, groups: [{ groupid: world.groupid }], templates: [found], ...more,
      macros: [{ macro: '{$ARGO.INTERVAL}', value: '2s' }, { macro: '{$ARGO.UNKNOWN.FOR}', value: '5s' }, ...macros],
    });
  };
  await host('agent', 'Argo by Zabbix agent', [{ macro: '{$ARGO.WANTED}', value: '1' }], {
    interfaces: [{ type: INTERFACE.agent, main: 1, useip: 1, ip: '127.0.0.1', dns: '', port: `${agent.port}` }],
  });
  const byHttp = (name: string, token: string): Promise<void> => host(name, 'Argo by HTTP', [
    { macro: '{$ARGO.URL}', value: `https://127.0.0.1:${daemon.ports.at(-1)}` }, { macro: '{$ARGO.TOKEN}', value: token, type: 1 },
  ]);
  await byHttp('HTTP', TOKEN);
  await byHttp('blind', BLIND);

  /** The last value of each item that was found, by host and key. */
  const shown = async (): Promise<unknown> => Object.fromEntries((await database.rows<{ host: string; key: string; value: string | null }>(`
    select host, key_ as key, (select value from history_str s where s.itemid = i.itemid order by s.clock desc, s.ns desc limit 1) as value
    from items i join hosts h using (hostid) where h.status = 0 and i.flags = 4`)).map(({ host, key, value }) => [`${host} ${key}`, value]));

  /** Each of both hosts comes to show these states. */
  async function shows(states: Readonly<Record<string, string>>): Promise<void> {
    const key = (name: string): string => `argo.state["${name.replaceAll('"', '\\"')}"]`;
    const wanted = Object.fromEntries(Object.entries(states).flatMap(([name, state]) => [[`agent ${key(name.replace(/^\w+\//, ''))}`, state], [`HTTP ${key(name)}`, state]]));
    await until(async () => isDeepStrictEqual(await shown(), wanted), WAIT_MS, 'all states').catch(async (error: unknown) => {
      throw new Error(`${JSON.stringify(await shown())} ${JSON.stringify(await database.rows('select key_, error from item_rtdata join items using (itemid) where error <> \'\''))}`, { cause: error });
    });
  }

  const problems = async (): Promise<readonly string[]> => (await database.rows<{ name: string }>('select distinct name from problem where r_eventid is null order by 1')).map(({ name }) => name);

  await t.test('each machine has an item, by either way', () => shows({ 'demo/lj': 'on', 'demo/test': 'off', [`demo/${ODD}`]: 'on', 'demo/hung': 'unknown', 'away/far': 'off' }));

  await t.test('who sees no machine is answered all the same', () => until(async () => Number(await database.value(`
    select s.value from history_uint s join items i using (itemid) join hosts h using (hostid) where h.host = 'blind' and i.key_ = 'argo.answers' order by s.clock desc limit 1`)) === 1, WAIT_MS, 'an answer'));

  await t.test('a change is seen, and a provider that does not answer', async (t) => {
    const client = await connect(port);
    t.teardown(() => client.destroy());
    await client.ask(`auth zabbix ${PASSWORD}`);
    writeFileSync(join(daemon.folder, 'silent'), '');
    await client.ask('stop lj --wait');
    await shows({ 'demo/lj': 'off', 'demo/test': 'off', [`demo/${ODD}`]: 'on', 'demo/hung': 'unknown', 'away/far': 'unknown' });
    // by HTTP none is wanted to be on
    const wanted = ['The state of away/far is unknown', 'The state of demo/hung is unknown', 'The state of far is unknown', 'The state of hung is unknown', 'lj is off', 'test is off'];
    await until(async () => isDeepStrictEqual(await problems(), wanted), WAIT_MS, 'the problems').catch(async (error: unknown) => { throw new Error(JSON.stringify(await problems()), { cause: error }); });
  });

  await t.test('where nobody answers nothing is off, and nothing is gone', async () => {
    daemon.signal('SIGTERM');
    await daemon.exited;
    await shows({ 'demo/lj': 'unknown', 'demo/test': 'unknown', [`demo/${ODD}`]: 'unknown', 'demo/hung': 'unknown', 'away/far': 'unknown' });
    await until(async () => (await problems()).includes('No states from argo-server'), WAIT_MS, 'a problem of its own');
    await until(async () => !(await problems()).some((name) => name.endsWith('is off')), WAIT_MS, 'an end of what is off');
  });

  await t.test('nobody reads what lets it in', async (t) => {
    const calls = readFileSync(join(bin, 'argo.calls'), 'utf8');
    t.match(calls, '--config');
    t.notMatch(calls, PASSWORD);
    t.equal(Number(await database.value(`select count(*) from items where items::text ~ '${PASSWORD}|${TOKEN}'`)), 0, 'no key, no address, no header');
    t.notMatch(JSON.stringify(await api.call('usermacro.get', { output: 'extend' })), TOKEN);
    t.notMatch(world.zabbix.log, TOKEN);
  });
});
