import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readCommandLine } from '../../src/mqtt/command-line.js';
import { type BridgeConfig, readBridgeConfig } from '../../src/mqtt/config.js';
import { blocksOf, readDocument } from '../docs/markdown.js';

function read(t: Test, content: string, env: NodeJS.ProcessEnv = {}, mode = 0o600): BridgeConfig {
  const path = join(t.testdir({}), 'mqtt.toml');
  writeFileSync(path, content);
  chmodSync(path, mode);
  return readBridgeConfig(path, { HOME: '/home/steve', ...env });
}

await t.test('what is not said', (t) => {
  t.match(read(t, 'account = "ha"'), {
    server: { address: { host: '127.0.0.1', port: 20203 }, account: 'ha' },
    broker: { settings: { address: { host: '127.0.0.1', port: 1883 }, account: undefined, tls: undefined }, clientId: 'argo-mqtt-argo', version: '3.1.1', qos: 1, keepalive: 30_000 },
    prefixes: { id: 'argo', topics: 'argo', discovery: 'homeassistant' }, statusTopic: 'homeassistant/status', names: [], orderTimeout: 120_000,
  });
  t.end();
});

await t.test('all that can be said', (t) => {
  const config = read(t, `
server = "lab.example"
account = "ha"
fingerprint = "SHA256:${'ab'.repeat(32)}"
password-file = "ha"
id = "lab"
topic-prefix = "home/power"
discovery-prefix = "ha"
names = ["web*"]
order-timeout = "5m"
[broker]
server = "broker.example"
account = "argo"
password-file = "~/broker"
ca-file = "ca.pem"
version = "5"
client-id = "x"
keepalive = "1m"
qos = 0
`);
  t.match(config, {
    server: { address: { host: 'lab.example', port: 20203 }, password: { file: /\/ha$/ }, tls: { pin: 'ab'.repeat(32) } },
    broker: { settings: { address: { host: 'broker.example', port: 8883 }, account: 'argo', password: { file: '/home/steve/broker' }, tls: { caFile: /\/ca\.pem$/ } }, clientId: 'x', version: '5', qos: 0, keepalive: 60_000 },
    prefixes: { id: 'lab', topics: 'home/power', discovery: 'ha' }, statusTopic: 'ha/status', names: ['web*'], orderTimeout: 300_000,
  });
  t.match(read(t, 'account = "ha"\ndiscovery-prefix = ""'), { prefixes: { discovery: undefined }, statusTopic: undefined });
  t.equal(read(t, 'account = "ha"\nid = "lab"').prefixes.topics, 'lab');
  t.end();
});

await t.test('each side has its own part of the environment', (t) => {
  const config = read(t, 'account = "ha"\n[broker]\naccount = "argo"', { ARGO_PASSWORD: 'one', ARGO_TLS: 'true', MQTT_PASSWORD: 'two' });
  t.match(config.server, { account: 'ha', password: { literal: 'one' }, tls: {} });
  t.match(config.broker.settings, { account: 'argo', password: { literal: 'two' }, tls: undefined });
  t.same(read(t, 'account = "ha"\n[broker]\naccount = "argo"', { ARGO_PASSWORD: 'one', ARGO_ACCOUNT: 'ha' }).broker.settings.password, {});
  t.end();
});

await t.test('what is wrong is said with its place, and no secret is', (t) => {
  for (const [content, message] of [
    ['', /account = "…" is missing/],
    ['account = "ha"\nbrokr = 1', /mqtt\.toml:2:1: unknown key brokr; is broker meant\?/],
    ['account = "ha"\n[broker]\nversion = "4"', /:3:1: version: write "3\.1\.1" or "5"/],
    ['account = "ha"\nid = "a/b"', /:2:1: id: letters, digits/],
    ['account = "ha"\ntopic-prefix = "a/#"', /:2:1: topic-prefix: no \+ and #/],
    ['account = "ha"\ntopic-prefix = "/a"', /topic-prefix/],
    ['account = "ha"\ntopic-prefix = "a//b"', /no empty level/],
    ['account = "ha"\n[broker]\nserver = "mqtt://x"', /neither host:port/],
  ] as const) t.throws(() => read(t, content), { message }, content);
  for (const content of ['account = "ha"\npassword = "hunter2"', 'account = "ha"\n[broker]\naccount = "x"\npassword = "hunter2"']) {
    t.throws(() => read(t, content, {}, 0o640), { message: /^(?!.*hunter2).*others may read it/ });
  }
  t.end();
});

await t.test('the command line', (t) => {
  const env = { HOME: '/home/steve' };
  t.same(readCommandLine([], env), { does: 'run', config: '/home/steve/.config/argo/mqtt.toml' });
  t.same(readCommandLine(['--check', '--config', '/x'], env), { does: 'check', config: '/x' });
  t.equal(readCommandLine(['--help'], env).does, 'help');
  t.equal(readCommandLine(['--version'], env).does, 'version');
  for (const argv of [['--password', 'x'], ['x'], ['--config']]) t.throws(() => readCommandLine(argv, env), argv.join(' '));
  t.end();
});

await t.test('the files of the document are good', (t) => {
  const files = blocksOf(readDocument('docs/integrations/home-assistant.md')).filter(({ language }) => language === 'toml');
  t.ok(files.length > 0);
  for (const { text, line } of files) t.ok(read(t, text), `line ${line}`);
  t.end();
});
