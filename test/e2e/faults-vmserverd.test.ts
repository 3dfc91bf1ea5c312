import { connect as connectSocket, type Socket } from 'node:net';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { LOGIN_DELAY_FIRST } from '../../src/kit/limits.js';
import { VMSERVERD_DOCUMENT_TIME, VMSERVERD_LOGIN } from '../../src/kit/vmserverd-limits.js';
import { residentMegabytes } from '../support/faults.js';
import { connect } from '../support/line-client.js';
import { until } from '../support/until.js';
import { VmserverdTestClient } from '../support/vmserverd/client.js';
import { accountTables, EVERYTHING, gatewayTable, HOSTS, PASSWORD, startVmserverd } from '../support/vmserverd/world.js';

const WITHIN = 60_000;
/** Connections that never log in: from twenty addresses, fifty each. */
const ADDRESSES = 20;
const EACH = 50;

async function start(t: Test, hosts = HOSTS) {
  return startVmserverd(t, await accountTables({ steve: EVERYTHING }) + hosts + gatewayTable());
}

// they mostly wait
t.jobs = 4;

void t.test('a thousand logins that are never ended shut nobody out', async (t) => {
  const { port, daemon } = await start(t);
  const sockets: Socket[] = [];
  t.teardown(() => sockets.forEach((socket) => socket.destroy()));
  for (let round = 0; round < EACH; round += 1) {
    for (let at = 0; at < ADDRESSES; at += 1) {
      const socket = connectSocket({ port, host: '127.0.0.1', localAddress: `127.0.1.${at + 1}` }).on('error', () => undefined);
      socket.write('USER steve\r\n');
      socket.resume();
      sockets.push(socket);
    }
    await once(sockets.at(-1)!, 'connect');
  }
  t.equal(sockets.length, ADDRESSES * EACH);
  for (const from of ['127.0.0.1', '127.0.1.1', '127.0.1.20']) {
    const client = new VmserverdTestClient(connectSocket({ port, host: '127.0.0.1', localAddress: from }));
    await client.line();
    await client.enter('steve', PASSWORD);
    t.match(await client.call('inc', '<number>1</number>'), { code: 0 }, from);
    client.end();
  }
  t.notMatch(daemon.stderr(), '"level":"error"');
});

void t.test('who never goes on is cut off: before a login, in the middle of a document, and who never reads', async (t) => {
  const { port, tlsPort, daemon } = await start(t, '[providers.demo]\ntype = "sim"\ncount = 2000\n');
  const began = performance.now();
  const [silent, silentTls] = [VmserverdTestClient.connect(port), VmserverdTestClient.connect(tlsPort, '127.0.0.2')];
  const half = await VmserverdTestClient.login(port, 'steve', PASSWORD);
  half.send('<exec><op>inc</op>');
  const deaf = await VmserverdTestClient.login(port, 'steve', PASSWORD);
  deaf.socket.pause();
  deaf.send('<exec><op>VMServerd_GetConnectedVMList</op></exec>\0'.repeat(1000));
  const memory = residentMegabytes(daemon);
  const other = await VmserverdTestClient.login(port, 'steve', PASSWORD);
  t.match(await other.call('inc', '<number>1</number>'), { code: 0 }, 'others are served meanwhile');
  for (const heard of await Promise.all([silent, silentTls].map((client) => client.ended(VMSERVERD_LOGIN + WITHIN)))) t.match(heard, /\r\n421 Timeout\.\r\n$/);
  t.ok(performance.now() - began >= VMSERVERD_LOGIN - 1000, 'a login has its time');
  t.match(await half.ended(VMSERVERD_DOCUMENT_TIME + WITHIN), /<code>-17<.*<\/exec>\0$/);
  t.ok(residentMegabytes(daemon) < memory + 100, 'what is not read is not made');
  t.match(await other.call('inc', '<number>1</number>'), { code: 0 });
  for (const client of [deaf, other]) client.end();
  t.notMatch(daemon.stderr(), '"level":"error"');
});

void t.test('wrong passwords are slowed down by the same count as on every door', async (t) => {
  const { port, daemon } = await start(t);
  const client = VmserverdTestClient.connect(port);
  await client.line();
  for (let at = 0; at < 3; at += 1) {
    await client.say('USER steve');
    t.equal(await client.say(`PASS wrong${at}`), '530 Login incorrect.');
  }
  const line = await connect(daemon.port);
  t.teardown(() => line.destroy());
  const began = performance.now();
  t.equal((await line.ask('auth steve wrong')).code, 400);
  t.ok(performance.now() - began >= LOGIN_DELAY_FIRST, 'also the line protocol makes the same address wait');
  for (let at = 3; at < 10; at += 1) {
    await client.say('USER somebody');
    if (at < 5) t.equal(await client.say('PASS wrong'), '530 Login incorrect.');
  }
  for (const secret of ['wrong0', 'wrong1', PASSWORD]) t.notMatch(daemon.stderr(), secret);
  client.end();
});

void t.test('the end of the server: what is asked for is answered', async (t) => {
  const { port, daemon } = await start(t);
  const [idle, busy] = [await VmserverdTestClient.login(port, 'steve', PASSWORD), await VmserverdTestClient.login(port, 'steve', PASSWORD)];
  await busy.call('X_VM_PowerOp', '<config>web1</config><action>start</action>');
  busy.send('<exec><op>X_VM_PowerOp</op><in><config>web1</config><action>stop</action><mode>2</mode></in></exec>\0');
  await until(async () => (await idle.call('VM_GetLastNEvents', '<config>web1</config><n>1</n>')).out.includes('begun'), WITHIN, 'the stop');
  daemon.signal('SIGTERM');
  t.equal(await idle.ended(), '');
  t.match(await busy.document(), /<returncode>0<\/returncode><error><code>-999</, 'that nobody knows yet');
  t.equal((await daemon.exited).code, 0);
});
