import { once } from 'node:events';
import { connect } from 'node:net';
import { cpuMicroseconds } from './process.js';

/** One request over and over, by connections that are kept. Bodies are counted and not looked at, so that the client is not what is measured. */
export interface HttpLoad {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  /** its head, with the empty line behind it */
  readonly request: string;
}

export interface HttpMeasured {
  readonly rps: number;
  /** server CPU a request, µs */
  readonly cpuUs: number;
}

/** Reads one answer after the other off one connection. */
async function follow({ port, request }: HttpLoad, until: () => boolean, answered: () => void): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  let head = Buffer.alloc(0);
  let left = 0;
  socket.write(request);
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      let rest = chunk;
      while (rest.length > 0) {
        if (left === 0) {
          head = Buffer.concat([head, rest]);
          const end = head.indexOf('\r\n\r\n');
          if (end === -1) break;
          const text = head.toString('latin1', 0, end);
          if (!text.startsWith('HTTP/1.1 200 ')) throw new Error(text.slice(0, 100));
          left = Number(/content-length: (\d+)/i.exec(text)![1]);
          rest = head.subarray(end + 4);
          head = Buffer.alloc(0);
        }
        const taken = Math.min(left, rest.length);
        left -= taken;
        rest = rest.subarray(taken);
        if (left > 0) break;
        answered();
        if (until()) return;
        socket.write(request);
      }
    }
  } finally {
    socket.destroy();
  }
}

export async function measureHttp(pid: number, load: HttpLoad): Promise<HttpMeasured> {
  let answers = 0;
  const [began, spent] = [performance.now(), cpuMicroseconds(pid)];
  const end = began + load.seconds * 1000;
  await Promise.all(Array.from({ length: load.connections }, () => follow(load, () => performance.now() > end, () => { answers += 1; })));
  const seconds = (performance.now() - began) / 1000;
  return { rps: answers / seconds, cpuUs: (cpuMicroseconds(pid) - spent) / answers };
}
