import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { fromRoot } from '../paths.js';

/** What the client's callback is given. */
export interface QooxdooReply {
  readonly id: unknown;
  readonly result: unknown;
  readonly error: { readonly origin: number; readonly code: number; readonly message: string } | null;
}

export interface QooxdooCall {
  readonly service: string;
  readonly method: string;
  readonly params: readonly unknown[];
  /** `qx1` where it is left out */
  readonly protocol?: 'qx1' | '2.0';
  /** by a script element, for another origin */
  readonly cross?: boolean;
}

/** The classes that qx.io.remote.Rpc needs, each behind those that it is made from. */
const CLASSES = readFileSync(fromRoot('test', 'support', 'oms', 'qooxdoo-classes.txt'), 'utf8').trim().split('\n');
const SOURCES = fromRoot('node_modules', '@qooxdoo', 'framework', 'source', 'class');

/** How long a call waits before the client itself gives up, ms. */
const CLIENT_TIMEOUT = 8000;

interface Rpc {
  setProtocol(protocol: string): void;
  setTimeout(ms: number): void;
  setCrossDomain(is: boolean): void;
  callAsync(done: (result: unknown, error: QooxdooReply['error'], id: unknown) => void, method: string, ...params: readonly unknown[]): void;
}

/**
 * The client by which OMS' own pages called it: qx.io.remote.Rpc of qooxdoo 6, its classes as they are, in a browser.
 * @param page a document of the origin that calls
 */
export async function loadQooxdoo(page: Page): Promise<void> {
  await page.evaluate(() => {
    const environment = { 'qx.application': 'none', 'qx.debug': false, 'qx.version': '6.0.4' };
    Object.assign(globalThis, { qx: { $$environment: environment, $$libraries: {}, $$resources: {}, $$translations: {}, $$locales: {}, $$loader: {} } });
  });
  const sources = CLASSES.map((name) => `${readFileSync(`${SOURCES}/${name.replaceAll('.', '/')}.js`, 'utf8')}\n//# sourceURL=${name}`);
  await page.evaluate((all) => {
    // in the page's own scope, as script elements would be
    const run = globalThis.eval;
    for (const source of all) run(source);
  }, sources);
}

/** One call, as a page makes it. */
export const callByQooxdoo = (page: Page, url: string, call: QooxdooCall): Promise<QooxdooReply> =>
  page.evaluate(
    ([address, { service, method, params, protocol, cross }, timeout]) =>
      new Promise<QooxdooReply>((resolve) => {
        const { qx } = globalThis as unknown as { qx: { io: { remote: { Rpc: new (url: string, service: string) => Rpc } } } };
        const rpc = new qx.io.remote.Rpc(address, service);
        rpc.setProtocol(protocol ?? 'qx1');
        rpc.setTimeout(timeout);
        rpc.setCrossDomain(cross ?? false);
        rpc.callAsync(
          (result, error, id) =>
            resolve({ id, result, error: error && { origin: error.origin, code: error.code, message: error.message } }),
          method,
          ...params,
        );
      }),
    [url, call, CLIENT_TIMEOUT] as const,
  );
