import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fromRoot } from '../support/paths.js';

interface Lock {
  readonly packages: Readonly<Record<string, object>>;
}

const { productionPackages } = await import(pathToFileURL(fromRoot('scripts', 'production.js')).href) as { productionPackages(packages: Lock['packages']): string[] };

/** What whoever uses Node's own modules installs beside it. */
const TYPES_OF_NODE = ['node_modules/@types/node', 'node_modules/undici-types'];

/**
 * Lays a folder out as that of somebody who has installed the package: its package.json with the types that were compiled last,
 * and the packages that are installed with it. Types of what only we have are not to be found there, where links are kept as they are.
 */
export function installTypes(folder: string): void {
  const { packages } = JSON.parse(readFileSync(fromRoot('package-lock.json'), 'utf8')) as Lock;
  const own = join(folder, 'node_modules', 'argo-server');
  mkdirSync(own, { recursive: true });
  cpSync(fromRoot('package.json'), join(own, 'package.json'));
  mkdirSync(join(own, 'dist'));
  symlinkSync(fromRoot('dist', 'src'), join(own, 'dist', 'src'));
  for (const path of [...productionPackages(packages), ...TYPES_OF_NODE]) {
    // those inside others come with them
    if (path.lastIndexOf('node_modules/') > 0 || !existsSync(fromRoot(path))) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    symlinkSync(fromRoot(path), join(folder, path));
  }
}
