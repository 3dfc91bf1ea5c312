import { hash } from 'bcrypt';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { BCRYPT_COST } from '../../src/kit/limits.js';
import { ACCOUNTS, HOSTS_PROGRAMS, HostsPeer } from '../peers/hosts.js';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { startDaemon, type Daemon } from '../support/daemon.js';
import { connect, type LineClient } from '../support/line-client.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';
import { blocksOf, readDocument, section } from '../docs/markdown.js';

/** Hosts come and go by enrolment: real sshds, a daemon as an operator starts it. */

const hashed = await hash('steve', BCRYPT_COST);
const CONFIG = `# kept by hand
[accounts.steve]
password = "${hashed}"
grants = [{ instances = ["*"], commands = ["*"] }]
[accounts.enroller]
password = "${hashed}"
grants = [{ instances = ["*"], commands = ["enrol", "read"] }]
[accounts.tenant]
password = "${hashed}"
grants = [{ instances = ["demo/*"], commands = ["*"] }, { instances = ["*"], commands = ["host", "read"] }]
[providers.demo] # the first
type = "sim"
instances = ["lj"]

[enrolment]
user = "argo-free"
`;
const WITHIN = 60_000;

interface World {
  readonly peer: HostsPeer;
  readonly home: string;
  readonly folder: string;
  start(): Promise<Daemon>;
}

async function arrange(t: Test, count = 1): Promise<World> {
  const peer = await HostsPeer.start({ count });
  t.teardown(() => peer.stop());
  const folder = mkdtempSync(join(tmpdir(), 'argo-enrol-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return {
    peer, folder, home: peer.openHome(),
    start: async () => {
      const daemon = await startDaemon({ config: CONFIG, folder });
      t.teardown(() => daemon.stop());
      return daemon;
    },
  };
}

async function logIn(t: Test, { port }: Daemon, account = 'steve'): Promise<(line: string) => Promise<string>> {
  const client: LineClient = await connect(port);
  t.teardown(() => client.socket.destroy());
  const say = async (line: string): Promise<string> => {
    const { code, comment, accepted, body } = await client.ask(line, WITHIN);
    return [...accepted === undefined ? [] : [`200 ${accepted}`], ...body, `${code} ${comment}`].join('\n');
  };
  t.match(await say(`auth ${account} steve`), /300/);
  return say;
}

const configOf = ({ folder }: { readonly folder: string }): string => readFileSync(join(folder, 'argo-server.conf'), 'utf8');
const keysOn = (home: string): string => (existsSync(join(home, '.ssh', 'authorized_keys')) ? readFileSync(join(home, '.ssh', 'authorized_keys'), 'utf8') : '');
/** Everything in a folder, in one text. */
const allText = (folder: string): string => readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile()).map((one) => readFileSync(join(one.parentPath, one.name), 'latin1')).join('\n');

const skip = lacksRoot(...HOSTS_PROGRAMS);

await t.test('a host is let in and out', { skip, timeout: 240_000 }, async (t) => {
  const world = await arrange(t);
  const { peer, home, folder } = world;
  const { address, fingerprint } = peer.hosts[0]!;
  // a line without an end, as people leave them
  mkdirSync(join(home, '.ssh'));
  writeFileSync(join(home, '.ssh', 'authorized_keys'), 'ssh-ed25519 AAAAC3somebodyelses somebody');
  chmodSync(join(home, '.ssh'), 0o777);
  chmodSync(join(home, '.ssh', 'authorized_keys'), 0o666);
  const daemon = await world.start();
  const say = await logIn(t, daemon);
  const before = configOf(world);
  t.match(await say(`enrol add ${address} h1`), new RegExp(`^200 OK\nwaiting h1 ${address}:22 ssh-ed25519 ${fingerprint.replace(/[+/]/g, '\\$&')} steve .*\n300 DONE: compare`), 'with the key as ssh-keygen prints it');
  t.match(await say('enrol list'), /^200 OK\nwaiting h1 /);
  t.match(await say('enrol approve h1 SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA argo-free sesame'), /^400 HOST KEY CHANGED/, 'not the key that somebody has compared');
  t.match(await say('enrol approve h1 argo-free wrong'), /^400 ACCESS DENIED: h1: argo-free is not let in/);
  t.match(await say('enrol approve h1'), /^400 ACCESS DENIED/, 'nothing is there to log in with');
  t.equal(configOf(world), before);
  t.notMatch(keysOn(home), /argo-server/);
  t.match(await say(`enrol approve h1 ${fingerprint} argo-free ${ACCOUNTS.free.password}`), /^200 OK\nenrolled h1 .* argo-free physical\? .*\n300 DONE: nothing that manages machines/);

  const [ours = ''] = /^200 OK\n(.*)\n/.exec(await say('enrol key'))?.slice(1) ?? [];
  t.match(ours, /^ssh-ed25519 \S+ argo-server$/);
  t.equal(keysOn(home), `ssh-ed25519 AAAAC3somebodyelses somebody\n${ours}\n`, 'the other one stays whole');
  const after = configOf(world);
  t.ok(after.startsWith(before.trimEnd()), 'what was there stays, comments included');
  t.match(after, /\n\[providers\.h1\] # enrolled \d{4}-\d\d-\d\d\ntype = "linux"\nuser = "argo-free"\n/);
  t.equal(await say('status h1/h1'), '200 OK\non\n300 DONE', 'it is managed at once');
  t.match(await say('uptime h1/h1'), /^200 OK\n.*\d+.*\n300 DONE/, 'with our key');
  t.equal(await say('tag list h1/'), '200 OK\n1 physical\n300 DONE');
  for (const file of ['id_ed25519', 'id_ed25519.pub', 'known_hosts/h1']) t.equal(statSync(join(daemon.state, 'enrolment', file)).mode & 0o777, 0o600, file);
  t.match(await say(`enrol add ${address} h1`), /^400 WRONG STATE/);
  t.match(await say(`enrol add ${address} demo`), /^400 WRONG STATE/);

  t.equal(await say('enrol remove h1'), '200 OK\n300 DONE');
  t.equal(keysOn(home), 'ssh-ed25519 AAAAC3somebodyelses somebody\n', 'ours alone is gone');
  t.equal(configOf(world).trimEnd(), before.trimEnd());
  t.match(await say('status h1/h1'), /^400 NO SUCH INSTANCE/);
  t.equal(await say('enrol list'), '200 OK\n300 DONE');
  t.notOk(existsSync(join(daemon.state, 'enrolment', 'known_hosts', 'h1')));
  t.match(await say('enrol remove h1'), /^400 NO SUCH PROVIDER: h1/);
  t.match(await say('enrol approve h1 h2'), /^400 NO SUCH REQUEST: h1/);

  await daemon.stop();
  t.notMatch(daemon.stderr() + daemon.stdout() + allText(folder), new RegExp(`${ACCOUNTS.free.password}|argo-free wrong`), 'a password is nowhere');
});

await t.test('a libvirt is found and is a provider of its machines', { skip: lacksRoot(...LIBVIRT_PROGRAMS, 'virsh'), timeout: 240_000 }, async (t) => {
  const peer = await startLibvirt();
  t.teardown(() => peer.stop());
  await peer.defineTiny('tiny');
  const sshd = await peer.startSshd();
  const folder = mkdtempSync(join(tmpdir(), 'argo-enrol-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  // by a login that the host has already
  const daemon = await startDaemon({ config: CONFIG.replace('user = "argo-free"', `user = "${sshd.user}"\nprivate-key-file = "${sshd.privateKeyFile}"`), folder });
  t.teardown(() => daemon.stop());
  const say = await logIn(t, daemon);
  t.match(await say(`enrol add ${sshd.host}:${sshd.port} kvm1`), new RegExp(`\nwaiting kvm1 ${sshd.host}:${sshd.port} ssh-ed25519 ${sshd.hostKeyFingerprint.replace(/[+/]/g, '\\$&')} `));
  t.match(await say('enrol approve kvm1'), new RegExp(`^200 OK\nenrolled kvm1 .* ${sshd.user} KVM \\S+\n300 DONE$`));
  t.match(configOf({ folder }), new RegExp(`\\[providers\\.kvm1\\] .*\ntype = "libvirt"\nuri = "qemu\\+ssh://${sshd.user}@${sshd.host}:${sshd.port}/system"\n`));
  t.equal(await say('status kvm1/tiny'), '200 OK\noff\n300 DONE');
  t.equal(await say('start @tag:KVM --wait'), '200 OK\ntiny: done\n300 DONE', 'a host\'s machines by what it is');
  t.equal(await say('stop kvm1/tiny --force --wait'), '200 OK\n300 DONE');
  t.equal(await say('enrol remove kvm1'), '200 OK\n300 DONE');
  t.equal(await say('list'), '200 OK\nlj\n300 DONE');
});

await t.test('a host asks by itself, in three lines of a shell', { skip: lacksRoot(...HOSTS_PROGRAMS, 'nc'), timeout: 240_000 }, async (t) => {
  const { peer, folder } = await arrange(t);
  const { name, address, fingerprint } = peer.hosts[0]!;
  const daemon = await startDaemon({ config: `[server]\nlisten = ["${peer.address}:0", "127.0.0.1:0"]\n${CONFIG}`, folder, listeners: 2 });
  t.teardown(() => daemon.stop());
  const [outside = 0, inside = 0] = daemon.ports;
  const client = await connect(inside);
  t.teardown(() => client.socket.destroy());
  const say = async (line: string): Promise<string> => {
    const { code, comment, body } = await client.ask(line, WITHIN);
    return [...body, `${code} ${comment}`].join('\n');
  };
  t.match(await say('auth steve steve'), /300/);
  const [token = '', made = ''] = (await say('enrol token 10m')).split('\n');
  t.match(made, /^300 (?:DONE: )?good for one host, until \S+Z; enrol revoke [0-9a-f]{12} ends it$/);
  t.match(await say('enrol list'), /^token [0-9a-f]{12} steve until \S+Z\n300 /);
  const script = blocksOf(section(readDocument('docs/enrolment.md'), '## Hosts that ask by themselves')).find(({ language }) => language === 'sh')!.text.replace('argo-enrol_…', token).replace('argo.example 20299', `${peer.address} ${outside}`).replace('/etc/ssh/ssh_host_ed25519_key.pub', peer.hostKeyFile(name)).replace('$(hostname -s)', 'node7');
  const said = await peer.script(name, script);
  t.ok(said.startsWith(`200 OK\nwaiting node7 ${address}:22 ssh-ed25519 ${fingerprint}\n300 DONE: somebody has to approve it\n`), said);
  t.match(await say('enrol list'), new RegExp(`^waiting node7 ${address}:22 ssh-ed25519 ${fingerprint.replace(/[+/]/g, '\\$&')} steve \\(token of enrolment\\) \\S+\n300 `), 'and the token is used up');
  t.match(await peer.script(name, script), /^400 NOT AUTHENTICATED$/m);
  t.match(await say(`enrol approve node7 ${fingerprint} argo-free ${ACCOUNTS.free.password}`), /^enrolled node7 /);
  t.match(await say('status node7/node7'), /^on\n/);
  await daemon.stop();
  t.notMatch(daemon.stderr() + daemon.stdout() + allText(folder), token);
});

await t.test('who may do it', { skip, timeout: 170_000 }, async (t) => {
  const world = await arrange(t);
  const daemon = await world.start();
  const { address } = world.peer.hosts[0]!;
  const tenant = await logIn(t, daemon, 'tenant');
  for (const line of ['enrol list', `enrol add ${address}`, 'enrol approve h1', 'enrol refuse h1', 'enrol remove h1', 'enrol key']) t.equal(await tenant(line), '400 NOT ALLOWED', line);
  const enroller = await logIn(t, daemon, 'enroller');
  t.match(await enroller(`enrol add ${address} h1`), /^200 OK\nwaiting h1 .* enroller /);
  t.match(await enroller('enrol add 127.0.0.1:1 x'), /^400 UNREACHABLE/);
  for (const line of ['enrol', 'enrol add', 'enrol add a b c', 'enrol approve', 'enrol approve h1 a b c', 'enrol list x', 'enrol key x']) t.match(await enroller(line), /^400 USAGE/, line);
  for (const host of ['-rf', '10.1', 'a/b', '$(id)', '..']) t.match(await enroller(`enrol add ${host} x`), /^400 (?:BAD REQUEST|USAGE)/, host);
  t.match(await enroller(`enrol add ${address} ../x`), /^400 BAD REQUEST/);
  t.match(await enroller('enrol approve h1 -oProxyCommand=id x'), /^400 BAD REQUEST/);
  t.equal(await enroller('enrol refuse h1'), '200 OK\n300 DONE');
  t.equal(await enroller('enrol refuse h1'), '400 NO SUCH REQUEST: h1');
});

await t.test('a host that shows another key than it did is not let in', { skip, timeout: 170_000 }, async (t) => {
  const world = await arrange(t);
  const { peer, home } = world;
  const { address } = peer.hosts[0]!;
  const say = await logIn(t, await world.start());
  await say(`enrol add ${address} h1`);
  await peer.changeHostKey('h1');
  const before = configOf(world);
  t.match(await say('enrol approve h1 argo-free sesame'), /^400 HOST KEY CHANGED/);
  t.match(await say('enrol list'), /\nwaiting h1 /);
  t.same([configOf(world), keysOn(home)], [before, '']);
  t.match(await say(`enrol add ${address} h1`), /^200 OK\nwaiting h1/, 'it is asked anew');
  t.match(await say('enrol approve h1 argo-free sesame'), /^200 OK\nenrolled h1/);
});

await t.test('where the configuration cannot be changed nothing of it stays', { skip, timeout: 170_000 }, async (t) => {
  const world = await arrange(t);
  // all providers in one line: no table can be added to that
  const config = `providers = { demo = { type = "sim", instances = ["lj"] } }\n[server]\nmax-line = 4096\n${CONFIG.replace('[providers.demo] # the first\ntype = "sim"\ninstances = ["lj"]\n', '')}`;
  const daemon = await startDaemon({ config, folder: world.folder });
  t.teardown(() => daemon.stop());
  const say = await logIn(t, daemon);
  await say(`enrol add ${world.peer.hosts[0]!.address} h1`);
  const before = configOf(world);
  t.match(await say('enrol approve h1 argo-free sesame'), /^400 FAILED: the configuration cannot be changed: .* has all its providers in one line/);
  t.same([keysOn(world.home), configOf(world)], ['', before]);
  t.notOk(existsSync(join(daemon.state, 'enrolment', 'known_hosts', 'h1')));
  t.match(await say('enrol list'), /\nwaiting h1 /);
});

await t.test('two approvals at once let it in once', { skip, timeout: 170_000 }, async (t) => {
  const world = await arrange(t);
  const daemon = await world.start();
  const [one, other] = [await logIn(t, daemon), await logIn(t, daemon)];
  await one(`enrol add ${world.peer.hosts[0]!.address} h1`);
  const answers = await Promise.all([one('enrol approve h1 argo-free sesame'), other('enrol approve h1 argo-free sesame')]);
  t.equal(answers.filter((answer) => answer.startsWith('200 OK\nenrolled h1')).length, 1, answers.join('\n'));
  t.equal(answers.filter((answer) => answer.startsWith('400 NO SUCH REQUEST: h1')).length, 1);
  t.equal(configOf(world).match(/\[providers\.h1\]/g)?.length, 1);
  t.equal(keysOn(world.home).split('\n').filter(Boolean).length, 1);
});

await t.test('a host that is away when it is removed is named, and can be removed again', { skip, timeout: 240_000 }, async (t) => {
  const world = await arrange(t);
  const { peer, home } = world;
  const say = await logIn(t, await world.start());
  await say(`enrol add ${peer.hosts[0]!.address} h1`);
  t.match(await say('enrol approve h1 argo-free sesame'), /^200 OK\nenrolled/);
  await peer.order('off', 'h1');
  t.match(await say('enrol remove h1'), /400 UNCERTAIN: removed, and the server's key may still be on h1/);
  t.notMatch(configOf(world), /providers\.h1/, 'it is managed no longer all the same');
  t.match(await say('enrol list'), /\nleft h1 /);
  await peer.order('on', 'h1');
  await until(() => peer.isReady('h1'), WITHIN, 'the host');
  t.equal(await say('enrol remove h1'), '200 OK\n300 DONE');
  t.equal(keysOn(home), '');
  t.equal(await say('enrol list'), '200 OK\n300 DONE');
});

await t.test('kill -9 in the midst of an approval leaves it waiting', { skip, timeout: 240_000 }, async (t) => {
  const world = await arrange(t);
  const { peer, home } = world;
  const daemon = await world.start();
  const client = await connect(daemon.port);
  await client.ask('auth steve steve');
  await client.ask(`enrol add ${peer.hosts[0]!.address} h1`);
  const before = configOf(world);
  client.line(`enrol approve h1 ${ACCOUNTS.hang.name} sesame`);
  // the command that brings the key never ends there
  await until(() => readFileSync(join(peer.folderOf('h1'), 'log'), 'utf8').includes('Starting session: command for argo-hang'), WITHIN, 'the command');
  daemon.signal('SIGKILL');
  await daemon.exited;
  t.ok(existsSync(join(daemon.state, 'enrolment', 'known_hosts', 'h1')), 'it was in the midst of it');
  t.equal(configOf(world), before);
  const second = await world.start();
  await second.logs('the approval of a host was cut off');
  const say = await logIn(t, second);
  t.match(await say('enrol list'), /^200 OK\nwaiting h1 /);
  t.notOk(existsSync(join(daemon.state, 'enrolment', 'known_hosts', 'h1')));
  t.match(await say('enrol approve h1 argo-free sesame'), /^200 OK\nenrolled h1/, 'and is let in by another');
  t.match(keysOn(home), /argo-server/);
});
