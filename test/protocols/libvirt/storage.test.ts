import t from 'tap';
import { LibvirtClient } from '../../../src/protocols/libvirt/client.js';
import type { Packet } from '../../../src/protocols/libvirt/packet.js';
import { writeDomain } from '../../../src/protocols/libvirt/types.js';
import { XdrReader, XdrWriter } from '../../../src/protocols/libvirt/xdr.js';
import { FakeLibvirtd, wire } from './fake.js';

/** Pools, volumes and descriptions as bytes; against a real libvirtd they are in test/e2e. */

const signal = AbortSignal.timeout(20_000);
const UUID = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
const POOL = { name: 'default', uuid: UUID };
const VOLUME = { pool: 'default', name: 'a.img', key: '/p/a.img' };
const DOMAIN = { name: 'web', uuid: UUID, id: -1 };

/** A connection whose further calls are all answered with the same. */
async function open(t: { teardown: (work: () => void) => void }, answer: Buffer) {
  const [near, far] = wire();
  const calls: Packet[] = [];
  new FakeLibvirtd(far, (call, self) => {
    if (call.procedure === 66 || call.procedure === 60) return self.reply(call, new XdrWriter().int(0).bytes());
    if (call.procedure !== 1) calls.push(call);
    self.reply(call, call.procedure === 1 ? Buffer.alloc(0) : answer);
  });
  const client = await LibvirtClient.open(near, { uri: 'qemu:///system', signal, onEvent: () => undefined });
  t.teardown(() => client.destroy(new Error('the test is over')));
  return { client, last: (): { procedure: number; body: XdrReader } => ({ procedure: calls.at(-1)!.procedure, body: new XdrReader(calls.at(-1)!.body) }) };
}

const pool = (): XdrWriter => new XdrWriter().string('default').fixed(UUID);
const volume = (writer = new XdrWriter()): XdrWriter => writer.string('default').string('a.img').string('/p/a.img');

await t.test('pools and their volumes', async (t) => {
  const { client, last } = await open(t, volume(new XdrWriter().int(1)).int(1).bytes());
  t.same(await client.storage.volumes(POOL, signal), [VOLUME]);
  t.same([last().procedure, last().body.body], [282, pool().int(1).int(0).bytes()]);
  const one = await open(t, volume().bytes());
  t.same(await one.client.storage.createVolume(POOL, 'a.img', '<volume/>', signal), VOLUME);
  t.same([one.last().procedure, one.last().body.body], [93, pool().string('<volume/>').int(0).bytes()]);
  t.same(await one.client.storage.volume(POOL, 'a.img', signal), VOLUME);
  t.same([one.last().procedure, one.last().body.body], [95, pool().string('a.img').bytes()]);
  await one.client.storage.deleteVolume(VOLUME, signal);
  t.same([one.last().procedure, one.last().body.body], [94, volume().int(0).bytes()]);
  const pools = await open(t, new XdrWriter().int(1).string('default').fixed(UUID).int(1).bytes());
  t.same(await pools.client.storage.pools(signal), [POOL]);
  t.same([pools.last().procedure, pools.last().body.body], [281, new XdrWriter().int(1).int(2).bytes()], 'the active ones');
});

await t.test('what is left in a pool', async (t) => {
  for (const [state, isActive] of [[0, false], [1, false], [2, true], [3, true], [4, false]] as const) {
    const { client } = await open(t, new XdrWriter().int(state).hyper(3n).hyper(1n).hyper(1n << 40n).bytes());
    t.same(await client.storage.poolInfo(POOL, signal), { isActive, available: 1n << 40n });
  }
});

await t.test('changes of descriptions', async (t) => {
  const { client, last } = await open(t, Buffer.alloc(0));
  const domain = (): XdrWriter => writeDomain(new XdrWriter(), DOMAIN);
  await client.definitions.setVcpus(DOMAIN, 3, true, signal);
  t.same([last().procedure, last().body.body], [199, domain().int(3).int(6).bytes()], 'for the next start, at most');
  await client.definitions.setMemory(DOMAIN, 1n << 33n, false, signal);
  t.same([last().procedure, last().body.body], [204, domain().hyper(1n << 33n).int(2).bytes()]);
  await client.definitions.setCpuTime(DOMAIN, { quota: -1n, period: 100_000n }, signal);
  t.same([last().procedure, last().body.body], [219, domain().int(2).string('vcpu_period').int(4).hyper(100_000n).string('vcpu_quota').int(3).hyper(-1n).int(2).bytes()]);
  await client.definitions.undefine(DOMAIN, 23, signal);
  t.same([last().procedure, last().body.body], [231, domain().int(23).bytes()]);
});

await t.test('what a host has', async (t) => {
  const model = 'x86_64'.split('').reduce((writer, letter) => writer.int(letter.charCodeAt(0)), new XdrWriter()).fixed(Buffer.alloc(26 * 4));
  const { client } = await open(t, model.hyper(16n << 20n).int(8).int(2400).int(1).int(1).int(4).int(2).bytes());
  t.same(await client.definitions.node(signal), { memory: 16n << 20n, cpus: 8 });
  const networks = await open(t, new XdrWriter().int(1).string('default').fixed(UUID).int(1).bytes());
  t.same(await networks.client.definitions.networks(signal), ['default']);
});
