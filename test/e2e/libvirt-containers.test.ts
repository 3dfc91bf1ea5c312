import t from 'tap';
import type { Machine, PowerState } from '../../src/drivers/driver.js';
import { openDriver } from '../drivers/libvirt/open-driver.js';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';
import { findMachine } from '../drivers/driving.js';

/** The libvirt driver on real containers of libvirt-lxc. */

const WAIT_MS = 60_000;
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS);

await t.test('a container', { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 170_000 }, async (t) => {
  const peer = await startLibvirt();
  const { driver, told } = openDriver(`lxc:///system?socket=${peer.socket}`);
  t.teardown(async () => {
    await driver.close(soon());
    await peer.stop();
  });
  await peer.defineContainer('box');
  const box: Machine = await findMachine(driver, 'box', soon());
  const becomes = (state: PowerState): Promise<void> => until(async () => await box.status(soon()) === state, WAIT_MS, state);
  t.equal(box.type, 'container');
  t.equal(await box.status(soon()), 'off');
  for (const method of ['suspend', 'resume', 'reset'] as const) t.notOk(box[method], `no ${method}`);

  await box.start!(soon());
  t.equal(await box.status(soon()), 'on');
  t.match(await box.info!(soon()), { uuid: box.id, memory: 64n * 1024n * 1024n });
  t.match(await box.disk!(soon()), [{ target: '/', type: 'mount' }]);
  t.ok(await box.uptime!(soon()) >= 0);
  await box.pause!(soon());
  await becomes('paused');
  await box.unpause!(soon());
  await becomes('on');
  // Now and then libvirtd never learns the pid of a container's init, and refuses: ask of another start.
  const another = async () => {
    await box.powerOff!(soon());
    await box.start!(soon());
  };
  await until(async () => {
    await box.shutdown!(soon()).catch(another);
    return await box.status(soon()) === 'off';
  }, WAIT_MS, 'its init to hear the signal');
  await box.start!(soon());
  await box.powerOff!(soon());
  t.equal(await box.status(soon()), 'off');
  await until(() => told.changed.at(-1)?.state === 'off', WAIT_MS, 'the events');
});
