import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { ArgoError } from '../kit/errors.js';
import { formatEndpoint } from '../kit/text.js';
import { readCommandLine, UsageError, version } from './command-line.js';
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
  if (argv[0] === '--get-yargs-completions') {
    const { printCompletions } = await import('./shell-completion.js');
    await printCompletions(argv.slice(1), stdout, async (options) => sessionFor(await loadSettings(options), undefined, () => {}));
    return EXIT.done;
  }
  const { options, json, words, print } = await readCommandLine(argv);
  if (print !== undefined) {
    if (print !== '') await stdout.lines([print]);
    return EXIT.done;
  }
  const settings = await loadSettings(options);
  const asker: Asker = { ask: askPassword };
  const session = sessionFor(settings, asker, (message) => void stderr.lines([`argo: ${message}`]));
  const onTerminal = stdout.isTerminal && stderr.isTerminal && process.env.TERM !== 'dumb';
  const setting: Setting = { session, stdout, stderr, json, progress: onTerminal };
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort(new Interrupted('interrupted; what was already sent goes on at the server')));
  try {
    if (words.length > 0) return await once({ ...setting, keys: keysOf(process.stdin) }, words, interrupt.signal);
    if (process.stdin.isTTY && stdout.isTerminal) return await shell(setting, asker, interrupt.signal);
    return await (await import('./script.js')).runScript(setting, process.stdin, interrupt.signal);
  } finally {
    session.close();
  }
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

/** The settings of this run. The reader of config.toml is loaded only where there is one. */
async function loadSettings(options: ClientOptions): Promise<Settings> {
  const path = options.config ?? configPath(process.env);
  if (options.config === undefined && !existsSync(path)) return settle({ base: {}, servers: new Map() }, options, process.env);
  const { readConfig } = await import('./config-file.js');
  return settle(readConfig(path, process.env.HOME || homedir()), options, process.env);
}

function sessionFor(settings: Settings, asker: Asker | undefined, warn: (message: string) => void): Session {
  return new Session(settings, {
    warn,
    async password(account) {
      const stored = await storedPassword(settings.password, warn);
      if (stored !== undefined || asker === undefined || !process.stdin.isTTY || !process.stderr.isTTY) return stored;
      return asker.ask(`password of ${account} at ${formatEndpoint(settings.address)}: `);
    },
  });
}
