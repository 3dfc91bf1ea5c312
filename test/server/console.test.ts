import t, { type Test } from 'tap';
import { CONSOLES_PER_ACCOUNT } from '../../src/kit/console-limits.js';
import { SUBNEGOTIATION_TIMEOUT } from '../../src/kit/limits.js';
import { connect, type LineClient } from '../support/line-client.js';
import { until } from '../support/until.js';
import { SEED_CONFIG, startCore, STEVE_HASH } from './core.js';

/** Generous: a machine under load is slow, a server that does not answer never answers. */
const WITHIN = 30_000;
/** Bytes that are typed by who does not read, and how long none is to be taken until it is clear that none will be, ms. */
const MUCH = 64 * 1024 * 1024;
const QUIET = 500;

const CONFIG = `${SEED_CONFIG}
[accounts.typist]
password = "${STEVE_HASH}"
grants = [{ instances = ["lj"], commands = ["console"] }]
[accounts.caretaker]
password = "${STEVE_HASH}"
grants = [{ instances = ["*"], commands = ["read", "shell", "console-view"] }]
`;

/** A client that keeps every byte. */
class Raw {
  bytes = Buffer.alloc(0);

  constructor(readonly client: LineClient) {
    client.socket.removeAllListeners('data');
    client.socket.setEncoding('latin1');
    client.socket.on('data', (chunk: Buffer | string) => { this.bytes = Buffer.concat([this.bytes, Buffer.from(chunk as string, 'latin1')]); });
  }

  send(text: string): void {
    this.client.socket.write(Buffer.from(text, 'latin1'));
  }

  /** Waits for bytes, and takes all up to their end. */
  async take(text: string): Promise<string> {
    await until(() => this.bytes.includes(Buffer.from(text, 'latin1')), WITHIN, `${JSON.stringify(text)} in ${JSON.stringify(this.bytes.toString('latin1'))}`);
    const end = this.bytes.indexOf(Buffer.from(text, 'latin1')) + text.length;
    const taken = this.bytes.subarray(0, end).toString('latin1');
    this.bytes = this.bytes.subarray(end);
    return taken;
  }
}

async function serve(t: Test) {
  const core = await startCore(t, { config: CONFIG });
  const { port, server } = await core.listen();
  const client = async (account = 'steve', eol = '\n'): Promise<Raw> => {
    const one = await connect(port);
    t.teardown(() => one.destroy());
    const raw = new Raw(one);
    raw.send(`auth ${account} steve${eol}`);
    await raw.take(`300 DONE${eol}`);
    return raw;
  };
  return { ...core, port, server, client };
}

await t.test('a console, and the session goes on behind it', async (t) => {
  const { client, audit } = await serve(t);
  for (const leave of ['\x1d', '\r~.']) {
    const raw = await client();
    raw.send('console lj\n');
    t.match(await raw.take('lj$ '), /^200 OK\nSimulated console of lj/);
    raw.send('hello\r');
    t.match(await raw.take('lj$ '), /^hello\r\nhello\r\n/);
    raw.send(`${leave}nop\n`);
    t.match(await raw.take('300 DONE\n200 OK\n300 DONE\n'), /\n300 DONE\n200 OK\n300 DONE\n$/, 'what was sent behind it is answered');
    raw.send('status lj\n');
    t.match(await raw.take('300 DONE\n'), /^200 OK\non\n/);
  }
  t.match(audit.begun.at(-1), { account: 'steve', command: 'console', instance: 'demo/lj', options: '--kind=text' });
  await until(() => audit.ended.length === 2, WITHIN, 'the ends in the audit');
  const raw = await client();
  raw.send('console lj\nexit\r');
  await raw.take('exit\r\n300 DONE\n');
  t.match(audit.ended[0]?.outcome, /^done: 6 bytes to it, \d+ from it$/, 'how much, and not what');
  t.notMatch(JSON.stringify([audit.begun, audit.ended]), /hello/);
});

await t.test('tildes that are none, and the keys that leave, said literally', async (t) => {
  const { client } = await serve(t);
  const raw = await client();
  raw.send('console lj\n');
  await raw.take('lj$ ');
  raw.send('a~.b\r~~x\r~y\r');
  t.match(await raw.take('~y\r\n~y\r\n'), /a~\.b\r\na~\.b[^]*~x\r\n~x[^]*~y/);
  raw.send('\r~\x1d~.');
  await raw.take('lj$ ');
  raw.send('\x1d');
  await raw.take('300 DONE\n');
});

await t.test('telnet is put into character mode, tells its size, and gets its lines back', async (t) => {
  const { client } = await serve(t);
  const raw = await client('steve', '\r\n');
  raw.send('console lj\r\n');
  t.match(await raw.take('lj$ '), '\xff\xfb\x01\xff\xfb\x03\xff\xfd\x1f', 'ECHO, SUPPRESS-GO-AHEAD, NAWS');
  raw.send('\xff\xfd\x01\xff\xfd\x03\xff\xfb\x1f\xff\xfa\x1f\x00\x64\x00\x28\xff\xf0size\r\0');
  t.match(await raw.take('lj$ '), /size\r\n100 x 40\r\n/);
  raw.send('\xff\xff\r\n');
  t.match(await raw.take('lj$ '), /\xff\xff\r\n\xff\xff\r\n/, 'the byte 255 is doubled both ways');
  raw.send('x\xff\xfa\x1f\x00lost');
  await raw.take('x');
  await new Promise((resolve) => { setTimeout(resolve, SUBNEGOTIATION_TIMEOUT * 1.1); });
  raw.send('found\r\n');
  t.match(await raw.take('lj$ '), /^found\r\nxfound\r\n/, 'a subnegotiation that does not end is given up');
  raw.send('\r\0~.');
  t.match(await raw.take('300 DONE\r\n'), /\xff\xfc\x01\xff\xfc\x03\xff\xfe\x1f\r\n300 DONE\r\n$/);
  raw.send('\xff\xfe\x01nop\r\n');
  await raw.take('200 OK\r\n300 DONE\r\n');
});

await t.test('what telnet has sent for a console that has ended is no line', async (t) => {
  const { client } = await serve(t);
  const raw = await client('steve', '\r\n');
  raw.send('console lj\r\n');
  await raw.take('lj$ ');
  raw.send('exit\r\0stop lj\r\0');
  await raw.take('\xff\xfc\x01\xff\xfc\x03\xff\xfe\x1f300 DONE\r\n');
  raw.send('stop dev\r\0\xff');
  raw.send('\xfe\x01\xff\xfe\x03\xff\xfc\x1fstatus lj\r\nstatus dev\r\n');
  t.equal(await raw.take('300 DONE\r\n') + await raw.take('300 DONE\r\n'), '200 OK\r\non\r\n300 DONE\r\n'.repeat(2));
});

await t.test('rights: console for consoles, shell for shells, neither for the other', async (t) => {
  const { ask, session, client } = await serve(t);
  t.match(await ask(await session('tenant'), 'console lj'), /^400 NOT ALLOWED/);
  t.match(await ask(await session('typist'), 'console dev'), /^400 NOT ALLOWED/);
  t.match(await ask(await session('typist'), 'shell lj'), /^400 NOT ALLOWED/);
  t.match(await ask(await session('caretaker'), 'console lj'), /^400 NOT ALLOWED/);
  t.match(await ask(await session('steve'), 'console lj'), /400 NOT SUPPORTED: there is no connection/);
  const raw = await client('caretaker');
  raw.send('shell lj\n');
  t.match(await raw.take('400 NOT SUPPORTED: lj has no shell to log in to: nothing runs in a simulated machine\n'), /^200 OK\n/);
  const steve = await client();
  steve.send('console test\n');
  await steve.take('400 WRONG STATE: test is off\n');
  steve.send('console lj dev\nconsole l*\n\x1d');
  await steve.take('400 USAGE: console NAME [--force]\n');
});

await t.test('the right shell does not see or end what others do', async (t) => {
  const { ask, session } = await serve(t);
  const caretaker = await session('caretaker');
  t.match(await ask(caretaker, 'task'), /^400 NOT ALLOWED/);
  t.match(await ask(caretaker, 'task cancel 1'), /^400 NOT ALLOWED/);
});

await t.test('what is on its way when a console ends of itself is no request', async (t) => {
  const { client, gate, audit, authenticator, config, ask, session } = await serve(t);
  const raw = await client('typist');
  raw.send('console lj\n');
  await raw.take('lj$ ');
  const typist = config.accounts.get('typist')!;
  const grants = [{ ...typist.grants[0]!, commands: ['power', 'read'] }];
  raw.send('stop lj\n');
  authenticator.configure({ ...config, accounts: new Map([...config.accounts, ['typist', { ...typist, grants }]]) });
  gate.review();
  t.notMatch(await raw.take('400 NOT ALLOWED\n'), /300 DONE/);
  t.equal(await ask(await session('typist'), 'status lj'), '200 OK\non\n300 DONE\n');
  raw.send('pause lj\n');
  t.equal(await raw.take('300 DONE\n'), '200 OK\n300 DONE\n', 'what comes then is one');
  t.same(audit.begun.map(({ command }) => command), ['console', 'pause']);
});

await t.test('a second opener is told of the first, and there are not too many', async (t) => {
  const { client } = await serve(t);
  const first = await client('typist');
  first.send('console lj\n');
  await first.take('lj$ ');
  const second = await client();
  second.send('console lj\n');
  t.match(await second.take('lj$ '), /^200 OK\n\[typist has it open since [^\]]+\]\n/);
  for (let more = 1; more < CONSOLES_PER_ACCOUNT; more += 1) {
    const other = await client('typist');
    other.send('console lj\n');
    await other.take('lj$ ');
  }
  const late = await client('typist');
  late.send('console lj\n');
  await late.take('400 BUSY: typist has 8 consoles open already\n');
  first.client.destroy();
  await until(async () => {
    late.send('console lj\n');
    const said = await late.take('\n');
    return said === '200 OK\n' && !(await late.take('\n')).startsWith('400');
  }, WITHIN, 'the place of one that has gone');
});

await t.test('it ends with the client, with the server, and with the grant', async (t) => {
  const { client, gate, audit, authenticator, config } = await serve(t);
  const gone = await client();
  gone.send('console lj\n');
  await gone.take('lj$ ');
  gone.client.destroy();
  await until(() => audit.ended.length === 1, WITHIN, 'its end');
  const raw = await client('typist');
  raw.send('console lj\n');
  await raw.take('lj$ ');
  authenticator.configure({ ...config, accounts: new Map([...config.accounts].filter(([name]) => name !== 'typist')) });
  gate.review();
  await raw.take('400 NOT ALLOWED');
  await until(() => audit.ended.length === 2, WITHIN, 'its end');
  t.match(audit.ended[1]?.outcome, /^NOT ALLOWED/);
  const last = await client();
  last.send('console lj\n');
  await last.take('lj$ ');
  const drained = gate.drain(0, 5000);
  await last.take('400 SHUTTING DOWN\n');
  await drained;
  t.match(audit.ended[2]?.outcome, /^SHUTTING DOWN/);
  last.send('console lj\n');
  await last.take('400 SHUTTING DOWN\n');
});

await t.test('a client that does not read holds the machine up, not the memory', async (t) => {
  const { client, audit } = await serve(t);
  const raw = await client();
  raw.send('console lj\n');
  await raw.take('lj$ ');
  raw.client.socket.pause();
  // more than the buffers of both kernels can hold
  raw.client.socket.write(`${'x'.repeat(1000)}\r`.repeat(MUCH / 1001));
  let left = Infinity;
  await until(async () => {
    const before = left;
    await new Promise((resolve) => { setTimeout(resolve, QUIET); });
    left = raw.client.socket.writableLength;
    return left === before;
  }, WITHIN, 'what is typed not to be taken any longer');
  t.ok(left > MUCH / 4, `${left} bytes of it are not taken`);
  raw.client.destroy();
  await until(() => audit.ended.length === 1, WITHIN, 'its end');
});
