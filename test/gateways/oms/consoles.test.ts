import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { accounts, everything, LOGIN, omsTable } from '../../support/oms/accounts.js';
import { OmsClient, send } from '../../support/oms/client.js';
import { startWorld } from '../../support/oms/world.js';
import { listens } from '../../support/ports.js';
import { until } from '../../support/until.js';

const WITHIN = 30_000;
const HOST = 'funcclient';

async function start(t: Test) {
  const { table, vnc, ssh } = await omsTable();
  const known = await everything();
  const daemon = await startWorld(t, known + table, 2);
  const [client, other] = [new OmsClient(daemon.ports[1]!), new OmsClient(daemon.ports[1]!)];
  for (const one of [client, other]) await one.login(LOGIN.name, LOGIN.password);
  return { daemon, client, other, vnc, ssh, table, known };
}

function open(t: Test, port: number, query: string, protocols: string[] = []) {
  const web = new WebSocket(`ws://127.0.0.1:${port}/${query}`, protocols);
  t.teardown(() => web.terminate());
  let text = '';
  web.on('message', (data: Buffer) => { text += data.toString('latin1'); });
  web.on('error', () => undefined);
  const refused = new Promise<number>((resolve) => {
    web.on('unexpected-response', (sent, response) => {
      resolve(response.statusCode!);
      sent.destroy();
    });
  });
  const opened = new Promise<number>((resolve) => { web.on('open', () => resolve(101)); });
  return { web, seen: () => text, answered: Promise.race([opened, refused]), closed: new Promise<number>((resolve) => { web.once('close', (code) => resolve(code)); }) };
}

await t.test('a screen by a port: set up, listed, used, removed', async (t) => {
  const { daemon, client, other, vnc } = await start(t);
  t.equal(await listens(vnc), false, 'nobody listens before it is set up');
  t.equal(await client.result('kvm', 'set_up_vnc_connection', HOST, 'winxp2'), String(vnc));
  t.equal(await listens(vnc), true);
  t.match(await client.ask('kvm', 'set_up_vnc_connection', HOST, 'winxp2'), { error: { code: 150, message: /^\[VNCAreadySetUpError\]/ } });
  t.match(await other.ask('kvm', 'set_up_vnc_connection', HOST, 'winxp2'), { error: { code: 151, message: /^\[VNCAreadySetUpAnotherSessionError\]/ } });
  t.match(await other.ask('kvm', 'set_up_vnc_connection', HOST, 'openfiler2'), { error: { code: 153, message: /^\[VNCPoolSpotSetUpError\]/ } }, 'a pool of one port');
  t.same(await client.result('kvm', 'list_session_vnc_connections'), [{ host: HOST, port: vnc, vm: 'winxp2' }]);
  t.same(await other.result('kvm', 'list_session_vnc_connections'), []);
  t.equal(await client.result('kvm', 'check_session_vnc_connection', vnc), '0');
  t.equal(await client.result('kvm', 'check_session_vnc_connection', String(vnc)), '0');
  t.match(await other.ask('kvm', 'check_session_vnc_connection', vnc), { error: { code: 156 } });
  t.match(await other.ask('kvm', 'remove_vnc_connection', HOST, 'winxp2'), { error: { code: 155, message: /^\[VNCRemoveError\]/ } });
  for (const query of ['', '?SESSID=x', `?SESSID=${other.sessid}`, `?SESSID=${'0'.repeat(40)}`]) t.equal(await open(t, vnc, query).answered, 403, query);
  t.equal((await send(vnc, `/?SESSID=${client.sessid}`)).status, 426, 'there is no page');
  const screen = open(t, vnc, `?SESSID=${client.sessid}`);
  t.equal(await screen.answered, 101);
  await until(() => screen.seen().startsWith('RFB 003.008\n'), WITHIN, 'the greeting');
  const second = open(t, vnc, 'websockify', ['binary', `sessid.${client.sessid}`]);
  t.equal(await second.answered, 101, 'the key among the subprotocols');
  t.equal(second.web.protocol, 'binary');
  t.equal(await client.result('kvm', 'remove_vnc_connection', HOST, 'winxp2'), String(vnc));
  await Promise.all([screen.closed, second.closed]);
  t.equal(await listens(vnc), false);
  t.equal(await other.result('kvm', 'set_up_vnc_connection', HOST, 'openfiler2'), String(vnc), 'the port is free again');
  t.equal(await other.result('kvm', 'remove_session_vnc_connections'), 0);
  t.equal(await listens(vnc), false);
  t.notMatch(daemon.stderr(), client.sessid);
});

await t.test('a machine without a screen, one that is off, and a port that is taken', async (t) => {
  const { client, vnc } = await start(t);
  t.match(await client.ask('kvm', 'set_up_vnc_connection', 'other', 'x'), { error: { code: 152, message: /^\[VNCRemoteSetUpError\]/ } });
  t.equal(await client.result('kvm', 'set_up_vnc_connection', HOST, 'openfiler'), String(vnc));
  const off = open(t, vnc, `?SESSID=${client.sessid}`);
  t.equal(await off.closed, 1011, 'it is off');
  await client.ask('kvm', 'remove_session_vnc_connections');
  const taken = createServer().listen(vnc, '127.0.0.1');
  t.teardown(() => taken.close());
  await until(() => taken.listening, WITHIN, 'the other');
  t.match(await client.ask('kvm', 'set_up_vnc_connection', HOST, 'winxp2'), { error: { code: 154, message: /^\[VNCTunnelSetUpError\]/ } });
});

await t.test('a port is let go of also where its machine is gone', async (t) => {
  const { client, other, vnc } = await start(t);
  t.equal(await client.result('kvm', 'set_up_vnc_connection', HOST, 'winxp2'), String(vnc));
  await client.result('kvm', 'delete_vm', HOST, 'winxp2');
  t.match(await other.ask('kvm', 'remove_vnc_connection', HOST, 'winxp2'), { error: { code: 155 } }, 'by nobody else');
  t.match(await client.ask('kvm', 'remove_vnc_connection', 'other', 'winxp2'), { error: { code: 155 } }, 'nor on another host');
  t.equal(await client.result('kvm', 'remove_vnc_connection', HOST, 'winxp2'), String(vnc));
  t.equal(await listens(vnc), false);
});

await t.test('the shell of a host, and the end of its session in the middle of it', async (t) => {
  const { daemon, client, other, ssh } = await start(t);
  t.match(await client.ask('ssh', 'set_up_ssh_connection', 'other'), { error: { code: 142, message: /^\[SSHRemoteSetUpError\]/ } });
  t.equal(await client.result('ssh', 'set_up_ssh_connection', HOST), String(ssh));
  t.match(await client.ask('ssh', 'set_up_ssh_connection', HOST), { error: { code: 140 } });
  t.match(await other.ask('ssh', 'set_up_ssh_connection', HOST), { error: { code: 141 } });
  t.same(await client.result('ssh', 'list_session_ssh_connections'), [{ host: HOST, port: ssh }]);
  t.match(await client.ask('ssh', 'check_session_ssh_connection', 1), { error: { code: 146 } });
  const shell = open(t, ssh, `?SESSID=${client.sessid}`);
  await until(() => shell.seen() === '$ ', WITHIN, 'the prompt');
  shell.web.send(Buffer.from('uptime\r'));
  await until(() => shell.seen() === '$ uptime\r', WITHIN, 'what was typed');
  shell.web.send('{"columns":100,"rows":30}');
  await client.call('auth', 'deauthenticate', [client.sessid]);
  t.ok([1006, 1008].includes(await shell.closed), 'it ends with the session');
  t.equal(await listens(ssh), false);
  await daemon.logs(/"command":"console\.shell"|"command":"shell"/);
  t.equal(await other.result('ssh', 'set_up_ssh_connection', HOST), String(ssh), 'and is free for others');
  const last = open(t, ssh, `?SESSID=${other.sessid}`);
  await until(() => last.seen() === '$ ', WITHIN, 'the prompt');
  t.match(await daemon.stop(), { code: 0 });
  await last.closed;
  t.notMatch(daemon.stderr(), /did not (?:drain|close)/);
});

await t.test('a session that nobody uses ends, and one whose account is taken away', async (t) => {
  const idle = await start(t);
  await idle.client.result('kvm', 'set_up_vnc_connection', HOST, 'winxp2');
  // from now on: to log in may take longer than that
  idle.daemon.reload(`${idle.known}${idle.table}idle-timeout = "1s"\n`);
  await until(async () => !await listens(idle.vnc), WITHIN, 'its end');
  t.match(await idle.client.call('auth', 'checksessid', [idle.client.sessid]), { error: { code: 101 } });
  const { daemon, client, ssh, table } = await start(t);
  await client.result('ssh', 'set_up_ssh_connection', HOST);
  const shell = open(t, ssh, `?SESSID=${client.sessid}`);
  await until(() => shell.seen() === '$ ', WITHIN, 'the prompt');
  daemon.reload(table);
  t.ok([1006, 1008].includes(await shell.closed));
  t.match(await client.call('auth', 'checksessid', [client.sessid]), { error: { code: 101 } });
  await until(async () => !await listens(ssh), WITHIN, 'its end');
});

await t.test('one account leaves some ports of a pool to others', async (t) => {
  const names = Array.from({ length: 14 }, (_, count) => `vm${count}`);
  const table = '[gateways.oms]\ntype = "oms"\nlisten = ["127.0.0.1:0"]\nvnc-ports = "27400-27411"\n';
  const all = [{ instances: ['*'], commands: ['*'] }];
  const daemon = await startWorld(t, await accounts({ [LOGIN.name]: all, kim: all }) + `${table}[providers.many]\ntype = "world"\nvms = ${JSON.stringify(names)}\n`, 2);
  const [one, second, kim] = [LOGIN.name, LOGIN.name, 'kim'].map((name) => ({ name, client: new OmsClient(daemon.ports[1]!) })) as [Asking, Asking, Asking];
  for (const { name, client } of [one, second, kim]) await client.login(name, LOGIN.password);
  const setUp = async ({ client }: Asking, name: string): Promise<number> => (await client.ask('kvm', 'set_up_vnc_connection', 'many', name)).error?.code ?? 0;
  const codes: number[] = [];
  for (const name of names.slice(0, 8)) codes.push(await setUp(one, name));
  for (const name of names.slice(8, 10)) codes.push(await setUp(second, name));
  t.same(codes, [0, 0, 0, 0, 0, 0, 0, 0, 0, 153]);
  t.equal(await setUp(kim, names[9]!), 0);
});

interface Asking {
  readonly name: string;
  readonly client: OmsClient;
}
