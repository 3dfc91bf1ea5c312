import type { Change } from '../../../listening/change.js';
import type { Log } from '../../../kit/log.js';
import type { KeyValue } from '../../../store/state.js';
import { rootFaults, type FileRoot } from './options.js';
import { Roots } from './roots.js';

/** What work on files needs of its gateway's host. */
export interface FilesHost {
  readonly state: { readonly kv: KeyValue };
  readonly log: Log;
  /** files and folders of the server's own, which are never reached */
  readonly own: readonly string[];
}

/**
 * Files of this host, as one gateway hands them out. Made once in `open`; {@link prepare} with each configuration, the first too.
 */
export class Files {
  readonly roots = new Roots();
  readonly #host: FilesHost;

  constructor(host: FilesHost) {
    this.#host = host;
  }

  /** @param roots of the option `file-roots` @throws Error where one of them cannot be */
  async prepare(roots: readonly FileRoot[]): Promise<Change> {
    const [fault] = rootFaults(roots, this.#host.own);
    if (fault !== undefined) throw new Error(fault.message);
    return { commit: () => this.roots.replace(roots), cancel: () => Promise.resolve() };
  }

  /** Takes away what a killed server had half made. To be called once, before anything else is done. */
  async recover(): Promise<void> {}

  /** Ends what is under way. */
  async close(): Promise<void> {}
}
