import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AST } from 'toml-eslint-parser';
import type { GrantSettings } from './config.js';
import { parseDocument } from './document.js';

/** Changes of accounts in the text of a configuration file. Everything else in it stays as it was, comments included. */

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

/** The text with an account more, at the end. */
export function withAccount(source: string, name: string, passwordHash: string, grants: readonly GrantSettings[]): string {
  const lines = [`[accounts.${key(name)}]`, `password = ${quote(passwordHash)}`];
  for (const { instances, commands } of grants) {
    lines.push(`[[accounts.${key(name)}.grants]]`, `instances = ${list(instances)}`, `commands = ${list(commands)}`);
  }
  const before = source === '' ? '' : `${source.replace(/\n*$/, '')}\n\n`;
  return `${before}${lines.join('\n')}\n`;
}

/**
 * The text with another password for an account.
 * @returns undefined where the account is not in it
 */
export function withPassword(file: string, source: string, name: string, passwordHash: string): string | undefined {
  for (const { path, node } of entriesOf(parseDocument(file, source).tree)) {
    if (node.type !== 'TOMLKeyValue' || path.length !== 3 || !isAt(path, ['accounts', name, 'password'])) continue;
    const [start, end] = node.value.range;
    return source.slice(0, start) + quote(passwordHash) + source.slice(end);
  }
  return undefined;
}

/**
 * The text without an account: its tables and keys go with their lines, comments above them stay.
 * @returns undefined where the account is not in it
 */
export function withoutAccount(file: string, source: string, name: string): string | undefined {
  const found: AST.TOMLNode[] = [];
  for (const { path, node } of entriesOf(parseDocument(file, source).tree)) {
    const inside = found.some(({ range }) => range[0] <= node.range[0] && node.range[1] <= range[1]);
    if (isAt(path, ['accounts', name]) && !inside) found.push(node);
  }
  if (found.length === 0) return undefined;
  return found.reverse().reduce((text, { range: [start, end] }) => cutLines(text, start, end), source);
}

/** Cuts a range, and the whole lines where nothing else stands on them. */
function cutLines(text: string, start: number, end: number): string {
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const lineEnd = text.indexOf('\n', end);
  const stop = lineEnd === -1 ? text.length : lineEnd + 1;
  const alone = text.slice(lineStart, start).trim() === '' && /^\s*(#.*)?$/.test(text.slice(end, stop));
  return alone ? text.slice(0, lineStart) + text.slice(stop) : text.slice(0, start) + text.slice(end);
}

/**
 * Replaces a file as a whole: a reader sees the old text or the new one. Mode, owner and symbolic
 * links stay.
 * @throws Error of the file system
 */
export function replaceFile(file: string, text: string): void {
  const target = existsSync(file) ? realpathSync(file) : file;
  const before = existsSync(target) ? statSync(target) : undefined;
  const temporary = `${target}.${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(temporary, text, { mode: NEW_FILE_MODE, flush: true });
    if (before) {
      chmodSync(temporary, before.mode);
      if (process.getuid?.() === 0) chownSync(temporary, before.uid, before.gid);
    }
    renameSync(temporary, target);
  } finally {
    rmSync(temporary, { force: true });
  }
}
