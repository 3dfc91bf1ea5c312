import { userInfo } from 'node:os';
import t from 'tap';
import { parseAddress } from '../../src/client/address.js';
import { isLoopback } from '../../src/kit/addresses.js';
import { formatEndpoint } from '../../src/kit/text.js';
import { type ClientConfig, parseConfig } from '../../src/client/config-file.js';
import { cacheFolder, type ClientOptions, configPath, formatFingerprint, parseFingerprint, settle, stateFolder } from '../../src/client/settings.js';

const HEX = 'ab'.repeat(32);

void t.test('addresses', async (t) => {
  t.same(parseAddress('itchy'), { host: 'itchy', port: 20203 });
  t.same(parseAddress('itchy:1234'), { host: 'itchy', port: 1234 });
  t.same(parseAddress('[::1]:1234'), { host: '::1', port: 1234 });
  t.same(parseAddress('[::1]'), { host: '::1', port: 20203 });
  t.same(parseAddress('fe80::1'), { host: 'fe80::1', port: 20203 });
  for (const bad of ['', ':1', 'a:0', 'a:65536', 'a:b', 'a:1:2', 'a b', 'tcp://a', 'steve@itchy', '[x]:1', 'a/b']) t.equal(parseAddress(bad), undefined, bad);
  t.equal(formatEndpoint({ host: '::1', port: 1 }), '[::1]:1');
  t.same(['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1', '10.0.0.1', '::2', undefined].map(isLoopback), [true, true, true, true, false, false, false]);
});

void t.test('fingerprints', async (t) => {
  t.equal(parseFingerprint(formatFingerprint(HEX)), HEX);
  t.equal(parseFingerprint(`SHA256:${HEX}`), HEX);
  t.equal(parseFingerprint(`sha256:${HEX.toUpperCase().match(/../g)!.join(':')}`), HEX);
  for (const bad of ['', 'SHA256:', 'SHA256:abc', `SHA1:${HEX}`, `${HEX}00`]) t.equal(parseFingerprint(bad), undefined, bad);
});

const config = (text: string): ClientConfig => parseConfig(text, '/etc/argo/config.toml', '/home/steve');
const of = (text: string, options: ClientOptions = {}, env: NodeJS.ProcessEnv = {}) => settle(config(text), options, env);

const FILE = `
server = "itchy:20203"
account = "steve"
password-file = "~/secret"
[servers.lab]
server = "lab.example"
account = "admin"
password-command = ["pass", "show", "lab"]
fingerprint = "SHA256:${HEX}"
[servers.old]
server = "old.example:20203"
tls = false
allow-plain = true
connect-timeout = "3s"
reply-timeout = "20m"
`;

void t.test('nothing is set', async (t) => {
  t.match(of(''), { address: { host: '127.0.0.1', port: 20203 }, account: undefined, password: {}, tls: undefined, connectTimeout: 10_000, replyTimeout: 300_000 });
});

void t.test('option before environment before file', async (t) => {
  t.match(of(FILE), { address: { host: 'itchy' }, account: 'steve', password: { file: '/home/steve/secret' } });
  t.match(of(FILE, {}, { ARGO_SERVER: 'scratchy', ARGO_ACCOUNT: 'bob' }), { address: { host: 'scratchy' }, account: 'bob' });
  t.match(of(FILE, { server: 'third', account: 'eve' }, { ARGO_SERVER: 'scratchy', ARGO_ACCOUNT: 'bob' }), { address: { host: 'third' }, account: 'eve' });
  t.match(of(FILE, {}, { ARGO_PASSWORD: 'x', ARGO_PASSWORD_FILE: '/y' }).password, { literal: 'x' });
  t.match(of(FILE, {}, { ARGO_PASSWORD: '', ARGO_PASSWORD_FILE: '/y' }).password, { file: '/y' });
});

void t.test('profiles', async (t) => {
  t.match(of(FILE, { server: 'lab' }), { address: { host: 'lab.example', port: 20203 }, account: 'admin', password: { command: ['pass', 'show', 'lab'] }, tls: { pin: HEX } });
  t.match(of(FILE, { server: 'old' }), { tls: undefined, allowPlain: true, account: undefined, connectTimeout: 3000, replyTimeout: 1_200_000 });
  t.match(of(FILE, {}, { ARGO_SERVER: 'lab.example:20203' }), { account: 'admin', tls: { pin: HEX } }, 'the address of a profile means the profile');
  t.throws(() => of('[servers.x]', { server: 'x' }), { message: '[servers.x] of config.toml has no server = "host:port"' });
  t.throws(() => of(FILE, { server: 'a:b' }), { message: '"a:b" is neither host:port nor a [servers.NAME] of config.toml' });
});

void t.test('what belongs to one server or account is not used with another', async (t) => {
  const other = of(FILE, { server: 'evil.example' });
  t.same([other.account, other.password, other.tls], [undefined, {}, undefined]);
  t.same(of(FILE, { account: 'bob' }).password, {});
});

void t.test('TLS', async (t) => {
  t.same(of('tls = true').tls, {});
  t.same(of('ca-file = "ca.pem"').tls, { caFile: '/etc/argo/ca.pem' }, 'relative to the file that names it');
  t.same(of('', {}, { ARGO_CA_FILE: '/ca.pem' }).tls, { caFile: '/ca.pem' });
  t.same(of('', { fingerprint: HEX }).tls, { pin: HEX });
  t.same(of('', {}, { ARGO_TLS: 'yes' }).tls, {});
  t.equal(of('tls = true', { tls: false }).tls, undefined);
  t.throws(() => of(`tls = false\nfingerprint = "${HEX}"`), { message: 'a CA file or a fingerprint is given, and TLS is switched off' });
  t.throws(() => of('ca-file = "x"', { tls: false }), { message: /switched off/ });
  t.throws(() => of('fingerprint = "SHA256:no"'), { message: /is not one/ });
  t.throws(() => of('', {}, { ARGO_TLS: 'maybe' }), { message: 'ARGO_TLS must be true or false' });
});

void t.test('faults of the file are told with their place', async (t) => {
  t.throws(() => config('server = "a"\nacount = "b"'), { message: '/etc/argo/config.toml:2:1: unknown key acount; is account meant?' });
  t.throws(() => config('[servers.x]\ntls = "yes"'), { message: '/etc/argo/config.toml:2:1: tls: true or false is expected' });
  t.throws(() => config('server = '), { message: /^\/etc\/argo\/config\.toml:1:\d+: / });
  t.throws(() => config('reply-timeout = "soon"'), { message: /:1:1: reply-timeout: not a duration/ });
  t.throws(() => config('password-command = []'), { message: /must not be empty/ });
  t.throws(() => config('[servers]\n__proto__ = { tls = true }'), { message: /__proto__/ });
});

void t.test('no file is of whatever folder one is in', async (t) => {
  const { homedir } = userInfo();
  for (const relative of ['', '.', 'x', '../x']) {
    t.equal(configPath({ HOME: '/h', XDG_CONFIG_HOME: relative }), '/h/.config/argo/config.toml', relative);
    t.equal(stateFolder({ HOME: '/h', XDG_STATE_HOME: relative }), '/h/.local/state/argo', relative);
    t.equal(cacheFolder({ HOME: '/h', XDG_CACHE_HOME: relative }), '/h/.cache/argo', relative);
    t.equal(configPath({ HOME: relative }), `${homedir}/.config/argo/config.toml`, relative);
  }
  t.equal(cacheFolder({}), `${homedir}/.cache/argo`);
});

void t.test('where files are', async (t) => {
  t.equal(configPath({ HOME: '/h' }), '/h/.config/argo/config.toml');
  t.equal(configPath({ HOME: '/h', XDG_CONFIG_HOME: '/x' }), '/x/argo/config.toml');
  t.equal(configPath({ HOME: '/h', XDG_CONFIG_HOME: '/x', ARGO_CONFIG_HOME: '/a' }), '/a/config.toml');
  t.equal(stateFolder({ HOME: '/h' }), '/h/.local/state/argo');
  t.equal(stateFolder({ XDG_STATE_HOME: '/s' }), '/s/argo');
  t.equal(cacheFolder({ HOME: '/h' }), '/h/.cache/argo');
  t.equal(cacheFolder({ HOME: '/h', XDG_CACHE_HOME: '/c' }), '/c/argo');
});
