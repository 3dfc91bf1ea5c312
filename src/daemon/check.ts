import { statSync } from 'node:fs';
import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load.js';
import type { CommandTable } from '../plugins/host/command-table.js';
import { readTls } from '../listening/listener.js';
import { openHouse } from './house.js';
import { defaultStateDir, findConfig } from './places.js';

/** `argo-server check`. */
export interface CheckResult {
  readonly verdict: string;
  /** what is no error and probably not meant */
  readonly warnings: readonly string[];
}

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;

/** What grants may name beside the words of commands. */
const SETS = ['*', 'read', 'power'];

function unknownCommands({ accounts }: Config, table: CommandTable): string[] {
  return [...accounts.values()].flatMap(({ name, grants }) => {
    const words = new Set(grants.flatMap(({ commands }) => commands).filter((word) => !SETS.includes(word.toLowerCase()) && !table.find(word)));
    return [...words].map((word) => `a grant of ${name} names the command "${word}", which there is not`);
  });
}

/** A file with hashes of passwords, and maybe passwords, is not for everybody. */
function openToAll(file: string): string[] {
  return statSync(file).mode & 0o004 ? [`${file} can be read by every user of this machine; chmod 640 it`] : [];
}

/**
 * @param asked the configuration file, if one was named
 * @throws ConfigError with everything that is wrong; Error where there is no file, or no good certificate
 */
export async function check(asked: string | undefined): Promise<CheckResult> {
  const file = findConfig(asked);
  if (file === undefined) throw new Error('there is no configuration file to check; name one with --config');
  const warnings = new Set<string>();
  const house = openHouse((_level, message, facts) => void warnings.add(`${message}: ${String(facts?.plugin ?? facts?.folder)}: ${String(facts?.reason)}`));
  const config = await loadConfig(file, defaultStateDir(), house.catalogues);
  const { server, accounts, providers, gateways } = config;
  if (server.tls) readTls(server.tls);
  const table = await house.plugins.load(server.pluginPath);
  const parts = [count(accounts.size, 'account'), count(providers.size, 'provider'), ...(gateways.size > 0 ? [count(gateways.size, 'gateway')] : [])];
  return { verdict: `${file} is good: ${parts.join(', ')}`, warnings: [...openToAll(file), ...warnings, ...unknownCommands(config, table)] };
}
