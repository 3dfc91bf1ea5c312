import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { run } from '../peers/enclosure.js';
import { LIBVIRT_PROGRAMS, startLibvirt, writeTestDriverFile, type LibvirtPeer } from '../peers/libvirt.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** The libvirt that other tests build on does what they take for granted; looked at with virsh alone. */

const WAIT_MS = 60_000;
/** For what either comes soon or never. */
const SOON_MS = 10_000;

async function state(peer: LibvirtPeer, name: string, driver: 'qemu' | 'lxc' = 'qemu'): Promise<string> {
  return (await peer.virsh('-c', peer.uri(driver), 'domstate', name)).stdout.trim();
}

await t.test('a real libvirtd with guests', { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 170_000 }, async (t) => {
  const peer = await startLibvirt();
  t.teardown(() => peer.stop());

  await t.test('a tiny guest boots, reboots and obeys the power button', async (t) => {
    await peer.defineTiny('web1');
    t.equal(await state(peer, 'web1'), 'shut off');
    t.equal((await peer.virsh('start', 'web1')).code, 0);
    await peer.guestReady('web1');
    t.equal((await peer.virsh('reboot', 'web1', '--mode', 'acpi')).code, 0);
    await peer.guestReady('web1', WAIT_MS, 2);
    t.equal((await peer.virsh('shutdown', 'web1', '--mode', 'acpi')).code, 0);
    await until(async () => await state(peer, 'web1') === 'shut off', WAIT_MS, 'shut off');
  });

  await t.test('managed save keeps a guest on disk', async (t) => {
    t.equal((await peer.virsh('start', 'web1')).code, 0);
    await peer.guestReady('web1');
    t.equal((await peer.virsh('managedsave', 'web1')).code, 0);
    t.equal(await state(peer, 'web1'), 'shut off');
    t.equal((await peer.virsh('start', 'web1')).code, 0);
    t.equal(await state(peer, 'web1'), 'running');
    t.equal((await peer.virsh('destroy', 'web1')).code, 0);
  });

  await t.test('a deaf guest ignores the power button', async (t) => {
    await peer.defineDeaf('deaf1');
    for (const name of ['deaf1', 'web1']) {
      await peer.virsh('start', name);
      await peer.guestReady(name);
    }
    for (const name of ['deaf1', 'web1']) t.equal((await peer.virsh('shutdown', name, '--mode', 'acpi')).code, 0);
    await until(async () => await state(peer, 'web1') === 'shut off', WAIT_MS, 'shut off');
    t.equal(await state(peer, 'deaf1'), 'running');
    t.equal((await peer.virsh('destroy', 'deaf1')).code, 0);
  });

  await t.test('libvirtd stopped falls silent, and goes on', async (t) => {
    await peer.signal('STOP');
    t.not((await run('virsh', ['-c', peer.uri('qemu'), 'list'], 1_000)).code, 0);
    await peer.signal('CONT');
    t.equal((await peer.virsh('list')).code, 0);
    await peer.signal('STOP');
    await peer.kill();
    await peer.restart();
  });

  await t.test('libvirtd killed and started again finds its guests running', async (t) => {
    await peer.virsh('start', 'web1');
    await peer.guestReady('web1');
    await peer.kill();
    t.not((await peer.virsh('list')).code, 0);
    await peer.restart();
    t.equal(await state(peer, 'web1'), 'running');
    t.equal(peer.boots('web1'), 1);
    await peer.virsh('destroy', 'web1');
  });

  await t.test('a Linux guest gets an address, shows its disk and shuts down', async (t) => {
    await peer.defineDom('db1');
    t.equal((await peer.virsh('start', 'db1')).code, 0);
    await peer.guestReady('db1');
    const lease = async (): Promise<string> => (await peer.virsh('domifaddr', 'db1', '--source', 'lease')).stdout;
    await until(async () => /192\.168\.199\.\d+\/24/.test(await lease()), WAIT_MS, 'a lease');
    t.match((await peer.virsh('domblkinfo', 'db1', 'vda')).stdout, /Capacity: +67108864/);
    t.match((await peer.virsh('dommemstat', 'db1')).stdout, /actual 98304/);
    t.match((await peer.virsh('domstats', 'db1')).stdout, /cpu\.time=\d+/);
    t.equal((await peer.virsh('shutdown', 'db1')).code, 0);
    await until(async () => await state(peer, 'db1') === 'shut off', WAIT_MS, 'shut off');
  });

  await t.test('a container starts and obeys a shutdown by signal', async (t) => {
    await peer.defineContainer('box1');
    const virsh = (...args: string[]) => peer.virsh('-c', peer.uri('lxc'), ...args);
    const started = await virsh('start', 'box1');
    t.equal(started.code, 0, started.stderr);
    t.equal(await state(peer, 'box1', 'lxc'), 'running');
    // "running" promises neither that libvirt knows the init's pid, and now and then it never learns
    // it, nor that the init minds signals already: ask again, and of another start.
    const shutDown = async () => {
      if (await state(peer, 'box1', 'lxc') === 'shut off') return true;
      await virsh('shutdown', 'box1', '--mode', 'signal');
      return false;
    };
    await until(shutDown, SOON_MS, 'the shutdown').catch(async () => {
      await virsh('destroy', 'box1');
      t.equal((await virsh('start', 'box1')).code, 0);
      await until(shutDown, WAIT_MS, 'the shutdown of another start');
    });
  });

  await t.test('its sshd leads to the socket and to virt-ssh-helper', async (t) => {
    const sshd = await peer.startSshd();
    t.match(sshd.hostKeyFingerprint, /^SHA256:/);
    const ssh = (command: string) => run('ssh', [
      '-F', 'none', '-i', sshd.privateKeyFile, '-o', `UserKnownHostsFile=${sshd.knownHostsFile}`, '-o', 'GlobalKnownHostsFile=none',
      '-o', 'StrictHostKeyChecking=yes', '-o', 'BatchMode=yes', '-p', String(sshd.port), `${sshd.user}@${sshd.host}`, command,
    ]);
    const listed = await ssh('virsh -c qemu:///system list --all --name');
    t.equal(listed.code, 0, listed.stderr);
    t.match(listed.stdout, /^db1$/m);
    t.equal((await ssh('command -v virt-ssh-helper')).code, 0);
    const session = ssh('sleep 987654');
    const sessions = async (): Promise<string> => (await peer.inside('pgrep', '-f', `^sleep 987654$|^sshd(-session)?: ${sshd.user}`)).stdout;
    await until(async () => (await sessions()).trim().split('\n').length === 3, WAIT_MS, 'the session');
    await sshd.stop();
    t.ok(sshd.ended());
    t.equal(await sessions(), '', 'no process of the session is left');
    t.not((await session).code, 0);
    const second = await peer.startSshd({ port: sshd.port });
    t.not(second.hostKeyFingerprint, sshd.hostKeyFingerprint);
  });

  await t.test('nothing is left of it', async (t) => {
    const folder = dirname(dirname(dirname(peer.socket)));
    await peer.stop();
    t.notOk(existsSync(folder));
    t.notMatch((await run('ps', ['-e', '-o', 'args'])).stdout, folder);
  });
});

await t.test('what a killed test leaves behind is removed', { skip: lacksRoot(...LIBVIRT_PROGRAMS) }, async (t) => {
  const killed = spawn(process.execPath, ['--input-type=module', '-e', `
    import { startLibvirt } from ${JSON.stringify(new URL('../peers/libvirt.js', import.meta.url).href)};
    const peer = await startLibvirt();
    await peer.defineTiny('orphan');
    await peer.virsh('start', 'orphan');
    console.log(peer.socket);
    setInterval(() => undefined, 1000);
  `], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [socket] = await once(createInterface(killed.stdout), 'line') as [string];
  const folder = dirname(dirname(dirname(socket)));
  killed.kill('SIGKILL');
  await until(async () => !(await run('ps', ['-e', '-o', 'args'])).stdout.includes(folder), WAIT_MS, 'the end of its guest');
  const peer = await startLibvirt();
  t.teardown(() => peer.stop());
  t.notOk(existsSync(folder));
});

await t.test('a file for the test driver', { skip: lacksRoot('virsh') }, async (t) => {
  const path = writeTestDriverFile(20);
  t.teardown(() => rmSync(dirname(path), { recursive: true }));
  const { stdout } = await run('virsh', ['-q', '-c', `test://${path}`, 'list', '--all', '--name']);
  t.equal(stdout.trim().split('\n').length, 20);
});
