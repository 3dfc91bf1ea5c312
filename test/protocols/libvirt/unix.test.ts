import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { openOverUnix } from '../../../src/protocols/libvirt/unix.js';
import { XdrWriter } from '../../../src/protocols/libvirt/xdr.js';
import { FakeLibvirtd } from './fake.js';

const folder = mkdtempSync(join(tmpdir(), 'argo-unix-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const options = (signal = AbortSignal.timeout(10_000)) => ({ uri: 'qemu:///system', signal, onEvent: () => undefined });
const absent = join(folder, 'absent');

await t.test('the first socket on which somebody listens', async (t) => {
  const present = join(folder, 'present');
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    new FakeLibvirtd(socket, (call, self) => self.reply(call, new XdrWriter().int(0).bytes()));
  });
  await new Promise<void>((resolve) => { server.listen(present, resolve); });
  t.teardown(() => server.close());
  const client = await openOverUnix([absent, present], options());
  await client.close(AbortSignal.timeout(10_000));
  t.match(await client.closed, { message: 'closed' });
});

await t.test('none', async (t) => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  await t.rejects(openOverUnix([absent, file], options()), { code: 'ENOENT' }, 'the error of the first');
  await t.rejects(openOverUnix([file], options()), { code: 'ECONNREFUSED' });
  const reason = new Error('enough');
  await t.rejects(openOverUnix([absent], options(AbortSignal.abort(reason))), reason);
});

await t.test('somebody else listens', async (t) => {
  const path = join(folder, 'stranger');
  const server = createServer((socket) => socket.end('220 mail.example ESMTP\r\n'));
  await new Promise<void>((resolve) => { server.listen(path, resolve); });
  t.teardown(() => server.close());
  await t.rejects(openOverUnix([path], options()), { name: 'ConnectionLostError', message: /not libvirt's protocol/ });
});
