import t, { type Test } from 'tap';
import { lacksZabbix, Zabbix, zabbixUser } from '../peers/zabbix.js';
import { ITEM, VALUE } from '../peers/zabbix/api.js';
import { lowPort } from '../peers/zabbix/confined.js';
import { OfficialProxy } from '../peers/zabbix/official-proxy.js';
import { Relay } from '../peers/zabbix/relay.js';
import { until } from '../support/until.js';
import { Ledger } from './support/zabbix.js';

/** That the server which other tests meet is set up as it should be: Zabbix's own proxy works with it. */

const WAIT_MS = 60_000;

await t.test('the official proxy', { skip: lacksZabbix('fping'), timeout: 170_000 }, async (t) => {
  const zabbix = await Zabbix.start();
  t.after(() => zabbix.stop());
  const { api, database } = zabbix;
  t.match(await api.call('apiinfo.version'), /^[67]\.0\./);
  const groupid = await api.group('Power');
  const count = async (itemid: string): Promise<number> => Number(await database.value(`select count(*) from history_uint where itemid = ${itemid}`));
  const item = { key: 'zabbix[proxy_history]', type: ITEM.internal, valueType: VALUE.unsigned, delay: '1s' };

  await t.test('active: a heartbeat, a value, a script, dropped answers, a killed server', async (t) => {
    const proxyid = await api.proxy({ name: 'official' });
    const hostid = await api.host('h1', groupid, proxyid);
    const itemid = await api.item(hostid, item);
    const relay = await Relay.start(zabbix.port);
    t.after(() => relay.stop());
    const ledger = new Ledger(relay);
    const proxy = await startProxy(t, { name: 'official', serverPort: relay.port });
    await until(async () => await zabbix.lastAccess(proxyid) > 0, WAIT_MS, 'a heartbeat');
    await until(async () => await count(itemid) > 0, WAIT_MS, `a value: ${proxy.log}`);
    t.equal((await api.execute(await api.script('who', 'echo {HOST.HOST}'), hostid)).trim(), 'h1', 'a script');
    relay.set('drop-answers', 3);
    await until(() => relay.dropped >= 3, WAIT_MS, 'answers to be dropped');
    const before = await count(itemid);
    await until(async () => await count(itemid) > before, WAIT_MS, 'values after that');
    t.ok(ledger.values.size > 0 && ledger.tasks.length > 0, 'what passes is read');
    const sent = [...ledger.values.values()];
    await until(async () => (await ledger.missing({ zabbix, groupid }, sent)).length === 0, WAIT_MS, 'all that was sent to be stored');
    await zabbix.killServer();
    await zabbix.startServer();
    const after = await count(itemid);
    await until(async () => await count(itemid) > after, WAIT_MS, 'values after the restart');
    t.equal(Number(await database.value(`select count(*) - count(distinct (clock, ns)) from history_uint where itemid = ${itemid}`)), 0);
  });

  await t.test('passive', async (t) => {
    const listenPort = await lowPort();
    const proxyid = await api.proxy({ name: 'official passive', port: listenPort });
    const itemid = await api.item(await api.host('h2', groupid, proxyid), item);
    await startProxy(t, { name: 'official passive', serverPort: zabbix.port, listenPort });
    await until(async () => await count(itemid) > 0, WAIT_MS, 'a value');
  });
});

async function startProxy(t: Test, options: { name: string; serverPort: number; listenPort?: number }): Promise<OfficialProxy> {
  const proxy = await OfficialProxy.start({ ...options, user: zabbixUser() });
  t.after(() => proxy.stop());
  return proxy;
}
