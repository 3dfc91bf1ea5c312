import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { dcomAvailable, HELPER, PYTHON } from '../../src/protocols/dcom/helper.js';
import { DcomSession, type DcomOptions } from '../../src/protocols/dcom/session.js';
import { WmiAccessError } from '../../src/protocols/wmi/errors.js';
import { LONG } from '../support/faults.js';
import { fromRoot } from '../support/paths.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** The real helper on the real impacket: with a machine of ours under it, and with the network. */

const { isAvailable, reason } = dcomAvailable();
const SKIP = process.env.CI !== 'true' && !isAvailable && reason;
const MACHINE = fromRoot('test', 'peers', 'dcom', 'machine.py');
const CIMV2 = 'root/cimv2';
const V2 = 'root/virtualization/v2';
const never = new AbortController().signal;

function open(t: Test, manner?: string, options: Partial<DcomOptions> = {}): DcomSession {
  const command = { program: PYTHON, args: ['-I', MACHINE, HELPER, ...(manner === undefined ? [] : [manner])] };
  const session = new DcomSession({ host: 'h', user: 'argo', password: 'Passw0rd! "ß"', domain: 'LAB', command, ...options });
  t.teardown(() => session.close());
  return session;
}

void t.test('what is needed is here', { skip: SKIP }, (t) => {
  t.same(dcomAvailable(), { isAvailable: true, reason: '' });
  t.ok(existsSync(HELPER), 'the script is found from where the program is compiled to');
  t.end();
});

void t.test('objects, as impacket has them', { skip: SKIP, timeout: LONG }, async (t) => {
  const session = open(t);
  const system = {
    Caption: 'Windows «ß»', Primary: 'true', FreePhysicalMemory: '9223372036854775808', LastBootUpTime: '2013-04-10T16:17:23.5+01:00',
    Interval: '00000000000500.000000:000', Description: null, MUILanguages: ['en-US', 'de-DE'], Nested: { Id: '7' },
  };
  t.same(await session.query(CIMV2, 'SELECT * FROM Win32_OperatingSystem', never), [system, system]);
  t.same(await session.get({ namespace: CIMV2, className: 'Win32_OperatingSystem', keys: {} }, never), system);
  t.equal((await session.query(V2, 'SELECT Name FROM Msvm_ComputerSystem', never)).length, 500);
  await t.rejects(session.query(CIMV2, 'SELECT * FROM Nothing', never), { name: 'WmiFault', kind: 'no-such-class' });
  await t.rejects(session.query('root/nowhere', 'SELECT * FROM Win32_OperatingSystem', never), { name: 'WmiFault', kind: 'no-such-class' });
  await t.rejects(session.get({ namespace: V2, className: 'Msvm_ComputerSystem', keys: { Name: 'x' } }, never), { name: 'WmiFault', kind: 'no-such-instance' });
});

void t.test('methods: what goes out is what their class declares', { skip: SKIP, timeout: LONG }, async (t) => {
  const session = open(t);
  const path = { namespace: V2, className: 'Msvm_ComputerSystem', keys: { CreationClassName: 'Msvm_ComputerSystem', Name: 'ab"c' } };
  const answer = await session.invoke(path, 'RequestStateChange', { RequestedState: '32769' }, never);
  t.match(answer, {
    Path: 'Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="ab\\"c"', ReturnValue: '4096',
    Job: { namespace: V2, className: 'Msvm_ConcreteJob', keys: { InstanceID: 'AB\\1' } },
  });
  // [MS-WMIO] 2.2.26: two bits each, here 00 and 11 (nothing); then a uint16 and a reference to the heap.
  t.equal(answer.Table, '0c018000000000');
  const shutdown = { namespace: V2, className: 'Msvm_ShutdownComponent', keys: { DeviceID: 'x' } };
  const told = await session.invoke(shutdown, 'InitiateShutdown', { Reason: 'üps', Force: 'true' }, never);
  t.match(told.Table, /^00ffff[0-9a-f]{8}$/, 'in the order of the class, not of the caller');
  t.match(Buffer.from(told.Heap as string, 'hex').toString('utf16le') + Buffer.from((told.Heap as string).slice(2), 'hex').toString('utf16le'), /üps/);
  t.equal((await session.invoke({ namespace: CIMV2, className: 'Win32_OperatingSystem', keys: {} }, 'Win32Shutdown', { Flags: '12', Reserved: '0' }, never)).Table, '000c00000000000000');
});

void t.test('orders that fail', { skip: SKIP, timeout: LONG }, async (t) => {
  const session = open(t);
  const path = (name: string): Parameters<DcomSession['invoke']>[0] => ({ namespace: V2, className: 'Msvm_ComputerSystem', keys: { Name: name } });
  await t.rejects(session.invoke(path('gone'), 'RequestStateChange', { RequestedState: '2' }, never), { name: 'WmiFault', kind: 'no-such-instance' });
  await t.rejects(session.invoke(path('x'), 'Fly', {}, never), { name: 'WmiFault', kind: 'no-such-method' });
  await t.rejects(session.invoke(path('x'), 'RequestStateChange', {}, never), { name: 'WmiFault', kind: 'other', message: /RequestedState is needed/ });
  await t.rejects(session.invoke(path('x'), 'RequestStateChange', { RequestedState: '2', Colour: 'red' }, never), { name: 'WmiFault', message: /Colour is no parameter/ });
  await t.rejects(session.invoke(path('x'), 'RequestStateChange', { RequestedState: ['2'] }, never), { name: 'WmiFault', message: /no array/ });
  await t.rejects(session.invoke(path('cut'), 'RequestStateChange', { RequestedState: '2' }, never), { name: 'ConnectionLostError', sent: true });
});

void t.test('logins that fail', { skip: SKIP, timeout: LONG }, async (t) => {
  await t.rejects(open(t, undefined, { password: 'wrong' }).query(CIMV2, 'SELECT * FROM Win32_OperatingSystem', never), WmiAccessError);
  await t.rejects(open(t, 'broken').query(CIMV2, 'SELECT * FROM Win32_OperatingSystem', never), { name: 'ConnectionLostError', sent: false, message: /speaks RPC, but no DCOM/ });
});

/** Of this machine, and nobody else's: the port of DCOM is always the same. */
const HOST = '127.0.0.77';
const PORT = 135;

/** A program that has a helper and cannot end it. */
const OWNER = `
import { DcomSession } from '${fromRoot('dist', 'src', 'protocols', 'dcom', 'session.js')}';
const session = new DcomSession({ host: '${HOST}', user: 'argo', password: 'Passw0rd!', domain: '' });
await session.query('root/cimv2', 'SELECT * FROM Win32_OperatingSystem', new AbortController().signal);
`;

/** State and parent of a process, by proc_pid_stat(5); undefined where there is none. */
function statOf(pid: string): { readonly state: string; readonly parent: number } | undefined {
  try {
    const [state = '', parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return { state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

const helpersOf = (parent: number): string[] => readdirSync('/proc').filter((name) => /^\d+$/.test(name) && statOf(name)?.parent === parent);
/** Nobody may have fetched what is left of it. */
const hasEnded = (pid: string): boolean => (statOf(pid)?.state ?? 'Z') === 'Z';

void t.test('the network: nobody there, silence, an end, and something else', { skip: SKIP || lacksRoot(), timeout: LONG }, async (t) => {
  const session = (limits: DcomOptions['limits'] = {}): DcomSession => open(t, undefined, { host: HOST, command: { program: PYTHON, args: ['-I', HELPER] }, limits });
  const ask = (limits?: DcomOptions['limits']): Promise<unknown> => session(limits).query(CIMV2, 'SELECT * FROM Win32_OperatingSystem', never);
  await t.rejects(ask(), { name: 'ConnectionLostError', sent: false, message: /refused/ });

  const sockets: Socket[] = [];
  let meet: (socket: Socket) => void = () => undefined;
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    socket.once('data', () => meet(socket));
  }).listen(PORT, HOST);
  await once(server, 'listening');
  t.equal((server.address() as AddressInfo).port, PORT);
  t.teardown(() => { sockets.forEach((socket) => socket.destroy()); server.close(); });

  const owner = spawn(process.execPath, ['--input-type=module', '-e', OWNER]);
  t.teardown(() => owner.kill('SIGKILL'));
  await until(() => helpersOf(owner.pid!).length === 1 && sockets.length === 1, LONG, 'a helper that waits');
  const [helper] = helpersOf(owner.pid!);
  t.notMatch(readFileSync(`/proc/${helper}/cmdline`, 'utf8') + readFileSync(`/proc/${helper}/environ`, 'utf8'), /Passw0rd/);
  owner.kill('SIGKILL');
  await until(() => hasEnded(helper!), LONG, 'its end with that of its owner');

  await t.rejects(ask({ loginTimeout: 3000 }), { name: 'ConnectionLostError', sent: false });
  meet = (socket) => socket.destroy();
  await t.rejects(ask(), { name: 'ConnectionLostError', sent: false });
  meet = (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'.repeat(10));
  await t.rejects(ask(), { name: 'ConnectionLostError', sent: false });
});
