import t, { type Test } from 'tap';
import { writeDomain } from '../../../src/protocols/libvirt/types.js';
import { XdrWriter } from '../../../src/protocols/libvirt/xdr.js';
import { soon } from '../driving.js';
import { FakeDaemon, fakeDomain } from './fake-daemon.js';
import { openDriver } from './open-driver.js';

/** Readings of all guests at once, for those who look at all of them again and again. */

const STATS = 344;
const NO_SUPPORT = 3;
const RUNNING = 1;
const SHUTOFF = 5;
const COUNT = 50;
const idOf = (number: number): string => `00000000-0000-0000-0000-${number.toString(16).padStart(12, '0')}`;

async function open(t: Test, scheme = 'qemu') {
  const daemon = new FakeDaemon();
  daemon.domains = Array.from({ length: COUNT }, (_, index) => fakeDomain(`d${index}`, index + 1, index === 1 ? SHUTOFF : RUNNING));
  await daemon.start();
  const { driver } = openDriver(`${scheme}:///system?socket=${daemon.socket}`);
  t.teardown(async () => {
    await driver.close(soon());
    await daemon.remove();
  });
  return { daemon, sample: () => driver.sample!(soon()) };
}

const NETS = [['net.count', 2], ['net.0.rx.bytes', 10], ['net.0.tx.bytes', 20], ['net.1.rx.bytes', 5], ['net.1.tx.bytes', 7]];

function answer(daemon: FakeDaemon, cpuTime: () => number): void {
  daemon.override = (call, peer) => {
    if (call.procedure !== STATS) return false;
    const writer = new XdrWriter().int(daemon.domains.length);
    for (const domain of daemon.domains) {
      const isOn = domain.id >= 0;
      const given: [string, number][] = [
        ['state.state', isOn ? RUNNING : SHUTOFF], ['state.reason', 1], ['cpu.time', cpuTime()], ['vcpu.current', 2],
        ...(domain.name === 'd2' ? [['net.count', 0]] : NETS) as [string, number][],
      ];
      writeDomain(writer, domain).int(given.length);
      for (const [name, value] of given) writer.string(name).int(4).int(0).int(value);
    }
    peer.reply(call, writer.bytes());
    return true;
  };
}

await t.test('one call tells of all of them; of one that is off its state alone', async (t) => {
  const { daemon, sample } = await open(t);
  let [now, cpuTime] = [0, 1000];
  t.intercept(performance, 'now', { value: () => now });
  answer(daemon, () => cpuTime);
  const first = await sample();
  t.equal(first.size, COUNT);
  t.same(first.get(idOf(1)), { status: 'on', rx: 15n, tx: 27n }, 'a load needs two of them, an uptime a start that was seen');
  t.same(first.get(idOf(2)), { status: 'off' });
  t.same(first.get(idOf(3)), { status: 'on', rx: 0n, tx: 0n }, 'one without interfaces');
  now = 1000;
  cpuTime += 500_000_000;
  t.same((await sample()).get(idOf(1))!.load, { cpuPercent: 25 }, 'half a second of two CPUs in one');
  now = 1100;
  t.notOk((await sample()).get(idOf(1))!.load, 'too soon for anything but noise');
  now = 2000;
  cpuTime += 1_000_000_000;
  t.same((await sample()).get(idOf(1))!.load, { cpuPercent: 50 }, 'since the last that was not too soon');
  now = 500_000;
  t.notOk((await sample()).get(idOf(1))!.load, 'nor is the past the present');
  t.equal(daemon.count(STATS), 5);
});

await t.test('a hypervisor\'s driver without such figures is not asked for them again and again', async (t) => {
  const { daemon, sample } = await open(t, 'test');
  daemon.override = (call, peer) => {
    if (call.procedure !== STATS) return false;
    peer.fail(call, NO_SUPPORT, 'this function is not supported');
    return true;
  };
  for (let round = 0; round < 5; round += 1) t.equal((await sample()).size, 0);
  t.equal(daemon.count(STATS), 1, 'nor without the flag that old ones lack: one would wait for a guest that hangs');
});
