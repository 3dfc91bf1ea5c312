import t, { type Test } from 'tap';
import type { Machine } from '../../../src/drivers/driver.js';
import { XdrWriter } from '../../../src/protocols/libvirt/xdr.js';
import { until } from '../../support/until.js';
import { findMachine, outcome } from '../driving.js';
import { FakeDaemon, fakeDomain } from './fake-daemon.js';
import { openDriver } from './open-driver.js';

/** What the driver makes of the reasons that libvirt gives for a state. */

const SOON_MS = 30_000;
const signal = AbortSignal.timeout(60_000);

async function setUp(t: Test, state: number, reason: number) {
  const daemon = new FakeDaemon();
  const web = Object.assign(fakeDomain('web', 1, state), { reason });
  daemon.domains = [web];
  await daemon.start();
  const { driver, told } = openDriver(`qemu:///system?socket=${daemon.socket}`);
  t.teardown(async () => {
    await driver.close(AbortSignal.timeout(SOON_MS));
    await daemon.remove();
  });
  return { daemon, web, told, machine: await findMachine(driver, 'web', signal) };
}

type Daemon = Awaited<ReturnType<typeof setUp>>['daemon'];

/** What the domain becomes by a call that succeeds. */
function becomes(daemon: Daemon, procedure: number, change: { state: number; reason: number; saved?: boolean }): void {
  daemon.override = (call) => {
    if (call.procedure === procedure) Object.assign(daemon.domains[0]!, change);
    return false;
  };
}

const ORDERS = { 9: 'start', 258: 'shutdown', 234: 'powerOff', 27: 'reboot', 245: 'reset', 34: 'pause', 28: 'unpause', 182: 'suspend' } as const;
const orders = (machine: Machine, ...without: string[]): [number, Promise<unknown>][] => Object.entries(ORDERS)
  .filter(([, name]) => !without.includes(name)).map(([procedure, name]) => [Number(procedure), machine[name]!(signal)]);

await t.test('one that was migrated away is not off, and nothing is done to it', async (t) => {
  const { daemon, machine } = await setUp(t, 5, 4);
  t.equal(await machine.status(signal), 'unknown');
  for (const [procedure, order] of [...orders(machine, 'start'), [9, machine.checkOrder!(signal)] as const]) {
    t.match(await outcome(order), { phrase: 'WRONG STATE', detail: /migrated to another host/ });
    t.equal(daemon.count(procedure), 0);
  }
  await machine.start!(signal);
  t.equal(daemon.count(9), 1, 'who forces it is not asked that');
});

await t.test('one that has left between the question and the press is not off', async (t) => {
  const { daemon, web, machine } = await setUp(t, 1, 1);
  daemon.override = (call, peer) => {
    if (call.procedure !== 258) return false;
    Object.assign(web, { state: 5, reason: 4, id: -1 });
    peer.fail(call, 55, 'Requested operation is not valid: domain is not running');
    return true;
  };
  t.match(await outcome(machine.shutdown!(signal)), { phrase: 'WRONG STATE', detail: /migrated to another host/ });
});

await t.test('one that left nothing behind has not ended', async (t) => {
  const { daemon, web, machine } = await setUp(t, 1, 1);
  daemon.tellLifecycle(web, 5, 3);
  daemon.domains = [];
  t.match(await outcome(machine.status(signal)), { phrase: 'UNREACHABLE', detail: /migrated to another host/ });
  t.match(await outcome(machine.shutdown!(signal)), { phrase: 'UNREACHABLE', detail: /migrated to another host/ });
  daemon.domains = [web];
  daemon.tellLifecycle(web, 2);
  t.equal(await machine.status(signal), 'on');
  daemon.domains = [];
  t.match(await outcome(machine.status(signal)), { phrase: 'NO SUCH INSTANCE' }, 'it had come back, and is gone');
});

await t.test('one that is gone is off only where its end was seen', async (t) => {
  const { daemon, web, told, machine } = await setUp(t, 1, 1);
  daemon.domains = [];
  t.match(await outcome(machine.status(signal)), { phrase: 'NO SUCH INSTANCE' });
  t.equal(machine.isOffWhenGone, false, 'nothing has told of its end');
  daemon.tellLifecycle(web, 5, 1);
  t.match(await outcome(machine.status(signal)), { phrase: 'NO SUCH INSTANCE' });
  t.equal(machine.isOffWhenGone, true);
  daemon.peers[0]!.stream.destroy();
  await until(() => told.relists > 2, SOON_MS, 'the new connection');
  t.match(await outcome(machine.status(signal)), { phrase: 'NO SUCH INSTANCE' });
  t.equal(machine.isOffWhenGone, false, 'it may have come and gone elsewhere while nobody listened');
  daemon.tellLifecycle(web, 5, 4);
  t.match(await outcome(machine.status(signal)), { phrase: 'UNREACHABLE', detail: /saved to a file/ });
});

await t.test('what libvirt is doing makes a domain busy at once', async (t) => {
  const { daemon, machine } = await setUp(t, 1, 1);
  for (const [operation, words] of [[2, /saved/], [5, /migrated to another host/], [8, /dumped/]] as const) {
    daemon.operation = operation;
    for (const [procedure, order] of orders(machine, 'powerOff')) {
      t.match(await outcome(order), { phrase: 'BUSY', detail: words });
      t.equal(daemon.count(procedure), 0);
    }
  }
  daemon.operation = 2;
  t.match(await outcome(machine.autostart!.set(true, signal)), { phrase: 'BUSY', detail: /saved/ });
  daemon.operation = 9;
  await machine.shutdown!(signal);
  t.equal(daemon.count(258), 1, 'a backup keeps nobody');
  daemon.operation = 5;
  await machine.powerOff!(signal);
  t.equal(daemon.count(234), 1, 'the plug is pulled all the same');
});

await t.test('paused by libvirt for its work: busy; between two hosts the plug is not pulled', async (t) => {
  const { daemon, web, machine } = await setUp(t, 3, 3);
  for (const order of ['shutdown', 'checkOrder'] as const) t.match(await outcome(machine[order]!(signal)), { phrase: 'BUSY', detail: /saved/ });
  web.reason = 2;
  t.match(await outcome(machine.unpause!(signal)), { phrase: 'BUSY', detail: /migrated/ });
  t.match(await outcome(machine.powerOff!(signal)), { phrase: 'BUSY', detail: /migration/ });
  t.equal(daemon.count(234), 0);
});

await t.test('an emulator that owes an answer is not asked for another', async (t) => {
  const { daemon, machine } = await setUp(t, 1, 1);
  daemon.override = (call, peer) => {
    if (call.procedure === 229) peer.reply(call, new XdrWriter().int(2).int(0).int(0).int(5).bytes());
    return call.procedure === 229;
  };
  await machine.shutdown!(signal);
  t.same([daemon.count(298), daemon.count(258)], [0, 1]);
});

await t.test('a saved image that was incomplete: booted, not restored', async (t) => {
  const { daemon, web, machine } = await setUp(t, 5, 5);
  for (const step of ['resume', 'start'] as const) {
    Object.assign(web, { state: 5, reason: 5, saved: true });
    becomes(daemon, 9, { state: 1, reason: 1, saved: false });
    t.match(await outcome(machine[step]!(signal)), { phrase: 'FAILED', detail: /booted, not restored/ });
  }
  Object.assign(web, { state: 5, reason: 5, saved: true });
  becomes(daemon, 9, { state: 1, reason: 3, saved: false });
  await machine.resume!(signal);
  Object.assign(web, { state: 5, reason: 1, saved: false });
  becomes(daemon, 9, { state: 1, reason: 1 });
  await machine.start!(signal);
});

await t.test('autostart is set on a persistent domain alone', async (t) => {
  const { daemon, web, machine } = await setUp(t, 1, 1);
  const { read, set } = machine.autostart!;
  t.equal(await read(signal), false);
  await set(true, signal);
  t.equal(await read(signal), true);
  t.match(await machine.info!(signal), { persistent: true, autostart: true });
  web.persistent = false;
  t.match(await outcome(set(false, signal)), { phrase: 'WRONG STATE', detail: /transient/ });
  t.equal(daemon.count(29), 1, 'nothing was sent');
  daemon.override = (call, peer) => {
    if (call.procedure !== 29) return false;
    peer.stream.destroy();
    return true;
  };
  web.persistent = true;
  t.match(await outcome(set(false, signal)), { phrase: 'UNCERTAIN' });
});

await t.test('one that was saved paused goes on', async (t) => {
  const { daemon, web, machine } = await setUp(t, 5, 5);
  web.saved = true;
  becomes(daemon, 9, { state: 3, reason: 1, saved: false });
  await machine.resume!(signal);
  t.equal(daemon.count(28), 1);
});

await t.test('an I/O error that pauses it again is told with its disks', async (t) => {
  const { daemon, web, machine } = await setUp(t, 3, 5);
  daemon.diskFaults = ['vda', 'vdb'];
  t.match(await outcome(machine.unpause!(signal)), { phrase: 'FAILED', detail: /I\/O error.*vda: no space, vdb: no space/ });
  Object.assign(web, { state: 5, reason: 1 });
  becomes(daemon, 9, { state: 3, reason: 5 });
  t.match(await outcome(machine.start!(signal)), { phrase: 'FAILED', detail: /I\/O error/ });
  Object.assign(web, { state: 3, reason: 5 });
  t.match(await outcome(machine.reset!(signal)), { phrase: 'FAILED', detail: /I\/O error/ }, 'the reset does not help');
  Object.assign(web, { state: 3, reason: 5 });
  becomes(daemon, 28, { state: 3, reason: 0 });
  t.match(await outcome(machine.unpause!(signal)), { phrase: 'FAILED', detail: /I\/O error/ }, 'also where libvirt has not kept why');
  Object.assign(web, { state: 3, reason: 5 });
  becomes(daemon, 28, { state: 1, reason: 5 });
  await machine.unpause!(signal);
});

await t.test('one that is paused again while nobody could look is no success', async (t) => {
  const { daemon, web, machine } = await setUp(t, 3, 5);
  becomes(daemon, 28, { state: 1, reason: 5 });
  const { now } = performance;
  let ahead = 0;
  t.intercept(performance, 'now', { value: () => now.call(performance) + ahead });
  const done = outcome(machine.unpause!(signal));
  await until(() => daemon.count(28) === 1, SOON_MS, 'the order');
  ahead = 3_600_000;
  Object.assign(web, { state: 3, reason: 5 });
  t.match(await done, { phrase: 'FAILED', detail: /I\/O error/ });
});
