import t, { type Test } from 'tap';
import { openDriver } from '../drivers/libvirt/open-driver.js';
import { hardwareOf, removalOf, workCall } from '../drivers/libvirt/works.js';
import { findMachine, outcome, soon } from '../drivers/driving.js';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { lacksRoot } from '../support/peers.js';

/** CPUs and memory of real guests and containers, judged by virsh. */

const options = { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 170_000 };
const MIB = 1024n * 1024n;

async function setUp(t: Test, scheme: 'qemu' | 'lxc') {
  const peer = await startLibvirt();
  const { driver } = openDriver(`${scheme}:///system?socket=${peer.socket}`);
  t.teardown(async () => {
    await driver.close(soon());
    await peer.stop();
  });
  const find = (name: string) => findMachine(driver, name, soon());
  const written = async (name: string): Promise<string> => (await peer.virsh('-c', peer.uri(scheme), 'dumpxml', '--inactive', name)).stdout;
  return { peer, driver, find, written };
}

await t.test('the hardware of a guest', options, async (t) => {
  const { peer, find, written } = await setUp(t, 'qemu');
  await peer.defineTiny('tiny');
  const tiny = await find('tiny');
  const hardware = hardwareOf(tiny);
  const { limits, ...has } = await hardware.read({}, workCall());
  t.same(has, { vcpus: 1, memory: 8n * MIB, autostart: false });
  t.ok(limits.vcpus.max >= 1 && limits.memory.max > 100n * MIB && limits.cpuLimit === undefined);
  const { max } = limits.vcpus;

  await tiny.start!(soon());
  await hardware.change({ vcpus: max, memory: 32n * MIB, autostart: true }, workCall());
  t.match(await written('tiny'), new RegExp(`<memory unit='KiB'>32768</memory>[\\s\\S]*<currentMemory unit='KiB'>32768</currentMemory>[\\s\\S]*<vcpu[^>]*>${max}</vcpu>`));
  t.match((await peer.virsh('dominfo', 'tiny')).stdout, /Max memory: +8192 KiB[\s\S]*Autostart: +enable/, 'as it runs it stays as it is');
  t.match(await hardware.read({}, workCall()), { vcpus: max, memory: 32n * MIB, autostart: true });
  await hardware.change({ vcpus: 1, memory: 16n * MIB }, workCall());
  t.match(await hardware.read({}, workCall()), { vcpus: 1, memory: 16n * MIB, autostart: true });
  t.match(await written('tiny'), /<memory unit='KiB'>16384<\/memory>/);

  const before = await written('tiny');
  const wrong = await outcome(hardware.change({ vcpus: max + 1, memory: 1n << 60n, cpuLimit: 50, address: '10.0.0.1', autostart: false }, workCall()));
  t.match(wrong, { phrase: 'BAD REQUEST', detail: new RegExp(`vcpus: must be between 1 and ${max}`) });
  for (const name of ['memory', 'cpuLimit', 'address']) t.match(wrong.detail, new RegExp(`${name}: `));
  t.equal(await written('tiny'), before, 'nothing was changed');
  t.match(await hardware.read({}, workCall()), { autostart: true });

  await tiny.suspend!(soon());
  t.match(await outcome(hardware.change({ vcpus: 1 }, workCall())), { phrase: 'WRONG STATE', detail: /saved/ });
});

await t.test('a refusal in the middle, and room that was left for later', options, async (t) => {
  const { peer, find, written } = await setUp(t, 'qemu');
  await peer.defineChanged('fixed', (xml) => xml.replace('<memory unit=\'MiB\'>8</memory>', '<memory unit=\'MiB\'>64</memory><currentMemory unit=\'MiB\'>32</currentMemory>')
    .replace('<features>', "<cpu><topology sockets='1' cores='1' threads='1'/></cpu><features>"));
  const fixed = hardwareOf(await find('fixed'));
  t.match(await fixed.read({}, workCall()), { memory: 32n * MIB });
  await fixed.change({ memory: 48n * MIB }, workCall());
  t.match(await written('fixed'), /<memory unit='KiB'>65536<\/memory>[\s\S]*<currentMemory unit='KiB'>49152<\/currentMemory>/);
  const before = await written('fixed');
  const { vcpus } = (await fixed.read({}, workCall())).limits;
  if (vcpus.max > 1) t.match(await outcome(fixed.change({ memory: 128n * MIB, vcpus: 2 }, workCall())), { phrase: /.+/ }, 'its topology has one CPU');
  t.equal(await written('fixed'), before, 'what was changed before it is put back');
  await peer.virsh('start', 'fixed');
  await peer.virsh('undefine', 'fixed');
  t.match(await outcome(hardwareOf(await find('fixed')).change({ memory: 48n * MIB }, workCall())), { phrase: 'WRONG STATE', detail: /transient/ });
});

await t.test('the hardware of a container, and its removal', options, async (t) => {
  const { peer, driver, find, written } = await setUp(t, 'lxc');
  await peer.defineContainer('box');
  const box = await find('box');
  const hardware = hardwareOf(box);
  const { limits, ...has } = await hardware.read({}, workCall());
  t.same(has, { vcpus: 1, memory: 64n * MIB, autostart: false });
  t.match(limits.cpuLimit, { min: 1 });
  t.notOk(driver.abilities?.images, 'a container has no images');
  const { max } = limits.vcpus;
  await box.start!(soon());
  await hardware.change({ vcpus: max, memory: 96n * MIB, cpuLimit: 50, autostart: true }, workCall());
  t.match(await written('box'), new RegExp(`<memory unit='KiB'>98304</memory>[\\s\\S]*<vcpu[^>]*>${max}</vcpu>[\\s\\S]*<period>100000</period>\\s*<quota>50000</quota>`));
  t.match(await hardware.read({}, workCall()), { vcpus: max, memory: 96n * MIB, cpuLimit: 50, autostart: true });
  t.match(await outcome(hardware.change({ password: 'secret', nameserver: '1.1.1.1' }, workCall())), { phrase: 'BAD REQUEST', detail: /password: [\s\S]*nameserver: |nameserver: [\s\S]*password: / });
  t.match(await outcome(removalOf(box).delete({ disks: false }, workCall())), { phrase: 'WRONG STATE', detail: /is on/ });
  await box.powerOff!(soon());
  t.match(await outcome(removalOf(box).delete({ disks: true }, workCall())), { phrase: 'NOT SUPPORTED', detail: /is no folder in / });
  await box.start!(soon());
  t.equal(await box.status(soon()), 'on', 'it starts with what it was given');
  await box.powerOff!(soon());
  await removalOf(box).delete({ disks: false }, workCall());
  t.notOk((await peer.virsh('-c', peer.uri('lxc'), 'list', '--all', '--name')).stdout.includes('box'));
});
