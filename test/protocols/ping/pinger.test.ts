import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import t from 'tap';
import { CannotTell } from '../../../src/protocols/ping/outcome.js';
import { Pinger, type PingerParts } from '../../../src/protocols/ping/pinger.js';
import { freePort } from '../../support/ports.js';
import { FakeSocket } from './fake-socket.js';
import { replyTo } from './packets.js';

const never = new AbortController().signal;
const hasty = { signal: never, timeout: 40 };
const noRight = () => Promise.reject(new CannotTell('no right', 'ICMP needs the right CAP_NET_RAW'));

/** A network in which the given addresses answer. */
function pinger(alive: readonly string[], parts: PingerParts = {}) {
  const { open, sockets } = FakeSocket.opener((socket) => {
    socket.onSend = ({ packet, address }) => {
      if (alive.includes(address)) setImmediate(() => socket.receive(replyTo(packet, address), address));
    };
  });
  return { pinger: new Pinger({ open: (_, ...callbacks) => open(...callbacks), ...parts }), sockets };
}

await t.test('a name with several addresses is up when one of them answers', async (t) => {
  const { pinger: one } = pinger(['10.0.0.2'], { lookup: () => Promise.resolve(['10.0.0.1', '10.0.0.2']) });
  t.match(await one.ping('web', hasty), { alive: true, address: '10.0.0.2' });
  const { pinger: none } = pinger([], { lookup: () => Promise.resolve(['10.0.0.1', '10.0.0.2']) });
  t.match(await none.ping('web', hasty), { alive: false });
});

await t.test('a socket for each family, for as many hosts as there are', async (t) => {
  const { pinger: some, sockets } = pinger(['10.0.0.1', '10.0.0.2', '2001:db8::1']);
  for (const host of ['10.0.0.1', '2001:db8::1', '10.0.0.2']) t.match(await some.ping(host, hasty), { alive: true, address: host });
  t.equal(sockets.length, 2);
  some.close();
  t.ok(sockets.every(({ closed }) => closed));
  await t.rejects(some.ping('10.0.0.1', hasty), { kind: 'not sent', message: 'the pinger is closed' });
});

await t.test('the right is asked for once', async (t) => {
  let opened = 0;
  const notes: string[] = [];
  const open = () => {
    opened += 1;
    return noRight();
  };
  const lacking = new Pinger({ open, program: '/nonexistent/ping', note: (message) => notes.push(message) });
  for (let time = 0; time < 3; time += 1) {
    await t.rejects(lacking.ping('10.0.0.1', hasty), { kind: 'no right', message: /CAP_NET_RAW.*cannot be run.*no tcp-port/ });
  }
  t.equal(opened, 1);
  t.equal(notes.length, 1);
});

await t.test('a fault is not hidden behind another way', async (t) => {
  const broken = new Pinger({ open: () => Promise.reject(new TypeError('bug')) });
  await t.rejects(broken.ping('10.0.0.1', hasty), new TypeError('bug'));
});

await t.test('a host with a TCP port is asked by that as well', async (t) => {
  const lacking = new Pinger({ open: noRight, program: '/nonexistent/ping' });
  // Nothing listens there: the refusal is the sign of life.
  t.match(await lacking.ping('127.0.0.1', { ...hasty, tcpPorts: [1] }), { alive: true, by: 'tcp', address: '127.0.0.1' });
});

await t.test('a host that drops pings is up when its port answers, or refuses', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { pinger: silent } = pinger([]);
  for (const port of [(server.address() as AddressInfo).port, await freePort()]) {
    t.match(await silent.ping('127.0.0.1', { ...hasty, tcpPorts: [port] }), { alive: true, by: 'tcp' });
  }
});

await t.test('a port that could not be asked leaves in doubt a host that is silent otherwise', async (t) => {
  const { pinger: silent } = pinger([]);
  t.match(await silent.ping('127.0.0.1', hasty), { alive: false });
  // The kernel refuses it at once, without a packet: no word of any host's.
  await t.rejects(silent.ping('255.255.255.255', { ...hasty, tcpPorts: [22] }), { kind: 'not sent', message: /no connection could be tried/ });
});

await t.test('who answers a ping is asked nothing else', async (t) => {
  let connections = 0;
  const server = createServer(() => { connections += 1; }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { pinger: one } = pinger(['127.0.0.1']);
  t.match(await one.ping('127.0.0.1', { ...hasty, tcpPorts: [(server.address() as AddressInfo).port] }), { alive: true, by: 'icmp' });
  t.equal(connections, 0);
});
