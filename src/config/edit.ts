import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AST } from 'toml-eslint-parser';
import type { GrantSettings, TokenSettings } from './config.js';
import { parseDocument } from './document.js';

/** Changes of accounts and providers in the text of a configuration file. Everything else in it stays as it was, comments included. */

/** Mode of a configuration file that we make: it holds password hashes. */
const NEW_FILE_MODE = 0o640;

interface Entry {
  /** full path of the key: accounts, steve, password */
  readonly path: readonly string[];
  readonly node: AST.TOMLKeyValue | AST.TOMLTable;
}

const keyNames = (keys: readonly (AST.TOMLBare | AST.TOMLQuoted)[]): string[] => keys.map((key) => (key.type === 'TOMLBare' ? key.name : key.value));

/** All tables and key-value pairs of a document, those in inline tables too. */
function* entriesOf(tree: AST.TOMLProgram): Generator<Entry> {
  function* pairs(prefix: readonly string[], body: readonly AST.TOMLKeyValue[]): Generator<Entry> {
    for (const node of body) {
      const path = [...prefix, ...keyNames(node.key.keys)];
      yield { path, node };
      if (node.value.type === 'TOMLInlineTable') yield* pairs(path, node.value.body);
    }
  }
  for (const node of tree.body[0].body) {
    if (node.type === 'TOMLKeyValue') {
      yield* pairs([], [node]);
    } else {
      const path = keyNames(node.key.keys);
      yield { path, node };
      yield* pairs(path, node.body);
    }
  }
}

const isAt = (path: readonly string[], prefix: readonly string[]): boolean => prefix.every((key, index) => path[index] === key);

const quote = (text: string): string => JSON.stringify(text);
const key = (name: string): string => (/^[A-Za-z0-9_-]+$/.test(name) ? name : quote(name));
const list = (texts: readonly string[]): string => `[${texts.map(quote).join(', ')}]`;

/** A byte order mark, which the parser's positions do not count, and the text behind it. */
const splitMark = (source: string): [mark: string, text: string] => (source.startsWith('\ufeff') ? ['\ufeff', source.slice(1)] : ['', source]);

/** The text with an account more: at the end, or in the inline table that holds all accounts. */
export function withAccount(file: string, source: string, name: string, passwordHash: string, grants: readonly GrantSettings[]): string {
  const [mark, text] = splitMark(source);
  const all = [...entriesOf(parseDocument(file, text).tree)].find(({ path, node }) => path.length === 1 && path[0] === 'accounts' && node.type === 'TOMLKeyValue');
  if (all?.node.type === 'TOMLKeyValue' && all.node.value.type === 'TOMLInlineTable') return mark + withInlineAccount(text, all.node.value, name, passwordHash, grants);
  const lines = [`[accounts.${key(name)}]`, `password = ${quote(passwordHash)}`];
  for (const { instances, commands } of grants) {
    lines.push(`[[accounts.${key(name)}.grants]]`, `instances = ${list(instances)}`, `commands = ${list(commands)}`);
  }
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const before = text.trim() === '' ? '' : `${text.replace(/[\r\n]*$/, '')}${eol}${eol}`;
  return `${mark}${before}${lines.join(eol)}${eol}`;
}

/** An inline table cannot be added to from outside. */
function withInlineAccount(text: string, table: AST.TOMLInlineTable, name: string, passwordHash: string, grants: readonly GrantSettings[]): string {
  const rights = grants.map(({ instances, commands }) => `{ instances = ${list(instances)}, commands = ${list(commands)} }`);
  const account = `${key(name)} = { password = ${quote(passwordHash)}, grants = [${rights.join(', ')}] }`;
  const last = table.body.at(-1);
  const [start, end] = last ? [last.range[1], last.range[1]] : table.range;
  return `${text.slice(0, start)}${last ? `, ${account}` : `{ ${account} }`}${text.slice(end)}`;
}

/**
 * The text with another password for an account.
 * @returns undefined where the account is not in it
 */
export function withPassword(file: string, source: string, name: string, passwordHash: string): string | undefined {
  const [mark, text] = splitMark(source);
  for (const { path, node } of entriesOf(parseDocument(file, text).tree)) {
    if (node.type !== 'TOMLKeyValue' || path.length !== 3 || !isAt(path, ['accounts', name, 'password'])) continue;
    const [start, end] = node.value.range;
    return mark + text.slice(0, start) + quote(passwordHash) + text.slice(end);
  }
  return undefined;
}

/**
 * The text without an account: its tables and keys go with their lines, comments above them stay.
 * @returns undefined where the account is not in it
 */
export const withoutAccount = (file: string, source: string, name: string): string | undefined => withoutTables(file, source, ['accounts', name]);

/** As {@link withoutAccount}, of a provider. */
export const withoutProvider = (file: string, source: string, name: string): string | undefined => withoutTables(file, source, ['providers', name]);

/** The text without what stands at a path. @returns undefined where there is nothing */
function withoutTables(file: string, source: string, prefix: readonly string[]): string | undefined {
  const [mark, text] = splitMark(source);
  const found: Entry['node'][] = [];
  for (const { path, node } of entriesOf(parseDocument(file, text).tree)) {
    const inside = found.some(({ range }) => range[0] <= node.range[0] && node.range[1] <= range[1]);
    if (isAt(path, prefix) && !inside) found.push(node);
  }
  if (found.length === 0) return undefined;
  return mark + found.reverse().reduce((rest, { parent, range: [start, end] }) =>
    (parent.type === 'TOMLInlineTable' ? cutItem : cutLines)(rest, start, end), text);
}

/** Texts, and tables of texts and numbers in a list, as a provider's table has them. */
export type ProviderKeys = Readonly<Record<string, string | readonly Readonly<Record<string, string | number>>[]>>;

/**
 * The text with a provider more, at its end.
 * @param remark one line for people, which stands above it
 * @returns undefined where all providers are one inline table: tables cannot be added to that
 */
export function withProvider(file: string, source: string, name: string, keys: ProviderKeys, remark: string): string | undefined {
  const [mark, text] = splitMark(source);
  const isInline = [...entriesOf(parseDocument(file, text).tree)].some(({ path, node }) => path.length === 1 && path[0] === 'providers' && node.type === 'TOMLKeyValue');
  if (isInline) return undefined;
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const inline = (table: Readonly<Record<string, string | number>>): string => `{ ${Object.entries(table).map(([one, value]) => `${key(one)} = ${JSON.stringify(value)}`).join(', ')} }`;
  const lines = [
    `[providers.${key(name)}] # ${remark}`,
    ...Object.entries(keys).map(([one, value]) => `${key(one)} = ${typeof value === 'string' ? quote(value) : `[${value.map(inline).join(', ')}]`}`),
  ];
  const before = text.trim() === '' ? '' : `${text.replace(/[\r\n]*$/, '')}${eol}${eol}`;
  return `${mark}${before}${lines.join(eol)}${eol}`;
}

/**
 * The text with a token more for an account.
 * @returns undefined where the account is not a table of its own, or has its tokens in a list: tables cannot be added to those
 */
export function withToken(file: string, source: string, account: string, { name, hash, expires, instances, commands }: TokenSettings): string | undefined {
  const [mark, text] = splitMark(source);
  const entries = [...entriesOf(parseDocument(file, text).tree)];
  const isInline = ({ path, node }: Entry): boolean => node.type === 'TOMLKeyValue' && (isAt(['accounts', account], path) || (path.length === 3 && isAt(path, ['accounts', account, 'tokens'])));
  if (entries.some(isInline) || !entries.some(({ path }) => isAt(path, ['accounts', account]))) return undefined;
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const lines = [
    `[[accounts.${key(account)}.tokens]]`, `name = ${quote(name)}`, `hash = ${quote(hash)}`,
    ...(expires === undefined ? [] : [`expires = ${quote(new Date(expires).toISOString())}`]),
    `instances = ${list(instances)}`, `commands = ${list(commands)}`,
  ];
  return `${mark}${text.replace(/[\r\n]*$/, '')}${eol}${eol}${lines.join(eol)}${eol}`;
}

/** The text without a token of an account. @returns undefined where it has no table of its own */
export function withoutToken(file: string, source: string, account: string, name: string): string | undefined {
  const [mark, text] = splitMark(source);
  for (const { path, node } of entriesOf(parseDocument(file, text).tree)) {
    if (node.type !== 'TOMLTable' || path.length !== 3 || !isAt(path, ['accounts', account, 'tokens'])) continue;
    const isIt = node.body.some(({ key: { keys }, value }) => keyNames(keys)[0] === 'name' && value.type === 'TOMLValue' && value.value === name);
    if (isIt) return mark + cutLines(text, ...node.range);
  }
  return undefined;
}

/** Cuts an item of an inline table, and the comma that parts it from the others. */
function cutItem(text: string, start: number, end: number): string {
  const after = /^\s*,\s*/.exec(text.slice(end));
  if (after) return text.slice(0, start) + text.slice(end + after[0].length);
  return text.slice(0, start).replace(/\s*,\s*$/, ' ') + text.slice(end).replace(/^\s+/, '');
}

/** Cuts a range, and the whole lines where nothing else stands on them. */
function cutLines(text: string, start: number, end: number): string {
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const newline = text.indexOf('\n', end);
  const lineEnd = newline === -1 ? text.length : newline;
  const stop = Math.min(lineEnd + 1, text.length);
  const alone = text.slice(lineStart, start).trim() === '' && /^\s*(#.*)?$/.test(text.slice(end, lineEnd).trimEnd());
  return alone ? text.slice(0, lineStart) + text.slice(stop) : text.slice(0, start) + text.slice(end);
}

/**
 * Replaces a file as a whole: a reader sees the old text or the new one. Mode, owner and symbolic
 * links stay.
 * @param mode of a file that is not there yet
 * @throws Error of the file system
 */
export function replaceFile(file: string, text: string, mode = NEW_FILE_MODE): void {
  const target = existsSync(file) ? realpathSync(file) : file;
  const before = existsSync(target) ? statSync(target) : undefined;
  const temporary = `${target}.${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(temporary, text, { mode: before ? 0o600 : mode, flush: true });
    if (before) {
      chmodSync(temporary, before.mode);
      if (process.getuid?.() === 0) chownSync(temporary, before.uid, before.gid);
    }
    renameSync(temporary, target);
  } finally {
    rmSync(temporary, { force: true });
  }
}
