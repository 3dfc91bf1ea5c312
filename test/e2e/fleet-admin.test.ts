import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { connectOnce, type AdminConnection } from '../../src/fleet/admin/connection.js';
import { streamInfo } from '../../src/fleet/admin/init.js';
import { permissionBlock } from '../../src/fleet/admin/rights.js';
import { FROM_HEADER, SIGNATURE_HEADER } from '../../src/fleet/contract.js';
import { writeMessage } from '../../src/fleet/messages.js';
import { NatsBus } from '../../src/fleet/bus.js';
import { DEFAULT_CHOICES, storeLayout } from '../../src/fleet/store-layout.js';
import { watchStore } from '../../src/fleet/store-watch.js';
import { tryRights } from '../../src/fleet/admin/trial.js';
import { aliveSubject, EVENTS_STREAM, eventSubject, FLEET_NAME, orderSubject } from '../../src/fleet/subjects.js';
import { argoServer, scratch } from '../daemon/cli.js';
import { Nats, NATS_PROGRAMS, natsUser, type NatsUser } from '../peers/nats.js';
import { startDaemon } from '../support/daemon.js';
import { lacks } from '../support/peers.js';
import type { Outcome } from '../support/programs.js';
import { until } from '../support/until.js';

/** `argo-server fleet` against Debian's nats-server, which has the permissions that it prints. */

/** For what the bus does by itself, ms. */
const WITHIN = 30_000;
const SKIP = { skip: lacks(...NATS_PROGRAMS) };

/** A server's folder: its configuration and its key, and that of who administers the bus. */
function serverOf(t: Test, nats: Nats, user: NatsUser, further = ''): { run(...words: string[]): Promise<Outcome>; admin: string; folder: string } {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  const admin = join(folder, 'admin.nk');
  writeFileSync(join(folder, 'own.nk'), user.seed, { mode: 0o600 });
  writeFileSync(admin, nats.admin.seed, { mode: 0o600 });
  const { name, parts, leases } = user.member;
  const providers = leases.map((lease) => `[providers.${lease}]\ntype = "sim"\nlease = "${lease}"\n`).join('');
  writeFileSync(file, `[fleet]
role = [${parts.map((part) => `"${part}"`).join(', ')}]
name = "${name}"
servers = [${nats.urls.map((url) => `"${url}"`).join(', ')}]
${nats.caFile === undefined ? '' : `ca-file = "${nats.caFile}"`}
nkey-file = "${join(folder, 'own.nk')}"
${further}
${providers}`, { mode: 0o600 });
  return { folder, admin, run: (...words) => argoServer(folder, ['--config', file, 'fleet', ...words]) };
}

async function withNats(t: Test, options: Parameters<typeof Nats.start>[0]): Promise<Nats> {
  const nats = await Nats.start(options);
  t.teardown(() => nats.stop());
  return nats;
}

async function connectAs(t: Test, nats: Nats, user: NatsUser): Promise<AdminConnection> {
  const admin = await connectOnce(nats.link(user));
  t.teardown(() => admin.close());
  return admin;
}

await t.test('init makes buckets and streams once, and leaves alone what has other settings', SKIP, async (t) => {
  const berlin = natsUser('berlin', 'site');
  const nats = await withNats(t, { users: [berlin], store: false });
  const { run, admin } = serverOf(t, nats, berlin);
  const init = (...words: string[]): Promise<Outcome> => run('init', '--admin', admin, ...words);

  for (const [option, value] of [['--replicas', '2'], ['--events-size', 'much'], ['--audit-size', '5']] as const) {
    t.match(await init(option, value), { code: 1, stdout: '', stderr: new RegExp(`^argo-server: ${option}: `) });
  }
  const alone = await init();
  t.equal(alone.code, 1);
  t.match(alone.stderr, /argo-inventory: refused by the bus: .*on a single server, say --replicas 1/);

  const crowded = await init('--replicas', '1', '--events-size', '64MiB', '--audit-size', '100TiB');
  t.match(crowded, { code: 1, stdout: 'argo-inventory: made\nargo-leases: made\nARGO_EVENTS: made\n', stderr: /^argo-server: ARGO_AUDIT: refused by the bus: .*ask for less by --events-size and --audit-size\n$/ });
  t.match(await init('--replicas', '1', '--events-size', '64MiB'), { code: 0, stdout: /^(?:\S+: there already, as it should be\n){3}ARGO_AUDIT: made\n$/, stderr: '' });
  t.match(await init('--replicas', '1', '--events-size', '64MiB'), { code: 0, stdout: /^(?:\S+: there already, as it should be\n){4}$/, stderr: '' }, 'a second time');

  const other = await init('--replicas', '1');
  t.equal(other.code, 1);
  t.equal(other.stderr, 'argo-server: ARGO_EVENTS: there already, and left as it is: max_bytes is 64.0 MiB, and would be 1.0 GiB\n');
  const by = await connectAs(t, nats, nats.admin);
  t.equal((await streamInfo(by, EVENTS_STREAM))?.config.max_bytes, 64 * 1024 ** 2, 'it was left');

  t.match(await init('--replicas', '1', '--change'), { code: 0, stdout: /^ARGO_EVENTS: changed: max_bytes is 64\.0 MiB, and would be 1\.0 GiB$/m, stderr: '' });
  t.equal((await streamInfo(by, EVENTS_STREAM))?.config.max_bytes, 1024 ** 3);
});

await t.test('a stream that somebody else has made, and one of a newer version', SKIP, async (t) => {
  const berlin = natsUser('berlin', 'site');
  const nats = await withNats(t, { users: [berlin], store: false });
  const { run, admin } = serverOf(t, nats, berlin);
  const { connection } = await connectAs(t, nats, nats.admin);
  const create = (name: string, settings: object) => connection.request(`$JS.API.STREAM.CREATE.${name}`, JSON.stringify({ name, storage: 'file', retention: 'limits', ...settings }), { timeout: 5000 });
  await create(EVENTS_STREAM, { subjects: ['argo.v1.event.>'] });
  await create('ARGO_AUDIT', { subjects: ['argo.v1.audit.front.*'], description: 'argo-server fleet, layout 2: what was done at the fronts' });

  const { code, stderr } = await run('init', '--admin', admin, '--replicas', '1');
  t.equal(code, 1);
  t.match(stderr, /ARGO_EVENTS: there already, and left as it is: was not made by `argo-server fleet init`; .*subjects is argo\.v1\.event\.>, and would be argo\.v1\.event\.\*\.\*/);
  t.match(stderr, /ARGO_AUDIT: is of layout 2, and this argo-server knows 1: a newer one has made it/);
  t.match(await run('init', '--admin', admin, '--replicas', '1', '--change'), { code: 1, stdout: /ARGO_EVENTS: changed/, stderr: /^argo-server: ARGO_AUDIT: is of layout 2/ }, 'the newer one is never changed');

  const seen = await run('check');
  t.equal(seen.code, 0, seen.stderr);
  const all = await run('check', '--admin', admin);
  t.match(all, { code: 1, stderr: /ARGO_AUDIT is of layout 2/ });
});

await t.test('a server says in its log what the store lacks, each time that it has connected, and once', SKIP, async (t) => {
  const [berlin, f1] = [natsUser('berlin', 'site'), natsUser('f1', 'front')];
  const nats = await withNats(t, { users: [berlin, f1], store: false });
  const { connection } = await connectAs(t, nats, nats.admin);
  const create = async (name: string, settings: object): Promise<void> => void await connection.request(`$JS.API.STREAM.CREATE.${name}`, JSON.stringify({ name, ...settings }), { timeout: 5000 });
  const [inventory, leases, events] = storeLayout({ ...DEFAULT_CHOICES, replicas: 1, eventsSize: 64 * 1024 ** 2 });
  await create(inventory!.stream, inventory!.settings);
  await create(leases!.stream, { ...leases!.settings, description: 'argo-server fleet, layout 0: leases' });
  await create(events!.stream, { ...events!.settings, discard: 'new' });
  const logOf = (user: NatsUser): { lines: string[]; bus: NatsBus } => {
    const lines: string[] = [];
    const bus = new NatsBus(nats.link(user), () => undefined);
    t.teardown(() => bus.close());
    t.teardown(watchStore(bus, new Set(user.member.parts), (level, message, facts) => void lines.push(`${level}: ${message}: ${String(facts?.store)} ${String(facts?.reason)}`)));
    return { lines, bus };
  };
  const [site, front] = [logOf(berlin), logOf(f1)];
  const expected = [
    /^warn: .*: ARGO_EVENTS is not as it has to be: discard is new, and would be old; argo-server fleet init --change sets that right$/,
    /^warn: .*: argo-leases is of layout 0, and this argo-server needs 1/,
  ];
  await until(() => site.lines.length >= 2 && front.lines.length >= 3, WITHIN, 'what is missing');
  t.match([...site.lines].sort(), expected);
  t.match([...front.lines].sort(), [/: ARGO_AUDIT is not there: argo-server fleet init makes it$/, ...expected]);
  await nats.servers[0]!.kill();
  await until(() => site.bus.trouble !== undefined && front.bus.trouble !== undefined, WITHIN, 'the loss');
  await nats.servers[0]!.start();
  await until(() => site.bus.trouble === undefined && front.bus.trouble === undefined, WITHIN, 'the return');
  const asked = await front.bus.request('$JS.API.STREAM.INFO.ARGO_EVENTS', new Uint8Array(), {}, WITHIN);
  t.ok(asked.data.length > 0);
  t.equal(site.lines.length + front.lines.length, 5, 'nothing is said twice');
});

await t.test('a daemon says so, and works on', SKIP, async (t) => {
  const berlin = natsUser('berlin', 'site');
  const nats = await withNats(t, { users: [berlin], store: false });
  const daemon = await startDaemon({
    config: `[fleet]\nrole = ["site"]\nname = "berlin"\nservers = ["${nats.urls[0]!}"]\nca-file = "${nats.caFile!}"\nnkey-file = "own.nk"\n[providers.lab]\ntype = "sim"\ninstances = ["lj"]\n`,
    files: { 'own.nk': berlin.seed },
  });
  t.teardown(() => daemon.stop());
  await daemon.logs(/argo-inventory.*is not there: argo-server fleet init makes it.*the bus's store is not as it has to be/);
  await daemon.logs(/ARGO_EVENTS.*is not there.*the bus's store is not as it has to be/);
  t.notMatch(daemon.stderr(), berlin.seed);
  t.notMatch(daemon.stderr(), /ARGO_AUDIT/, 'which is for fronts');
});

await t.test('check says that all is well, for each part', SKIP, async (t) => {
  const [berlin, f1, both] = [natsUser('berlin', 'site'), natsUser('f1', 'front'), natsUser('hq', 'site', 'front')];
  const nats = await withNats(t, { users: [berlin, f1, both] });
  for (const user of [berlin, f1, both]) {
    const { run } = serverOf(t, nats, user);
    const { code, stdout, stderr } = await run('check');
    t.equal(code, 0, stderr);
    t.match(stdout, new RegExp(`^connected to \\S+ \\(nats-server \\d+\\.\\d+\\.\\d+\\) as ${user.member.name}, ${user.signer.publicKey}\n`));
    t.match(stdout, /^the bus: its clock is \d+ ms (?:before|behind) ours$/m);
    t.match(stdout, /^argo-inventory: 1 copy, 0 B of 1\.0 GiB$/m);
    t.match(stdout, new RegExp(`^the bus allows what ${user.member.parts.join(' and ')} needs`, 'm'));
    t.notMatch(stderr, /could/, 'nothing beyond it');
    t.match(stderr, /warning: argo-inventory: there is one copy of it/);
  }
  const { run, admin } = serverOf(t, nats, f1);
  t.match(await run('check', '--admin', admin), { code: 0, stdout: /as who administers the bus/ });
  // some servers do not tell it from then on, so that it is read another way
  await nats.setUsers([berlin, f1, both]);
  t.match(await run('check'), { code: 0, stdout: /^the bus: its clock is \d+ ms (?:before|behind) ours$/m });
});

await t.test('the check at a front hears sites, and believes those whose keys it has', SKIP, async (t) => {
  const sites = ['berlin', 'munich', 'paris', 'vienna'].map((name) => natsUser(name, 'site')) as [NatsUser, NatsUser, NatsUser, NatsUser];
  const [berlin, munich, paris, vienna] = sites;
  const f1 = natsUser('f1', 'front');
  const nats = await withNats(t, { users: [...sites, f1] });
  /** What a site says again and again. @param late by how much its clock is behind, ms */
  const speak = async (user: NatsUser, late: number, signedBy = user): Promise<void> => {
    const bus = new NatsBus(nats.link(user), () => undefined);
    t.teardown(() => bus.close());
    const { name } = user.member;
    const timer = setInterval(() => {
      const at = Date.now() - late;
      const data = writeMessage({ v: 1, site: name, incarnation: '0197aa00-0000-7000-8000-000000000000', at, started: at, version: '1.2.3', interval: 5000, providers: [{ name: 'kvm1', type: 'libvirt', held: true, dmesg: false }], orders: 0, outbox: 0 });
      bus.publish(aliveSubject(name), data, { [FROM_HEADER]: name, [SIGNATURE_HEADER]: signedBy.signer.sign(aliveSubject(name), data) });
    }, 200);
    t.teardown(() => clearInterval(timer));
    await until(() => bus.trouble === undefined, WITHIN, 'the bus');
  };
  await Promise.all([speak(berlin, 0), speak(munich, 40_000), speak(paris, 0, berlin), speak(vienna, 0)]);
  const knows = [berlin, munich, paris, natsUser('rome', 'site')].map(({ member, signer }) => `[[fleet.sites]]\nname = "${member.name}"\npublic-key = "${signer.publicKey}"\n`).join('');
  const { code, stdout, stderr } = await serverOf(t, nats, f1, knows).run('check');
  t.equal(code, 1);
  t.match(stdout, /^site berlin: argo-server 1\.2\.3, 1 provider: its clock is .* ours$/m);
  t.match(stderr, /^argo-server: site munich: .*its clock is 40(?:\.\d)? s behind ours; where the clocks of a front and a site are 2 s apart, orders are refused$/m);
  t.match(stderr, /^argo-server: site paris has signed with another key than that of \[\[fleet\.sites\]\]: it is not believed$/m);
  t.match(stderr, /^argo-server: site vienna is not among \[\[fleet\.sites\]\], and is not shown$/m);
  t.match(stderr, /^argo-server: warning: site rome: nothing was heard of it in 6 s$/m);
});

await t.test('check says what is missing, and what is too much', SKIP, async (t) => {
  const [berlin, f1] = [natsUser('berlin', 'site'), natsUser('f1', 'front')];
  const nats = await withNats(t, { users: [berlin, f1], store: false });
  const site = serverOf(t, nats, berlin);
  const front = serverOf(t, nats, f1);
  t.match(await site.run('check'), { code: 1, stderr: /argo-leases is not there: argo-server fleet init makes it/ });

  // the site's block for another site, and the front without any limits
  await nats.setUsers([berlin, f1], ({ signer, member }) => (
    member.name === 'f1' ? `{ nkey: ${signer.publicKey} }\n` : permissionBlock(member.name === 'berlin' ? { ...member, name: 'munich' } : member, signer.publicKey)));
  const wrong = await site.run('check');
  t.equal(wrong.code, 1);
  t.match(wrong.stderr, /the bus does not allow to publish \$KV\.argo-inventory\.berlin\.>/);
  t.match(wrong.stderr, /the bus does not allow to subscribe argo\.v1\.site\.berlin\.\*/);
  t.match(await site.run('init', '--admin', join(site.folder, 'own.nk')), { code: 1, stderr: /the bus does not let this key ask its store \(Permissions Violation/ });
  const open = await front.run('check');
  t.match(open.stderr, /with this key one could write the inventory of any site/);
  t.match(open.stderr, /with this key one could hear the orders to any site/);

  await nats.setUsers([f1]);
  t.match(await site.run('check'), { code: 1, stdout: '', stderr: /the bus cannot be reached: localhost:\d+: it does not admit the key U/ }, 'a key that was taken out');
  writeFileSync(join(site.folder, 'own.nk'), 'hunter2');
  t.match(await site.run('check'), { code: 1, stdout: '', stderr: /^(?!.*hunter2)argo-server: .*own\.nk: it is no seed/ }, 'a file with something else');
  writeFileSync(join(site.folder, 'own.nk'), berlin.seed);
  for (const server of nats.servers) await server.kill();
  t.match(await site.run('check'), { code: 1, stdout: '', stderr: /the bus cannot be reached: .*nobody listens there/ });
});

await t.test('what is tried leaves nothing behind, and nobody hears it', SKIP, async (t) => {
  const [berlin, f1, open] = [natsUser('berlin', 'site'), natsUser('f1', 'front'), natsUser('open', 'front')];
  const nats = await withNats(t, { users: [berlin, f1, open] });
  await nats.setUsers([berlin, f1, open], ({ signer, member }) => (member.name === 'open' ? `{ nkey: ${signer.publicKey} }\n` : permissionBlock(member, signer.publicKey)));
  const witness = await connectAs(t, nats, open);
  const heard: string[] = [];
  witness.connection.subscribe('argo.>', { callback: (_error, { subject }) => void heard.push(subject) });
  await witness.connection.flush();
  for (const user of [berlin, f1, open]) await tryRights(await connectAs(t, nats, user), user.member);
  await witness.connection.flush();
  for (const subject of heard) t.notOk(subject.split('.').some((token, at) => at === 3 && FLEET_NAME.test(token)) && subject.startsWith('argo.v1.site.'), subject);
  t.notOk(heard.some((subject) => subject.startsWith('argo.v1.event.')));
  const admin = await connectAs(t, nats, nats.admin);
  for (const stream of ['KV_argo-inventory', 'KV_argo-leases', EVENTS_STREAM, 'ARGO_AUDIT']) t.equal((await streamInfo(admin, stream))?.state.bytes, 0, stream);
});

await t.test('a site\'s key that was stolen reaches nobody else, a front\'s neither forges nor deletes', SKIP, async (t) => {
  const [berlin, paris, f1] = [natsUser('berlin', 'site'), natsUser('paris', 'site'), natsUser('f1', 'front')];
  const nats = await withNats(t, { users: [berlin, paris, f1] });
  const by = async (user: NatsUser, subject: string): Promise<string> => {
    const { connection } = await connectAs(t, nats, user);
    return connection.request(subject, '{}', { timeout: 2000 }).then(() => 'answered', (error: Error) => `${error.message} ${String((error.cause as Error | undefined)?.message)}`);
  };
  for (const subject of [orderSubject('paris'), eventSubject('paris', 'state'), '$KV.argo-inventory.paris.kvm1.0', '$KV.argo-leases.other', '$JS.API.DIRECT.GET.KV_argo-inventory.$KV.argo-inventory.paris.kvm1.0', '$JS.API.STREAM.PURGE.ARGO_EVENTS', '$JS.API.CONSUMER.CREATE.KV_argo-inventory.x.$KV.argo-inventory.berlin.>']) {
    t.match(await by(berlin, subject), /Permissions Violation/, subject);
  }
  for (const subject of [eventSubject('paris', 'state'), '$KV.argo-inventory.paris.kvm1.0', '$KV.argo-leases.san1', '$JS.API.STREAM.DELETE.ARGO_EVENTS', '$JS.API.STREAM.UPDATE.ARGO_EVENTS']) {
    t.match(await by(f1, subject), /Permissions Violation/, subject);
  }
  t.match(await by(f1, orderSubject('paris')), /no responders/i, 'it may order: the site looks at the signature');
  t.match(await by(nats.admin, orderSubject('paris')), /Permissions Violation/, 'who administers the bus orders nobody');
});

await t.test('key makes the key that the configuration names, and shows what to paste', SKIP, async (t) => {
  const berlin = natsUser('berlin', 'site');
  const nats = await withNats(t, { users: [] });
  const { run, folder } = serverOf(t, nats, berlin, `[[fleet.fronts]]\nname = "f1"\npublic-key = "${berlin.signer.publicKey}"\n`);
  t.match(await run('key'), { code: 0, stdout: new RegExp(`^${berlin.signer.publicKey}\n[^]*nkey: ${berlin.signer.publicKey}[^]*"\\$KV\\.argo-leases\\.san1"[^]*\\[\\[fleet\\.sites\\]\\]\nname = "berlin"`), stderr: '' }, 'one that is there');

  const made = await run('key', '--admin', join(folder, 'new.nk'));
  t.match(made, { code: 0, stdout: /^U[A-Z2-7]{55}\n[^]*"\$JS\.API\.>"/, stderr: /new\.nk was made/ });
  t.notMatch(made.stdout + made.stderr, readFileSync(join(folder, 'new.nk'), 'utf8').trim());
});

await t.test('check says that the bus takes no messages as large as some are', SKIP, async (t) => {
  const berlin = natsUser('berlin', 'site');
  const nats = await withNats(t, { users: [berlin], settings: 'max_payload: 64KB' });
  t.match(await serverOf(t, nats, berlin).run('check'), { code: 1, stderr: /the bus takes messages of 64\.0 KiB at most, and some have 257\.0 KiB: see max_payload of its servers/ });
});
