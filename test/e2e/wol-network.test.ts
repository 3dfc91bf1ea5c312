import t from 'tap';
import { parseMagicPacket } from '../../src/protocols/wol/magic-packet.js';
import { startCapture } from '../peers/capture.js';
import type { WakeRequest } from '../peers/hosts-cli.js';
import { ADDRESSES, CABLES, Network, NETWORK_PROGRAMS } from '../peers/network.js';
import { lacksRoot } from '../support/peers.js';

/** Magic packets in a real network, beside those of wakeonlan and etherwake. */

const MAC = '52:54:00:aa:00:11';
const PASSWORD = '01:23:45:67:89:ab';
/** Of an Ethernet frame: its type, then IPv4's destination, and where UDP and its data begin. */
const ETHERTYPE = 12;
const IP_SOURCE = 26;
const IP_DESTINATION = 30;
const UDP_PORT = 36;
const UDP_DATA = 42;

interface Seen {
  readonly destination: string;
  readonly source: string;
  readonly to: string;
  readonly port: number;
  readonly data: Buffer;
}

const address = (frame: Buffer, at: number): string => [...frame.subarray(at, at + 4)].join('.');

const readUdp = (frame: Buffer): Seen => ({
  destination: frame.subarray(0, 6).toString('hex'), source: address(frame, IP_SOURCE), to: address(frame, IP_DESTINATION),
  port: frame.readUInt16BE(UDP_PORT), data: frame.subarray(UDP_DATA),
});

await t.test('magic packets', { skip: lacksRoot(...NETWORK_PROGRAMS, 'tcpdump', 'wakeonlan', 'etherwake'), timeout: 120_000 }, async (t) => {
  const network = await Network.start();
  t.teardown(() => network.stop());
  const { enclosure } = network;
  const wake = (request: WakeRequest): Promise<{ sent: number; failures: string[] }> => network.ask('wake', request);
  const { first, second } = CABLES;

  await t.test('ours are, byte for byte, those of wakeonlan', async (t) => {
    const capture = await startCapture(enclosure, 'h0', 'udp');
    t.same(await wake({ mac: MAC, route: { broadcast: [first.broadcast] }, packets: 2 }), { sent: 2, failures: [] });
    t.equal((await network.run('wakeonlan', '-i', first.broadcast, MAC)).code, 0);
    const [ours, again, theirs] = (await capture.frames(3)).map(readUdp);
    t.same(ours, again);
    t.same(ours, { ...theirs!, source: '10.77.0.1' });
    t.match(ours, { destination: 'ffffffffffff', to: first.broadcast, port: 9 });
    t.same(parseMagicPacket(theirs!.data), { mac: MAC });
  });

  await t.test('ours with a password have the bytes of etherwake\'s', async (t) => {
    const capture = await startCapture(enclosure, 'h0', 'ether proto 0x0842 or udp');
    await wake({ mac: MAC, password: PASSWORD, route: { broadcast: [first.broadcast], port: 7 } });
    t.equal((await network.run('etherwake', '-i', first.name, '-b', '-p', PASSWORD, MAC)).code, 0);
    const [ours, theirs] = await capture.frames(2);
    t.equal(readUdp(ours!).port, 7);
    t.equal(theirs!.readUInt16BE(ETHERTYPE), 0x0842);
    t.same(readUdp(ours!).data, theirs!.subarray(ETHERTYPE + 2));
    t.same(parseMagicPacket(theirs!.subarray(ETHERTYPE + 2)), { mac: MAC, password: Buffer.from(PASSWORD.replaceAll(':', ''), 'hex') });
    t.equal(parseMagicPacket(theirs!)?.mac, MAC, 'also in the whole frame');
  });

  await t.test('by the interface that was chosen', async (t) => {
    const captures = [await startCapture(enclosure, 'h0', 'udp'), await startCapture(enclosure, 'h1', 'udp')] as const;
    const routes = [
      { interface: second.name }, { interface: second.name, broadcast: ['255.255.255.255'] }, { interface: second.name, broadcast: ['ff02::1'] },
      { broadcast: [first.broadcast] },
    ];
    for (const route of routes) t.same(await wake({ mac: MAC, route }), { sent: 1, failures: [] }, JSON.stringify(route));
    const bySecond = await captures[1].frames(3);
    t.same(bySecond.slice(0, 2).map(readUdp).map(({ source, to }) => [source, to]), [['10.77.1.1', second.broadcast], ['10.77.1.1', '255.255.255.255']]);
    t.equal(bySecond[2]!.readUInt16BE(ETHERTYPE), 0x86dd);
    t.equal(parseMagicPacket(bySecond[2]!)?.mac, MAC);
    t.same((await captures[0].frames(1)).map(readUdp).map(({ to }) => to), [first.broadcast], 'nothing but the last left by the other');
  });

  await t.test('to a unicast address, and to where the host lies', async (t) => {
    const captures = [await startCapture(enclosure, 'h0', 'udp'), await startCapture(enclosure, 'h1', 'udp')] as const;
    t.same(await wake({ mac: MAC, route: { address: ADDRESSES.alive } }), { sent: 1, failures: [] });
    for (const host of ['10.77.0.99', '10.77.1.99', '10.77.9.5']) t.match(await wake({ mac: MAC, route: {}, hosts: [host] }), { failures: [] }, host);
    t.same((await captures[0].frames(4)).map(readUdp).map(({ to }) => to), [ADDRESSES.alive, first.broadcast, '10.77.9.5', '255.255.255.255']);
    t.same((await captures[1].frames(1)).map(readUdp).map(({ to }) => to), [second.broadcast]);
  });

  await t.test('what cannot be sent is said', async (t) => {
    const { sent, failures } = await wake({ mac: MAC, route: { broadcast: [ADDRESSES.noRoute, first.broadcast] } });
    t.equal(sent, 1);
    t.same(failures, [`${ADDRESSES.noRoute}: no route to it`]);
  });
});
