import { createConnection } from 'node:net';
import type { Test } from 'tap';
import type { EntranceSettings } from '../../src/listening/entrance.js';
import type { HttpHandler, SharedHttp } from '../../src/listening/http.js';

export const settings = (port = 0): EntranceSettings =>
  ({ listen: [{ host: '127.0.0.1', port }], tlsListen: [], tls: undefined, maxConnections: 8, maxConnectionsPerAddress: 8 });

export async function mount(t: Test, http: SharedHttp, path: string, handler: HttpHandler, port = 0, name = path) {
  const mounted = http.doorsFor(name).mount(handler);
  t.teardown(() => mounted.close());
  (await mounted.prepare(settings(port), path)).commit();
  return { mounted, url: `http://${mounted.addresses()[0]}` };
}

export const says = (word: string): HttpHandler => (_request, response) => { response.end(word); };

/** All that comes back to what is sent on one connection, until the server closes it or what ends it has come. */
export const exchange = (url: string, text: string, end?: string): Promise<string> => new Promise((resolve) => {
  let answer = '';
  const socket = createConnection(Number(new URL(url).port), '127.0.0.1', () => socket.write(text));
  socket.on('data', (chunk) => {
    answer += chunk.toString();
    if (end !== undefined && answer.includes(end)) socket.destroy();
  }).on('error', () => undefined).on('close', () => resolve(answer));
});
