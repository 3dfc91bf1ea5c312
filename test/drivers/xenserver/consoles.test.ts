import type { Duplex } from 'node:stream';
import t, { type Test } from 'tap';
import { startEcho } from '../../support/echo.js';
import { until } from '../../support/until.js';
import { findMachine, outcome, soon } from '../driving.js';
import { makeCertificate } from '../../peers/xapi.js';
import { openDriver, setUp } from './open-driver.js';

const WAIT_MS = 60_000;
/** RFB 3.3, as XenServer's vncterm speaks it: a session without a password. Then comes what it is sent, back. */
const VNCTERM = [Buffer.from('RFB 003.003\n', 'latin1'), Buffer.from([0, 0, 0, 1])];

function watch(stream: Duplex): { seen: string; ended: boolean } {
  const watched = { seen: '', ended: false };
  stream.on('data', (chunk: Buffer) => { watched.seen += chunk.toString('latin1'); });
  stream.on('error', () => undefined).on('close', () => { watched.ended = true; });
  return watched;
}

/** A pool of two hosts with one machine, which runs. */
async function setUpPool(t: Test, tls = false) {
  const hosts = [{ name: 'xen1', address: '127.0.0.1' }, { name: 'xen2', address: '127.0.0.2' }];
  const opened = await setUp(t, { vms: ['web1'], hosts, tls });
  const screen = await startEcho(t, ...VNCTERM);
  const terminal = await startEcho(t, Buffer.from('login: '));
  opened.peer.behind.set('rfb', screen.where).set('vt100', terminal.where);
  const web = await findMachine(opened.driver, 'web1');
  return { ...opened, screen, terminal, web };
}

for (const tls of [false, true]) {
  void t.test(`a screen and a text console, over ${tls ? 'TLS' : 'plain HTTP'}`, async (t) => {
    const { peer, web, screen, terminal } = await setUpPool(t, tls);
    for (const kind of ['vnc', 'text'] as const) t.match(await outcome(web.console![kind]!({ signal: soon() })), { phrase: 'WRONG STATE', detail: /halted/ });
    await web.start!(soon());
    const text = (await web.console!.text!({ signal: soon() })).stream;
    const shown = watch(text);
    text.write('root\r');
    await until(() => shown.seen === 'login: root\r', WAIT_MS, 'what was typed');
    const vnc = (await web.console!.vnc!({ signal: soon() })).stream;
    const seen = watch(vnc);
    vnc.write(Buffer.from([1]));
    await until(() => seen.seen === 'RFB 003.003\n\u0001', WAIT_MS, 'what follows the handshake, ours said back and all');
    text.destroy();
    await until(() => terminal.sockets.size === 0, WAIT_MS, 'the end of what we let go of');
    screen.sockets.forEach((socket) => socket.destroy());
    await until(() => seen.ended, WAIT_MS, 'our end with the guest\'s');
    t.equal(peer.calls('console'), 2);
  });
}

void t.test('at the host that carries it, with a new session where the old one has ended', async (t) => {
  const { peer, web } = await setUpPool(t);
  await web.start!(soon());
  const vm = peer.world.vm('web1');
  peer.world.set('VM', vm, { resident_on: peer.world.refs('host')[1]! });
  const [, terminal = ''] = peer.world.get('VM', vm).consoles as string[];
  const { location } = peer.world.get('console', terminal);
  t.match(await outcome(web.console!.text!({ signal: soon() })), { phrase: 'UNREACHABLE', detail: /HTTP status 500/ }, 'the place that was told is a former one');
  peer.world.set('console', terminal, { location: String(location).replace('127.0.0.1', '127.0.0.2') });
  const { stream } = await web.console!.text!({ signal: soon() });
  const shown = watch(stream);
  await until(() => shown.seen === 'login: ', WAIT_MS, 'the prompt');
  t.equal(peer.log.findLast((line) => line.startsWith('console ')), 'console 1');
  peer.sessions.clear();
  (await web.console!.text!({ signal: soon() })).stream.destroy();
  t.equal(peer.calls('session.login_with_password'), 2);
  stream.destroy();
});

void t.test('the session goes to no other host than the pool\'s', async (t) => {
  const { peer, web } = await setUpPool(t);
  await web.start!(soon());
  const [, terminal = ''] = peer.world.get('VM', peer.world.vm('web1')).consoles as string[];
  const foreign = await startEcho(t);
  for (const location of ['https://127.0.0.9/console?uuid=1', `https://127.0.0.9:${foreign.where.port}/console`, 'nonsense', '']) {
    peer.world.set('console', terminal, { location });
    t.match(await outcome(web.console!.text!({ signal: soon() })), { phrase: 'UNREACHABLE', detail: /^the pool: it (places|tells no)/ }, location);
  }
  peer.world.set('console', terminal, { location: 'https://127.0.0.1/console?uuid=1%0d%0aX:%20y\r\nX-Evil: 1' });
  t.match(await outcome(web.console!.text!({ signal: soon() })), { phrase: 'UNREACHABLE', detail: /HTTP status 500/ }, 'a path is nothing but a path');
  t.equal(foreign.sockets.size, 0);
});

void t.test('what a machine lacks, what a pool refuses, and what is no answer', async (t) => {
  const { peer, web, told } = await setUpPool(t);
  await web.start!(soon());
  const open = () => outcome(web.console!.text!({ signal: soon() }));
  peer.oneConsole = true;
  const { stream } = await web.console!.text!({ signal: soon() });
  t.match(await open(), { phrase: 'BUSY', detail: /limit_console_sessions/ });
  stream.destroy();
  for (const [fault, expected] of [
    [{ kind: 'status', status: 403, after: false }, { phrase: 'ACCESS DENIED', detail: /http\/connect_console/ }],
    [{ kind: 'status', status: 302, after: false }, { phrase: 'UNREACHABLE', detail: /302/ }],
    [{ kind: 'cut' }, { phrase: 'UNREACHABLE', detail: /cut off/ }],
    [{ kind: 'garbage' }, { phrase: 'UNREACHABLE' }],
    [{ kind: 'huge' }, { phrase: 'UNREACHABLE', detail: /no HTTP/ }],
  ] as const) {
    // once more where the connection was lost
    peer.fault('console', fault, fault.kind === 'cut' || fault.kind === 'garbage' ? 2 : 1);
    t.match(await open(), expected, JSON.stringify(fault));
  }
  peer.fault('console', { kind: 'hang' });
  t.ok((await outcome(web.console!.text!({ signal: AbortSignal.timeout(300) }))).error, 'silence ends with the signal');
  peer.behind.set('rfb', (await startEcho(t, Buffer.from('login: with words'))).where);
  t.match(await outcome(web.console!.vnc!({ signal: soon() })), { phrase: 'FAILED', detail: /does not speak RFB/ });
  const vm = peer.world.vm('web1');
  peer.world.set('VM', vm, { consoles: [(peer.world.get('VM', vm).consoles as string[])[0]!] });
  t.match(await open(), { phrase: 'NOT SUPPORTED', detail: /vt100/ });
  for (const session of peer.sessions) t.notOk(JSON.stringify(told).includes(session), 'the session is in no log');
});

void t.test('a certificate that is not the host\'s', async (t) => {
  const { peer, driver, web } = await setUpPool(t, true);
  await web.start!(soon());
  await driver.close(soon());
  const pinned = await findMachine(openDriver(t, { url: peer.url(), fingerprint: `SHA256:${peer.certificate!.fingerprint}` }).driver, 'web1');
  (await pinned.console!.text!({ signal: soon() })).stream.destroy();
  // the master keeps its own; the host that carries the machine shows another
  await peer.shut(1);
  peer.certificate = makeCertificate();
  await peer.open(1);
  const vm = peer.world.vm('web1');
  peer.world.set('VM', vm, { resident_on: peer.world.refs('host')[1]! });
  const [, terminal = ''] = peer.world.get('VM', vm).consoles as string[];
  peer.world.set('console', terminal, { location: String(peer.world.get('console', terminal).location).replace('127.0.0.1', '127.0.0.2') });
  t.match(await outcome(pinned.console!.text!({ signal: soon() })), { phrase: 'CERTIFICATE REJECTED' });
  t.equal(peer.calls('console'), 1, 'nothing was sent to it');
});
