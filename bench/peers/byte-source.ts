/**
 * What stands behind a console: `byte-source.js PORT`. The first byte of a connection says what it does: `f` sends as much
 * as is taken, `e` sends back what comes.
 */
import { createServer, type Socket } from 'node:net';

const CHUNK = Buffer.alloc(64 * 1024, 0x61);

function flood(socket: Socket): void {
  const more = (): void => { while (socket.writable && socket.write(CHUNK)); };
  socket.on('drain', more);
  more();
}

createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.once('data', (first) => {
    if (first[0] === 0x66) return flood(socket);
    socket.write(first);
    socket.on('data', (data) => socket.write(data));
  });
}).listen(Number(process.argv[2]), '127.0.0.1', () => process.stdout.write('listening\n'));
