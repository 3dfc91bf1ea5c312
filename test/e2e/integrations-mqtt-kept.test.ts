import { connectAsync } from 'mqtt';
import t from 'tap';
import { MQTT_PROGRAMS } from '../peers/mosquitto.js';
import { logIn } from '../support/faults.js';
import { fromRoot } from '../support/paths.js';
import { lacks } from '../support/peers.js';
import { runNode } from '../support/programs.js';
import { until } from '../support/until.js';
import { bridgeFile, RunningBridge } from './support/bridge.js';
import { bridgeConfig, BROKER_PASSWORD, obeys, serverConfig, startWorld } from './support/bridge-world.js';

/** What versions 3.1.1 and 5 of MQTT do not tell a bridge, such as what a broker keeps, with mosquitto. */

const skip = lacks(...MQTT_PROGRAMS);
const WITHIN_MS = 60_000;

for (const version of ['3.1.1', '5']) {
  await t.test(`an order that is retained is not carried out, by ${version}`, { skip }, async (t) => {
    const { broker, daemon, onlooker } = await startWorld(t);
    const bridge = new RunningBridge(t, bridgeConfig(daemon.port, broker, '', `version = "${version}"`));
    await onlooker.says('argo/availability', 'online');
    await onlooker.says('homeassistant/switch/argo/argo__demo__1__power/config', /command_topic/);
    await broker.publish('argo/demo/lj/set', 'OFF', '-r');
    await onlooker.says('argo/demo/lj/last_order', /"order":"OFF","outcome":"failed","reason":"BAD REQUEST: it was retained/);
    await onlooker.says('argo/demo/lj/set', undefined);
    await bridge.says(/an order was retained on argo\/demo\/lj\/set; it is not carried out, and taken away/);
    const admin = await logIn(daemon);
    t.teardown(() => admin.destroy());
    t.same((await admin.ask('status lj')).body, ['on']);
    await broker.publish('argo/demo/lj/set', 'OFF');
    await onlooker.says('argo/demo/lj/power', 'OFF');
    await onlooker.says('argo/demo/lj/last_order', /"order":"OFF","outcome":"done"/);
    for (const name of ['lj', 'builder']) await broker.publish(`argo/demo/${name}/set`, name === 'lj' ? 'ON' : 'OFF');
    await onlooker.says('argo/demo/lj/power', 'ON');
    await onlooker.says('argo/demo/builder/power', 'OFF');
    await broker.stop();
    await bridge.says(/trying again/);
    const from = onlooker.heard.length;
    await broker.run();
    await until(() => onlooker.heard.slice(from).some(({ topic, payload }) => topic === 'argo/availability' && payload === 'online'), WITHIN_MS, 'all of it again');
    t.same((await admin.ask('status lj builder')).body.toSorted(), ['builder: off', 'lj: on'], 'nothing is done twice');
    t.notOk(onlooker.heard.slice(from).some(({ topic, payload }) => topic.endsWith('/last_order') && payload === ''));
  });

  await t.test(`what the broker does not let us write is found out, by ${version}`, { skip }, async (t) => {
    const { broker, daemon } = await startWorld(t, { acl: ['user bridge', 'topic readwrite argo/#', 'topic read homeassistant/#'] });
    const toml = bridgeConfig(daemon.port, broker, '', `version = "${version}"`);
    const refused = version === '5' ? /broker .*: NOT ALLOWED: the broker does not let us write to homeassistant\/bridge\/argo\/check/
      : /broker .*: NOT ALLOWED: what is written to homeassistant\/bridge\/argo\/check does not come back: the broker must let us write and read there/;
    t.match(await runNode([fromRoot('bin', 'argo-mqtt.js'), '--check', '--config', bridgeFile(t, toml)]), { code: 3, stdout: refused });
    t.match(await runNode([fromRoot('bin', 'argo-mqtt.js'), '--check', '--config', bridgeFile(t, `discovery-prefix = ""\n${toml}`)]), { code: 0, stdout: /connected by MQTT/ });
  });

  await t.test(`--check leaves nothing, and finds out that a broker keeps nothing, by ${version}`, { skip }, async (t) => {
    for (const [settings, found] of [[[], { code: 0, stdout: /: connected by MQTT/ }], [['retain_available false'], { code: 1, stdout: /^broker .*: UNREACHABLE/m }]] as const) {
      const { broker, daemon, onlooker } = await startWorld(t, { settings });
      const toml = bridgeConfig(daemon.port, broker, '', `version = "${version}"`);
      t.match(await runNode([fromRoot('bin', 'argo-mqtt.js'), '--check', '--config', bridgeFile(t, toml)]), found);
      await broker.publish('last', 'x');
      await onlooker.says('last', 'x');
      t.same([...onlooker.now.keys()], ['last']);
    }
  });
}

await t.test('what others retain hinders no order, and what is retained for a machine before it is there is taken away', { skip }, async (t) => {
  const world = await startWorld(t);
  const { broker, daemon, onlooker } = world;
  const other = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, { username: 'bridge', password: BROKER_PASSWORD });
  t.teardown(() => other.end(true));
  // more than mosquitto keeps for one who has not taken it yet
  await Promise.all(Array.from({ length: 3000 }, (_, at) => other.publishAsync(`argo/x/${at}/set`, 'OFF', { qos: 1, retain: true })));
  await broker.publish('argo/demo/late/set', 'OFF', '-r');
  const bridge = new RunningBridge(t, bridgeConfig(daemon.port, broker));
  await onlooker.says('argo/availability', 'online');
  await obeys(t, world);
  daemon.reconfigure(serverConfig().replace('"lj", "builder"', '"lj", "builder", "late"'));
  daemon.signal('SIGHUP');
  await onlooker.says('argo/demo/late/set', undefined);
  await bridge.says(/an order was retained on argo\/demo\/late\/set/);
  t.equal(onlooker.last('argo/demo/late/last_order'), undefined);
  await broker.publish('argo/demo/late/set', 'OFF');
  await onlooker.says('argo/demo/late/last_order', /"order":"OFF","outcome":"done"/);
  t.equal(await bridge.end(), 0);
});

await t.test('what is seen is available, though its provider has more, and the account knows nothing of that', { skip }, async (t) => {
  const { broker, daemon, onlooker } = await startWorld(t);
  const admin = await logIn(daemon);
  t.teardown(() => admin.destroy());
  t.match(await admin.ask('list'), { comment: /stale: half \(another host does not answer\)/ });
  const bridge = new RunningBridge(t, bridgeConfig(daemon.port, broker));
  await onlooker.says('argo/half/one/availability', 'online');
  await onlooker.says('argo/half/one/power', 'ON');
  await onlooker.says('homeassistant/switch/argo/argo__half__one__power/config', /command_topic/);
  t.equal(await bridge.end(), 0);
});
