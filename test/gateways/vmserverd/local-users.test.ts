import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, connect as connectSocket, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { endianness } from 'node:os';
import t from 'tap';
import { LocalUsers, namesIn, ownerIn } from '../../../src/gateways/vmserverd/door/local-users.js';
import { isLoopback } from '../../../src/kit/addresses.js';
import { readAnswer, VmserverdTestClient } from '../../support/vmserverd/client.js';
import { accountTables, EVERYTHING, gatewayTable, HOSTS, startVmserverd } from '../../support/vmserverd/world.js';
import { until } from '../../support/until.js';

const isLinux = process.platform === 'linux';
const SKIP = isLinux ? false : 'needs Linux';
const UID = String(process.getuid?.() ?? '');
const FOR_EVER = new AbortController().signal;

await t.test('the owner of the other end, as the kernel tells it', { skip: endianness() === 'LE' ? false : 'the table is of another machine' }, (t) => {
  const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
  const row = (local: string, remote: string, state: string, uid: number, inode: number): string => `   1: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 ${inode} 1 0000000000000000 20 4 30 10 -1\n`;
  const ends = { remoteAddress: '127.0.0.1', remotePort: 0xD431, localAddress: '127.0.0.1', localPort: 902 };
  const [theirs, ours] = ['0100007F:D431', '0100007F:0386'];
  t.equal(ownerIn(head + row(ours, theirs, '01', 0, 7) + row(theirs, ours, '01', 1000, 8), ends), 1000);
  t.equal(ownerIn(head + row(ours, theirs, '01', 0, 7), ends), undefined, 'our own end says nothing');
  t.equal(ownerIn(head + row(theirs, ours, '04', 0, 0), ends), undefined, 'a closed socket belongs to nobody, and not to root');
  t.equal(ownerIn(head + row(theirs, '0100007F:0387', '01', 1000, 8), ends), undefined, 'of another connection');
  const mapped = '0000000000000000FFFF00000100007F';
  t.equal(ownerIn(head + row(`${mapped}:D431`, `${mapped}:0386`, '01', 1001, 9), { ...ends, remoteAddress: '::ffff:127.0.0.1' }), 1001);
  const six = '00000000000000000000000001000000';
  t.equal(ownerIn(head + row(`${six}:D431`, `${six}:0386`, '01', 1002, 9), { ...ends, remoteAddress: '::1', localAddress: '::1' }), 1002);
  t.same(namesIn('root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\nkim:x:10:1::/:\n', 0), ['root', 'toor']);
  for (const [address, is] of [['127.0.0.1', true], ['127.9.9.9', true], ['::1', true], ['::ffff:127.0.0.1', true], ['10.0.0.1', false], ['128.0.0.1', false], ['::2', false], ['fe80::1', false], [undefined, false]] as const) t.equal(isLoopback(address), is, address ?? 'none');
  t.end();
});

await t.test('of sockets of this process', { skip: SKIP }, async (t) => {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const client = connectSocket((server.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = await once(server, 'connection') as [Socket];
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  const ends = { remoteAddress, remotePort, localAddress, localPort };
  const users = new LocalUsers();
  t.equal(await users.accountFor(ends, { [UID]: 'admin' }, FOR_EVER), 'admin');
  const [name = ''] = namesIn(readFileSync('/etc/passwd', 'utf8'), Number(UID));
  if (name !== '') t.equal(await users.accountFor(ends, { [name]: 'admin' }, FOR_EVER), 'admin');
  t.equal(await users.accountFor(ends, { nobodyelse: 'admin' }, FOR_EVER), undefined);
  t.equal(await users.accountFor({ ...ends, remoteAddress: '192.0.2.1' }, { [UID]: 'admin' }, FOR_EVER), undefined);
  t.equal(await users.accountFor({ ...ends, localAddress: '192.0.2.1' }, { [UID]: 'admin' }, FOR_EVER), undefined);
  client.destroy();
  await until(async () => await users.accountFor(ends, { [UID]: 'admin' }, FOR_EVER) === undefined, 10_000, 'one that has closed is nobody');
  socket.destroy();
});

/** Connects, and prints what it is told. By the shell, since another user may not be able to reach the Node that runs this. */
const CONNECT = String.raw`exec 3<> /dev/tcp/127.0.0.1/$1 && printf 'GLOBAL server\r\n' >&3 && while IFS= read -r line <&3; do echo "$line"; case $line in 530*|200*) exit;; esac; done`;

await t.test('at the door', { skip: SKIP }, async (t) => {
  const tables = await accountTables({ admin: EVERYTHING }) + HOSTS;
  const { port, daemon, reload } = await startVmserverd(t, tables + gatewayTable(`local-users = { "${UID}" = "admin" }`));
  const enter = async (): Promise<VmserverdTestClient> => {
    const client = VmserverdTestClient.connect(port);
    await client.line();
    return client;
  };
  const client = await enter();
  t.equal(await client.say('GLOBAL server'), '200 Connect Global');
  t.match(await client.call('VMServerd_IsAdminUser'), { code: 0, out: '<isAdmin>1</isAdmin>' });
  const browser = await enter();
  browser.send('POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGLOBAL server\r\n<exec><op>inc</op><in><number>1</number></in></exec>\r\n');
  t.equal(await browser.ended(), '500 Unknown command.\r\n', 'a page in a browser comes no further than its first line');
  const other = await enter();
  t.match(await other.say('USER admin'), '331');
  t.match(await other.say('PASS wrong'), '530 Login incorrect.');
  t.match(await other.say('GLOBAL server'), '530 Please login', 'who names himself is asked for his password');
  if (process.getuid?.() === 0) {
    const { stdout } = spawnSync('bash', ['-c', CONNECT, 'bash', String(port)], { uid: 65_534, gid: 65_534, cwd: '/', encoding: 'utf8', timeout: 30_000 });
    t.match(stdout, /530 Please login with USER and PASS/, 'another user is nobody');
  }
  await daemon.logs(/"account":"admin","from":"127\.0\.0\.1:\d+","by":"local user","msg":"login"/);
  reload(tables + gatewayTable());
  t.equal(await client.ended(), '', 'a reload that takes it away ends it');
  const after = await enter();
  t.match(await after.say('GLOBAL server'), '530 Please login');
  t.throws(() => readAnswer(''));
});
