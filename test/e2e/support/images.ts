import { realpathSync } from 'node:fs';
import type { Test } from 'tap';
import { blocksOf, readDocument, section } from '../../docs/markdown.js';
import { Podman } from '../../peers/podman.js';
import { fromRoot } from '../../support/paths.js';

const BASE = 'localhost/argo-base';
/** What the Containerfile needs of its bases, and what tests look with. */
const BASE_PROGRAMS = ['node', 'env', 'sh', 'install', 'chown', 'strip', 'cat', 'timeout'];

/** The commands that the document has for a container, without what is said of them. */
const [build, start, addAccount, reload, list] = (blocksOf(section(readDocument('docs/installing.md'), '## Container')).find(({ language }) => language === 'sh')?.text ?? '')
  .replaceAll('\\\n', ' ').split('\n').map((line) => line.replace(/ {2,}#.*$/, '')) as [string, string, string, string, string];
export const CONTAINER_STEPS = { build: `cd '${fromRoot()}' && ${build}`, start, addAccount, reload, list };

/**
 * A podman that builds the image from the Containerfile itself. Its bases are a registry's: in their place is one of this
 * machine's own programs. The packages and what is compiled are this machine's, too, and are not changed.
 */
export async function podmanWithBase(t: Test): Promise<Podman> {
  const mounted = (folder: string): string => `--volume=${realpathSync(fromRoot(folder))}:/build/${folder}:ro`;
  const podman = await Podman.start([`--build-arg=BUILD=${BASE}`, `--build-arg=BASE=${BASE}`, mounted('node_modules'), mounted('dist')]);
  t.teardown(() => podman.stop());
  await podman.base(BASE, BASE_PROGRAMS);
  return podman;
}
