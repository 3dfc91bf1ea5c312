import t, { type Test } from 'tap';
import type { Machine, PowerState } from '../../../src/drivers/driver.js';
import { toPowerState } from '../../../src/drivers/hyperv/errors.js';
import { until } from '../../support/until.js';
import { setUp } from './open-driver.js';
import { findMachine, outcome, soon } from '../driving.js';

/** Virtual machines of Hyper-V, on a strict double. */

type Step = 'start' | 'shutdown' | 'powerOff' | 'reboot' | 'reset' | 'pause' | 'unpause' | 'suspend' | 'resume';

const WITHIN = 60_000;

async function goesTo(t: Test, vm: Machine, step: Step, state: PowerState): Promise<void> {
  t.same(await outcome(vm[step]?.(soon())), { value: undefined }, step);
  await until(async () => await vm.status(soon()) === state, WITHIN, `${step} to end in ${state}`);
}

for (const [version, locale] of [['v2', 'de-DE'], ['v1', 'en-US'], ['v2', 'ja-JP']] as const) {
  void t.test(`through all states in ${version}, ${locale}`, async (t) => {
    const { driver, peer } = await setUp(t, { version, locale, vms: ['web1', { name: 'db & <1>', state: 'running' }] });
    t.same((await driver.list(soon())).map(({ machine, state }) => [machine.name, machine.type, state]), [['hv1', 'host', 'on'], ['web1', 'vm', 'off'], ['db & <1>', 'vm', 'on']],
      'and the host is not among its own machines');
    const vm = await findMachine(driver, 'web1');
    for (const [step, state] of [
      ['start', 'on'], ['pause', 'paused'], ['unpause', 'on'], ['suspend', 'suspended'], ['resume', 'on'], ['reset', 'on'], ['shutdown', 'off'], ['start', 'on'], ['pause', 'paused'], ['powerOff', 'off'],
    ] as const) await goesTo(t, vm, step, state);
    t.equal(await findMachine(driver, 'web1'), vm, 'it stays the same machine');
    t.equal(peer.world.hyperv.jobs.running, 0);
  });
}

void t.test('a boot is told from another', async (t) => {
  for (const step of ['reboot', 'reset'] as const) {
    const { driver, peer } = await setUp(t, { vms: [{ name: 'web1', state: 'running' }] });
    const vm = await findMachine(driver, 'web1');
    const before = await vm.bootMark?.(soon());
    t.equal(await vm.bootMark?.(soon()), before);
    await vm[step]?.(soon());
    await until(async () => await vm.bootMark?.(soon()) !== before, WITHIN, step);
    t.equal(await vm.status(soon()), 'on');
    t.equal(peer.calls('RequestStateChange') + peer.calls('InitiateReboot'), 1);
  }
});

void t.test('what machines tell', async (t) => {
  for (const version of ['v2', 'v1'] as const) {
    const { driver, peer } = await setUp(t, { version, vms: [{ name: 'web1', state: 'running' }, 'web2'] });
    const [world] = peer.world.hyperv.vms;
    world?.age(3_700_000);
    world?.checkpoints.push('before the update');
    const [vm, off] = [await findMachine(driver, 'web1'), await findMachine(driver, 'web2')];
    t.same(await vm.ip?.(soon()), ['10.1.0.1', 'fd00::1']);
    t.same(await vm.mac?.(soon()), ['00:15:5d:00:00:01']);
    t.same(await vm.load?.(soon()), { cpuPercent: 7 });
    const uptime = await vm.uptime?.(soon()) ?? 0;
    t.ok(uptime >= 3700 && uptime < 3800, String(uptime));
    const disks = [{ target: 'disk0', type: 'file', format: 'vhdx', source: 'D:\\VMs\\web1\\web1.vhdx', size: 42_949_672_960n }];
    t.same(await vm.disk?.(soon()), disks, 'not its CD, nor its checkpoint');
    t.same(await vm.info?.(soon()), {
      uuid: world?.id.toLowerCase(), cpus: 2, memory: 2_147_483_648n, ips: ['10.1.0.1', 'fd00::1'], macs: ['00:15:5d:00:00:01'], disks,
      more: { hostname: 'web1', system: 'Debian GNU/Linux 12 (bookworm)', ...(version === 'v2' && { autostart: 'only where it ran before' }) },
    });
    for (const reading of ['uptime', 'load', 'bootMark'] as const) t.same(await outcome(off[reading]?.(soon())), { phrase: 'WRONG STATE', detail: 'it is not running' });
    t.same(await off.ip?.(soon()), []);
    t.match(await off.info?.(soon()), { cpus: 2, macs: ['00:15:5d:00:00:02'] });
  }
});

void t.test('hundreds of questions cost a few queries', async (t) => {
  const { driver, peer } = await setUp(t, { vms: 500 });
  const machines = (await driver.list(soon())).map(({ machine }) => machine).filter(({ type }) => type === 'vm');
  t.equal(machines.length, 500);
  peer.world.hyperv.vm('vm-7').become('running');
  const before = peer.calls('Get') + peer.calls('Enumerate');
  const states = await Promise.all(machines.map((machine) => machine.status(soon())));
  t.same(states.filter((state) => state === 'on').length, 1);
  t.ok(peer.calls('Get') + peer.calls('Enumerate') - before < 10);
  peer.world.hyperv.remove('vm-8');
  const outcomes = await Promise.all(machines.slice(0, 20).map((machine) => outcome(machine.status(soon()))));
  t.same(outcomes.filter(({ phrase }) => phrase === 'NO SUCH INSTANCE').length, 1);
  const aborts = Array.from({ length: 20 }, () => new AbortController());
  const given = Promise.all(aborts.map(({ signal }, index) => outcome(machines[20 + index]?.status(signal))));
  aborts.forEach((abort) => abort.abort(new Error('enough')));
  t.ok((await given).every(({ error }) => (error as Error).message === 'enough'));
  t.equal(await machines[0]?.status(soon()), 'off', 'and those after them are answered');
});

void t.test('states', (t) => {
  t.same([2, 3, 6, 9, 10, 4, 32_768, 32_769, 32_770, 32_773, 32_774, 32_776, 32_777, 0, 5, undefined].map(toPowerState),
    ['on', 'off', 'suspended', 'paused', 'starting', 'stopping', 'paused', 'suspended', 'starting', 'on', 'stopping', 'on', 'starting', 'unknown', 'unknown', 'unknown']);
  t.end();
});
