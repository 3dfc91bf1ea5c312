import { posix } from 'node:path';
import { ArgoError } from '../../../../kit/errors.js';
import { halfMadeName } from '../names.js';
import type { DomainUse } from '../uses.js';
import type { HostFiles } from './host-files.js';
import { readMachine } from './machine-description.js';

/** The folder in which the roots of containers are that are made from templates. */
export class ContainerRoots {
  readonly #path: string;
  readonly #files: HostFiles;

  /** @param path as it is configured */
  constructor(path: string, files: HostFiles) {
    this.#path = path;
    this.#files = files;
  }

  /** Makes the folder where it is not there yet. @returns the folder itself, where it is a link */
  async make(signal: AbortSignal): Promise<string> {
    // What is in a root may be run, by whoever can reach it, with the rights of the host's root.
    await this.#files.makeFolder(this.#path, signal);
    const real = await this.#files.realPath(this.#path, signal);
    if (real === undefined) throw new ArgoError('FAILED', `there is no folder ${this.#path} for containers on the host`);
    return real;
  }

  /**
   * The root of a container, which is to be removed with it.
   * @param description of the container
   * @param others what other machines have
   * @throws ArgoError NOT SUPPORTED where it is not one of these roots, FAILED where another machine has it or something in it
   */
  async ownRoot(description: string, others: readonly DomainUse[], signal: AbortSignal): Promise<string> {
    const [root] = readMachine(description).disks;
    const path = root === undefined ? undefined : posix.normalize(root.path);
    const folder = await this.#files.realPath(this.#path, signal);
    if (path === undefined || folder === undefined || posix.dirname(path) !== folder || await this.#files.realPath(path, signal) !== path) {
      throw new ArgoError('NOT SUPPORTED', `its root ${path ?? ''} is no folder in ${this.#path}, so it is not removed; remove the container without its disks`);
    }
    const user = others.find(({ paths }) => [...paths].some((one) => one === path || one.startsWith(`${path}/`)));
    if (user !== undefined) throw new ArgoError('FAILED', `its root is in use by ${user.name}, too; remove the container without its disks`);
    return path;
  }

  /** It has another name before it is taken away file by file: what is left of it then is half made. May be done again. */
  async remove(root: string, task: string, signal: AbortSignal): Promise<void> {
    const gone = halfMadeName(root, task);
    if (await this.#files.realPath(root, signal) !== undefined) await this.#files.renameFolder(root, gone, signal);
    await this.#files.remove([gone], signal);
  }
}
