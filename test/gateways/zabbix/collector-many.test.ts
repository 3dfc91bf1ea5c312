import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { until } from '../../support/until.js';
import { arrange, CONFIG, wanted } from './rig.js';

await t.test('100,000 items are taken in and served while others have their turns', async (t) => {
  const rig = await arrange(t, { config: `${CONFIG}[providers.many]\ntype = "sim"\ncount = 10000\n` });
  const hosts = Array.from({ length: 12_500 }, (_, index) => `vm${String(index + 1).padStart(5, '0')}`);
  const configuration = wanted({ hosts, items: hosts.flatMap((_, index) => ['status', 'rx', 'tx', 'uptime', 'status[]', 'rx[]', 'tx[]', 'x'].map((key) => ({ key: `argo.${key}`, delay: '5m', hostid: index + 1 }))) });
  const collecting = rig.collecting();
  let turns = 0;
  let isOver = false;
  const counting = (async () => { for (; !isOver; turns += 1) await nextTurn(); })();
  collecting.configured(configuration);
  await until(() => collecting.figures.items === 100_000, 30_000, 'the configuration');
  t.ok(turns > 50, `${turns} turns of others while it was taken in`);
  isOver = true;
  await counting;
  const seen = new Set<string>();
  let looked = 0;
  await until(() => {
    for (; looked < rig.received.all.length; looked += 1) seen.add(rig.received.all[looked]!.itemid);
    return seen.size === 100_000;
  }, 100_000, 'a value of each');
  t.equal(rig.received.all.filter(({ state }) => state === undefined).length >= 70_000, true);
});
