import { EXIT, exitCodeOf, type ExitCode } from '../client/outcome.js';
import type { Output } from '../client/output.js';
import { ArgoError } from '../kit/errors.js';
import { formatEndpoint } from '../kit/text.js';
import { Broker } from './broker.js';
import type { BridgeConfig } from './config.js';
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

/** By a name of its own: a bridge that runs stays connected. */
async function askBroker(config: BridgeConfig, password: string | undefined, signal: AbortSignal): Promise<string> {
  const { broker, prefixes } = config;
  const connection = await Broker.open({ ...broker, clientId: `${broker.clientId}-check` }, password, undefined, () => undefined, signal);
  try {
    await connection.subscribe([new Topics(prefixes).orders]);
    return `connected by MQTT ${broker.version}`;
  } finally {
    await connection.close();
    connection.drop();
  }
}
