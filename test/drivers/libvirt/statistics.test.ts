import t, { type Test } from 'tap';
import { writeDomain } from '../../../src/protocols/libvirt/types.js';
import { XdrWriter } from '../../../src/protocols/libvirt/xdr.js';
import { outcome, soon } from '../driving.js';
import { FakeDaemon, fakeDomain } from './fake-daemon.js';
import { openDriver } from './open-driver.js';

/** Figures of guests, by one call for all of them. */

const STATS = 344;
const call = () => ({ signal: soon(), task: 'x', progress: () => undefined });

async function open(t: Test, count: number) {
  const daemon = new FakeDaemon();
  daemon.domains = Array.from({ length: count }, (_, index) => fakeDomain(`d${index}`, index + 1, 1));
  await daemon.start();
  const { driver } = openDriver(`qemu:///system?socket=${daemon.socket}`);
  t.teardown(async () => {
    await driver.close(soon());
    await daemon.remove();
  });
  return { daemon, guests: () => driver.abilities!.statistics!.guests!({}, call()) };
}

/** As `virsh domstats` of a guest with two interfaces and a disk has them: unsigned long long, but for the counts. */
const fields = (cpuTime: number): [string, number][] => [
  ['cpu.time', cpuTime], ['cpu.user', 1], ['cpu.system', 1], ['balloon.current', 1024], ['balloon.maximum', 2048], ['balloon.available', 1000], ['balloon.usable', 400],
  ['vcpu.current', 2], ['vcpu.maximum', 2], ['net.count', 2], ['net.0.name', 0], ['net.0.rx.bytes', 10], ['net.0.tx.bytes', 20], ['net.1.rx.bytes', 5], ['net.1.tx.bytes', 7],
  ['block.count', 1], ['block.0.allocation', 100], ['block.0.capacity', 400], ['block.0.physical', 300],
];

function answer(daemon: FakeDaemon, cpuTime: () => number, most = Infinity): void {
  daemon.override = (call, peer) => {
    if (call.procedure !== STATS) return false;
    const writer = new XdrWriter().int(Math.min(daemon.domains.length, most));
    for (const domain of daemon.domains.slice(0, most)) {
      const given = fields(cpuTime());
      writeDomain(writer, domain).int(given.length + 1).string('block.0.name').int(7).string('vda');
      for (const [name, value] of given) writer.string(name).int(4).int(0).int(value);
    }
    peer.reply(call, writer.bytes());
    return true;
  };
}

await t.test('what libvirt tells', async (t) => {
  const { daemon, guests } = await open(t, 1);
  let [now, cpuTime] = [0, 1000];
  t.intercept(performance, 'now', { value: () => now });
  answer(daemon, () => cpuTime);
  const expected = {
    id: '00000000-0000-0000-0000-000000000001', vcpus: 2, cpuTime: 1000n, memory: 1024n * 1024n, maxMemory: 2048n * 1024n, usedMemory: 600n * 1024n,
    rx: 15n, tx: 27n, disks: [{ target: 'vda', capacity: 400n, allocation: 300n }],
  };
  t.same(await guests(), [expected], 'no share of a CPU, which needs two answers');
  t.same(await Promise.all([guests(), guests()]), [[expected], [expected]]);
  t.equal(daemon.count(STATS), 1, 'those who ask soon after get the same');
  now = 1000;
  cpuTime += 500_000_000;
  t.match(await guests(), [{ cpuPercent: 25 }], 'half a second of two CPUs in one');
  now = 2000;
  daemon.domains = [{ ...daemon.domains[0]!, id: 7 }];
  cpuTime = 10;
  t.notOk('cpuPercent' in (await guests())[0]!, 'another run of it begins anew');
  now = 3000;
  daemon.domains = [{ ...daemon.domains[0]!, id: -1 }];
  t.match(await guests(), [{ disks: [{ capacity: 400n, allocation: 100n }] }], 'of one that is off, physical is the length of the file');
});

await t.test('five hundred', async (t) => {
  const { daemon, guests } = await open(t, 500);
  answer(daemon, () => 1000);
  const before = daemon.peers.flatMap((peer) => peer.calls).length;
  await guests();
  const connected = daemon.peers.flatMap((peer) => peer.calls).filter(({ procedure }) => ![66, 60, 1, 316].includes(procedure)).length;
  t.equal(connected - before, 1, 'by one call');
});

await t.test('a libvirt that knows less', async (t) => {
  const { daemon, guests } = await open(t, 2);
  const refused: number[] = [];
  daemon.override = (call, peer) => {
    if (call.procedure !== STATS) return false;
    refused.push(call.body.readInt32BE(call.body.length - 4));
    peer.fail(call, refused.length === 1 ? 8 : 3, 'unsupported');
    return true;
  };
  t.match(await guests(), [{ vcpus: 0, cpuTime: 0n, maxMemory: 0n }, {}], 'asked singly');
  t.same(refused, [1 << 29, 0], 'first so that a guest that hangs is left out');
});

await t.test('what is no answer ends the connection', async (t) => {
  const { daemon, guests } = await open(t, 1);
  daemon.override = (call, peer) => {
    if (call.procedure !== STATS) return false;
    peer.reply(call, writeDomain(new XdrWriter().int(1), daemon.domains[0]!).int(7).bytes());
    return true;
  };
  t.match(await outcome(guests()), { phrase: 'UNREACHABLE', detail: 'what answers is not libvirt' });
  daemon.override = () => false;
  t.equal((await guests()).length, 1, 'the next call makes a new one');
});

await t.test('no libvirt', async (t) => {
  const { driver } = openDriver('qemu:///system?socket=/nowhere');
  t.teardown(() => driver.close(soon()));
  t.match(await outcome(driver.abilities!.statistics!.guests!({}, call())), { phrase: 'UNREACHABLE' });
});
