import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { packageFile } from '../kit/own-files.js';
import type { ClientOptions } from './settings.js';

/** What the user typed after `argo`. */
export interface CommandLine {
  readonly options: ClientOptions;
  readonly json: boolean;
  /** the request in words as the shell parted them; empty for the shell and for scripts */
  readonly words: readonly string[];
  /** the help, the version or a script, which is printed instead of doing anything */
  readonly print?: string;
}

/** The command line is wrong; exit code 2. */
export class UsageError extends Error {}

/** The client's own options. All others that follow the command belong to the server. */
const OPTIONS = {
  server: { type: 'string', requiresArg: true, describe: 'host, host:port or a [servers.NAME] of config.toml' },
  account: { type: 'string', requiresArg: true, describe: 'who to log in as' },
  json: { type: 'boolean', describe: 'print one JSON document a command' },
  tls: { type: 'boolean', describe: 'TLS on or, as --no-tls, off' },
  'ca-file': { type: 'string', requiresArg: true, describe: 'PEM file of the authorities that the server is checked with' },
  fingerprint: { type: 'string', requiresArg: true, describe: 'SHA256:… of the one certificate that is accepted' },
  config: { type: 'string', requiresArg: true, describe: 'another file than ~/.config/argo/config.toml' },
  completion: { type: 'string', describe: 'print a completion script for bash, zsh or fish' },
} as const;

const FLAGS = new Set(['--tls', '--no-tls']);
/** With the name of a shell; without one, it is the shell of whoever asks. */
export const COMPLETION = '--completion';
/** By what they are called in {@link ClientOptions}. */
export const TAKES_VALUE: ReadonlyMap<string, 'server' | 'account' | 'caFile' | 'fingerprint' | 'config'> = new Map([
  ['--server', 'server'], ['--account', 'account'], ['--ca-file', 'caFile'], ['--fingerprint', 'fingerprint'], ['--config', 'config'],
]);

/** The one command that is the client's own: it goes to no argo-server. */
export const OWN_COMMAND = 'vmserverd';

/** All that may stand in front of a command. */
export const OWN_OPTIONS: readonly string[] = [...Object.keys(OPTIONS).map((name) => `--${name}`), '--no-tls', '--help', '--version'];

/** Said by completion scripts, and by what answers them, in place of all else. */
export const COMPLETE = '--complete';
export const ASK_FOR_COMPLETION = '--ask-for-completion';

const EXIT_CODES = `Exit codes: 0 done, 1 failed, 2 usage, 3 not allowed, 4 partly done, 130 interrupted.
\`argo vmserverd HOST exec DOCUMENT\` asks an old VMware server, without any argo-server.
\`argo console NAME\` is a machine's text console; Ctrl-] or Enter ~ . leaves it.
Without a command: a shell on a terminal, else commands are read line by line.
The password comes from ARGO_PASSWORD, config.toml or the terminal; never from the command line.
\`argo help\` lists the commands of the server.`;

/**
 * Parts the client's options from the words for the server. Before the command every option is
 * ours; after it only those that we know, so that `--wait` passes and `--json` may stand last.
 * `--` ends our options.
 */
export function partWords(argv: readonly string[]): { own: string[]; words: string[]; json: boolean } {
  const own: string[] = [];
  const words: string[] = [];
  let json = false;
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at]!;
    const name = word.split('=', 1)[0]!;
    if (word === '--') {
      words.push(...argv.slice(at + 1));
      break;
    } else if (word === '--json') {
      json = true;
    } else if (TAKES_VALUE.has(name)) {
      own.push(word);
      if (word === name && at + 1 < argv.length) own.push(argv[at += 1]!);
    } else if (name === COMPLETION) {
      const isNamed = word === name && argv[at + 1]?.startsWith('-') === false;
      own.push(isNamed ? `${word}=${argv[at += 1]!}` : word);
    } else if (FLAGS.has(word) || (words.length === 0 && /^-./.test(word))) {
      own.push(word);
    } else {
      words.push(word);
    }
  }
  return { own, words, json };
}

/**
 * Reads the command line.
 * @throws UsageError
 */
export async function readCommandLine(argv: readonly string[]): Promise<CommandLine> {
  const { own, words, json } = partWords(argv);
  const [command, ...rest] = words;
  const instead = insteadOfPassword(words);
  if (instead !== undefined) throw new UsageError(`a password must not stand on the command line, where others can see it; ${instead}`);
  const isForServer = command !== undefined && command.toLowerCase() !== OWN_COMMAND;
  const asked = isForServer && rest.includes('--help') ? ['help', command] : words;
  // yargs takes longer to load than all the rest of the client: only those who give options pay for it.
  if (own.length === 0) return { options: {}, json, words: asked };
  return { ...(await parseOwn(own)), json, words: asked };
}

/** What is done instead, where words hold a password. */
function insteadOfPassword([command = '', ...rest]: readonly string[]): string | undefined {
  if (command.toLowerCase() === 'auth') return 'use --account NAME';
  if (command.toLowerCase() !== 'enrol' || rest[0]?.toLowerCase() !== 'approve') return undefined;
  // NAME [FINGERPRINT] [USER [PASSWORD]]
  const [, ...login] = rest.slice(1).filter((word) => !word.startsWith('--'));
  return login.length > (login[0]?.startsWith('SHA256:') === true ? 2 : 1) ? 'give the line `enrol approve …` on standard input' : undefined;
}

async function parseOwn(own: readonly string[]): Promise<Pick<CommandLine, 'options' | 'print'>> {
  const { default: yargs } = await import('yargs');
  const parser = yargs()
    .scriptName('argo')
    .usage('$0 [OPTION…] [COMMAND [ARGUMENT…]]\n\nThe client of the Argo line protocol: argo stop web[1-20] --wait')
    .options(OPTIONS)
    .strictOptions()
    .parserConfiguration({ 'duplicate-arguments-array': false })
    .locale('en')
    .alias('help', 'h')
    .version(version())
    .wrap(Math.min(100, process.stdout.columns ?? 80))
    .epilogue(EXIT_CODES)
    .exitProcess(false)
    .fail((message, error) => { throw new UsageError(message || error.message); });
  let print = '';
  const parsed = await parser.parse([...own], {}, (_error, _argv, output) => { print = output; });
  if (parsed.completion !== undefined) print = await completionScript(parsed.completion);
  return {
    options: {
      server: parsed.server, account: parsed.account, config: parsed.config,
      tls: parsed.tls, caFile: parsed['ca-file'], fingerprint: parsed.fingerprint,
    },
    ...(print !== '' && { print }),
  };
}

/** @param wanted the name of a shell; empty: that of the environment @throws UsageError */
async function completionScript(wanted: string): Promise<string> {
  const { COMPLETION_SCRIPTS } = await import('./completion-scripts.js');
  const shell = wanted || basename(process.env.SHELL ?? '');
  const script = COMPLETION_SCRIPTS.get(shell);
  if (script !== undefined) return script;
  const known = [...COMPLETION_SCRIPTS.keys()].join(', ');
  throw new UsageError(shell === '' ? `--completion for which shell? There is a script for ${known}` : `there is no completion script for ${shell}, but for ${known}`);
}

/** The version of the package. */
export function version(): string {
  return (JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }).version;
}
