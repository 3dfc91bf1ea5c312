import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ownModule } from '../../kit/own-files.js';

/** A plugin of our own: the file that it is in, and its default export. */
export interface OwnPlugin {
  readonly name: string;
  readonly exported: unknown;
}

/**
 * All plugins of src/plugins, found by looking. So tests find them in dist/src; in what runs, the build
 * puts a list of them in place of this module (scripts/bundle.js).
 */
export async function ownPlugins(): Promise<readonly OwnPlugin[]> {
  const names = (await readdir(fileURLToPath(ownModule('plugins')))).filter((name) => name.endsWith('.js')).sort();
  return Promise.all(names.map(async (name) => {
    const { href } = ownModule(`plugins/${name}`);
    return { name: fileURLToPath(href), exported: (await import(href) as { readonly default: unknown }).default };
  }));
}
