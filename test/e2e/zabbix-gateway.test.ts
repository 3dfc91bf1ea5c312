import t, { type Test } from 'tap';
import { lacksZabbix, Zabbix } from '../peers/zabbix.js';
import { INTERFACE, ITEM, VALUE } from '../peers/zabbix/api.js';
import { startDaemon, type Daemon } from '../support/daemon.js';
import { ADMIN } from '../support/faults.js';
import { freePort } from '../support/ports.js';
import { until } from '../support/until.js';

/** The gateway `zabbix` with the real server, in both modes. */

const WAIT_MS = 60_000;

const configuration = (keys: string): string => `${ADMIN}
[providers.lab]
type = "sim"
instances = ["lj"]
[gateways.monitor]
type = "zabbix"
account = "admin"
${keys}
`;

await t.test('the real server', { skip: lacksZabbix(), timeout: 170_000 }, async (t) => {
  const zabbix = await Zabbix.start();
  t.after(() => zabbix.stop());
  const { api, database } = zabbix;
  const groupid = await api.group('Power');
  const scriptid = await api.script('stop', 'stop lj');
  const statusid = await api.script('status', 'status lj');
  const latest = async (table: string, itemid: string): Promise<string> => String(await database.value(`select value from ${table} where itemid = ${itemid} order by clock desc, ns desc limit 1`) ?? '');

  const host = async (name: string, proxyid: string): Promise<{ hostid: string; numbers: string; texts: string; gone: string }> => {
    const hostid = await api.host(name, groupid, proxyid, { interfaces: [INTERFACE.agent] });
    const interfaceid = await api.interfaceOf(hostid, INTERFACE.agent);
    const [numbers = '', texts = '', gone = ''] = await api.items(hostid, [
      { key: 'argo.status[lj]', type: ITEM.agent, valueType: VALUE.unsigned, delay: '1s', interfaceid },
      { key: 'argo.info[state,lj]', type: ITEM.agent, valueType: VALUE.text, delay: '1s', interfaceid },
      { key: 'argo.uptime[nobody]', type: ITEM.agent, valueType: VALUE.unsigned, delay: '1s', interfaceid },
    ]);
    return { hostid, numbers, texts, gone };
  };

  const works = async (t: Test, daemon: Daemon, { hostid, numbers, gone }: Awaited<ReturnType<typeof host>>): Promise<void> => {
    const told = (): string => daemon.stderr().slice(-3000);
    await until(async () => await latest('history_uint', numbers) !== '', WAIT_MS, `a value: ${told()}`);
    await until(async () => await database.value(`select error from item_rtdata where itemid = ${gone} and state = 1`) !== '', WAIT_MS, 'why an item is not supported');
    t.match(await api.execute(statusid, hostid), /on/, 'a script');
    t.match(await api.execute(scriptid, hostid), /./, 'a script that stops a machine');
    await until(async () => await latest('history_uint', numbers) === '0', WAIT_MS, 'the state after it');
    t.equal(Number(await database.value(`select count(*) - count(distinct (clock, ns)) from history_uint where itemid = ${numbers}`)), 0, 'nothing twice');
  };

  await t.test('active', async (t) => {
    const proxyid = await api.proxy({ name: 'argo active' });
    const items = await host('lj', proxyid);
    const daemon = await startDaemon({ config: configuration(`mode = "active"\nserver = ["127.0.0.1:${zabbix.port}"]\nproxy-name = "argo active"\nconfig-frequency = "1s"`) });
    t.after(() => daemon.stop());
    await works(t, daemon, items);
  });

  await t.test('passive', async (t) => {
    const port = await freePort();
    const proxyid = await api.proxy({ name: 'argo passive', port });
    const items = await host('lj2', proxyid);
    const daemon = await startDaemon({ config: configuration(`mode = "passive"\nserver = ["127.0.0.1"]\nlisten = ["127.0.0.1:${port}"]\nproxy-name = "argo passive"`), listeners: 2 });
    t.after(() => daemon.stop());
    await works(t, daemon, items);
  });
});
