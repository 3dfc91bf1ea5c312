import { statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { homeFolder } from '../kit/own-folders.js';
import { isPattern } from '../kit/patterns.js';
import { formatEndpoint, harmless, inQuotes } from '../kit/text.js';
import { askAnswers, endWithin, knownAnswers } from './asked-answers.js';
import { Completer } from './completion.js';
import { readOwnOptions } from './completion-options.js';
import { COMPLETION_SCRIPTS } from './completion-scripts.js';
import { COMPLETION, OWN_COMMAND, OWN_OPTIONS, partWords, TAKES_VALUE } from './command-line.js';
import type { ClientConfig } from './config-file.js';
import { readInput } from './input.js';
import { KeptAnswers } from './kept-answers.js';
import type { Output } from './output.js';
import { splitLine } from './request.js';
import type { Session } from './session.js';
import { cacheFolder, type ClientOptions, configPath, type Settings } from './settings.js';
import { readBash, writeBash } from './shell-words.js';

/** Bytes of a line that is completed, and how long it takes to come, in milliseconds: the script that sends it has it at hand. */
const LONGEST_LINE = 256 * 1024;
const LINE_WITHIN = 2000;

/**
 * The hard end of a process that asks the server, in milliseconds: a little behind that of its asking, for what has no end of
 * its own, as a file on a server of files that has gone.
 */
const ENDED_WITHIN = 12_000;

/** What candidates are taken from. */
export interface CompletionSources {
  config(options: ClientOptions): Promise<ClientConfig>;
  settings(options: ClientOptions): Promise<Settings>;
  /** asks nobody for anything */
  session(settings: Settings): Session;
}

/** Candidates as the arguments that `argo` is to get; undefined where the shell may complete in its own way, as file names. */
type Candidates = readonly string[] | undefined;

/**
 * Answers the completion scripts (completion-scripts.ts) with a candidate a line: for bash as it is written there, less
 * what stays of the word; for others, which know how they write it, as the argument that `argo` is to get. Nobody looks at
 * errors there, so there are none: no server, no candidates.
 * @param input for bash the line up to where Tab was pressed and what is replaced of it; for others the words before, that of
 * `argo` first, and the one that is being typed; each with a NUL behind it. They are no arguments: everybody on the machine can
 * read those, and a password may stand among them
 * @returns whether this is ours to complete, and not something of the shell's own
 */
export async function printCompletions(shell: string, input: Readable, stdout: Output, sources: CompletionSources): Promise<boolean> {
  try {
    const words = (await readInput(input, LONGEST_LINE, AbortSignal.timeout(LINE_WITHIN))).split('\0').slice(0, -1);
    const found = shell === 'bash' ? await bashCandidates(words, sources) : await candidatesFor(shell, words.slice(1, -1), words.at(-1) ?? '', sources);
    // what is not seen as it is cannot be chosen, and a request with it would be refused
    await stdout.lines(found?.filter((candidate) => harmless(candidate) === candidate) ?? []);
    return found !== undefined;
  } catch {
    return true;
  }
}

async function bashCandidates([line = '', replaced = '']: readonly string[], sources: CompletionSources): Promise<Candidates> {
  const { words, open } = readBash(line);
  if (open.isOthers) return undefined;
  // bash ends words at : = @ and others, too, and replaces what is behind the last of these alone
  const { open: head } = readBash(open.raw.endsWith(replaced) ? open.raw.slice(0, open.raw.length - replaced.length) : '');
  const found = await candidatesFor('bash', words.slice(1), open.text, sources);
  return found?.filter((candidate) => candidate.startsWith(head.text)).map((candidate) => writeBash(candidate.slice(head.text.length), head.quote));
}

/** @param before behind `argo` */
async function candidatesFor(shell: string, before: readonly string[], typed: string, sources: CompletionSources): Promise<Candidates> {
  const { own, words } = partWords(before);
  const fitting = (candidates: readonly string[]): readonly string[] => candidates.filter((candidate) => candidate.startsWith(typed));
  const last = own.at(-1) ?? '';
  if (hasValues(last) && last === before.at(-1)) {
    const values = await valuesOf(last, own.slice(0, -1), sources);
    return values && fitting(values);
  }
  const [option = '', ...begun] = typed.split('=');
  if (begun.length > 0 && hasValues(option)) {
    const values = await valuesOf(option, own, sources);
    return values && fitting(values.map((value) => `${option}=${value}`));
  }
  const [command, ...rest] = words;
  if (command?.toLowerCase() === OWN_COMMAND) {
    const { vmserverdWords } = await import('./vmserverd.js');
    return fitting(vmserverdWords(rest, await serversOf(own, sources)));
  }
  const isOption = typed.startsWith('-');
  if (isOption && command === undefined) return fitting(OWN_OPTIONS);
  const ours = isOption ? ['--json'] : command === undefined ? [OWN_COMMAND] : [];
  return [...await serversCandidates(words, typed, own, shell, sources), ...fitting(ours)];
}

/** What the server has for the word. */
async function serversCandidates(
  words: readonly string[], typed: string, own: readonly string[], shell: string, sources: CompletionSources,
): Promise<readonly string[]> {
  const settings = await silentSettings(own, sources);
  if (settings === undefined) return [];
  const answers = await knownAnswers(keptFor(settings), own);
  const candidates = await new Completer(async (line) => answers[line] ?? []).candidates(words, typed);
  return [...new Set(candidates.flatMap((candidate) => asArgument(candidate.replace(/ $/, ''), typed, shell) ?? []))];
}

/**
 * Asks the server in the place of a shell's process, and prints what it says.
 * @param own the client's options
 */
export async function askForCompletion(own: readonly string[], stdout: Output, sources: CompletionSources): Promise<void> {
  endWithin(ENDED_WITHIN);
  try {
    const settings = await silentSettings(own, sources);
    if (settings === undefined) return;
    const answers = await askAnswers(sources.session(settings), keptFor(settings));
    if (answers !== undefined) await stdout.write(JSON.stringify(answers));
  } catch {
    // whoever has asked has gone
  }
}

/** What the client's options, and whatever else there is, say. @returns undefined where that is not sure */
async function silentSettings(own: readonly string[], sources: CompletionSources): Promise<Settings | undefined> {
  const options = optionsOf(own);
  if (options === undefined) return undefined;
  const settings = asSilent(await sources.settings(options));
  const { password, tls = {} } = settings;
  return [password.file, tls.caFile, tls.certFile, tls.keyFile].every(isReadAtOnce) ? settings : undefined;
}

/** Where config.toml is none that can be read at once, as little is known as of an option that is not understood. */
function optionsOf(own: readonly string[]): ClientOptions | undefined {
  const options = readOwnOptions(own, homeFolder(process.env));
  return options !== undefined && isReadAtOnce(options.config ?? configPath(process.env)) ? options : undefined;
}

/** Not a pipe, at which a Tab would wait until somebody writes to it. One that is not there is said so when it is read. */
const isReadAtOnce = (path: string | undefined): boolean => path === undefined || (statSync(path, { throwIfNoEntry: false })?.isFile() ?? true);

/**
 * Settings with which nobody is asked for a password: a command that gives one may ask. Where there is no other,
 * what the server tells to everybody has to do.
 */
function asSilent(settings: Settings): Settings {
  const { literal, file } = settings.password;
  const password = { ...literal !== undefined && { literal }, ...file !== undefined && { file } };
  return { ...settings, password, account: literal ?? file ? settings.account : undefined };
}

const keptFor = ({ address, account = '', tls, isPlainWanted }: Settings): KeptAnswers =>
  new KeptAnswers(cacheFolder(process.env), { server: formatEndpoint(address), account, trust: JSON.stringify(tls ?? { isPlainWanted }) });

const hasValues = (option: string): boolean => TAKES_VALUE.has(option) || option === COMPLETION;

/** The values of an option of ours. */
async function valuesOf(option: string, own: readonly string[], sources: CompletionSources): Promise<Candidates> {
  if (option === COMPLETION) return [...COMPLETION_SCRIPTS.keys()];
  if (option === '--server') return serversOf(own, sources);
  return option === '--config' || option === '--ca-file' ? undefined : [];
}

async function serversOf(own: readonly string[], { config }: CompletionSources): Promise<readonly string[]> {
  const options = optionsOf(own);
  return options === undefined ? [] : [...(await config(options)).servers.keys()];
}

/**
 * A word of the line protocol as an argument: with quotes of its own only where it would be taken for a pattern without, or
 * by fish, which leaves a `~` as it is, for somebody's home; or where they are typed already. @returns undefined where it does not fit what is typed
 */
function asArgument(candidate: string, typed: string, shell: string): string | undefined {
  const [word, ...more] = splitLine(candidate) ?? [];
  if (word === undefined || more.length > 0) return undefined;
  const { text, quoted } = word;
  const isHome = shell === 'fish' && text.startsWith('~');
  const isSelf = !isHome && (!quoted || !(isPattern(text) || /^["@-]/.test(text)));
  if (isSelf && text.startsWith(typed)) return text;
  const whole = inQuotes(text);
  const isName = quoted || !/^[@-]/.test(text);
  return isName && (whole.startsWith(typed) || (!isSelf && text.startsWith(typed))) ? whole : undefined;
}
