import t, { type Test } from 'tap';
import type { Machine } from '../../../src/drivers/driver.js';
import { XdrWriter } from '../../../src/protocols/libvirt/xdr.js';
import { until } from '../../support/until.js';
import { FakeDaemon, fakeDomain } from './fake-daemon.js';
import { openDriver } from './open-driver.js';
import { findMachine, outcome } from '../driving.js';

const SOON_MS = 30_000;
const signal = AbortSignal.timeout(60_000);

async function setUp(t: Test, scheme = 'qemu') {
  const daemon = new FakeDaemon();
  daemon.domains = [fakeDomain('web10', 10), fakeDomain('web9', 9, 1), fakeDomain('db', 1, 3)];
  await daemon.start();
  const { driver, told } = openDriver(`${scheme}:///system?socket=${daemon.socket}`);
  t.teardown(async () => {
    await driver.close(AbortSignal.timeout(SOON_MS));
    await daemon.remove();
  });
  const machine = (name: string): Promise<Machine> => findMachine(driver, name, signal);
  return { daemon, driver, told, machine };
}

await t.test('a listing has every domain with its state, in the order of people', async (t) => {
  const { daemon, driver } = await setUp(t);
  daemon.domains[0]!.saved = true;
  const listed = await driver.list(signal);
  t.same(listed.map(({ machine, state }) => [machine.name, state]), [['db', 'paused'], ['web9', 'on'], ['web10', 'suspended']]);
  t.equal(listed[0]!.machine.id, '00000000-0000-0000-0000-000000000001');
});

await t.test('a driver of libvirt without statistics is asked one by one', async (t) => {
  const { daemon, driver } = await setUp(t);
  daemon.override = (call, peer) => {
    if (call.procedure === 344) peer.fail(call, 3, 'this function is not supported');
    return call.procedure === 344;
  };
  t.same((await driver.list(signal)).map(({ state }) => state), ['paused', 'on', 'off']);
  t.equal(daemon.count(212), 3);
});

await t.test('machines have the methods of their hypervisor', async (t) => {
  const vm = await (await setUp(t)).machine('db');
  t.match(vm, { type: 'vm', reset: Function, suspend: Function, resume: Function });
  const container = await (await setUp(t, 'lxc')).machine('db');
  t.match(container, { type: 'container', start: Function, shutdown: Function, pause: Function });
  for (const method of ['reset', 'suspend', 'resume']) t.notOk(method in container, method);
});

await t.test('Xen\'s domain 0 is no machine', async (t) => {
  const { daemon, driver } = await setUp(t, 'xen');
  daemon.domains.push({ ...fakeDomain('Domain-0', 0, 1), id: 0 });
  t.notOk((await driver.list(signal)).some(({ machine }) => machine.name === 'Domain-0'));
});

await t.test('events tell of the state that is, not of what happened', async (t) => {
  const { daemon, driver, told } = await setUp(t);
  await driver.list(signal);
  const web = daemon.domains[0]!;
  web.state = 1;
  daemon.tellLifecycle(web, 2);
  await until(() => told.changed.length === 1, SOON_MS, 'the start');
  web.state = 5;
  web.saved = true;
  daemon.tellLifecycle(web, 5);
  await until(() => told.changed.length === 2, SOON_MS, 'the stop');
  t.same(told.changed.map(({ state }) => state), ['on', 'suspended']);
  t.match(told.changed[0]!.id, /-00000000000a$/);
  t.equal(told.relists, 0);
});

await t.test('domains that come, go and change their names ask for a listing', async (t) => {
  const { daemon, driver, told } = await setUp(t);
  const before = await driver.list(signal);
  const added = fakeDomain('new', 77, 1);
  daemon.domains.push(added);
  daemon.tellLifecycle(added, 2);
  await until(() => told.relists === 1, SOON_MS, 'the listing for a new one');
  const gone = daemon.domains.splice(2, 1)[0]!;
  daemon.tellLifecycle(gone, 5);
  await until(() => told.relists > 1, SOON_MS, 'the listing for one that vanished');
  daemon.domains[0] = { ...daemon.domains[0]!, name: 'renamed' };
  daemon.tellLifecycle(daemon.domains[0], 0);
  const after = await driver.list(signal);
  t.same(after.map(({ machine }) => machine.name), ['new', 'renamed', 'web9']);
  const id = (name: string, list: typeof after): string => list.find(({ machine }) => machine.name === name)!.machine.id;
  t.equal(id('renamed', after), id('web10', before), 'its id stays');
  t.equal(after.find(({ machine }) => machine.name === 'web9')!.machine, before.find(({ machine }) => machine.name === 'web9')!.machine);
});

await t.test('what an event tells during a listing is newer than the listing', async (t) => {
  const { daemon, driver, told } = await setUp(t);
  await driver.list(signal);
  let release = (): void => undefined;
  daemon.override = (call, peer) => {
    if (call.procedure !== 273) return false;
    release = () => peer.reply(call, Buffer.alloc(8));
    return true;
  };
  const listing = driver.list(signal);
  await until(() => daemon.count(344) === 2, SOON_MS, 'the listing to be under way');
  daemon.domains[1]!.state = 5;
  daemon.tellLifecycle(daemon.domains[1]!, 5);
  await until(() => told.changed.length === 1, SOON_MS, 'the event');
  release();
  t.equal((await listing).find(({ machine }) => machine.name === 'web9')!.state, 'off');
});

await t.test('a domain that is gone', async (t) => {
  const { daemon, machine, told } = await setUp(t);
  const db = await machine('db');
  daemon.domains = [];
  t.match(await outcome(db.status(signal)), { phrase: 'NO SUCH INSTANCE' });
  t.equal(told.relists, 1);
});

await t.test('an action that is cut off is uncertain, a question is asked again', async (t) => {
  const { daemon, machine, told } = await setUp(t);
  const web = await machine('web9');
  daemon.override = (call, peer) => {
    if (call.procedure === 234) peer.stream.destroy();
    return call.procedure === 234;
  };
  t.match(await outcome(web.powerOff!(signal)), { phrase: 'UNCERTAIN' });
  t.equal(daemon.count(234), 1, 'it is not sent twice');
  t.equal(told.lost.length, 1);
  let cuts = 0;
  daemon.override = (call, peer) => {
    if (call.procedure !== 212 || cuts > 0) return false;
    cuts += 1;
    peer.stream.destroy();
    return true;
  };
  t.equal(await web.status(signal), 'on');
  t.equal(cuts, 1);
});

await t.test('a start whose question before it is cut off was not sent', async (t) => {
  const { daemon, machine } = await setUp(t);
  const web = await machine('web10');
  daemon.override = (call, peer) => {
    if (call.procedure === 212) peer.stream.destroy();
    return call.procedure === 212;
  };
  t.match(await outcome(web.start!(signal)), { phrase: 'UNREACHABLE' });
  t.equal(daemon.count(9), 0);
});

await t.test('an order that is given up before it was sent was not sent', async (t) => {
  const { daemon, machine } = await setUp(t);
  const web = await machine('web9');
  let isSilent = true;
  daemon.override = (call) => isSilent && call.procedure === 34;
  const [pausing, stopping] = [new AbortController(), new AbortController()];
  const pause = outcome(web.pause!(pausing.signal));
  await until(() => daemon.count(34) === 1, SOON_MS, 'the pause to be sent');
  const stop = outcome(web.reset!(stopping.signal));
  await until(() => daemon.count(212) === 2, SOON_MS, 'the questions before the reset');
  await web.status(signal);
  stopping.abort(new Error('enough'));
  t.match(await stop, { phrase: 'UNREACHABLE' }, 'it waited for the one before it');
  pausing.abort(new Error('enough'));
  t.match(await pause, { error: { message: 'enough' } }, 'this one is under way');
  t.equal(daemon.count(245), 0);
  isSilent = false;
  t.match(await outcome(web.powerOff!(AbortSignal.abort(new Error('enough')))), { phrase: 'UNREACHABLE' }, 'too late to ask');
});

await t.test('an order that is given up while it waits for the connection was not sent', async (t) => {
  const { daemon, machine, told } = await setUp(t);
  const web = await machine('web9');
  let asked = 0;
  daemon.override = (call, peer) => {
    if (call.procedure === 212) peer.stream.destroy();
    if (call.procedure === 66) asked += 1;
    return call.procedure === 212 || call.procedure === 66;
  };
  const stop = new AbortController();
  const pause = outcome(web.status(signal));
  await until(() => told.lost.length > 0 && asked > 0, SOON_MS, 'the new connection');
  const order = outcome(web.pause!(stop.signal));
  stop.abort(new Error('enough'));
  t.match(await order, { phrase: 'UNREACHABLE', detail: /before anything was sent/ });
  t.equal(daemon.count(34), 0);
  daemon.override = () => false;
  for (const peer of daemon.peers) peer.stream.destroy();
  await pause;
});

await t.test('a lost connection is told once, and comes back with its events by itself', async (t) => {
  const { daemon, driver, told } = await setUp(t);
  await driver.list(signal);
  await daemon.stop();
  await until(() => told.lost.length === 1, SOON_MS, 'the loss to be told');
  t.match(await outcome(driver.list(signal)), { phrase: 'UNREACHABLE' });
  await daemon.start();
  await until(() => told.relists === 1, SOON_MS, 'the connection to be back');
  daemon.domains[1]!.state = 3;
  daemon.tellLifecycle(daemon.domains[1]!, 3);
  await until(() => told.changed.length === 1, SOON_MS, 'an event');
  t.equal(told.lost.length, 1);
});

await t.test('many callers share one attempt to connect, and each may give up alone', async (t) => {
  const { daemon, driver, told } = await setUp(t);
  const web = (await driver.list(signal))[0]!.machine;
  await daemon.stop();
  await until(() => told.lost.length === 1, SOON_MS, 'the loss');
  let answer = (): void => undefined;
  daemon.override = (call, peer) => {
    if (call.procedure !== 66) return false;
    answer = () => peer.reply(call, Buffer.alloc(4));
    return true;
  };
  await daemon.start();
  const stop = new AbortController();
  const impatient = web.status(stop.signal).catch((error: unknown) => error);
  const others = Array.from({ length: 20 }, () => web.status(signal));
  await until(() => daemon.count(66) === 2, SOON_MS, 'the attempt');
  const reason = new Error('enough');
  stop.abort(reason);
  t.equal(await impatient, reason);
  answer();
  t.same(await Promise.all(others), Array(20).fill('paused'));
  t.equal(daemon.peers.length, 2, 'one connection before, one after');
});

await t.test('reboots change the boot mark, and uptime counts from what was seen', async (t) => {
  const { daemon, machine } = await setUp(t);
  const web = await machine('web9');
  const mark = await web.bootMark!(signal);
  t.match(await outcome(web.uptime!(signal)), { phrase: 'NOT SUPPORTED' });
  daemon.tellReboot(daemon.domains[1]!);
  await until(async () => await web.bootMark!(signal) !== mark, SOON_MS, 'another mark');
  const uptime = await web.uptime!(signal);
  t.ok(uptime >= 0 && uptime < 60);
  t.match(await outcome((await machine('web10')).uptime!(signal)), { phrase: 'WRONG STATE' });
});

const addresses = (mac: string | null, ...all: string[]): Buffer => {
  const writer = new XdrWriter().int(1).string('eth0').optionalString(mac).int(all.length);
  for (const address of all) writer.int(0).string(address).int(24);
  return writer.bytes();
};

await t.test('addresses by agent where one listens, else by lease, else by ARP; without those that lead nowhere', async (t) => {
  const { daemon, machine } = await setUp(t);
  const web = await machine('web9');
  const [lease, agent, arp] = [0, 1, 2];
  const answers = new Map<number, Buffer>();
  let agentState = 'connected';
  const asked: number[] = [];
  daemon.override = (call, peer) => {
    if (call.procedure === 14) {
      const channel = `<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' state='${agentState}'/></channel>`;
      const nics = ['52:54:00:00:00:01', '52:54:00:00:00:02'].map((mac) => `<interface type='bridge'><mac address='${mac}'/></interface>`).join('');
      peer.reply(call, new XdrWriter().string(`<domain><devices>${nics}${channel}</devices></domain>`).bytes());
      return true;
    }
    if (call.procedure !== 353) return false;
    const source = call.body.readInt32BE(call.body.length - 8);
    asked.push(source);
    const answer = answers.get(source);
    if (answer) peer.reply(call, answer);
    else peer.fail(call, 86, 'Guest agent is not responding');
    return true;
  };
  answers.set(agent, addresses(null, '127.0.0.1', '::1', 'fe80::1', '10.0.0.5', '10.0.0.5', '2001:db8::5'));
  t.same(await web.ip!(signal), ['10.0.0.5', '2001:db8::5']);
  t.same(asked, [agent], 'nothing else is asked then');
  answers.delete(agent);
  answers.set(lease, addresses('52:54:00:00:00:01', '192.168.1.7'));
  t.same(await web.ip!(signal), ['192.168.1.7'], 'an agent that does not answer is none');
  agentState = 'disconnected';
  asked.length = 0;
  answers.set(arp, addresses('52:54:00:00:00:02', '192.168.2.7'));
  t.same(await web.ip!(signal), ['192.168.1.7', '192.168.2.7'], 'ARP for the interface without a lease');
  answers.set(arp, addresses('52:54:00:00:00:01', '192.168.1.99'));
  t.same(await web.ip!(signal), ['192.168.1.7'], 'a lease is newer than ARP');
  answers.delete(lease);
  t.same(await web.ip!(signal), ['192.168.1.99']);
  answers.clear();
  t.same(await web.ip!(signal), []);
  t.notOk(asked.includes(agent), 'an agent that is not there is not asked');
});

await t.test('traffic over all interfaces, as far as it is counted', async (t) => {
  const { daemon, machine } = await setUp(t);
  const web = await machine('web9');
  const nic = (device: string): string => `<interface type='bridge'><target dev='${device}'/></interface>`;
  const counters: Record<string, bigint[]> = { vnet0: [10n, 1n, 0n, 0n, 20n, 1n, 0n, 0n], vnet1: [5n, 1n, 0n, 0n, -1n, -1n, -1n, -1n] };
  daemon.override = (call, peer) => {
    if (call.procedure === 14) peer.reply(call, new XdrWriter().string(`<domain><devices>${nic('vnet0')}${nic('vnet1')}</devices></domain>`).bytes());
    else if (call.procedure === 65) {
      const body = Buffer.alloc(64);
      counters[call.body.includes('vnet0') ? 'vnet0' : 'vnet1']!.forEach((counter, at) => body.writeBigInt64BE(counter, at * 8));
      peer.reply(call, body);
    } else return false;
    return true;
  };
  t.same([await web.rx!(signal), await web.tx!(signal)], [15n, 20n]);
});

await t.test('a guest that sleeps is suspended, and is woken up', async (t) => {
  const { daemon, machine } = await setUp(t);
  daemon.domains[1]!.state = 7;
  const web = await machine('web9');
  t.equal(await web.status(signal), 'suspended');
  await web.resume!(signal);
  t.same([daemon.count(267), daemon.count(9)], [1, 0]);
});

await t.test('a guest that has crashed holds its emulator, which goes before the start', async (t) => {
  const { daemon, machine } = await setUp(t);
  const order: number[] = [];
  daemon.override = (call) => {
    if ([9, 234].includes(call.procedure)) order.push(call.procedure);
    return false;
  };
  const web = await machine('web9');
  daemon.domains[1]!.state = 6;
  await web.start!(signal);
  Object.assign(daemon.domains[1]!, { state: 3, reason: 10 });
  t.equal(await web.status(signal), 'crashed');
  await web.start!(signal);
  t.same(order, [234, 9, 234, 9]);
});

await t.test('a step that is cut off after its first call has not done nothing', async (t) => {
  const { daemon, machine } = await setUp(t);
  const db = await machine('db');
  daemon.override = (call, peer) => {
    if (call.procedure !== 245) return false;
    peer.reply(call);
    setImmediate(() => void daemon.stop());
    return true;
  };
  t.match(await outcome(db.reset!(signal)), { phrase: 'UNCERTAIN' });
});

await t.test('power off of a saved guest throws what was saved away', async (t) => {
  const { daemon, machine } = await setUp(t);
  daemon.domains[0]!.saved = true;
  await (await machine('web10')).powerOff!(signal);
  t.same([daemon.count(184), daemon.count(234)], [1, 0]);
  await (await machine('web9')).powerOff!(signal);
  t.same([daemon.count(184), daemon.count(234)], [1, 1]);
});

await t.test('a paused guest is saved, and reset, as one that is to run', async (t) => {
  const { daemon, machine } = await setUp(t);
  const flags: number[] = [];
  daemon.override = (call) => {
    if (call.procedure === 182) flags.push(call.body.readInt32BE(call.body.length - 4));
    return false;
  };
  for (const name of ['db', 'web9']) {
    await (await machine(name)).suspend!(signal);
    await (await machine(name)).reset!(signal);
  }
  t.same(flags, [2, 0]);
  t.same([daemon.count(245), daemon.count(28)], [2, 1]);
});

await t.test('nothing to resume', async (t) => {
  const { machine } = await setUp(t);
  t.match(await outcome((await machine('web10')).resume!(signal)), { phrase: 'WRONG STATE' });
});

await t.test('a press of the button on a guest that has just ended is no error, on one that is paused it is', async (t) => {
  const { daemon, machine } = await setUp(t);
  daemon.override = (call, peer) => {
    if (call.procedure === 258) peer.fail(call, 55, 'Requested operation is not valid: domain is not running');
    return call.procedure === 258;
  };
  await (await machine('web10')).shutdown!(signal);
  t.match(await outcome((await machine('db')).shutdown!(signal)), { phrase: 'WRONG STATE', detail: 'Requested operation is not valid: domain is not running' });
});

await t.test('a container is asked by initctl, then by a signal', async (t) => {
  const { daemon, machine } = await setUp(t, 'lxc');
  const modes: number[] = [];
  let hasInitctl = false;
  daemon.override = (call, peer) => {
    if (call.procedure !== 258) return false;
    const mode = call.body.readInt32BE(call.body.length - 4);
    modes.push(mode);
    if (mode === 4 && !hasInitctl) peer.fail(call, 84, 'Container does not provide an initctl pipe');
    else if (mode === 8 && hasInitctl) peer.fail(call, 55, 'Domain is not running');
    else peer.reply(call);
    return true;
  };
  const container = await machine('web9');
  await container.shutdown!(signal);
  hasInitctl = true;
  await container.shutdown!(signal);
  t.same(modes, [4, 8, 4, 8]);
});

await t.test('where no libvirtd is', async (t) => {
  const { driver } = openDriver('qemu:///system?socket=/nonexistent/libvirt-sock');
  t.teardown(() => driver.close(signal));
  t.match(await outcome(driver.list(signal)), { phrase: 'UNREACHABLE', detail: '/nonexistent/libvirt-sock: there is no such socket; is libvirtd installed and running?' });
});

await t.test('a libvirtd that says nothing does not hold a caller beyond his signal, nor the end', async (t) => {
  const { daemon, driver } = await setUp(t);
  daemon.override = () => true;
  const reason = new Error('deadline');
  const stop = new AbortController();
  const listing = driver.list(stop.signal).catch((error: unknown) => error);
  await until(() => daemon.count(66) === 1, SOON_MS, 'the attempt');
  stop.abort(reason);
  t.equal(await listing, reason);
});
