import { connect, createServer, type AddressInfo } from 'node:net';
import type { ServerChannel } from 'ssh2';
import t, { type Test } from 'tap';
import { SshAuthenticationError, SshCommandError, SshConnectionError } from '../../../src/protocols/ssh/errors.js';
import { SshSession } from '../../../src/protocols/ssh/session.js';
import { until } from '../../support/until.js';
import { exit, serve } from './server.js';

const SOON_MS = 30_000;
const soon = (): AbortSignal => AbortSignal.timeout(SOON_MS);
const failure = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'no failure', (error: unknown) => error);

await t.test('commands share one connection, which ends when nobody needs it', async (t) => {
  const server = await serve(t, { commands: { yes: (channel) => exit(channel, 0, 'yes\n'), no: (channel) => exit(channel, 3, '', 'no\n') } });
  const session = new SshSession(() => server.options(), { idle: 50 });
  t.teardown(() => session.close());
  const results = await Promise.all(['yes', 'no', 'yes'].map((command) => session.run('reads', command, { signal: soon() })));
  t.match(results[0], { code: 0, stdout: 'yes\n', stderr: '', truncated: false });
  t.match(results[1], { code: 3, stdout: '', stderr: 'no\n' });
  t.equal(server.connections.length, 1);
  await until(() => !session.isOpen, SOON_MS, 'the idle connection to be closed');
  t.match(await session.run('acts', 'yes', { signal: soon() }), { code: 0 });
  t.equal(server.connections.length, 2);
});

await t.test('a secret goes to stdin, and a signal that ends a command is told', async (t) => {
  const server = await serve(t, { commands: {
    cat: (channel) => {
      let text = '';
      channel.on('data', (chunk: Buffer) => { text += chunk.toString(); });
      channel.on('end', () => exit(channel, 0, text));
    },
    dies: (channel) => {
      channel.exit('KILL', false, '');
      channel.end();
    },
  } });
  const session = new SshSession(() => server.options());
  t.teardown(() => session.close());
  t.match(await session.run('reads', 'cat', { signal: soon(), stdin: 'Pa$s \'w0rd"\n' }), { code: 0, stdout: 'Pa$s \'w0rd"\n' });
  t.match(await session.run('reads', 'dies', { signal: soon() }), { code: undefined, signal: 'KILL' });
});

await t.test('commands that have ended before anybody looks', async (t) => {
  const server = await serve(t, { commands: { quick: (channel) => exit(channel, 7, 'x') } });
  const session = new SshSession(() => server.options());
  t.teardown(() => session.close());
  for (let i = 0; i < 50; i += 1) t.match(await session.run('acts', 'quick', { signal: soon() }), { code: 7, stdout: 'x' });
});

await t.test('a connection that was lost between two commands', async (t) => {
  const server = await serve(t, { commands: { yes: (channel) => exit(channel, 0) } });
  const session = new SshSession(() => server.options(), { trusted: 0 });
  t.teardown(() => session.close());
  await session.run('acts', 'yes', { signal: soon() });
  server.cut();
  t.match(await session.run('acts', 'yes', { signal: soon() }), { code: 0 }, 'it was not sent on the dead connection');
  t.equal(server.commands.length, 2);
});

await t.test('a host that went down without a word', async (t) => {
  const server = await serve(t, { commands: { yes: (channel) => exit(channel, 0) } });
  const relay = await relayTo(t, server.port);
  const session = new SshSession(() => server.options({ port: relay.port }), { trusted: 0, probe: 100 });
  t.teardown(() => session.close());
  await session.run('acts', 'yes', { signal: soon() });
  relay.freeze();
  t.match(await session.run('acts', 'yes', { signal: soon() }), { code: 0 });
  t.equal(server.commands.length, 2, 'it was sent once, on the new connection');
});

await t.test('a connection that is lost in mid-command', async (t) => {
  let cuts = 0;
  const server = await serve(t, { commands: { dies: (channel, connection) => {
    cuts += 1;
    if (cuts === 2) exit(channel, 0, 'back\n');
    else connection.end();
  } } });
  const session = new SshSession(() => server.options());
  t.teardown(() => session.close());
  t.match(await session.run('reads', 'dies', { signal: soon() }), { stdout: 'back\n' }, 'a reading is asked again');
  cuts = 0;
  const lost = await failure(session.run('acts', 'dies', { signal: soon() }));
  t.type(lost, SshCommandError);
  t.match(lost, { kind: 'lost', mayHaveStarted: true }, 'an action is not');
});

await t.test('a command that is refused, one without an end, and a channel that closes without a word', async (t) => {
  const server = await serve(t, { commands: { hangs: () => undefined, closes: (channel) => channel.close() } });
  const session = new SshSession(() => server.options());
  t.teardown(() => session.close());
  t.match(await failure(session.run('acts', 'unknown', { signal: soon() })), { name: 'SshCommandError', kind: 'refused', mayHaveStarted: false });
  t.match(await failure(session.run('acts', 'hangs', { signal: soon(), timeout: 50 })), { kind: 'timeout', mayHaveStarted: true });
  t.match(await failure(session.run('acts', 'closes', { signal: soon() })), { kind: 'lost', mayHaveStarted: true });
  const reason = new Error('enough');
  const stop = new AbortController();
  const hanging = failure(session.run('acts', 'hangs', { signal: stop.signal }));
  await until(() => server.commands.length === 4, SOON_MS, 'the command to arrive');
  stop.abort(reason);
  t.equal(await hanging, reason);
});

await t.test('a megabyte of output', async (t) => {
  const server = await serve(t, { commands: { talks: (channel) => {
    channel.write(Buffer.alloc(1024 * 1024, 'x'));
    exit(channel, 0, '', 'done');
  } } });
  const session = new SshSession(() => server.options());
  t.teardown(() => session.close());
  const { stdout, stderr, truncated, code } = await session.run('reads', 'talks', { signal: soon(), maxOutput: 1000 });
  t.same([stdout.length, stderr, truncated, code], [1000, 'done', true, 0]);
});

await t.test('enough is known before the command ends', async (t) => {
  let finish: () => void = () => undefined;
  const server = await serve(t, { commands: { long: (channel) => {
    channel.write('acc');
    channel.write('epted\n');
    finish = () => exit(channel, 1, '', 'no such program\n');
  } } });
  const session = new SshSession(() => server.options());
  t.teardown(() => session.close());
  let later: unknown;
  const result = await session.run('acts', 'long', {
    signal: soon(), enough: (stdout) => stdout.includes('accepted\n'), afterwards: (ended) => { later = ended; },
  });
  t.match(result, { code: undefined, stdout: 'accepted\n' });
  session.retire();
  t.notOk(session.isOpen);
  finish();
  await until(() => later !== undefined, SOON_MS, 'the end to be told');
  t.match(later, { code: 1, stderr: 'no such program\n' });
});

await t.test('a limit on commands at a time, and on those that wait', async (t) => {
  const ends: (() => void)[] = [];
  const server = await serve(t, { commands: { slow: (channel) => { ends.push(() => exit(channel, 0)); } } });
  const session = new SshSession(() => server.options(), { commands: 2, waiting: 1 });
  t.teardown(() => session.close());
  const running = [1, 2, 3].map(() => session.run('reads', 'slow', { signal: soon() }));
  t.match(await failure(session.run('reads', 'slow', { signal: soon() })), { phrase: 'BUSY' });
  await until(() => ends.length === 2, SOON_MS, 'two to run');
  ends.forEach((end) => end());
  await until(() => ends.length === 3, SOON_MS, 'the third to run');
  ends[2]!();
  t.equal((await Promise.all(running)).length, 3);
});

await t.test('a host that takes two commands at a time on a connection', async (t) => {
  const ends: (() => void)[] = [];
  const server = await serve(t, { maxSessions: 2, commands: {
    slow: (channel) => { ends.push(() => exit(channel, 0)); },
    quick: (channel) => exit(channel, 0),
    order: (channel) => exit(channel, 0, 'accepted\n'),
  } });
  const session = new SshSession(() => server.options(), { room: SOON_MS });
  t.teardown(() => session.close());
  const readings = [1, 2].map(() => session.run('reads', 'slow', { signal: soon() }));
  await until(() => ends.length === 2, SOON_MS, 'two to run');
  const third = session.run('reads', 'quick', { signal: soon() });
  const order = session.run('acts', 'order', { signal: soon() });
  await until(() => server.turnedAway() === 2, SOON_MS, 'both to be turned away');
  ends.splice(0, 1).forEach((end) => end());
  t.match(await order, { stdout: 'accepted\n' });
  t.match(await third, { code: 0 });
  t.same(server.commands, ['slow', 'slow', 'order', 'quick'], 'each was begun once, the order first');
  ends.forEach((end) => end());
  t.match(await Promise.all(readings), [{ code: 0 }, { code: 0 }]);
  t.equal(server.connections.length, 1);
});

await t.test('an order does not wait for readings that hang', async (t) => {
  const commands = { hangs: () => undefined, order: (channel: ServerChannel) => exit(channel, 0) };
  const server = await serve(t, { maxSessions: 2, commands });
  const session = new SshSession(() => server.options(), { room: 20 });
  t.teardown(() => session.close());
  const stop = new AbortController();
  const hanging = [1, 2].map(() => failure(session.run('reads', 'hangs', { signal: stop.signal })));
  await until(() => server.commands.length === 2, SOON_MS, 'two to run');
  t.match(await session.run('acts', 'order', { signal: soon() }), { code: 0 });
  t.equal(server.connections.length, 2, 'it got a connection of its own');
  stop.abort(new Error('enough'));
  await Promise.all(hanging);

  const places = new SshSession(() => server.options({ port: server.port }), { commands: 1, waiting: 1 });
  t.teardown(() => places.close());
  const slow = failure(places.run('reads', 'hangs', { signal: AbortSignal.timeout(SOON_MS) }));
  t.match(await places.run('acts', 'order', { signal: soon() }), { code: 0 }, 'nor for a place of theirs');
  places.close();
  await slow;
});

await t.test('a host that opens no session', async (t) => {
  const server = await serve(t, { maxSessions: 0 });
  const session = new SshSession(() => server.options());
  t.teardown(() => session.close());
  t.match(await failure(session.run('acts', 'order', { signal: soon() })), { kind: 'full', mayHaveStarted: false, message: /opens no further session/ });
  t.ok(server.connections.length <= 2, 'it is not asked again and again');
});

await t.test('questions instead of a password', async (t) => {
  const ask = (wanted: string[]) => serve(t, { authenticate: (attempt, answers) => {
    if (attempt.method !== 'keyboard-interactive') return attempt.reject(['keyboard-interactive']);
    return attempt.prompt([{ prompt: 'Name: ', echo: true }, { prompt: 'Password: ', echo: false }], (given) => {
      answers.push(given);
      if (JSON.stringify(given) === JSON.stringify(wanted)) attempt.accept();
      else attempt.reject(['keyboard-interactive']);
    });
  }, commands: { yes: (channel) => exit(channel, 0) } });
  const good = await ask(['', 'right']);
  const session = new SshSession(() => good.options());
  t.teardown(() => session.close());
  t.match(await session.run('acts', 'yes', { signal: soon() }), { code: 0 });
  const bad = await ask(['', 'another']);
  const refused = new SshSession(() => bad.options());
  t.teardown(() => refused.close());
  t.type(await failure(refused.run('acts', 'yes', { signal: soon() })), SshAuthenticationError);
});

await t.test('credentials that were refused are held back', async (t) => {
  let right = 'right';
  const server = await serve(t, { authenticate: (attempt) => {
    if (attempt.method === 'password' && attempt.password === right) attempt.accept();
    else attempt.reject(['password']);
  }, commands: { yes: (channel) => exit(channel, 0) } });
  let password = 'wrong';
  const holds = { first: 60_000, longest: 60_000, known: 50 };
  const session = new SshSession(() => server.options({ password }), { holds, idle: 20 });
  t.teardown(() => session.close());
  const ask = () => session.run('acts', 'yes', { signal: soon() });
  const refusal = await failure(ask());
  t.match(refusal, { name: 'SshAuthenticationError', message: /refuses our credentials; not tried again before \d{4}-.*Z, unless others/ });
  t.notMatch(String(refusal), /wrong/);
  t.equal(await failure(ask()), refusal);
  t.equal(server.connections.length, 1, 'the host was asked once');
  password = 'right';
  t.match(await ask(), { code: 0 }, 'others are tried at once');

  await until(() => !session.isOpen, SOON_MS, 'the idle connection to be closed');
  right = 'changed, as it seems';
  t.type(await failure(ask()), SshAuthenticationError);
  right = 'right';
  await until(async () => await failure(ask()) === 'no failure', SOON_MS, 'what was good before to be tried again soon');

  const broken = new SshSession(() => server.options({ privateKey: 'no key' }), { holds });
  t.teardown(() => broken.close());
  t.match(await failure(broken.run('reads', 'yes', { signal: soon() })), { name: 'SshKeyError', message: 'the private key cannot be read' });
});

await t.test('all who log in to a host with the same credentials try them once between them', async (t) => {
  let isGood = false;
  const tried: (string | undefined)[] = [];
  const server = await serve(t, { authenticate: (attempt) => {
    if (attempt.method !== 'password') return attempt.reject(['password']);
    tried.push(attempt.password);
    return isGood && attempt.password === 'right' ? attempt.accept() : attempt.reject(['password']);
  }, commands: { yes: (channel) => exit(channel, 0) } });
  const sessions = Array.from({ length: 12 }, () => new SshSession(() => server.options({ password })));
  t.teardown(() => sessions.forEach((session) => session.close()));
  const ask = () => Promise.all(sessions.map((session) => failure(session.run('reads', 'yes', { signal: soon() }))));
  let password = 'wrong';
  for (const refusal of await ask()) t.match(refusal, { name: 'SshAuthenticationError', message: /not tried again before/ });
  t.same(tried, ['wrong']);
  [isGood, password] = [true, 'right'];
  t.same(new Set(await ask()), new Set(['no failure']), 'others are tried at once, and good ones for each');
  const elsewhere = await serve(t, { authenticate: (attempt) => attempt.method === 'password' ? attempt.accept() : attempt.reject(['password']), commands: { yes: (channel) => exit(channel, 0) } });
  const other = new SshSession(() => elsewhere.options({ password: 'wrong' }));
  t.teardown(() => other.close());
  t.equal(await failure(other.run('reads', 'yes', { signal: soon() })), 'no failure', 'an account of another host is another account');
});

await t.test('through a jump host', async (t) => {
  const jump = await serve(t, {});
  const server = await serve(t, { commands: { yes: (channel) => exit(channel, 0, 'yes\n') } });
  const via = new SshSession(() => jump.options());
  const session = new SshSession(() => server.options(), {}, via);
  const nowhere = new SshSession(() => server.options({ port: 1 }), {}, via);
  t.teardown(() => [session, nowhere, via].forEach((each) => each.close()));
  t.match(await session.run('acts', 'yes', { signal: soon() }), { stdout: 'yes\n' });
  t.equal(jump.connections.length, 1);
  t.type(await failure(nowhere.run('acts', 'yes', { signal: soon() })), SshConnectionError);
  t.equal(jump.connections.length, 1, 'one connection to it for all');
});

await t.test('a host that accepts and never speaks', async (t) => {
  const silent = createServer((socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => { silent.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const session = new SshSession(() => ({ host: '127.0.0.1', port, user: 'argo', hostKey: {} }), { connect: 50 });
  t.teardown(() => session.close());
  const error = await failure(session.run('acts', 'yes', { signal: soon() }));
  t.type(error, SshConnectionError);
  t.match(error, { message: /accepts the connection and says nothing/ });
});

await t.test('one attempt to connect for many, of which one goes away', async (t) => {
  const server = await serve(t, { commands: { yes: (channel) => exit(channel, 0) } });
  const session = new SshSession(() => server.options());
  t.teardown(() => session.close());
  const reason = new Error('enough');
  const stop = new AbortController();
  const leaving = failure(session.run('reads', 'yes', { signal: stop.signal }));
  const staying = session.run('reads', 'yes', { signal: soon() });
  stop.abort(reason);
  t.match(await leaving, { name: 'SshConnectionError', message: 'the time was over before the command was sent', cause: reason });
  t.match(await staying, { code: 0 });
  t.equal(server.connections.length, 1);
  session.close();
  t.type(await failure(session.run('reads', 'yes', { signal: soon() })), SshConnectionError, 'closed for good');
});

/** A relay that can turn into a cable that was pulled out: nothing comes, nothing is refused. */
async function relayTo(t: Test, target: number): Promise<{ port: number; freeze(): void }> {
  const pairs: (() => void)[] = [];
  const relay = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    for (const [one, other] of [[near, far], [far, near]] as const) {
      one.on('error', () => other.destroy());
      one.pipe(other);
    }
    pairs.push(() => {
      near.unpipe(far);
      far.unpipe(near);
      near.resume();
      far.resume();
    });
    t.teardown(() => {
      near.destroy();
      far.destroy();
    });
  });
  await new Promise<void>((resolve) => { relay.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => relay.close());
  return { port: (relay.address() as AddressInfo).port, freeze: () => pairs.splice(0).forEach((cut) => cut()) };
}
