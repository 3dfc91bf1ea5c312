import t from 'tap';
import { openDriver } from '../drivers/libvirt/open-driver.js';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';
import { findMachine, outcome } from '../drivers/driving.js';

/** The libvirt driver over a real sshd. */

const WAIT_MS = 60_000;
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS);

await t.test('over SSH', { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 170_000 }, async (t) => {
  const peer = await startLibvirt();
  t.teardown(() => peer.stop());
  await peer.defineTiny('tiny');
  let sshd = await peer.startSshd();
  const uri = (query = '', user = sshd.user): string => `qemu+ssh://${user}@${sshd.host}:${sshd.port}/system${query}`;
  const good = { 'private-key-file': sshd.privateKeyFile, 'known-hosts-file': sshd.knownHostsFile };

  /** Name, query of the URI, options. */
  const ways: [string, string, Record<string, unknown>][] = [
    ['a forwarded socket', '', good],
    ['virt-ssh-helper', '?socket=/nowhere', good],
    ['keys by the URI', `?keyfile=${sshd.privateKeyFile}&known_hosts=${sshd.knownHostsFile}`, {}],
    ['a pinned key', '', { 'private-key-file': sshd.privateKeyFile, 'host-key': sshd.hostKeyFingerprint }],
  ];
  for (const [name, query, options] of ways) {
    await t.test(name, async (t) => {
      const { driver, told } = openDriver(uri(query), options);
      t.teardown(() => driver.close(soon()));
      const tiny = await findMachine(driver, 'tiny', soon());
      const helpers = await peer.inside('pgrep', '-f', 'virt-ssh-helper qemu');
      t.equal(helpers.code === 0, name === 'virt-ssh-helper', 'the way it took');
      await tiny.start!(soon());
      t.equal(await tiny.status(soon()), 'on');
      await until(() => told.changed.at(-1)?.state === 'on', WAIT_MS, 'an event');
      await tiny.powerOff!(soon());
      await until(() => told.changed.at(-1)?.state === 'off', WAIT_MS, 'another');
    });
  }

  await t.test('refusals', async (t) => {
    const refusals: [string, string, Record<string, unknown>, object][] = [
      ['another key is pinned', uri(), { ...good, 'host-key': `SHA256:${'A'.repeat(43)}` }, { phrase: 'HOST KEY CHANGED', detail: /not the one configured/ }],
      ['no key is known', uri(), { ...good, 'known-hosts-file': '/dev/null' }, { phrase: 'HOST KEY CHANGED', detail: /in no known_hosts/ }],
      ['no such user', uri('', 'nobody'), { 'known-hosts-file': good['known-hosts-file'], password: 'sesame' }, { phrase: 'ACCESS DENIED' }],
      ['no such file', uri(), { ...good, 'private-key-file': '/nonexistent' }, { phrase: 'UNREACHABLE', detail: /\/nonexistent/ }],
    ];
    for (const [name, where, options, expected] of refusals) {
      const { driver } = openDriver(where, options);
      const result = await outcome(driver.list(soon()));
      t.match(result, expected, name);
      t.notMatch(JSON.stringify(result), /sesame/);
      await driver.close(soon());
    }
  });

  await t.test('sshd ends and is another host when it comes back', async (t) => {
    const { driver, told } = openDriver(uri(), good);
    t.teardown(() => driver.close(soon()));
    await driver.list(soon());
    const { port } = sshd;
    await sshd.stop();
    await until(() => told.lost.length === 1, WAIT_MS, 'the loss to be told');
    t.match(await outcome(driver.list(soon())), { phrase: 'UNREACHABLE' });
    sshd = await peer.startSshd({ port });
    await until(async () => (await outcome(driver.list(soon()))).phrase === 'HOST KEY CHANGED', WAIT_MS, 'the other key to be refused');
  });
});
