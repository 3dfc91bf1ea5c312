import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { askConfiguration, sendData, sendHeartbeat } from '../../../src/protocols/zabbix/active.js';
import { encodeFrame, MESSAGE_LIMITS, parseMessage } from '../../../src/protocols/zabbix/frame.js';
import { readFrame } from '../../../src/protocols/zabbix/frame-reader.js';
import { answerServer, type PassiveProxy } from '../../../src/protocols/zabbix/passive.js';
import { KNOWN, PARTS, PRINTED, PROXY, TABLES, TIMES } from './seed-messages.js';

/** Every message of the text of 5.4, sent or taken once over a connection. */

const HOST = '127.0.0.1';
const PATIENCE_MS = 20_000;
const NEVER = new AbortController().signal;

type Mode = (typeof PRINTED)[number]['mode'];

/** The server of the text: says what it prints, and wants to hear what it prints. */
class Script {
  readonly #left;

  constructor(readonly t: Test, mode: Mode) {
    this.#left = PRINTED.filter((one) => one.mode === mode);
  }

  get isOver(): boolean {
    return this.#left.length === 0;
  }

  async say(socket: Socket): Promise<void> {
    const { message } = this.#left.shift()!;
    socket.write(await encodeFrame(JSON.stringify(message), { packed: true }));
  }

  async hear(socket: Socket): Promise<void> {
    const { what, message } = this.#left.shift()!;
    const frame = await readFrame(socket, MESSAGE_LIMITS, PATIENCE_MS, NEVER);
    this.t.same(frame && parseMessage(frame.content), message, what);
    this.t.equal(frame?.packed, true, 'packed, with the header');
  }
}

async function listen(t: Test, serve: (socket: Socket) => Promise<unknown>): Promise<{ host: string; port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    serve(socket).catch((error: Error) => { t.fail(error.message); socket.destroy(); });
  }).listen(0, HOST);
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { host: HOST, port: (server.address() as AddressInfo).port };
}

void t.test('active', async (t) => {
  const script = new Script(t, 'active');
  const where = await listen(t, async (socket) => {
    await script.hear(socket);
    await script.say(socket);
    // to a configuration the proxy has a last word
    if (asksConfiguration) await script.hear(socket);
    socket.end();
  });
  let asksConfiguration = false;
  await sendHeartbeat(where, PROXY, NEVER);
  asksConfiguration = true;
  const taken: unknown[] = [];
  await askConfiguration(where, PROXY, KNOWN, NEVER, (content) => Promise.resolve(void taken.push(parseMessage(content))));
  asksConfiguration = false;
  t.same(taken, [TABLES]);
  const answer = await sendData(where, PROXY, { ...PARTS, ...TIMES }, NEVER);
  t.match(answer, { accepted: true, strange: [], tasks: [{ command: 'restart_service1.sh', parentTaskId: 10, hostid: 10070 }, { command: 'restart_service2.sh', parentTaskId: 20, hostid: 10084 }] });
  t.ok(script.isOver, 'all was said');
});

void t.test('passive', async (t) => {
  const script = new Script(t, 'passive');
  const taken: unknown[] = [];
  const settled: unknown[] = [];
  const proxy: PassiveProxy = {
    known: KNOWN, asked: () => PROXY.version, room: () => Promise.resolve(() => undefined),
    configure: (content) => Promise.resolve(void taken.push(parseMessage(content))),
    data: () => Promise.resolve({ parts: { ...PARTS, ...TIMES }, settle: (answer) => Promise.resolve(void settled.push(answer)) }),
    tasks: () => Promise.reject(new Error('the text has no such question')),
  };
  const { port } = await listen(t, (socket) => answerServer(socket, proxy, NEVER));
  for (const hasLastWord of [false, true]) {
    const socket = connect(port, HOST).on('error', () => undefined);
    const closed = once(socket, 'close');
    await script.say(socket);
    await script.hear(socket);
    if (hasLastWord) await script.say(socket);
    await closed;
  }
  t.same(taken, [{ request: 'proxy config', data: TABLES }]);
  t.match(settled, [{ accepted: true }]);
  t.ok(script.isOver, 'all was said');
});
