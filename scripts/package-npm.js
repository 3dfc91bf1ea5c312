/** The npm tarball: what package.json names, and documents whose links lead to what is in it. */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linkDocuments } from './package-docs.js';
import { run } from './package-steps.js';
import { fromRoot } from './root.js';

/** What npm says of a package that it packs. @param {string} folder @param {string[]} args @returns {{ filename: string, files: { path: string }[] }} */
function pack(folder, ...args) {
  const npm = process.env.npm_execpath?.endsWith('npm-cli.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];
  return JSON.parse(run(npm[0], [...npm.slice(1), 'pack', '--json', '--ignore-scripts', ...args], { cwd: folder }))[0];
}

/** @param {string} out @param {(folder: string) => string} makeCollection the Ansible one, in a folder @returns the tarball's path */
export function makeTarball(out, makeCollection) {
  // as package.json says: in it the collection is what Ansible installs, since nothing there could put it together
  const collections = fromRoot('dist', 'ansible');
  rmSync(collections, { recursive: true, force: true });
  mkdirSync(collections, { recursive: true });
  makeCollection(collections);
  const scratch = mkdtempSync(join(tmpdir(), 'argo-npm-'));
  try {
    const { files } = pack(fromRoot(), '--dry-run');
    for (const { path } of files) cpSync(fromRoot(path), join(scratch, path));
    linkDocuments(scratch, new Map(files.map(({ path }) => [path, path])));
    return join(out, pack(scratch, '--pack-destination', out).filename);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
