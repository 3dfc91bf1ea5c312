import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import t from 'tap';
import { pipesDrained } from '../../src/kit/programs.js';

/** Stands still as a process does that gets no turn: longer than outputs are waited for. */
const standStill = (): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);

await t.test('what a program had written when it ended is read, also by a process that stood still meanwhile', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  // in the place of a pipe: that a program has ended is told before its output is looked at only now and then
  const stdout = connect(port, '127.0.0.1');
  const [writes] = await once(server, 'connection') as [Socket];
  await once(stdout, 'connect');
  t.teardown(() => {
    writes.destroy();
    server.close();
  });
  let text = '';
  stdout.on('data', (chunk: Buffer) => { text += chunk.toString(); });
  const child = Object.assign(new EventEmitter(), { stdout, stderr: null }) as unknown as ChildProcess;
  writes.write('all of it\n');
  const drained = pipesDrained(child);
  standStill();
  await drained;
  t.equal(text, 'all of it\n');
  t.ok(stdout.destroyed);
});

await t.test('what one leaves behind that goes on to write is not listened to for ever', async (t) => {
  const child = spawn('sh', ['-c', '(while :; do echo more; sleep 0.01; done) & exit 0'], { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => process.kill(-child.pid!, 'SIGKILL'));
  child.stdout.on('data', () => undefined);
  await once(child, 'exit');
  await pipesDrained(child);
  t.ok(child.stdout.destroyed && child.stderr.destroyed);
});
