import type { Log } from '../../drivers/driver.js';
import type { Command, Plugin } from './contract.js';

const WORD = /^[a-z][a-z0-9-]{0,31}$/;
const RIGHTS = ['anyone', 'listing', 'read', 'power'];

/** Why a module's default export is no plugin, or undefined. */
export function pluginFault(candidate: unknown): string | undefined {
  const commands = (candidate as Partial<Plugin> | undefined)?.commands;
  if (!Array.isArray(commands) || commands.length === 0) return 'its default export lists no commands';
  for (const command of commands as Partial<Command>[]) {
    const words = [command.word, ...(command.aliases ?? [])];
    const wrong = words.find((word) => typeof word !== 'string' || !WORD.test(word));
    if (words.includes(undefined) || wrong !== undefined) return `"${wrong}" is no command word`;
    if (typeof command.usage !== 'string' || typeof command.help !== 'string') return `${command.word} lacks usage or help`;
    if (!RIGHTS.includes(command.right as string)) return `the right of ${command.word} must be one of ${RIGHTS.join(', ')}`;
    if (typeof command.run !== 'function') return `${command.word} lacks run`;
    if (command.on === 'instances' && (command.right === 'anyone' || command.right === 'listing')) {
      return `${command.word} works on instances, so its right must be read or power`;
    }
  }
  return undefined;
}

/** The command words and what they run. The first plugin that brings a word keeps it. */
export class CommandTable {
  private readonly byWord = new Map<string, Command>();
  private readonly rows: Command[] = [];

  constructor(plugins: Iterable<{ readonly name: string; readonly plugin: Plugin }>, log: Log) {
    for (const { name, plugin } of plugins) {
      for (const command of plugin.commands) this.add(name, command, log);
    }
    this.rows.sort((a, b) => (a.word < b.word ? -1 : 1));
  }

  /** @param word in any case */
  find(word: string): Command | undefined {
    return this.byWord.get(word) ?? this.byWord.get(word.toLowerCase());
  }

  /** All commands by their words' order. */
  all(): readonly Command[] {
    return this.rows;
  }

  private add(name: string, command: Command, log: Log): void {
    const words = [command.word, ...(command.aliases ?? [])];
    const taken = words.find((word) => this.byWord.has(word));
    if (taken !== undefined) {
      log('error', 'command word is taken', { plugin: name, word: taken });
      return;
    }
    words.forEach((word) => this.byWord.set(word, command));
    this.rows.push(command);
  }
}
