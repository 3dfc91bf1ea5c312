/** A node:http server that reads a call of JSON-RPC, looks its session up and answers: `bare-rpc.js PORT SESSION`. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

interface Call {
  readonly id: unknown;
  readonly params: readonly [string];
}

const hashOf = (session: string): string => createHash('sha256').update(session).digest('base64url');

const [port, session] = process.argv.slice(2);
const sessions = new Map([[hashOf(session!), true]]);
createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk)).once('end', () => {
    const { id, params: [key] } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Call;
    const body = JSON.stringify({ error: null, id, result: { type: 'auth', result: sessions.has(hashOf(key)) ? 0 : 1 } });
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    response.end(body);
  });
}).listen(Number(port), '127.0.0.1', () => process.stdout.write('listening\n'));
