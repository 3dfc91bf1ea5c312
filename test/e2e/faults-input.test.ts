import t from 'tap';
import { type Daemon, startDaemon } from '../support/daemon.js';
import { ADMIN, goesOn, logIn, LONG, NOP, RAW_REPLY } from '../support/faults.js';
import { connect } from '../support/line-client.js';
import { seededRandom } from '../support/seeded-random.js';

/** Bad input: whatever bytes come, each line gets its error and everything else goes on. */

const CONFIG = `[server]
max-connections-per-address = 1000
${ADMIN}
[providers.demo]
type = "sim"
instances = ["lj", "builder", "test", "test1", { name = "dev", state = "off" }]
`;

const REQUESTS = [
  'nop', 'list', 'list running', 'help', 'help stop', 'status lj', 'status "lj" te*', 'status lj test[1-3] nobody*',
  'ip lj', 'mac lj', 'disk lj', 'load lj', 'dmesg demo', 'start lj', 'start --dry-run l* dev', 'pause builder',
  'unpause builder', 'stop --force --timeout=5 builder', 'start --wait=5 builder', 'nonsense', 'status', 'status "open',
  'list sideways',
];

await t.test('bad input', async (t) => {
  let daemon: Daemon;
  t.before(async () => { daemon = await startDaemon({ config: CONFIG }); });
  t.after(() => daemon.stop());

  await t.test('random bytes', async (t) => {
    const random = seededRandom(20_203);
    for (const telnet of [false, true]) {
      const junk = Array.from({ length: 100 }, () => random.bytes(1 + random.below(4000)));
      const unanswered: string[] = [];
      await Promise.all(junk.map(async (bytes) => {
        const client = await connect(daemon.port);
        // With IAC (255) what follows may be part of a subnegotiation; without it the last line is a request.
        client.send(telnet ? bytes : bytes.map((byte) => (byte === 0xff ? 0xfe : byte)));
        client.send('\nnop\n');
        client.end();
        const text = (await client.closed(LONG)).replaceAll('\r\n', '\n');
        client.destroy();
        if (!telnet && !text.endsWith(NOP)) unanswered.push(Buffer.from(bytes).toString('base64'));
      }));
      t.same(unanswered, [], 'a nop after junk is answered');
      await goesOn(t, daemon, telnet ? 'after junk with telnet sequences' : 'after junk without them');
    }
  });

  await t.test('every request cut at every byte is the same request', async (t) => {
    const client = await logIn(daemon);
    const barrier = await connect(daemon.port);
    const whole = async (line: string): Promise<string> => {
      client.send(line);
      return client.expect(RAW_REPLY);
    };
    const cut = async (line: string, at: number): Promise<string> => {
      client.send(line.slice(0, at));
      // Once this is answered the server has looked at its sockets again, so the halves arrive apart.
      await barrier.ask('nop');
      return whole(line.slice(at));
    };
    for (const request of REQUESTS) {
      // Asked once before, so that "already there" does not make a difference.
      await whole(`${request}\n`);
      for (const end of ['\n', '\r\n']) {
        const line = request + end;
        const expected = await whole(line);
        const different: string[] = [];
        for (let at = 1; at < line.length; at++) {
          const reply = await cut(line, at);
          if (reply !== expected) different.push(`${at}: ${reply}`);
        }
        t.same(different, [], JSON.stringify(line));
      }
    }
    client.destroy();
    barrier.destroy();
  });

  await t.test('a request that breaks off is never carried out in part', async (t) => {
    const watcher = await logIn(daemon);
    // Its beginning `stop --force test` is a request too, but not the one that was meant.
    const request = 'stop --force test1 lj';
    for (const breakOff of ['end', 'resetAndDestroy'] as const) {
      for (let at = request.indexOf(' '); at <= request.length; at += breakOff === 'end' ? 1 : 4) {
        const client = await logIn(daemon);
        client.send(request.slice(0, at));
        await watcher.ask('nop');
        client.socket[breakOff]();
        await client.closed().catch(() => '');
        client.destroy();
      }
    }
    for (const name of ['test', 'test1', 'lj']) t.same((await watcher.ask(`status ${name}`)).body, ['on'], `${name} still runs`);
    watcher.destroy();
  });

  await t.test('long lines', async (t) => {
    const client = await connect(daemon.port);
    const isTooLong = async (line: string, message: string): Promise<void> => {
      const reply = await client.ask(line);
      t.match(reply, { code: 400, comment: /^LINE TOO LONG(: |$)/, accepted: undefined }, message);
    };
    t.equal((await client.ask('nop'.padEnd(4096))).code, 300, '4,096 bytes are a line');
    await isTooLong('nop'.padEnd(4097), '4,097 are not');
    for (let i = 0; i < 5; i++) client.send(`${'y'.repeat(1_000_000)}\nnop\n`);
    for (let i = 0; i < 5; i++) {
      t.match(await client.reply(), { code: 400, comment: /^LINE TOO LONG/ }, '1 MB');
      t.match(await client.reply(), { code: 300 }, 'and the nop after it');
    }
    client.send('z'.repeat(1_000_000));
    client.end();
    t.match(await client.closed(), /^(400 LINE TOO LONG(: .*)?\n)?$/, '1 MB without an end');
    client.destroy();
    await goesOn(t, daemon, 'after long lines');
  });

  await t.test('100,000 lines of garbage are each answered', async (t) => {
    const random = seededRandom(7);
    const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789*[]-/@"\\\t\u0001\u0000é'];
    const lines = Array.from({ length: 100_000 }, () =>
      `q${Array.from({ length: 1 + random.below(40) }, () => letters[random.below(letters.length)]).join('')}`);
    const client = await connect(daemon.port);
    for (let i = 0; i < lines.length; i += 1000) client.send(`${lines.slice(i, i + 1000).join('\n')}\n`);
    const wrong: string[] = [];
    for (const line of lines) {
      const reply = await client.reply(LONG);
      const fits = reply.code === 400 && reply.accepted === undefined && reply.body.length === 0
        && /^(UNKNOWN COMMAND|BAD REQUEST|NOT AUTHENTICATED)(: |$)/.test(reply.comment);
      if (!fits) wrong.push(`${JSON.stringify(line)}: ${JSON.stringify(reply)}`);
    }
    t.same(wrong.slice(0, 5), []);
    client.line('nop');
    t.equal(await client.expect(RAW_REPLY), NOP, 'one reply each, and the connection goes on');
    client.destroy();
    await goesOn(t, daemon, 'after garbage');
  });
});
