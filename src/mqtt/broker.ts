import type { Duplex } from 'node:stream';
import type { IClientOptions, IPublishPacket, MqttClient, StreamBuilder } from 'mqtt';
import { openTransport } from '../client/transport.js';
import { ArgoError } from '../kit/errors.js';
import { MQTT_ANSWER, MQTT_PACKET, MQTT_REASON, MQTT_STALL, MQTT_STALL_LOOK, MQTT_TOPICS } from '../kit/mqtt-limits.js';
import { formatEndpoint, oneLine } from '../kit/text.js';
import { unlessAborted, within } from '../kit/within.js';
import { sinceBoot } from './clock.js';
import type { BrokerSettings } from './config.js';
import { OFFLINE } from './discovery.js';

/** A message that a broker has brought. */
export interface Message {
  readonly topic: string;
  readonly payload: Buffer;
  /** it is kept, and comes because it was asked for: it may be of any time */
  readonly isKept: boolean;
  /** it may have been brought before */
  readonly isRepeated: boolean;
}

/** What a broker's CONNACK refuses by, of both versions. */
const REFUSED_LOGIN = new Set([4, 5, 134, 135]);

/** A last will: said by the broker when it has lost us. */
export interface Will {
  readonly topic: string;
}

/**
 * One connection to a broker, logged in. It is never made again by itself: what was under way on it is gone with it,
 * so that neither an old state nor an old order comes later. Nothing is kept for us while we are away.
 */
export class Broker {
  readonly #client: MqttClient;
  readonly #qos: 0 | 1;
  /** when this program was last seen to run, on the clock of {@link sinceBoot} */
  #ran = sinceBoot();
  /** Ends with why, when the connection is no more. */
  readonly closed: Promise<ArgoError>;

  private constructor(client: MqttClient, qos: 0 | 1, closed: Promise<ArgoError>, onMessage: (message: Message) => void) {
    this.#client = client;
    this.#qos = qos;
    this.closed = closed;
    const looking = setInterval(() => this.#wasHeldUp(), MQTT_STALL_LOOK).unref();
    client.once('close', () => clearInterval(looking));
    client.on('message', (topic: string, payload: Buffer, packet: IPublishPacket) => {
      if (!this.#wasHeldUp()) onMessage({ topic, payload, isKept: packet.retain, isRepeated: packet.dup });
    });
  }

  /**
   * @param password undefined: none is sent
   * @param will undefined: nothing is said when this connection is lost
   * @throws ArgoError · SettingsError · the signal's reason
   */
  static async open(
    broker: BrokerSettings,
    password: string | undefined,
    will: Will | undefined,
    onMessage: (message: Message) => void,
    signal: AbortSignal,
  ): Promise<Broker> {
    const { settings } = broker;
    const name = formatEndpoint(settings.address);
    // only who needs it loads it
    const { MqttClient } = await import('mqtt');
    const socket = await openTransport({ ...settings, program: 'a broker' }, signal);
    const client = new MqttClient((() => socket) as unknown as StreamBuilder, optionsOf(broker, password, will));
    guard(socket, client);
    let why: Error | undefined;
    client.on('error', (error) => {
      why ??= error;
    });
    const closed = new Promise<ArgoError>((resolve) => {
      client.once('close', () => resolve(toArgoError(name, why)));
    });
    const ready = new Promise<'ready'>((resolve) => {
      client.once('connect', () => resolve('ready'));
    });
    try {
      const first = await unlessAborted(Promise.race([ready, closed]), signal);
      if (first !== 'ready') throw first;
      return new Broker(client, broker.qos, closed, onMessage);
    } catch (error) {
      client.end(true);
      socket.destroy();
      throw error;
    }
  }

  /**
   * Whether this program has not run for a while: stopped, or asleep with its host. What has come meanwhile waits in the
   * socket, and nobody knows how old it is: the connection is let go, and with it all that is on it.
   */
  #wasHeldUp(): boolean {
    const now = sinceBoot();
    const isLate = now - this.#ran > MQTT_STALL;
    if (isLate) this.drop();
    else this.#ran = now;
    return isLate;
  }

  /**
   * @param isKept whether the broker keeps it, and tells it to whoever asks later @returns when the broker has it; in version
   * 3.1.1 also where it does not let us write there
   * @throws ArgoError NOT ALLOWED, UNREACHABLE, TIMEOUT: it is let go then, and its last will said
   */
  async publish(topic: string, payload: string, isKept = true): Promise<void> {
    await this.#answer(`write to ${topic}`, this.#client.publishAsync(topic, payload, { qos: this.#qos, retain: isKept }));
  }

  /**
   * Asks for what is written there. What the broker keeps comes first, also where the same was asked for before.
   * @throws ArgoError NOT ALLOWED where the broker refuses one of them, UNREACHABLE
   */
  async subscribe(topics: readonly string[]): Promise<void> {
    await this.#inPortions('subscribe to', topics, (portion) => this.#client.subscribeAsync(portion, { qos: this.#qos }));
  }

  /** Asks no longer. @throws ArgoError UNREACHABLE, TIMEOUT */
  async unsubscribe(topics: readonly string[]): Promise<void> {
    await this.#inPortions('unsubscribe from', topics, (portion) => this.#client.unsubscribeAsync(portion));
  }

  /** In the order of the topics. */
  async #inPortions(what: string, topics: readonly string[], ask: (portion: string[]) => Promise<unknown>): Promise<void> {
    const portions: string[][] = [];
    for (let at = 0; at < topics.length; at += MQTT_TOPICS) portions.push(topics.slice(at, at + MQTT_TOPICS));
    await Promise.all(portions.map((portion) => this.#answer(oneLine(`${what} ${portion.join(' ')}`, MQTT_REASON), ask(portion))));
  }

  /** @param what we ask for */
  async #answer(what: string, asked: Promise<unknown>): Promise<void> {
    try {
      await within(MQTT_ANSWER, [], (signal) =>
        unlessAborted(asked, signal, () => new ArgoError('TIMEOUT', 'the broker does not answer')),
      );
    } catch (error) {
      if (error instanceof ArgoError) {
        this.drop();
        throw error;
      }
      throw this.#client.connected
        ? new ArgoError('NOT ALLOWED', `the broker does not let us ${what}`, { cause: error })
        : new ArgoError('UNREACHABLE', 'the broker is gone', { cause: error });
    }
  }

  /** Says goodbye, so that the last will is not said. */
  async close(): Promise<void> {
    await Promise.race([this.#client.endAsync(), this.closed]);
  }

  /** Lets go of it at once. */
  drop(): void {
    this.#client.end(true);
    this.#client.stream.destroy();
  }
}

function optionsOf({ settings, clientId, version, keepalive }: BrokerSettings, password: string | undefined, will: Will | undefined): IClientOptions {
  const { account } = settings;
  return {
    clientId,
    ...(account !== undefined && { username: account }),
    ...(account !== undefined && password !== undefined && { password }),
    ...(version === '5' ? { protocolVersion: 5, properties: { sessionExpiryInterval: 0, maximumPacketSize: MQTT_PACKET } } : { protocolVersion: 4 }),
    // nothing that came while we were away: an order is for the moment in which it is given
    clean: true,
    reconnectPeriod: 0, resubscribe: false, queueQoSZero: false,
    connectTimeout: MQTT_ANSWER,
    // else it writes to standard error whatever DEBUG asks for, our login among it
    log: () => undefined,
    keepalive: Math.max(1, Math.round(keepalive / 1000)),
    ...(will !== undefined && { will: { topic: will.topic, payload: Buffer.from(OFFLINE), qos: 1 as const, retain: true } }),
  };
}

/** A packet that is larger than any of ours ends the connection before it is in memory. */
function guard(socket: Duplex, client: MqttClient): void {
  let since = 0;
  client.on('packetreceive', () => { since = 0; });
  socket.on('data', (chunk: Buffer) => {
    since += chunk.length;
    if (since > MQTT_PACKET + chunk.length) socket.destroy(new Error(`a packet is larger than ${MQTT_PACKET} bytes`));
  });
}

/** What a connection ended by, in our words. */
function toArgoError(name: string, error: (Error & { code?: number | string }) | undefined): ArgoError {
  const code = error?.code;
  if (typeof code === 'number' && REFUSED_LOGIN.has(code)) return new ArgoError('NOT AUTHENTICATED', `the broker at ${name} refuses our name or password`, { cause: error });
  return new ArgoError('UNREACHABLE', error === undefined ? `the broker at ${name} has closed the connection` : `the broker at ${name}: ${oneLine(error.message, 200)}`, { cause: error });
}
