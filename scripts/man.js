/**
 * Man pages, made of the documents: what a page has to say is written once. go-md2man (a package of that name in
 * Debian) makes roff of Markdown; what comes before and behind is for what a man page has and a document has not.
 *
 *     node scripts/man.js FOLDER      writes them there, man1/argo.1 and so on
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { outsideBlocks, replaceLinks } from './markdown.js';
import { fromRoot } from './root.js';

/** @typedef {{ name: string, section: number, source: string, brief: string, synopsis: string[] }} Page */

/** @type {Page[]} */
export const PAGES = [
  {
    name: 'argo', section: 1, source: 'docs/client.md', brief: 'switch machines by an argo-server',
    synopsis: ['argo [OPTION…] [COMMAND [ARGUMENT…]]'],
  },
  {
    name: 'argo-server', section: 8, source: 'docs/operating.md', brief: 'a line protocol that powers every machine you own',
    synopsis: ['argo-server [--config FILE] [--listen ADDRESS]', 'argo-server check|account|audit|fleet … [--config FILE]'],
  },
  { name: 'argo-server.conf', section: 5, source: 'docs/configuration.md', brief: 'the configuration of argo-server', synopsis: ['/etc/argo-server/argo-server.conf'] },
  { name: 'argo-protocol', section: 7, source: 'docs/protocol.md', brief: 'the line protocol of argo-server', synopsis: [] },
  { name: 'fence_argo', section: 8, source: 'docs/integrations/fence.md', brief: 'fence nodes of a cluster by an argo-server', synopsis: ['fence_argo [OPTION…]'] },
  { name: 'argo-mqtt', section: 8, source: 'docs/integrations/home-assistant.md', brief: 'bring machines of an argo-server to MQTT and Home Assistant', synopsis: ['argo-mqtt [--config FILE] [--check]'] },
];

/** Where the package has all documents. */
export const DOCUMENTS = '/usr/share/doc/argo-server';

const fileOf = (/** @type {Page} */ { name, section }) => `man${section}/${name}.${section}`;
const nameOf = (/** @type {Page} */ { name, section }) => `${name}(${section})`;

/**
 * What a link says on paper: where it leads, where that is not here.
 * @param {string} text @param {string} target @param {string} from the document with the link
 */
function spoken(text, target, from) {
  if (target.startsWith('#')) return text;
  if (/^[a-z]+:/.test(target)) return `${text} (${target})`;
  const path = posix.normalize(posix.join(posix.dirname(from), target.split('#')[0]));
  const page = PAGES.find(({ source }) => source === path);
  const place = page === undefined ? path.replace(/^docs\//, '') : nameOf(page);
  if (page?.source === from || text.replace(/`/g, '') === place) return text;
  // a name of a file as the text is no more than where it leads
  return /^`?[\w./-]+\.(?:md|conf|service)`?$/.test(text) ? place : `${text} (${place})`;
}

/** Links by what they say; the lists of what is in a document go, since a pager has none to follow. @param {string} text @param {string} from */
const withoutLinks = (text, from) => replaceLinks(text.replace(/^- \[[^\n]*\]\(#[^\n]*\n/gm, ''), ({ words, target }) => spoken(words, target, from));

const cellsOf = (/** @type {string} */ row) => row.slice(1, row.lastIndexOf('|')).split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'));

/** Tables of two columns as lists of words with what they mean: they fit a terminal. @param {string} text */
const withoutTables = (text) => text.replace(/(?:^\|.*\|\n)+/gm, (table) => {
  const rows = table.trimEnd().split('\n').map(cellsOf);
  if (rows[0].length !== 2) return table;
  return rows.slice(2).map(([word, meaning]) => `${word}\n: ${meaning === '' ? '\\-' : meaning}\n\n`).join('');
});

/** A cell in which tbl breaks lines, also where what stands in it is long. @param {string} table roff */
function broken(table) {
  const [, options, columns, body] = /^(allbox;)\n[^\n]*\n([^\n]*)\.\n([^]*)$/.exec(table) ?? [];
  if (body === undefined) throw new Error(`go-md2man makes tables of another kind: ${table.slice(0, 80)}`);
  const rows = body.replace(/T\{\n([^]*?)\nT\}/g, (_, cell) => cell.replaceAll('\n', ' ')).trimEnd().replaceAll('\n\t', '\t').split('\n').map((row) => row.split('\t'));
  const keys = columns.trim().split(/\s+/).map((_, at, all) => (at === all.length - 1 ? 'lx' : 'l'));
  const odd = rows.find(({ length }) => length !== keys.length);
  if (odd !== undefined) throw new Error(`a table's row has ${odd.length} cells, not ${keys.length}: ${odd.join(' | ')}`);
  return `${options}\n${keys.join(' ')} .\n${rows.map((row) => row.map((cell) => (cell.trim() === '' ? '' : `T{\n${cell.trim()}\nT}`)).join('\t')).join('\n')}\n`;
}

/** What mandoc and groff would complain of. @param {string} roff */
const mended = (roff) => roff
  // there is no font of typewriters in a terminal
  .replaceAll('\\fB\\fC', '\\fB').replaceAll('\\fC', '')
  .replace(/^\.TS\n([^]*?)^\.TE$/gm, (_, table) => `.TS\n${broken(table)}.TE`)
  .replace(/^\n+(?=\.)|(?<=\n)\n+(?=\.(?:nf|fi|RE|RS|PP|SH|SS|TP|TS))/gm, '')
  .replace(/^(\.S[HS] .*\n)(?:\.PP\n)+/gm, '$1')
  .replace(/(?:^\.PP\n)+(?=\.(?:RS|TS|TP|SH|SS)$)/gm, '')
  .replace(/[ \t]+$/gm, '');

/** Long lines at blanks, as sources of man pages are kept; none may begin as a request does, and examples stay as they are. @param {string} roff */
const wrapped = (roff) => roff.split(/^(\.nf\n[^]*?^\.fi\n)/m).map((part, at) => (at % 2 === 1 ? part : part
  .replace(/^(?![.']).{73,}$/gm, (line) => line.replace(/(.{1,72})(?: (?![ .'])|$)/g, '$1\n').trimEnd()))).join('');

/** @param {string} markdown */
function toRoff(markdown) {
  const { status, stdout, stderr, error } = spawnSync('go-md2man', [], { input: markdown, encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 });
  if (error !== undefined) throw new Error(`man pages need go-md2man (Debian: apt-get install go-md2man): ${error.message}`);
  if (status !== 0) throw new Error(`go-md2man: ${stderr}`);
  return stdout;
}

/** @param {Page} page @param {string} markdown its document @param {{ date: string, version: string }} facts */
export function manPage(page, markdown, { date, version }) {
  const [, title = '', body = ''] = /^# ([^\n]*)\n([^]*)$/.exec(markdown) ?? [];
  const text = outsideBlocks(body, (part) => withoutTables(withoutLinks(part, page.source))).trimStart();
  const others = PAGES.filter((other) => other !== page).map((other) => `**${other.name}**(${other.section})`);
  const synopsis = page.synopsis.length === 0 ? [] : ['## SYNOPSIS', ...page.synopsis.map((line) => `\`${line}\`\n`)];
  const whole = [
    `# ${title}`, '## NAME', `${page.name} \\- ${page.brief}`, ...synopsis, '## DESCRIPTION', text,
    '## SEE ALSO', `${others.join(', ')}\n`, `All documents that are named here: ${DOCUMENTS}`, '',
  ].join('\n\n');
  const roff = wrapped(mended(toRoff(whole).replace(/^\.nh\n\.TH .*\n/, '')));
  return `.TH "${page.name.toUpperCase()}" "${page.section}" "${date}" "argo-server ${version}" "Argo"\n.nh\n.ad l\n${roff.trim()}\n`;
}

/**
 * Writes all pages.
 * @param {string} folder @param {{ epoch: number, version: string }} facts of when they are, s since 1970
 * @returns {string[]} their paths below the folder
 */
export function writeManPages(folder, { epoch, version }) {
  const date = new Date(epoch * 1000).toISOString().slice(0, 10);
  for (const page of PAGES) {
    const path = join(folder, fileOf(page));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, manPage(page, readFileSync(fromRoot(page.source), 'utf8'), { date, version }));
  }
  return PAGES.map(fileOf);
}

if (process.argv[1] === fromRoot('scripts', 'man.js')) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error('usage: node scripts/man.js FOLDER');
  const { version } = JSON.parse(readFileSync(fromRoot('package.json'), 'utf8'));
  writeManPages(folder, { epoch: Number(process.env.SOURCE_DATE_EPOCH ?? Math.floor(Date.now() / 1000)), version });
}
