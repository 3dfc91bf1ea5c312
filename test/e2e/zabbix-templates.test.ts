import { readFileSync } from 'node:fs';
import t from 'tap';
import { lacksZabbix, Zabbix } from '../peers/zabbix.js';
import { INTERFACE, VALUE } from '../peers/zabbix/api.js';
import { fromRoot } from '../support/paths.js';
import { ACCOUNTS, active, firstValue, SIM, startArgo } from './support/zabbix.js';

/** The templates in docs/zabbix, as a real server takes them. */

const read = (version: string): string => readFileSync(fromRoot('docs', 'zabbix', `argo-${version}.yaml`), 'utf8');

/** What of Zabbix 7.0's form a 6.0 writes in another way; there is nothing else in these files. */
const asOld = (text: string): string => text.replace("version: '7.0'", "version: '6.0'\n  date: '2026-01-01T00:00:00Z'").replace('template_groups:', 'groups:');

await t.test('both templates', { skip: lacksZabbix(), timeout: 170_000 }, async (t) => {
  const zabbix = await Zabbix.start();
  t.after(() => zabbix.stop());
  const { api, database } = zabbix;
  await api.import('yaml', read('6.0'));
  const items = (await database.rows<{ host: string; key_: string; type: number; flags: number }>(
    'select h.host, i.key_, i.type, i.flags from items i join hosts h using (hostid) where h.status = 3 order by 1, 2'));
  t.same(items.filter(({ host }) => host === 'Argo instance').map(({ key_ }) => key_), [
    'argo.info', 'argo.load', 'argo.rate[rx]', 'argo.rate[tx]', 'argo.rx', 'argo.status', 'argo.tx', 'argo.uptime', 'icmpping', 'icmppingloss', 'icmppingsec',
  ]);
  t.same(items.filter(({ flags }) => flags === 1).map(({ key_ }) => key_), ['argo.discovery[{$ARGO.NAMES}]']);
  t.equal(items.filter(({ flags }) => flags === 2).length, 7, 'prototypes');
  t.ok(items.every(({ type }) => type === 3 || type === 18), 'simple checks, or dependent: any interface will do');
  t.same(await database.rows('select p.type, p.params, count(*)::int as count from item_preproc p group by 1, 2 order by p.type'), [{ type: 1, params: '8', count: 4 }, { type: 10, params: '', count: 4 }], 'rates are changes per second, in bits');
  t.equal(Number(await database.value('select count(*) from graphs where flags = 0')), 2);
  t.equal(Number(await database.value('select count(*) from valuemap_mapping')), 16);

  await t.test('a host can be linked to each', async (t) => {
    const groupid = await api.group('Power');
    const proxyid = await api.proxy({ name: 'argo' });
    const templates = await api.call<readonly { templateid: string; host: string }[]>('template.get', { output: ['host'], filter: { host: ['Argo instance', 'Argo instances by discovery'] } });
    t.equal(templates.length, 2);
    for (const [index, { templateid }] of templates.entries()) await api.host(`host ${index}`, groupid, proxyid, { interfaces: [INTERFACE.agent], templates: [{ templateid }] });
    t.ok(Number(await database.value('select count(*) from items i join hosts h using (hostid) where h.status = 0')) > 15);
  });

  await t.test('rates come of the counters', async (t) => {
    const world = { zabbix, groupid: await api.group('Rates') };
    const proxyid = await api.proxy({ name: 'rates' });
    const [template] = await api.call<readonly { templateid: string }[]>('template.get', { output: [], filter: { host: ['Argo instance'] } });
    const hostid = await api.host('lj', world.groupid, proxyid, { interfaces: [INTERFACE.agent], templates: [template], macros: [{ macro: '{$ARGO.INTERVAL}', value: '1s' }] });
    await startArgo(t, { config: `${ACCOUNTS}${SIM}${active('rates', zabbix.port)}` });
    const itemid = (key: string): Promise<unknown> => database.value(`select itemid from items where hostid = ${hostid} and key_ = '${key}'`);
    for (const direction of ['rx', 'tx']) t.ok(Number(await firstValue(world, String(await itemid(`argo.rate[${direction}]`)), VALUE.float)) > 0, direction);
  });

  await t.test('the one for 7.0 says the same', async (t) => {
    t.equal(asOld(read('7.0')), read('6.0'));
    const count = async (): Promise<unknown> => database.rows('select (select count(*) from items) as items, (select count(*) from triggers) as triggers, (select count(*) from hosts) as hosts, (select count(*) from graphs) as graphs');
    const before = await count();
    await api.import('yaml', asOld(read('7.0')));
    t.same(await count(), before, 'the same uuids: nothing is there twice');
  });
});
