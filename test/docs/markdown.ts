import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fromRoot } from '../support/paths.js';

/** A fenced block of a document. */
export interface Block {
  /** the word after the fence: `toml` */
  readonly language: string;
  /** further words there */
  readonly marks: readonly string[];
  readonly text: string;
  /** of its first line, counted from 1 */
  readonly line: number;
}

/** A document of the project by its path, such as `docs/protocol.md`. */
export const readDocument = (path: string): string => readFileSync(fromRoot(path), 'utf8');

/** All Markdown files of a folder and of those below it, as paths below the project's folder. */
export function documentsIn(folder: string): string[] {
  return readdirSync(fromRoot(folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return documentsIn(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

/** The anchors that GitHub and others make of headings. */
function anchors(markdown: string): Set<string> {
  const text = markdown.replace(/^```[^]*?^```/gm, '');
  return new Set([...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')));
}

/**
 * The links of a document that lead to no file, or to no heading of one; those out of the project are not followed.
 * @param root the folder below which all files are @param path of the document, in it
 */
export function deadLinks(root: string, path: string): string[] {
  const targets = [...readFileSync(join(root, path), 'utf8').matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [file = '', anchor] = target.split('#');
    const to = join(root, file === '' ? path : join(dirname(path), file));
    return !existsSync(to) || (anchor !== undefined && statSync(to).isFile() && !anchors(readFileSync(to, 'utf8')).has(anchor));
  });
}

/** The fenced blocks of a Markdown text. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: { marks: string[]; lines: string[]; line: number } | undefined;
  markdown.split('\n').forEach((line, index) => {
    const fence = /^ *```(.*)$/.exec(line);
    if (!fence) open?.lines.push(line);
    else if (open === undefined) open = { marks: (fence[1] ?? '').split(' ').filter(Boolean), lines: [], line: index + 2 };
    else {
      const [language = '', ...marks] = open.marks;
      blocks.push({ language, marks, text: open.lines.map((text) => `${text}\n`).join(''), line: open.line });
      open = undefined;
    }
  });
  return blocks;
}

/** The part under a heading, up to the next one of the same or a higher rank. @throws Error where there is none */
export function section(markdown: string, heading: string): string {
  const lines = markdown.split('\n');
  const rank = (line: string): number => /^(#+) /.exec(line)?.[1]?.length ?? Infinity;
  const start = lines.indexOf(heading);
  if (start === -1) throw new Error(`there is no heading "${heading}"`);
  const length = lines.slice(start + 1).findIndex((line) => rank(line) <= rank(heading));
  return lines.slice(start + 1, length === -1 ? undefined : start + 1 + length).join('\n');
}

/** The rows of all tables in a Markdown text, without head and rule; cells without the blanks around them. */
export function tableRows(markdown: string): string[][] {
  const lines = markdown.split('\n');
  return lines.flatMap((line, index) => {
    if (!line.startsWith('|') || /^\|[ |:-]+\|$/.test(line) || /^\|[ |:-]+\|$/.test(lines[index + 1] ?? '')) return [];
    return [line.slice(1, line.lastIndexOf('|')).split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'))];
  });
}

/** What stands in backticks in a Markdown text. */
export const codeWords = (markdown: string): string[] => [...markdown.matchAll(/`([^`\n]+)`/g)].map(([, word]) => word ?? '');
