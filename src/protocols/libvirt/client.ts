import type { Duplex } from 'node:stream';
import { Slices } from '../../kit/slices.js';
import { Auth, ConsoleFlag, EventId, FEATURE_KEEPALIVE, Limit, ParameterType, Procedure, StatsType, XmlFlag } from './constants.js';
import { LibvirtDefinitions } from './definitions.js';
import { AuthenticationError, ErrorCode, LibvirtError, ProtocolError } from './errors.js';
import { RpcConnection, type CallOptions, type Pace } from './rpc.js';
import { LibvirtStorage } from './storage.js';
import {
  placeOf,
  readAddresses,
  readBlockInfo,
  readDiskErrors,
  readDomain,
  readInfo,
  readInterfaceStats,
  readJob,
  readStateRecord,
  readStatsRecord,
  writeDomain,
  type BlockInfo,
  type DiskError,
  type Domain,
  type DomainInfo,
  type DomainStateRecord,
  type DomainStatsRecord,
  type InterfaceAddresses,
  type InterfaceStats,
  type Job,
  type StateAndReason,
} from './types.js';
import { XdrWriter, type XdrReader } from './xdr.js';

/** What libvirt tells without being asked. */
export type LibvirtEvent =
  | { readonly kind: 'lifecycle'; readonly domain: Domain; readonly event: number; readonly detail: number }
  | { readonly kind: 'reboot'; readonly domain: Domain };

export interface OpenOptions {
  /** as libvirtd itself would open it: `qemu:///system` */
  readonly uri: string;
  readonly signal: AbortSignal;
  readonly onEvent: (event: LibvirtEvent) => void;
  /** not to be pinged by libvirt: a connection that is not read for a while, because of a stream, would be closed by that */
  readonly unwatched?: boolean;
  /** for tests */
  readonly pace?: Pace;
}

/**
 * A libvirt connection, spoken in libvirt's own RPC (src/remote/remote_protocol.x). Domains are found
 * by their uuid; name and id in a {@link Domain} may be out of date.
 *
 * Each method rejects as {@link RpcConnection.call} does.
 */
export class LibvirtClient {
  readonly #rpc: RpcConnection;
  readonly #options: CallOptions;
  readonly storage: LibvirtStorage;
  readonly definitions: LibvirtDefinitions;

  private constructor(rpc: RpcConnection, options: CallOptions = {}) {
    this.#rpc = rpc;
    this.#options = options;
    this.storage = new LibvirtStorage(rpc, options);
    this.definitions = new LibvirtDefinitions(rpc, options);
  }

  /**
   * Authenticates and opens the URI over a connected stream.
   * @throws AuthenticationError, LibvirtError, ConnectionLostError or the signal's reason; the stream
   *   is destroyed then
   */
  static async open(stream: Duplex, options: OpenOptions): Promise<LibvirtClient> {
    const { uri, signal, onEvent, pace, unwatched = false } = options;
    const rpc = new RpcConnection(stream, (procedure, body) => {
      const event = readEvent(procedure, body);
      if (event) onEvent(event);
    }, pace);
    try {
      await authenticate(rpc, signal);
      const feature = new XdrWriter().int(FEATURE_KEEPALIVE).bytes();
      const answersPings = !unwatched && await rpc.call(Procedure.CONNECT_SUPPORTS_FEATURE, feature, (reply) => reply.int() !== 0, { signal });
      await rpc.call(Procedure.CONNECT_OPEN, new XdrWriter().optionalString(uri).int(0).bytes(), nothing, { signal });
      if (answersPings) rpc.startPinging();
    } catch (error) {
      rpc.destroy(new Error('it could not be opened', { cause: error }));
      throw error;
    }
    return new LibvirtClient(rpc);
  }

  /** Resolves with the reason once the connection is over. */
  get closed(): Promise<Error> {
    return this.#rpc.closed;
  }

  /** Domains, by {@link placeOf}, whose calls were given up and hold a place of the connection until libvirt answers. */
  get abandoned(): string[] {
    return this.#rpc.abandoned;
  }

  /** As {@link RpcConnection.isCrowded}. */
  get isCrowded(): boolean {
    return this.#rpc.isCrowded;
  }

  /** As {@link RpcConnection.hasPlace}. */
  get hasPlace(): boolean {
    return this.#rpc.hasPlace;
  }

  /** The same connection for calls that reject with a CrowdedError, unsent, rather than wait while it is crowded. */
  get impatient(): LibvirtClient {
    return new LibvirtClient(this.#rpc, { impatient: true });
  }

  /** Says good-bye and ends the connection. */
  async close(signal: AbortSignal): Promise<void> {
    try {
      await this.#rpc.call(Procedure.CONNECT_CLOSE, Buffer.alloc(0), nothing, { signal });
    } finally {
      this.destroy(new Error('closed'));
    }
  }

  destroy(reason: Error): void {
    this.#rpc.destroy(reason);
  }

  /** Asks to be told of starts, stops, definitions and reboots of all domains. */
  async watch(signal: AbortSignal): Promise<void> {
    await Promise.all([EventId.LIFECYCLE, EventId.REBOOT].map((id) => this.#rpc.call(
      Procedure.EVENT_CALLBACK_REGISTER_ANY, new XdrWriter().int(id).int(0).bytes(), (reply) => reply.int(), { signal })));
  }

  hostname(signal: AbortSignal): Promise<string> {
    return this.#rpc.call(Procedure.CONNECT_GET_HOSTNAME, Buffer.alloc(0), (reply) => reply.string(), { signal });
  }

  /** @param flags of `ListFlag`; 0 for all domains, running or not */
  domains(flags: number, signal: AbortSignal): Promise<Domain[]> {
    const body = new XdrWriter().int(1).int(flags).bytes();
    return this.#rpc.call(Procedure.CONNECT_LIST_ALL_DOMAINS, body, (reply) => reply.array(Limit.DOMAINS, () => readDomain(reply)), { signal });
  }

  /** All domains with their states, in one call. Not every hypervisor driver has it. */
  domainStates(signal: AbortSignal): Promise<DomainStateRecord[]> {
    return this.#stats(StatsType.STATE, 0, (reply) => reply.array(Limit.STATS_RECORDS, () => readStateRecord(reply)), { signal });
  }

  /**
   * Figures of all domains in one call; what a hypervisor's driver does not have is left out. Those of five hundred are
   * a megabyte, which is read in slices.
   * @param types of `StatsType`, together; @param statsFlags such as `STATS_NOWAIT`
   */
  async domainStats(types: number, statsFlags: number, signal: AbortSignal): Promise<DomainStatsRecord[]> {
    const reply = await this.#stats(types, statsFlags, (whole) => whole, { signal, slow: true });
    const slices = new Slices();
    const records: DomainStatsRecord[] = [];
    try {
      for (let left = reply.count(Limit.STATS_RECORDS); left > 0; left -= 1) {
        if (slices.isOverNow()) await slices.pause();
        records.push(readStatsRecord(reply));
      }
      return records;
    } catch (error) {
      const fault = new ProtocolError(`not libvirt's protocol: ${(error as Error).message}`, { cause: error });
      this.destroy(fault);
      throw fault;
    }
  }

  #stats<T>(types: number, statsFlags: number, read: (reply: XdrReader) => T, options: CallOptions): Promise<T> {
    const body = new XdrWriter().int(0).int(types).int(statsFlags).bytes();
    return this.#rpc.call(Procedure.CONNECT_GET_ALL_DOMAIN_STATS, body, read, options);
  }

  state(domain: Domain, signal: AbortSignal): Promise<StateAndReason> {
    return this.#domain(Procedure.DOMAIN_GET_STATE, domain, (reply) => ({ state: reply.int(), reason: reply.int() }), { signal }, flags(0));
  }

  hasManagedSave(domain: Domain, signal: AbortSignal): Promise<boolean> {
    return this.#domain(Procedure.DOMAIN_HAS_MANAGED_SAVE_IMAGE, domain, (reply) => reply.int() !== 0, { signal }, flags(0));
  }

  /** Whether a call waits for its emulator to answer; asks only libvirt. @returns of `ControlState` */
  control(domain: Domain, signal: AbortSignal): Promise<number> {
    return this.#domain(Procedure.DOMAIN_GET_CONTROL_INFO, domain, (reply) => reply.unsigned(), { signal }, flags(0));
  }

  /** What libvirt does with it at the time. Waits for its emulator where another call holds that. */
  job(domain: Domain, signal: AbortSignal): Promise<Job> {
    return this.#domain(Procedure.DOMAIN_GET_JOB_STATS, domain, readJob, { signal, slow: true }, flags(0));
  }

  /** Disks whose errors have paused it. */
  diskErrors(domain: Domain, signal: AbortSignal): Promise<DiskError[]> {
    return this.#domain(Procedure.DOMAIN_GET_DISK_ERRORS, domain, readDiskErrors, { signal, slow: true }, new XdrWriter().int(Limit.DISK_ERRORS).int(0));
  }

  /** The domain as it is now: its present name, and its id, -1 while it is off. */
  lookup(uuid: Buffer, signal: AbortSignal): Promise<Domain> {
    return this.#rpc.call(Procedure.DOMAIN_LOOKUP_BY_UUID, new XdrWriter().fixed(uuid).bytes(), readDomain, { ...this.#options, signal });
  }

  /** @param xmlFlags of `XmlFlag` */
  xml(domain: Domain, signal: AbortSignal, xmlFlags = 0): Promise<string> {
    return this.#domain(Procedure.DOMAIN_GET_XML_DESC, domain, (reply) => reply.string(), { signal }, flags(xmlFlags));
  }

  /** As {@link xml}, with the passwords in it. */
  xmlWithPasswords(domain: Domain, signal: AbortSignal): Promise<string> {
    return this.xml(domain, signal, XmlFlag.SECURE);
  }

  /** Its first serial or text console: bytes both ways. @param force takes it from whoever has it */
  openConsole(domain: Domain, force: boolean, signal: AbortSignal): Promise<Duplex> {
    const body = writeDomain(new XdrWriter(), domain).optionalString(null).int(force ? ConsoleFlag.FORCE : 0).bytes();
    return this.#rpc.openStream(Procedure.DOMAIN_OPEN_CONSOLE, body, { ...this.#options, signal });
  }

  info(domain: Domain, signal: AbortSignal): Promise<DomainInfo> {
    return this.#domain(Procedure.DOMAIN_GET_INFO, domain, readInfo, { signal, slow: true });
  }

  /** @param device name of the interface on the host, such as vnet0 */
  interfaceStats(domain: Domain, device: string, signal: AbortSignal): Promise<InterfaceStats> {
    return this.#domain(Procedure.DOMAIN_INTERFACE_STATS, domain, readInterfaceStats, { signal, slow: true }, new XdrWriter().string(device));
  }

  /** @param source of `AddressSource` */
  addresses(domain: Domain, source: number, signal: AbortSignal): Promise<InterfaceAddresses[]> {
    return this.#domain(Procedure.DOMAIN_INTERFACE_ADDRESSES, domain, readAddresses, { signal, slow: true }, flags(source).int(0));
  }

  /** @param disk its target (vda) or source */
  blockInfo(domain: Domain, disk: string, signal: AbortSignal): Promise<BlockInfo> {
    const rest = new XdrWriter().string(disk).int(0);
    return this.#domain(Procedure.DOMAIN_GET_BLOCK_INFO, domain, readBlockInfo, { signal, slow: true }, rest);
  }

  /** Whether it has a description that outlasts its end. */
  isPersistent(domain: Domain, signal: AbortSignal): Promise<boolean> {
    return this.#domain(Procedure.DOMAIN_IS_PERSISTENT, domain, (reply) => reply.int() !== 0, { signal });
  }

  /** Whether it is started together with the host. */
  startsWithHost(domain: Domain, signal: AbortSignal): Promise<boolean> {
    return this.#domain(Procedure.DOMAIN_GET_AUTOSTART, domain, (reply) => reply.int() !== 0, { signal });
  }

  setStartsWithHost(domain: Domain, isOn: boolean, signal: AbortSignal): Promise<void> {
    return this.#act(Procedure.DOMAIN_SET_AUTOSTART, domain, signal, flags(isOn ? 1 : 0));
  }

  /** Starts it, from its managed save image where it has one. */
  create(domain: Domain, signal: AbortSignal): Promise<void> {
    return this.#act(Procedure.DOMAIN_CREATE, domain, signal);
  }

  /** Pulls the plug. */
  destroyDomain(domain: Domain, signal: AbortSignal): Promise<void> {
    return this.#force(Procedure.DOMAIN_DESTROY_FLAGS, domain, signal);
  }

  /** @param mode of `ShutdownMode` */
  shutdown(domain: Domain, mode: number, signal: AbortSignal): Promise<void> {
    return this.#act(Procedure.DOMAIN_SHUTDOWN_FLAGS, domain, signal, flags(mode));
  }

  /** @param mode of `ShutdownMode` */
  reboot(domain: Domain, mode: number, signal: AbortSignal): Promise<void> {
    return this.#act(Procedure.DOMAIN_REBOOT, domain, signal, flags(mode));
  }

  reset(domain: Domain, signal: AbortSignal): Promise<void> {
    return this.#act(Procedure.DOMAIN_RESET, domain, signal, flags(0));
  }

  /** Stops its CPUs; libvirt's word for it is suspend. */
  pause(domain: Domain, signal: AbortSignal): Promise<void> {
    return this.#act(Procedure.DOMAIN_SUSPEND, domain, signal);
  }

  unpause(domain: Domain, signal: AbortSignal): Promise<void> {
    return this.#act(Procedure.DOMAIN_RESUME, domain, signal);
  }

  /** @param saveFlags of `SaveFlag` */
  managedSave(domain: Domain, saveFlags: number, signal: AbortSignal): Promise<void> {
    return this.#act(Procedure.DOMAIN_MANAGED_SAVE, domain, signal, flags(saveFlags));
  }

  removeManagedSave(domain: Domain, signal: AbortSignal): Promise<void> {
    return this.#force(Procedure.DOMAIN_MANAGED_SAVE_REMOVE, domain, signal);
  }

  /** Wakes a guest that has suspended itself to memory. */
  wakeUp(domain: Domain, signal: AbortSignal): Promise<void> {
    return this.#act(Procedure.DOMAIN_PM_WAKEUP, domain, signal, flags(0));
  }

  /**
   * Has its libvirtd move it to another one, and waits for the end of that, which may be far away: for a connection of its own.
   * @param destination URI by which this libvirtd reaches the other; @param parameters typed ones, all texts, such as
   *   `migrate_uri`; @param migrateFlags of `MigrateFlag`
   */
  migrate(domain: Domain, destination: string, parameters: Readonly<Record<string, string>>, migrateFlags: number, signal: AbortSignal): Promise<void> {
    const given = Object.entries(parameters);
    const rest = new XdrWriter().optionalString(destination).int(given.length);
    for (const [field, value] of given) rest.string(field).int(ParameterType.STRING).string(value);
    // no cookie: that is of the protocol without libvirtd's help
    return this.#domain(Procedure.DOMAIN_MIGRATE_PERFORM3_PARAMS, domain, nothing, { signal, slow: true }, rest.int(0).int(migrateFlags));
  }

  /** Ends what libvirt does with it at the time, such as a migration. */
  abortJob(domain: Domain, signal: AbortSignal): Promise<void> {
    return this.#domain(Procedure.DOMAIN_ABORT_JOB, domain, nothing, { signal, urgent: true });
  }

  #act(procedure: number, domain: Domain, signal: AbortSignal, rest?: XdrWriter): Promise<void> {
    return this.#domain(procedure, domain, nothing, { signal, slow: true }, rest);
  }

  /** Does not wait for the domain's other calls, of which one may hang. */
  #force(procedure: number, domain: Domain, signal: AbortSignal): Promise<void> {
    return this.#domain(procedure, domain, nothing, { signal, slow: true, urgent: true, about: placeOf(domain, true) }, flags(0));
  }

  #domain<T>(procedure: number, domain: Domain, read: (reply: XdrReader) => T, options: CallOptions, rest?: XdrWriter): Promise<T> {
    const subject = writeDomain(new XdrWriter(), domain).bytes();
    return this.#rpc.call(procedure, rest ? Buffer.concat([subject, rest.bytes()]) : subject, read, { about: placeOf(domain), ...this.#options, ...options });
  }
}

const nothing = (): void => undefined;

const flags = (value: number): XdrWriter => new XdrWriter().int(value);

/** Chooses among what libvirtd offers; on a socket with mode 0770 that is usually `none` or polkit. */
async function authenticate(rpc: RpcConnection, signal: AbortSignal): Promise<void> {
  const offered = await rpc.call(Procedure.AUTH_LIST, Buffer.alloc(0), (reply) => reply.array(Limit.AUTH_TYPES, () => reply.int()), { signal });
  if (offered.length === 0 || offered.includes(Auth.NONE)) return;
  if (!offered.includes(Auth.POLKIT)) throw new AuthenticationError('libvirt asks for SASL, which is not supported here');
  try {
    await rpc.call(Procedure.AUTH_POLKIT, Buffer.alloc(0), nothing, { signal });
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error;
    const words = error.code === ErrorCode.AUTH_FAILED ? 'polkit refuses this user' : `polkit: ${error.message}`;
    throw new AuthenticationError(words, { cause: error });
  }
}

/** @returns undefined for an event that nobody asked for */
function readEvent(procedure: number, body: XdrReader): LibvirtEvent | undefined {
  if (procedure !== Procedure.EVENT_CALLBACK_LIFECYCLE && procedure !== Procedure.EVENT_CALLBACK_REBOOT) return undefined;
  body.int();
  const domain = readDomain(body);
  if (procedure === Procedure.EVENT_CALLBACK_REBOOT) return { kind: 'reboot', domain };
  return { kind: 'lifecycle', domain, event: body.int(), detail: body.int() };
}
