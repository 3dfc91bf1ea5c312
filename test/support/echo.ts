import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { Test } from 'tap';

/** A server of 127.0.0.1 that greets whoever comes, and says back what it hears. */
export async function startEcho(t: Test, ...greeting: readonly Buffer[]): Promise<{ where: { host: string; port: number }; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    for (const part of greeting) socket.write(part);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => { sockets.forEach((socket) => socket.destroy()); server.close(); });
  return { where: { host: '127.0.0.1', port: (server.address() as AddressInfo).port }, sockets };
}
