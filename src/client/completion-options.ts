import { join } from 'node:path';
import { TAKES_VALUE } from './command-line.js';
import type { ClientOptions } from './settings.js';

/** Of these values the shell makes `~/` the home of whoever types it. */
const FILES: ReadonlySet<string> = new Set(['--config', '--ca-file']);

/** What the shell, or the reader of the command line, may make something else of: `$ME`, `$(whoami)`, `{a,b}`, `*`, `~root`, `-x`, quotes. */
const NOT_AS_IT_STANDS = /[$`({*?]|^["'~-]|^$/;

/**
 * The client's options as the command itself would take them. One that would be taken in another way than it is here, or is
 * wrong, could send a password elsewhere, or without TLS: then nothing is known of any of them.
 * @param own what stands in front of a command, and what of it is ours behind it @param home what `~/` stands for
 * @returns undefined where they are not understood to the last
 */
export function readOwnOptions(own: readonly string[], home: string): ClientOptions | undefined {
  const options: { -readonly [Key in keyof ClientOptions]: ClientOptions[Key] } = {};
  for (let at = 0; at < own.length; at += 1) {
    const word = own[at]!;
    const [name = '', ...rest] = word.split('=');
    const key = TAKES_VALUE.get(name);
    if (key !== undefined) {
      const value = rest.length > 0 ? rest.join('=') : withHome(name, own[at += 1] ?? '', home);
      if (NOT_AS_IT_STANDS.test(value)) return undefined;
      options[key] = value;
    } else if (word === '--tls' || word === '--no-tls') {
      options.tls = word === '--tls';
    } else {
      return undefined;
    }
  }
  return options;
}

/** No shell does that behind a `=`. */
const withHome = (option: string, value: string, home: string): string => (FILES.has(option) && value.startsWith('~/') ? join(home, value.slice(2)) : value);
