import t from 'tap';
import { type Daemon, startDaemon } from '../support/daemon.js';
import { ADMIN, connectFrom, descriptors, goesOn, logIn, LONG, residentMegabytes } from '../support/faults.js';
import { connect, type LineClient } from '../support/line-client.js';
import { until } from '../support/until.js';

/** Bad clients: they never read, break off, hold half a line, come in crowds or guess passwords. */

/** `list` of these is 80 kB. */
const MANY = 10_000;
const CONFIG = `[server]
max-connections-per-address = 1000
${ADMIN}
[providers.demo]
type = "sim"
count = ${MANY}
[providers.few]
type = "sim"
instances = ["lj", "builder"]
`;

await t.test('with one daemon', async (t) => {
  let daemon: Daemon;
  t.before(async () => { daemon = await startDaemon({ config: CONFIG }); });
  t.after(() => daemon.stop());

  await t.test('readers that never read', async (t) => {
    const idle = residentMegabytes(daemon);
    const greedy = await Promise.all(Array.from({ length: 50 }, () => connect(daemon.port)));
    for (const client of greedy) {
      client.socket.pause();
      // 200 replies of 80 kB each, 800 MB in all, which nobody takes.
      client.send('list\n'.repeat(200));
    }
    const other = await logIn(daemon);
    let most = 0;
    for (let i = 0; i < 200; i++) {
      t.equal((await other.ask('nop', LONG)).code, 300);
      most = Math.max(most, residentMegabytes(daemon));
    }
    t.equal((await other.ask('stop --force few/lj', LONG)).code, 300, 'another connection still acts');
    t.equal((await other.ask('list', LONG)).body.length, MANY + 2, 'and gets its list');
    t.ok(most < idle + 150, 'memory stays within limits', { idle, most });
    const [patient, ...others] = greedy;
    for (const client of others) client.destroy();
    patient?.socket.resume();
    for (let i = 0; i < 200; i++) {
      const reply = await patient?.reply(LONG);
      if (reply?.body.length !== MANY + 2) t.fail(`reply ${i} is whole once it is read`);
    }
    patient?.destroy();
    other.destroy();
    await goesOn(t, daemon, 'after readers that never read');
  });

  await t.test('telnet negotiation without end, its answers never read', async (t) => {
    const idle = residentMegabytes(daemon);
    const client = await connect(daemon.port);
    client.socket.pause();
    // IAC DO ECHO (RFC 854, 857), 33 MB in all; each is answered by three bytes.
    const flood = Buffer.alloc(1_100_000 * 3).map((_, i) => [255, 253, 1][i % 3] ?? 0);
    for (let i = 0; i < 10; i++) client.send(flood);
    const other = await connect(daemon.port);
    let most = 0;
    for (let i = 0; i < 500; i++) {
      t.equal((await other.ask('nop', LONG)).code, 300);
      most = Math.max(most, residentMegabytes(daemon));
    }
    t.ok(most < idle + 150, 'memory stays within limits', { idle, most });
    client.socket.resetAndDestroy();
    other.destroy();
    await goesOn(t, daemon, 'after negotiation');
  });

  await t.test('half-close: what was sent is still answered', async (t) => {
    const client = await logIn(daemon);
    client.send('list\nstatus few/lj few/builder\nnop\n');
    client.end();
    t.equal((await client.reply(LONG)).body.length, MANY + 2);
    t.equal((await client.reply(LONG)).body.length, 2);
    t.equal((await client.reply(LONG)).code, 300);
    t.equal(await client.closed(), '', 'then the server closes');
    client.destroy();
  });

  await t.test('connections that break in the middle of a reply', async (t) => {
    const before = descriptors(daemon);
    for (let round = 0; round < 5; round++) {
      const clients = await Promise.all(Array.from({ length: 50 }, () => connect(daemon.port)));
      await Promise.all(clients.map(async (client) => {
        client.send('list\n'.repeat(20));
        await client.expect('vm00100\n', LONG);
        client.socket.resetAndDestroy();
      }));
    }
    await until(() => descriptors(daemon) <= before, LONG, 'all sockets to be let go');
    await goesOn(t, daemon, 'after broken connections');
  });

  await t.test('slow writers hold up nobody', async (t) => {
    const slow = await Promise.all(Array.from({ length: 200 }, () => connect(daemon.port)));
    const other = await logIn(daemon);
    for (const byte of 'list running') {
      for (const client of slow) client.send(byte);
      t.equal((await other.ask('nop')).code, 300);
    }
    for (const client of slow.slice(0, 10)) client.send('\n');
    for (const client of slow.slice(0, 10)) t.equal((await client.reply(LONG)).code, 300, 'and are answered in the end');
    for (const client of [...slow, other]) client.destroy();
    await goesOn(t, daemon, 'after slow writers');
  });
});

await t.test('a line that is never finished does not hold a connection for ever', async (t) => {
  const daemon = await startDaemon({ config: `[server]\nidle-timeout = "1s"\n${ADMIN}` });
  t.after(() => daemon.stop());
  const silent = await connect(daemon.port);
  silent.send('stop lj');
  t.notMatch(await silent.closed(LONG), /^200/m, 'one that falls silent is closed');
  const drip = await connect(daemon.port);
  const dripping = setInterval(() => drip.send('x'), 100);
  t.after(() => clearInterval(dripping));
  t.notMatch(await drip.closed(LONG), /^200/m, 'so is one that sends a byte now and then');
});

await t.test('limits on connections', async (t) => {
  const daemon = await startDaemon({ config: `[server]\nmax-connections = 6\nmax-connections-per-address = 4\n${ADMIN}` });
  t.after(() => daemon.stop());
  const refused = async (client: LineClient): Promise<void> => {
    client.line('nop');
    t.match(await client.closed().catch((error: Error) => error.message), /^400 TOO MANY CONNECTIONS(: .*)?\r?\n$/);
    client.destroy();
  };
  const served = async (client: LineClient): Promise<LineClient> => {
    t.equal((await client.ask('nop')).code, 300);
    return client;
  };
  const mine: LineClient[] = [];
  for (let i = 0; i < 4; i++) mine.push(await served(await connect(daemon.port)));
  await refused(await connect(daemon.port));
  const theirs = [await served(await connectFrom('127.0.0.2', daemon.port)), await served(await connectFrom('127.0.0.2', daemon.port))];
  await refused(await connectFrom('127.0.0.3', daemon.port));
  mine[0]?.destroy();
  await until(async () => {
    const again = await connect(daemon.port);
    again.line('nop');
    const first = await again.expect(/\n/);
    again.destroy();
    return first.startsWith('200');
  }, LONG, 'the freed place to be given to another');
  for (const client of [...mine, ...theirs]) client.destroy();
});

await t.test('guessing passwords', async (t) => {
  const daemon = await startDaemon({ config: CONFIG });
  t.after(() => daemon.stop());
  const working = await logIn(daemon);
  const guesses = 500;
  const guessers = await Promise.all(Array.from({ length: 50 }, () => connectFrom('127.0.0.2', daemon.port)));
  let flooding = true;
  let answered = 0;
  const wrong: string[] = [];
  const flood = Promise.all(guessers.map(async (client, i) => {
    for (let n = 0; n < guesses / guessers.length && flooding; n++) {
      const reply = await client.ask(`auth ${i % 2 === 0 ? 'admin' : `nobody${i}`} guess${n}`, LONG).catch(() => undefined);
      if (reply === undefined) return;
      answered++;
      if (reply.code !== 400 || reply.accepted !== undefined || !/^(NOT AUTHENTICATED|BUSY)(: |$)/.test(reply.comment)) wrong.push(reply.comment);
    }
  }));
  await until(() => answered > 0, LONG, 'the first guess to be answered');
  let steps = 0;
  for (let i = 0; i < 100; i++) {
    for (const request of ['nop', 'stop --force few/lj', 'start few/lj', 'status few/lj']) {
      steps += (await working.ask(request, LONG)).code === 300 ? 1 : 0;
    }
  }
  t.equal(steps, 400, 'another connection works meanwhile');
  t.ok(answered < guesses, 'the guessing is still going on', { answered });
  t.equal((await (await connect(daemon.port)).ask('auth admin correct-horse', LONG)).code, 300, 'and its owner can log in from elsewhere');
  flooding = false;
  for (const client of guessers) client.destroy();
  await flood;
  t.same(wrong, [], 'no guess is right');
  await goesOn(t, daemon, 'after the guessing');
});
