import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { MQTT_STALL } from '../../src/kit/mqtt-limits.js';
import { discoveryFaults } from '../mqtt/home-assistant.js';
import { MQTT_PROGRAMS, Mosquitto, type Onlooker } from '../peers/mosquitto.js';
import { startDaemon, type Daemon } from '../support/daemon.js';
import { ADMIN, logIn } from '../support/faults.js';
import { lacks } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { runNode } from '../support/programs.js';
import { fromRoot } from '../support/paths.js';
import { runSessions } from '../support/sessions.js';
import { bridgeFile, programFolder, RunningBridge } from './support/bridge.js';
import { bridgeConfig as ofBridge, BROKER_PASSWORD, HASH, PASSWORD } from './support/bridge-world.js';
import { until } from '../support/until.js';

/** A real argo-server, Debian's mosquitto, and mosquitto_sub as the one who sees what Home Assistant would. */

const skip = lacks(...MQTT_PROGRAMS);
const WITHIN_MS = 60_000;

/** What a bridge has told Home Assistant. */
const LEFT_CONFIG = '{"unique_id":"left","origin":{"name":"argo-mqtt"}}';
const OF_OTHERS = [
  ['argo/kitchen/lamp/attributes', '{"name":"lamp","provider":"kitchen"}'], ['argo/kitchen/lamp/availability', 'online'],
  ['homeassistant/switch/argo/argo__lamp/config', '{"unique_id":"lamp","origin":{"name":"another"}}'],
] as const;

/** @param more instances and grants */
const serverConfig = (port: number, { instances = '"lj", "builder"', more = '' } = {}): string => `
[server]
listen = ["127.0.0.1:${port}"]
${ADMIN}
[accounts.ha]
password = "${HASH}"
grants = [{ instances = ["*"], commands = ["read"] }, { instances = ["lj", "builder", "demo/mail*", "deaf", "hung"], commands = ["power"] }${more}]
[accounts.kim]
password = "${HASH}"
grants = [{ instances = ["lj"], commands = ["read"] }]
[providers.demo]
type = "sim"
instances = [${instances}, "dev", "deaf", { name = "held", state = "suspended" }, "mail+1/#", "hung"]
faults = { deaf = "deaf", hung = "error" }
[providers.away]
type = "libvirt"
uri = "qemu:///system?socket=/nonexistent"
`;

/** One that does not wait long. */
const bridgeConfig = (server: number, broker: Mosquitto, more = '', ofBroker = ''): string =>
  ofBridge(server, broker, `order-timeout = "2s"\n${more}`, ofBroker);

interface World {
  readonly broker: Mosquitto;
  readonly daemon: Daemon;
  readonly onlooker: Onlooker;
  /** the server, killed and started anew where it was */
  restart(away: () => Promise<void>): Promise<Daemon>;
}

async function start(t: Test, tls = false): Promise<World> {
  const broker = await Mosquitto.start(t, { users: { bridge: BROKER_PASSWORD }, tls });
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'argo-mqtt-server-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const serve = (): Promise<Daemon> => startDaemon({ config: serverConfig(port), folder });
  let daemon = await serve();
  t.teardown(() => daemon.stop());
  return {
    broker, daemon, onlooker: broker.watch(t),
    restart: async (away) => {
      daemon.signal('SIGKILL');
      await daemon.exited;
      await away();
      return daemon = await serve();
    },
  };
}

const outcomeOf = (onlooker: Onlooker, base: string): unknown => {
  const said = onlooker.last(`${base}/last_order`);
  return said === undefined ? undefined : { ...JSON.parse(said) as object, time: undefined };
};

await t.test('what Home Assistant sees and does', { skip }, async (t) => {
  const { broker, daemon, onlooker, restart } = await start(t);
  const lj = 'argo/demo/lj';
  // of an earlier life: a machine that has gone, and an order that somebody has retained
  await broker.publish('homeassistant/switch/argo/argo__demo__99__power/config', LEFT_CONFIG, '-r');
  await broker.publish('argo/demo/gone/attributes', '{"name":"demo/gone","provider":"demo","id":"99"}', '-r');
  await broker.publish('argo/demo/gone/availability', 'online', '-r');
  await broker.publish('argo/demo/gone/power', 'ON', '-r');
  await broker.publish('homeassistant/switch/argo/argo__away__7__power/config', LEFT_CONFIG, '-r');
  await broker.publish('argo/away/vm/attributes', '{"name":"away/vm","provider":"away","id":"7"}', '-r');
  await broker.publish('argo/away/vm/availability', 'online', '-r');
  // of others, who write below the same prefixes
  for (const [topic, payload] of OF_OTHERS) await broker.publish(topic, payload, '-r');
  await broker.publish(`${lj}/set`, 'OFF', '-r');
  let bridge = new RunningBridge(t, bridgeConfig(daemon.port, broker));
  await onlooker.says('argo/availability', 'online');
  const admin = await logIn(daemon);
  t.teardown(() => admin.destroy());
  const statusOf = async (name: string): Promise<string | undefined> => (await admin.ask(`status ${name}`)).body[0];

  await t.test('each machine is found, with what the account may do', async (t) => {
    // it says what there is before it knows what may be done with it; these are the last that it tells of either
    for (const found of ['button/argo/argo__demo__1__force_off', 'sensor/argo/argo__demo__3__state']) await onlooker.says(`homeassistant/${found}/config`, /"unique_id"/);
    const configs = [...onlooker.now].filter(([topic]) => topic.endsWith('/config') && !topic.includes('__lamp'));
    t.same(configs.filter(([topic]) => !topic.includes('__away__')).flatMap(([topic, payload]) => discoveryFaults(topic, payload)), []);
    const entities = configs.map(([topic]) => topic.split('/').slice(1, 4).join('/')).sort();
    const of = (id: number): string[] => entities.filter((entity) => entity.includes(`__demo__${id}__`)).map((entity) => entity.replace(/argo\/argo__demo__\d+__/, ''));
    t.same(of(1), ['button/force_off', 'button/reboot', 'sensor/last_order', 'sensor/state', 'switch/power'], 'lj');
    t.same(of(3), ['binary_sensor/power_state', 'sensor/state'], 'dev, which it may only read');
    t.ok(entities.includes('binary_sensor/argo/argo__connection'));
    const parsed = configs.map(([, payload]) => JSON.parse(payload) as { unique_id: string; availability?: { topic: string }[]; state_topic?: string });
    t.equal(new Set(parsed.map(({ unique_id }) => unique_id)).size, configs.length);
    for (const { unique_id, availability = [], state_topic } of parsed) {
      for (const { topic } of availability) t.ok(onlooker.last(topic), `${unique_id}: ${topic} is told, else all of it would be unavailable`);
      if (state_topic !== undefined && !state_topic.endsWith('/last_order')) t.ok(onlooker.last(state_topic), `${unique_id}: ${state_topic}`);
    }
  });

  await t.test('what is not known is never off, and what is held is not', (t) => {
    t.same(['availability', 'power', 'state'].map((what) => onlooker.last(`argo/demo/hung/${what}`)), ['offline', 'None', 'unknown']);
    t.same(['availability', 'power', 'state'].map((what) => onlooker.last(`argo/demo/held/${what}`)), ['online', 'ON', 'suspended']);
    t.same(['availability', 'power', 'state'].map((what) => onlooker.last(`argo/demo/mail%2b1%2f%23/${what}`)), ['online', 'ON', 'on']);
    t.end();
  });

  await t.test('what was left of an earlier life is gone, and no order of it is carried out', async (t) => {
    await onlooker.says('homeassistant/switch/argo/argo__demo__99__power/config', undefined);
    await onlooker.says('argo/demo/gone/availability', undefined);
    await onlooker.says('argo/demo/gone/power', undefined);
    t.equal(await statusOf('lj'), 'on');
    t.equal(onlooker.last(`${lj}/last_order`), undefined);
    await onlooker.says('argo/away/vm/availability', 'offline');
    for (const [topic, payload] of OF_OTHERS) t.equal(onlooker.last(topic), payload);
    t.equal(onlooker.last('homeassistant/switch/argo/argo__away__7__power/config'), LEFT_CONFIG, 'one whose provider does not answer may be there all the same');
  });

  await t.test('a change is seen at once', async (t) => {
    await admin.ask('stop lj --wait');
    await onlooker.says(`${lj}/power`, 'OFF');
    await onlooker.says(`${lj}/state`, 'off');
    await onlooker.says(`${lj}/attributes`, /^\{"name":"demo\/lj","provider":"demo","id":"1","state":"off","since":"[\d-]+T[\d:.]+Z"\}$/);
    t.equal(onlooker.last(`${lj}/availability`), 'online');
  });

  await t.test('orders are carried out, and the machine says so', async (t) => {
    await broker.publish(`${lj}/set`, 'ON');
    await onlooker.says(`${lj}/last_order`, /"order":"ON","outcome":"done","reason":""/);
    await onlooker.says(`${lj}/power`, 'ON');
    t.equal(await statusOf('lj'), 'on');
    await broker.publish(`${lj}/set`, 'REBOOT');
    await onlooker.says(`${lj}/last_order`, /"order":"REBOOT","outcome":"(?:done|accepted)"/);
    await broker.publish('argo/demo/mail%2b1%2f%23/set', 'FORCE_OFF');
    await onlooker.says('argo/demo/mail%2b1%2f%23/power', 'OFF');
  });

  await t.test('one that fails is told, and the switch shows what is', async (t) => {
    const before = onlooker.count('argo/demo/deaf/power');
    await broker.publish('argo/demo/deaf/set', 'OFF');
    await onlooker.says('argo/demo/deaf/last_order', /"order":"OFF","outcome":"failed","reason":"TIMEOUT/);
    await until(() => onlooker.count('argo/demo/deaf/power') > before, WITHIN_MS, 'the state again');
    t.equal(onlooker.last('argo/demo/deaf/power'), 'ON');
    await broker.publish('argo/demo/dev/set', 'OFF');
    await onlooker.says('argo/demo/dev/last_order', /"outcome":"failed","reason":"NOT ALLOWED/);
    await broker.publish('argo/demo/dev/set', 'x'.repeat(10_000));
    await onlooker.says('argo/demo/dev/last_order', /"order":"","outcome":"failed","reason":"BAD REQUEST/);
    t.equal(await statusOf('dev'), 'on');
  });

  await t.test('Home Assistant is told all of it again when it has started', async () => {
    const [config, power] = ['homeassistant/switch/argo/argo__demo__1__power/config', `${lj}/power`];
    const before = [config, power].map((topic) => onlooker.count(topic));
    await broker.publish('homeassistant/status', 'online');
    await until(() => [config, power].every((topic, at) => onlooker.count(topic) > before[at]!), WITHIN_MS, 'discovery');
  });

  await t.test('a machine that goes leaves nothing, and a new one is found', async (t) => {
    daemon.reconfigure(serverConfig(daemon.port, { instances: '"lj", "new one"' }));
    daemon.signal('SIGHUP');
    await onlooker.says('argo/demo/new%20one/state', 'on');
    await onlooker.says('argo/demo/builder/availability', undefined);
    const names = [...onlooker.now.values()].flatMap((payload) => /"name":"(demo\/[^"]+)"/.exec(payload)?.[1] ?? []);
    t.notOk(names.includes('demo/builder'));
    t.ok(names.includes('demo/new one'));
    daemon.reconfigure(serverConfig(daemon.port, { more: ', { instances = ["dev"], commands = ["power"] }' }));
    daemon.signal('SIGHUP');
    await onlooker.says('homeassistant/binary_sensor/argo/argo__demo__3__power_state/config', undefined);
    await onlooker.says('homeassistant/switch/argo/argo__demo__3__power/config', /command_topic/);
  });

  await t.test('the broker is gone, and comes back without memory', async (t) => {
    await broker.stop();
    // closed or reset
    await bridge.says(/broker at localhost:\d+.*; trying again/);
    const from = onlooker.heard.length;
    await broker.run();
    await until(() => onlooker.heard.slice(from).some(({ topic, payload }) => topic === `${lj}/power` && payload === 'ON'), WITHIN_MS, 'the state again');
    await onlooker.says('argo/availability', 'online');
    await broker.publish(`${lj}/set`, 'OFF');
    await onlooker.says(`${lj}/power`, 'OFF');
    t.ok(onlooker.heard.slice(from).some(({ topic }) => topic.endsWith('/config')));
  });

  await t.test('held up, it does nothing of what was written meanwhile', async (t) => {
    const offline = (): number => onlooker.heard.filter(({ topic, payload }) => topic === 'argo/availability' && payload === 'offline').length;
    const before = offline();
    process.kill(bridge.pid, 'SIGSTOP');
    await broker.publish(`${lj}/set`, 'ON');
    // it goes by its own clock
    await pause(MQTT_STALL + 1000);
    process.kill(bridge.pid, 'SIGCONT');
    await until(() => offline() > before, WITHIN_MS, 'a last will');
    await onlooker.says('argo/availability', 'online');
    const said = onlooker.count('argo/demo/dev/last_order');
    await broker.publish('argo/demo/dev/set', 'nonsense');
    await until(() => onlooker.count('argo/demo/dev/last_order') > said, WITHIN_MS, 'a later order');
    t.equal(await statusOf('lj'), 'off');
  });

  const runAgain = (): RunningBridge => new RunningBridge(t, bridgeConfig(daemon.port, broker));
  await t.test('killed, it is said to be gone, and what is written meanwhile is not done later', async (t) => {
    await bridge.end('SIGKILL');
    await onlooker.says('argo/availability', 'offline');
    await broker.publish(`${lj}/set`, 'ON', '-r');
    bridge = runAgain();
    await onlooker.says('argo/availability', 'online');
    await broker.publish(`${lj}/set`, '', '-r');
    await broker.publish('argo/demo/dev/set', 'nonsense');
    const before = onlooker.count('argo/demo/dev/last_order');
    await broker.publish('argo/demo/dev/set', 'REBOOT');
    await until(() => onlooker.count('argo/demo/dev/last_order') > before, WITHIN_MS, 'a later order');
    t.equal(await statusOf('lj'), 'off');
  });

  await t.test('the server is gone: nothing is available, and nothing waits for it', async (t) => {
    const again = await restart(async () => {
      await onlooker.says('argo/availability', 'offline');
      await broker.publish(`${lj}/set`, 'OFF');
      await onlooker.says(`${lj}/last_order`, /"order":"OFF","outcome":"failed","reason":"UNREACHABLE/);
    });
    await onlooker.says('argo/availability', 'online');
    await onlooker.says(`${lj}/power`, 'ON');
    await bridge.says(/some events were missed/);
    const client = await logIn(again);
    t.teardown(() => client.destroy());
    t.same((await client.ask('status lj')).body, ['on'], 'as after each start of simulated machines');
  });

  await t.test('a goodbye, and no secret anywhere', async (t) => {
    const args = readFileSync(`/proc/${bridge.pid}/cmdline`, 'utf8');
    t.equal(await bridge.end(), 0);
    await onlooker.says('argo/availability', 'offline');
    for (const text of [args, bridge.said(), JSON.stringify(onlooker.heard)]) for (const secret of [PASSWORD, BROKER_PASSWORD]) t.notMatch(text, secret);
    t.same(outcomeOf(onlooker, lj), { order: 'OFF', outcome: 'failed', reason: 'UNREACHABLE: the server cannot be reached; nothing was sent', time: undefined }, 'what was told last stays');
  });
});

await t.test('a tenant, over TLS and MQTT 5', { skip }, async (t) => {
  const { broker, daemon, onlooker } = await start(t, true);
  const kim = bridgeConfig(daemon.port, broker, 'id = "kim"', `ca-file = "${broker.caFile}"\nversion = "5"`).replace('"ha"', '"kim"');
  const bridge = new RunningBridge(t, kim);
  await onlooker.says('kim/availability', 'online');
  await onlooker.says('homeassistant/sensor/kim/kim__demo__1__state/config', /"unique_id"/);
  const told = [...onlooker.now.keys()];
  t.same(told.filter((topic) => topic.startsWith('kim/')).sort(), ['kim/availability', 'kim/demo/lj/attributes', 'kim/demo/lj/availability', 'kim/demo/lj/power', 'kim/demo/lj/state', 'kim/owner']);
  t.same(told.filter((topic) => topic.endsWith('/config')).map((topic) => topic.split('/')[1]).sort(), ['binary_sensor', 'binary_sensor', 'sensor'], 'nothing to be switched');
  await broker.publish('kim/demo/builder/set', 'OFF');
  await broker.publish('kim/demo/lj/set', 'OFF');
  await onlooker.says('kim/demo/lj/last_order', /NOT ALLOWED/);
  const admin = await logIn(daemon);
  t.teardown(() => admin.destroy());
  t.same((await admin.ask('status lj builder')).body.toSorted(), ['builder: on', 'lj: on']);
  await bridge.end('SIGKILL');
  await onlooker.says('kim/availability', 'offline');

  await t.test('--check, and what is wrong', async (t) => {
    const check = (toml: string): ReturnType<typeof runNode> => runNode([fromRoot('bin', 'argo-mqtt.js'), '--check', '--config', bridgeFile(t, toml)]);
    t.match(await check(kim), { code: 0, stdout: /: kim sees 1 machines, and may look only\nbroker localhost:\d+: connected by MQTT 5\n$/, stderr: '' });
    t.match(await check(kim.replace(BROKER_PASSWORD, 'wrong')), { code: 3, stdout: /broker .*: NOT AUTHENTICATED: .* refuses our name or password/ });
    t.match(await check(kim.replace(PASSWORD, 'wrong')), { code: 3, stdout: /argo-server .*: NOT AUTHENTICATED/ });
    t.match(await check(kim.replace(/ca-file = .*/, 'tls = true')), { code: 1, stdout: /broker .*: CERTIFICATE REJECTED: .*fingerprint = "SHA256:/ });
    t.match(await check(kim.replace(/ca-file = .*/, 'tls = false')), { code: 1, stdout: /broker .*: UNREACHABLE/ });
    const refused = new RunningBridge(t, kim.replace(PASSWORD, 'wrong'));
    t.equal(await refused.ended(), 3, 'it ends where waiting is of no use');
  });
});

await t.test('the document\'s sessions are true', { skip }, async (t) => {
  const broker = await Mosquitto.start(t, { users: { argo: BROKER_PASSWORD } });
  const port = await freePort();
  const config = `[server]\nlisten = ["127.0.0.1:${port}"]\n[accounts.homeassistant]\npassword = "${HASH}"\ngrants = [{ instances = ["*"], commands = ["read", "power"] }]\n[providers.demo]\ntype = "sim"\ninstances = ["lj", "builder", "test"]\n`;
  const daemon = await startDaemon({ config });
  t.teardown(() => daemon.stop());
  const toml = `server = "127.0.0.1:${port}"\naccount = "homeassistant"\npassword = "${PASSWORD}"\n[broker]\nserver = "127.0.0.1:${broker.port}"\naccount = "argo"\npassword = "${BROKER_PASSWORD}"\n`;
  const onlooker = broker.watch(t);
  const bridge = new RunningBridge(t, toml);
  await onlooker.says('argo/demo/test/availability', 'online');
  await onlooker.says('argo/availability', 'online');
  const folder = mkdtempSync(join(tmpdir(), 'argo-mqtt-doc-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'mqtt.toml'), toml, { mode: 0o600 });
  const env = { ...process.env, ...broker.env, ARGO_CONFIG_HOME: folder, PATH: `${programFolder(folder)}:${process.env.PATH ?? ''}` };
  await runSessions(t, 'docs/integrations/home-assistant.md', { here: { 20203: `${port}`, '127.0.0.1:1883': `127.0.0.1:${broker.port}` }, env });
  t.equal(await bridge.end(), 0);
});
