import { createConnection } from 'node:net';
import { mock } from 'node:test';
import t from 'tap';
import { HTTP_BODY, HTTP_HEAD_SIZE, HTTP_KEEP_ALIVE, HTTP_LAST_WORDS, HTTP_REQUEST_TIMEOUT } from '../../src/kit/limits.js';
import { SharedHttp } from '../../src/listening/http.js';
import { until } from '../support/until.js';
import { exchange, mount, settings } from './serving.js';

await t.test('who sends more than is read gets the answer all the same, and no other', async (t) => {
  let begun = 0;
  const { url } = await mount(t, new SharedHttp(() => undefined, new Set()), '/', async (_request, response, { body }) => {
    begun += 1;
    response.end(String((await body()).length));
  });
  const much = 'x'.repeat(8 * HTTP_BODY);
  for (const [text, status] of [
    [`POST /long HTTP/1.1\r\nHost: x\r\nContent-Length: ${much.length}\r\n\r\n${much}`, 413],
    [`POST /chunks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${much.length.toString(16)}\r\n${much}\r\n0\r\n\r\n`, 413],
    [`GET / HTTP/1.1\r\nHost: x\r\nx-long: ${much}\r\n\r\n`, 431],
  ] as const) {
    begun = 0;
    const answer = await exchange(url, `${text}GET /behind HTTP/1.1\r\nHost: x\r\n\r\n`);
    t.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
    t.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1);
    t.equal(begun, status === 431 ? 0 : 1, 'what is sent behind the last answer is not begun');
  }
});

await t.test('what is no HTTP behind a request never stands in its answer', async (t) => {
  const { url } = await mount(t, new SharedHttp(() => undefined, new Set()), '/', async (_request, response, { lasting }) => {
    lasting();
    response.write('begun');
    await new Promise((resolve) => { response.once('close', resolve); });
  });
  t.notMatch(await exchange(url, 'GET / HTTP/1.1\r\nHost: x\r\n\r\nno HTTP\r\n\r\n'), / 400 /);
});

await t.test('a body that is broken', async (t) => {
  const { url } = await mount(t, new SharedHttp(() => undefined, new Set()), '/', async (_request, response, { body }) => {
    response.end(String((await body()).length));
  });
  const head = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
  const whole = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
  for (const [name, text] of [
    ['no chunk', `${head}zz\r\n`], ['a chunk that is longer than it says', `${head}2\r\nabcd\r\n`], ['a long extension', `${head}1;${'a'.repeat(HTTP_HEAD_SIZE + 1)}\r\nx\r\n`],
    ['a long trailer', `${head}2\r\n{}\r\n0\r\nx: ${'a'.repeat(HTTP_HEAD_SIZE + 1)}\r\n\r\n`],
  ] as const) t.match(await exchange(url, text), /^HTTP\/1\.1 4(?:00|31) [^]*\r\n\r\n$/, name);
  const answers = (await exchange(url, `${whole}${head}zz\r\n`)).match(/HTTP\/1\.1 \d+/g) ?? [];
  t.ok(answers.length <= 1 && answers[0] !== 'HTTP/1.1 400', 'nothing is said of it in the place of an answer to another request');
});

await t.test('an answer is with its client before the next request is begun, and before the connection is taken over', async (t) => {
  const http = new SharedHttp(() => undefined, new Set());
  const long = 'x'.repeat(4 * 1024 * 1024);
  let begun = 0;
  const mounted = http.doorsFor('w').mount((_request, response) => {
    begun += 1;
    response.end(long);
  }, (_request, socket) => void socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\ntaken'));
  t.teardown(() => mounted.close());
  (await mounted.prepare(settings(), '/')).commit();
  const ahead = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3);
  const url = `http://${mounted.addresses()[0]}`;
  const answer = await exchange(url, `${ahead}GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n`);
  t.same(answer.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 101']);
  t.ok(answer.endsWith('\r\n\r\ntaken'));
  begun = 0;
  const socket = createConnection(Number(new URL(url).port), '127.0.0.1', () => socket.pause().write(ahead.repeat(4)));
  t.teardown(() => socket.destroy());
  await until(() => begun > 0, 5000, 'the first');
  const before = begun;
  // as many turns as it would take to begin all of them
  for (let turn = 0; turn < 200; turn += 1) await new Promise(setImmediate);
  t.ok(begun < 12, `${before}, then ${begun} of 12 begun for who does not read`);
});

await t.test('a client that offers HTTP/2 is answered by HTTP/1.1, with its body', async (t) => {
  const http = new SharedHttp(() => undefined, new Set());
  const mounted = http.doorsFor('w').mount(async ({ headers, method }, response, { body }) => {
    response.end(`<${method} ${headers.upgrade ?? 'no offer'} ${headers['x-own']} ${String(await body())}>`);
  }, (_request, socket) => void socket.end('taken'));
  t.teardown(() => mounted.close());
  (await mounted.prepare(settings(), '/')).commit();
  const url = `http://${mounted.addresses()[0]}`;
  const offer = (rest: string): string => `POST / HTTP/1.1\r\nHost: x\r\nX-Own: y\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n${rest}`;
  t.match(await exchange(url, offer('Content-Length: 4\r\n\r\nbodyGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')), /<POST no offer y body>[^]*<GET no offer undefined >$/);
  t.match(await exchange(url, offer('Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n'), '>'), /<POST no offer y body>$/);
});

await t.test('heads in which two could read different things', async (t) => {
  const { url } = await mount(t, new SharedHttp(() => undefined, new Set()), '/a', ({ headers }, response) => {
    response.end(`<${headers.host} ${headers['x-last']}>`);
  });
  const head = (...lines: string[]): string => [...lines, 'Connection: close', '', ''].join('\r\n');
  for (const [name, text] of [
    ['two hosts', head('GET /a HTTP/1.1', 'Host: x', 'Host: y')],
    ['a length and chunks', `${head('POST /a HTTP/1.1', 'Host: x', 'Content-Length: 3', 'Transfer-Encoding: chunked')}0\r\n\r\n`],
    ['two lengths', `${head('POST /a HTTP/1.1', 'Host: x', 'Content-Length: 3', 'Content-Length: 4')}body`],
    ['chunks that are not the last coding', `${head('POST /a HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked, identity')}0\r\n\r\n`],
    ['a space before the colon', head('GET /a HTTP/1.1', 'Host : x')],
  ] as const) t.match(await exchange(url, text), /^HTTP\/1\.1 400 /, name);
  for (const path of ['//x/a', '//a']) t.match(await exchange(url, head(`GET ${path} HTTP/1.1`, 'Host: x')), /^HTTP\/1\.1 404 /, path);
  t.match(await exchange(url, head('GET http://y:1/a HTTP/1.1', 'Host: x')), /<y:1 undefined>$/, 'an address with a host is right about it');
  t.match(await exchange(url, head('GET /a HTTP/1.1', 'Host: x', ...Array.from({ length: 2500 }, () => 'a:b'), 'X-Last: z')), /<x z>$/, 'no header is left out');
});

await t.test('a request whose time is over is answered', async (t) => {
  const logged: string[] = [];
  const { url } = await mount(t, new SharedHttp((level) => logged.push(level), new Set()), '/', async (request, response, { body, signal }) => {
    arrived += 1;
    if (request.url === '/told') {
      await new Promise((_, reject) => { signal.addEventListener('abort', () => reject(signal.reason as Error)); });
    }
    if (request.url === '/begun') response.write('begun');
    if (request.url === '/body') await body();
    await new Promise((resolve) => { response.once('close', resolve); });
  });
  let arrived = 0;
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  for (const [path, more, expected] of [
    ['/told', '', /^HTTP\/1\.1 504 [^]*no answer in 30 s/], ['/deaf', '', /^HTTP\/1\.1 504 [^]*no answer in 30 s/],
    ['/body', 'Content-Length: 5\r\n', /^HTTP\/1\.1 408 [^]*did not come in 30 s/], ['/begun', '', /begun\r\n$/],
  ] as const) {
    arrived = 0;
    const answer = exchange(url, `POST ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`);
    while (arrived === 0) await new Promise(setImmediate);
    mock.timers.tick(HTTP_REQUEST_TIMEOUT);
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    mock.timers.tick(HTTP_LAST_WORDS);
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    mock.timers.tick(HTTP_KEEP_ALIVE);
    t.match(await answer, expected, path);
  }
  t.notOk(logged.includes('error'));
});

await t.test('a connection that was taken over goes on where its gateway moves, until that ends it', async (t) => {
  const mounted = new SharedHttp(() => undefined, new Set()).doorsFor('w').mount(() => undefined, (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\ntaken');
    socket.on('data', (chunk) => socket.write(`<${String(chunk)}>`));
  });
  t.teardown(() => mounted.close());
  (await mounted.prepare(settings(), '/')).commit();
  const socket = createConnection(Number(mounted.addresses()[0]!.split(':')[1]), '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n'));
  let [said, isClosed] = ['', false];
  socket.on('data', (chunk) => { said += String(chunk); }).on('error', () => undefined).on('close', () => { isClosed = true; });
  await until(() => said.endsWith('taken'), 5000, 'the other protocol');
  (await mounted.prepare({ ...settings(), listen: [{ host: '127.0.0.2', port: 0 }] }, '/')).commit();
  socket.write('still here');
  await until(() => said.endsWith('<still here>'), 5000, 'an answer');
  mounted.close();
  await until(() => isClosed, 5000, 'the end');
});
