import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { run } from '../../peers/enclosure.js';
import { OverlaidRoot } from '../../peers/overlaid-root.js';
import { until } from '../../support/until.js';

export const CONF = '/etc/argo-server/argo-server.conf';
export const AUDIT = '/var/lib/argo-server/audit.sqlite';
export const STARTED_WITH_MACHINE = '/etc/systemd/system/multi-user.target.wants';
/** The account of who installs it. */
export const PASSWORD = 'correct horse';
/** How long a server may take to answer on a busy machine, ms. */
const READY_WITHIN_MS = 60_000;
/** What dpkg, adduser and systemd's helpers write down of any package. */
const BOOKKEEPING = /^\/(?:var\/(?:lib\/(?:dpkg|systemd|man-db)|log|cache)\/|etc\/(?:passwd|group|shadow|gshadow|subuid|subgid)-?$|etc\/\.pwd\.lock$|root\/|tmp\/)/;
/** So that the client knows who one is. */
const LOGIN = `mkdir -p ~/.config/argo && printf 'account = "steve"\\npassword-file = "~/.config/argo/password"\\n' > ~/.config/argo/config.toml && (umask 077; printf '%s\\n' '${PASSWORD}' > ~/.config/argo/password)`;

/** This machine, with a layer over all of its files, on which Debian packages are installed by dpkg, and what is in them used. */
export class PackageRoot {
  readonly #root: OverlaidRoot;
  readonly #log: string;
  /** Where Node is no package of the machine, dpkg has to be told of it. */
  readonly #told: readonly string[];

  private constructor(root: OverlaidRoot, log: string, told: readonly string[]) {
    this.#root = root;
    this.#log = log;
    this.#told = told;
  }

  /** @param folder has the packages, and gets the log of the server; it goes at last */
  static async start(t: Test, folder: string): Promise<PackageRoot> {
    const root = await OverlaidRoot.start(folder);
    t.teardown(() => root.stop());
    const isPackage = (await run('dpkg-query', ['-W', '-f', '${Version}', 'nodejs'])).stdout.startsWith(`${process.versions.node}-`);
    // else the index of all man pages of the machine is made anew, each time
    await root.must('rm', '-f', '/var/lib/man-db/auto-update');
    return new PackageRoot(root, join(folder, 'daemon.log'), isPackage ? [] : ['--ignore-depends=nodejs']);
  }

  dpkg(...args: readonly string[]): Promise<string> {
    return this.#root.must('dpkg', '--force-unsafe-io', ...this.#told, ...args);
  }

  /** What a line of a shell prints. */
  inside(command: string, ...args: readonly string[]): Promise<string> {
    return this.#root.must('sh', '-c', command, 'sh', ...args);
  }

  read(path: string): Promise<string> {
    return this.#root.read(path);
  }

  exists(path: string): Promise<boolean> {
    return this.#root.exists(path);
  }

  /** Adds the account, as which the client logs in from then on. */
  async addAccount(): Promise<void> {
    await this.inside(`printf '%s\\n' '${PASSWORD}' | argo-server account add steve --instances '*'`);
    await this.inside(LOGIN);
  }

  /** Starts the server as the unit does. @returns what ends it, as the unit does too */
  async serve(): Promise<() => Promise<void>> {
    const unit = await this.read('/lib/systemd/system/argo-server.service');
    const [, command = ''] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
    const [, user = ''] = /^User=(.*)$/m.exec(unit) ?? [];
    const daemon = this.#root.daemon(this.#log, 'setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', ...command.split(' '));
    await until(async () => (await this.#root.run('argo', 'nop')).code === 0, READY_WITHIN_MS, 'a server that answers').catch((error: unknown) => {
      throw new Error(`${String(error)}: ${readFileSync(this.#log, 'utf8')}`);
    });
    return async () => {
      await this.inside(`pkill --uid ${user} --signal TERM`);
      await this.#root.ended(daemon);
    };
  }

  /** What was left on the machine by all that was done, beside what is written down of any package. */
  async left(): Promise<string[]> {
    return (await this.#root.changed()).filter((path) => !BOOKKEEPING.test(path));
  }
}
