import t, { type Test } from 'tap';
import { readDomain } from '../../../src/protocols/libvirt/types.js';
import { XdrReader } from '../../../src/protocols/libvirt/xdr.js';
import { until } from '../../support/until.js';
import { outcome } from '../driving.js';
import { FakeDaemon, fakeDomain } from './fake-daemon.js';
import { openDriver } from './open-driver.js';

/** Guests whose calls are never answered, beside those that are. */

const SOON_MS = 30_000;
const SHUTDOWN = 258;
const STATE = 212;
const DESTROY = 234;
const signal = AbortSignal.timeout(60_000);

async function setUp(t: Test, hung: number, scheme = 'qemu') {
  const daemon = new FakeDaemon();
  daemon.domains = Array.from({ length: hung + 1 }, (_, index) => fakeDomain(`g${index}`, index + 1, 1));
  daemon.override = (call) => call.procedure === SHUTDOWN && readDomain(new XdrReader(call.body)).name !== 'g0';
  await daemon.start();
  const { driver, told } = openDriver(`${scheme}:///system?socket=${daemon.socket}`);
  t.teardown(async () => {
    await driver.close(AbortSignal.timeout(SOON_MS));
    await daemon.remove();
  });
  const [good, ...others] = (await driver.list(signal)).map(({ machine }) => machine);
  return { daemon, told, good: good!, others };
}

await t.test('guests that hang hold nobody but themselves', async (t) => {
  const { daemon, told, good, others } = await setUp(t, 12);
  const stop = new AbortController();
  const hung = others.map((machine) => outcome(machine.shutdown!(stop.signal)));
  await until(() => daemon.count(SHUTDOWN) === others.length, SOON_MS, 'all presses to be sent');
  await good.shutdown!(signal);
  t.equal(daemon.count(SHUTDOWN), others.length + 1);
  stop.abort(new Error('enough'));
  await Promise.all(hung);
  await good.shutdown!(signal);
  for (const machine of others) await machine.powerOff!(signal);
  t.equal(daemon.count(DESTROY), others.length, 'and can be forced');
  t.same(told.lost, []);
});

await t.test('a guest has one place, however often it is asked', async (t) => {
  const { daemon, good, others } = await setUp(t, 1);
  const stop = new AbortController();
  const presses = Array.from({ length: 10 }, () => outcome(others[0]!.shutdown!(stop.signal)));
  await until(() => daemon.count(SHUTDOWN) === 1, SOON_MS, 'the first press');
  await good.shutdown!(signal);
  t.equal(daemon.count(SHUTDOWN), 2);
  t.equal(daemon.peers.length, 1, 'no further connection is needed');
  stop.abort(new Error('enough'));
  const ends = await Promise.all(presses);
  t.equal(ends.filter(({ phrase }) => phrase === 'UNREACHABLE').length, 9, 'the others were not sent');
});

await t.test('more than there are places for: connections have a limit, and force goes first', async (t) => {
  const { daemon, others } = await setUp(t, 40);
  const stop = new AbortController();
  const hung = others.map((machine) => outcome(machine.shutdown!(stop.signal)));
  await until(() => daemon.count(SHUTDOWN) === 18, SOON_MS, 'as many presses as there are places');
  for (const machine of others) await machine.powerOff!(signal);
  t.equal(daemon.count(DESTROY), others.length);
  t.ok(daemon.peers.length <= 8);
  stop.abort(new Error('enough'));
  await Promise.all(hung);
});

await t.test('guests of which not even the state is told hold nobody but themselves', async (t) => {
  const { daemon, told, good, others } = await setUp(t, 6);
  const stop = new AbortController();
  const hung = others.map((machine) => outcome(machine.shutdown!(stop.signal)));
  await until(() => daemon.count(SHUTDOWN) === others.length, SOON_MS, 'all presses to be sent');
  // As libvirtd is about a domain whose hung emulator it is killing.
  daemon.override = (call) => [SHUTDOWN, STATE, DESTROY].includes(call.procedure) && readDomain(new XdrReader(call.body)).name !== 'g0';
  hung.push(...others.map((machine) => outcome(machine.status(stop.signal))));
  await until(() => daemon.count(STATE) >= 2 * others.length, SOON_MS, 'all to be asked');
  t.equal(await good.status(signal), 'on');
  t.match(await good.info!(signal), { persistent: true });
  await good.shutdown!(signal);
  await good.powerOff!(signal);
  stop.abort(new Error('enough'));
  await Promise.all(hung);
  t.same(told.lost, []);
});

await t.test('a daemon that takes no further connection', async (t) => {
  const { daemon, others } = await setUp(t, 5);
  const hang = daemon.override;
  daemon.override = (call, peer) => {
    if (call.procedure === 66) peer.stream.destroy();
    return call.procedure === 66 || hang(call, peer);
  };
  const stop = new AbortController();
  const hung = others.map((machine) => outcome(machine.shutdown!(stop.signal)));
  await until(() => daemon.count(SHUTDOWN) === 3, SOON_MS, 'the places of the first');
  stop.abort(new Error('enough'));
  const ends = await Promise.all(hung);
  t.equal(ends.filter(({ phrase }) => phrase === 'UNREACHABLE').length, 2);
});

await t.test('guests that a connection has for itself are asked on that one', async (t) => {
  const { daemon, others } = await setUp(t, 8, 'test');
  daemon.override = () => false;
  await Promise.all(others.map((machine) => machine.shutdown!(signal)));
  t.equal(daemon.count(SHUTDOWN), others.length);
  t.equal(daemon.peers.length, 1);
});
