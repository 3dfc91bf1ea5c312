import t from 'tap';
import { openDriver } from '../drivers/libvirt/open-driver.js';
import { LIBVIRT_PROGRAMS, startLibvirt, writeTestDriverFile } from '../peers/libvirt.js';
import { lacksRoot } from '../support/peers.js';

/** The libvirt driver on a thousand domains that cost nothing. */

const DOMAINS = 1_000;
const soon = (): AbortSignal => AbortSignal.timeout(30_000);

await t.test('a thousand domains', { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 120_000 }, async (t) => {
  const peer = await startLibvirt();
  const { driver } = openDriver(`test://${writeTestDriverFile(DOMAINS)}?socket=${peer.socket}`);
  t.teardown(async () => {
    await driver.close(soon());
    await peer.stop();
  });
  const listed = await driver.list(soon());
  t.equal(listed.length, DOMAINS);
  t.equal(new Set(listed.map(({ machine }) => machine.id)).size, DOMAINS);
  const machines = listed.map(({ machine }) => machine);
  t.same(new Set(await Promise.all(machines.map((machine) => machine.status(soon())))), new Set(['on']), 'all asked at once');
  await Promise.all(machines.slice(0, 100).map((machine) => machine.pause!(soon())));
  const again = await driver.list(soon());
  t.equal(again.filter(({ state }) => state === 'paused').length, 100);
  t.equal(again.filter(({ state }) => state === 'on').length, DOMAINS - 100);
});
