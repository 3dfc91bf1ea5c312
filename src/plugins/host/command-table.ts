import type { Log } from '../../kit/log.js';
import { RIGHTS, type Right } from '../../instances/operation-table.js';
import { keyFault } from './known-keys.js';
import { OPTION_VALUES, type Command, type CommandRow, type Plugin, type Context, type Subject, type VerbRow } from './contract.js';

const WORD = /^[a-z][a-z0-9-]{0,31}$/;
/** Sets that a command of their own right may have the name of. */
const OWN_SETS = ['plan', 'console', 'shell'];
const OPEN_TO_ALL = ['anyone', 'listing'];

const SUBJECTS = ['instances', 'instances-then', 'instance', 'provider'];
/** Keys of commands that would mean nothing in a verb: its author would wait in vain for what they do. */
const NOT_OF_VERBS = ['aliases', 'alsoBy', 'rawWords', 'unlisted', 'repeatable'] as const;
const OPTIONS = Object.keys(OPTION_VALUES);

/** A command as the server keeps it: its row, frozen, and what it runs. */
export interface LoadedCommand extends CommandRow {
  /** the row alone, for those who are to see it and not to run it */
  readonly row: CommandRow;
  readonly repeatable: boolean;
  readonly unlisted: boolean;
  readonly alsoBy: readonly Right[];
  /** of a verb of the command `word` */
  readonly verb?: string;
  /** what each of its verbs runs, as a command of the same word; empty where it has none */
  readonly byVerb: ReadonlyMap<string, LoadedCommand>;
  run(...args: Parameters<Command['run']>): void | Promise<void>;
}

/**
 * Copies the commands of a module's default export. What the plugin makes of its own rows afterwards
 * changes nothing here: neither who may use a command nor what it runs.
 * @throws Error that says what is wrong with it
 */
export function loadCommands(candidate: unknown): readonly LoadedCommand[] {
  const commands = (candidate as Partial<Plugin> | null | undefined)?.commands;
  if (!Array.isArray(commands) || commands.length === 0) throw new Error('its default export lists no commands');
  return Object.freeze(Array.from(commands as unknown[], loadCommand));
}

type Untyped = Partial<Record<keyof Command, unknown>>;

const NO_VERBS: ReadonlyMap<string, LoadedCommand> = new Map<string, LoadedCommand>();

function loadCommand(command: unknown): LoadedCommand {
  if (typeof command !== 'object' || command === null) throw new Error('one of its commands is no object');
  const { word } = command as Untyped;
  const fault = keyFault(command, 'verbs' in command ? 'command with verbs' : 'command', typeof word === 'string' ? `the command ${word}` : 'one of its commands');
  if (fault !== undefined) throw new Error(fault);
  return 'verbs' in command ? loadWithVerbs(command as Untyped & { readonly verbs: unknown }) : loadOne(command);
}

/** Each key is read once: a getter could answer the check in one way and the server in another. */
function loadOne(command: Untyped): LoadedCommand {
  const { word, aliases, usage, help, right, alsoBy, on, options, words, rawWords, unlisted, repeatable, run } = command;
  const copy = { word, aliases: listOf(aliases), usage, help, right, on, options: listOf(options), words: listOf(words), rawWords: rawWords === true, run };
  const further = listOf(alsoBy);
  const fault = rowFault({ ...copy, alsoBy: further });
  if (fault !== undefined) throw new Error(fault);
  const { run: work, on: subject, ...rest } = copy;
  const row = Object.freeze({ ...rest, ...(subject !== undefined && { on: subject as Subject }), verbs: Object.freeze([]) }) as CommandRow;
  return Object.freeze({ ...row, row, repeatable: repeatable === true, unlisted: unlisted === true, alsoBy: further as readonly Right[], byVerb: NO_VERBS, run: (work as Command['run']).bind(command as Command) });
}

/** A command that is used by its verbs alone. */
function loadWithVerbs({ word, aliases, help, verbs }: Untyped & { readonly verbs: unknown }): LoadedCommand {
  if (!Array.isArray(verbs) || verbs.length === 0) throw new Error(`the verbs of ${String(word)} must be a list`);
  const loaded = (verbs as unknown[]).map((verb) => loadVerb(word, verb));
  const byVerb = new Map(loaded.map(({ row, command }) => [row.word, command]));
  if (byVerb.size < loaded.length) throw new Error(`two verbs of ${String(word)} are one`);
  const right = RIGHTS.find((one) => loaded.some(({ row }) => row.right === one));
  const whole = loadOne({ word, aliases, help, right, usage: `${String(word)} ${[...byVerb.keys()].join('|')} ...`, run: (context: Context) => context.usage() });
  const row = Object.freeze({ ...whole.row, verbs: Object.freeze(loaded.map((one) => one.row)) });
  return Object.freeze({ ...whole, row, verbs: row.verbs, byVerb });
}

function loadVerb(word: unknown, verb: unknown): { readonly row: VerbRow; readonly command: LoadedCommand } {
  if (typeof verb !== 'object' || verb === null) throw new Error(`one of the verbs of ${String(word)} is no object`);
  const { word: own, usage, help, right, on, options, words, run } = verb as Untyped;
  if (typeof own !== 'string' || !WORD.test(own)) throw new Error(`"${String(own)}" is no verb`);
  const strange = NOT_OF_VERBS.find((key) => (verb as Untyped)[key] !== undefined);
  if (strange !== undefined) throw new Error(`${String(word)} ${own} has ${strange}, which a verb cannot have`);
  const fault = keyFault(verb, 'verb', `the verb ${String(word)} ${own}`);
  if (fault !== undefined) throw new Error(fault);
  const command = loadOne({ word, usage, help, right, on, options, words, run });
  if (OPEN_TO_ALL.includes(command.right)) throw new Error(`the right of ${command.word} ${own} must be one of ${RIGHTS.join(', ')}`);
  const { on: subject } = command;
  const row = {
    word: own,
    usage: command.usage,
    help: command.help,
    right: command.right as Right,
    ...(subject !== undefined && { on: subject }),
    options: command.options,
    words: command.words,
  };
  return { row: Object.freeze(row), command: Object.freeze({ ...command, verb: own }) };
}

/** A list as it is now; what is no list is for the check to refuse. */
const listOf = (value: unknown): unknown =>
  value === undefined ? Object.freeze([]) : Array.isArray(value) ? Object.freeze(Array.from(value as unknown[])) : value;

/** What is wrong with one row, which its author may have written without types. */
function rowFault({ word, aliases, usage, help, right, alsoBy, on, options, words, run }: Untyped): string | undefined {
  if (typeof word !== 'string' || !WORD.test(word)) return `"${String(word)}" is no command word`;
  if (!Array.isArray(aliases)) return `the aliases of ${word} must be a list`;
  // whoever has the set `plan` may use a command of that right in any case
  const set = [...(OWN_SETS.includes(word) && right === word ? [] : [word]), ...aliases as unknown[]].find((one) => one === '*' || (RIGHTS as readonly unknown[]).includes(one));
  if (set !== undefined) return `"${String(set)}" names a set in grants, so it cannot be a command word`;
  const wrong: unknown = aliases.find((alias) => typeof alias !== 'string' || !WORD.test(alias));
  if (wrong !== undefined) return `"${String(wrong)}" is no command word`;
  if (typeof usage !== 'string' || typeof help !== 'string') return `${word} lacks usage or help`;
  if (![...OPEN_TO_ALL, ...RIGHTS].includes(right as string)) return `the right of ${word} must be one of ${[...OPEN_TO_ALL, ...RIGHTS].join(', ')}`;
  if (!Array.isArray(alsoBy) || alsoBy.some((one) => !(RIGHTS as readonly unknown[]).includes(one))) return `alsoBy of ${word} must be a list of ${RIGHTS.join(', ')}`;
  if (typeof run !== 'function') return `${word} lacks run`;
  if (!Array.isArray(options) || options.some((option) => !OPTIONS.includes(option as string))) return `the options of ${word} must be of ${OPTIONS.join(', ')}`;
  if (!Array.isArray(words) || words.some((one) => typeof one !== 'string' || !WORD.test(one))) return `the words of ${word} must be a list of words`;
  if (on === undefined) return undefined;
  if (!SUBJECTS.includes(on as string)) return `${word} must be on one of ${SUBJECTS.join(', ')}`;
  return OPEN_TO_ALL.includes(right as string) ? `${word} works on ${String(on)}, so its right must be one of ${RIGHTS.join(', ')}` : undefined;
}

/** The command words and what they run. The first plugin that brings a word keeps it. */
export class CommandTable {
  readonly #byWord = new Map<string, LoadedCommand>();
  readonly #rows: LoadedCommand[] = [];

  constructor(plugins: Iterable<{ readonly name: string; readonly commands: readonly LoadedCommand[] }>, log: Log) {
    for (const { name, commands } of plugins) {
      for (const command of commands) this.#add(name, command, log);
    }
    this.#rows.sort((a, b) => (a.word < b.word ? -1 : 1));
  }

  /** @param word in any case */
  find(word: string): LoadedCommand | undefined {
    return this.#byWord.get(word) ?? this.#byWord.get(word.toLowerCase());
  }

  /** All commands by their words' order. */
  all(): readonly LoadedCommand[] {
    return this.#rows;
  }

  #add(name: string, command: LoadedCommand, log: Log): void {
    const words = [command.word, ...command.aliases];
    const taken = words.find((word) => this.#byWord.has(word));
    if (taken !== undefined) {
      log('error', 'command word is taken', { plugin: name, word: taken });
      return;
    }
    words.forEach((word) => this.#byWord.set(word, command));
    this.#rows.push(command);
  }
}
