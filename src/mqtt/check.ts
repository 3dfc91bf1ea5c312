import { randomUUID } from 'node:crypto';
import { EXIT, exitCodeOf, type ExitCode } from '../client/outcome.js';
import type { Output } from '../client/output.js';
import { ArgoError } from '../kit/errors.js';
import { MQTT_ECHO } from '../kit/mqtt-limits.js';
import { formatEndpoint } from '../kit/text.js';
import { Broker, type Message } from './broker.js';
import type { BridgeConfig } from './config.js';
import { Echo } from './echo.js';
import type { Gate } from './gate.js';
import { Topics } from './topics.js';

/**
 * `argo-mqtt --check`: asks both sides, and changes nothing.
 * @param password of the broker's account
 * @returns the exit code of the worst that was found
 */
export async function check(config: BridgeConfig, gate: Gate, password: string | undefined, stdout: Output, signal: AbortSignal): Promise<ExitCode> {
  const parts: readonly (readonly [string, () => Promise<string>])[] = [
    [`argo-server ${formatEndpoint(config.server.address)}`, () => askServer(config, gate, signal)],
    [`broker ${formatEndpoint(config.broker.settings.address)}`, () => askBroker(config, password, signal)],
  ];
  let code: ExitCode = EXIT.done;
  try {
    for (const [what, ask] of parts) {
      try {
        await stdout.lines([`${what}: ${await ask()}`]);
      } catch (error) {
        if (!(error instanceof ArgoError)) throw error;
        await stdout.lines([`${what}: ${error.message}`]);
        code = exitCodeOf(error.phrase);
      }
    }
  } finally {
    gate.close();
  }
  return code;
}

async function askServer({ server }: BridgeConfig, gate: Gate, signal: AbortSignal): Promise<string> {
  const { names, note } = await gate.list(signal);
  const orders = await gate.orders(signal);
  return `${server.account} sees ${names.length} machines, and may ${orders.length === 0 ? 'look only' : orders.join(', ')}${note && `; ${note}`}`;
}

/**
 * By a name of its own: a bridge that runs stays connected. It does what a bridge does: it leaves a last will, and what it has
 * written is kept, and taken away again.
 */
async function askBroker(config: BridgeConfig, password: string | undefined, signal: AbortSignal): Promise<string> {
  const { broker, prefixes } = config;
  const topics = new Topics(prefixes);
  const { trials } = topics;
  const text = randomUUID();
  const echo = new Echo(trials, text);
  const heard = ({ topic, payload, isKept }: Message): void => { if (isKept) echo.heard(topic, payload.toString('utf8')); };
  const connection = await Broker.open({ ...broker, clientId: `${broker.clientId}-check` }, password, { topic: topics.availability }, heard, signal);
  try {
    await Promise.all(trials.map((topic) => connection.publish(topic, text)));
    await connection.subscribe([topics.orders('check', 'check'), ...trials]);
    await echo.back(MQTT_ECHO, signal);
    return `connected by MQTT ${broker.version}`;
  } finally {
    await Promise.race([Promise.all(trials.map((topic) => connection.publish(topic, '').catch(() => undefined))), connection.closed]);
    await connection.close();
    connection.drop();
  }
}
