import { ArgoError } from '../../kit/errors.js';
import type { CommandResult } from '../../protocols/ssh/command.js';
import { quote } from '../../protocols/ssh/connection.js';
import type { SshSession } from '../../protocols/ssh/session.js';
import { explainSsh } from '../ssh/errors.js';
import { behindSudo, checkWords, SYSTEM_FOLDERS, type HostCommandOptions, type HostCommands, type Words } from './host-commands.js';

const AS_ITSELF = 'exec "$@"';
/** id(1) is asked there: the account's name does not tell. */
const AS_ROOT = 'if [ "$(id -u)" = 0 ]; then exec "$@"; else exec sudo -n -- "$@"; fi';

/** Commands on a host over SSH, by a connection that is kept for them. */
export class SshCommands implements HostCommands {
  readonly #open: () => SshSession;
  #kept: SshSession | undefined;

  /** @param open makes a session; nobody is asked before its first command */
  constructor(open: () => SshSession) {
    this.#open = open;
  }

  run(words: Words, options: HostCommandOptions): Promise<CommandResult> {
    this.#kept ??= this.#open();
    return runOn(this.#kept, words, options);
  }

  async runAnew(words: Words, options: HostCommandOptions): Promise<CommandResult> {
    const session = this.#open();
    try {
      return await runOn(session, words, options);
    } finally {
      session.close();
    }
  }

  /** sshd tells each command its ends: client's address and port, the host's address and port (ssh(1), SSH_CONNECTION). */
  async way(signal: AbortSignal): Promise<{ readonly client: string; readonly host: string }> {
    const { stdout } = await this.run(['sh', '-c', 'printf "%s\\n" "$SSH_CONNECTION"'], { signal, effect: 'reads' });
    const [client = '', , host = ''] = (stdout.trim().split('\n').at(-1) ?? '').split(' ').map((address) => address.replace(/^::ffff:/, ''));
    if (client === '' || host === '') throw new ArgoError('FAILED', 'the host does not tell by which way it is reached');
    return { client, host };
  }

  /** Ends what is under way. */
  close(): void {
    this.#kept?.close();
  }
}

/** Commands by a session that is somebody else's. */
export const commandsBy = (session: SshSession): Pick<HostCommands, 'run'> => ({ run: (words, options) => runOn(session, words, options) });

async function runOn(session: SshSession, words: Words, options: HostCommandOptions): Promise<CommandResult> {
  checkWords(words);
  const { effect, root, heard, ...rest } = options;
  // It is waited for to its end, however much of it was heard.
  const enough = heard && ((recent: string): boolean => {
    heard(recent);
    return false;
  });
  try {
    const result = await session.run(effect, lineOf(words, root), { ...rest, ...(enough && { enough }) });
    return root === true ? behindSudo(result) : result;
  } catch (error) {
    throw explainSsh(error, effect);
  }
}

/** The line for the login shell, whichever it is: `sh` sees the words as its arguments, which it hands on as they are. */
export function lineOf(words: Words, root = false): string {
  const script = `LC_ALL=C; PATH="$PATH:${SYSTEM_FOLDERS}"; export LC_ALL PATH; ${root ? AS_ROOT : AS_ITSELF}`;
  return `sh -c ${quote(script)} sh ${words.map(quote).join(' ')}`;
}
