import t from 'tap';
import { LibvirtClient, type LibvirtEvent } from '../../../src/protocols/libvirt/client.js';
import { AuthenticationError, ConnectionLostError, LibvirtError } from '../../../src/protocols/libvirt/errors.js';
import type { Packet } from '../../../src/protocols/libvirt/packet.js';
import { formatUuid, writeDomain } from '../../../src/protocols/libvirt/types.js';
import { XdrReader, XdrWriter } from '../../../src/protocols/libvirt/xdr.js';
import { until } from '../../support/until.js';
import { FakeLibvirtd, wire } from './fake.js';

const DOMAIN = { name: 'web 1', uuid: Buffer.from('00112233445566778899aabbccddeeff', 'hex'), id: 7 };
const signal = AbortSignal.timeout(20_000);
const authList = (...types: number[]): Buffer => types.reduce((writer, type) => writer.int(type), new XdrWriter().int(types.length)).bytes();

const opened: LibvirtClient[] = [];
t.teardown(() => opened.forEach((client) => client.destroy(new Error('the test is over'))));

/** Answers what opening asks; the rest is the test's. */
async function open(answer: (call: Packet, peer: FakeLibvirtd) => void = () => undefined, auth = authList(0)) {
  const [near, far] = wire();
  const events: LibvirtEvent[] = [];
  const peer = new FakeLibvirtd(far, (call, self) => {
    if (call.procedure === 66) self.reply(call, auth);
    else if (call.procedure === 60) self.reply(call, new XdrWriter().int(1).bytes());
    else if (call.procedure === 1) self.reply(call);
    else answer(call, self);
  });
  const client = await LibvirtClient.open(near, { uri: 'qemu:///system', signal, onEvent: (event) => events.push(event) });
  opened.push(client);
  return { client, peer, events };
}

await t.test('opening names the URI', async (t) => {
  const { peer } = await open();
  const call = peer.calls.find(({ procedure }) => procedure === 1)!;
  t.equal(new XdrReader(call.body).optionalString(), 'qemu:///system');
});

await t.test('polkit is asked where it is all that is offered', async (t) => {
  const { peer } = await open((call, self) => self.reply(call, new XdrWriter().int(1).bytes()), authList(2));
  t.ok(peer.calls.some(({ procedure }) => procedure === 70));
});

await t.test('authentication that fails', async (t) => {
  await t.rejects(open((call, self) => self.fail(call, 45, 'authentication failed'), authList(2)), AuthenticationError, 'polkit');
  await t.rejects(open(undefined, authList(1)), AuthenticationError, 'SASL');
});

await t.test('a URI that cannot be opened', async (t) => {
  const [near, far] = wire();
  new FakeLibvirtd(far, (call, self) => (call.procedure === 1 ? self.fail(call, 38, 'no driver') : self.reply(call, new XdrWriter().int(0).bytes())));
  await t.rejects(LibvirtClient.open(near, { uri: 'foo:///', signal, onEvent: () => undefined }), LibvirtError);
  t.ok(near.destroyed);
});

await t.test('a domain is named by name, uuid and id', async (t) => {
  const { client, peer } = await open((call, self) => self.reply(call, new XdrWriter().int(3).int(1).bytes()));
  t.same(await client.state(DOMAIN, signal), { state: 3, reason: 1 });
  t.same(peer.calls.at(-1)!.body, writeDomain(new XdrWriter(), DOMAIN).int(0).bytes());
  t.equal(formatUuid(DOMAIN.uuid), '00112233-4455-6677-8899-aabbccddeeff');
});

await t.test('states of all domains, with parameters of every type', async (t) => {
  const body = writeDomain(new XdrWriter().int(1), DOMAIN).int(7)
    .string('state.state').int(1).int(5).string('state.reason').int(2).int(4)
    .string('a').int(3).fixed(Buffer.alloc(8, 1)).string('b').int(4).fixed(Buffer.alloc(8, 2))
    .string('c').int(5).fixed(Buffer.alloc(8)).string('d').int(6).int(1).string('e').int(7).string('text').bytes();
  const { client } = await open((call, self) => self.reply(call, body));
  t.same(await client.domainStates(signal), [{ domain: DOMAIN, state: 5, reason: 4 }]);
});

await t.test('a parameter of an unknown type is not guessed at', async (t) => {
  const body = writeDomain(new XdrWriter().int(1), DOMAIN).int(1).string('x').int(8).int(0).bytes();
  const { client } = await open((call, self) => self.reply(call, body));
  await t.rejects(client.domainStates(signal), ConnectionLostError);
});

await t.test('a list of domains cut at every byte', async (t) => {
  const body = writeDomain(new XdrWriter().int(2), DOMAIN);
  const whole = writeDomain(body, { ...DOMAIN, name: 'b' }).int(2).bytes();
  for (let length = 0; length < whole.length - 4; length += 1) {
    const { client } = await open((call, self) => self.reply(call, whole.subarray(0, length)));
    await t.rejects(client.domains(0, signal), ConnectionLostError, `cut at ${length}`);
  }
});

await t.test('answers with flipped bits are read or refused, never more', async (t) => {
  const good = writeDomain(new XdrWriter().int(1), DOMAIN).int(2).string('state.state').int(1).int(5).string('state.reason').int(7).string('text').bytes();
  for (let bit = 0; bit < good.length * 8; bit += 1) {
    const flipped = Buffer.from(good);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const { client } = await open((call, self) => self.reply(call, flipped));
    const answer: unknown = await client.domainStates(signal).catch((error: unknown) => error);
    if (!Array.isArray(answer) && !(answer instanceof ConnectionLostError)) t.fail(`bit ${bit}: ${String(answer)}`);
    client.destroy(new Error('done'));
  }
});

await t.test('traffic, disks and addresses', async (t) => {
  const answers: Record<number, Buffer> = {
    65: Buffer.concat([1n, 2n, 3n, 4n, 5n, 6n, 7n, -1n].map((value) => { const b = Buffer.alloc(8); b.writeBigInt64BE(value); return b; })),
    194: Buffer.from('0000000000001000' + '0000000000000200' + '0000000000000200', 'hex'),
    353: new XdrWriter().int(1).string('vnet0').optionalString('52:54:00:00:00:01').int(1).int(0).string('10.0.0.5').int(24).bytes(),
  };
  const { client } = await open((call, self) => self.reply(call, answers[call.procedure]));
  t.same(await client.interfaceStats(DOMAIN, 'vnet0', signal), { rxBytes: 1n, txBytes: 5n });
  t.same(await client.blockInfo(DOMAIN, 'vda', signal), { capacity: 512n, allocation: 4096n, physical: 512n });
  t.same(await client.addresses(DOMAIN, 0, signal), [{ name: 'vnet0', mac: '52:54:00:00:00:01', addresses: ['10.0.0.5'] }]);
});

await t.test('events of domains', async (t) => {
  const { peer, events } = await open();
  peer.event(318, writeDomain(new XdrWriter().int(0), DOMAIN).int(5).int(1).bytes());
  peer.event(319, writeDomain(new XdrWriter().int(1), DOMAIN).bytes());
  peer.event(320, Buffer.alloc(0));
  await until(() => events.length === 2, 5_000, 'two events');
  t.same(events, [{ kind: 'lifecycle', domain: DOMAIN, event: 5, detail: 1 }, { kind: 'reboot', domain: DOMAIN }]);
});
