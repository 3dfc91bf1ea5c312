/**
 * Puts the web gateway's page into dist/web: an index.html, and below a/ what it needs, with the hash of
 * what is in a file in its name, so that browsers may keep it for ever. Beside each file lie a `.gz` and a
 * `.br` of it; manifest.json lists them all, so that the server needs no path of a request to find one.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { licences } from './licences.js';
import { fromRoot } from './root.js';

const SOURCE = fromRoot('src', 'web');
const WEB = fromRoot('dist', 'web');
/** It takes the place of the other when it is whole. */
const UNFINISHED = fromRoot('dist', '.web');

const TYPES = /** @type {Record<string, string>} */ ({
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml', '.txt': 'text/plain; charset=utf-8',
});

/** @typedef {{ path: string, file: string, type: string, hash: string, immutable: boolean }} Entry `path` as it is asked for; `file` below dist/web */

/** @type {Entry[]} */
const manifest = [];

const hashOf = (/** @type {string | Uint8Array} */ bytes) => createHash('sha256').update(bytes).digest('base64url').slice(0, 16);

/** Writes a file with its compressed ones. @param {string} path as it is asked for @param {string} file @param {string | Uint8Array} bytes @param {boolean} immutable */
function put(path, file, bytes, immutable) {
  const target = join(UNFINISHED, file);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, bytes);
  writeFileSync(`${target}.gz`, gzipSync(bytes, { level: 9 }));
  writeFileSync(`${target}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
  manifest.push({ path, file, type: TYPES[extname(file)] ?? 'application/octet-stream', hash: hashOf(bytes), immutable });
}

/** Writes a file with its hash in its name. @returns {string} the path to ask for */
function putHashed(/** @type {string} */ name, /** @type {string | Uint8Array} */ bytes) {
  const end = extname(name);
  const file = `a/${name.slice(0, -end.length)}-${hashOf(bytes)}${end}`;
  put(`/${file}`, file, bytes, true);
  return `/${file}`;
}

const { outputFiles, metafile } = await build({
  absWorkingDir: fromRoot(), entryPoints: { page: 'src/web/main.tsx', style: 'src/web/style.css' }, outdir: 'out', write: false, metafile: true,
  bundle: true, minify: true, format: 'esm', platform: 'browser', target: ['chrome120', 'firefox120', 'safari17.5'],
  jsx: 'automatic', jsxImportSource: 'preact', logLevel: 'warning', tsconfigRaw: {},
});

rmSync(UNFINISHED, { recursive: true, force: true });
let html = readFileSync(join(SOURCE, 'index.html'), 'utf8');
const files = /** @type {[string, Uint8Array][]} */ ([...outputFiles.map(({ path, contents }) => [path.slice(path.lastIndexOf('/') + 1), contents]), ['icon.svg', readFileSync(join(SOURCE, 'icon.svg'))]]);
for (const [name, bytes] of files) {
  const asked = putHashed(name, bytes);
  if (!html.includes(`"/a/${name}"`)) throw new Error(`src/web/index.html does not ask for /a/${name}`);
  html = html.replace(`"/a/${name}"`, `"${asked}"`);
}
put('/', 'index.html', html, false);
put('/licences.txt', 'licences.txt', licences(Object.keys(metafile.inputs)), false);
writeFileSync(join(UNFINISHED, 'manifest.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
rmSync(WEB, { recursive: true, force: true });
renameSync(UNFINISHED, WEB);
