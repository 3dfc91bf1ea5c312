import { lastWords, outputOf, type HostCommandOptions, type Words } from '../../host-commands.js';
import { headOf, keptIn, updated, type Kept } from '../kept.js';
import type { Run } from '../ip-output.js';
import type { Keeping } from '../plan.js';

/** One of the tools by which hosts have their network after a restart. */
export interface Keeper {
  /** as it is told */
  readonly name: string;
  /** @param device undefined: whether the host's network is its business at all */
  owns(tools: Tools, device: string | undefined): Promise<boolean>;
  /** @returns false where it leaves that as it is. @throws Error where it could not be kept, and then nothing of it was */
  keep(tools: Tools, keeping: Keeping): Promise<boolean>;
}

/** Milliseconds for one step of a tool. */
const TOOL_TIMEOUT_MS = 15_000;
const MAX_OUTPUT = 1024 * 1024;

const READ = 'if [ -e "$1" ]; then exec cat "$1"; fi';
/** Beside and then over it, when all of it has arrived and is on the disk. Arguments: path, mode, bytes. */
const WRITE = 'set -e; umask 077; new=$(mktemp "${1%/*}/.argo.XXXXXX"); trap \'rm -f "$new"\' EXIT; cat >"$new"; '
  + '[ "$(wc -c <"$new")" -eq "$3" ]; chmod "$2" "$new"; sync "$new"; mv -f "$new" "$1"';

/** The host's files and programs, as far as keepers need them; as root. */
export class Tools {
  readonly #run: Run;
  readonly #signal: AbortSignal;

  constructor(run: Run, signal: AbortSignal) {
    this.#run = run;
    this.#signal = signal;
  }

  /** What a program prints. @throws ArgoError where it fails */
  ask(words: Words): Promise<string> {
    return outputOf({ run: this.#run }, words, this.#options('reads'));
  }

  /** What it prints; undefined where it fails, or there is none. */
  async tryToAsk(words: Words): Promise<string | undefined> {
    const { code, stdout } = await this.#run(words, this.#options('reads'));
    return code === 0 ? stdout : undefined;
  }

  /** @throws Error where it fails */
  async do(words: Words, stdin = ''): Promise<void> {
    const result = await this.#run(words, { ...this.#options('acts'), stdin });
    if (result.code !== 0) throw new Error(`${words[0]}: ${lastWords(result)}`);
  }

  /** Empty where there is no such file. */
  read(path: string): Promise<string> {
    return this.ask(['sh', '-c', READ, 'sh', path]);
  }

  /** As a whole or not at all. */
  write(path: string, mode: string, content: string): Promise<void> {
    return this.do(['sh', '-c', WRITE, 'sh', path, mode, String(Buffer.byteLength(content))], content);
  }

  #options(effect: 'reads' | 'acts'): HostCommandOptions {
    return { signal: this.#signal, effect, timeout: TOOL_TIMEOUT_MS, maxOutput: MAX_OUTPUT, root: true };
  }
}

export interface OwnFile {
  readonly path: string;
  /** for chmod(1) */
  readonly mode: string;
  /** what comes below its head */
  body(kept: Kept): string;
  /** @throws Error where the tool does not take the file */
  test(content: string): Promise<void>;
}

/** Keeps a change in a file that is ours alone. @returns false where it concerns what is kept elsewhere; what was in the file before */
export async function keepInFile(tools: Tools, { path, mode, body, test }: OwnFile, keeping: Keeping): Promise<{ readonly before: string } | false> {
  const before = await tools.read(path);
  const kept = updated(keptIn(before), keeping);
  if (kept === undefined) return false;
  const content = `${headOf(kept)}${body(kept)}`;
  await test(content);
  await tools.write(path, mode, content);
  return { before };
}
