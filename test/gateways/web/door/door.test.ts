import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hash } from 'bcrypt';
import t, { type Test } from 'tap';
import { newToken, tokenHash } from '../../../../src/auth/tokens.js';
import { BCRYPT_COST } from '../../../../src/kit/limits.js';
import { startDaemon, type Daemon } from '../../../support/daemon.js';
import { connect } from '../../../support/line-client.js';
import { lacks } from '../../../support/peers.js';
import { until } from '../../../support/until.js';
import { ask, WebUser } from '../../../support/web/client.js';

const WITHIN = 20_000;
const hashed = await hash('a long secret', BCRYPT_COST);
const TOKEN = newToken();
const LOGIN = { account: 'kim', password: 'a long secret' };

const configuration = (web = '', kim = ''): string => `
[accounts.kim]
password = "${hashed}"
grants = [{ instances = ["*"], commands = ["*"] }]
${kim}
[[accounts.kim.tokens]]
name = "script"
hash = "${tokenHash(TOKEN)}"
instances = ["lj"]
commands = ["read"]
[accounts.tenant]
password = "${hashed}"
grants = [{ instances = ["demo/lj"], commands = ["read", "start"] }]
[providers.demo]
type = "sim"
instances = ["lj", "<b>odd</b>", { name = "test", state = "off" }]
${web}`;

const WEB = '[gateways.page]\ntype = "web"\nlisten = ["127.0.0.1:0"]\n';

async function start(t: Test, web = WEB, kim = '') {
  const daemon = await startDaemon({ config: configuration(web, kim), listeners: 2 });
  t.teardown(() => daemon.stop());
  const user = new WebUser(`http://127.0.0.1:${daemon.ports[1]}`);
  return { daemon, user, url: user.url };
}

const errorOf = ({ status, text }: { status: number; text: string }): unknown => [status, (JSON.parse(text) as { error: string }).error];

await t.test('logging in and out', async (t) => {
  const { daemon, user, url } = await start(t);
  t.same(errorOf(await user.get('session')), [401, 'NOT AUTHENTICATED']);
  t.same(errorOf(await user.login({ ...LOGIN, password: 'wrong' })), [401, 'NOT AUTHENTICATED']);
  for (const body of [{}, { account: 'kim' }, { ...LOGIN, more: 1 }, { account: 1, password: 2 }, [], null, 'x']) t.same(errorOf(await user.login(JSON.stringify(body))), [400, 'BAD REQUEST'], JSON.stringify(body));
  t.same(errorOf(await user.login('{')), [400, 'BAD REQUEST']);
  t.equal((await user.login({ ...LOGIN, password: 'x'.repeat(5000) })).status, 413);
  t.equal((await user.login({ code: 'x'.repeat(32) })).status, 401);
  t.equal(user.cookie, '');
  const { status, headers, text } = await user.login(LOGIN);
  t.equal(status, 200);
  t.match(headers['set-cookie']![0], /^argo=[\w-]{32}; Path=\/; HttpOnly; SameSite=Strict$/);
  t.equal(headers['cache-control'], 'no-store');
  t.match(JSON.parse(text), { account: 'kim', server: { name: 'argo-server' }, rights: ['read', 'power', 'console', 'console-view', 'configure', 'host', 'plan', 'shell'] });
  t.match(JSON.parse((await user.get('view')).text), { columns: { name: ['lj', '<b>odd</b>', 'test'] } });
  const first = user.cookie;
  await user.login(LOGIN);
  t.not(user.cookie, first, 'who logs in anew has another cookie');
  t.equal((await ask(`${url}/api/session`, { headers: { cookie: first } })).status, 401, 'and the former one is over');
  const feed = user.socket('/api/feed?after=0');
  t.equal(await feed.answered, 101);
  await until(() => feed.messages.some((message) => message.includes('"alive"')), WITHIN, 'the feed');
  const gone = await user.send('DELETE', 'session');
  t.same([gone.status, gone.headers['set-cookie']], [204, ['argo=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0']]);
  t.equal(await feed.closed, 1008, 'its feed ends');
  t.equal((await user.get('session')).status, 401);
  t.equal((await user.send('DELETE', 'session')).status, 204, 'again');
  await daemon.logs(/"account":"kim","from":"127\.0\.0\.1:\d+","msg":"logout"/);
  for (const secret of [LOGIN.password, first, user.cookie, first.slice(5)]) if (secret !== '') t.notMatch(daemon.stderr(), secret);
});

await t.test('a tenant is offered what is the tenant\'s', async (t) => {
  const { user } = await start(t);
  t.match(JSON.parse((await user.login({ ...LOGIN, account: 'tenant' })).text), { rights: ['read', 'power'] });
  t.match(JSON.parse((await user.get('view')).text), { columns: { name: ['lj'] }, permissions: [['start', 'status', 'info', 'ip', 'mac', 'uptime', 'rx', 'tx', 'load', 'disk']] });
  t.same(errorOf(await user.get('instances/test')), [403, 'NOT ALLOWED'], 'which it is told of every name');
  t.same(errorOf(await user.get('instances/nothing')), [403, 'NOT ALLOWED']);
  const order = (action: string, name: string) => user.send('POST', 'power', { targets: [name], action, once: `key-${action}-${name}` });
  t.match(JSON.parse((await order('stop', 'lj')).text), { targets: [{ instance: 'demo/lj' }] });
  await until(async () => (JSON.parse((await user.get('tasks')).text) as { tasks: { state: string }[] }).tasks[0]!.state !== 'running', WITHIN, 'the end');
  t.match(JSON.parse((await user.get('tasks')).text), { tasks: [{ targets: [{ state: 'failed', detail: 'NOT ALLOWED' }] }] });
  t.same(errorOf(await order('start', 'test')), [403, 'NOT ALLOWED']);
});

await t.test('what another site can make a browser send does nothing', async (t) => {
  const { user, url } = await start(t);
  await user.login(LOGIN);
  const order = { targets: ['lj'], action: 'stop', once: 'key-12345678' };
  const send = (headers: Record<string, string | undefined>, body: unknown = order) => ask(`${url}/api/power`, { method: 'POST', headers: { ...user.own, ...headers }, body });
  for (const [name, headers, status] of [
    ['a form', { 'x-argo': undefined, 'content-type': 'text/plain' }, 403],
    ['a form of another kind of content', { 'content-type': 'text/plain' }, 415],
    ['no kind of content', { 'content-type': undefined }, 415],
    ['another origin', { origin: 'http://evil.example' }, 403],
    ['another port', { origin: 'http://127.0.0.1:1' }, 403],
    ['no origin at all', { origin: 'null' }, 403],
    ['another site, as the browser says', { 'sec-fetch-site': 'cross-site' }, 403],
    ['another port, as the browser says', { 'sec-fetch-site': 'same-site' }, 403],
    ['a name of theirs that means us', { host: 'evil.example', origin: 'http://evil.example' }, 421],
  ] as const) t.equal((await send(headers)).status, status, name);
  for (const path of ['view', 'session', 'instances', 'events']) {
    t.equal((await ask(`${url}/api/${path}`, { headers: { cookie: user.cookie, 'sec-fetch-site': 'cross-site' } })).status, 403, `reading ${path}`);
  }
  for (const [name, headers, status] of [['another origin', { origin: 'http://evil.example' }, 403], ['a name of theirs', { host: 'evil.example' }, 421]] as const) {
    t.equal(await user.socket('/api/feed?after=0', { headers }).answered, status, `a WebSocket of ${name}`);
  }
  t.equal(await user.socket('/api/feed?after=0', { headers: { cookie: 'argo=x' } }).answered, 401);
  t.equal((await ask(`${url}/api/power`, { method: 'OPTIONS', headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' } })).headers['access-control-allow-origin'], undefined);
  t.match(JSON.parse((await user.get('instances/lj')).text), { state: 'on' }, 'nothing was done');
  t.equal((await ask(`${url}/api/session`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: LOGIN })).status, 403, 'nor is anybody logged in by another site');
});

await t.test('names that it goes by', async (t) => {
  const { url } = await start(t, `${WEB}names = ["Argo.Example.net"]\n`);
  const status = async (host: string): Promise<number> => (await ask(`${url}/`, { headers: { host } })).status;
  for (const host of ['argo.example.net', 'ARGO.example.net:8080', 'argo.example.net.', 'localhost:1', 'box.localhost', '192.0.2.1', '[2001:db8::1]:80', '127.0.0.1']) t.equal(await status(host), 200, host);
  for (const host of ['example.net', 'evil.argo.example.net', 'argo.example.net.evil', '127.0.0.1.evil.example', 'localhost.evil']) t.equal(await status(host), 421, host);
  for (const host of ['a b', 'a/b', '[::1', 'user@x']) t.equal(await status(host), 400, host);
});

await t.test('the page and its parts', async (t) => {
  const { url } = await start(t);
  const page = await ask(`${url}/`);
  t.equal(page.status, 200);
  t.match(page.headers, {
    'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin', 'content-security-policy': /^default-src 'none'; script-src 'self';.*frame-ancestors 'none'/,
  });
  t.notMatch(page.headers['content-security-policy'], /unsafe/);
  t.equal((await ask(`${url}/console/`)).headers['content-security-policy'], page.headers['content-security-policy'], 'a console\'s page needs no more');
  const script = /src="(\/a\/[^"]+\.js)"/.exec(page.text)![1]!;
  const plain = await ask(url + script);
  t.match(plain.headers, { 'content-type': 'text/javascript; charset=utf-8', 'cache-control': 'public, max-age=31536000, immutable', 'cross-origin-resource-policy': 'same-origin' });
  const sizes: number[] = [plain.text.length];
  for (const encoding of ['gzip', 'br']) {
    const { headers } = await ask(url + script, { headers: { 'accept-encoding': `deflate, ${encoding};q=0.5` } });
    t.equal(headers['content-encoding'], encoding);
    sizes.push(Number(headers['content-length']));
  }
  t.ok(sizes[0]! > sizes[1]! && sizes[1]! > sizes[2]!, `sent small: ${sizes.join(', ')}`);
  t.equal((await ask(url + script, { headers: { 'accept-encoding': 'br;q=0, gzip' } })).headers['content-encoding'], 'gzip');
  const again = await ask(`${url}/`, { headers: { 'if-none-match': `"other", ${String(page.headers.etag)}` } });
  t.same([again.status, again.text], [304, '']);
  t.same([(await ask(`${url}/`, { method: 'HEAD' })).status, (await ask(`${url}/`, { method: 'POST', body: 'x' })).status], [200, 405]);
  for (const path of ['/a/../manifest.json', '/manifest.json', '/index.html', '/a/', '/%2e%2e/%2e%2e/package.json', '/..%2f..%2fpackage.json', '/favicon.ico']) t.equal((await ask(url + path)).status, 404, path);
});

await t.test('a token in place of a session', async (t) => {
  const { url } = await start(t);
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
  t.match(JSON.parse((await ask(`${url}/api/instances`, { headers })).text), { instances: [{ fullName: 'demo/lj' }] }, 'with its own, narrower grants');
  t.same(errorOf(await ask(`${url}/api/power/preview`, { method: 'POST', headers, body: { targets: ['test'], action: 'start' } })), [403, 'NOT ALLOWED']);
  t.match(JSON.parse((await ask(`${url}/api/power/preview`, { method: 'POST', headers, body: { targets: ['lj'], action: 'stop' } })).text), { rows: [{ effect: 'refused' }] });
  for (const authorization of ['Bearer argo_x', 'Bearer', 'Basic a2ltOmtpbQ==', `Bearer ${newToken()}`]) t.equal((await ask(`${url}/api/instances`, { headers: { authorization } })).status, 401, authorization);
  t.equal((await ask(`${url}/api/instances`, { headers: { ...headers, 'sec-fetch-site': 'cross-site' } })).status, 403);
  const misplaced = await ask(`${url}/api/instances?${TOKEN}=1`, { headers });
  t.same([misplaced.status, misplaced.text], [400, '{"error":"BAD REQUEST","detail":"unknown parameter"}'], 'what may be a token is not said back');
  const feed = new WebUser(url).socket('/api/feed?after=0', { headers: { authorization: headers.authorization } });
  t.equal(await feed.answered, 101);
  feed.web.terminate();
});

await t.test('events, a line a document, until the client goes or the account does', async (t) => {
  const { daemon, user, url } = await start(t);
  await user.login(LOGIN);
  const response = await fetch(`${url}/api/events?follow=true&types=state`, { headers: { cookie: user.cookie } });
  t.equal(response.headers.get('content-type'), 'application/x-ndjson; charset=utf-8');
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  await user.send('POST', 'power', { targets: ['lj'], action: 'stop', once: 'key-12345678' });
  let text = '';
  while (!text.includes('\n')) text += (await reader.read()).value ?? '';
  t.match(JSON.parse(text.split('\n')[0]!), { type: 'state', facts: { instance: 'demo/lj' } });
  daemon.reconfigure(configuration(WEB, 'from = ["192.0.2.0/24"]'));
  daemon.signal('SIGHUP');
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  t.match(JSON.parse(text.trim().split('\n').at(-1)!), { error: 'NOT AUTHENTICATED', detail: 'the session is over' });
  t.equal((await user.get('session')).status, 401, 'the session has ended with the account');
});

await t.test('a gateway that is taken away says what it can of what was begun', async (t) => {
  const hung = '[providers.hung]\ntype = "sim"\ninstances = ["silent"]\nfaults = { silent = "hang" }\n';
  const { daemon, user } = await start(t, WEB + hung);
  await user.login(LOGIN);
  const line = await connect(daemon.port);
  t.teardown(() => line.destroy());
  await line.ask(`auth ${LOGIN.account} "${LOGIN.password}"`);
  const change = user.send('PUT', 'instances/silent/autostart', { value: true });
  const reading = user.get('instances/silent/readings/uptime');
  await until(async () => (await line.ask('task')).body.some((one) => one.includes(' autostart ')), WITHIN, 'the change to be under way');
  daemon.reconfigure(configuration(hung));
  daemon.signal('SIGHUP');
  t.match(await change, { status: 502, text: '{"error":"UNCERTAIN","detail":"the gateway ended before it was verified"}' });
  t.same(errorOf(await reading), [503, 'SHUTTING DOWN']);
});

await t.test('a gateway that is taken away ends its streams, at once', async (t) => {
  const { daemon, user, url } = await start(t);
  await user.login(LOGIN);
  const feed = user.socket('/api/feed?after=0');
  t.equal(await feed.answered, 101);
  const response = await fetch(`${url}/api/events?follow=true&types=state`, { headers: { cookie: user.cookie } });
  daemon.reconfigure(configuration());
  daemon.signal('SIGHUP');
  t.match(JSON.parse(await response.text()), { error: 'SHUTTING DOWN' });
  t.equal(await feed.closed, 1001);
  await until(() => ask(url).then(() => false, () => true), WITHIN, 'nobody to listen there');
  t.notMatch(daemon.stderr(), 'did not drain');
});

await t.test('who has logged out stays so, also where the server is killed at that moment', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-web-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [left, stays] = ['', ''].map(() => new WebUser(''));
  const open = async (): Promise<Daemon> => {
    const daemon = await startDaemon({ config: configuration(WEB), listeners: 2, folder });
    t.teardown(() => daemon.stop());
    for (const user of [left!, stays!]) user.url = `http://127.0.0.1:${daemon.ports[1]}`;
    return daemon;
  };
  const daemon = await open();
  for (const user of [left!, stays!]) t.equal((await user.login(LOGIN)).status, 200);
  t.equal((await left!.send('DELETE', 'session')).status, 204);
  daemon.signal('SIGKILL');
  await daemon.exited;
  await open();
  t.same([(await left!.get('session')).status, (await stays!.get('session')).status], [401, 200]);
});

await t.test('heads alone, and what is missing in a request that is refused', async (t) => {
  const { user, url } = await start(t);
  await user.login(LOGIN);
  for (const path of ['session', 'view', 'instances', 'instances/lj', 'events?follow=true']) {
    const { status, headers, text } = await ask(`${url}/api/${path}`, { method: 'HEAD', headers: { cookie: user.cookie } });
    t.same([status, text], [200, ''], path);
    t.match(headers['content-type'], /^application\/(?:json|x-ndjson); charset=utf-8$/);
  }
  for (const headers of [{}, { authorization: 'Bearer x' }]) t.equal((await ask(`${url}/api/view`, { headers })).headers['www-authenticate'], 'Bearer realm="argo-server"');
});

await t.test('cookies of odd forms', async (t) => {
  const { user, url } = await start(t);
  await user.login(LOGIN);
  const value = user.cookie.slice('argo='.length);
  const other = new WebUser(url);
  await other.login({ ...LOGIN, account: 'tenant' });
  const status = async (cookie: string): Promise<number> => (await ask(`${url}/api/session`, { headers: { cookie } })).status;
  for (const cookie of [`a=b; ${user.cookie}`, `;;${user.cookie};`, `${user.cookie}; ${user.cookie}`, `a="x;${user.cookie}`]) t.equal(await status(cookie), 200, cookie);
  for (const cookie of [`argo="${value}"`, `Argo=${value}`, `argo =${value}`, `__Host-argo=${value}`, `argo=${value}x`, 'argo=', `argo=${encodeURIComponent(`${value}%00`)}`, value]) t.equal(await status(cookie), 401, cookie);
  t.equal(await status(`${other.cookie}; ${user.cookie}`), 401, 'two of different sessions: one may be put in by another server on this host');
  t.equal(await status(`argo=x; ${user.cookie}`), 401);
});

await t.test('a session that is taken away takes all that it has open with it; another\'s stays', async (t) => {
  const { daemon, user, url } = await start(t);
  await user.login(LOGIN);
  const tenant = new WebUser(url);
  await tenant.login({ ...LOGIN, account: 'tenant' });
  const [feed, other] = [user.socket('/api/feed?after=0'), tenant.socket('/api/feed?after=0')];
  const { ticket } = JSON.parse((await user.send('POST', 'consoles', { instance: 'lj', kind: 'text' })).text) as { ticket: string };
  const unused = JSON.parse((await user.send('POST', 'consoles', { instance: 'lj', kind: 'text' })).text) as { ticket: string };
  const stolen = tenant.socket('/api/console', { protocols: ['binary', `ticket.${unused.ticket}`] });
  t.equal(await stolen.answered, 403, 'a ticket is its session\'s');
  const shown = user.socket('/api/console', { protocols: ['binary', `ticket.${ticket}`] });
  t.equal(await shown.answered, 101);
  t.equal(await user.socket('/api/console', { protocols: ['binary', `ticket.${ticket}`] }).answered, 403, 'once');
  await until(() => shown.messages.join('').includes('lj$ '), WITHIN, 'the console');
  t.equal(await other.answered, 101);
  daemon.reconfigure(configuration(WEB).replace(`password = "${hashed}"`, `password = "${await hash('another', BCRYPT_COST)}"`));
  daemon.signal('SIGHUP');
  t.same(await Promise.all([feed.closed, shown.closed]), [1008, 1008]);
  t.equal((await user.get('view')).status, 401);
  t.equal((await tenant.get('view')).status, 200);
  t.equal(await other.closed, 1000, 'told to look at its list anew');
  t.equal(await tenant.socket('/api/feed?after=0').answered, 101);
  for (const secret of [ticket, unused.ticket, user.cookie.slice(5), tenant.cookie.slice(5)]) t.notMatch(daemon.stderr(), secret);
});

await t.test('the end of the server is told', async (t) => {
  const { daemon, user } = await start(t);
  await user.login(LOGIN);
  const feed = user.socket('/api/feed?after=0');
  const { ticket } = JSON.parse((await user.send('POST', 'consoles', { instance: 'lj', kind: 'text' })).text) as { ticket: string };
  const shown = user.socket('/api/console', { protocols: ['binary', `ticket.${ticket}`] });
  await until(() => shown.messages.length > 0 && feed.messages.length > 0, WITHIN, 'both');
  const exit = await daemon.stop();
  t.same([await feed.closed, await shown.closed, exit.code], [1001, 1001, 0]);
});

await t.test('within TLS the cookie is bound to it', { skip: lacks('openssl') }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-web-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const { daemon } = await start(t, `[gateways.page]\ntype = "web"\ntls-listen = ["127.0.0.1:0"]\ntls-cert = "${cert}"\ntls-key = "${key}"\nhsts = true\n`);
  const user = new WebUser(`https://127.0.0.1:${daemon.ports[1]}`);
  const { status, headers } = await user.login(LOGIN);
  t.equal(status, 200);
  t.match(headers['set-cookie']![0], /^__Host-argo=[\w-]{32}; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
  t.equal((await user.get('view')).status, 200);
  t.equal((await ask(`${user.url}/`)).headers['strict-transport-security'], 'max-age=31536000');
  const feed = user.socket('/api/feed?after=0');
  t.equal(await feed.answered, 101);
  feed.web.close();
});

await t.test('a session that is not used, and one that is over', async (t) => {
  const { user } = await start(t, `${WEB}idle-timeout = "300ms"\n`);
  await user.login(LOGIN);
  const feed = user.socket('/api/feed?after=0');
  t.equal(await feed.closed, 1008, 'to look on is no use');
  t.equal((await user.get('session')).status, 401);
});

await t.test('wrong tables are told with their place', async (t) => {
  for (const [table, words] of [
    ['names = ["argo.example.net:443"]', /names.*a host name is expected, without a port/],
    ['names = "argo"', /names.*a list is expected/],
    ['idle-timeout = "soon"', /idle-timeout.*not a duration/],
    ['session-limit = "0s"', /session-limit.*more than zero/],
    ['hsts = "yes"', /hsts.*true or false/],
    ['title = "x"', /title/],
  ] as const) {
    const failure = await startDaemon({ config: configuration(`${WEB}${table}\n`) }).catch((error: Error) => error);
    t.match((failure as Error).message, words);
    t.match((failure as Error).message, /argo-server\.conf:\d+:\d+: /);
  }
});

await t.test('bad input ends a request and nothing else', async (t) => {
  const { daemon, user, url } = await start(t);
  await user.login(LOGIN);
  const raw = (text: string): Promise<string> => new Promise((resolve) => {
    let answer = '';
    const socket = createConnection(daemon.ports[1]!, '127.0.0.1', () => socket.write(text));
    socket.setEncoding('utf8').on('data', (chunk: string) => { answer += chunk; }).on('error', () => undefined).on('close', () => resolve(answer));
  });
  const head = (line: string): string => `${line}\r\nhost: ${new URL(url).host}\r\nconnection: close\r\ncookie: ${user.cookie}\r\n`;
  t.match(await raw(`${head(`GET /api/${'a'.repeat(9000)} HTTP/1.1`)}\r\n`), /^HTTP\/1\.1 414/);
  t.match(await raw(`${head('GET / HTTP/1.1')}x: ${'a'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1\.1 431/);
  t.match(await raw('GET / HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400/, 'no Host');
  t.match(await raw('\x16\x03\x01\x02\x00\x01'), /^HTTP\/1\.1 400/, 'TLS where there is none');
  t.match(await raw(`${head('GET /api/%ff HTTP/1.1')}\r\n`), /^HTTP\/1\.1 400/);
  t.match(await raw(`${head('GET /api/view HTTP/1.1')}upgrade: h3\r\n\r\n`.replace('connection: close', 'connection: upgrade')), /^HTTP\/1\.1 400/);
  t.match(await raw(`${head('GET /api/feed?after=0 HTTP/1.1')}origin: ${url}\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\r\n`.replace('connection: close', 'connection: upgrade')), /^HTTP\/1\.1 400/, 'no key');
  for (const query of ['', '?after=', '?after=-1', '?after=1e3', '?after=x']) t.equal(await user.socket(`/api/feed${query}`).answered, 400, query);
  t.equal(await user.socket('/api/nothing').answered, 404);
  t.equal(await user.socket('/').answered, 404);
  t.equal((await user.send('POST', 'power', { targets: ['lj'], action: 'stop', once: 'key-12345678', more: 'x'.repeat(1024 * 1024) })).status, 413);
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  t.equal((await user.send('POST', 'power', deep)).status, 400);
  for (const body of ['{"__proto__": {"targets": ["lj"]}}', '{"targets": ["lj"], "action": "constructor", "once": "key-12345678"}', '"stop"', '[]', 'null']) t.equal((await user.send('POST', 'power', body)).status, 400, body);
  const feed = user.socket('/api/feed?after=0');
  await feed.answered;
  feed.web.send('x');
  t.equal(await feed.closed, 1003, 'nobody speaks on the feed');
  const big = user.socket('/api/feed?after=0');
  await big.answered;
  big.web.send('x'.repeat(100_000));
  t.equal(await big.closed, 1009);
  t.equal((await user.get('view')).status, 200, 'all is well');
  t.notMatch(daemon.stderr(), /request failed|uncaught/);
  t.notMatch(readFileSync(join(daemon.folder, 'argo-server.conf'), 'utf8'), TOKEN);
});

await t.test('two people stop the same machine', async (t) => {
  const { user, url } = await start(t);
  const other = new WebUser(url);
  await Promise.all([user.login(LOGIN), other.login(LOGIN)]);
  const orders = await Promise.all([user, other].map((one, index) => one.send('POST', 'power', { targets: ['lj', 'demo/<b>odd</b>'], action: 'stop', once: `key-of-person-${index}` })));
  t.same(orders.map(({ status }) => status), [202, 202]);
  interface Task { readonly id: string; readonly state: string; readonly targets: readonly { readonly state: string }[] }
  const tasks = async (): Promise<Task[]> => (JSON.parse((await user.get('tasks')).text) as { tasks: Task[] }).tasks;
  await until(async () => (await tasks()).every(({ state }) => state !== 'running'), WITHIN, 'the end of both');
  t.same((await tasks()).map(({ state }) => state), ['done', 'done']);
  const ends = (await tasks()).flatMap(({ targets }) => targets.map(({ state }) => state)).sort();
  t.same(ends, ['already', 'already', 'done', 'done'], 'each machine was stopped once, and neither is told what is not so');
});
