import type { Log } from '../../kit/log.js';
import { RIGHTS } from '../../instances/operation-table.js';
import type { Command, Plugin } from './contract.js';

const WORD = /^[a-z][a-z0-9-]{0,31}$/;
const OPEN_TO_ALL = ['anyone', 'listing'];

const SUBJECTS = ['instances', 'provider'];
const OPTIONS = ['wait', 'force', 'timeout', 'dry-run', 'ids'];

/** Why a module's default export is no plugin, or undefined. */
export function pluginFault(candidate: unknown): string | undefined {
  const commands = (candidate as Partial<Plugin> | null | undefined)?.commands;
  if (!Array.isArray(commands) || commands.length === 0) return 'its default export lists no commands';
  for (const command of commands as unknown[]) {
    if (typeof command !== 'object' || command === null) return 'one of its commands is no object';
    const fault = rowFault(command);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** What is wrong with one row, which its author may have written without types. */
function rowFault(command: Partial<Record<keyof Command, unknown>>): string | undefined {
  const { word, aliases = [], usage, help, right, on, options = [], run } = command;
  if (typeof word !== 'string' || !WORD.test(word)) return `"${String(word)}" is no command word`;
  if (!Array.isArray(aliases)) return `the aliases of ${word} must be a list`;
  const wrong: unknown = aliases.find((alias) => typeof alias !== 'string' || !WORD.test(alias));
  if (wrong !== undefined) return `"${String(wrong)}" is no command word`;
  if (typeof usage !== 'string' || typeof help !== 'string') return `${word} lacks usage or help`;
  if (![...OPEN_TO_ALL, ...RIGHTS].includes(right as string)) return `the right of ${word} must be one of ${[...OPEN_TO_ALL, ...RIGHTS].join(', ')}`;
  if (typeof run !== 'function') return `${word} lacks run`;
  if (!Array.isArray(options) || options.some((option) => !OPTIONS.includes(option as string))) return `the options of ${word} must be of ${OPTIONS.join(', ')}`;
  if (on === undefined) return undefined;
  if (!SUBJECTS.includes(on as string)) return `${word} must be on one of ${SUBJECTS.join(', ')}`;
  return OPEN_TO_ALL.includes(right as string) ? `${word} works on ${String(on)}, so its right must be one of ${RIGHTS.join(', ')}` : undefined;
}

/** The command words and what they run. The first plugin that brings a word keeps it. */
export class CommandTable {
  readonly #byWord = new Map<string, Command>();
  readonly #rows: Command[] = [];

  constructor(plugins: Iterable<{ readonly name: string; readonly plugin: Plugin }>, log: Log) {
    for (const { name, plugin } of plugins) {
      for (const command of plugin.commands) this.#add(name, command, log);
    }
    this.#rows.sort((a, b) => (a.word < b.word ? -1 : 1));
  }

  /** @param word in any case */
  find(word: string): Command | undefined {
    return this.#byWord.get(word) ?? this.#byWord.get(word.toLowerCase());
  }

  /** All commands by their words' order. */
  all(): readonly Command[] {
    return this.#rows;
  }

  #add(name: string, command: Command, log: Log): void {
    const words = [command.word, ...(command.aliases ?? [])];
    const taken = words.find((word) => this.#byWord.has(word));
    if (taken !== undefined) {
      log('error', 'command word is taken', { plugin: name, word: taken });
      return;
    }
    words.forEach((word) => this.#byWord.set(word, command));
    this.#rows.push(command);
  }
}
