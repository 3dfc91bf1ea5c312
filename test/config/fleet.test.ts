import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Config } from '../../src/config/config.js';
import { connectionFingerprint } from '../../src/config/fleet.js';
import { NkeySigner, newSeed } from '../../src/fleet/signer.js';
import { faultsIn, parseConfig } from '../support/configuration.js';

const FILE = 'argo-server.conf';
const folder = mkdtempSync(join(tmpdir(), 'argo-fleet-'));
t.teardown(() => rmSync(folder, { recursive: true }));

const seed = newSeed();
const keyFile = join(folder, 'own.nk');
writeFileSync(keyFile, `${seed}\n`, { mode: 0o600 });
const [one, other] = [newSeed(), newSeed()].map((each) => new NkeySigner(each).publicKey) as [string, string];

const parse = (source: string): Promise<Config> => parseConfig(FILE, source, '/state');
const faultsOf = (source: string): Promise<string[]> => faultsIn(parse(source));

/** A whole table, some of its lines others; the lines behind it begin with the 7th. */
const fleet = (lines: Readonly<Record<string, string>> = {}, rest = ''): string => {
  const { role = '["site"]', name = '"berlin"', servers = '["tls://bus1.example"]', nkey = `nkey-file = "${keyFile}"`, further = '' } = lines;
  return `[fleet]\nrole = ${role}\nname = ${name}\nservers = ${servers}\n${nkey}\n${further}\n${rest}`;
};

await t.test('without the table there is no fleet', async (t) => {
  t.notOk('fleet' in await parse('[server]\n'));
});

await t.test('what a short table means', async (t) => {
  const { fleet: settings } = await parse(fleet());
  t.match(settings, {
    name: 'berlin', servers: ['tls://bus1.example'], caFile: undefined, nkey: { 'nkey-file': keyFile },
    aliveInterval: 5000, deadAfter: 20_000, sendTimeout: 5000, outboxSize: 100_000, share: ['*'], fronts: [], sites: undefined,
  });
  t.same([...settings!.roles], ['site']);
});

await t.test('every key', async (t) => {
  const { fleet: settings, providers } = await parse(fleet({
    role: '["site", "front"]', servers: '["tls://bus1.example:4222", "tls://bus-2.example:5222"]',
    further: 'ca-file = "/ca.pem"\nalive-interval = "1s"\ndead-after = "2s"\nsend-timeout = "30s"\noutbox-size = 1_000_000\nshare = ["kvm*", "san1"]',
  }, `
[[fleet.fronts]]
name = "f1"
public-key = "${one}"
grants = [{ instances = ["*", "@web"], commands = ["read", "power"] }]
[[fleet.fronts]]
name = "f2"
public-key = "${other}"
[[fleet.sites]]
name = "paris"
public-key = "${one}"
[groups]
web = ["web*"]
[providers.san1]
type = "sim"
lease = "san-1"
[providers.kvm1]
type = "sim"
`));
  t.match(settings, {
    servers: ['tls://bus1.example:4222', 'tls://bus-2.example:5222'], caFile: '/ca.pem', aliveInterval: 1000, deadAfter: 2000, sendTimeout: 30_000, outboxSize: 1_000_000, share: ['kvm*', 'san1'],
    fronts: [{ name: 'f1', publicKey: one, grants: [{ instances: ['*', '@web'], commands: ['read', 'power'] }] }, { name: 'f2', publicKey: other, grants: [] }],
  });
  t.same([...settings!.roles], ['site', 'front']);
  t.same([...settings!.sites!], [['paris', one]]);
  t.equal(providers.get('san1')?.lease, 'san-1');
  t.notOk('lease' in providers.get('kvm1')!);
});

await t.test('the key may be in the file itself, or in the environment, and shows nowhere', async (t) => {
  process.env.ARGO_TEST_NKEY = seed;
  t.teardown(() => { delete process.env.ARGO_TEST_NKEY; });
  t.match((await parse(fleet({ nkey: 'nkey-env = "ARGO_TEST_NKEY"' }))).fleet?.nkey, { 'nkey-env': 'ARGO_TEST_NKEY' });
  const { fleet: settings } = await parse(fleet({ nkey: `nkey = "${seed}"` }));
  t.equal(settings?.nkey.nkey?.reveal(), seed);
  t.notMatch(JSON.stringify(settings), seed);
});

/** A source, and its fault after the file's name. */
const FAULTS: readonly (readonly [string, string, RegExp])[] = [
  ['[fleet]', '1:1', /role is missing/],
  ['fleet = 1', '1:1', /fleet must be a table: \[fleet\]$/],
  ['[[fleet]]', '1:1', /fleet must be a table/],
  [fleet({ role: '"site"' }), '2:1', /role: a list is expected, such as \["site"\] or \["front"\]$/],
  [fleet({ role: '[]' }), '2:1', /role: must not be empty/],
  [fleet({ role: '["site", "rack"]' }), '2:17', /role: one of "site", "front" is expected/],
  [fleet({ name: '"Berlin"' }), '3:1', /name: cannot be used: it begins with one of a-z and 0-9/],
  [fleet({ name: '"-berlin"' }), '3:1', /cannot be used/], [fleet({ name: '"a.b"' }), '3:1', /cannot be used/], [fleet({ name: `"${'x'.repeat(33)}"` }), '3:1', /cannot be used/],
  [fleet({ servers: '[]' }), '4:1', /must not be empty/], [fleet({ servers: '"tls://bus1.example"' }), '4:1', /a list is expected/],
  [fleet({ servers: '["tls://a", "bus1.example:4222"]' }), '4:23', /write "tls:\/\/bus1\.example:4222"$/],
  [fleet({ servers: '["tls://bus1.example:0"]' }), '4:12', /write "tls/], [fleet({ servers: '["tls://bus1.example:65536"]' }), '4:12', /write "tls/], [fleet({ servers: '["ws://bus1.example"]' }), '4:12', /write "tls/],
  [fleet({ servers: '["tls://bus1.example/x"]' }), '4:12', /write "tls/],
  [fleet({ servers: '["tls://kim:secret@bus1.example"]' }), '4:12', /^(?!.*secret).*no user and no password belong here/],
  [fleet({ servers: '["tls://10.0.0.1:4222"]' }), '4:12', /an address cannot be compared/], [fleet({ servers: '["tls://[::1]:4222"]' }), '4:12', /an address cannot be compared/],
  [fleet({ servers: '["nats://bus1.example"]' }), '4:12', /nats:\/\/ is not encrypted/],
  [fleet({ servers: '["nats://localhost", "tls://bus1.example"]' }), '4:32', /either all servers are reached by tls:\/\/, or none/],
  [fleet({ servers: '["tls://a", "tls://a"]' }), '4:23', /tls:\/\/a is in the list already/],
  [fleet({ servers: `[${Array.from({ length: 17 }, (_, at) => `"tls://b${at}"`).join(', ')}]` }), '4:1', /at most 16 servers/],
  [fleet({ nkey: '' }), '1:1', /nkey-file is missing/],
  [fleet({ nkey: `nkey-file = "${join(folder, 'absent')}"` }), '5:1', /absent cannot be read: there is no such file; `argo-server fleet key` makes it/],
  [fleet({ nkey: 'nkey-env = "ARGO_TEST_ABSENT"' }), '5:1', /ARGO_TEST_ABSENT is not set/],
  [fleet({ nkey: 'nkey = "SUhunter2"' }), '5:1', /^(?!.*hunter2).*no seed of a user's nkey/],
  [fleet({ nkey: `nkey = "${one}"` }), '5:1', /no seed of a user's nkey/],
  [fleet({ further: 'alive-interval = "99ms"' }), '6:1', /at least "100ms"/], [fleet({ further: 'alive-interval = "61s"\ndead-after = "1h"' }), '6:1', /at most "60s"/],
  [fleet({ further: 'alive-interval = "15s"' }), '1:1', /dead-after|at least twice alive-interval/], [fleet({ further: 'dead-after = "9s"' }), '6:1', /at least twice alive-interval/],
  [fleet({ further: 'send-timeout = "31s"' }), '6:1', /at most "30s"/], [fleet({ further: 'send-timeout = "0s"' }), '6:1', /more than zero/],
  [fleet({ further: 'outbox-size = 999' }), '6:1', /1000/], [fleet({ further: 'outbox-size = 1_000_001' }), '6:1', /1000000/], [fleet({ further: 'outbox-size = "many"' }), '6:1', /outbox-size/],
  [fleet({ further: 'share = ["kvm*", "kvm1/web"]' }), '6:18', /a pattern over names of providers/], [fleet({ further: 'share = ["[9-1]"]' }), '6:10', /backwards/],
  [fleet({ further: 'nkey_file = "x"' }), '6:1', /unknown key nkey_file; is nkey-file meant\?$/],
  [fleet({ further: 'outbox = 1' }), '6:1', /unknown key outbox/],
  [fleet({}, '[fleet.fronts]\nname = "f1"'), '7:1', /write \[\[fleet\.fronts\]\]/], [fleet({}, '[fleet.sites]\nname = "f1"'), '7:1', /write \[\[fleet\.sites\]\]/],
  [fleet({}, '[[fleet.fronts]]\nname = "f1"'), '7:1', /public-key is missing/],
  [fleet({}, `[[fleet.fronts]]\nname = "f1"\npublic-key = "${one.slice(0, -1)}${one.endsWith('A') ? 'B' : 'A'}"`), '9:1', /must be the public key of an nkey/],
  [fleet({}, `[[fleet.fronts]]\nname = "f1"\npublic-key = "${seed}"`), '9:1', /^(?!.*SU[A-Z2-7]{20}).*must be the public key of an nkey/],
  [fleet({}, `[[fleet.fronts]]\nname = "f1"\npublic-key = "${one}"\ngrants = [{ instances = ["@nope"], commands = ["read"] }]`), '10:26', /no group @nope/],
  [fleet({}, `[[fleet.fronts]]\nname = "f1"\npublic-key = "${one}"\ngrants = [{ instances = ["web[1-"], commands = ["read"] }]`), '10:26', /without \]/],
  [fleet({}, `[[fleet.fronts]]\nname = "f1"\npublic-key = "${one}"\n[[fleet.fronts]]\nname = "f1"\npublic-key = "${other}"`), '11:1', /another one by the name f1/],
  [fleet({}, `[[fleet.fronts]]\nname = "f1"\npublic-key = "${one}"\n[[fleet.fronts]]\nname = "f2"\npublic-key = "${one}"`), '12:1', /this is the key of f1, too/],
  [fleet({}, `[[fleet.sites]]\nname = "a"\npublic-key = "${one}"\n[[fleet.sites]]\nname = "a"\npublic-key = "${other}"`), '11:1', /another one by the name a/],
  // accounts
  [fleet({}, `[[fleet.fronts]]\nname = "f1"\npublic-key = "${one}"\n[accounts."kim@f1"]\npassword = "$2b$12$${'a'.repeat(53)}"`), '10:1', /kim@f1 cannot be an account here: so is called who orders at the front f1/],
  [fleet({}, `[[fleet.fronts]]\nname = "f1"\npublic-key = "${one}"\n[accounts."kim@paris@f1"]\npassword = "$2b$12$${'a'.repeat(53)}"`), '10:1', /kim@paris@f1 cannot be an account here/],
  // leases
  ['[providers.p]\ntype = "sim"\nlease = "x"', '3:1', /it needs \[fleet\] with role = \["site"\]/],
  [fleet({ role: '["front"]' }, '[providers.p]\ntype = "sim"\nlease = "x"'), '9:1', /it needs \[fleet\] with role = \["site"\]/],
  [fleet({}, '[providers.p]\ntype = "sim"\nlease = "a b"'), '9:1', /lease: cannot be used/],
  [fleet({}, '[providers.p]\ntype = "sim"\nlease = "x"\n[providers.q]\ntype = "sim"\nlease = "x"'), '12:1', /the provider p has this lease already/],
];

await t.test('each fault with its line and column', async (t) => {
  for (const [source, place, message] of FAULTS) {
    const [first = 'no fault', ...others] = await faultsOf(source);
    t.ok(first.startsWith(`${FILE}:${place}: `), `${JSON.stringify(source)}: ${first}`);
    t.match(first, message);
    if (place !== '1:1') t.same(others, [], `${JSON.stringify(source)} has one fault`);
  }
});

await t.test('an account may have an @ and the name of no front behind it', async (t) => {
  const accounts = ['kim@f11', 'kim@paris', 'f1', 'kim.f1', 'f1@kim'].map((name) => `[accounts."${name}"]\npassword = "$2b$12$${'a'.repeat(53)}"\n`).join('');
  t.same(await faultsOf(fleet({}, `[[fleet.fronts]]\nname = "f1"\npublic-key = "${one}"\n${accounts}`)), []);
});

await t.test('nats:// to this machine, and host names of all kinds', async (t) => {
  for (const server of ['nats://localhost:4222', 'nats://127.0.0.1', 'nats://[::1]:5000', 'tls://localhost', 'tls://bus_1.example:1']) {
    t.same(await faultsOf(fleet({ servers: `["${server}"]` })), [], server);
  }
});

await t.test('what connects anew, and what does not', async (t) => {
  const read = async (source: string) => (await parse(source)).fleet!;
  const first = await read(fleet());
  const grown = await read(fleet({}, `[[fleet.fronts]]\nname = "f1"\npublic-key = "${one}"`));
  t.not(grown.fingerprint, first.fingerprint);
  t.equal(connectionFingerprint(grown), connectionFingerprint(first), 'a front more');
  for (const changed of [fleet({ name: '"paris"' }), fleet({ servers: '["tls://bus2.example"]' }), fleet({ further: 'ca-file = "/ca.pem"' })]) {
    t.not(connectionFingerprint(await read(changed)), connectionFingerprint(first), changed);
  }
  const before = connectionFingerprint(first);
  writeFileSync(keyFile, newSeed());
  t.not(connectionFingerprint(first), before, 'another key in the same file');
});
