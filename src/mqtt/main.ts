import { setMaxListeners } from 'node:events';
import { UsageError } from '../client/command-line.js';
import { plainTextWarning } from '../client/connection.js';
import { EXIT, exitCodeOf, type ExitCode } from '../client/outcome.js';
import { Output } from '../client/output.js';
import { storedPassword } from '../client/password.js';
import { Retries } from '../client/retries.js';
import type { Settings } from '../client/settings.js';
import { SettingsError } from '../client/settings-error.js';
import { isLoopback } from '../kit/addresses.js';
import { ArgoError } from '../kit/errors.js';
import { MQTT_FLUSH, MQTT_RETRY_FIRST, MQTT_RETRY_LONGEST } from '../kit/mqtt-limits.js';
import { packageVersion } from '../kit/own-files.js';
import { formatEndpoint, harmless, oneLine } from '../kit/text.js';
import { notLonger, unlessAborted } from '../kit/within.js';
import { Bridge, type Say } from './bridge.js';
import { Broker } from './broker.js';
import type { BrokerSide } from './broker-side.js';
import { check } from './check.js';
import { TopicsTaken } from './claim.js';
import { HELP, readCommandLine } from './command-line.js';
import { type BridgeConfig, readBridgeConfig } from './config.js';
import { Gate } from './gate.js';

/** What the process ends with where another bridge has its topics: unlike a bad file, that may be over when it is started again. */
const TAKEN = 5;
type MqttExitCode = ExitCode | typeof TAKEN;

/**
 * The `argo-mqtt` command.
 * @param argv what follows its name
 * @returns the exit code
 */
export async function main(argv: readonly string[]): Promise<MqttExitCode> {
  const stdout = new Output(process.stdout);
  const stderr = new Output(process.stderr);
  const say: Say = (message) => stderr.now(`${harmless(`argo-mqtt: ${oneLine(message)}`)}\n`);
  try {
    const { does, config } = readCommandLine(argv, process.env);
    if (does === 'help' || does === 'version') {
      await stdout.lines([does === 'help' ? HELP : packageVersion()]);
      return EXIT.done;
    }
    const read = readBridgeConfig(config, process.env);
    return does === 'check' ? await check(read, gateOf(read, say), await passwordOf(read.broker.settings, say), stdout, new AbortController().signal) : await run(read, say);
  } catch (error) {
    if (error instanceof ArgoError) {
      say(error.message);
      return exitCodeOf(error.phrase);
    }
    if (error instanceof TopicsTaken) {
      say(error.message);
      return TAKEN;
    }
    if (!(error instanceof UsageError || error instanceof SettingsError)) throw error;
    for (const line of error.message.split('\n')) say(line);
    if (error instanceof UsageError) say('`argo-mqtt --help` shows how it is used');
    return EXIT.usage;
  }
}

const passwordOf = async ({ password }: Settings, say: Say): Promise<string | undefined> => storedPassword(password, say);

/** Its password is asked for once, when it is needed first. */
function gateOf({ server }: BridgeConfig, say: Say): Gate {
  let password: Promise<string | undefined> | undefined;
  return new Gate(server, { password: () => password ??= passwordOf(server, say), warn: say });
}

async function run(config: BridgeConfig, say: Say): Promise<ExitCode> {
  const ends = new AbortController();
  // all that is asked and ordered listens to it, and has limits of its own
  setMaxListeners(0, ends.signal);
  const stopped = new ArgoError('SHUTTING DOWN');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ends.abort(stopped));
  const gate = gateOf(config, say);
  const bridge = new Bridge(config, gate, say, ends.signal);
  warnOfPlainText(config.broker.settings, say);
  const brokers = keepBroker(config, bridge.broker, say, ends.signal);
  try {
    const following = bridge.follow();
    // whichever ends first has the reason for which there is nothing left to do
    await Promise.race([following, brokers]);
    ends.abort(stopped);
    const failure = await following;
    await brokers;
    if (failure === undefined) return EXIT.done;
    say(`${failure.phrase}${failure.detail && `: ${failure.detail}`}`);
    return exitCodeOf(failure.phrase);
  } finally {
    ends.abort(stopped);
    gate.close();
    await brokers.catch(() => undefined);
  }
}

function warnOfPlainText({ address, tls, account, allowPlain }: Settings, say: Say): void {
  if (tls !== undefined || allowPlain || account === undefined || isLoopback(address.host) || address.host === 'localhost') return;
  say(plainTextWarning(`the broker at ${formatEndpoint(address)}`));
}

/** Has a broker, and again when it was lost, until the signal. @throws SettingsError · TopicsTaken */
async function keepBroker(config: BridgeConfig, side: BrokerSide, say: Say, signal: AbortSignal): Promise<void> {
  const { broker: settings } = config;
  const password = await passwordOf(settings.settings, say);
  const name = formatEndpoint(settings.settings.address);
  const retries = new Retries(MQTT_RETRY_FIRST, MQTT_RETRY_LONGEST);
  let isNews = true;
  while (!signal.aborted) {
    let broker: Broker | undefined;
    let since: number | undefined;
    try {
      broker = await Broker.open(settings, password, side.will, (message) => side.message(message), signal);
      // what was asked of a broker that goes meanwhile is not answered any more
      const gone = await unlessAborted(Promise.race([side.attach(broker), broker.closed]), signal);
      if (gone !== undefined) throw gone;
      say(`connected to the broker at ${name}`);
      since = performance.now();
      throw await unlessAborted(unlessAborted(broker.closed, side.lost), signal);
    } catch (error) {
      if (signal.aborted) {
        if (broker !== undefined) await leave(side, broker);
        return;
      }
      if (error instanceof TopicsTaken && broker !== undefined) await giveWay(side, broker);
      if (!(error instanceof ArgoError)) throw error;
      if (isNews || since !== undefined) say(`${error.message}; trying again`);
      isNews = false;
    } finally {
      side.detach();
      broker?.drop();
    }
    await retries.pause(since === undefined ? 0 : performance.now() - since, signal);
  }
}

/** The goodbye of an end that is meant: nobody waits for the last will, nor long for the broker. */
async function leave(side: BrokerSide, broker: Broker): Promise<void> {
  const goodbye = async (): Promise<void> => {
    await side.leave();
    await broker.close();
  };
  await notLonger(MQTT_FLUSH, Promise.race([goodbye().catch(() => undefined), broker.closed]));
}

/**
 * Another bridge is there. Where we have told nothing, our last will would make its machines unavailable; else that one puts
 * the will right at once, and what it does not tell of is unavailable.
 */
async function giveWay(side: BrokerSide, broker: Broker): Promise<void> {
  const goodbye = async (): Promise<void> => {
    if (!await side.giveWay()) await broker.close();
  };
  await notLonger(MQTT_FLUSH, Promise.race([goodbye().catch(() => undefined), broker.closed]));
}
