import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import * as v from 'valibot';
import esxiFree from '../../src/drivers/esxi-free/index.js';
import type { Machine } from '../../src/drivers/driver.js';
import { openLinux, type Logged } from '../drivers/linux/open-driver.js';
import { ACCOUNTS, HOSTS_PROGRAMS, HostsPeer } from '../peers/hosts.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';
import { findMachine, outcome } from '../drivers/driving.js';

/** The linux driver on real hosts: sshd, sudo, ping and magic packets, and what can go wrong with them. */

const options = { skip: lacksRoot(...HOSTS_PROGRAMS, 'ssh-agent', 'ssh-add'), timeout: 170_000 };
const WAIT_MS = 60_000;
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS);

type Account = { readonly name: string; readonly password: string };

/** The keys of a provider for these hosts, as one of their accounts. */
function table(peer: HostsPeer, account: Account, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    hosts: peer.hosts.map(({ name, address, mac }) => ({ name, address, mac })),
    user: account.name, 'private-key-file': peer.privateKeyFile, 'known-hosts-file': peer.knownHostsFile, 'sudo-password': account.password,
    wol: { broadcast: peer.broadcast }, ping: { timeout: '1s', retries: 1, 'off-after': '2s' }, ...more,
  };
}

async function machineOf(t: Test, name: string, keys: Record<string, unknown>): Promise<Machine & { log: Logged[] }> {
  const { driver, log } = openLinux(keys);
  t.teardown(() => driver.close(soon()));
  return Object.assign(await findMachine(driver, name, soon()), { log });
}

/** All command lines of the machine and of the hosts on it, watched while something is under way, and once after it. */
async function commandLinesDuring(work: Promise<unknown>): Promise<string> {
  const seen = new Set<string>();
  let goesOn = true;
  const end = (): void => { goesOn = false; };
  work.then(end, end);
  for (let last = false; !last;) {
    last = !goesOn;
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
      } catch {
        // it has ended meanwhile
      }
    }
    await new Promise((resolve) => { setTimeout(resolve, 2); });
  }
  return [...seen].join('\n');
}

await t.test('orders by sudo', options, async (t) => {
  const peer = await HostsPeer.start({ count: 1 });
  t.teardown(() => peer.stop());

  for (const way of ['bash', 'dash', 'free', 'minimal'] as const) {
    await t.test(`shutdown, as ${ACCOUNTS[way].name}`, async (t) => {
      const account = ACCOUNTS[way];
      const isFree = way === 'free' || way === 'minimal';
      const host = await machineOf(t, 'h1', table(peer, account, isFree ? { 'sudo-password': undefined } : {}));
      const before = peer.ordersTo('h1').length;
      const order = host.shutdown!(soon());
      const lines = await commandLinesDuring(order);
      await order;
      t.match(lines, 'shutdown -P +0', 'what runs was seen');
      t.notOk(lines.includes(account.password), 'and no password in it');
      await until(async () => await host.status(soon()) === 'off', WAIT_MS, 'silence');
      t.same(peer.ordersTo('h1').slice(before), ['shutdown -P +0']);
      t.same(host.log.filter(({ level }) => level === 'warn'), []);
      await peer.bringUp('h1');
    });
  }

  await t.test('by a password instead of a key, and as configured', async (t) => {
    const host = await machineOf(t, 'h1', table(peer, ACCOUNTS.dash, {
      'private-key-file': undefined, password: ACCOUNTS.dash.password, 'shutdown-command': 'sleep 1 && shutdown -h now', 'power-off-command': 'sleep 1 && poweroff -ff',
    }));
    await host.shutdown!(soon());
    await until(() => !peer.isOn('h1'), WAIT_MS, 'the host to go down');
    await peer.bringUp('h1');
    await host.powerOff!(soon());
    await until(() => !peer.isOn('h1'), WAIT_MS, 'the host to go down');
    t.same(peer.ordersTo('h1').slice(-2), ['shutdown -h now', 'poweroff -ff']);
    await peer.bringUp('h1');
  });

  await t.test('refusals, after which nothing has been done', async (t) => {
    const before = peer.ordersTo('h1');
    const { bash, stranger, minimal } = ACCOUNTS;
    const refusals: [string, Record<string, unknown>, object][] = [
      ['a wrong password for sudo', table(peer, bash, { 'sudo-password': 'wrong' }), { phrase: 'ACCESS DENIED', detail: /incorrect password/ }],
      ['none where one is needed', table(peer, bash, { 'sudo-password': undefined }), { phrase: 'ACCESS DENIED', detail: /password is required/ }],
      ['not in sudoers', table(peer, stranger), { phrase: 'ACCESS DENIED', detail: /not in the sudoers file/ }],
      ['another command than sudoers allows', table(peer, minimal, { 'sudo-password': undefined, 'shutdown-command': 'shutdown -h now' }), { phrase: 'ACCESS DENIED' }],
      ['a wrong password for SSH', table(peer, bash, { 'private-key-file': undefined, password: 'wrong' }), { phrase: 'ACCESS DENIED', detail: /SSH/ }],
      ['no such account', table(peer, { name: 'nobody-here', password: 'x' }), { phrase: 'ACCESS DENIED' }],
      ['another key is pinned', table(peer, bash, { 'host-key': `SHA256:${'A'.repeat(43)}` }), { phrase: 'HOST KEY CHANGED' }],
      ['no key is known', table(peer, bash, { 'known-hosts-file': '/dev/null' }), { phrase: 'HOST KEY CHANGED', detail: /in no known_hosts/ }],
    ];
    for (const [name, keys, expected] of refusals) {
      const host = await machineOf(t, 'h1', keys);
      const result = await outcome(host.shutdown!(soon()));
      t.match(result, expected, name);
      t.notMatch(JSON.stringify(result), /Pa\$s w0rd/);
    }
    t.same(peer.ordersTo('h1'), before);
    t.equal(await peer.pings('h1'), true);
  });

  await t.test('a key that is pinned, and one that is taken by its word once', async (t) => {
    const pinned = await machineOf(t, 'h1', table(peer, ACCOUNTS.bash, { 'known-hosts-file': undefined, 'host-key': peer.host('h1').fingerprint }));
    t.match(await pinned.bootMark!(soon()), /^[0-9a-f-]{36}$/);
    const file = `${t.testdir()}/known_hosts`;
    const keys = table(peer, ACCOUNTS.bash, { 'known-hosts-file': file, 'accept-new-host-keys': true });
    await (await machineOf(t, 'h1', keys)).bootMark!(soon());
    t.match(readFileSync(file, 'utf8'), `${peer.host('h1').address} ssh-ed25519 `);
    await peer.changeHostKey('h1');
    t.match(await outcome((await machineOf(t, 'h1', keys)).bootMark!(soon())), { phrase: 'HOST KEY CHANGED' });
  });
});

await t.test('start, reboot and what a host tells', options, async (t) => {
  const peer = await HostsPeer.start({ count: 3, sameMac: [2] });
  t.teardown(() => peer.stop());
  const keys = table(peer, ACCOUNTS.bash);

  await t.test('through another host, and by an agent', async (t) => {
    const mark = await (await machineOf(t, 'h2', keys)).bootMark!(soon());
    const jump = { 'jump-host': `${ACCOUNTS.dash.name}@${peer.host('h1').address}` };
    t.equal(await (await machineOf(t, 'h2', { ...keys, ...jump })).bootMark!(soon()), mark);
    const astray = await machineOf(t, 'h2', { ...keys, ...jump, 'jump-host-key': `SHA256:${'A'.repeat(43)}` });
    t.match(await outcome(astray.bootMark!(soon())), { phrase: 'HOST KEY CHANGED' });

    const folder = mkdtempSync(join(tmpdir(), 'argo-agent-'));
    const socket = join(folder, 'agent');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    t.teardown(() => {
      agent.kill();
      rmSync(folder, { recursive: true });
    });
    await until(() => existsSync(socket), WAIT_MS, 'the agent');
    t.intercept(process, 'env', { value: { ...process.env, SSH_AUTH_SOCK: socket } });
    execFileSync('ssh-add', ['-q', peer.privateKeyFile]);
    t.equal(await (await machineOf(t, 'h2', { ...keys, 'private-key-file': undefined })).bootMark!(soon()), mark);
  });

  const host = await machineOf(t, 'h1', keys);
  t.match(host.log, [{ level: 'warn', message: /same MAC/, facts: { hosts: ['h1', 'h3'] } }]);

  const mark = await host.bootMark!(soon());
  await host.reboot!(soon());
  await until(async () => (await outcome(host.bootMark!(AbortSignal.timeout(2_000)))).value !== mark, WAIT_MS, 'the old boot to end');
  await until(async () => /-/.test(String((await outcome(host.bootMark!(soon()))).value)), WAIT_MS, 'another boot');
  t.not(await host.bootMark!(soon()), mark);
  t.equal(peer.ordersTo('h1').at(-1), 'shutdown -r +0');

  t.match(await host.info!(soon()), { ips: [peer.host('h1').address], macs: [peer.host('h1').mac], more: { hostname: 'h1', interface: 'eth0' } });
  t.ok(await host.uptime!(soon()) > 0);
  t.ok(await host.rx!(soon()) > 0n && await host.tx!(soon()) > 0n);
  t.match(await host.load!(soon()), { averages: [Number, Number, Number] });
  t.same(await host.mac!(soon()), [peer.host('h1').mac]);

  await peer.order('off', 'h1');
  await until(async () => await host.status(soon()) === 'off', WAIT_MS, 'silence');
  const release = peer.holdSshd('h1');
  await host.start!(soon());
  await until(async () => await host.status(soon()) !== 'off', WAIT_MS, 'the host to answer ping');
  t.equal(await host.status(soon()), 'starting', 'its sshd is not there yet');
  release();
  await until(async () => await host.status(soon()) !== 'starting', WAIT_MS, 'its sshd');
  t.equal(await host.status(soon()), 'on');
  t.ok(peer.isReady('h1'));
  t.same(peer.wokenBy('h1'), ['0800']);

  await peer.order('off', 'h1');
  await until(() => !peer.isOn('h1'), WAIT_MS, 'it to be off');
  await host.start!(soon());
  await until(() => peer.isOn('h1') && peer.isOn('h3'), WAIT_MS, 'both hosts with that MAC to be woken');
  t.same(peer.wokenBy('h2'), []);
});

await t.test('faults', options, async (t) => {
  const peer = await HostsPeer.start({ count: 4 });
  t.teardown(() => peer.stop());
  const impatient = { 'connect-timeout': '4s', 'command-timeout': '3s' };

  await t.test('the connection is lost after the order was given', async (t) => {
    const host = await machineOf(t, 'h1', table(peer, ACCOUNTS.cut, { 'sudo-password': undefined }));
    t.match(await outcome(host.shutdown!(soon())), { phrase: 'UNCERTAIN' });
    await until(() => !peer.isOn('h1'), WAIT_MS, 'it to be carried out all the same');
    await peer.bringUp('h1');
  });

  await t.test('and before it was', async (t) => {
    const host = await machineOf(t, 'h1', table(peer, ACCOUNTS.lost, { 'sudo-password': undefined }));
    const before = peer.ordersTo('h1').length;
    t.match(await outcome(host.shutdown!(soon())), { phrase: 'UNCERTAIN' });
    t.match(await outcome(host.bootMark!(soon())), { phrase: 'UNREACHABLE' }, 'a reading is only not to be had');
    t.equal(peer.ordersTo('h1').length, before);
  });

  await t.test('a command that never ends', async (t) => {
    const host = await machineOf(t, 'h1', table(peer, ACCOUNTS.hang, { ...impatient, 'sudo-password': undefined }));
    t.match(await outcome(host.shutdown!(soon())), { phrase: 'UNCERTAIN', detail: /longer than 3000 ms/ });
    t.match(await outcome(host.uptime!(soon())), { phrase: 'TIMEOUT' });
  });

  await t.test('a megabyte in front of every answer', async (t) => {
    const host = await machineOf(t, 'h1', table(peer, ACCOUNTS.flood, { 'sudo-password': undefined }));
    t.match(await outcome(host.uptime!(soon())), { phrase: 'FAILED', detail: /more than was asked for/ });
    await host.shutdown!(soon());
    await until(() => !peer.isOn('h1'), WAIT_MS, 'the host to go down');
    await peer.bringUp('h1');
  });

  await t.test('sshd accepts and never speaks', async (t) => {
    const host = await machineOf(t, 'h2', table(peer, ACCOUNTS.bash, impatient));
    await peer.order('stop', 'h2');
    t.match(await outcome(host.shutdown!(soon())), { phrase: 'UNREACHABLE', detail: /accepts the connection and says nothing/ });
    t.equal(await host.status(soon()), 'on');
    await peer.order('continue', 'h2');
    await until(async () => (await outcome(host.bootMark!(soon()))).value !== undefined, WAIT_MS, 'sshd to go on');
  });

  await t.test('nothing but ping answers', async (t) => {
    const host = await machineOf(t, 'h2', table(peer, ACCOUNTS.bash, impatient));
    await peer.order('crash', 'h2');
    t.match(await outcome(host.shutdown!(soon())), { phrase: 'UNREACHABLE', detail: /refused/ });
    t.equal(await host.status(soon()), 'on');
    await host.start!(soon());
    t.equal(await host.status(soon()), 'starting', 'after a start, SSH is waited for');
  });

  await t.test('it drops pings, and its sshd answers', async (t) => {
    const host = await machineOf(t, 'h4', table(peer, ACCOUNTS.bash, { 'shutdown-command': 'sleep 1 && shutdown -P +0' }));
    await peer.order('mute', 'h4');
    t.equal(await peer.pings('h4'), false);
    t.equal(await host.status(soon()), 'on');
    const behind = await machineOf(t, 'h4', table(peer, ACCOUNTS.bash, { 'jump-host': `${ACCOUNTS.dash.name}@${peer.host('h3').address}` }));
    t.equal(await behind.status(soon()), 'on', 'asked by way of the jump host');
    await host.shutdown!(soon());
    await until(() => !peer.isOn('h4'), WAIT_MS, 'the host to go down');
    await until(async () => (await outcome(behind.status(soon()))).value === 'off', WAIT_MS, 'the jump host to find nobody');
    await until(async () => await host.status(soon()) === 'off', WAIT_MS, 'silence of its port too');
    await peer.order('unmute', 'h4');
    await peer.bringUp('h4');
  });

  await t.test('it drops pings, and its port refuses', async (t) => {
    const host = await machineOf(t, 'h4', table(peer, ACCOUNTS.bash));
    const jump = { 'jump-host': `${ACCOUNTS.dash.name}@${peer.host('h3').address}` };
    const behind = await machineOf(t, 'h4', table(peer, ACCOUNTS.bash, jump));
    const { address, mac } = peer.host('h4');
    const free = esxiFree.open(v.parse(v.strictObject(esxiFree.options), {
      address, mac, user: ACCOUNTS.bash.name, 'private-key-file': peer.privateKeyFile, 'known-hosts-file': peer.knownHostsFile, ping: { timeout: '1s', retries: 1 }, ...jump,
    }), { name: 'h4', log: () => undefined, changed: () => undefined, relist: () => undefined, lost: () => undefined });
    t.teardown(() => free.close(soon()));
    const esxi = (await free.list(soon()))[0]!.machine;
    await peer.order('crash', 'h4');
    await peer.order('mute', 'h4');
    t.equal(await host.status(soon()), 'on', 'its own card has answered');
    t.same([await behind.status(soon()), await esxi.status(soon())], ['unknown', 'unknown'], 'whoever refuses the jump host');
    await peer.cable('h3', 'down');
    for (const machine of [behind, esxi]) t.match(await outcome(machine.status(soon())), { phrase: 'UNREACHABLE', detail: /jump host does not tell/ });
    await peer.cable('h3', 'up');
    await peer.order('pull', 'h4');
    for (const machine of [behind, esxi]) await until(async () => (await outcome(machine.status(soon()))).value === 'off', WAIT_MS, 'the jump host to find nobody');
    await peer.order('unmute', 'h4');
    await peer.bringUp('h4');
  });

  await t.test('the network is cut after an order was accepted', async (t) => {
    const trusting = await machineOf(t, 'h3', table(peer, ACCOUNTS.bash, { witness: peer.host('h4').address, 'shutdown-command': 'sleep 600 && shutdown -P +0' }));
    const before = peer.ordersTo('h3').length;
    await trusting.shutdown!(soon());
    t.equal(await trusting.status(soon()), 'on');
    t.equal(peer.ordersTo('h3').length, before, 'it was accepted before it is carried out');
    await peer.cable('uplink', 'down');
    t.match(await outcome(trusting.status(soon())), { phrase: 'UNREACHABLE', detail: /witness is silent/ });
    await peer.cable('uplink', 'up');
    await until(async () => await trusting.status(soon()) === 'on', WAIT_MS, 'the network to be back');
    await peer.order('pull', 'h3');
    await until(async () => await trusting.status(soon()) === 'off', WAIT_MS, 'silence that the witness vouches for');
  });

  await t.test('power that goes without a word, and a session that does not notice', async (t) => {
    const host = await machineOf(t, 'h4', table(peer, ACCOUNTS.bash, impatient));
    const mark = await host.bootMark!(soon());
    await peer.order('pull', 'h4');
    await until(async () => await host.status(soon()) === 'off', WAIT_MS, 'silence');
    t.match(await outcome(host.shutdown!(soon())), { phrase: 'UNREACHABLE' }, 'nothing was sent on the dead connection');
    await peer.bringUp('h4');
    t.not(await host.bootMark!(soon()), mark);
  });
});
