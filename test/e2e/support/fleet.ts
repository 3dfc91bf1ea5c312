import bcrypt from 'bcrypt';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { Nats, natsUser, type NatsServer, type NatsUser } from '../../peers/nats.js';
import { startDaemon, type Daemon } from '../../support/daemon.js';
import { LONG, PASSWORD } from '../../support/faults.js';
import { connect, type LineClient } from '../../support/line-client.js';
import { fromRoot } from '../../support/paths.js';
import { until } from '../../support/until.js';
import { CountedMachines, type CountedOptions } from './counted-machines.js';

/** A fleet of real processes: NATS servers, sites with machines that count, and fronts. */

const HASH = bcrypt.hashSync(PASSWORD, 12);

/** The table of an account with the password of all. @param grants as TOML */
export const account = (name: string, grants: string): string => `[accounts.${name}]\npassword = "${HASH}"\ngrants = [${grants}]\n`;
export const ADMIN = account('admin', '{ instances = ["*"], commands = ["*"] }');

/** A cluster of the bus. */
const SERVERS = 3;

/** Short, so that nobody waits: a site counts as away when it was not heard of for four seconds. Milliseconds. */
export const [ALIVE_INTERVAL, DEAD_AFTER, SEND_TIMEOUT] = [1000, 4000, 3000];

/** For an order that takes some seconds, s. */
const ORDER_S = 10;

const isPart = (part: 'site' | 'front') => ({ member }: NatsUser): boolean => member.parts.includes(part);
const stateKey = (folder: string | undefined): string => (folder === undefined ? '' : `state-dir = ${JSON.stringify(folder)}\n`);
export const nameOf = ({ member }: NatsUser): string => member.name;

export interface SiteOptions {
  /** machines of the provider `kvm1`, by a driver that counts */
  readonly counted?: CountedOptions;
  /** further tables, as TOML */
  readonly tables?: string;
  /** what each front may, as TOML of grants; of those that are not named, everything */
  readonly ceilings?: Readonly<Record<string, string>>;
  /** further keys of `[fleet]` */
  readonly keys?: string;
  /** for its state; a folder of its own where it is left out */
  readonly stateDir?: string;
}

export interface FrontOptions {
  /** further tables, as TOML: accounts beside `admin`, groups, plans, gateways */
  readonly tables?: string;
  /** sites whose keys it knows by its configuration; left out: all */
  readonly knows?: readonly string[];
  readonly keys?: string;
  readonly listeners?: number;
  readonly stateDir?: string;
}

/** A server of the fleet, which may be killed and started again on what it has left. */
export class Member {
  readonly folder: string;
  machines: CountedMachines | undefined;
  #daemon: Daemon | undefined;
  readonly #clients = new Set<LineClient>();
  readonly #kept = new Map<string, LineClient>();
  readonly #asking = new Map<string, Promise<unknown>>();

  constructor(readonly key: NatsUser, readonly config: () => string, readonly listeners: number) {
    this.folder = mkdtempSync(join(tmpdir(), `argo-fleet-${nameOf(key)}-`));
  }

  get name(): string {
    return nameOf(this.key);
  }

  get daemon(): Daemon {
    if (this.#daemon === undefined) throw new Error(`${this.name} does not run`);
    return this.#daemon;
  }

  /** @param env of the process @param change of the configuration, until the next start */
  async start({ env = {}, change = (text: string): string => text } = {}): Promise<void> {
    this.#daemon = await startDaemon({ config: change(this.config()), folder: this.folder, listeners: this.listeners, env });
  }

  /** As a power cut of the process: nothing of it goes on. */
  async kill(): Promise<void> {
    const { daemon } = this;
    daemon.signal('SIGKILL');
    await daemon.exited;
    this.#letGo();
  }

  async stop(): Promise<void> {
    this.#letGo();
    await this.#daemon?.stop();
    this.#daemon = undefined;
  }

  /** Takes on a changed configuration. */
  async reload(change: (text: string) => string): Promise<void> {
    const before = this.daemon.stderr().split('"reloaded"').length;
    this.daemon.reconfigure(change(this.config()));
    this.daemon.signal('SIGHUP');
    await until(() => this.daemon.stderr().split('"reloaded"').length > before, LONG, `the reload of ${this.name}`);
  }

  /** A connection that is logged in. */
  async logIn(name = 'admin'): Promise<LineClient> {
    const client = await connect(this.daemon.port);
    this.#clients.add(client);
    const { code, comment } = await client.ask(`auth ${name} ${PASSWORD}`, LONG);
    if (code !== 300) throw new Error(`${name} cannot log in at ${this.name}: ${comment}`);
    return client;
  }

  /** What a request comes to, as a person reads it. One after the other on a connection that is kept: a login costs a quarter of a second. */
  ask(request: string, as = 'admin'): Promise<string> {
    const asked = (this.#asking.get(as) ?? Promise.resolve()).then(async () => {
      const client = this.#kept.get(as) ?? await this.logIn(as);
      this.#kept.set(as, client);
      return client.answer(request, LONG);
    });
    this.#asking.set(as, asked.catch(() => undefined));
    return asked;
  }

  /** What its audit holds, oldest first. */
  audit(): readonly AuditLine[] {
    const { status, stdout, stderr } = spawnSync(process.execPath, [fromRoot('bin', 'argo-server.js'), 'audit', '--json', '--config', join(this.folder, 'argo-server.conf')], { cwd: this.folder, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
    if (status !== 0) throw new Error(`the audit of ${this.name} cannot be read: ${stderr}`);
    return stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line) as AuditLine);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #letGo(): void {
    for (const client of this.#clients) client.destroy();
    this.#clients.clear();
    this.#kept.clear();
    this.#asking.clear();
  }
}

/** A line of `argo-server audit --json`. */
export interface AuditLine {
  readonly id: number;
  readonly account: string;
  readonly command: string;
  readonly instance: string;
  readonly origin?: string;
  readonly outcome: string | null;
}

export interface FleetOptions {
  readonly sites: Readonly<Record<string, SiteOptions>>;
  readonly fronts: Readonly<Record<string, FrontOptions>>;
  /** a folder for all that the bus keeps */
  readonly busFolder?: string;
  /** at which it can be reached; 127.0.0.1 where it is left out */
  readonly busAddress?: string;
  /** sites that have a key and are started by the test itself */
  readonly away?: readonly string[];
  /** further keys on the bus */
  readonly keys?: readonly NatsUser[];
  /** fronts that stand in no site's configuration */
  readonly siteIgnores?: readonly string[];
}

export class Fleet {
  readonly sites = new Map<string, Member>();
  readonly fronts = new Map<string, Member>();
  readonly keys: readonly NatsUser[];
  #nats: Nats | undefined;
  readonly #options: FleetOptions;

  private constructor(options: FleetOptions) {
    this.#options = options;
    this.keys = [
      ...Object.keys(options.sites).map((name) => natsUser(name, 'site')), ...(options.away ?? []).map((name) => natsUser(name, 'site')),
      ...Object.keys(options.fronts).map((name) => natsUser(name, 'front')), ...options.keys ?? [],
    ];
  }

  /** Starts the bus, makes its buckets, then sites and fronts, and waits until each front can order at each site. */
  static async start(t: Test, options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(options);
    t.teardown(() => fleet.stop());
    fleet.#nats = await Nats.start({
      servers: SERVERS,
      users: fleet.keys,
      ...(options.busAddress !== undefined && { address: options.busAddress }),
      ...(options.busFolder !== undefined && { parent: options.busFolder }),
    });
    for (const [name, site] of Object.entries(options.sites)) fleet.#addSite(name, site);
    for (const [name, front] of Object.entries(options.fronts))
      fleet.fronts.set(name, new Member(fleet.keyOf(name), () => fleet.#frontConfig(name, front), front.listeners ?? 1));
    await Promise.all([...fleet.sites.values(), ...fleet.fronts.values()].map((member) => member.start()));
    await Promise.all([...fleet.fronts.keys()].map((front) => fleet.knowsAll(front)));
    return fleet;
  }

  get nats(): Nats {
    return this.#nats!;
  }

  site(name: string): Member {
    return this.sites.get(name)!;
  }

  front(name: string): Member {
    return this.fronts.get(name)!;
  }

  keyOf(name: string): NatsUser {
    return this.keys.find((key) => nameOf(key) === name)!;
  }

  /** The machines of a site. */
  machines(site: string): CountedMachines {
    return this.site(site).machines!;
  }

  /** Waits until a front can order at each site and has all of its machines. */
  async knowsAll(front: string): Promise<void> {
    const sites = [...this.sites.keys()];
    for (const site of sites) await this.isUp(front, site);
    for (const site of sites) {
      const count = this.site(site).machines?.names.length ?? 0;
      await until(async () => await this.count(front, `${site}.*/*`) >= count, LONG, `the machines of ${site} at ${front}`);
    }
  }

  /** How many machines a front has that a pattern selects. */
  async count(front: string, pattern: string): Promise<number> {
    const answer = await this.front(front).ask(`status ${pattern}`);
    return answer === '400 NO MATCH' ? 0 : answer.split('\n').filter((line) => !line.startsWith('400 ')).length;
  }

  async isUp(front: string, site: string): Promise<void> {
    await this.#says(front, new RegExp(`^${site} up `, 'm'));
  }

  async isAway(front: string, site: string, trouble = /./): Promise<void> {
    await this.#says(front, new RegExp(`^${site} away trouble="[^"]*${trouble.source}`, 'm'));
  }

  async #says(front: string, wanted: RegExp): Promise<void> {
    let said = '';
    await until(async () => wanted.test(said = await this.front(front).ask('fleet')), LONG, `${String(wanted)} of fleet at ${front}`)
      .catch((error: unknown) => { throw new Error(`${(error as Error).message}: ${said}\n${this.front(front).daemon.stderr().slice(-3000)}`); });
  }

  /** A restart through a front that is under way at the site. */
  async underWay(front: Member, site: string, machine: string): Promise<{ readonly answer: Promise<string> }> {
    const client = await front.logIn();
    const answer = client.answer(`reboot ${site}.kvm1/${machine} --timeout=${ORDER_S}`, LONG).catch((error: unknown) => `lost: ${(error as Error).message}`);
    await until(async () => (await this.site(site).ask('task')).includes(`kvm1/${machine} `), LONG, `the order for ${machine} at the site`);
    return { answer };
  }

  /** That a site is ordered as ever. @returns how long that takes, ms */
  async isOrdered(front: Member, site: string, machine: string): Promise<number> {
    const [before, began] = [this.machines(site).count(machine, 'r'), performance.now()];
    const answer = await front.ask(`reboot ${site}.kvm1/${machine}`);
    if (answer !== '' || this.machines(site).count(machine, 'r') !== before + 1) throw new Error(`${site} is not ordered as ever: ${answer}`);
    return performance.now() - began;
  }

  /** The server of the bus by which a member goes. */
  async serverOf(member: string): Promise<NatsServer> {
    let found: NatsServer | undefined;
    await until(async () => {
      for (const server of this.nats.servers) if (server.isRunning && (await server.clients().catch((): string[] => [])).includes(member)) found = server;
      return found !== undefined;
    }, LONG, `the server of ${member}`);
    return found!;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.sites.values(), ...this.fronts.values()].map((member) => member.stop().catch(() => undefined)));
    await this.#nats?.stop();
    for (const member of [...this.sites.values(), ...this.fronts.values()]) member.remove();
  }

  #addSite(name: string, options: SiteOptions): void {
    const member: Member = new Member(this.keyOf(name), () => this.siteConfig(name, options, member.machines), 1);
    if (options.counted !== undefined) member.machines = new CountedMachines(member.folder, options.counted);
    this.sites.set(name, member);
  }

  #fleetTable(name: string, roles: readonly string[], keys = ''): string {
    return `[fleet]
role = ${JSON.stringify(roles)}
name = "${name}"
servers = ${JSON.stringify(this.nats.urls)}
ca-file = ${JSON.stringify(this.nats.caFile)}
nkey = "${this.keyOf(name).seed}"
alive-interval = "${ALIVE_INTERVAL}ms"
dead-after = "${DEAD_AFTER}ms"
send-timeout = "${SEND_TIMEOUT}ms"
${keys}
`;
  }

  siteConfig(name: string, { ceilings = {}, tables = '', keys, stateDir }: SiteOptions, machines: CountedMachines | undefined): string {
    const fronts = this.keys.filter((key) => isPart('front')(key) && this.#options.siteIgnores?.includes(nameOf(key)) !== true).map((front) => `[[fleet.fronts]]
name = "${nameOf(front)}"
public-key = "${front.signer.publicKey}"
grants = [${ceilings[nameOf(front)] ?? '{ instances = ["*"], commands = ["*"] }'}]
`);
    return `[server]\n${stateKey(stateDir)}plugin-path = ${JSON.stringify(machines === undefined ? [] : [machines.plugins])}\n${this.#fleetTable(name, ['site'], keys)}${fronts.join('')}${ADMIN}${machines?.table('kvm1') ?? ''}${tables}`;
  }

  #frontConfig(name: string, { tables = '', knows, keys, stateDir }: FrontOptions): string {
    const sites = this.keys.filter((key) => isPart('site')(key) && (knows === undefined || knows.includes(nameOf(key))))
      .map((site) => `[[fleet.sites]]\nname = "${nameOf(site)}"\npublic-key = "${site.signer.publicKey}"\n`);
    return `[server]\n${stateKey(stateDir)}${this.#fleetTable(name, ['front'], keys)}${sites.join('')}${ADMIN}${tables}`;
  }
}
