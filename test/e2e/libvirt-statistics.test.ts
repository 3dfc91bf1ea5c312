import { readFileSync } from 'node:fs';
import t from 'tap';
import type { GuestFigures } from '../../src/drivers/management/statistics.js';
import { HOST_FIGURES } from '../../src/drivers/management/statistics.js';
import { openDriver } from '../drivers/libvirt/open-driver.js';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** Figures of guests and their host, judged by virsh and by /proc. */

const WAIT_MS = 60_000;
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS);
const call = () => ({ signal: soon(), task: 'x', progress: () => undefined });

await t.test('figures', { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 240_000 }, async (t) => {
  const peer = await startLibvirt();
  t.teardown(() => peer.stop());
  await peer.defineDom('dom');
  await peer.defineTiny('off');
  await peer.defineContainer('web');
  await peer.virsh('start', 'dom');
  await peer.virsh('-c', peer.uri('lxc'), 'start', 'web');
  await peer.guestReady('dom');

  const idOf = async (name: string, driver: 'qemu' | 'lxc' = 'qemu'): Promise<string> => (await peer.virsh('-c', peer.uri(driver), 'domuuid', name)).stdout.trim();
  const open = (uri: string, options = {}) => {
    const { driver } = openDriver(uri, options);
    t.teardown(() => driver.close(soon()));
    return driver.abilities!.statistics!;
  };

  await t.test('of guests', async (t) => {
    const { guests } = open(`qemu:///system?socket=${peer.socket}`);
    const [dom, off] = [await idOf('dom'), await idOf('off')];
    const read = async (): Promise<Map<string, GuestFigures>> => new Map((await guests!({}, call())).map((figures) => [figures.id, figures]));
    const first = await read();
    const { stdout } = await peer.virsh('domstats', 'dom', '--balloon', '--vcpu', '--block', '--interface', '--cpu-total');
    const told = (field: string): bigint => BigInt(new RegExp(`^ *${field}=(\\d+)$`, 'm').exec(stdout)![1]!);
    const takenBy = async (file: string): Promise<bigint> => BigInt((JSON.parse((await peer.inside('qemu-img', 'info', '-U', '--output=json', file)).stdout) as { 'actual-size': number })['actual-size']);
    const { cpuTime, rx, tx, ...rest } = first.get(dom)!;
    t.match(rest, {
      vcpus: Number(told('vcpu.current')), memory: told('balloon.current') * 1024n, maxMemory: told('balloon.maximum') * 1024n,
      disks: [{ target: 'vda', capacity: 64n * 1024n * 1024n, allocation: await takenBy(peer.file('disks/dom.qcow2')) }],
    });
    t.ok(cpuTime! > 0n && cpuTime! <= told('cpu.time'));
    t.ok(rx! > 0n && rx! <= told('net.0.rx.bytes') && tx! <= told('net.0.tx.bytes'));
    t.match(first.get(off), { vcpus: 1, maxMemory: 8n * 1024n * 1024n });
    t.notOk('cpuTime' in first.get(off)!, 'it has used none');
    let share: number | undefined;
    await until(async () => {
      share = (await read()).get(dom)?.cpuPercent;
      return share !== undefined;
    }, WAIT_MS, 'a second answer');
    t.ok(share! >= 0 && share! <= 100);
  });

  await t.test('readings of all machines at once are as each tells of itself', async (t) => {
    const sampling = (scheme: string) => {
      const { driver } = openDriver(`${scheme}:///system?socket=${peer.socket}`);
      t.teardown(() => driver.close(soon()));
      return { list: () => driver.list(soon()), sample: () => driver.sample!(soon()) };
    };
    const { list, sample } = sampling('qemu');
    const [listed, sampled] = [await list(), await sample()];
    t.equal(sampled.size, listed.length);
    for (const { machine } of listed) t.equal(sampled.get(machine.id)!.status, await machine.status(soon()), machine.name);
    const { machine } = listed.find((sighting) => sighting.machine.name === 'dom')!;
    for (const side of ['rx', 'tx'] as const) {
      const [before, after] = [sampled.get(machine.id)![side]!, await machine[side]!(soon())];
      t.ok(before <= after && after - before < 1_000_000n, `${side}: ${before}, then ${after}`);
    }
    let load: number | undefined;
    await until(async () => {
      const told = (await sample()).get(machine.id)?.load;
      load = told !== undefined && 'cpuPercent' in told ? told.cpuPercent : undefined;
      return load !== undefined;
    }, WAIT_MS, 'a load, which takes two samples');
    t.ok(load! >= 0 && load! <= 100);
    t.equal((await sampling('lxc').sample()).size, 0, 'libvirt has none of containers: they are asked singly');
  });

  await t.test('of containers', async (t) => {
    const { guests } = open(`lxc:///system?socket=${peer.socket}`);
    const figures = (await guests!({}, call())).find(({ id }) => id !== '');
    t.match(figures, { id: await idOf('web', 'lxc'), memory: 64n * 1024n * 1024n, maxMemory: 64n * 1024n * 1024n });
    t.ok(figures!.usedMemory! > 0n && figures!.usedMemory! < 64n * 1024n * 1024n);
    t.ok(figures!.cpuTime! > 0n);
  });

  await t.test('of the host, here and over SSH', async (t) => {
    const sshd = await peer.startSshd();
    const { host } = open(`qemu+ssh://${sshd.user}@${sshd.host}:${sshd.port}/system`, { 'private-key-file': sshd.privateKeyFile, 'known-hosts-file': sshd.knownHostsFile });
    const far = await host!({ figures: HOST_FIGURES }, call());
    const near = await open(`qemu:///system?socket=${peer.socket}`).host!({ figures: HOST_FIGURES }, call());
    t.equal(far.memory!.total, BigInt(/^MemTotal: +(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))![1]!) * 1024n);
    for (const field of ['kernel', 'release', 'network'] as const) t.same(far[field], near[field], field);
    t.equal(far.memory!.total, near.memory!.total);
    t.same(Object.keys(far).sort(), Object.keys(near).sort());
  });
});
