import * as v from 'valibot';
import { positiveDuration, text, texts, whole } from '../config/values.js';
import { profileEntries, type Profile, readSettingsFile, validated, withFullPaths } from '../client/config-file.js';
import { settle, type Settings } from '../client/settings.js';
import { homeFolder } from '../kit/own-folders.js';
import { SettingsError } from '../client/settings-error.js';
import type { Prefixes } from './topics.js';

/** Ports of brokers where none is named, plain and with TLS. */
const PORT = 1883;
const TLS_PORT = 8883;

const DEFAULT_BROKER = '127.0.0.1';

/** What begins a topic: levels without patterns, and none empty. */
const prefix = v.pipe(text, v.regex(/^[^+#$/\u0000-\u001f\u007f][^+#\u0000-\u001f\u007f]*$/u, 'no + and #, and neither / nor $ in front'),
  v.check((value) => !value.split('/').includes(''), 'must have no empty level'));

/** The program waits for each answer of a broker as it sees fit. */
const brokerEntries = v.omit(v.strictObject(profileEntries), ['reply-timeout']).entries;

const schema = v.strictObject({
  ...profileEntries,
  id: v.optional(v.pipe(text, v.regex(/^[A-Za-z0-9-]{1,64}$/, 'letters, digits and - alone, 64 at most')), 'argo'),
  'topic-prefix': v.optional(prefix),
  'discovery-prefix': v.optional(v.union([prefix, v.literal('')], 'text in quotes is expected'), 'homeassistant'),
  'status-topic': v.optional(prefix),
  names: v.optional(texts, []),
  // short enough for who waits at a switch; a machine that takes longer is shown as it is all the same
  'order-timeout': v.optional(positiveDuration, '2m'),
  broker: v.optional(v.strictObject({
    ...brokerEntries,
    version: v.optional(v.picklist(['3.1.1', '5'], 'write "3.1.1" or "5"'), '3.1.1'),
    'client-id': v.optional(text),
    keepalive: v.optional(positiveDuration, '30s'),
    qos: v.optional(whole(0, 1), 1),
  }, 'a table is expected'), {}),
});

export interface BrokerSettings {
  readonly settings: Settings;
  readonly clientId: string;
  readonly version: '3.1.1' | '5';
  /** milliseconds */
  readonly keepalive: number;
  readonly qos: 0 | 1;
}

/** All that `argo-mqtt` is told. */
export interface BridgeConfig {
  readonly server: Settings;
  readonly broker: BrokerSettings;
  readonly prefixes: Prefixes;
  /** where Home Assistant says that it is there */
  readonly statusTopic: string | undefined;
  /** which machines, as names, patterns, groups and tags of the line protocol; empty: all that the account may see */
  readonly names: readonly string[];
  /** milliseconds within which a machine must be as it was ordered */
  readonly orderTimeout: number;
}

/** @throws SettingsError */
export function readBridgeConfig(path: string, env: NodeJS.ProcessEnv): BridgeConfig {
  const home = homeFolder(env);
  const parsed = readSettingsFile(path, (content) => validated(schema, content, path), ({ broker, ...server }) => [server, broker]);
  return settled(withFullPaths(parsed, path, home), withFullPaths(parsed.broker, path, home), env);
}

type Parsed = v.InferOutput<typeof schema>;

function settled(parsed: Parsed, broker: Parsed['broker'], env: NodeJS.ProcessEnv): BridgeConfig {
  const server = settle({ base: parsed, servers: new Map() }, {}, env);
  if (server.account === undefined) throw new SettingsError('account = "…" is missing: whose grants are the limits of what is seen and done?');
  const { id, 'topic-prefix': topics = id, 'discovery-prefix': discovery, 'status-topic': status } = parsed;
  const home = discovery === '' ? undefined : discovery;
  return {
    server,
    broker: {
      settings: brokerSettings(broker, env), clientId: broker['client-id'] ?? `argo-mqtt-${id}`, version: broker.version,
      keepalive: broker.keepalive, qos: broker.qos === 0 ? 0 : 1,
    },
    prefixes: { id, topics, discovery: home },
    statusTopic: status ?? (home === undefined ? undefined : `${home}/status`),
    names: parsed.names,
    orderTimeout: parsed['order-timeout'],
  };
}

/** The broker's, by the same keys as a server's, and of the environment by MQTT_ in place of ARGO_. */
function brokerSettings(profile: Profile, env: NodeJS.ProcessEnv): Settings {
  const isTls = profile.tls ?? (profile['ca-file'] !== undefined || profile.fingerprint !== undefined);
  const own = { ARGO_PASSWORD: env.MQTT_PASSWORD, ARGO_PASSWORD_FILE: env.MQTT_PASSWORD_FILE };
  return settle({ base: { server: DEFAULT_BROKER, ...profile }, servers: new Map() }, { defaultPort: isTls ? TLS_PORT : PORT }, own);
}
