import { readFileSync } from 'node:fs';
import t from 'tap';
import type { HostCommandOptions, Words } from '../../src/drivers/management/host-commands.js';
import { SshCommands } from '../../src/drivers/management/ssh-commands.js';
import { HOST_FIGURES } from '../../src/drivers/management/statistics.js';
import { sshOptions } from '../../src/drivers/ssh/options.js';
import { SshSession } from '../../src/protocols/ssh/session.js';
import { outcome } from '../drivers/driving.js';
import { openLinux } from '../drivers/linux/open-driver.js';
import { ACCOUNTS, HOSTS_PROGRAMS, HostsPeer } from '../peers/hosts.js';
import { lacksRoot } from '../support/peers.js';

/** Commands and figures on Linux hosts, by accounts with several login shells and rights. */

const WAIT_MS = 60_000;
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS);

await t.test('on hosts', { skip: lacksRoot(...HOSTS_PROGRAMS), timeout: 170_000 }, async (t) => {
  const peer = await HostsPeer.start({ count: 2 });
  t.teardown(() => peer.stop());
  const [one, other] = peer.hosts.map(({ name, address, mac }) => ({ name, address, mac }));
  const commandsOf = (account: keyof typeof ACCOUNTS) => {
    const access = { 'private-key-file': peer.privateKeyFile, 'known-hosts-file': peer.knownHostsFile, 'accept-new-host-keys': false };
    const commands = new SshCommands(() => new SshSession(() => sshOptions(access, { host: one!.address, port: 22, user: ACCOUNTS[account].name })));
    t.teardown(() => commands.close());
    return (words: Words, options: Partial<HostCommandOptions> = {}) => commands.run(words, { signal: soon(), effect: 'reads', ...options });
  };

  for (const shell of ['bash', 'dash', 'free'] as const) {
    await t.test(`words arrive as they are to ${shell}`, async (t) => {
      const words = ['$(id)', '$HOME', '; id', 'a b', '*', '\'"\\', '\\\\', '', '-rf', '!!', '`id`', '{a,b}', '~', '#x', '(id)'];
      const run = commandsOf(shell);
      t.equal((await run(['printf', '<%s>', ...words])).stdout, words.map((word) => `<${word}>`).join(''));
      t.match(await run(['argo-no-such-program']), { code: 127 });
      t.match((await run(['env'])).stdout, /^LC_ALL=C$/m);
    });
  }

  await t.test('root where sudo allows it', async (t) => {
    const run = commandsOf('free');
    t.equal((await run(['id', '-u'], { root: true })).stdout, '0\n');
    t.match(await run(['sh', '-c', 'exit 1'], { root: true }), { code: 1 }, 'what is not of sudo stays as it is');
    t.match(await run(['argo-no-such-program'], { root: true }), { code: 127 });
    t.equal((await run(['cat'], { root: true, stdin: 'sesame' })).stdout, 'sesame', 'standard input is the program\'s');
    for (const account of ['minimal', 'stranger'] as const) t.match(await outcome(commandsOf(account)(['id', '-u'], { root: true })), { phrase: 'ACCESS DENIED' }, account);
  });

  await t.test('figures of a provider with one host', async (t) => {
    const open = (hosts: readonly object[]) => {
      const { driver } = openLinux({
        hosts, user: ACCOUNTS.bash.name, 'private-key-file': peer.privateKeyFile, 'known-hosts-file': peer.knownHostsFile, ping: { timeout: '1s', retries: 1 },
      });
      t.teardown(() => driver.close(soon()));
      return outcome(driver.abilities!.statistics!.host!({ figures: HOST_FIGURES }, { signal: soon(), task: 'x', progress: () => undefined }));
    };
    const total = BigInt(/^MemTotal: +(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))![1]!) * 1024n;
    t.match(await open([one!]), {
      value: {
        memory: { total },
        cpu: { percent: Number },
        network: { address: one!.address },
        bandwidth: { received: Number, sent: Number },
      },
    });
    t.match(await open([one!, other!]), { phrase: 'NOT SUPPORTED', detail: /a provider of its own/ });
  });
});
