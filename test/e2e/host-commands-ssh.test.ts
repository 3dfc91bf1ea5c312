import t from 'tap';
import type { HostCommandOptions, Words } from '../../src/drivers/management/host-commands.js';
import { SshCommands } from '../../src/drivers/management/ssh-commands.js';
import { sshOptions } from '../../src/drivers/ssh/options.js';
import { SshSession } from '../../src/protocols/ssh/session.js';
import { outcome } from '../drivers/driving.js';
import { commandsDoAsSaid } from '../drivers/management/host-commands.js';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { lacksRoot } from '../support/peers.js';

/** Commands on a host over a real sshd. */

const WAIT_MS = 60_000;
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS);

await t.test('over SSH', { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 170_000 }, async (t) => {
  const peer = await startLibvirt();
  t.teardown(() => peer.stop());
  const sshd = await peer.startSshd();
  let opened = 0;
  const access = { 'private-key-file': sshd.privateKeyFile, 'known-hosts-file': sshd.knownHostsFile, 'accept-new-host-keys': false };
  const commands = new SshCommands(() => {
    opened += 1;
    return new SshSession(() => sshOptions(access, { host: sshd.host, port: sshd.port, user: sshd.user }));
  });
  t.teardown(() => commands.close());
  const run = (words: Words, options: Partial<HostCommandOptions> = {}) => commands.run(words, { signal: soon(), effect: 'reads', ...options });

  await commandsDoAsSaid(t, run);

  await t.test('a connection that is kept, and one that is new', async (t) => {
    const portOf = async (one: 'run' | 'runAnew'): Promise<string | undefined> =>
      (await commands[one](['printenv', 'SSH_CONNECTION'], { signal: soon(), effect: 'reads' })).stdout.split(' ')[1];
    const port = await portOf('run');
    t.equal(await portOf('run'), port);
    const before = opened;
    t.not(await portOf('runAnew'), port);
    t.equal(opened, before + 1);
    t.same(await commands.way(soon()), { client: '127.0.0.1', host: '127.0.0.1' });
  });

  await t.test('as root', async (t) => {
    t.match((await run(['id', '-u'])).stdout, /^[1-9]/);
    t.match(await outcome(run(['id', '-u'], { root: true })), { phrase: 'ACCESS DENIED', detail: /^that needs root: / }, 'which sudo does not allow');
  });

  await sshd.stop();
  t.match(await outcome(run(['true'])), { phrase: 'UNREACHABLE' });
  t.match(await outcome(commands.runAnew(['true'], { signal: soon(), effect: 'acts' })), { phrase: 'UNREACHABLE' });
});
