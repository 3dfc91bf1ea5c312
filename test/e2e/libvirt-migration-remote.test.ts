import t, { type Test } from 'tap';
import { LIBVIRT_PROGRAMS, startLibvirt, type LibvirtPeer } from '../peers/libvirt.js';
import { listenByTls, trustBySsh } from '../peers/libvirt-trust.js';
import { Authority } from '../support/authority.js';
import { startDaemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { everything, LOGIN } from '../support/oms/accounts.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** Guests that go from one libvirtd to another by SSH and by TLS, on the daemon's order, which reaches both over SSH; judged by virsh. */

const options = { skip: lacksRoot(...LIBVIRT_PROGRAMS, 'openssl', 'ssh'), timeout: 170_000 };
const WAIT_MS = 90_000;

const stateOf = async (peer: LibvirtPeer, name: string): Promise<string> => {
  const { code, stdout } = await peer.virsh('domstate', name, '--reason');
  return code === 0 ? stdout.trim() : 'none';
};

/** Two hosts with a cable between them: `kvm1`, whose guests are moved, and the same other one behind providers that are reached by it in several ways. */
async function setUp(t: Test) {
  const [here, there] = await Promise.all([startLibvirt(), startLibvirt()]);
  t.teardown(() => Promise.all([here.stop(), there.stop()]));
  const { there: address } = await here.cableTo(there);
  const [mine, theirs, between] = await Promise.all([here.startSshd(), there.startSshd(), there.startSshd({ address })]);
  const [authority, other] = await Promise.all(['pki', 'other-pki'].map((name) => Authority.make(here.file(name))));
  await Promise.all([authority!.sign('server', `subjectAltName=IP:${address}`), authority!.sign('client', 'extendedKeyUsage=clientAuth'), other!.sign('client', 'extendedKeyUsage=clientAuth')]);
  await listenByTls(there, address, authority!);
  const provider = (name: string, { host, port, user, privateKeyFile, knownHostsFile }: typeof mine, migrate = ''): string =>
    `[providers.${name}]\ntype = "libvirt"\nuri = "qemu+ssh://${user}@${host}:${port}/system"\nprivate-key-file = "${privateKeyFile}"\nknown-hosts-file = "${knownHostsFile}"\n${migrate}`;
  const by = (uri: string): string => `migrate-uri = "${uri}"\nmigrate-data-uri = "tcp://${address}"\n`;
  const daemon = await startDaemon({
    config: [
      await everything(), provider('kvm1', mine), provider('ssh', theirs, by(`qemu+ssh://${between.user}@${address}/system`)),
      provider('tls', theirs, by(`qemu+tls://${address}/system?pkipath=${authority!.folder}`)), provider('stranger', theirs, by(`qemu+tls://${address}/system?pkipath=${other!.folder}`)),
    ].join(''),
  });
  t.teardown(() => daemon.stop());
  const line = await connect(daemon.port);
  t.teardown(() => line.destroy());
  t.equal((await line.ask(`auth ${LOGIN.name} ${LOGIN.password}`)).code, 300);
  const order = async (request: string): Promise<string> => {
    const { code, comment } = await line.ask(request, WAIT_MS);
    return `${code} ${comment}`;
  };
  const say = (request: string): Promise<string> => line.answer(request, WAIT_MS);
  /** Starts a guest here that has no disk: what lies on one machine's own file system, libvirt does not take for shared. */
  const begin = async (name: string): Promise<void> => {
    await here.defineChanged(name, (xml) => xml.replace(/<disk[^]*<\/disk>/, ''));
    await until(async () => await say(`status kvm1/${name}`) === 'off', WAIT_MS, `${name} to be listed`);
    t.equal(await order(`start kvm1/${name} --wait`), '300 DONE');
  };
  return { here, there, between, order, begin, say };
}

await t.test('from host to host', options, async (t) => {
  const { here, there, between, order, begin, say } = await setUp(t);
  trustBySsh(here, between);
  for (const way of ['ssh', 'tls']) {
    await t.test(`by ${way}`, async (t) => {
      const name = `by-${way}`;
      await begin(name);
      t.match(await say(`migrate kvm1/${name} ${way} --dry-run`), name);
      t.equal(await order(`migrate kvm1/${name} ${way}`), '300 DONE');
      t.equal(await stateOf(there, name), 'running (migrated)');
      t.equal(await stateOf(here, name), 'none', 'here there is nothing left of it');
      t.match((await there.virsh('dominfo', name)).stdout, /^Persistent: +yes$/m);
      t.equal(await say(`status ${way}/${name}`), 'on');
      t.match(await say(`status kvm1/${name}`), /^400 NO SUCH INSTANCE/);
    });
  }
  await t.test('without trust it stays', async (t) => {
    await begin('stays');
    trustBySsh(here, between, false);
    t.match(await order('migrate kvm1/stays ssh'), /^400 FAILED: it stays on the host where it was: .*(?:Host key verification failed|host key)/i, 'a host that is not known');
    t.match(await order('migrate kvm1/stays stranger'), /^400 ACCESS DENIED: it stays on the host where it was: .*certificate/i, 'a stranger\'s certificate');
    t.match(await stateOf(here, 'stays'), /^running/);
    t.equal(await stateOf(there, 'stays'), 'none');
    trustBySsh(here, between);
    t.equal(await order('migrate kvm1/stays ssh'), '300 DONE', 'with it, it goes');
    t.equal(await stateOf(there, 'stays'), 'running (migrated)');
  });
});
