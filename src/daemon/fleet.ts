import { randomUUID } from 'node:crypto';
import type { Config, FleetSettings } from '../config/config.js';
import { readSecret } from '../config/secret.js';
import type { Front } from '../fleet/front/front.js';
import type { LastingBus } from '../fleet/lasting-bus.js';
import type { NkeySigner } from '../fleet/signer.js';
import type { SiteRole } from '../fleet/site/role.js';
import type { Events } from '../instances/events.js';
import type { FleetDesk, KnownSite } from '../instances/fleet.js';
import type { Gate } from '../instances/gate.js';
import type { Lease } from '../instances/lease.js';
import type { Registry } from '../instances/registry.js';
import { PROVIDER_GRACE } from '../kit/limits.js';
import type { Log } from '../kit/log.js';
import { packageVersion } from '../kit/own-files.js';
import type { Change } from '../listening/change.js';
import type { Audit } from '../store/audit.js';
import type { State } from '../store/state.js';
import { RegisteredRemotes } from './registered-remotes.js';

/** Of the daemon's parts, those that a fleet needs. */
export interface FleetParts {
  readonly registry: Registry;
  readonly gate: Gate;
  readonly events: Events;
  readonly state: State;
  readonly audit: Audit;
  readonly log: Log;
  /** as it is in force now */
  config(): Config;
  /** A listing was taken in. @param ms how long that took */
  listed(provider: string, ms: number): void;
}

/** What is loaded where there is a fleet. */
type Modules = Awaited<ReturnType<typeof load>>;

async function load() {
  const [bus, parts, lasting, signer, site, front, config, subjects, store] = await Promise.all([
    import('../fleet/bus.js'), import('../fleet/parts.js'), import('../fleet/lasting-bus.js'), import('../fleet/signer.js'), import('../fleet/site/role.js'),
    import('../fleet/front/front.js'), import('../config/fleet.js'), import('../fleet/subjects.js'), import('../fleet/store-watch.js'),
  ]);
  return { ...bus, ...parts, ...lasting, ...signer, ...site, ...front, ...config, ...subjects, ...store };
}

/** The connection to the bus, for as long as this server is in a fleet. */
interface Connection {
  readonly bus: LastingBus;
  signer: NkeySigner;
  /** differs where it is to be made anew */
  mark: string;
}

/** What this server is under its name in the fleet. */
interface Roles {
  readonly name: string;
  readonly site: SiteRole | undefined;
  readonly front: Front | undefined;
  /** of the front */
  readonly remote: RegisteredRemotes | undefined;
  /** Ends looking at what the bus keeps. */
  readonly endStore: () => void;
}

/** What this server is in a fleet, as the configuration says. What that is made of is loaded when it is first configured. */
export class Fleet implements FleetDesk {
  readonly #parts: FleetParts;
  readonly #incarnation = randomUUID();
  #connection: Connection | undefined;
  #roles: Roles | undefined;
  /** ends with the last change that was taken on: the next one comes after it */
  #changing: Promise<void> = Promise.resolve();

  constructor(parts: FleetParts) {
    this.#parts = parts;
  }

  /** Where accounts ask for it; undefined where this server is in no fleet. */
  get desk(): FleetDesk | undefined {
    return this.#connection && this;
  }

  get trouble(): string | undefined {
    return this.#connection?.bus.trouble;
  }

  get outbox(): number | undefined {
    return this.#roles?.site?.outbox;
  }

  sites(): readonly KnownSite[] | undefined {
    return this.#roles?.front?.sites();
  }

  /** The lease of a name, as this server keeps it as a site; undefined: it keeps none of that name. */
  leaseOf(name: string): Lease | undefined {
    return this.#roles?.site?.leaseOf(name);
  }

  /** Whether a provider that is not there may be one of a site that was not heard of yet. */
  mayCome(provider: string): boolean {
    return this.#roles?.front !== undefined && provider.includes('.');
  }

  /** To be called when the configuration has other providers than before: a site's one gives its name up to one of these. */
  review(): void {
    this.#roles?.remote?.review();
  }

  /**
   * Loads what a configuration needs, and reads this server's key. To be committed when its accounts are in force and its providers
   * are open. Nobody waits for the bus.
   * @throws Error where that cannot be loaded or read; then nothing has changed
   */
  async prepare({ fleet }: Config): Promise<Change> {
    const modules = fleet && await load();
    const signer = modules && new modules.NkeySigner(readSecret(fleet!.nkey, 'nkey')?.reveal() ?? '');
    return {
      commit: () => {
        this.#changing = this.#changing.then(() => (modules === undefined ? this.#leave(PROVIDER_GRACE) : this.#takeOn(modules, signer!, fleet!)))
          .catch((error: unknown) => this.#parts.log('error', 'what the configuration says of the fleet could not be taken on', { cause: error }));
      },
      cancel: () => Promise.resolve(),
    };
  }

  /** Takes no further orders of others, and answers those that are under way. @param ms how long they may take */
  async drain(ms: number): Promise<void> {
    await this.#roles?.site?.drain(ms);
  }

  /** To be called when the server ends and nothing is under way any more. Never rejects. */
  async close(): Promise<void> {
    await this.#changing;
    await this.#roles?.remote?.end();
    await this.#leave(0);
  }

  async #takeOn(modules: Modules, signer: NkeySigner, settings: FleetSettings): Promise<void> {
    const connection = await this.#connect(modules, signer, settings);
    const { roles: wanted, name } = settings;
    const known = this.#roles;
    const stays = known?.name === name && (known.site !== undefined) === wanted.has('site') && (known.front !== undefined) === wanted.has('front');
    if (stays) {
      known.site?.configure(this.#siteSettings(settings));
      known.front?.configure(settings);
      known.remote?.review();
      return;
    }
    await this.#endRoles(PROVIDER_GRACE);
    this.#roles = this.#begin(modules, connection, settings);
  }

  /** The connection as it is to be now: another one where its servers or this server's key are others. */
  async #connect(modules: Modules, signer: NkeySigner, settings: FleetSettings): Promise<Connection> {
    const { servers, caFile, name, roles } = settings;
    const isApart = modules.isApart(roles);
    const mark = `${modules.connectionFingerprint(settings)} ${signer.publicKey} ${isApart}`;
    const known = this.#connection;
    if (known?.mark === mark) return known;
    const bus = new modules.NatsBus({ servers, caFile, signer, name, inboxPrefix: modules.inboxPrefix(name), isApart }, this.#parts.log);
    if (known === undefined) return this.#connection = { bus: new modules.LastingBus(bus), signer, mark };
    known.signer = signer;
    known.mark = mark;
    await known.bus.replace(bus);
    return known;
  }

  #begin(modules: Modules, connection: Connection, settings: FleetSettings): Roles {
    const { registry, gate, events, state, log, audit, config, listed } = this.#parts;
    const { bus } = connection;
    const signer = {
      get publicKey() {
        return connection.signer.publicKey;
      },
      sign: (purpose: string, data: Uint8Array) => connection.signer.sign(purpose, data),
    };
    const { roles, name } = settings;
    const site = roles.has('site')
      ? new modules.SiteRole(
          { gate, registry, events, state, bus, signer, log, incarnation: this.#incarnation, version: packageVersion() },
          this.#siteSettings(settings),
        )
      : undefined;
    const remote = roles.has('front') ? new RegisteredRemotes({ registry, log, listed, isConfigured: (provider) => config().providers.has(provider) }) : undefined;
    const front = remote && new modules.Front(
      { bus, signer, state, log, rows: (before, most) => audit.rows(before, most), arrange: (providers) => remote.arrange(providers) },
      settings,
    );
    if (front) audit.listener = (news) => front.audited(news);
    site?.start();
    front?.start();
    return { name, site, front, remote, endStore: modules.watchStore(bus, roles, log) };
  }

  #siteSettings(fleet: FleetSettings): ConstructorParameters<typeof SiteRole>[1] {
    const { groups, providers } = this.#parts.config();
    return { fleet, groups, providers };
  }

  async #endRoles(grace: number): Promise<void> {
    const { site, front, remote, endStore } = this.#roles ?? {};
    this.#roles = undefined;
    endStore?.();
    await Promise.all([site?.drain(grace), remote?.close(grace)]);
    await Promise.all([site?.close(), front?.close()]);
    this.#parts.audit.listener = undefined;
  }

  async #leave(grace: number): Promise<void> {
    await this.#endRoles(grace);
    const bus = this.#connection?.bus;
    this.#connection = undefined;
    await bus?.close();
  }
}
