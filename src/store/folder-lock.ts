import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { makeFolder } from '../kit/folders.js';
import { FOLDER_LOCK_ANSWER, FOLDER_LOCK_PAUSE, FOLDER_LOCK_TRIES } from '../kit/limits.js';

/** The state folder belongs to another server that runs. */
export class FolderInUse extends Error {
  /** @param pid the other's process, undefined where it did not say */
  constructor(readonly folder: string, readonly pid: number | undefined) {
    super(`another argo-server${pid === undefined ? '' : ` (process ${pid})`} runs on the state folder ${folder}; stop it, or choose another folder with state-dir`);
  }
}

/** Sockets of servers that run, or have run. */
const NAME = /^running\.[0-9a-f]{12}$/;

/** Bytes of a socket's path that every Unix takes (unix(7): 108 with its end on Linux). */
const PATH_LENGTH = 100;

/** What an answering server says of itself. */
interface Other {
  readonly pid: number | undefined;
  /** it has the folder; else it is about to look, as we are */
  readonly holds: boolean;
}

/**
 * Holds a state folder for one server. Each server listens on a socket of its own in the folder, and
 * then looks whether another one answers there. Sockets, because the kernel ends them with their
 * process, however that ends, so that kill -9 never leaves a lock; because they are found by the
 * folder, whatever containers the two servers run in; and because that costs no SQLite in this
 * thread. Two machines on one network file system do not find each other so.
 *
 * Each listens before it looks, so of two that start at one moment at least one sees the other; who
 * sees another that is also just looking steps back and tries again a little later.
 */
export class FolderLock {
  readonly #server: Server;
  readonly #path: string;
  #holds = false;

  private constructor(server: Server, path: string) {
    this.#server = server;
    this.#path = path;
    server.on('connection', (socket) => {
      socket.on('error', () => socket.destroy());
      socket.end(`${process.pid} ${this.#holds ? 'holds' : 'looks'}\n`, () => socket.destroy());
    });
  }

  /**
   * @throws FolderInUse where another server has it
   * @throws Error where no socket can be made there: then nobody is kept out
   */
  static async take(folder: string): Promise<FolderLock> {
    makeFolder(folder);
    for (let left = FOLDER_LOCK_TRIES; ; left -= 1) {
      const lock = await FolderLock.#listen(folder);
      const other = await findOther(folder, lock.#path);
      if (other === undefined) {
        lock.#holds = true;
        return lock;
      }
      lock.release();
      if (other.holds || left <= 1) throw new FolderInUse(folder, other.pid);
      await pause(FOLDER_LOCK_PAUSE * (1 + Math.random()));
    }
  }

  /** It gets its name only when it answers: one that does not answer is taken for dead. */
  static async #listen(folder: string): Promise<FolderLock> {
    const id = randomBytes(6).toString('hex');
    const path = join(folder, `running.${id}`);
    const made = join(folder, `starting.${id}`);
    const server = createServer();
    await throughShortPath(folder, `starting.${id}`, (short) => new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(short, resolve);
    }));
    server.unref();
    renameSync(made, path);
    return new FolderLock(server, path);
  }

  /** Another server may have the folder now. */
  release(): void {
    this.#server.close();
    rmSync(this.#path, { force: true });
  }
}

/** Any other server that runs on the folder; sockets of those that have ended are removed. */
async function findOther(folder: string, own: string): Promise<Other | undefined> {
  const others = readdirSync(folder).filter((name) => NAME.test(name) && join(folder, name) !== own);
  const answers = await Promise.all(others.map((name) => throughShortPath(folder, name, ask).then((other) => {
    if (other === undefined) rmSync(join(folder, name), { force: true });
    return other;
  })));
  return answers.find((other) => other?.holds) ?? answers.find((other) => other !== undefined);
}

/** @returns undefined where nobody listens; one that listens and says nothing is alive all the same */
function ask(path: string): Promise<Other | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let text = '';
    socket.setEncoding('latin1').setTimeout(FOLDER_LOCK_ANSWER, () => socket.destroy());
    socket.on('data', (chunk: string) => {
      text = (text + chunk).slice(0, PATH_LENGTH);
    });
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve(undefined);
    });
    socket.on('close', () => {
      const said = /^(\d+) (holds|looks)\n/.exec(text);
      resolve({ pid: said ? Number(said[1]) : undefined, holds: said?.[2] !== 'looks' });
    });
  });
}

/** A socket's path must be short, a folder's need not: Linux shows an open folder at a short one. */
async function throughShortPath<T>(folder: string, name: string, work: (path: string) => Promise<T>): Promise<T> {
  const path = join(folder, name);
  if (Buffer.byteLength(path) <= PATH_LENGTH) return work(path);
  const descriptor = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return await work(`/proc/self/fd/${descriptor}/${name}`);
  } finally {
    closeSync(descriptor);
  }
}
