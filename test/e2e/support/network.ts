import type { Test } from 'tap';
import { LIBVIRT_PROGRAMS } from '../../peers/libvirt.js';
import { ManagedHost } from '../../peers/managed-host.js';
import { startDaemon } from '../../support/daemon.js';
import { connect, type LineClient } from '../../support/line-client.js';
import { accounts, LOGIN, omsTable } from '../../support/oms/accounts.js';
import { OmsClient } from '../../support/oms/client.js';
import { lacksRoot } from '../../support/peers.js';

/** A real host behind the whole daemon, over a real sshd, whose network may be changed; judged by the host's own `ip`. */

export const options = { skip: lacksRoot(...LIBVIRT_PROGRAMS, 'flock', 'setsid', 'ifquery'), timeout: 170_000 };
export const WAIT_MS = 60_000;
export const HOST = 'funcclient';
/** Seconds: short where the end of it is waited for. */
export const ROLLBACK_S = 6;

/** A host whose own files are ifupdown's, which keeps what is confirmed. */
const INTERFACES = 'source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n\nauto lan0\niface lan0 inet static\n    address 10.99.2.2/24\n';
const ETC = {
  'network/interfaces': INTERFACES, 'network/interfaces.d/other': '# nothing\n',
  ...Object.fromEntries(['if-pre-up.d', 'if-up.d', 'if-down.d', 'if-post-down.d'].map((folder) => [`network/${folder}/none.txt`, ''])),
};

/** A daemon with a provider `funcclient` of such a host, one `lxc` of the same where nothing may be changed, and an OMS in front. `helper` may do everything but change a host. */
export async function networkWorld(t: Test) {
  const host = await ManagedHost.start(ETC);
  t.teardown(() => host.stop());
  const grants = {
    [LOGIN.name]: [{ instances: ['*'], commands: ['*'] }],
    helper: [{ instances: ['*'], commands: ['read', 'power', 'configure'] }],
  };
  const { table } = await omsTable(`network-rollback = "${ROLLBACK_S}s"`);
  const provider = (name: string, changes: boolean): string => `[providers.${name}]\ntype = "libvirt"\nuri = "${host.uri('root')}"\nprivate-key-file = "${host.sshd.privateKeyFile}"\nknown-hosts-file = "${host.sshd.knownHostsFile}"\n${changes ? 'network-changes = true\n' : ''}`;
  const daemon = await startDaemon({ listeners: 2, config: await accounts(grants) + table + provider(HOST, true) + provider('lxc', false) });
  t.teardown(() => daemon.stop());
  const log = async (name: string): Promise<LineClient> => {
    const line = await connect(daemon.port);
    t.teardown(() => line.destroy());
    t.equal((await line.ask(`auth ${name} ${LOGIN.password}`)).code, 300);
    return line;
  };
  const oms = new OmsClient(daemon.ports[1]!);
  t.equal((await oms.login(LOGIN.name, LOGIN.password)).error, null);
  const line = await log(LOGIN.name);
  /** What the line protocol answers. */
  const say = (request: string): Promise<string> => line.answer(request, WAIT_MS);
  /** How it ends, with its remarks: `300 …` or `400 …`. */
  const order = async (request: string): Promise<string> => {
    const { code, comment } = await line.ask(request, WAIT_MS);
    return `${code} ${comment}`;
  };
  return { host, daemon, oms, log, say, order, ip: (...words: string[]) => host.ip(...words) };
}

export type NetworkWorld = Awaited<ReturnType<typeof networkWorld>>;

/** Runs tests one after the other, each of which has to leave the host's network as it was. */
export async function eachLeavesIt(
  t: Test,
  world: NetworkWorld,
  tests: Readonly<Record<string, (t: Test, world: NetworkWorld) => Promise<void>>>,
): Promise<void> {
  const untouched = await world.host.network();
  for (const [name, test] of Object.entries(tests)) {
    await t.test(name, async (t) => {
      await test(t, world);
      t.equal(await world.host.network(), untouched, 'it is as it was');
    });
  }
}
