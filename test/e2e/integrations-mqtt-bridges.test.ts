import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MQTT_PROGRAMS, type Onlooker } from '../peers/mosquitto.js';
import { startDaemon } from '../support/daemon.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { RunningBridge } from './support/bridge.js';
import { bridgeConfig, FILES, obeys, serverConfig, startWorld } from './support/bridge-world.js';

/** Several bridges on one mosquitto. */

const skip = lacks(...MQTT_PROGRAMS);
const WITHIN_MS = 60_000;
const HOLDS = /"is":"holds"/;

/** What is told last of a machine with which all may be done: the rest is there before. */
const lastConfig = (device: string): string => `homeassistant/button/argo/argo__${device}__force_off/config`;

/** All that is retained, but of what bridges tell each other. */
const told = (onlooker: Onlooker): unknown => [...onlooker.now].filter(([topic]) => !topic.endsWith('/owner')).sort();

await t.test('a second bridge for the same topics gives way, and takes nothing with it', { skip }, async (t) => {
  const { broker, daemon, onlooker } = await startWorld(t);
  const other = await startDaemon({ config: serverConfig('[providers.other]\ntype = "sim"\ninstances = ["x"]\n').replace('"lj", "builder"', '"x"'), files: FILES });
  t.teardown(() => other.stop());
  const first = new RunningBridge(t, bridgeConfig(daemon.port, broker));
  await onlooker.says('argo/availability', 'online');
  for (const device of ['demo__1', 'demo__2', 'half__one']) await onlooker.says(lastConfig(device), /command_topic/);
  const before = told(onlooker);
  for (const [more, ofBroker, owner] of [
    ['', 'client-id = "another"', 'argo/owner'], ['id = "new"\ntopic-prefix = "argo"', '', 'argo/owner'], ['topic-prefix = "elsewhere"', 'client-id = "another"\nversion = "5"', 'homeassistant/bridge/argo/owner'],
  ] as const) {
    const second = new RunningBridge(t, bridgeConfig(other.port, broker, more, ofBroker));
    t.equal(await second.ended(), 5, 'it leaves it to others to start it again');
    t.match(second.said(), `another argo-mqtt (argo-mqtt-argo) is at work, as ${owner} says: give each an id and a topic-prefix of its own`);
  }
  t.same(told(onlooker), before);
  t.notOk(onlooker.heard.some(({ topic }) => topic.startsWith('argo/demo/x') || /^elsewhere\/(?!owner$)/.test(topic)), 'nothing was told by the others');
  await broker.publish('argo/demo/lj/set', 'OFF');
  await onlooker.says('argo/demo/lj/power', 'OFF');
  t.equal(await first.end(), 0);
  await onlooker.says('argo/owner', undefined);
  await onlooker.says('homeassistant/bridge/argo/owner', undefined);
  const next = new RunningBridge(t, bridgeConfig(daemon.port, broker, '', 'client-id = "another"'));
  await onlooker.says('argo/availability', 'online');
  t.equal(await next.end(), 0);
});

await t.test('of two with one client id, one is left', { skip }, async (t) => {
  const { broker, daemon, onlooker } = await startWorld(t);
  const bridges = [new RunningBridge(t, bridgeConfig(daemon.port, broker))];
  await onlooker.says('argo/availability', 'online');
  bridges.push(new RunningBridge(t, bridgeConfig(daemon.port, broker)));
  // the broker bears one at a time: it may be that the first is not back before the second has waited long enough
  const ended = await Promise.race(bridges.map((bridge) => bridge.ended().then((code) => ({ bridge, code }))));
  t.equal(ended.code, 5);
  t.match(ended.bridge.said(), /another argo-mqtt \(argo-mqtt-argo\) is at work/);
  const [left] = bridges.filter((bridge) => bridge !== ended.bridge);
  await until(() => onlooker.last('argo/availability') === 'online' && /"is":"holds"/.test(onlooker.last('argo/owner') ?? ''), WITHIN_MS, 'the other');
  await broker.publish('argo/demo/lj/set', 'OFF');
  await onlooker.says('argo/demo/lj/power', 'OFF');
  await onlooker.says('argo/demo/lj/last_order', /"outcome":"done"/);
  t.equal(onlooker.heard.filter(({ topic, payload }) => topic === 'argo/demo/lj/last_order' && payload !== '').length, 1);
  t.equal(await left!.end(), 0);
});

await t.test('a broker with an old memory, and whoever writes without having read, end no bridge', { skip }, async (t) => {
  const world = await startWorld(t, { remembers: true });
  const { broker, daemon, onlooker } = world;
  const dead = new RunningBridge(t, bridgeConfig(daemon.port, broker));
  await onlooker.says('argo/availability', 'online');
  await onlooker.says('argo/owner', HOLDS);
  await dead.end('SIGKILL');
  await broker.save();
  const old = onlooker.last('argo/owner');
  const bridge = new RunningBridge(t, bridgeConfig(daemon.port, broker));
  await onlooker.says('argo/availability', 'online');
  await broker.stop('SIGKILL');
  t.ok(readFileSync(join(broker.folder, 'mosquitto.db')).includes(old!), 'what it remembers is the mark of one that is dead');
  await bridge.says(/trying again/);
  const from = onlooker.heard.length;
  await broker.run();
  await until(() => onlooker.heard.slice(from).some(({ topic, payload }) => topic === 'argo/availability' && payload === 'online'), WITHIN_MS, 'the bridge again');
  await obeys(t, world);
  const owner = 'homeassistant/bridge/argo/owner';
  for (const options of [[], ['-r']]) {
    await broker.publish(owner, '{"bridge":"0","client":"x","is":"holds","number":1}', ...options);
    await onlooker.says(owner, /"is":"holds".*"to":\{"bridge":"0","number":1\}/);
  }
  await obeys(t, world);
  t.equal(await bridge.end(), 0);
});

await t.test('one that was held up comes back where the other has died, and gives way where it lives', { skip }, async (t) => {
  const world = await startWorld(t);
  const { broker, daemon, onlooker } = world;
  const stopped = new RunningBridge(t, bridgeConfig(daemon.port, broker));
  await onlooker.says('argo/owner', HOLDS);
  const takeOver = async (): Promise<RunningBridge> => {
    stopped.signal('SIGSTOP');
    const other = new RunningBridge(t, bridgeConfig(daemon.port, broker, '', 'client-id = "another"'));
    await onlooker.says('argo/owner', /"client":"another","is":"holds"/);
    await other.says(/connected to the broker/);
    return other;
  };
  await (await takeOver()).end('SIGKILL');
  await onlooker.says('argo/availability', 'offline');
  stopped.signal('SIGCONT');
  await onlooker.says('argo/owner', /"client":"argo-mqtt-argo","is":"holds"/);
  await onlooker.says('argo/availability', 'online');
  await obeys(t, world);
  const other = await takeOver();
  const from = onlooker.heard.length;
  stopped.signal('SIGCONT');
  t.equal(await stopped.ended(), 5);
  t.match(stopped.said(), /another argo-mqtt \(another\) is at work/);
  await until(() => onlooker.heard.slice(from).some(({ topic, payload }) => topic === 'argo/availability' && payload === 'offline'), WITHIN_MS, 'its last will');
  await onlooker.says('argo/availability', 'online');
  await onlooker.says('argo/owner', /"client":"another","is":"holds"/);
  await obeys(t, world);
  t.equal(await other.end(), 0);
});
