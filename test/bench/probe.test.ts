import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import t from 'tap';
import { measure, type LoadResult } from '../../bench/load.js';
import { waitRow } from '../../bench/probe.js';

const ANSWERED_AFTER = 50;

/** A server that takes its time for each line. @returns its port */
async function slowServer(t: { teardown(end: () => void): void }): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (lines) => setTimeout(() => socket.write('300 DONE\n'.repeat(String(lines).split('\n').length - 1)), ANSWERED_AFTER));
  });
  t.teardown(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

await t.test('a request on a timetable is timed from its sending to the whole reply', async (t) => {
  const port = await slowServer(t);
  const result: LoadResult = await measure(process.pid, { port, rate: 100, seconds: 0.5, warmUp: 0.1 });
  t.ok(result.replies > 0);
  t.ok(result.p50us >= 1000 * (ANSWERED_AFTER - 1), 'no reply counts as sooner than it was sent: timers end up to 1 ms early');
  t.ok(result.maxus >= result.p50us);
  t.ok(result.lateP99us > 0, 'no clock wakes in time');
});

await t.test('a wait is shown beside the lateness of a clock', async (t) => {
  const row = waitRow('nop', [{ p99: 3, longest: 9, late: 2, memory: 0 }, { p99: 4, longest: 12, late: 1, memory: 0 }, { p99: 6, longest: 7, late: 4, memory: 0 }]);
  t.match(row, { what: 'nop', unit: 'ms', ours: { median: 4 }, peer: { figure: { median: 2 } }, target: { text: '< 5 ms', met: true } });
  t.match(waitRow('nop', [{ p99: 3, longest: 9, late: 2, memory: 0 }], 5, 'longest'), { ours: { median: 9 }, target: { met: false } });
});
