/**
 * The Ansible collection, as `ansible-galaxy collection build` would make it: that is on few machines that build
 * packages, and gives the time of building to all files.
 */
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { linkDocuments, placesBy } from './package-docs.js';
import { COLLECTION, COLLECTION_ALONE } from './package-files.js';
import { copyRows, filesIn, run, settle, write } from './package-steps.js';
import { fromRoot } from './root.js';

/** What a collection says of its files, and of itself. */
const [FILES, MANIFEST] = ['FILES.json', 'MANIFEST.json'];
/** Keys that it must have all of, whether galaxy.yml sets them or not. */
const UNSET = {
  tags: [],
  description: null,
  license: [],
  license_file: null,
  dependencies: {},
  repository: null,
  documentation: null,
  homepage: null,
  issues: null,
};

/** What galaxy.yml says: a line each, a text or a list of texts. @param {string} text @returns {Record<string, string | string[]>} */
export function readGalaxy(text) {
  const lines = text.split('\n').filter((line) => !/^(?:#.*)?$/.test(line));
  return Object.fromEntries(lines.map((line) => {
    const [, key, list, words] = /^([a-z_]+): (?:\[(.*)\]|([\w.,' -]+))$/.exec(line) ?? [];
    if (key === undefined) throw new Error(`galaxy.yml: neither a text nor a list of texts: ${line}`);
    return [key, list === undefined ? words : list.split(', ')];
  }));
}

const sum = (/** @type {string} */ path) => createHash('sha256').update(readFileSync(path)).digest('hex');
const json = (/** @type {object} */ value) => `${JSON.stringify(value, undefined, 1)}\n`;

/** Folders and files below one, those in front that others lie in. @param {string} folder @returns {object[]} */
function entriesOf(folder) {
  const files = filesIn(folder);
  const folders = new Set(files.flatMap((path) => path.split('/').slice(0, -1).map((_, depth, parts) => parts.slice(0, depth + 1).join('/'))));
  return ['.', ...folders, ...files].map((name) => {
    const isFile = lstatSync(join(folder, name)).isFile();
    return { name, ftype: isFile ? 'file' : 'dir', chksum_type: isFile ? 'sha256' : null, chksum_sha256: isFile ? sum(join(folder, name)) : null, format: 1 };
  });
}

/**
 * Lays it out as it is where it is installed.
 * @param {string} folder a folder that there is not yet @param {string} version @param {import('./package-files.js').Row[]} [rows]
 */
export function layOutCollection(folder, version, rows = COLLECTION) {
  mkdirSync(folder, { recursive: true });
  copyRows(folder, rows);
  linkDocuments(folder, placesBy(rows));
  write(folder, FILES, json({ files: entriesOf(folder), format: 1 }));
  const info = { ...UNSET, ...readGalaxy(readFileSync(fromRoot('integrations', 'ansible', 'galaxy.yml'), 'utf8')), version };
  write(folder, MANIFEST, json({
    collection_info: info, format: 1,
    file_manifest_file: { name: FILES, ftype: 'file', chksum_type: 'sha256', chksum_sha256: sum(join(folder, FILES)), format: 1 },
  }));
}

/** @param {string} out @param {{ version: string, epoch: number }} facts @returns the path of what `ansible-galaxy collection install` takes */
export function makeCollection(out, { version, epoch }) {
  const scratch = mkdtempSync(join(tmpdir(), 'argo-collection-'));
  try {
    const [root, tar, path] = [join(scratch, 'root'), join(scratch, 'tar'), join(out, `argo-power-${version}.tar.gz`)];
    layOutCollection(root, version, [...COLLECTION, ...COLLECTION_ALONE]);
    settle(root, epoch);
    run('tar', ['--create', '--file', tar, '--format=ustar', '--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--directory', root, ...readdirSync(root).sort()]);
    writeFileSync(path, gzipSync(readFileSync(tar), { level: 9 }));
    return path;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
