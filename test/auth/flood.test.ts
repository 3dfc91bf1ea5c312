import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import bcrypt from 'bcrypt';
import t, { type Test } from 'tap';
import { Authenticator } from '../../src/auth/authenticator.js';
import { impossibleHash, verifyPassword } from '../../src/auth/passwords.js';
import { Throttle } from '../../src/auth/throttle.js';
import { parseConfig } from '../support/configuration.js';
import { FairPlaces } from '../../src/kit/fair-places.js';
import { startCore } from '../server/core.js';
import { until } from '../support/until.js';

/** Of `steve`. */
const HASH = '$2b$12$NputH3vRqBIdT3Fcq5GCFOmeRf0Z.6rUOcz6VRBiuKunt6qCHPKGO';
const CONFIG = `[accounts.steve]\npassword = "${HASH}"\n[accounts.bob]\npassword = "${HASH}"\n`;

/** Time that passes only when nothing else is left to do. */
class Time {
  now = 0;
  readonly #due = new Map<number, (() => void)[]>();

  pause(ms: number): Promise<void> {
    return new Promise((wake) => {
      const at = this.now + ms;
      const others = this.#due.get(at);
      if (others) others.push(wake);
      else this.#due.set(at, [wake]);
    });
  }

  /** Lets time pass until the work is done, or for so many milliseconds. */
  async until(work: Promise<unknown>, most: number): Promise<void> {
    let isDone = false;
    const end = this.now + most;
    void work.then(() => { isDone = true; });
    for (;;) {
      await new Promise((resolve) => { setImmediate(resolve); });
      if (isDone || this.now > end || this.#due.size === 0) return;
      let next = Infinity;
      for (const at of this.#due.keys()) if (at < next) next = at;
      const wakes = this.#due.get(next) ?? [];
      this.#due.delete(next);
      this.now = next;
      for (const wake of wakes) wake();
    }
  }
}

/** An authenticator with one core for checks of 250 ms, and those who guess at it until the test ends. */
async function besieged(t: Test, attackers: readonly string[], each: number, retry = 500) {
  const time = new Time();
  const places = new FairPlaces({ places: 1, waiting: 256 });
  let isOver = false;
  let guesses = 0;
  const authenticator = new Authenticator(await parseConfig('f', CONFIG, '/s'), {
    throttle: new Throttle(() => time.now),
    pause: (ms) => time.pause(ms),
    verify: async (password, _, signal, { path, isFirst }) => {
      const leave = await places.take(signal, path, isFirst);
      await time.pause(250);
      leave();
      if (password !== 'steve') guesses += 1;
      return password === 'steve';
    },
  });
  const login = (name: string, password: string, address: string, { signal } = new AbortController()) => authenticator.login(name, password, address, signal);
  const flood = async (address: string, name: string): Promise<void> => {
    const connection = new AbortController();
    while (!isOver) {
      try {
        await login(name, 'wrong', address, connection);
      } catch {
        await time.pause(retry);
      }
    }
  };
  t.teardown(() => { isOver = true; });
  const begin = (): void => attackers.forEach((address) => Array.from({ length: each }, (_, count) => void flood(address, count % 2 === 0 ? 'steve' : `name${count}`)));
  return { time, login, begin, guesses: () => guesses };
}

/** How many of some logins one after the other are right, and the longest of them, ms. */
async function rightLogins(time: Time, count: number, login: () => Promise<unknown>): Promise<{ right: number; longest: number }> {
  let right = 0;
  let longest = 0;
  await time.until((async () => {
    for (let number = 0; number < count; number += 1) {
      const begun = time.now;
      if (await login().catch(() => undefined)) right += 1;
      longest = Math.max(longest, time.now - begun);
    }
  })(), 10 * 60_000);
  return { right, longest };
}

await t.test('nine addresses that guess on 32 connections each: others log in', async (t) => {
  const { time, login, begin } = await besieged(t, Array.from({ length: 9 }, (_, count) => `192.0.2.${count + 1}`), 32);
  begin();
  await time.until(time.pause(30_000), 60_000);
  for (const address of ['192.0.2.99', '198.51.100.7', '2001:db8::1']) {
    const { right, longest } = await rightLogins(time, 40, () => login('steve', 'steve', address));
    t.equal(right, 40, address);
    t.ok(longest <= 15_000, `${address} ${longest} ms`);
  }
});

await t.test('right at the beginning of the flood too', async (t) => {
  const { time, login, begin } = await besieged(t, Array.from({ length: 9 }, (_, count) => `192.0.2.${count + 1}`), 32);
  begin();
  const { right, longest } = await rightLogins(time, 5, () => login('bob', 'steve', '192.0.2.99'));
  t.equal(right, 5);
  t.ok(longest <= 15_000, `${longest} ms`);
});

await t.test('a /48 of IPv6, address by address', async (t) => {
  const { time, login, begin } = await besieged(t, Array.from({ length: 300 }, (_, count) => `2001:db8:1:${count.toString(16)}::1`), 2, 5000);
  begin();
  await time.until(time.pause(60_000), 120_000);
  const { right, longest } = await rightLogins(time, 40, () => login('steve', 'steve', '2001:db8:2::1'));
  t.equal(right, 40);
  t.ok(longest <= 6000, `${longest} ms`);
});

await t.test('a thousand addresses all over the world: who is known logs in at once, and the guesses at the account are few', async (t) => {
  const { time, login, begin, guesses } = await besieged(t, Array.from({ length: 1000 }, (_, count) => `10.${count % 250}.${Math.floor(count / 250)}.1`), 1, 5000);
  await time.until(login('steve', 'steve', '198.51.100.7'), 1000);
  begin();
  await time.until(time.pause(3 * 60_000), 5 * 60_000);
  const before = guesses();
  const { right, longest } = await rightLogins(time, 40, () => login('steve', 'steve', '198.51.100.7'));
  t.equal(right, 40);
  t.ok(longest <= 1000, `${longest} ms`);
  const begun = time.now;
  const soFar = guesses();
  await time.until(time.pause(5 * 60_000), 10 * 60_000);
  const hourly = (guesses() - soFar) / ((time.now - begun) / 3_600_000);
  t.ok(before > 0 && hourly <= 9120, `${hourly} an hour`);
});

await t.test('a client that goes away gives its place back', async (t) => {
  const time = new Time();
  const gone = new AbortController();
  const config = await parseConfig('f', CONFIG, '/s');
  const authenticator = new Authenticator(config, { throttle: new Throttle(() => time.now) });
  const waiting = Array.from({ length: 32 }, (_, count) => authenticator.login(`name${count}`, 'wrong', '192.0.2.1', gone.signal).then(() => 'checked', (error: Error) => error.message));
  await t.rejects(authenticator.login('bob', 'steve', '192.0.2.1', gone.signal), { message: /^BUSY/ });
  gone.abort(new Error('gone'));
  t.ok((await Promise.all(waiting)).filter((message) => message.startsWith('NOT AUTHENTICATED')).length >= 30, 'all but those under way');
  t.ok(await authenticator.login('bob', 'steve', '192.0.2.1', new AbortController().signal));
});

await t.test('a reload forgets neither failures nor known addresses', async (t) => {
  const pauses: number[] = [];
  const turns: boolean[] = [];
  const { signal } = new AbortController();
  const config = await parseConfig('f', CONFIG, '/s');
  const authenticator = new Authenticator(config, {
    pause: (ms) => {
      pauses.push(ms);
      return Promise.resolve();
    },
    verify: (password, _, __, { isFirst }) => {
      turns.push(isFirst);
      return Promise.resolve(password === 'steve');
    },
  });
  for (let count = 0; count < 4; count += 1) await authenticator.login('bob', 'wrong', '192.0.2.1', signal);
  await authenticator.login('steve', 'steve', '192.0.2.2', signal);
  pauses.length = 0;
  authenticator.configure(await parseConfig('f', CONFIG, '/s'));
  await authenticator.login('bob', 'wrong', '192.0.2.1', signal);
  await authenticator.login('steve', 'steve', '192.0.2.2', signal);
  t.same(pauses, [500]);
  t.equal(turns.at(-1), true);
});

await t.test('on sockets, with checks of real passwords: forty right logins during the flood', async (t) => {
  // of a cost that lets the test end soon
  const right = await bcrypt.hash('steve', 6);
  const core = await startCore(t, {
    config: `[server]\nlisten = ["127.0.0.1:0"]\n${CONFIG}`,
    authenticator: { verify: (password, hash, signal, turn) => verifyPassword(password, hash === HASH ? right : impossibleHash(6), signal, turn) },
  });
  const { port } = await core.listen();
  const sockets = new Set<Socket>();
  /** Sends one line and waits for the whole reply. */
  const ask = async (localAddress: string, line: string): Promise<string> => {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    sockets.add(socket);
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => { text += chunk; }).on('error', () => undefined);
    socket.write(`${line}\nexit\n`);
    await once(socket, 'close');
    sockets.delete(socket);
    return text;
  };
  let isOver = false;
  let refused = 0;
  const guess = async (address: string, name: string): Promise<void> => {
    while (!isOver) {
      if ((await ask(address, `auth ${name} wrong`)).includes('400 BUSY')) refused += 1;
      await new Promise((resolve) => { setTimeout(resolve, 250); });
    }
  };
  const flood = Array.from({ length: 9 * 32 }, (_, count) => guess(`127.0.0.${10 + (count % 9)}`, `name${count}`));
  await until(() => refused > 100, 15_000, 'the flood to be refused');
  const replies: string[] = [];
  for (let count = 0; count < 40; count += 1) replies.push(await ask('127.0.0.99', 'auth steve steve'));
  isOver = true;
  for (const socket of sockets) socket.destroy();
  await Promise.all(flood);
  t.same([...new Set(replies.map((reply) => reply.split('\n').slice(0, 2).join(' ')))], ['200 OK 300 DONE']);
});
