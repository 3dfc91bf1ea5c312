import { ArgoError } from '../../../kit/errors.js';
import { FairPlaces } from '../../../kit/fair-places.js';
import type { Log } from '../../../kit/log.js';
import { FILE_REQUESTS, FILE_REQUESTS_OF_ACCOUNT, FILE_REQUESTS_WAITING, FILE_REQUESTS_WAITING_OF_ACCOUNT } from '../../../kit/vmserverd-files-limits.js';
import { onAbort } from '../../../kit/within.js';
import type { Change } from '../../../listening/change.js';
import type { KeyValue } from '../../../store/state.js';
import { Copying } from './copying.js';
import { Disk } from './disk.js';
import { Images } from './images.js';
import { Jail } from './jail.js';
import { Leftovers } from './leftovers.js';
import { Moving } from './moving.js';
import { rootFaults, type FileRoot } from './options.js';
import { Placing } from './placing.js';
import { Roots, type Access, type Place } from './roots.js';

/** What work on files needs of its gateway's host. */
export interface FilesHost {
  readonly state: { readonly kv: KeyValue };
  readonly log: Log;
  /** files and folders of the server's own, which are never reached */
  readonly own: readonly string[];
}

/** What somebody does, and under which circumstances it goes on. */
export interface Errand {
  readonly account: string;
  /** any of these ends it */
  readonly signals: readonly AbortSignal[];
  /** milliseconds that it may take; undefined: somebody else sees to that */
  readonly limit: number | undefined;
  /** what it needs all the time: a reload that takes one of these away ends it */
  readonly needs: readonly (readonly [place: Place, access: Access])[];
}

/**
 * Files of this host, as one gateway hands them out. Made once in `open`; {@link prepare} with each configuration, the first too.
 */
export class Files {
  readonly roots = new Roots();
  readonly jail: Jail;
  readonly placing: Placing;
  readonly copying: Copying;
  readonly moving: Moving;
  readonly images: Images;
  readonly #host: FilesHost;
  readonly #leftovers: Leftovers;
  readonly #places = new FairPlaces({
    places: FILE_REQUESTS, waiting: FILE_REQUESTS_WAITING, groups: [{ held: FILE_REQUESTS_OF_ACCOUNT, waiting: FILE_REQUESTS_WAITING_OF_ACCOUNT }],
  });

  readonly #ending = new AbortController();
  #isCleared = false;

  constructor(host: FilesHost) {
    this.#host = host;
    this.jail = new Jail(new Disk(), host.own);
    this.#leftovers = new Leftovers(host.state.kv, host.log);
    this.placing = new Placing(this.#leftovers, host.log);
    this.copying = new Copying(this.jail, this.placing);
    this.moving = new Moving(this.jail, this.copying);
    this.images = new Images(this.jail, this.placing);
  }

  /** @param roots of the option `file-roots` @throws Error where one of them cannot be */
  prepare(roots: readonly FileRoot[]): Promise<Change> {
    const [fault] = rootFaults(roots, this.#host.own);
    if (fault !== undefined) return Promise.reject(new Error(fault.message));
    return Promise.resolve({ commit: () => this.#take(roots), cancel: () => Promise.resolve() });
  }

  /** Ends what is under way, but for tasks: those end by themselves. */
  close(): void {
    this.#ending.abort(new ArgoError('SHUTTING DOWN'));
  }

  /** Carries an errand out, in its turn. @throws what the work throws; the signal's reason */
  async carryOut<T>({ account, signals, limit, needs }: Errand, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const end = (reason: unknown): void => controller.abort(reason);
    const timer = limit === undefined ? undefined : setTimeout(() => end(new ArgoError('TIMEOUT', 'the disk takes too long')), limit);
    const forget = [
      ...[...signals, this.#ending.signal].map((one) => onAbort(one, end)),
      ...needs.map(([place, access]) => this.roots.follow(account, place, access, end)),
    ];
    try {
      const free = limit === undefined ? () => undefined : await this.#places.take(controller.signal, [account]);
      try {
        controller.signal.throwIfAborted();
        return await work(controller.signal);
      } finally {
        free();
      }
    } finally {
      clearTimeout(timer);
      forget.forEach((one) => one());
    }
  }

  #take(roots: readonly FileRoot[]): void {
    this.roots.replace(roots);
    if (this.#isCleared) return;
    this.#isCleared = true;
    // a disk that hangs must not keep the server from its start
    this.#leftovers.clear(this.roots, this.jail).catch((cause: unknown) => this.#host.log('warn', 'files that a server left half made could not be looked for', { cause }));
  }
}
