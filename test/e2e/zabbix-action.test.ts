import { readFileSync } from 'node:fs';
import t from 'tap';
import { lacksZabbix } from '../peers/zabbix.js';
import { INTERFACE } from '../peers/zabbix/api.js';
import { LONG, logIn } from '../support/faults.js';
import { fromRoot } from '../support/paths.js';
import { until } from '../support/until.js';
import { ACCOUNTS, active, row, SIM, startArgo, startWorld } from './support/zabbix.js';

/** The steps of docs/gateways/zabbix.md: a trigger of the template that ships starts what is off. */

const MANUAL = readFileSync(fromRoot('docs', 'gateways', 'zabbix.md'), 'utf8');

/** The parameters of a call that the manual shows. */
function shown(method: string, words: Readonly<Record<string, string>> = {}): unknown {
  const [, text = ''] = new RegExp(`^\`\`\`json ${method}\n([^]*?)^\`\`\``, 'm').exec(MANUAL) ?? [];
  return JSON.parse(Object.entries(words).reduce((so, [word, value]) => so.replace(word, value), text));
}

await t.test('a trigger starts what is off', { skip: lacksZabbix('fping'), timeout: 170_000 }, async (t) => {
  const world = await startWorld(t);
  const { zabbix: { api, port }, groupid } = world;
  await api.import('yaml', readFileSync(fromRoot('docs', 'zabbix', 'argo-6.0.yaml'), 'utf8'));
  const [{ templateid } = { templateid: '' }] = await api.call<readonly { templateid: string }[]>('template.get', { filter: { host: ['Argo instance'] } });
  const { scriptids: [scriptid = ''] } = await api.call<{ scriptids: readonly string[] }>('script.create', shown('script.create'));
  await api.call('action.create', shown('action.create', { SCRIPTID: scriptid }));
  const proxyid = await api.proxy({ name: 'argo' });
  const hostid = await api.host('lj', groupid, proxyid, { interfaces: [INTERFACE.agent], templates: [{ templateid }], macros: [{ macro: '{$ARGO.INTERVAL}', value: '1s' }] });
  const daemon = await startArgo(t, { config: `${ACCOUNTS}${SIM}${active('argo', port)}` });
  await row(world, `select 1 from history_uint h join items i using (itemid) where i.hostid = ${hostid} and i.key_ = 'argo.status' and h.value = 1`);
  const client = await logIn(daemon);
  t.after(() => client.destroy());
  t.equal((await client.ask('stop lj --wait')).code, 300);
  await row(world, `select 1 from problem where name = 'lj is off'`);
  await until(async () => (await client.ask('status lj')).body.join('').includes('on'), LONG, 'it to be started');
  // 1: the proxy has told that it was done
  await row(world, `select 1 from alerts where alerttype = 1 and status = 1`);
  await row(world, `select 1 from problem where name = 'lj is off' and r_eventid is not null`);
});
