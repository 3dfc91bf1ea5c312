import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { mock } from 'node:test';
import t from 'tap';
import { Deadline } from '../../src/kit/deadline.js';
import { HTTP_BODY, HTTP_HEAD_SIZE, HTTP_KEEP_ALIVE, HTTP_REQUEST_TIMEOUT, HTTP_SENT_AHEAD, HTTP_URL_SIZE } from '../../src/kit/limits.js';
import { HttpError, SharedHttp } from '../../src/listening/http.js';
import { freePort } from '../support/ports.js';
import { until } from '../support/until.js';
import { exchange, mount, says, settings } from './serving.js';

await t.test('several share an address, each below its path', async (t) => {
  const http = new SharedHttp(() => undefined, new Set());
  const port = await freePort();
  const { mounted, url } = await mount(t, http, '/a', says('a'), port);
  const { url: same } = await mount(t, http, '/a/b', says('b'), port);
  t.equal(same, url);
  for (const [path, word] of [['/a', 'a'], ['/a/x', 'a'], ['/a/b', 'b'], ['/a/b/c?d', 'b']] as const) t.equal(await (await fetch(url + path)).text(), word, path);
  for (const path of ['/', '/ab', '/c']) t.equal((await fetch(url + path)).status, 404, path);
  await t.rejects(http.doorsFor('again').mount(says('again')).prepare(settings(port), '/a'), { message: 'another gateway serves /a there already' });
  t.equal(await (await fetch(`${url}/a`)).text(), 'a', 'as before');
  mounted.close();
  t.equal((await fetch(`${url}/a`)).status, 404);
  t.equal(await (await fetch(`${url}/a/b`)).text(), 'b');
});

await t.test('each has a port of its own where the kernel is to choose', async (t) => {
  const logged: (string | undefined)[] = [];
  const http = new SharedHttp((_level, message, facts) => logged.push(message, facts?.gateway as string, facts?.address as string), new Set());
  const [one, other] = [await mount(t, http, '/a', says('one'), 0, 'one'), await mount(t, http, '/a', says('other'), 0, 'other')];
  t.not(one.url, other.url);
  for (const [{ url }, word] of [[one, 'one'], [other, 'other']] as const) t.equal(await (await fetch(`${url}/a`)).text(), word);
  t.same(logged, ['listening', 'one', one.url.slice('http://'.length), 'listening', 'other', other.url.slice('http://'.length)], 'the log says which is whose');
});

await t.test('two swap their addresses in one change, or none of them moves', async (t) => {
  const moving = new Set<string>();
  const http = new SharedHttp(() => undefined, moving);
  const [first, second] = [await freePort(), await freePort()];
  const one = await mount(t, http, '/a', says('one'), first, 'one');
  const other = await mount(t, http, '/a', says('other'), second, 'other');
  const at = async (port: number): Promise<string> => (await fetch(`http://127.0.0.1:${port}/a`)).text();
  await t.rejects(one.mounted.prepare(settings(second), '/a'), { message: 'another gateway serves /a there already' }, 'that one stays');
  moving.add('one').add('other');
  const moved = await one.mounted.prepare(settings(second), '/a');
  await t.rejects(other.mounted.prepare(settings(second), '/a'), { message: 'another gateway serves /a there already' }, 'both at one address');
  await moved.cancel();
  t.same([await at(first), await at(second)], ['one', 'other'], 'as before');
  const changes = [await one.mounted.prepare(settings(second), '/a'), await other.mounted.prepare(settings(first), '/a')];
  t.same([await at(first), await at(second)], ['one', 'other'], 'until it is committed');
  changes.forEach((change) => change.commit());
  t.same([await at(first), await at(second)], ['other', 'one']);
  t.same([one.mounted.addresses(), other.mounted.addresses()], [[`127.0.0.1:${second}`], [`127.0.0.1:${first}`]]);
});

await t.test('a gateway that is loaded anew takes the place of its predecessor', async (t) => {
  const http = new SharedHttp(() => undefined, new Set());
  const { mounted: former, url } = await mount(t, http, '/a', says('former'), 0, 'one');
  const next = http.doorsFor('one').mount(says('next'));
  t.teardown(() => next.close());
  const change = await next.prepare(settings(), '/a');
  t.equal(await (await fetch(`${url}/a`)).text(), 'former', 'until it is committed');
  change.commit();
  t.equal(await (await fetch(`${url}/a`)).text(), 'next');
  former.close();
  t.equal(await (await fetch(`${url}/a`)).text(), 'next');
});

await t.test('what moves to another address ends its requests at the former one', async (t) => {
  let answer: (() => void) | undefined;
  let aborted = false;
  const { mounted, url } = await mount(t, new SharedHttp(() => undefined, new Set()), '/a', (_request, response, { signal }) => new Promise((resolve) => {
    answer = () => {
      aborted = signal.aborted;
      response.end('whole');
      resolve();
    };
  }));
  const running = fetch(`${url}/a`);
  running.catch(() => undefined);
  await until(() => answer !== undefined, 5000, 'the request arrives');
  (await mounted.prepare({ ...settings(), listen: [{ host: '127.0.0.2', port: 0 }] }, '/a')).commit();
  await t.rejects(fetch(`${url}/a`), 'nobody listens there any more');
  answer!();
  t.equal(await (await running).text(), 'whole');
  t.notOk(aborted);
});

await t.test('what was prepared and is not wanted leaves nothing open', async (t) => {
  const http = new SharedHttp(() => undefined, new Set());
  const { url } = await mount(t, http, '/a', says('a'));
  const taken = Number(new URL(url).port);
  const other = new SharedHttp(() => undefined, new Set());
  await t.rejects(other.doorsFor('b').mount(says('b')).prepare(settings(taken), '/b'), { code: 'EADDRINUSE' });
  const mounted = other.doorsFor('b').mount(says('b'));
  await (await mounted.prepare(settings(), '/b')).cancel();
  t.same(mounted.addresses(), []);
});

await t.test('faults of a handler, and bodies that are too long', async (t) => {
  const logged: string[] = [];
  const http = new SharedHttp((_level, message) => logged.push(message), new Set());
  const { url } = await mount(t, http, '/', async (request, response, { body }) => {
    if (request.url === '/no') throw new HttpError(409, 'not now', { 'x-why': 'so' });
    if (request.url === '/fault') throw new Error('a secret');
    if (request.url === '/status') throw new HttpError(200_000, 'x');
    if (request.url === '/header') throw new HttpError(302, 'x', { location: '/\r\nset-cookie: a=b' });
    response.end(String((await body()).length));
  });
  const refused = await fetch(`${url}/no`);
  t.same([refused.status, await refused.text(), refused.headers.get('x-why')], [409, 'not now\n', 'so']);
  const fault = await fetch(`${url}/fault`);
  t.equal(fault.status, 500);
  t.notMatch(await fault.text(), 'secret');
  t.ok(logged.includes('request failed'));
  for (const path of ['/status', '/header']) {
    const unsendable = await fetch(`${url}${path}`);
    t.same([unsendable.status, unsendable.headers.get('set-cookie')], [500, null], path);
  }
  t.equal(await (await fetch(url, { method: 'POST', body: 'x'.repeat(1000) })).text(), '1000');
  t.equal((await fetch(url, { method: 'POST', body: 'x'.repeat(HTTP_BODY + 1) })).status, 413);
});

await t.test('what is no HTTP is told so', async (t) => {
  const { url } = await mount(t, new SharedHttp(() => undefined, new Set()), '/', says('a'));
  const socket = createConnection(Number(new URL(url).port), '127.0.0.1');
  socket.end('list\r\n\r\n');
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  t.match(text, /^HTTP\/1\.1 400 /);
});

await t.test('who is one too many is told so', async (t) => {
  const { url } = await mount(t, new SharedHttp(() => undefined, new Set()), '/', says('here'));
  const { port } = new URL(url);
  const held: Socket[] = [];
  t.teardown(() => held.forEach((socket) => socket.destroy()));
  for (let count = 0; count < settings().maxConnections; count += 1) {
    const socket = createConnection(Number(port), '127.0.0.1');
    held.push(socket);
    await once(socket, 'connect');
  }
  const refused = await exchange(url, 'GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  t.match(refused, /^HTTP\/1\.1 503 Service Unavailable\r\nconnection: close\r\n[^]*retry-after: \d+\r\n\r\ntoo many connections\n$/);
  held.pop()!.destroy();
  await until(async () => (await exchange(url, 'GET / HTTP/1.0\r\n\r\n')).endsWith('here'), 10_000, 'a place');
});

await t.test('drain lets a request end, and takes no other', async (t) => {
  let answer = (): void => undefined;
  const { mounted, url } = await mount(t, new SharedHttp(() => undefined, new Set()), '/', (_request, response) => new Promise((resolve) => {
    answer = () => { response.end('late'); resolve(); };
  }));
  const running = fetch(url);
  while (String(answer) === '() => undefined') await new Promise((resolve) => { setTimeout(resolve, 5); });
  const deadline = new Deadline(5000);
  const drained = mounted.drain(deadline);
  t.equal((await fetch(url)).status, 503);
  answer();
  t.equal(await (await running).text(), 'late');
  await drained;
  t.notOk(deadline.exceeded);
  deadline.clear();
});

await t.test('requests that are sent ahead are answered one after the other, and not without end', async (t) => {
  let underWay = 0;
  let most = 0;
  let begun = 0;
  const { url } = await mount(t, new SharedHttp(() => undefined, new Set()), '/a', async (request, response) => {
    begun += 1;
    underWay += 1;
    most = Math.max(most, underWay);
    await new Promise((resolve) => setTimeout(resolve, 2));
    underWay -= 1;
    response.end(`<${request.url}>`);
  });
  const requests = (count: number): string => Array.from({ length: count }, (_, i) => `GET /a/${i} HTTP/1.1\r\nHost: x\r\n\r\n`).join('');
  t.same((await exchange(url, requests(10), '</a/9>')).match(/<[^>]+>/g), Array.from({ length: 10 }, (_, i) => `</a/${i}>`));
  t.equal(most, 1);
  begun = 0;
  await exchange(url, requests(10_000));
  t.ok(begun <= HTTP_SENT_AHEAD, `${begun} begun of one who sends thousands`);
});

await t.test('the end of an answer sets no limit on the next one that is under way', async (t) => {
  const { url } = await mount(t, new SharedHttp(() => undefined, new Set()), '/', (request, response, { lasting }) => {
    if (request.url === '/last') {
      lasting();
      response.write('begun');
      return new Promise((resolve) => response.once('close', resolve));
    }
    // not awaited: the next one begins before this answer is out
    response.end('quick');
    return undefined;
  });
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const socket = createConnection(Number(new URL(url).port), '127.0.0.1');
  let answer = '';
  let isClosed = false;
  socket.setEncoding('utf8').on('data', (chunk: string) => { answer += chunk; }).on('error', () => undefined).on('close', () => { isClosed = true; });
  t.teardown(() => socket.destroy());
  socket.write('GET /first HTTP/1.1\r\nHost: x\r\n\r\nGET /last HTTP/1.1\r\nHost: x\r\n\r\n');
  while (!answer.includes('begun')) await new Promise(setImmediate);
  mock.timers.tick(HTTP_KEEP_ALIVE);
  for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
  t.notOk(isClosed);
});

await t.test('an address that cannot be read is refused at once', async (t) => {
  const logged: string[] = [];
  const { url } = await mount(t, new SharedHttp((level) => logged.push(level), new Set()), '/', says('x'));
  for (const target of ['http://[', 'http://a:99999/x', 'ftp://a/x', 'x', '*', '?/', '\\\\x\\a']) {
    t.match(await exchange(url, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 400 /, target);
  }
  t.equal(logged.includes('error'), false, 'it is no fault of the server');
});

await t.test('a connection is taken over for another protocol', async (t) => {
  const http = new SharedHttp(() => undefined, new Set());
  const taken: Socket[] = [];
  const mounted = http.doorsFor('w').mount(says('http'), (request, socket, head, { path, address, signal }) => {
    if (path === '/w/no') throw new HttpError(403, 'not you');
    if (path === '/w/fault') throw new Error('a secret');
    taken.push(socket);
    signal.addEventListener('abort', () => taken.splice(taken.indexOf(socket), 1));
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n${address} ${request.headers.upgrade} ${String(head)}`);
    socket.on('data', (chunk) => socket.write(`<${String(chunk)}>`)).on('end', () => socket.destroy());
  });
  t.teardown(() => mounted.close());
  (await mounted.prepare(settings(), '/w')).commit();
  const url = `http://${mounted.addresses()[0]}`;
  const asks = (path: string, rest = ''): string => `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n${rest}`;
  t.match(await exchange(url, asks('/w/a', 'early'), 'early'), /^HTTP\/1\.1 101 [^]*127\.0\.0\.1 echo early$/);
  await until(() => taken.length === 0, 5000, 'the signal of who has gone');
  t.match(await exchange(url, asks('/w/no')), /^HTTP\/1\.1 403 Forbidden\r\nconnection: close\r\n[^]*not you\n$/);
  t.notMatch(await exchange(url, asks('/w/fault')), 'secret');
  t.match(await exchange(url, asks('/other'), 'nothing here'), /^HTTP\/1\.1 404 /);
  const behind = await exchange(url, `GET /w HTTP/1.1\r\nhost: x\r\n\r\n${asks('/w/a', 'last')}`, 'last');
  t.match(behind, /^HTTP\/1\.1 200 [^]*http[^]*HTTP\/1\.1 101 [^]*last$/, 'one behind a request waits for its answer');
  const plain = http.doorsFor('p').mount(says('http'));
  t.teardown(() => plain.close());
  (await plain.prepare(settings(), '/p')).commit();
  t.match(await exchange(`http://${plain.addresses()[0]}`, asks('/p'), 'http'), /^HTTP\/1\.1 200 [^]*http$/, 'who speaks HTTP alone answers by that');
  const open = exchange(url, asks('/w/a'));
  await until(() => taken.length === 1, 5000, 'the one that is open');
  await mounted.drain(new Deadline(1000));
  t.equal(taken.length, 1, 'it is the gateway\'s to end');
  mounted.close();
  t.match(await open, /101/);
});

await t.test('a connection that was taken over has no time limit, and one that takes too long to be has', async (t) => {
  let take = (): void => undefined;
  const mounted = new SharedHttp(() => undefined, new Set()).doorsFor('w').mount(says('http'), async (_request, socket) => {
    await new Promise<void>((resolve) => { take = resolve; });
    socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
  });
  t.teardown(() => mounted.close());
  (await mounted.prepare(settings(), '/')).commit();
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const open = (): { socket: Socket; isClosed: () => boolean } => {
    let isClosed = false;
    const socket = createConnection(Number(mounted.addresses()[0]!.split(':')[1]), '127.0.0.1');
    socket.on('error', () => undefined).on('close', () => { isClosed = true; }).resume();
    t.teardown(() => socket.destroy());
    socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
    return { socket, isClosed: () => isClosed };
  };
  const none = take;
  const { socket, isClosed } = open();
  while (take === none) await new Promise(setImmediate);
  take();
  await once(socket, 'data');
  mock.timers.tick(HTTP_REQUEST_TIMEOUT * 2);
  for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
  t.notOk(isClosed(), 'it lasts');
  take = none;
  const slow = open();
  while (take === none) await new Promise(setImmediate);
  mock.timers.tick(HTTP_REQUEST_TIMEOUT);
  while (!slow.isClosed()) await new Promise(setImmediate);
  t.pass('it is cut');
});

await t.test('an address and a head that are too long', async (t) => {
  const { url } = await mount(t, new SharedHttp(() => undefined, new Set()), '/', says('x'));
  t.match(await exchange(url, `GET /${'a'.repeat(HTTP_URL_SIZE)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 414 /);
  t.match(await exchange(url, `GET / HTTP/1.1\r\nHost: x\r\nx-long: ${'a'.repeat(HTTP_HEAD_SIZE)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
});
