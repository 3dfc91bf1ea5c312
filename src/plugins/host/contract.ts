import type { PowerAction, Right } from '../../instances/operation-table.js';
import type { Change } from '../../instances/order.js';
import type { Actor } from '../../instances/actor.js';
import type { InstanceInfo } from '../../instances/info.js';
import type { Listing } from '../../instances/listing.js';
import type { ReadingName, Readings } from '../../instances/operations.js';
import type { PowerState } from '../../drivers/driver.js';
import type { OptionName, Options } from '../../kit/words.js';

export { OPTION_VALUES, type OptionName, type Options } from '../../kit/words.js';

/**
 * The contract between the server and a plugin: a module whose default export lists command words.
 * The dispatcher checks the right, the options and the instances from a command's row before `run`,
 * so a plugin cannot forget them; and it reaches machines only through the context.
 */

/** The default export of a plugin's module. */
export interface Plugin {
  readonly commands: readonly (Command | VerbCommand)[];
}

/**
 * What the words of a command or verb are. `instances`: names, globs, ranges and groups, at least one; they are
 * resolved and authorised before `run`. `instance`: one plain name first, likewise, then what is its own business.
 * `instances-then`: as `instances`, and behind them one word that is its own business.
 * `provider`: a provider's name first, perhaps left out, then what is its own business; the gate authorises it.
 */
export type Subject = 'instances' | 'instances-then' | 'instance' | 'provider';

/**
 * A command's row as it is shown: `help` sends it, `argo` reads it. The server's own copy, which nobody
 * can change.
 */
export interface CommandRow {
  readonly word: string;
  readonly aliases: readonly string[];
  readonly usage: string;
  readonly help: string;
  /** of one with verbs: the least that one of them needs */
  readonly right: Command['right'];
  readonly on?: Subject;
  readonly options: readonly OptionName[];
  readonly words: readonly string[];
  /** true: it takes a password */
  readonly rawWords: boolean;
  /** none: the command is used without one */
  readonly verbs: readonly VerbRow[];
}

/** A verb's row as it is shown. */
export interface VerbRow extends Pick<CommandRow, 'word' | 'usage' | 'help' | 'on' | 'options' | 'words'> {
  readonly right: Right;
}

/** What an account may use of a command: of its verbs only those, and of `on: 'provider'` the providers on which it may. */
export interface UsableRow extends Omit<CommandRow, 'verbs'>, Reach {
  readonly verbs: readonly (VerbRow & Reach)[];
}

interface Reach {
  /** names, at most {@link PROVIDERS_TOLD}; left out where it is on no provider as a whole */
  readonly providers?: readonly string[];
}

/** One command word: a row of the server's command table. */
export interface Command {
  /** lower case, a letter first: `start` */
  readonly word: string;
  readonly aliases?: readonly string[];
  /** the right form, as USAGE and `help` print it: `start NAME... [--wait]` */
  readonly usage: string;
  /** one line that says what it is for */
  readonly help: string;
  /**
   * Who may use it. `anyone`: also before login. `listing`: before login where the configuration
   * says so. Otherwise accounts with a grant that holds the word, its set, or `*`; and the command may do
   * then what needs this right, and read.
   */
  readonly right: 'anyone' | 'listing' | Right;
  /** Further sets that hold it, and so does each command and verb that needs one of them: for what is about things that several begin. It may do no more by them. */
  readonly alsoBy?: readonly Right[];
  /** What its words are; left out: the plugin's own business. */
  readonly on?: Subject;
  readonly options?: readonly OptionName[];
  /**
   * Words that it knows, where its words are its own business: for completion, as the states of `list`. `on: 'instances'`:
   * the last word has to be one of these, and is no name.
   */
  readonly words?: readonly string[];
  /** The words are passed as typed, `--` included: for commands that take a password. */
  readonly rawWords?: boolean;
  /** `help` does not show it before login: for what a program sends that was told of it. */
  readonly unlisted?: boolean;
  /**
   * Running it does nothing but reply, and the reply to the same line of the same account is the same for as
   * long as no instance comes, goes or changes its state: the server may then send again what it sent before.
   */
  readonly repeatable?: boolean;
  /** May be async. What it throws becomes the reply's `400`: an ArgoError as it is, anything else as INTERNAL ERROR. */
  run(context: Context): void | Promise<void>;
}

/**
 * A command word that is never used alone: a verb follows it, and each verb has a right of its own. A grant that holds
 * the command's word holds all of its verbs.
 */
export interface VerbCommand extends Pick<Command, 'word' | 'help'> {
  readonly verbs: readonly Verb[];
}

/** One verb: what a {@link Command} is, behind another word. */
export interface Verb extends Pick<Command, 'word' | 'usage' | 'help' | 'on' | 'options' | 'words' | 'run'> {
  readonly right: Right;
}

/** The body of the reply. */
export interface Body {
  /** One line. What could be mistaken for a reply, or steer a terminal, is made harmless. */
  line(text: string): void;
  /** Many lines, at the pace at which the client reads them. */
  lines(texts: Iterable<string>): void | Promise<void>;
  /**
   * A few lines that stay the same for as long as `source` is the same object: they are made ready
   * once. `part` tells apart what is made from one source.
   */
  unchanged(source: object, part: string, texts: () => Iterable<string>): void;
}

/** An instance that the account may use this command on: plain data, which reaches no machine. */
export type Target = InstanceInfo;

/** Everything a command's `run` gets. */
export interface Context {
  /** the account's name; undefined before login */
  readonly account: string | undefined;
  /** the words after the command and its verb, options taken out */
  readonly args: readonly string[];
  readonly options: Options;
  /** for `on: 'instances'`, and the one for `on: 'instance'` */
  readonly targets: readonly Target[];
  readonly body: Body;
  /** The account at work, within the command's right, until the reply is ended: what the methods below stand on. */
  readonly actor: Actor;
  /** aborted when the command has taken too long */
  readonly signal: AbortSignal;
  /** aborted when the client sends its next line, or is gone: for commands that last until then */
  readonly interrupted: AbortSignal;

  /**
   * Does the work for each target: at the same time, each on its own, a line `NAME: …` for each as it
   * ends where several were asked for. A target that fails does not hold up the others.
   * @param work yields the target's body lines; nothing stands for `done`
   * @throws ArgoError FAILED `2 of 22` at the end
   */
  each(work: (target: Target) => Promise<string | readonly string[] | void>): Promise<void>;
  /** A power action, or with `--dry-run` what it would do. For use in {@link each}. @throws ArgoError */
  power(target: Target, action: PowerAction): Promise<string | void>;
  /** A change of its settings, or with `--dry-run` what it would do. For use in {@link each}. @throws ArgoError */
  configure(target: Target, change: Change): Promise<string | void>;
  /**
   * Hands the client's connection over to a console of a target, until the client leaves it or it ends. Needs the right `console`,
   * or `shell` for a shell. @throws ArgoError
   */
  console(target: Target, kind: 'text' | 'shell'): Promise<void>;
  /** The state now, asked of the machine; `unknown` where it cannot be had. */
  status(target: Target): Promise<PowerState>;
  /** One reading of a machine. @throws ArgoError */
  read<Name extends ReadingName>(target: Target, name: Name): Promise<Readings[Name]>;
  /** The log of the hypervisor behind the provider named in the arguments, or the only one. @throws ArgoError */
  dmesg(): Promise<string>;
  /** The visible instances, under the names by which they are shown. */
  visible(): Listing;
  /** The commands that this account may use, without what they run. */
  commands(): Iterable<UsableRow>;
  /** Text to be sent after `300 DONE: `, for people. */
  remark(text: string): void;
  /** Providers whose visible instances may be out of date, with the reason. */
  staleness(): readonly string[];
  /** Logs the connection in. @throws ArgoError NOT AUTHENTICATED, BUSY */
  login(account: string, password: string): Promise<void>;
  /** Closes the connection after this reply. */
  close(): void;
  /** Says that the arguments are wrong. */
  usage(): never;
}
