import { getEventListeners } from 'node:events';
import t from 'tap';
import { NoWayError } from '../../../src/protocols/libvirt/errors.js';
import { openOverSsh } from '../../../src/protocols/libvirt/ssh.js';
import { exit, serve } from '../ssh/server.js';

/** Ways to libvirtd over SSH that lead nowhere; those that do are tried with a real one. */

const URI = 'qemu:///system';
const WITHIN_MS = 60_000;

await t.test('no way leads there', async (t) => {
  const server = await serve(t, { commands: {
    [`virt-ssh-helper '${URI}'`]: (channel) => exit(channel, 127, '', 'sh: virt-ssh-helper: not found\n'),
    'nc -U \'/run/one\'': (channel) => exit(channel, 1),
  } });
  const signal = AbortSignal.timeout(WITHIN_MS);
  const open = (): Promise<unknown> => openOverSsh(server.options(), ['/run/one'], { uri: URI, signal, onEvent: () => undefined });
  for (let times = 0; times < 3; times += 1) {
    const error = await open().catch((thrown: unknown) => thrown);
    t.type(error, NoWayError);
    t.match((error as Error).message, /\/run\/one: .+; virt-ssh-helper: sh: virt-ssh-helper: not found; nc -U \/run\/one: exit status 1/);
  }
  t.equal(getEventListeners(signal, 'abort').length, 0, 'nobody listens to it any longer');
});

await t.test('a way that says nothing more is left at the signal', async (t) => {
  const server = await serve(t, { commands: { [`virt-ssh-helper '${URI}'`]: (channel) => void channel.stderr.write('wait for it') } });
  const stop = new AbortController();
  const opening = openOverSsh(server.options(), [], { uri: URI, signal: stop.signal, onEvent: () => undefined }).catch((thrown: unknown) => thrown);
  const reason = new Error('enough');
  const timer = setInterval(() => { if (server.commands.length > 0) stop.abort(reason); }, 10);
  t.equal(await opening, reason);
  clearInterval(timer);
  t.equal(getEventListeners(stop.signal, 'abort').length, 0);
});
