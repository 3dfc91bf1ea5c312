import { mock } from 'node:test';
import t, { type Test } from 'tap';
import { newToken, tokenHash, type TokenUse } from '../../src/auth/tokens.js';
import type { OrderRow } from '../../src/gateways/web/messages.js';
import { ArgoError } from '../../src/kit/errors.js';
import { TOKEN_LOOK } from '../../src/kit/limits.js';
import { parseConfig } from '../support/configuration.js';
import { SEED_CONFIG } from '../server/core.js';
import { startApi, type Asking } from '../gateways/web/api/asking.js';

const TOKEN = newToken();
const { signal } = new AbortController();
const CONFIG = SEED_CONFIG.replace('[accounts.tenant]\n', '[accounts.tenant]\nfrom = ["192.0.2.0/24"]\n');
const withToken = (account: string, rest: string, config = CONFIG): string => `${config}\n[[accounts.${account}.tokens]]\nname = "backup"\nhash = "${tokenHash(TOKEN)}"\n${rest}\n`;

const use = ({ authenticator }: Asking, token = TOKEN, address = '192.0.2.1'): Promise<TokenUse | undefined> => authenticator.token(token, address, signal);

async function arrange(t: Test, account: string, rest: string): Promise<Asking & { mine: TokenUse }> {
  const asking = await startApi(t, { config: withToken(account, rest) });
  return { ...asking, mine: (await use(asking))! };
}

await t.test('a token does what both it and its account may', async (t) => {
  const { call, ended, mine, audit } = await arrange(t, 'steve', 'instances = ["lj", "dev"]\ncommands = ["read", "reboot"]');
  t.match(await call(mine, 'GET', '/instances'), { instances: [{ name: 'lj' }, { name: 'dev' }] });
  t.match(await call(mine, 'GET', '/instances/lj'), { operations: ['reboot', 'status', 'info', 'ip', 'mac', 'uptime', 'rx', 'tx', 'load', 'disk'] });
  t.equal(await call(mine, 'GET', '/instances/builder'), 'NOT ALLOWED');
  const stop = await call(mine, 'POST', '/power', { targets: ['lj'], action: 'stop', once: 'key-0001' }) as OrderRow;
  t.match(await ended(mine, stop.id), { state: 'failed', account: 'steve (token backup)', targets: [{ detail: 'NOT ALLOWED' }] });
  const reboot = await call(mine, 'POST', '/power', { targets: ['lj'], action: 'reboot', once: 'key-0002' }) as OrderRow;
  t.match(await ended(mine, reboot.id), { state: 'done' });
  t.match(audit.begun, [{ account: 'steve (token backup)', command: 'reboot' }]);
  t.match(await call('steve', 'GET', '/tasks'), { tasks: { length: 2 } }, 'its account sees what it does');
  const own = await call('steve', 'POST', '/power', { targets: ['lj'], action: 'stop', once: 'key-0003' }) as OrderRow;
  t.match(await call(mine, 'DELETE', `/tasks/${own.id}`), /^NO SUCH TASK/, 'and not the other way round');
  await ended('steve', own.id);
  t.match(await call('steve', 'GET', '/audit?account=steve'), { rows: { length: 2 } });
});

await t.test('a token that may more than its account may no more', async (t) => {
  const { call, mine } = await arrange(t, 'tenant', 'instances = ["*"]\ncommands = ["*"]');
  t.match(await call(mine, 'GET', '/instances'), { instances: [{ name: 'lj' }, { name: 'test' }] });
  t.equal(await call(mine, 'GET', '/instances/dev'), 'NOT ALLOWED');
  t.match(await call(mine, 'POST', '/power/preview', { targets: ['lj'], action: 'stop' }), { rows: [{ effect: 'refused' }] });
  t.match(await call(mine, 'GET', '/providers'), { providers: [{ name: 'demo' }] });
});

await t.test('the account\'s networks hold, and what is wrong is nobody\'s', async (t) => {
  const asking = await arrange(t, 'tenant', '');
  t.equal(await use(asking, TOKEN, '198.51.100.1'), undefined);
  for (const wrong of [newToken(), '', 'argo_', TOKEN.slice(0, -1), `${TOKEN}x`, tokenHash(TOKEN), 'x'.repeat(10_000)]) t.equal(await use(asking, wrong, `203.0.113.${wrong.length % 100}`), undefined);
});

await t.test('wrong ones are delayed, and right ones are not', async (t) => {
  const asking = await startApi(t, { config: withToken('steve', '') });
  const { authenticator } = asking;
  const ends: unknown[] = [];
  const many = Array.from({ length: 400 }, () => use(asking, newToken()).catch((error: unknown) => error).then((end) => ends.push(end)));
  await new Promise((resolve) => { setTimeout(resolve, 50); });
  t.ok(ends.some((end) => end instanceof ArgoError && end.phrase === 'BUSY') || ends.length < 400, 'not all are answered at once');
  t.ok(await use(asking), 'from the same place');
  t.ok(authenticator.logins.busy + authenticator.logins.refused > 0);
  void many;
});

await t.test('it ends with a reload that takes it or its account away, and when it expires', async (t) => {
  for (const [name, after] of [['gone', CONFIG], ['another', withToken('steve', '', CONFIG).replace(tokenHash(TOKEN), tokenHash(newToken()))], ['its account', withToken('eve', '', CONFIG.replaceAll('accounts.steve', 'accounts.eve'))]] as const) {
    const { authenticator, mine, call } = await arrange(t, 'steve', '');
    let isTaken = false;
    mine.onTakenAway(() => { isTaken = true; });
    t.match(await call(mine, 'GET', '/instances/lj'), { name: 'lj' });
    authenticator.configure(await parseConfig('f', after, '/s'));
    t.equal(isTaken, true, name);
    t.equal(await call(mine, 'GET', '/instances/lj'), 'NOT ALLOWED', name);
  }
  const soon = new Date(Date.now() + 400).toISOString();
  const { mine, authenticator } = await arrange(t, 'steve', `expires = "${soon}"`);
  await new Promise<void>((resolve) => {
    const alive = setInterval(() => undefined, 1000);
    mine.onTakenAway(() => { clearInterval(alive); resolve(); });
  });
  t.equal(mine.principal.allows({ provider: 'demo', name: 'lj' }, { word: 'status', right: 'read' }), false);
  t.equal(await authenticator.token(TOKEN, '192.0.2.1', signal), undefined);
});

await t.test('what goes on with it ends when it expires, also by a clock that was set meanwhile', async (t) => {
  const HOUR = 3_600_000;
  for (const [leap, left] of [[-HOUR, 2 * HOUR], [HOUR - 1, TOKEN_LOOK]] as const) {
    const began = Date.now();
    const { mine } = await arrange(t, 'steve', `expires = "${new Date(began + HOUR).toISOString()}"`);
    let now = began;
    mock.timers.enable({ apis: ['setTimeout'] });
    mock.method(Date, 'now', () => now);
    const pass = (ms: number): void => {
      now += ms;
      mock.timers.tick(ms);
    };
    let taken = 0;
    mine.onTakenAway(() => { taken += 1; });
    now += leap;
    for (let time = TOKEN_LOOK; time < left; time += TOKEN_LOOK) pass(TOKEN_LOOK);
    t.equal(taken, 0, 'not before');
    pass(TOKEN_LOOK);
    mock.timers.reset();
    mock.restoreAll();
    t.equal(taken, 1);
  }
});

await t.test('what is wrong in the file is told with its place', async (t) => {
  const table = '[[accounts.steve.tokens]]\n';
  for (const [text, fault] of [
    [`${table}name = "a b"\nhash = "${tokenHash('x')}"`, /cannot be used/], [`${table}name = "a"\nhash = "${TOKEN}"`, /must be the hash of a token/], [`${table}name = "a"`, /hash/],
    [`${table}name = "a"\nhash = "${tokenHash('x')}"\nexpires = "never"`, /not a time/], [`${table}name = "a"\nhash = "${tokenHash('x')}"\ngrants = []`, /grants/],
    [`${table}name = "a"\nhash = "${tokenHash('x')}"\n${table}name = "b"\nhash = "${tokenHash('x')}"`, /this is the token a of steve/], [`${table}name = "a"\nhash = "${tokenHash('x')}"\ninstances = ["@nope"]`, /no group @nope/],
  ] as const) {
    await t.rejects(parseConfig('f', `${SEED_CONFIG}\n${text}`, '/s'), { message: new RegExp(`f:\\d+:\\d+.*${fault.source}`) }, text);
  }
});
