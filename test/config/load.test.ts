import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Config } from '../../src/config/config.js';
import { faultsIn, loadConfig, parseConfig } from '../support/configuration.js';

const HASH = '$2b$12$NputH3vRqBIdT3Fcq5GCFOmeRf0Z.6rUOcz6VRBiuKunt6qCHPKGO';
const FILE = 'argo-server.conf';

const parse = (source: string): Promise<Config> => parseConfig(FILE, source, '/state');

const faultsOf = (source: string): Promise<string[]> => faultsIn(parse(source));

await t.test('an empty file is good, and these are the defaults', async (t) => {
  for (const source of ['', '\n', '# nothing but a comment', '\ufeff# a mark that editors leave\n', '[server]\n']) {
    const { server, accounts, groups, providers, file } = await parse(source);
    t.same(server, {
      listen: [{ host: '127.0.0.1', port: 20203 }], tlsListen: [], tls: undefined, stateDir: '/state', auditSync: 'full', auditKeep: { age: 400 * 86_400_000, size: undefined }, pluginPath: [],
      maxLine: 4096, maxConnections: 1024, maxConnectionsPerAddress: 64, idleTimeout: 600_000, anonymousList: true,
      actionTimeout: 120_000, eventHistory: 65_536, maxWatchersPerAccount: 64, ownHost: [], logLevel: 'info',
    });
    t.same([accounts.size, groups.size, providers.size, file], [0, 0, 0, FILE]);
  }
});

await t.test('every key of the daemon\'s own tables', async (t) => {
  const { server, accounts, groups, providers } = await parse(`
[server]
listen = ["0.0.0.0:1", "[::1]:0"]
tls-listen = ["localhost:2"]
tls-cert = "c.pem"
tls-key = "k.pem"
tls-client-ca = "ca.pem"
state-dir = "/s"
audit-sync = "normal"
audit-keep = "forever"
audit-max-size = "500MiB"
plugin-path = ["/p", "q"]
max-line = 64
max-connections = 1
max-connections-per-address = 1000000
idle-timeout = "1s"
anonymous-list = false
action-timeout = "500ms"
event-history = 100
max-watchers-per-account = 0
own-host = ["kvm1/argo", "@web"]
log-level = "debug"
[accounts.steve]
password = "${HASH}"
from = ["127.0.0.0/8", "::1"]
[[accounts.steve.grants]]
instances = ["lj", "*.my.flat", "lab/*", "@web"]
commands = ["*"]
[[accounts.steve.grants]]
instances = []
commands = ["read"]
[accounts."ü@x"]
password = "${HASH}"
[groups]
web = ["web[1-20]", "@deep"]
deep = ["@web"]
[providers.demo]
type = "sim"
action-timeout = "3s"
poll-interval = "100ms"
concurrency = 7
instances = ["lj", { name = "test", state = "off" }]
`);
  t.same(server, {
    listen: [{ host: '0.0.0.0', port: 1 }, { host: '::1', port: 0 }], tlsListen: [{ host: 'localhost', port: 2 }],
    tls: { cert: 'c.pem', key: 'k.pem', clientCa: 'ca.pem' }, stateDir: '/s', auditSync: 'normal', auditKeep: { age: undefined, size: 500 * 1024 ** 2 }, pluginPath: ['/p', 'q'], maxLine: 64, maxConnections: 1,
    maxConnectionsPerAddress: 1_000_000, idleTimeout: 1000, anonymousList: false, actionTimeout: 500, eventHistory: 100, maxWatchersPerAccount: 0, ownHost: ['kvm1/argo', '@web'], logLevel: 'debug',
  });
  t.same(accounts.get('steve'), {
    name: 'steve', passwordHash: HASH,
    from: [{ address: '127.0.0.0', prefix: 8, family: 'ipv4' }, { address: '::1', prefix: 128, family: 'ipv6' }],
    grants: [{ instances: ['lj', '*.my.flat', 'lab/*', '@web'], commands: ['*'] }, { instances: [], commands: ['read'] }],
  });
  t.same(accounts.get('ü@x')?.grants, []);
  t.equal(accounts.get('ü@x')?.from, undefined);
  t.same([...groups], [['web', ['web[1-20]', '@deep']], ['deep', ['@web']]]);
  t.match(providers.get('demo'), { name: 'demo', type: 'sim', actionTimeout: 3000, pollInterval: 100, concurrency: 7 });
});

const account = (rest: string): string => `[accounts.steve]\npassword = "${HASH}"\n${rest}`;

/** A source, and its fault after the file's name. */
const FAULTS: readonly (readonly [string, string, RegExp])[] = [
  // not TOML
  ['[server', '1:8', /\] at the end of this table's name is missing/], ['[providers.p]\ntype = sim', '2:8', /text goes in quotes/], ['[server]\nmax-line =', '2:', /a value is missing/], ['[plans]\np = {\n}', '3:', /on one line/], ['x', '1:2', /./], ['a = 1\na = 2', '2:1', /this name is there already/], ['[server]\n\n  max-line = "', '3:', /./],
  ['[server]\nmax-line = 1 2', '2:14', /./], ['x = "\u0000"', '1:', /./], ['[server]\n[server]', '2:', /./],
  // unknown tables and keys
  ['[gateways.m]\ntype = "metrics"\ntls-listen = ["127.0.0.1:9"]', '3:1', /tls-listen needs tls-cert and tls-key/],
  ['[gateways.m]\ntype = "metrics"\nlisten = ["127.0.0.1:9", "127.0.0.1:20203"]', '3:26', /the line protocol listens there/],
  ['[bogus]', '1:1', /unknown table bogus; there are server, accounts, groups, providers, gateways, webhooks, plans, triggers/], ['bogus = 1', '1:1', /unknown table bogus/],
  ['[server]\nmax_line = 1', '2:1', /unknown key max_line; is max-line meant\?$/], ['server.bogus.deep = 1', '1:8', /unknown key bogus/],
  ['[server]\ntoString = 1', '2:1', /unknown key toString/], ['constructor = 1', '1:1', /unknown table constructor/],
  [account('grant = []'), '3:1', /unknown key grant; is grants meant\?$/], [account('[[accounts.steve.grants]]\ninstances = []\ncommands = []\nother = 1'), '6:1', /unknown key other; there are instances, commands$/],
  ['[providers.p]\ntype = "sim"\nlatncy = "1s"', '3:1', /unknown key latncy/],
  // tables that are none
  ['server = 1', '1:1', /server must be a table: \[server\]$/], ['server = "x"', '1:1', /must be a table/], ['[[server]]', '1:1', /must be a table/],
  ['server = 1979-05-27T07:32:00Z', '1:1', /must be a table/], ['accounts = 1979-05-27', '1:1', /must be a table/],
  ['groups = true', '1:1', /must be a table/], ['providers = []', '1:1', /must be a table/],
  ['accounts.steve = 1', '1:10', /steve: a table is expected/], ['providers.p = "sim"', '1:11', /needs a type/], ['groups.g = "web*"', '1:8', /a list of patterns/],
  // values of the wrong kind or out of bounds
  ['[server]\nlisten = "127.0.0.1:1"', '2:1', /listen: a list is expected, such as \["127.0.0.1:20203"\]$/], ['[server]\nlisten = [\n  "127.0.0.1:1",\n  "nonsense",\n]', '4:3', /listen: write host:port/],
  ['[server]\nmax-line = 63', '2:1', /must be at least 64/], ['[server]\nmax-line = 1048577', '2:1', /at most 1048576/],
  ['[server]\nmax-line = 99.5', '2:1', /a whole number/], ['[server]\nmax-line = "64"', '2:1', /a number is expected/], ['[server]\nmax-line = nan', '2:1', /a number/],
  ['[server]\nmax-line = 9223372036854775807', '2:1', /at most/], ['[server]\nidle-timeout = 600', '2:1', /a duration in quotes/],
  ['[server]\nidle-timeout = "600"', '2:1', /not a duration/], ['[server]\nidle-timeout = "0s"', '2:1', /more than zero/], ['[server]\naction-timeout = "0ms"', '2:1', /more than zero/],
  ['[server]\nanonymous-list = "yes"', '2:1', /true or false/], ['[server]\nlog-level = "loud"', '2:1', /one of "debug"/], ['[server]\nstate-dir = ""', '2:1', /must not be empty/],
  ['[server]\nplugin-path = ["a", 1]', '2:21', /plugin-path: text in quotes/],
  ['[server]\ntls-listen = ["[::]:1"]\ntls-cert = "c"', '2:1', /tls-listen needs tls-cert and tls-key/],
  // accounts
  ['[accounts.steve]', '1:1', /password is missing/], ['[accounts.steve]\npassword = "steve"', '2:1', /must be a bcrypt hash/],
  ['[accounts.steve]\npassword = "$2b$11$NputH3vRqBIdT3Fcq5GCFOmeRf0Z.6rUOcz6VRBiuKunt6qCHPKGO"', '2:1', /cost .* at least 12/],
  ['[accounts.steve]\npassword = "$2b$31$NputH3vRqBIdT3Fcq5GCFOmeRf0Z.6rUOcz6VRBiuKunt6qCHPKGO"', '2:1', /cost .* at most/],
  ['[accounts."a b"]', '1:1', /"a b" cannot be used as a name in \[accounts\]: letters, digits and/], ['[accounts.""]', '1:1', /cannot be used/], [`[accounts.${'x'.repeat(65)}]`, '1:1', /cannot be used/],
  [account('from = ["10.0.0.0/33"]'), '3:9', /from: not a network/], [account('from = "::1"'), '3:1', /from: a list is expected, such as/], [account('[accounts.steve.grants]\ninstances = []\ncommands = []'), '3:1', /grants: write \[\[accounts\.NAME\.grants\]\]/],
  [account('[[accounts.steve.grants]]\ninstances = ["web[1-"]\ncommands = ["*"]'), '4:14', /without \]/],
  [account('[[accounts.steve.grants]]\ninstances = ["a"]'), '3:1', /commands is missing/],
  [account('grants = [{ instances = ["a"], commands = ["*"] }, { instances = ["@nope"], commands = [] }]'), '3:67', /no group @nope/],
  // groups
  ['[groups]\n"a b" = []', '2:1', /cannot be used as a name/], ['[groups]\nweb = ["lj", "@nope"]', '2:14', /no group @nope/], ['[server]\nown-host = ["@nope"]', '2:13', /no group @nope/], ['[groups]\nweb = ["[9-1]"]', '2:8', /backwards/],
  // providers
  ['[providers.p]', '1:1', /providers\.p needs a type: one of .*sim/], ['[providers.p]\ntype = 1', '1:1', /needs a type/], ['[providers.p]\ntype = "vax"', '2:1', /no driver for type "vax"/],
  ['[server]\nconstructor = 1', '2:1', /"constructor" cannot be used as a name/],
  ['[providers.p]\ntype = "sim"\ninstances = ["a"]\nfaults = { prototype = "hang" }', '4:12', /"prototype" cannot be used as a name/],
  ['[providers.p]\ntype = "__proto__"', '2:1', /no driver/], ['[providers."a/b"]\ntype = "sim"', '1:1', /cannot be used as a name/],
  ['[providers.p]\ntype = "sim"\nconcurrency = 0', '3:1', /at least 1/], ['[providers.p]\ntype = "sim"\npoll-interval = "99ms"', '3:1', /at least "100ms"/],
  ['[providers.p]\ntype = "sim"\naction-timeout = "0s"', '3:1', /more than zero/],
  ['[providers.p]\ntype = "xenserver"\nuser = "root"\npassword = "x"\nurl = ["https://xen1.example/", "https://xen2.example/pool"]', '5:33', /a path means nothing here/],
  ['[providers.p]\ntype = "xenserver"\nuser = "root"\npassword = "x"\nurl = "https://xen1.example?a=b"', '5:1', /a path means nothing here/],
  ['[providers.p]\ntype = "sim"\ninstances = ["a", { name = "b", state = "asleep" }]', '3:19', /instances/],
  ['[providers.p]\ntype = "sim"\nfaults = { a = "bogus" }', '3:12', /one of "hang"/],
];

await t.test('each fault with its file, line and column', async (t) => {
  for (const [source, place, message] of FAULTS) {
    const [first = 'no fault', ...others] = await faultsOf(source);
    t.ok(first.startsWith(`${FILE}:${place}`), `${JSON.stringify(source)}: ${first}`);
    t.match(first, message);
    t.match(first, new RegExp(`^${FILE}:\\d+:\\d+: `));
    t.same(others, [], `${JSON.stringify(source)} has one fault`);
  }
});

await t.test('names that reach into every object are refused wherever they stand', async (t) => {
  for (const source of [
    '__proto__ = 1', '[__proto__]', '[a.__proto__.b]', '[accounts.__proto__]', 'a.__proto__.b = 1', '"__proto__" = 1', "'__proto__'.x = 1",
    'a = { __proto__ = 1 }', 'a = [{ b = { "__proto__" = 1 } }]', '[[__proto__]]', 'a = { "\\u005f_proto__" = 1 }',
  ]) {
    t.match(await faultsOf(source), [/:1:\d+: __proto__ is not a usable name/], source);
    t.equal(Object.hasOwn(Object.prototype, 'b') || Object.hasOwn(Object.prototype, 'x'), false);
  }
});

await t.test('all faults are told at once, in the order of the checks, up to a limit', async (t) => {
  const faults = await faultsOf('[server]\nmax-line = 1\nbogus = 1\n[accounts.a]\npassword = "x"\n[providers.p]\ntype = "vax"\n');
  t.equal(faults.length, 4);
  const many = await faultsOf(Array.from({ length: 100 }, (_, index) => `[providers.p${index}]\ntype = "vax"\n`).join(''));
  t.equal(many.length, 20);
});

await t.test('no value that may be a secret is repeated', async (t) => {
  for (const source of [
    '[accounts.steve]\npassword = "hunter2"', 'accounts.steve = "hunter2"', '[accounts]\nsteve = ["hunter2"]', '[accounts.steve]\npassword = ["hunter2"]',
    '[accounts.steve]\npassword = { plain = "hunter2" }', account('grants = "hunter2"'), account('grants = ["hunter2"]'), account('from = "hunter2"'),
    '[providers.p]\ntype = "libvirt"\nuri = "qemu:///system"\npassword = ["hunter2"]', '[providers.p]\ntype = "libvirt"\npassword = "hunter2',
    '[providers.p]\ntype = "sim"\nlatency = "hunter2"', '[providers.p]\ntype = "sim"\ninstances = "hunter2"', '[providers.p]\ntype = "sim"\nfaults = "hunter2"',
    '[server]\ntls-key = { inline = "hunter2" }', 'providers.p = "hunter2"', '[server]\nlisten = "hunter2"', '[server]\nanonymous-list = "hunter2"',
  ]) {
    const faults = await faultsOf(source);
    t.not(faults.length, 0, source);
    t.notMatch(faults.join('\n'), /hunter2/, source);
  }
});

await t.test('a provider whose password cannot be had', async (t) => {
  const faults = await faultsOf('[providers.p]\ntype = "libvirt"\nuri = "qemu+ssh://argo@host/system"\npassword-file = "/nonexistent/secret"');
  t.match(faults, [/:4:1: \/nonexistent\/secret cannot be read: there is no such file$/]);
  t.match(await faultsOf(`[groups]\nweb = "w*"\n[accounts.kim]\npassword = "x"\n[[accounts.kim.grants]]\ninstances = ["@web"]\ncommands = []\n[gateways.m]\ntype = "metrics"\nlisten = ["127.0.0.1:9"]\naccount = "kim"`),
    [/:4:1: password: must be a bcrypt hash/, /:2:1: web: a list of patterns/], 'what names a table with a fault is no fault as well');
});

await t.test('the fingerprint of a provider changes with its table alone', async (t) => {
  const fingerprint = async (source: string) => (await parse(source)).providers.get('p')?.fingerprint;
  const first = await fingerprint('[providers.p]\ntype = "sim"\ncount = 3\n');
  t.equal(await fingerprint('# moved\n[server]\n[providers.q]\ntype = "sim"\n[providers.p]\ntype = "sim"   # the same\ncount = 3\n'), first);
  t.not(await fingerprint('[providers.p]\ntype = "sim"\ncount = 4\n'), first);
});

await t.test('the fingerprint of a provider changes with what is in its files', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-load-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = (name: string): string => join(folder, name);
  const source = `[providers.p]\ntype = "linux"\nuser = "argo"\npassword-file = "${file('password')}"\nhosts-file = "${file('hosts')}"\n`
    + `known-hosts-file = "${file('known')}"\nhosts = [{ name = "h1", address = "10.0.0.1" }]\n`;
  const fingerprint = async () => (await parse(source)).providers.get('p')?.fingerprint;
  writeFileSync(file('password'), 'one\n');
  writeFileSync(file('hosts'), 'h2 10.0.0.2\n');
  const first = await fingerprint();
  t.type(first, 'string');
  writeFileSync(file('hosts'), 'h3 10.0.0.3\n');
  writeFileSync(file('password'), 'one\n');
  t.equal(await fingerprint(), first, 'the same password, and hosts, which are looked at anyway');
  writeFileSync(file('password'), 'two\n');
  const second = await fingerprint();
  t.not(second, first, 'a rotated password');
  writeFileSync(file('known'), 'h1 ssh-ed25519 AAAA\n');
  t.not(await fingerprint(), second, 'a file that was not there');
});

await t.test('what the configuration decides does not go by tags', async (t) => {
  const account = `[accounts.kim]\npassword = "${HASH}"\n`;
  const refused = /a tag cannot stand here, since whoever may tag machines would decide what it means/;
  for (const [source, place] of [
    [`${account}grants = [{ instances = ["lj", "@tag:web"], commands = ["read"] }]\n`, ':3:32:'],
    [`${account}[[accounts.kim.tokens]]\nname = "x"\nhash = "sha256:${'0'.repeat(64)}"\ninstances = ["@tag:web"]\n`, ':6:14:'],
    ['[groups]\nweb = ["@tag:web"]\n', ':2:8:'],
    ['[server]\nown-host = ["@tag:me"]\n', ':2:13:'],
  ] as const) {
    const [fault = '', ...rest] = await faultsOf(source);
    t.match(fault, refused);
    t.match(fault, place);
    t.same(rest, []);
  }
});

await t.test('something has to listen', async (t) => {
  t.match(await faultsOf('[server]\nlisten = []\n'), [/:2:1: nothing would listen/]);
  t.match(await faultsOf('[server]\nmax-line = 100\ntls-listen = []\nlisten = []\n'), [/:4:1: nothing would listen/]);
  t.same((await parse('[server]\nlisten = []\ntls-listen = ["127.0.0.1:1"]\ntls-cert = "c"\ntls-key = "k"\n')).server.listen, []);
});

await t.test('files that cannot be read', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-load-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  await t.rejects(loadConfig(join(folder, 'absent'), '/s'), { message: /absent: cannot be read: there is no such file$/ });
  await t.rejects(loadConfig(folder, '/s'), { message: `${folder}: is not a regular file` });
  const file = join(folder, 'big.conf');
  writeFileSync(file, '');
  truncateSync(file, 4 * 1024 * 1024 + 1);
  await t.rejects(loadConfig(file, '/s'), { message: /too large/ });
  writeFileSync(file, Buffer.concat([Buffer.from('[server]\n# '), Buffer.from('Jörg', 'latin1'), Buffer.from('\n')]));
  await t.rejects(loadConfig(file, '/s'), { message: `${file}:2:4: this is no UTF-8` });
  writeFileSync(file, '\uFEFF[server]\nmax-line = 100 # \uFFFD\n');
  t.equal((await loadConfig(file, '/s')).server.maxLine, 100, 'a byte order mark');
  writeFileSync(file, Buffer.from('[server]\r\nmax-line = 100\r\n'));
  t.equal((await loadConfig(file, '/s')).server.maxLine, 100, 'line ends of another system');
});
