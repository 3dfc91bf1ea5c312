/**
 * The measure for ours: as little as a line server in Node can do. It splits what comes into lines
 * and answers each with the same text, which the bench sets to what argo-server answers.
 *
 *     node bare-server.js PORT line|chunk    (the reply comes in BARE_REPLY)
 *
 * line: one write for each request. chunk: one write for all requests that came in one chunk.
 */
import { createServer } from 'node:net';

const [port, mode] = process.argv.slice(2);
const reply = process.env.BARE_REPLY ?? '200 OK\n300 DONE\n';
const oneWriteALine = mode === 'line';

createServer({ noDelay: true }, (socket) => {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (oneWriteALine) lines.forEach(() => socket.write(reply));
    else if (lines.length > 0) socket.write(reply.repeat(lines.length));
  });
}).listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 });
