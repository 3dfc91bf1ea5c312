import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { lacksZabbix } from '../peers/zabbix.js';
import { logIn, LONG } from '../support/faults.js';
import { until } from '../support/until.js';
import { auditOf } from './support/plans.js';
import { ACCOUNTS, active, behindRelay, isSeen, SIM, startArgo, startWorld } from './support/zabbix.js';

/** That nothing is done twice, and nothing too late. */

await t.test('commands', { skip: lacksZabbix('fping'), timeout: 170_000 }, async (t) => {
  const world = await startWorld(t);
  const { zabbix: { api } } = world;
  const { relay, ledger, proxyid, folder, hostid } = await behindRelay(t, world, 'commands');
  const config = `${ACCOUNTS}${SIM.replace('[providers.demo]', '[providers.demo]\nlatency = "5s"')}${active('commands', relay.port, 'command-age = "10s"')}`;
  const daemon = await startArgo(t, { config, folder });
  await isSeen(world, proxyid);
  const run = async (command: string): Promise<string> => api.execute(await api.script(`${command} ${ledger.tasks.length}`, command), hostid).catch((error: unknown) => (error as Error).message);
  const stops = () => auditOf(folder).filter(({ account, command }) => account === 'zabbix' && command === 'stop');

  await t.test('one that comes late is not run', async (t) => {
    relay.set('refuse');
    const result = run('stop lj');
    await until(async () => Number(await world.zabbix.database.value('select count(*) from task')) > 0, LONG, 'the task');
    await sleep(13_000);
    relay.set('pass');
    t.match(await result, /not run: it is \d+ s old/);
    t.same(stops(), []);
  });

  await t.test('one is run once, over kill -9 of argo-server', async (t) => {
    const result = run('stop lj');
    await Promise.race([until(() => stops().length === 1, LONG, 'it to begin'), result.then((early) => { throw new Error(`it has ended: ${early}`); })]);
    daemon.signal('SIGKILL');
    await daemon.exited;
    const next = await startArgo(t, { config, folder });
    t.match(await result, /nobody knows/);
    t.equal(stops().length, 1, 'it was begun once');
    const client = await logIn(next);
    t.match((await client.ask('status lj')).body, [/on/], 'and is not done again');
    t.match(stops()[0], { instance: 'demo/lj', account: 'zabbix', command: 'stop' });
    client.destroy();
  });
});
