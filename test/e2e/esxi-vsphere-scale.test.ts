import { monitorEventLoopDelay } from 'node:perf_hooks';
import t from 'tap';
import { openDriver, soon } from '../drivers/esxi/open-driver.js';
import { lacksVcsim, PASSWORD, startVcsim, USER } from '../peers/vcsim.js';
import { until } from '../support/until.js';

/** The esxi driver on a vCenter with a thousand virtual machines. */

/** Machines that are switched off at a time: the simulator needs a tenth of a second for each change among so many. */
const FEW = 10;

await t.test('a thousand machines', { skip: await lacksVcsim() }, async (t) => {
  const vcsim = await startVcsim({ vms: 500 });
  const { driver, told } = openDriver({ url: vcsim.url, user: USER, password: PASSWORD, insecure: true });
  t.teardown(async () => {
    await driver.close(soon());
    await vcsim.stop();
  });
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const listed = await driver.list(soon(60_000));
  delay.disable();
  t.comment(`longest wait of the event loop during the first fill: ${(delay.max / 1e6).toFixed(1)} ms`);
  const vms = listed.filter(({ machine }) => machine.type === 'vm');
  t.equal(vms.length, 1000);
  await Promise.all(vms.slice(0, FEW).map(({ machine }) => machine.powerOff!(soon(60_000))));
  const offIds = (): Set<string> => new Set(told.changed.filter(([, state]) => state === 'off').map(([id]) => id));
  await until(() => offIds().size === FEW, 60_000, 'what was told of them');
  t.equal((await driver.list(soon())).filter(({ state }) => state === 'off').length, FEW);
});
