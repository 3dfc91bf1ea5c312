import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Browser, Page } from 'playwright-core';
import { everything, LOGIN, omsTable } from '../support/oms/accounts.js';
import { OmsClient } from '../support/oms/client.js';
import { callByQooxdoo, loadQooxdoo, type QooxdooCall } from '../support/oms/qooxdoo.js';
import { startWorld } from '../support/oms/world.js';
import { fromRoot } from '../support/paths.js';
import { lacks } from '../support/peers.js';
import { runProgram } from '../support/programs.js';
import { launchBrowser, openContext } from '../support/web/browser.js';

/** Clients that we did not write: qooxdoo's own, noVNC, curl and Python's urllib. */

const HOST = 'funcclient';
const EMPTY_PAGE = '<!doctype html><body></body>';

async function start(t: Test, keys: string) {
  const { table, vnc } = await omsTable(keys);
  const daemon = await startWorld(t, await everything() + table, 2);
  return { daemon, vnc, url: `http://127.0.0.1:${daemon.ports[1]}/` };
}

/**
 * Somebody else's origin, with noVNC below `/novnc/`: browsers let no page that is not from this machine ask another server
 * on it.
 */
async function foreignOrigin(t: Test): Promise<string> {
  const server = createServer(({ url = '' }, response) => {
    const [, file] = /^\/novnc\/([\w./-]+)$/.exec(url) ?? [];
    response.writeHead(200, { 'content-type': file === undefined ? 'text/html' : 'text/javascript' });
    response.end(file === undefined ? EMPTY_PAGE : readFileSync(join(fromRoot('node_modules', '@novnc', 'novnc'), file)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => { server.closeAllConnections(); server.close(); });
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

/** @param isOurs the page is none that the origin has: the test answers for it */
async function openPage(t: Test, browser: Browser, origin: string, isOurs = true): Promise<Page> {
  const context = await openContext(browser);
  t.teardown(() => context.close());
  const page = await context.newPage();
  if (isOurs) await page.route(`${origin}/page`, (route) => route.fulfill({ contentType: 'text/html', body: EMPTY_PAGE }));
  await page.goto(`${origin}/page`);
  return page;
}

await t.test('clients in a browser', { skip: lacks('chromium') }, async (t) => {
  const browser = await launchBrowser();
  t.teardown(() => browser.close());

  await t.test('qooxdoo: XMLHttpRequest in both dialects, and errors', async (t) => {
    const { url } = await start(t, '');
    const page = await openPage(t, browser, url.slice(0, -1));
    await loadQooxdoo(page);
    const call = (service: string, method: string, params: readonly unknown[], more: Partial<QooxdooCall> = {}) =>
      callByQooxdoo(page, url, { service, method, params, ...more });
    t.match(await call('authservices', 'authenticate', [LOGIN.name, 'wrong']), { error: { origin: 2, code: 101, message: /^\[AuthError\]/ } });
    const { result } = await call('authservices', 'authenticate', [LOGIN.name, LOGIN.password]);
    t.match(result, { type: 'auth', result: /^[0-9A-F]{40}$/ });
    const { result: sessid } = result as { result: string };
    for (const protocol of ['qx1', '2.0'] as const) {
      t.match(await call('kvmservices', 'list_vms', [sessid, 0, HOST], { protocol }), { error: null, result: { type: 'func', result: { client: HOST, result: [{ id: 'openfiler', status: 0 }] } } }, protocol);
      t.match(await call('kvmservices', 'nothing', [sessid, 0], { protocol }), { result: null, error: { message: /^\[MethodNotFound\]/ } }, protocol);
      t.match(await call('kvmservices', 'check_session_vnc_connection', [sessid, 0, 1], { protocol }), { result: null, error: { code: 156, message: /^\[VNCConnectionCheckError\]/ } }, protocol);
    }
  });

  await t.test('qooxdoo: scripts, which a page of another origin gets where they are allowed', async (t) => {
    const { url } = await start(t, 'jsonp = true');
    const page = await openPage(t, browser, await foreignOrigin(t), false);
    await loadQooxdoo(page);
    const call = (method: string, params: readonly unknown[]) => callByQooxdoo(page, url, { service: 'authservices', method, params, cross: true });
    const { result } = await call('authenticate', [LOGIN.name, LOGIN.password]);
    t.match(result, { type: 'auth', result: /^[0-9A-F]{40}$/ });
    t.match(await call('checksessid', [(result as { result: string }).result]), { error: null, result: { type: 'auth', result: 0 } });
    t.match(await call('checksessid', ['x']), { error: { origin: 2, code: 101 } });
  });

  await t.test('qooxdoo: where they are not allowed, such a page learns nothing', async (t) => {
    const { url, daemon } = await start(t, '');
    const client = new OmsClient(daemon.ports[1]!);
    await client.login(LOGIN.name, LOGIN.password);
    const page = await openPage(t, browser, await foreignOrigin(t), false);
    await loadQooxdoo(page);
    t.match(await callByQooxdoo(page, url, { service: 'authservices', method: 'checksessid', params: [client.sessid], cross: true }), { result: null, error: { origin: 4, code: 1 } }, 'by a script: the client waits in vain');
    const read = await page.evaluate(([address, body]) => fetch(address, { method: 'POST', body }).then((answer) => answer.text(), (error: unknown) => String(error)), [url, JSON.stringify({ service: 'auth', method: 'checksessid', params: [client.sessid] })] as const);
    t.match(read, 'Failed to fetch', 'by fetch');
  });

  await t.test('noVNC shows a screen by the port that was set up', async (t) => {
    const { vnc, daemon } = await start(t, '');
    const client = new OmsClient(daemon.ports[1]!);
    await client.login(LOGIN.name, LOGIN.password);
    await client.result('kvm', 'set_up_vnc_connection', HOST, 'winxp2');
    const origin = await foreignOrigin(t);
    const page = await openPage(t, browser, origin, false);
    const shown = await page.evaluate(([library, address]) => new Promise((resolve, reject) => {
      const { document } = globalThis as unknown as { document: { readonly body: unknown; querySelector(name: 'canvas'): { readonly width: number; readonly height: number } } };
      void import(library).then(({ default: Rfb }: { default: new (place: unknown, url: string) => EventTarget }) => {
        const rfb = new Rfb(document.body, address);
        let name = '';
        rfb.addEventListener('desktopname', (event) => { ({ name } = (event as CustomEvent<{ name: string }>).detail); });
        rfb.addEventListener('connect', () => {
          const { width, height } = document.querySelector('canvas');
          resolve({ name, width, height });
        });
        rfb.addEventListener('disconnect', () => reject(new Error('cut off')));
      }, reject);
    }), [`${origin}/novnc/core/rfb.js`, `ws://127.0.0.1:${vnc}/?SESSID=${client.sessid}`] as const);
    t.match(shown, { name: 'winxp2', width: 16, height: 8 });
  });
});

await t.test('curl and urllib, as people who have the documentation call it', { skip: lacks('curl', 'python3') }, async (t) => {
  const { url, daemon } = await start(t, 'legacy-get = true');
  const curl = async (...args: string[]): Promise<unknown> => JSON.parse((await runProgram('curl', ['-sSg', ...args])).stdout) as unknown;
  const logged = await curl(`${url}?id=1&service=authservices&method=authenticate&params=["${LOGIN.name}","${LOGIN.password}"]`) as { result: { result: string } };
  const { result: { result: sessid } } = logged;
  t.match(await curl(`${url}?id=1&service=kvmservices&method=list_vms&params=["${sessid}",0,"${HOST}","cpu"]`), { result: { result: { client: HOST, result: [{ id: 'openfiler' }] } } });
  t.match(await curl('--data-urlencode', `_data_={"service":"kvm","method":"list_templates","id":2,"params":["${sessid}",0,"${HOST}"]}`, url), { id: 2, result: { result: { result: ['templatename', 'templeit'] } } });
  t.match(await curl('-d', 'service=auth', '-d', 'method=checksessid', '-d', 'id=3', '--data-urlencode', `params=["${sessid}"]`, url), { id: 3, result: { type: 'auth', result: 0 } });
  const program = `
import json, sys, urllib.parse, urllib.request
def call(service, method, *params):
    query = urllib.parse.urlencode({'id': 1, 'service': service, 'method': method, 'params': json.dumps(params)})
    answer = json.load(urllib.request.urlopen(sys.argv[1] + '?' + query, timeout=30))
    if answer['error']: raise Exception(answer['error']['message'])
    return answer['result']['result']
sessid = call('authservices', 'authenticate', '${LOGIN.name}', '${LOGIN.password}')
print(call('kvmservices', 'stop_vm', sessid, 0, '${HOST}', 'openfiler2')['result'], call('kvmservices', 'list_vms_status', sessid, 0, '${HOST}')['result']['openfiler2']['state'])
call('authservices', 'deauthenticate', sessid)
try: call('authservices', 'checksessid', sessid)
except Exception as error: print(error)
`;
  const { stdout, stderr } = await runProgram('python3', ['-c', program, url]);
  t.match(stdout, /^0 shutdown\n\[AuthError\] /, stderr);
  t.notMatch(daemon.stderr(), LOGIN.password);
});
