import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import type { Actor } from '../../../src/instances/actor.js';
import { WebConsoles } from '../../../src/gateways/web/consoles/consoles.js';
import { ticketOf, Tickets } from '../../../src/gateways/web/consoles/tickets.js';
import { SEED_CONFIG, startCore, STEVE_HASH } from '../../server/core.js';
import { until } from '../../support/until.js';

const WITHIN = 30_000;
const CONFIG = `${SEED_CONFIG}
[accounts.looker]
password = "${STEVE_HASH}"
grants = [{ instances = ["lj"], commands = ["console-view", "read"] }]
`;

/** As a door uses it: the ticket is redeemed before the upgrade, and the console served behind it. */
async function serve(t: Test) {
  const core = await startCore(t, { config: CONFIG });
  const consoles = new WebConsoles();
  const session = new AbortController();
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, handleProtocols: () => 'binary' });
  const actor = async (account: string): Promise<Actor> => core.gate.actor({ identity: (await core.session(account)).identity, through: undefined, origin: '127.0.0.1:1 page' });
  const steve = await actor('steve');
  const server = createServer();
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    try {
      const order = consoles.redeem(request.headers['sec-websocket-protocol'], 'session 1');
      sockets.handleUpgrade(request, socket, head, (web) => void consoles.serve(web, steve, order, session.signal));
    } catch {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
    sockets.clients.forEach((one) => one.terminate());
  });
  const open = (ticket: string): { web: WebSocket; seen: () => string; closed: Promise<[number, Buffer]> } => {
    const web = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/api/console`, ['binary', `ticket.${ticket}`]);
    t.teardown(() => web.terminate());
    let text = '';
    web.on('message', (data: Buffer) => { text += data.toString('latin1'); });
    web.on('error', () => undefined);
    return { web, seen: () => text, closed: new Promise((resolve) => { web.once('close', (code, reason) => resolve([code, reason])); }) };
  };
  return { ...core, consoles, steve, actor, session, open };
}

await t.test('a text console in a WebSocket, its size, and its end', async (t) => {
  const { consoles, steve, open, audit } = await serve(t);
  const { ticket, lives, others } = await consoles.order(steve, 'session 1', { instance: 'lj', kind: 'text' });
  t.same([lives, others, ticket.length], [30_000, [], 32]);
  const { web, seen, closed } = open(ticket);
  await until(() => seen().includes('lj$ '), WITHIN, 'the prompt');
  web.send(JSON.stringify({ columns: 90, rows: 30 }));
  web.send(Buffer.from('size\r'));
  await until(() => seen().includes('90 x 30'), WITHIN, 'the size');
  t.match(await consoles.order(steve, 'session 1', { instance: 'demo/lj', kind: 'text' }), { others: [{ account: 'steve' }] }, 'a second one is told of the first');
  web.send(Buffer.from('exit\r'));
  t.equal((await closed)[0], 1000);
  await until(() => audit.ended.length === 1, WITHIN, 'its end in the audit');
  t.match(audit.begun, [{ account: 'steve', from: '127.0.0.1:1 page', command: 'console.open', options: '--kind=text' }]);
});

await t.test('a ticket works once, for its session alone, and not for long', async (t) => {
  const { consoles, steve, open } = await serve(t);
  const { ticket } = await consoles.order(steve, 'session 1', { instance: 'lj', kind: 'text' });
  const first = open(ticket);
  await until(() => first.seen().includes('lj$ '), WITHIN, 'the prompt');
  await open(ticket).closed;
  t.equal(first.web.readyState, WebSocket.OPEN, 'the one who used it goes on');
  const foreign = await consoles.order(steve, 'session 2', { instance: 'lj', kind: 'text' });
  await open(foreign.ticket).closed;
  t.throws(() => consoles.redeem(`binary, ticket.${foreign.ticket}`, 'session 2'), { message: /^NOT ALLOWED/ } as never, 'a wrong try burns it');
  const ended = await consoles.order(steve, 'session 1', { instance: 'lj', kind: 'text' });
  consoles.endSession('session 1');
  t.throws(() => consoles.redeem(`binary, ticket.${ended.ticket}`, 'session 1'), { message: /^NOT ALLOWED/ } as never);
  const tickets = new Tickets();
  for (let count = 0; count < 1024; count += 1) tickets.issue('s', { instance: 'x', kind: 'text', viewOnly: false, force: false });
  t.throws(() => tickets.issue('s', { instance: 'x', kind: 'text', viewOnly: false, force: false }), { message: /^BUSY/ } as never);
  for (const [header, wanted] of [['binary, ticket.abc', 'abc'], ['ticket.abc', undefined], ['binary', undefined], ['binary, ticket.a, ticket.b', undefined], [undefined, undefined], ['binary, ticket.', undefined]] as const) {
    t.equal(ticketOf(header), wanted);
  }
});

await t.test('who may not have it gets no ticket', async (t) => {
  const { consoles, actor, steve } = await serve(t);
  const looker = await actor('looker');
  for (const [who, body, wanted] of [
    [looker, { instance: 'lj', kind: 'text' }, /^NOT ALLOWED/], [looker, { instance: 'lj', kind: 'vnc' }, /^NOT ALLOWED/], [looker, { instance: 'dev', kind: 'vnc', viewOnly: true }, /^NOT ALLOWED/],
    [looker, { instance: 'lj', kind: 'vnc', viewOnly: true }, /^NOT SUPPORTED/], [steve, { instance: 'l*', kind: 'text' }, /^NO SUCH INSTANCE/], [steve, { instance: 'lj', kind: 'text', viewOnly: true }, /^BAD REQUEST/],
    [steve, { instance: 'lj', kind: 'rdp' }, /^BAD REQUEST/], [steve, { instance: 'lj', kind: 'text', force: 'yes' }, /^BAD REQUEST/], [steve, { kind: 'text' }, /^BAD REQUEST/], [steve, null, /^BAD REQUEST/], [steve, 'lj', /^BAD REQUEST/],
  ] as const) await t.rejects(consoles.order(who, 'session 1', body), { message: wanted });
});

await t.test('it is closed for what ends it, with a code that says so', async (t) => {
  const { consoles, steve, open, session, gate, audit } = await serve(t);
  const begin = async () => {
    const one = open((await consoles.order(steve, 'session 1', { instance: 'lj', kind: 'text' })).ticket);
    await until(() => one.seen().includes('lj$ '), WITHIN, 'the prompt');
    return one;
  };
  const wrong = await begin();
  wrong.web.send('{"columns":1e9}');
  t.equal((await wrong.closed)[0], 1008, 'a size that is none');
  const test = open((await consoles.order(steve, 'session 1', { instance: 'test', kind: 'text' })).ticket);
  t.match((await test.closed).map(String), ['1011', 'WRONG STATE: test is off']);
  const ending = await begin();
  session.abort();
  t.equal((await ending.closed)[0], 1008, 'the session has ended');
  await until(() => audit.ended.length === 3, WITHIN, 'the ends');
  const late = open((await consoles.order(steve, 'session 1', { instance: 'lj', kind: 'text' })).ticket);
  t.equal((await late.closed)[0], 1008);
  await gate.drain(0, 5000);
});

await t.test('the server\'s end is 1001', async (t) => {
  const { consoles, steve, open, gate } = await serve(t);
  const one = open((await consoles.order(steve, 'session 1', { instance: 'lj', kind: 'text' })).ticket);
  await until(() => one.seen().includes('lj$ '), WITHIN, 'the prompt');
  void gate.drain(0, 5000);
  t.match((await one.closed).map(String), ['1001', 'SHUTTING DOWN']);
});
