import t, { type Test } from 'tap';
import type { Machine } from '../../src/drivers/driver.js';
import { openDriver } from '../drivers/libvirt/open-driver.js';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';
import { findMachine, outcome } from '../drivers/driving.js';

/** The libvirt driver while libvirtd dies and emulators hang. */

const WAIT_MS = 60_000;
const options = { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 170_000 };
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS);

async function setUp(t: Test, ...guests: string[]) {
  const peer = await startLibvirt();
  const { driver, told } = openDriver(`qemu:///system?socket=${peer.socket}`);
  t.teardown(async () => {
    await driver.close(soon());
    await peer.stop();
  });
  for (const guest of guests) await peer.defineTiny(guest);
  const machines: Machine[] = [];
  for (const guest of guests) machines.push(await findMachine(driver, guest, soon()));
  /** Waits until a call waits for the emulator of a guest. */
  const waitedFor = (guest: string): Promise<void> =>
    until(async () => (await peer.virsh('domcontrol', guest)).stdout.includes('occupied'), WAIT_MS, `a call to wait for ${guest}`);
  return { peer, driver, told, machines, waitedFor, signalEmulator: peer.signalEmulator.bind(peer) };
}

await t.test('libvirtd is killed in the middle of an action', options, async (t) => {
  const { peer, driver, told, machines, waitedFor, signalEmulator } = await setUp(t, 'tiny');
  const tiny = machines[0]!;
  await tiny.start!(soon());
  await signalEmulator('tiny', 'STOP');
  const reset = outcome(tiny.reset!(soon()));
  await waitedFor('tiny');
  t.equal(await tiny.status(soon()), 'on');
  await peer.kill();
  t.match(await reset, { phrase: 'UNCERTAIN' });
  await until(() => told.lost.length === 1, WAIT_MS, 'the loss to be told');
  t.match(await outcome(tiny.status(soon())), { phrase: 'UNREACHABLE', detail: /libvirtd running/ });
  t.match(await outcome(tiny.powerOff!(soon())), { phrase: 'UNREACHABLE' });
  await signalEmulator('tiny', 'CONT');
  await peer.restart();
  await until(() => told.relists > 0, WAIT_MS, 'the driver to be back by itself');
  t.same((await driver.list(soon())).map(({ state }) => state), ['on']);
  t.equal(told.lost.length, 1);
  const before = told.changed.length;
  await peer.virsh('destroy', 'tiny');
  // it may be told before that it stops
  await until(() => told.changed.slice(before).some(({ id, state }) => id === tiny.id && state === 'off'), WAIT_MS, 'events to come again');
});

await t.test('emulators that hang hold nobody but themselves', options, async (t) => {
  const { peer, told, machines, waitedFor, signalEmulator } = await setUp(t, 'hung1', 'hung2', 'hung3', 'hung4', 'good');
  for (const machine of machines) {
    await machine.start!(soon());
    await peer.guestReady(machine.name);
  }
  const good = machines.pop()!;
  const stop = new AbortController();
  const pending: Promise<unknown>[] = [];
  let ended = 0;
  for (const machine of machines) {
    await signalEmulator(machine.name, 'STOP');
    pending.push(outcome(machine.shutdown!(stop.signal)).finally(() => { ended += 1; }));
  }
  for (const machine of machines) await waitedFor(machine.name);
  t.ok('cpuPercent' in await good.load!(soon()));
  await good.shutdown!(soon());
  await until(async () => await good.status(soon()) === 'off', WAIT_MS, 'the good one to be off');
  t.equal(ended, 0, 'while the others hang');
  const reason = new Error('deadline');
  stop.abort(reason);
  t.same(await Promise.all(pending), machines.map(() => ({ error: reason })));
  await good.start!(soon());
  await good.powerOff!(soon());
  await Promise.all(machines.map(async (machine) => {
    await machine.powerOff!(soon());
    t.equal(await machine.status(soon()), 'off');
  }));
  t.same(told.lost, [], 'no connection had to be given up');
});
