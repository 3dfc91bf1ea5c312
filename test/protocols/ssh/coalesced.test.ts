import { connect, createServer, type AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { SshSession } from '../../../src/protocols/ssh/session.js';
import { exit, serve } from './server.js';

const SOON_MS = 30_000;
/** Between the last byte from the server and the moment at which all of them go on at once, ms. */
const HELD_MS = 100;

/** A network that is slow to pass on what a server says, and passes it on in one piece then. */
async function slowNetwork(t: Test, port: number): Promise<number> {
  const network = createServer((client) => {
    const server = connect(port, '127.0.0.1');
    let held: Buffer[] = [];
    let timer: NodeJS.Timeout | undefined;
    client.pipe(server);
    server.on('data', (bytes: Buffer) => {
      held.push(bytes);
      clearTimeout(timer);
      timer = setTimeout(() => {
        client.write(Buffer.concat(held));
        held = [];
      }, HELD_MS);
    });
    client.on('close', () => server.destroy()).on('error', () => undefined);
    server.on('close', () => client.destroy()).on('error', () => undefined);
  });
  await new Promise<void>((resolve) => { network.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => network.close());
  return (network.address() as AddressInfo).port;
}

await t.test('a command whose beginning, output and end arrive in one piece', async (t) => {
  const server = await serve(t, {
    commands: {
      yes: (channel) => exit(channel, 0, 'yes\n'),
      no: (channel) => exit(channel, 3, '', 'no\n'),
      silent: (channel) => exit(channel, 0),
    },
  });
  const port = await slowNetwork(t, server.port);
  const session = new SshSession(() => server.options({ port }));
  t.teardown(() => session.close());
  const run = (command: string) => session.run('acts', command, { signal: AbortSignal.timeout(SOON_MS) });
  t.match(await run('yes'), { code: 0, stdout: 'yes\n' });
  t.match(await run('no'), { code: 3, stderr: 'no\n' });
  t.match(await run('silent'), { code: 0, stdout: '', stderr: '' });
});
