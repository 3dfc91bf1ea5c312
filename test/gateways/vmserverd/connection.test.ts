import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { Member } from '../../../src/gateways/contract.js';
import { LastWord } from '../../../src/gateways/shared/ends-early.js';
import { Calls } from '../../../src/gateways/vmserverd/calls.js';
import { Connection, type ConnectionParts } from '../../../src/gateways/vmserverd/door/connection.js';
import type { Parts } from '../../../src/gateways/vmserverd/operations/parts.js';
import { ArgoError } from '../../../src/kit/errors.js';
import { AUTHD_LINE, VMSERVERD_LOGIN } from '../../../src/kit/vmserverd-limits.js';
import { until } from '../../support/until.js';
import { readAnswer, VmserverdTestClient } from '../../support/vmserverd/client.js';

/** One connection of the gateway over a real socket, with accounts that do as a test says. */

const WITHIN = 30_000;
const IDLE = 1_800_000;
const MEMBER = { name: 'kim', signal: new AbortController().signal, release: () => undefined } as unknown as Member;

async function open(t: Test, login: ConnectionParts['login'] = () => Promise.resolve(MEMBER)) {
  const server = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = VmserverdTestClient.connect((server.address() as AddressInfo).port);
  const [socket] = await once(server, 'connection') as [Socket];
  t.teardown(() => {
    client.end();
    socket.destroy();
    server.close();
  });
  const lines: string[] = [];
  const log: ConnectionParts['log'] = (level, message, facts) => void lines.push(`${level} ${message} ${JSON.stringify(facts)}`);
  const connection = new Connection(socket, {
    version: '1.00', address: '127.0.0.1', log, login, isAccount: (name) => name === 'kim', times: () => ({ idle: IDLE }),
    calls: new Calls({ log, product: () => ({ id: 'GSX', title: 'x', version: '1', build: '' }), lastWord: new LastWord() }),
    local: () => Promise.resolve(undefined), entered: () => ({}) as Parts,
  });
  const served = connection.serve();
  return { client, socket, connection, served, log: () => lines.join('\n') };
}

/** A time by which everything has taken too long. */
const tooLate = (): number => performance.now() + VMSERVERD_LOGIN + IDLE;

await t.test('a login that cannot be decided is not one that is refused', async (t) => {
  for (const [thrown, reply, logged] of [
    [new ArgoError('BUSY', 'too many logins at a time'), '421 Too many logins at a time, try again later.', /^warn login not decided .*"account":"kim".*too many logins/m],
    [new Error('the checker is gone'), '421 The login cannot be checked now, try again later.', /^error login not decided .*"account":"kim"/m],
  ] as const) {
    const { client, served, log } = await open(t, () => Promise.reject(thrown));
    await client.say('USER kim');
    t.equal(await client.say('PASS secret'), reply);
    t.equal(await client.ended(), '');
    t.match(log(), logged);
    t.notMatch(log(), /secret/);
    await served;
  }
  const { client, log } = await open(t, () => Promise.reject(new ArgoError('BUSY')));
  await client.say('USER hunter2');
  t.match(await client.say('PASS x'), /^421 /);
  t.notMatch(log(), /hunter2/, 'what is no account may be a password');
});

await t.test('a line that is too long is told so', async (t) => {
  const { client, log } = await open(t);
  t.match(await client.say(`USER ${'x'.repeat(AUTHD_LINE - 5)}`), /^331 /, 'its end does not count');
  t.equal(await client.say(`USER ${'x'.repeat(AUTHD_LINE - 4)}`), '500 Line too long.');
  t.equal(await client.ended(), '');
  t.match(log(), /^info a line of a login is too long/m);
});

await t.test('time that is up in a login', async (t) => {
  const { client, connection, log } = await open(t);
  t.match(await client.say('USER kim'), /^331 /);
  connection.sweep(performance.now());
  t.match(await client.say('USER kim'), /^331 /, 'not before');
  connection.sweep(tooLate());
  connection.sweep(performance.now());
  client.send('PASS secret\r\n');
  t.equal(await client.line(), '421 Timeout.');
  t.equal(await client.ended(), '', 'and nothing is taken any more');
  t.match(log(), /^info no login in time/m);
  t.notMatch(log(), /"account"/);
});

await t.test('time that is up with documents', async (t) => {
  const begun = await open(t);
  await begun.client.enter('kim', 'secret');
  t.match(await begun.client.call('inc', '<number>1</number>'), { code: 0 });
  begun.client.send('<exec><op>inc</op>');
  await until(() => begun.socket.bytesRead === begun.client.socket.bytesWritten, WITHIN, 'the beginning');
  begun.connection.sweep(tooLate());
  begun.client.send('<in><number>1</number></in></exec>\0');
  t.match(readAnswer(await begun.client.document()), { code: -17, message: /no end of the document/ });
  t.equal(await begun.client.ended(), '');
  const idle = await open(t);
  await idle.client.enter('kim', 'secret');
  t.match(await idle.client.call('inc', '<number>1</number>'), { code: 0 });
  idle.connection.sweep(tooLate());
  t.equal(await idle.client.ended(), '', 'who has asked for nothing is told nothing');
});

await t.test('the end of the server, and of a place', async (t) => {
  const decisions: ((member: Member) => void)[] = [];
  const checked = await open(t, () => new Promise((resolve) => decisions.push(resolve)));
  await checked.client.say('USER kim');
  checked.client.send('PASS secret\r\n');
  await until(() => checked.connection.isBusy, WITHIN, 'the check');
  checked.connection.end();
  decisions[0]!(MEMBER);
  t.equal(await checked.client.line(), '421 The server ends.', 'a right password that came too late');
  t.equal(await checked.client.ended(), '');
  const waiting = await open(t);
  await waiting.client.say('USER kim');
  waiting.connection.end();
  t.equal(await waiting.client.line(), '421 The server ends.');
  const pushed = await open(t, () => new Promise(() => undefined));
  await pushed.client.say('USER kim');
  pushed.client.send('PASS secret\r\n');
  await until(() => pushed.connection.isBusy, WITHIN, 'the check');
  pushed.connection.crowdOut();
  t.equal(await pushed.client.line(), '421 Too many connections, try again later.');
  t.equal(await pushed.client.ended(), '');
  t.match(pushed.log(), /^warn login not decided/m);
});
