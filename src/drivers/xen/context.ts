import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { ArgoError } from '../../kit/errors.js';
import type { PowerState } from '../driver.js';
import type { Log } from '../../kit/log.js';
import type { Config, Configs } from './configs.js';
import { parseDetails, type Details, type Listing, type Row } from './output.js';
import { stateOf } from './errors.js';
import { DiskProbe } from './disks.js';
import type { Saves } from './saves.js';
import type { XenProgram } from './program.js';
import type { Terminal } from './terminal.js';

/** Milliseconds for which a domain that went to reboot may be absent: xl's monitor waits 2 s, then builds it. */
const REBOOT_GAP = 30_000;
/** Milliseconds that a guest may take to obey a reboot order; then it is taken for one that ignores it. */
const REBOOT_LIMIT = 600_000;
/** Looks at domains and images, together, until nothing of ours moved in between. */
const STEADY_LOOKS = 5;

/** What a driver sees of the host besides xl. */
export interface HostView {
  readonly procNetDev: string;
  /** the file of the kernel's random id of this boot */
  readonly bootId: string;
  readonly sysfs: string;
  /** all addresses of a name, as the system resolves it */
  lookup(name: string): Promise<readonly string[]>;
}

export const THIS_HOST: HostView = {
  procNetDev: '/proc/net/dev',
  bootId: '/proc/sys/kernel/random/boot_id',
  sysfs: '/sys',
  lookup: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
};

/** CPU time of a domain at a moment: two of them make its load. */
export interface Sample {
  readonly domid: number;
  /** CPU seconds used */
  readonly seconds: number;
  /** milliseconds, of a clock that is never set back */
  readonly at: number;
}

/** A reboot that we ordered. */
interface Reboot {
  readonly domid: number;
  /** milliseconds of the same clock: when the order was given, when the old domain was last seen */
  readonly ordered: number;
  seen: number;
}

type Parts = Pick<Dom0, 'xl' | 'xenstoreRead' | 'xenconsole' | 'listing' | 'configs' | 'saves' | 'view' | 'log'>;

/** Domain 0 as its machines share it: Xen's programs, the configuration files, the images, and what is under way. */
export class Dom0 {
  readonly xl: XenProgram;
  readonly xenstoreRead: XenProgram;
  readonly xenconsole: XenProgram;
  readonly listing: Listing;
  readonly configs: Configs;
  readonly saves: Saves;
  readonly view: HostView;
  readonly log: Log;
  readonly disks: DiskProbe;
  readonly samples = new Map<string, Sample>();
  /** text consoles that we have open, by the domain's number: xenconsole lets only one have each */
  readonly terminals = new Map<number, Terminal>();
  /** Machines that one of our own calls is moving, and where to. */
  readonly #moving = new Map<string, PowerState>();
  readonly #rebooting = new Map<string, Reboot>();
  readonly #left = new Set<Promise<void>>();
  #moves = 0;

  constructor({ xl, xenstoreRead, xenconsole, listing, configs, saves, view, log }: Parts) {
    this.xl = xl;
    this.xenstoreRead = xenstoreRead;
    this.xenconsole = xenconsole;
    this.listing = listing;
    this.configs = configs;
    this.saves = saves;
    this.view = view;
    this.log = log;
    this.disks = new DiskProbe(view.sysfs);
  }

  /** The domain that bears a name now. xl is only ever given its number, and only just after this. */
  async find(name: string, signal: AbortSignal): Promise<Row | undefined> {
    return this.#pick(await this.listing.read(signal), name);
  }

  /** @throws ArgoError `AMBIGUOUS` when several domains bear the name: a restore by hand can bring that about */
  #pick(rows: readonly Row[], name: string): Row | undefined {
    const [row, another] = rows.filter((candidate) => candidate.name === name);
    if (another) throw new ArgoError('AMBIGUOUS', `xl lists several domains of this name: ${row?.domid}, ${another.domid}`);
    if (row) this.saw(row);
    return row;
  }

  /**
   * As {@link find}, for what needs a running domain.
   * @throws ArgoError `WRONG STATE`, or `NO SUCH INSTANCE` where it has no configuration file either
   */
  async running(name: string, signal: AbortSignal): Promise<Row> {
    const row = await this.find(name, signal);
    if (row) return row;
    if (this.isRebooting(name)) throw new ArgoError('WRONG STATE', 'it is just rebooting');
    if (this.configs.get(name) ?? await this.saves.find(name)) throw new ArgoError('WRONG STATE', 'it is not running');
    throw new ArgoError('NO SUCH INSTANCE');
  }

  /**
   * The state of a machine, given its line of the listing and its image, if there are any.
   * @returns undefined for a machine that is neither running, nor saved, nor configured
   */
  stateFrom(name: string, row: Row | undefined, save: { readonly kind: 'whole' | 'partial' } | undefined): PowerState | undefined {
    const moving = this.#moving.get(name);
    if (moving) return moving;
    if (row) return stateOf(row.flags);
    if (this.isRebooting(name)) return 'starting';
    // Half an image and no domain: either its memory is lost, or somebody else's xl is at work.
    if (save) return save.kind === 'whole' ? 'suspended' : 'unknown';
    return this.configs.get(name) ? 'off' : undefined;
  }

  /** Marks a machine as on its way for as long as the work lasts; two such works at a time are refused. */
  async move<T>(name: string, to: PowerState, work: () => Promise<T>): Promise<T> {
    if (this.#moving.has(name)) throw new ArgoError('BUSY', `it is still ${this.#moving.get(name)}`);
    this.#moving.set(name, to);
    try {
      return await work();
    } finally {
      this.#moving.delete(name);
      this.#moves += 1;
    }
  }

  /** Repeats a look that reads more than one thing, when a work of ours ended between the readings. */
  async steadily<T>(look: () => Promise<T>): Promise<T> {
    for (let looks = 1; ; looks += 1) {
      const before = this.#moves;
      const seen = await look();
      if (this.#moves === before || looks === STEADY_LOOKS) return seen;
    }
  }

  /** Work that goes on when its caller has given up. */
  leftToFinish(work: Promise<unknown>): void {
    const ended = work.then(() => undefined, () => undefined).finally(() => this.#left.delete(ended));
    this.#left.add(ended);
  }

  /** Resolves when all work that was left to finish has ended. */
  async finished(): Promise<void> {
    await Promise.all(this.#left);
  }

  isMoving(name: string): boolean {
    return this.#moving.has(name);
  }

  expectReboot({ name, domid }: Row): void {
    const now = performance.now();
    this.#rebooting.set(name, { domid, ordered: now, seen: now });
  }

  forgetReboot(name: string): void {
    this.#rebooting.delete(name);
  }

  /** To be told of each domain that is listed: a reboot has ended when its name has another number. */
  saw({ name, domid }: Row): void {
    const reboot = this.#rebooting.get(name);
    if (!reboot) return;
    const now = performance.now();
    if (reboot.domid !== domid || now - reboot.ordered > REBOOT_LIMIT) this.#rebooting.delete(name);
    else reboot.seen = now;
  }

  /** Whether a domain that went to reboot on our order is still to come back. */
  isRebooting(name: string): boolean {
    const reboot = this.#rebooting.get(name);
    if (reboot && performance.now() - reboot.seen < REBOOT_GAP) return true;
    this.#rebooting.delete(name);
    return false;
  }

  /** What xl knows of a running domain; undefined when it skips it. */
  async details({ domid }: Row, signal: AbortSignal): Promise<Details | undefined> {
    const { stdout } = await this.xl.run(['list', '-l', '--', String(domid)], { signal });
    return parseDetails(stdout, domid);
  }

  /** The configuration file to start a machine from. */
  configOf(name: string): Config {
    const config = this.configs.get(name);
    if (!config) throw new ArgoError('NOT SUPPORTED', `it has no file in ${this.configs.folder}, so xl cannot start it`);
    return config;
  }

  /** @returns a text that differs for each boot of each domain: xl gives no number twice until the host reboots */
  async bootMark({ domid }: Row): Promise<string> {
    const boot = await readFile(this.view.bootId, 'latin1').catch(() => '');
    return `${boot.trim()}/${domid}`;
  }

  /** Takes note of a listing: how much CPU time each domain has used. Those that are gone are forgotten. */
  note(rows: readonly Row[]): void {
    const at = performance.now();
    this.samples.clear();
    for (const row of rows) {
      this.saw(row);
      this.samples.set(row.name, { domid: row.domid, seconds: row.seconds, at });
    }
  }
}
