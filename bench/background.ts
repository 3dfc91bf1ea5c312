import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Keeps one request under way on a connection of its own: as soon as it is answered it is sent again. */
export interface Background {
  stop(): void;
}

/**
 * Logs in and starts to repeat a request. A reply that is an error is as good as any other here.
 * @param login the `auth` line
 */
export async function repeat(port: number, login: string, request: string): Promise<Background> {
  const socket: Socket = connect(port, '127.0.0.1');
  socket.setEncoding('utf8').setNoDelay(true);
  await once(socket, 'connect');
  let rest = '';
  const loggedIn = new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the background connection was closed')));
    socket.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (/^(300|400)\b/.test(line)) {
          resolve();
          socket.write(request);
        }
      }
    });
  });
  socket.write(login);
  await loggedIn;
  return { stop: () => socket.destroy() };
}
