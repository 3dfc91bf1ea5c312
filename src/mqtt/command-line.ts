import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { UsageError } from '../client/command-line.js';
import { configFolder } from '../client/settings.js';

export interface CommandLine {
  readonly config: string;
  readonly does: 'run' | 'check' | 'help' | 'version';
}

export const HELP = `argo-mqtt [--config FILE] [--check]

Brings the machines of an argo-server to an MQTT broker, and to Home Assistant.

  --config FILE   another file than ~/.config/argo/mqtt.toml
  --check         read the file, ask the server and the broker, say what was found, and end
  --help, --version

Passwords come from the file, from what it names, or from ARGO_PASSWORD and MQTT_PASSWORD; never from the
command line. Exit codes: 0 done, 1 failed, 2 usage or a bad file, 3 not allowed,
5 another argo-mqtt has the topics.`;

/** @param argv what follows the program's name @throws UsageError */
export function readCommandLine(argv: readonly string[], env: NodeJS.ProcessEnv): CommandLine {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: { config: { type: 'string' }, check: { type: 'boolean' }, help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' } },
    });
    const does = values.help === true ? 'help' : values.version === true ? 'version' : values.check === true ? 'check' : 'run';
    return { does, config: values.config ?? join(configFolder(env), 'mqtt.toml') };
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ', 1)[0]);
  }
}
