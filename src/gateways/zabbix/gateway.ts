import type { Endpoint, Network } from '../../config/values.js';
import { Bell } from '../../kit/bell.js';
import type { Deadline } from '../../kit/deadline.js';
import { GATEWAY_CONNECTIONS, GATEWAY_CONNECTIONS_PER_ADDRESS } from '../../kit/limits.js';
import { notLonger, within } from '../../kit/within.js';
import { ZABBIX_LAST_SENDS } from '../../kit/zabbix-gateway-limits.js';
import type { Change } from '../../listening/change.js';
import type { Entrance } from '../../listening/entrance.js';
import { HalfOpen } from '../../listening/half-open.js';
import type { ProxyConfiguration } from '../../protocols/zabbix/configuration.js';
import type { TlsSettings } from '../../protocols/zabbix/tls.js';
import type { Gateway, GatewayHost } from '../contract.js';
import { Active } from './speaking/active.js';
import { ValueBuffer } from './speaking/buffer.js';
import { Collecting } from './collecting.js';
import { Configurations } from './speaking/configurations.js';
import { Contact } from './speaking/contact.js';
import { figuresIn, type DropReason, type ProxyFigures } from './figures.js';
import { CONFIG_FREQUENCY, DATA_FREQUENCY, HEARTBEAT_FREQUENCY, peersOf, tlsOf, type ZabbixOptions } from './options.js';
import { Passive } from './speaking/passive.js';
import { Reports } from './speaking/reports.js';
import { Sender } from './speaking/sender.js';
import { Servers } from './speaking/servers.js';
import { Tasks } from './speaking/tasks.js';

/** What one table makes. */
interface Setup {
  readonly options: ZabbixOptions;
  readonly servers: readonly Endpoint[];
  readonly from: readonly Network[];
  readonly tls: TlsSettings | undefined;
}

/** How many connections it takes, in passive mode. */
const placesOf = (options: ZabbixOptions): { readonly maxConnections: number; readonly maxConnectionsPerAddress: number } => ({
  maxConnections: options['max-connections'] ?? GATEWAY_CONNECTIONS,
  maxConnectionsPerAddress: options['max-connections-per-address'] ?? GATEWAY_CONNECTIONS_PER_ADDRESS,
});

/**
 * A Zabbix proxy: puts the two halves together, and takes tables on. `speaking/` has what goes to and from the server, and
 * what is kept until it has got there; `collecting/` takes samples of `items/` when they are due, and `discovering/` finds
 * hosts. The halves know each other by contract.ts only.
 */
export class ZabbixGateway implements Gateway<ZabbixOptions> {
  readonly #host: GatewayHost;
  readonly #bell = new Bell();
  readonly #halfOpen = new HalfOpen();
  readonly #reports = new Reports();
  readonly #buffer: ValueBuffer;
  readonly #tasks: Tasks;
  readonly #sender: Sender;
  readonly #contact: Contact;
  readonly #servers: Servers;
  readonly #collecting: Collecting;
  readonly #configurations: Configurations;
  readonly #counts: Record<'kept' | 'sent' | 'dropped', number> = { kept: 0, sent: 0, dropped: 0 };
  #setup: Setup | undefined;
  #entrance: Entrance | undefined;
  #active: Active | undefined;
  #passive: Passive | undefined;
  #starting: Promise<void> | undefined;
  /** what was kept at the last end is known; never rejects */
  #recovered: Promise<void> = Promise.resolve();
  #isClosing = false;

  constructor(host: GatewayHost) {
    this.#host = host;
    const { log, state: { history, kv, once }, metrics, name: gateway } = host;
    const { values, dropped, exchanges } = figuresIn(metrics);
    const count = (result: 'kept' | 'sent', by: number): void => {
      values.add({ gateway, result }, by);
      this.#counts[result] += by;
    };
    const drop = (reason: DropReason, by: number): void => {
      dropped.add({ gateway, reason }, by);
      this.#counts.dropped += by;
    };
    this.#buffer = new ValueBuffer({
      history, log,
      limits: () => ({ age: this.#options['buffer-age'], values: this.#options['buffer-values'], keepAcknowledged: this.#options['keep-acknowledged'] }),
      kept: (by) => count('kept', by), dropped: drop,
    });
    this.#collecting = new Collecting({
      log, member: () => host.accounts.service(this.#options.account), figure: (name) => this.#figure(name),
      outgoing: {
        values: (rows) => this.#buffer.values(rows),
        dropped: drop,
        availability: (rows) => this.#reports.availability(rows),
        discovery: (rows) => this.#reports.discovery(rows),
        registration: (rows) => this.#reports.registration(rows),
      },
    });
    this.#tasks = new Tasks({
      kv, once, log, incoming: this.#collecting,
      commandAge: () => this.#options['command-age'],
      figures: () => ({ items: this.#configurations.items, values: this.#buffer.backlog }),
      changed: () => this.#active?.hurry(),
    });
    this.#sender = new Sender({ buffer: this.#buffer, reports: this.#reports, tasks: this.#tasks, log, acknowledged: (by) => count('sent', by), dropped: drop });
    this.#contact = new Contact({ log, count: (result) => exchanges.add({ gateway, result }), doubt: () => this.#sender.doubt() });
    this.#servers = new Servers(this.#contact);
    this.#configurations = new Configurations({
      history, log, incoming: this.#collecting, changed: (configuration) => this.#configured(configuration), doubt: () => this.#sender.doubt(),
    });
  }

  async prepare(options: ZabbixOptions): Promise<Change> {
    const { servers, from } = peersOf(options);
    const setup: Setup = { options, servers, from, tls: tlsOf(options) };
    const entrance = await this.#prepareEntrance(setup);
    return {
      commit: () => {
        const before = this.#setup;
        this.#setup = setup;
        const { maxConnections, maxConnectionsPerAddress } = placesOf(options);
        this.#halfOpen.resize(maxConnections, maxConnectionsPerAddress);
        entrance?.commit();
        this.#servers.set(servers, setup.tls, options['proxy-name']);
        if (before === undefined) this.#starting = this.#start();
        else this.#reloaded(before.options);
        this.#bell.ring();
      },
      cancel: async () => entrance?.cancel(),
    };
  }

  /** Commands that run may end, and what they came to is told. */
  async drain(deadline: Deadline): Promise<void> {
    this.#isClosing = true;
    this.#entrance?.close();
    await this.#tasks.drain(Math.max(0, deadline.left - ZABBIX_LAST_SENDS));
    await this.#collecting.close();
    const active = this.#active;
    await active?.stop();
    if (active !== undefined) await within(Math.min(ZABBIX_LAST_SENDS, deadline.left), [], (signal) => active.last(signal)).catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    figuresIn(this.#host.metrics).proxies.delete(this.#host.name);
    this.#entrance?.close();
    this.#configurations.close();
    await notLonger(
      ZABBIX_LAST_SENDS,
      Promise.all([this.#tasks.close(), this.#collecting.close(), this.#active?.stop(), this.#passive?.stop(), this.#starting]),
    );
    await this.#buffer.close();
  }

  get #options(): ZabbixOptions {
    return this.#setup!.options;
  }

  /** In active mode nobody listens; places of a table before that listened are closed. */
  async #prepareEntrance({ options, from, tls }: Setup): Promise<Change | undefined> {
    if (options.mode === 'active') {
      const entrance = this.#entrance;
      return entrance && { commit: () => entrance.close(), cancel: () => Promise.resolve() };
    }
    this.#entrance ??= this.#host.doors.sockets({
      refusal: () => {
        figuresIn(this.#host.metrics).exchanges.add({ gateway: this.#host.name, result: 'refused' });
        return undefined;
      },
      connected: (socket, address) => {
        if (this.#passive) this.#passive.connected(socket, address);
        else socket.destroy();
      },
    });
    return this.#entrance.prepare({
      listen: options.listen, tlsListen: [], tls: undefined, gatewayTls: tls === undefined ? [] : options.listen, from, ...placesOf(options),
    });
  }

  /** Never rejects: a disk that cannot be read keeps nobody from starting. */
  async #start(): Promise<void> {
    const { metrics, name } = this.#host;
    figuresIn(metrics).proxies.set(name, () => this.#figures());
    // the server hears of an active proxy first, and meanwhile
    this.#recovered = this.#options.mode === 'active'
      ? new Promise((resolve) => this.#begin(() => this.#recover().finally(resolve)))
      : this.#recover();
    await this.#recovered;
    if (this.#isClosing) return;
    if (this.#active === undefined && this.#passive === undefined) this.#begin();
    await this.#configurations.recover();
  }

  /** What was kept at the last end becomes known. Never rejects. */
  async #recover(): Promise<void> {
    if (this.#isClosing) return;
    const { log } = this.#host;
    await this.#buffer.open().catch((error: unknown) => log('error', 'values for Zabbix cannot be kept', { reason: (error as Error).message }));
    await this.#tasks.recover().catch((error: unknown) => log('error', 'the tasks of Zabbix before the last end are not known', { reason: (error as Error).message }));
  }

  #reloaded(before: ZabbixOptions): void {
    this.#contact.tellAgain();
    const { mode, account, server, 'proxy-name': proxyName } = this.#options;
    const isOther = proxyName !== before['proxy-name'] || server.join() !== before.server.join();
    if (isOther || account !== before.account) {
      this.#collecting.reloaded();
      this.#sender.doubt();
    }
    if (isOther) this.#active?.unsure();
    if (mode === before.mode) return;
    const [active, passive] = [this.#active, this.#passive];
    this.#active = this.#passive = undefined;
    void Promise.all([active?.stop(), passive?.stop(), this.#recovered]).then(() => {
      if (!this.#isClosing && this.#active === undefined && this.#passive === undefined) this.#begin();
    });
  }

  /** In the mode of the table. @param recover as {@link Active.start} has it */
  #begin(recover = () => this.#recovered): void {
    const shared = { sender: this.#sender, tasks: this.#tasks, configurations: this.#configurations, log: this.#host.log };
    if (this.#options.mode === 'passive') {
      this.#passive = new Passive({
        ...shared, contact: this.#contact, history: this.#host.state.history, tls: () => this.#setup!.tls, serverVersion: () => this.#options['server-version'], halfOpen: this.#halfOpen,
      });
      return;
    }
    this.#active = new Active({
      ...shared, servers: this.#servers, bell: this.#bell,
      frequencies: () => ({
        config: this.#options['config-frequency'] ?? CONFIG_FREQUENCY,
        heartbeat: this.#options['heartbeat-frequency'] ?? HEARTBEAT_FREQUENCY,
        data: this.#options['data-frequency'] ?? DATA_FREQUENCY,
      }),
    });
    this.#active.start(recover);
  }

  #configured({ items, interfaces }: ProxyConfiguration): void {
    const ids = new Set(items.map(({ itemid }) => itemid));
    this.#buffer.keepStamps((itemid) => ids.has(itemid));
    this.#sender.configured((itemid) => ids.has(itemid));
    const interfaceIds = new Set(interfaces.map(({ interfaceid }) => interfaceid));
    this.#reports.keep((interfaceid) => interfaceIds.has(interfaceid));
  }

  #figures(): ProxyFigures {
    const { unsupported, waiting, skipped, leaps } = this.#collecting.figures;
    return {
      unsupported, waiting, skipped, leaps,
      backlog: this.#buffer.backlog, lastContact: this.#contact.lastAt / 1000,
      isUploadDisabled: this.#sender.isUploadDisabled, items: this.#configurations.items, tasks: this.#tasks.size,
    };
  }

  /** For the item `argo.proxy[NAME]`. */
  #figure(name: string): number | undefined {
    const figures = this.#figures();
    const all: Readonly<Record<string, number>> = {
      ...this.#counts, backlog: figures.backlog, items: figures.items, unsupported: figures.unsupported, tasks: figures.tasks,
    };
    return Object.hasOwn(all, name) ? all[name] : undefined;
  }
}
