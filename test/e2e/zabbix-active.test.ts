import t from 'tap';
import { lacksZabbix } from '../peers/zabbix.js';
import { INTERFACE, ITEM, VALUE } from '../peers/zabbix/api.js';
import { LONG } from '../support/faults.js';
import { until } from '../support/until.js';
import { ACCOUNTS, active, firstValue, isSeen, row, SIM, startArgo, startWorld, valuesOf } from './support/zabbix.js';

/** An active proxy, by what a real server has of it in its own tables. */

/** What is asked of `lj`: key, type of the value, and what comes. */
const VALUES: readonly (readonly [string, number, RegExp])[] = [
  ['argo.status', VALUE.unsigned, /^1$/],
  ['argo.status[]', VALUE.text, /^on$/],
  ['argo.load', VALUE.float, /^0\.10*$/],
  ['argo.uptime', VALUE.unsigned, /^\d+$/],
  ['argo.rx', VALUE.unsigned, /^\d+$/],
  ['argo.tx', VALUE.unsigned, /^\d+$/],
  ['argo.info[provider]', VALUE.log, /^demo$/],
  ['argo.info', VALUE.longText, /^\{.*"name":"lj"/],
  ['argo.status[demo/web1]', VALUE.unsigned, /^0$/],
];

const UNSUPPORTED: readonly (readonly [string, number, RegExp])[] = [
  ['argo.nothing', VALUE.unsigned, /^NOT SUPPORTED: argo-server has no item argo\.nothing/],
  ['argo.status[nobody]', VALUE.unsigned, /^NOT ALLOWED/],
  ['argo.status[hidden]', VALUE.unsigned, /^NOT ALLOWED/],
  ['argo.load[]', VALUE.unsigned, /NOT SUPPORTED/],
  ['argo.info[state]', VALUE.float, /not a number/],
];

await t.test('an active proxy', { skip: lacksZabbix('fping'), timeout: 170_000 }, async (t) => {
  const world = await startWorld(t);
  const { zabbix: { api, port, database }, groupid } = world;
  const proxyid = await api.proxy({ name: 'argo' });
  const [registered, discovered] = [await api.group('Registered'), await api.networkRule('of argo', proxyid, '192.0.2.1-254,198.18.0.0/16', [{ type: 9, key_: 'system.hostname', ports: '10050', uniq: 0 }])];
  await api.registrationAction('argo demo', registered);
  const lj = await api.host('lj', groupid, proxyid, { interfaces: [INTERFACE.agent] });
  const web1 = await api.host('web1', groupid, proxyid, { interfaces: [INTERFACE.agent, INTERFACE.ipmi] });
  const interfaceid = await api.interfaceOf(lj, INTERFACE.agent);
  const wish = ([key, valueType]: readonly [string, number, RegExp]) => ({ key, valueType, type: ITEM.simple, delay: '1s', interfaceid });
  const itemids = await api.items(lj, [...VALUES, ...UNSUPPORTED].map(wish));
  const rare = await api.item(lj, { key: 'argo.status[lj]', valueType: VALUE.unsigned, type: ITEM.simple, delay: '1h', interfaceid });
  const all = await api.host('demo', groupid, proxyid, { interfaces: [INTERFACE.agent] });
  const of = { type: ITEM.simple, interfaceid: await api.interfaceOf(all, INTERFACE.agent) };
  await api.lldRule(all, { key: 'argo.discovery', delay: '5s', ...of }, [{ key: 'argo.status["{#ARGO.FULLNAME}"]', name: '{#ARGO.NAME} of {#ARGO.PROVIDER}', valueType: VALUE.unsigned, delay: '1s', ...of }]);
  await startArgo(t, { config: `${ACCOUNTS}${SIM}${active('argo', port)}` });
  await isSeen(world, proxyid);

  await t.test('values of every type', async (t) => {
    for (const [index, [key, valueType, wanted]] of VALUES.entries()) t.match(await firstValue(world, itemids[index]!, valueType), wanted, key);
    t.equal(await valuesOf(world, itemids[0]!, VALUE.unsigned).then((values) => values.every((value) => value === '1')), true);
  });

  await t.test('items that are not served say why', async (t) => {
    for (const [index, [key, , wanted]] of UNSUPPORTED.entries()) {
      const { error } = await row<{ error: string }>(world, `select error from item_rtdata where itemid = ${itemids[VALUES.length + index]} and state = 1`);
      t.match(error, wanted, key);
    }
  });

  await t.test('interfaces are available as their instances are', async (t) => {
    const of = (hostid: string) => row<{ available: number; error: string }>(world, `select available, error from interface where hostid = ${hostid} and type = 1 and available <> 0`);
    t.equal((await of(lj)).available, 1);
    t.match(await of(web1), { available: 2, error: /web1 is off/ });
  });

  await t.test('instances register themselves, but not those that the account does not see', async (t) => {
    for (const name of ['builder', 'web2']) await row(world, `select h.host from hosts h join hosts_groups g using (hostid) where g.groupid = ${registered} and h.host = '${name}'`);
    t.equal(await database.value(`select count(*) from autoreg_host where host = 'hidden'`), 0);
    t.match(await database.rows(`select distinct split_part(host_metadata, ' ', 2) as provider from autoreg_host`), [{ provider: 'demo' }]);
  });

  await t.test('instances in the range of a rule are discovered', async (t) => {
    const found = await row<{ ip: string; value: string }>(world, `select s.ip, s.value from dservices s join dhosts h using (dhostid) where h.druleid = ${discovered} and s.value = 'lj' and s.status = 0`);
    t.match(found.ip, /^(192\.0\.2|198\.18|198\.19)\./);
  });

  await t.test('low-level discovery makes items, and they have values', async (t) => {
    for (const [name, wanted] of [['lj', '1'], ['web1', '0']] as const) {
      const { itemid } = await row<{ itemid: number }>(world, `select itemid from items where hostid = ${all} and flags = 4 and name = '${name} of demo'`);
      t.equal(await firstValue(world, String(itemid), VALUE.unsigned), wanted, name);
    }
    t.equal(await database.value(`select count(*) from items where hostid = ${all} and flags = 4`), 4, 'none for the hidden one');
  });

  await t.test('check now', async (t) => {
    const many = async (): Promise<number> => (await valuesOf(world, rare, VALUE.unsigned)).length;
    await until(async () => await many() > 0, LONG, 'its first value');
    const before = await many();
    await api.checkNow(rare);
    await until(async () => await many() > before, LONG, 'another one at once');
    t.ok(await many() > before);
  });

  await t.test('diagnostics', async (t) => {
    const taskid = await api.diagnostics(proxyid);
    type Tasks = readonly { readonly status: string; readonly result?: { readonly status: string; readonly data: unknown } | null }[];
    let task: Tasks[number] | undefined;
    await until(async () => {
      [task] = await api.call<Tasks>('task.get', { taskids: [taskid], output: 'extend' });
      return task?.result != null && !Array.isArray(task.result);
    }, LONG, 'the answer');
    t.match(JSON.stringify(task?.result), /historycache/);
  });

  await t.test('scripts: what the account may, and nothing else', async (t) => {
    const run = async (command: string, hostid = lj): Promise<string> =>
      api.execute(await api.script(command, command), hostid).catch((error: unknown) => (error as Error).message);
    t.match(await run('stop {HOST.HOST}'), /^lj: done, off/);
    await until(async () => (await valuesOf(world, itemids[0]!, VALUE.unsigned)).at(-1) === '0', LONG, 'the state in the history');
    t.match(await run('stop lj'), /lj: already so, off/);
    t.match(await run('start "{HOST.HOST}"'), /^lj: done, on/);
    t.match(await run('stop builder'), /NOT ALLOWED/, 'it may only be looked at');
    t.match(await run('status builder'), /builder: on/);
    t.match(await run('stop hidden'), /NOT ALLOWED/);
    t.match(await run('reboot lj; echo'), /no shell/);
    t.match(await run('echo 1'), /UNKNOWN COMMAND/);
  });
});
