import { statSync } from 'node:fs';
import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load.js';
import type { CommandTable } from '../plugins/host/command-table.js';
import { PluginLoader } from '../plugins/host/loader.js';
import { readTls } from '../listening/listener.js';
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
  const config = await loadConfig(file, defaultStateDir());
  const { server, accounts, providers } = config;
  if (server.tls) readTls(server.tls);
  const warnings = openToAll(file);
  const loader = new PluginLoader((_level, message, facts) => warnings.push(`${message}: ${String(facts?.plugin ?? facts?.folder)}: ${String(facts?.reason)}`));
  warnings.push(...unknownCommands(config, await loader.load(server.pluginPath)));
  return { verdict: `${file} is good: ${count(accounts.size, 'account')}, ${count(providers.size, 'provider')}`, warnings };
}
