/**
 * Puts the web gateway's pages into dist/web: an index.html each, and below a/ what they need, with the hash
 * of what is in a file in its name, so that browsers may keep it for ever. Beside each file lie a `.gz` and a
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

/** What the pages have in common. @type {import('esbuild').BuildOptions} */
const BUILD = {
  absWorkingDir: fromRoot(), outdir: 'out', metafile: true, bundle: true, minify: true, format: 'esm', platform: 'browser', target: ['chrome120', 'firefox120', 'safari17.5'],
  jsx: 'automatic', jsxImportSource: 'preact', logLevel: 'warning', tsconfigRaw: {},
};

/** The parts of a page that it loads when it needs them; their names tell already what is in them. */
const PART = 'part-';

/** @returns what was made, by name, and the sources that went in */
async function make(/** @type {import('esbuild').BuildOptions} */ options) {
  const { outputFiles, metafile } = await build({ ...BUILD, ...options, write: false, metafile: true });
  return { files: outputFiles.map(({ path, contents }) => /** @type {const} */ ([path.slice(path.lastIndexOf('/') + 1), contents])), inputs: Object.keys(metafile.inputs) };
}

// each by itself: what the one needs is no burden to the other
const list = await make({ entryPoints: { page: 'src/web/main.tsx', style: 'src/web/style.css' } });
const one = await make({ entryPoints: { console: 'src/web/console/main.tsx' }, chunkNames: `${PART}[name]-[hash]`, splitting: true });
const oneStyle = await make({ entryPoints: { console: 'src/web/console/console.css' } });

rmSync(UNFINISHED, { recursive: true, force: true });
/** The files that a page may ask for, as they are asked for, by their names. @type {Map<string, string>} */
const names = new Map();
for (const [name, bytes] of [...list.files, ...one.files, ...oneStyle.files, /** @type {const} */ (['icon.svg', readFileSync(join(SOURCE, 'icon.svg'))])]) {
  if (name.startsWith(PART)) put(`/a/${name}`, `a/${name}`, bytes, true);
  else names.set(name, putHashed(name, bytes));
}
for (const [path, file] of [['/', 'index.html'], ['/console/', 'console/index.html']]) {
  const html = readFileSync(join(SOURCE, file), 'utf8').replace(/"\/a\/([^"]+)"/g, (_, name) => {
    const asked = names.get(name);
    if (asked === undefined) throw new Error(`src/web/${file} asks for /a/${name}, which is not made`);
    return `"${asked}"`;
  });
  put(path, file, html, false);
}
put('/licences.txt', 'licences.txt', licences([...list.inputs, ...one.inputs, ...oneStyle.inputs]), false);
writeFileSync(join(UNFINISHED, 'manifest.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
rmSync(WEB, { recursive: true, force: true });
renameSync(UNFINISHED, WEB);
