import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import * as v from 'valibot';
import { fromRoot } from '../../support/paths.js';
import { lacks } from '../../support/peers.js';
import { faultsOf, options, parseServer, peersOf, tlsOf, type ZabbixOptions } from '../../../src/gateways/zabbix/options.js';

const folder = mkdtempSync(join(tmpdir(), 'argo-zabbix-options-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, 0o600);
  return path;
};

const read = (more: object): ZabbixOptions => v.parse(v.strictObject(options), { mode: 'active', server: ['zabbix.example.net'], 'proxy-name': 'px', account: 'a', ...more });
const faults = (more: object): [string, string][] => faultsOf(read(more)).map(({ path = [], message }) => [path.join('.'), message]);

await t.test('servers', async (t) => {
  t.same(parseServer('zabbix.example.net'), { host: 'zabbix.example.net', port: 10_051 });
  t.same(parseServer('10.0.0.1:99'), { host: '10.0.0.1', port: 99 });
  t.same(parseServer('::1'), { host: '::1', port: 10_051 });
  t.same(parseServer('[::1]:99'), { host: '::1', port: 99 });
  t.equal(parseServer('no such:thing:at all'), undefined);
  t.same(peersOf(read({ mode: 'passive', server: ['10.0.0.0/24', '::1'], listen: ['127.0.0.1:10051'] })).from.map(({ prefix }) => prefix), [24, 128]);
});

await t.test('what can work', async (t) => {
  const psk = file('psk', `${'0f'.repeat(32)}\n`);
  t.same(faults({}), []);
  t.same(faults({ mode: 'passive', server: ['10.0.0.1'], listen: ['0.0.0.0:10051'] }), []);
  t.same(faults({ tls: 'psk', 'psk-identity': 'px', 'psk-file': psk }), []);
  t.match(tlsOf(read({ tls: 'psk', 'psk-identity': 'px', 'psk-file': psk })), { kind: 'psk', identity: 'px', key: Buffer.alloc(32, 0x0f) });
});

await t.test('what cannot, by its key', async (t) => {
  const wrong = file('wrong', 'secret-that-is-no-hex');
  t.match(faults({ mode: 'passive', server: ['10.0.0.1'] }), [['listen', /listen is missing/]]);
  t.match(faults({ mode: 'passive', server: ['zabbix.example.net'], listen: ['0.0.0.0:1'] }), [['server', /known by addresses/]]);
  t.match(faults({ listen: ['0.0.0.0:1'] }), [['listen', /nobody connects/]]);
  t.match(faults({ mode: 'passive', server: ['10.0.0.1'], listen: ['0.0.0.0:1'], 'data-frequency': '1s' }), [['data-frequency', /the server says how often/]]);
  t.match(faults({ tls: 'psk', 'psk-identity': 'px' }), [['tls', /needs psk-file/]]);
  t.match(faults({ tls: 'psk', 'psk-identity': 'px', 'psk-file': join(folder, 'absent') }), [['psk-file', /cannot be read: there is no such file/]]);
  t.match(faults({ tls: 'psk', 'psk-identity': 'px', 'psk-file': folder }), [['psk-file', /is not a regular file/]]);
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  t.match(faults({ tls: 'certificate', 'ca-file': join(folder, 'pipe') }), [['ca-file', /is not a regular file/]], 'one that nobody writes to is not waited for');
  const [[key, message = ''] = []] = faults({ tls: 'psk', 'psk-identity': 'px', 'psk-file': wrong });
  t.equal(key, 'psk-file');
  t.match(message, /hex digits/);
  t.notMatch(message, /secret-that/);
  t.match(faults({ tls: 'certificate', 'ca-file': join(folder, 'absent') }), [['ca-file', /cannot be read/]]);
  t.match(faults({ 'proxy-name': 'a/b' }), [['proxy-name', /letters/]]);
  t.match(faults({ 'proxy-name': ' a' }), [['proxy-name', /letters/]], 'Zabbix takes none with a blank at an end');
  for (const server of ['a.example,b.example', 'a.example;b.example', 'http://a.example/', '10.0.0.0/8', 'a b']) t.match(faults({ server: [server] }), [['server', /is no server/]], server);
  t.match(faults({ tls: 'psk', 'psk-identity': 'x'.repeat(129), 'psk-file': wrong }), [['psk-identity', /^psk-identity is longer/]]);
  t.throws(() => read({ 'data-frequency': '10ms' }), /at least "100ms"/);
});

await t.test('what is allowed and probably not meant is told by check', async (t) => {
  const open = file('open.psk', `${'0f'.repeat(32)}\n`);
  chmodSync(open, 0o644);
  const table = (name: string): string => `[gateways.${name}]
type = "zabbix"
mode = "active"
server = ["zabbix.example.net", "10.0.0.5"]
proxy-name = "px"
account = "a"
tls = "psk"
psk-identity = "px"
psk-file = ${JSON.stringify(open)}
`;
  const config = file('twins.conf', `[accounts.a]
password = "$2b$12$....................................................."
[providers.demo]
type = "sim"
instances = ["lj"]
${table('one')}${table('two')}`);
  const { status, stdout, stderr } = spawnSync(process.execPath, [fromRoot('bin', 'argo-server.js'), 'check', '--config', config], { encoding: 'utf8' });
  t.equal(status, 0, stderr);
  const said = stdout + stderr;
  t.match(said, /twins\.conf:14:1: \S+open\.psk can be read by every user/);
  t.match(said, /twins\.conf:19:1: the gateway one is the proxy "px" of the same server, too/);
  t.equal(said.split('Zabbix takes both for one').length, 2, 'once');
});

await t.test('certificates are tried before anybody connects', { skip: lacks('openssl') }, (t) => {
  const [one, other] = ['one', 'other'].map((name) => {
    const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    return { 'tls-cert': cert, 'tls-key': key };
  });
  const garbage = file('garbage', 'secret-that-is-no-pem');
  const table = { tls: 'certificate', 'ca-file': one!['tls-cert'], ...one };
  t.same(faults(table), []);
  const broken = file('broken', `${readFileSync(one!['tls-cert'], 'utf8')}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`);
  const wrong: readonly (readonly [object, string, RegExp])[] = [
    [{ 'ca-file': garbage }, 'ca-file', /garbage: holds no certificate/],
    [{ 'ca-file': broken }, 'ca-file', /broken: certificate 2 of 2 in it cannot be read/],
    [{ 'tls-cert': garbage }, 'tls-cert', /garbage: holds no certificate/],
    [{ 'tls-key': garbage }, 'tls-key', /garbage: holds no private key/],
    [{ 'tls-key': one!['tls-cert'] }, 'tls-key', /holds no private key/],
    [{ 'tls-key': other!['tls-key'] }, 'tls-key', /is not the key of the certificate/],
    [{ 'server-issuer': '/O=Example/CN=Signing CA' }, 'server-issuer', /CN=zabbix server,O=Example/],
    [{ 'server-subject': 'CN=zabbix server, O=Example' }, 'server-subject', /without blanks/],
  ];
  for (const [more, key, words] of wrong) {
    const [[at, message = ''] = [], ...others] = faults({ ...table, ...more });
    t.same([at, others], [key, []]);
    t.match(message, words);
    t.notMatch(message, /secret-that/);
  }
  t.same(faults({ ...table, 'server-issuer': 'CN=Signing CA,O=Example\\, Inc.' }), []);
  t.end();
});

await t.test('keys that mean nothing where they stand', async (t) => {
  const passive = { mode: 'passive', server: ['10.0.0.1'], listen: ['0.0.0.0:1'] };
  for (const key of ['config-frequency', 'heartbeat-frequency', 'data-frequency']) t.match(faults({ ...passive, [key]: '1s' }), [[key, /in passive mode the server says how often/]]);
  for (const key of ['max-connections', 'max-connections-per-address']) t.match(faults({ [key]: 5 }), [[key, /in active mode nobody connects/]]);
  t.match(faults({ 'server-version': '5.4' }), [['server-version', /in active mode the server says/]]);
  t.same(faults({ ...passive, 'server-version': '5.4', 'max-connections': 5, 'max-connections-per-address': 5 }), []);
  t.throws(() => read({ ...passive, 'server-version': '5' }), /a version is expected, such as "5.4"/);
  const psk = file('psk2', '0f'.repeat(32));
  t.match(faults({ 'psk-identity': 'px', 'psk-file': psk }), [['psk-identity', /with tls = "psk" alone/], ['psk-file', /with tls = "psk" alone/]]);
  t.match(faults({ tls: 'psk', 'psk-identity': 'px', 'psk-file': psk, 'server-subject': 'CN=x' }), [['server-subject', /with tls = "certificate" alone/]]);

  const config = file('argo-server.conf', `[accounts.z]
password = "$2b$12$uPjF63SJHHAGLcNJrPOPouCmbAe2mhqzkU6.MQDpPLMPU0lj.5j7W"
[gateways.zabbix]
type = "zabbix"
mode = "passive"
server = ["10.0.0.1"]
listen = ["127.0.0.1:10051"]
proxy-name = "px"
account = "z"
  config-frequency = "1s"
`);
  const { status, stdout, stderr } = spawnSync(process.execPath, [fromRoot('bin', 'argo-server.js'), 'check', '--config', config], { encoding: 'utf8' });
  t.not(status, 0);
  t.match(stdout + stderr, new RegExp(`${config}:10:\\d+: .*in passive mode the server says how often`), 'the file, the line and the column');
});
