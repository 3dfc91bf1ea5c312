import t from 'tap';
import { Authenticator, type AuthenticatorParts } from '../../src/auth/authenticator.js';
import { Throttle } from '../../src/auth/throttle.js';
import { parseConfig } from '../support/configuration.js';
import { ArgoError } from '../../src/kit/errors.js';

const hash = (cost: number): string => `$2b$${cost}$NputH3vRqBIdT3Fcq5GCFOmeRf0Z.6rUOcz6VRBiuKunt6qCHPKGO`;
const CONFIG = `
[accounts.steve]
password = "${hash(12)}"
from = ["127.0.0.0/8"]
[accounts.bob]
password = "${hash(13)}"
`;
const { signal } = new AbortController();

interface Check { readonly password: string; readonly hash: string }

/** An authenticator on a clock and with a comparison of the test's own: `right` is everybody's password. */
async function watched(config = CONFIG, parts: AuthenticatorParts = {}) {
  const checks: Check[] = [];
  const pauses: number[] = [];
  const clock = { now: 0 };
  const authenticator = new Authenticator(await parseConfig('f', config, '/s'), {
    throttle: new Throttle(() => clock.now),
    verify: (password, against) => {
      checks.push({ password, hash: against });
      return Promise.resolve(password === 'right');
    },
    pause: (ms) => {
      pauses.push(ms);
      return Promise.resolve();
    },
    ...parts,
  });
  return { authenticator, checks, pauses, clock };
}

await t.test('a login needs the name, the password and the network', async (t) => {
  const { authenticator } = await watched();
  t.equal((await authenticator.login('steve', 'right', '127.0.0.1', signal))?.name, 'steve');
  t.equal(await authenticator.login('steve', 'wrong', '127.0.0.1', signal), undefined);
  t.equal(await authenticator.login('steve', 'right', '192.0.2.1', signal), undefined);
  t.equal(await authenticator.login('Steve', 'right', '127.0.0.1', signal), undefined);
  t.equal(await authenticator.login('nobody', 'right', '127.0.0.1', signal), undefined, 'even with a password that everything takes');
  t.equal((await authenticator.login('bob', 'right', '2001:db8::1', signal))?.name, 'bob');
});

await t.test('the work is one comparison, whatever is wrong', async (t) => {
  const { authenticator, checks } = await watched();
  for (const [name, password, address] of [
    ['steve', 'right', '127.0.0.1'], ['steve', 'wrong', '127.0.0.1'], ['steve', 'right', '192.0.2.1'], ['nobody', 'right', '127.0.0.1'],
    ['__proto__', 'x', '127.0.0.1'], ['', '', '127.0.0.1'],
  ] as const) {
    checks.length = 0;
    await authenticator.login(name, password, address, signal);
    t.equal(checks.length, 1, `${name} ${password} ${address}`);
    t.ok(Number(checks[0]?.hash.slice(4, 6)) >= 12);
  }
});

await t.test('an account that is removed while its password is checked does not get in', async (t) => {
  const { authenticator } = await watched(CONFIG, {
    verify: async () => {
      authenticator.configure(await parseConfig('f', '', '/s'));
      return true;
    },
  });
  t.equal(await authenticator.login('steve', 'right', '127.0.0.1', signal), undefined);
});

await t.test('unknown names cost what one of the accounts costs, each always the same', async (t) => {
  const { authenticator, checks } = await watched();
  const names = Array.from({ length: 30 }, (_, number) => `nobody${number}`);
  for (const [at, name] of [...names, ...names].entries()) await authenticator.login(name, 'x', `192.0.2.${at}`, signal);
  const costs = checks.map(({ hash }) => hash.slice(4, 6));
  t.same(new Set(costs), new Set(['12', '13']), 'all costs that accounts have');
  t.same(costs.slice(30), costs.slice(0, 30));
  const none = await watched('');
  await none.authenticator.login('nobody', 'x', '127.0.0.1', signal);
  t.match(none.checks[0]?.hash, /^\$2b\$12\$/, 'also where there are no accounts');
});

await t.test('the delay is the same for names that exist and names that do not', async (t) => {
  const delays = async (name: string, address: string): Promise<number[]> => {
    const { authenticator, pauses } = await watched();
    for (let count = 0; count < 6; count += 1) await authenticator.login(name, 'wrong', address, signal);
    return pauses;
  };
  const known = await delays('steve', '127.0.0.1');
  t.same(known, [250, 500, 1000]);
  t.same(await delays('nobody', '127.0.0.1'), known);
  t.same(await delays('steve', '192.0.2.1'), known, 'and where the network is wrong');
});

await t.test('the addresses of one IPv6 network are one to whom guesses', async (t) => {
  const delays = async (addressOf: (count: number) => string): Promise<number[]> => {
    const { authenticator, pauses } = await watched();
    for (let count = 0; count < 13; count += 1) await authenticator.login(`name${count}`, 'wrong', addressOf(count), signal);
    return pauses;
  };
  t.same(await delays((count) => `2001:db8:1:2::${count}`), [250, 500]);
  t.same(await delays((count) => `2001:db8:1:${count}::1`), [], 'other networks are others');
});

await t.test('a right password after wrong ones waits too, and clears the account', async (t) => {
  const { authenticator, pauses } = await watched();
  for (let count = 0; count < 4; count += 1) await authenticator.login('bob', 'wrong', '192.0.2.1', signal);
  pauses.length = 0;
  t.ok(await authenticator.login('bob', 'right', '192.0.2.1', signal));
  t.same(pauses, [500]);
  t.ok(await authenticator.login('bob', 'right', '192.0.2.1', signal));
  t.same(pauses, [500]);
});

await t.test('failures while it waits give its place back', async (t) => {
  const { authenticator } = await watched(CONFIG, { verify: () => Promise.reject(new Error('the thread is gone')) });
  for (let count = 0; count < 300; count += 1) {
    await t.rejects(authenticator.login('bob', 'right', '127.0.0.1', signal), { message: /^NOT AUTHENTICATED/ });
  }
});

await t.test('a check that is overloaded says so', async (t) => {
  const { authenticator } = await watched(CONFIG, { verify: () => Promise.reject(new ArgoError('BUSY')) });
  await t.rejects(authenticator.login('bob', 'right', '127.0.0.1', signal), { message: /^BUSY/ });
});

await t.test('who waits for a delay can be called off', async (t) => {
  const { authenticator } = await watched(CONFIG, { pause: (_, { reason }) => Promise.reject(reason as Error) });
  for (let count = 0; count < 3; count += 1) await authenticator.login('bob', 'wrong', '127.0.0.1', signal);
  await t.rejects(authenticator.login('bob', 'right', '127.0.0.1', AbortSignal.abort(new ArgoError('TIMEOUT'))), { message: /^TIMEOUT/ });
});

await t.test('a reload: what connections keep of their accounts', async (t) => {
  const { authenticator } = await watched();
  const steve = await authenticator.login('steve', 'right', '127.0.0.1', signal);
  const bob = await authenticator.login('bob', 'right', '192.0.2.1', signal);
  if (!steve || !bob) throw new Error('both can log in');
  t.equal(authenticator.current(steve, '127.0.0.1'), steve);
  const reload = async (text: string) => authenticator.configure(await parseConfig('f', text, '/s'));

  await reload(`${CONFIG}[[accounts.steve.grants]]\ninstances = ["lj"]\ncommands = ["read"]\n`);
  const now = authenticator.current(steve, '127.0.0.1');
  t.equal(steve.allows({ provider: 'p', name: 'lj' }, { word: 'status', right: 'read' }), false);
  t.equal(now?.allows({ provider: 'p', name: 'lj' }, { word: 'status', right: 'read' }), true, 'new grants');
  t.equal(authenticator.current(steve, '192.0.2.1'), undefined, 'a network that is no longer allowed');

  await reload(CONFIG.replace(hash(13), hash(14)));
  t.equal(authenticator.current(bob, '192.0.2.1'), undefined, 'another password');
  await reload('');
  t.equal(authenticator.current(steve, '127.0.0.1'), undefined, 'an account that is gone');
});

await t.test('before login: `list` where the configuration lets it, and nothing else', async (t) => {
  for (const [text, sees] of [['', true], ['[server]\nanonymous-list = false', false]] as const) {
    const { anonymous } = (await watched(text)).authenticator;
    t.equal(anonymous.sees(), sees);
    t.equal(anonymous.allows(), false);
    t.equal(anonymous.allowsProvider(), false);
    t.equal(anonymous.allowsSomewhere(), false);
    t.equal(anonymous.coversName(), false);
    t.equal(anonymous.name, '');
  }
});
