import { existsSync } from 'node:fs';
import { ArgoError } from '../kit/errors.js';
import { homeFolder } from '../kit/own-folders.js';
import { formatEndpoint } from '../kit/text.js';
import type { ClientConfig } from './config-file.js';
import { ASK_FOR_COMPLETION, COMPLETE, OWN_COMMAND, readCommandLine, UsageError, version } from './command-line.js';
import { KeyGate, keysOf } from './keys.js';
import { EXIT, type ExitCode } from './outcome.js';
import { BrokenPipe, Output } from './output.js';
import { type Asker, askPassword, Interrupted, storedPassword } from './password.js';
import { refuse } from './presenter.js';
import { requestFromArguments } from './request.js';
import { runRequest } from './runner.js';
import type { Setting } from './setting.js';
import { Session } from './session.js';
import { type ClientOptions, configPath, type Settings, settle, stateFolder } from './settings.js';
import { SettingsError } from './settings-error.js';

/**
 * The `argo` command.
 * @param argv what follows its name
 * @returns the exit code (see `EXIT`)
 */
export async function main(argv: readonly string[]): Promise<ExitCode> {
  const stdout = new Output(process.stdout);
  const stderr = new Output(process.stderr);
  try {
    return await run(argv, stdout, stderr);
  } catch (error) {
    if (error instanceof BrokenPipe) return EXIT.brokenPipe;
    if (error instanceof Interrupted) {
      if (error.message) await stderr.lines([`argo: ${error.message}`]);
      return EXIT.interrupted;
    }
    if (error instanceof ArgoError) {
      await stderr.lines([`argo: ${error.message}`]);
      return EXIT.failed;
    }
    if (!(error instanceof UsageError || error instanceof SettingsError)) throw error;
    await stderr.lines([`argo: ${error.message}`, ...(error instanceof UsageError ? ['`argo --help` shows how it is used'] : [])]);
    return EXIT.usage;
  }
}

async function run(argv: readonly string[], stdout: Output, stderr: Output): Promise<ExitCode> {
  if (argv[0] === COMPLETE || argv[0] === ASK_FOR_COMPLETION) return complete(argv, stdout);
  const { options, json, words, print } = await readCommandLine(argv);
  if (print !== undefined) {
    await stdout.lines([print]);
    return EXIT.done;
  }
  if (words[0]?.toLowerCase() === OWN_COMMAND) return elsewhere(options, json, words.slice(1), stdout, stderr);
  const settings = await loadSettings(options);
  const asker: Asker = { ask: askPassword };
  const session = sessionFor(settings, asker, (message) => void stderr.lines([`argo: ${message}`]));
  const onTerminal = stdout.isTerminal && stderr.isTerminal && process.env.TERM !== 'dumb';
  const setting: Setting = { session, stdout, stderr, json, progress: onTerminal };
  const interrupted = interruptions();
  try {
    if (words.length > 0) return await once({ ...setting, keys: keysOf(process.stdin) }, words, interrupted);
    if (process.stdin.isTTY && stdout.isTerminal) return await shell(setting, asker, interrupted);
    return await (await import('./script.js')).runScript(setting, process.stdin, interrupted);
  } finally {
    session.close();
  }
}

/** What completion scripts of shells ask, and what asks the server for them. */
async function complete([what, ...words]: readonly string[], stdout: Output): Promise<ExitCode> {
  const { askForCompletion, printCompletions } = await import('./shell-completion.js');
  const sources = { config: loadConfig, settings: loadSettings, session: silentSession };
  if (what === COMPLETE) return await printCompletions(words[0] ?? '', process.stdin, stdout, sources) ? EXIT.done : EXIT.failed;
  await askForCompletion(words, stdout, sources);
  return EXIT.done;
}

/** Aborted by Ctrl-C. */
function interruptions(): AbortSignal {
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort(new Interrupted('interrupted; what was already sent goes on at the server')));
  return interrupt.signal;
}

/** What is for a server that is no argo-server. */
async function elsewhere(options: ClientOptions, json: boolean, words: readonly string[], stdout: Output, stderr: Output): Promise<ExitCode> {
  const { runVmserverd } = await import('./vmserverd.js');
  const { readInput } = await import('./input.js');
  const warn = (message: string): void => void stderr.lines([`argo: ${message}`]);
  const setting = {
    stdout, stderr, json, settings: loadSettings, input: (most: number, signal: AbortSignal) => readInput(process.stdin, most, signal),
    password: (settings: Settings, account: string) => passwordOf(settings, account, { ask: askPassword }, warn),
  };
  return runVmserverd(setting, options, words, interruptions());
}

async function once(setting: Setting, words: readonly string[], signal: AbortSignal): Promise<ExitCode> {
  if (words[0]?.toLowerCase() === 'watch') {
    const { readWatchWords, Watch } = await import('./watch.js');
    return new Watch(setting, readWatchWords(words.slice(1))).run(signal);
  }
  let request;
  try {
    request = requestFromArguments(words);
  } catch (error) {
    if (error instanceof ArgoError) return refuse(setting, words[0] ?? '', error);
    throw error;
  }
  return runRequest(setting, request, signal);
}

async function shell(setting: Setting, asker: Asker, signal: AbortSignal): Promise<ExitCode> {
  try {
    await setting.session.connect(signal);
  } catch (error) {
    if (error instanceof ArgoError) return refuse(setting, '', error);
    throw error;
  }
  const { Shell } = await import('./shell.js');
  const { History } = await import('./history.js');
  const history = new History(`${stateFolder(process.env)}/history`, (message) => void setting.stderr.lines([`argo: ${message}`]));
  const gate = new KeyGate(process.stdin);
  const greeting = `argo ${version()} at ${formatEndpoint(setting.session.settings.address)}; \`help\` lists the commands, Ctrl-D leaves`;
  return new Shell({ ...setting, keys: gate }, history, asker, { input: gate, output: process.stdout }).run(greeting, signal);
}

/** What config.toml says. Its reader is loaded only where there is one. */
async function loadConfig(options: ClientOptions): Promise<ClientConfig> {
  const path = options.config ?? configPath(process.env);
  if (options.config === undefined && !existsSync(path)) return { base: {}, servers: new Map() };
  const { readConfig } = await import('./config-file.js');
  return readConfig(path, homeFolder(process.env));
}

/** The settings of this run. */
const loadSettings = async (options: ClientOptions): Promise<Settings> => settle(await loadConfig(options), options, process.env);

/** One in which nobody is asked. What a session warns of, as of a password that others can read on its way, is not done: there is nobody to be warned. */
const silentSession = (settings: Settings): Session => new Session(settings, {
  warn: (message) => { throw new SettingsError(message); },
  password: (account) => passwordOf(settings, account, undefined, () => {}),
});

function sessionFor(settings: Settings, asker: Asker, warn: (message: string) => void): Session {
  return new Session(settings, {
    warn,
    password: (account) => passwordOf(settings, account, asker, warn),
  });
}

/** From where the settings say, else from whoever sits at the terminal. */
async function passwordOf(settings: Settings, account: string, asker: Asker | undefined, warn: (message: string) => void): Promise<string | undefined> {
  const stored = await storedPassword(settings.password, warn);
  if (stored !== undefined || asker === undefined || !process.stdin.isTTY || !process.stderr.isTTY) return stored;
  return asker.ask(`password of ${account} at ${formatEndpoint(settings.address)}: `);
}
