import { isPattern } from '../kit/patterns.js';
import { formatEndpoint, harmless } from '../kit/text.js';
import { askAnswers, knownAnswers } from './asked-answers.js';
import { Completer } from './completion.js';
import { COMPLETION_SCRIPTS } from './completion-scripts.js';
import { COMPLETION, OWN_COMMAND, OWN_OPTIONS, partWords, TAKES_VALUE } from './command-line.js';
import type { ClientConfig } from './config-file.js';
import { KeptAnswers } from './kept-answers.js';
import type { Output } from './output.js';
import { splitLine } from './request.js';
import type { Session } from './session.js';
import { cacheFolder, type ClientOptions, type Settings } from './settings.js';
import { readBash, writeBash } from './shell-words.js';

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
 * @param words the shell; for bash the line up to where Tab was pressed and what is replaced of it; for others the words
 * before, that of `argo` first, and the one that is being typed
 * @returns whether this is ours to complete, and not something of the shell's own
 */
export async function printCompletions([shell, ...words]: readonly string[], stdout: Output, sources: CompletionSources): Promise<boolean> {
  try {
    const found = shell === 'bash' ? await bashCandidates(words, sources) : await candidatesFor(words.slice(1, -1), words.at(-1) ?? '', sources);
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
  const found = await candidatesFor(words.slice(1), open.text, sources);
  return found?.filter((candidate) => candidate.startsWith(head.text)).map((candidate) => writeBash(candidate.slice(head.text.length), head.quote));
}

/** @param before behind `argo` */
async function candidatesFor(before: readonly string[], typed: string, sources: CompletionSources): Promise<Candidates> {
  const { own, words } = partWords(before);
  const options = readOptions(own);
  const fitting = (candidates: readonly string[]): readonly string[] => candidates.filter((candidate) => candidate.startsWith(typed));
  const last = own.at(-1) ?? '';
  if (hasValues(last) && last === before.at(-1)) {
    const values = await valuesOf(last, options, sources);
    return values && fitting(values);
  }
  const [option = '', ...begun] = typed.split('=');
  if (begun.length > 0 && hasValues(option)) {
    const values = await valuesOf(option, options, sources);
    return values && fitting(values.map((value) => `${option}=${value}`));
  }
  const [command, ...rest] = words;
  if (command?.toLowerCase() === OWN_COMMAND) {
    const { vmserverdWords } = await import('./vmserverd.js');
    return fitting(vmserverdWords(rest, await serversOf(options, sources)));
  }
  const isOption = typed.startsWith('-');
  if (isOption && command === undefined) return fitting(OWN_OPTIONS);
  const ours = isOption ? ['--json'] : command === undefined ? [OWN_COMMAND] : [];
  return [...await serversCandidates(words, typed, own, sources), ...fitting(ours)];
}

/** What the server has for the word. */
async function serversCandidates(words: readonly string[], typed: string, own: readonly string[], sources: CompletionSources): Promise<readonly string[]> {
  const settings = asSilent(await sources.settings(readOptions(own)));
  const answers = await knownAnswers(keptFor(settings), own);
  const candidates = await new Completer(async (line) => answers[line] ?? []).candidates(words, typed);
  return [...new Set(candidates.flatMap((candidate) => asArgument(candidate.replace(/ $/, ''), typed) ?? []))];
}

/**
 * Asks the server in the place of a shell's process, and prints what it says.
 * @param own the client's options
 */
export async function askForCompletion(own: readonly string[], stdout: Output, sources: CompletionSources): Promise<void> {
  try {
    const settings = asSilent(await sources.settings(readOptions(own)));
    const answers = await askAnswers(sources.session(settings), keptFor(settings));
    if (answers !== undefined) await stdout.write(JSON.stringify(answers));
  } catch {
    // whoever has asked has gone
  }
}

/**
 * Settings with which nobody is asked for a password: a command that gives one may ask. Where there is no other,
 * what the server tells to everybody has to do.
 */
function asSilent(settings: Settings): Settings {
  const { literal, file } = settings.password;
  const password = { ...literal !== undefined && { literal }, ...file !== undefined && { file } };
  return { ...settings, password, account: literal ?? file ? settings.account : undefined };
}

const keptFor = ({ address, account = '' }: Settings): KeptAnswers => new KeptAnswers(cacheFolder(process.env), { server: formatEndpoint(address), account });

const hasValues = (option: string): boolean => TAKES_VALUE.has(option) || option === COMPLETION;

/** The values of an option of ours. */
async function valuesOf(option: string, options: ClientOptions, sources: CompletionSources): Promise<Candidates> {
  if (option === COMPLETION) return [...COMPLETION_SCRIPTS.keys()];
  if (option === '--server') return serversOf(options, sources);
  return option === '--config' || option === '--ca-file' ? undefined : [];
}

const serversOf = async (options: ClientOptions, { config }: CompletionSources): Promise<readonly string[]> => [...(await config(options)).servers.keys()];

/** The client's options as far as they decide what can be offered: what is wrong with them is said when they are used. */
function readOptions(own: readonly string[]): ClientOptions {
  const values = new Map<string, string>();
  for (let at = 0; at < own.length; at += 1) {
    const [name = '', ...value] = own[at]!.split('=');
    if (value.length > 0) values.set(name, value.join('='));
    else if (TAKES_VALUE.has(name) && own[at + 1] !== undefined) values.set(name, own[at += 1]!);
  }
  return {
    server: values.get('--server'), account: values.get('--account'), config: values.get('--config'), caFile: values.get('--ca-file'),
    fingerprint: values.get('--fingerprint'), tls: own.includes('--no-tls') ? false : own.includes('--tls') ? true : undefined,
  };
}

/**
 * A word of the line protocol as an argument: with quotes of its own only where it would be taken for a pattern without,
 * or where they are typed already. @returns undefined where it does not fit what is typed
 */
function asArgument(candidate: string, typed: string): string | undefined {
  const [word, ...more] = splitLine(candidate) ?? [];
  if (word === undefined || more.length > 0) return undefined;
  const { text, quoted } = word;
  const isSelf = !quoted || !(isPattern(text) || /^["@-]/.test(text));
  if (isSelf && text.startsWith(typed)) return text;
  const inQuotes = `"${text.replace(/["\\]/g, '\\$&')}"`;
  const isName = quoted || !/^[@-]/.test(text);
  return isName && (inQuotes.startsWith(typed) || (!isSelf && text.startsWith(typed))) ? inQuotes : undefined;
}
