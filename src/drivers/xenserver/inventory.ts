import { setTimeout as pause } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import { giveWay } from '../../kit/slices.js';
import { FaultError, ForeignAnswerError, XapiError } from '../../protocols/xapi/errors.js';
import type { XapiPool } from '../../protocols/xapi/pool.js';
import { ref, text, type XapiRecord } from '../../protocols/xapi/records.js';
import type { DriverHost, PowerState } from '../driver.js';
import { explain, asSeen, isMachine, toPowerState } from './errors.js';

/** What is kept of a VM, so that thousands cost little. */
export interface VmEntry {
  readonly uuid: string;
  readonly name: string;
  /** as its record tells it, whatever has become of the host */
  readonly recorded: PowerState;
  /** handle of the host that carries it */
  readonly host: string | undefined;
  /** false for templates, snapshots and control domains */
  readonly isMachine: boolean;
}

export interface HostEntry {
  readonly uuid: string;
  readonly name: string;
  readonly address: string;
  /** handle of what the pool notes of its life */
  readonly metrics: string | undefined;
}

/** A network card of a host. */
interface Card {
  readonly host: string;
  readonly mac: string;
  readonly isManagement: boolean;
}

/** How long the server may keep a question for events open, s. With a fraction: XML-RPC needs a float. */
const EVENTS_WAIT_S = 30.1;
/** After that the connection counts as dead, ms. */
const EVENTS_TIMEOUT_MS = 45_000;
/** Between two questions for events, ms: many changes at a time come in one answer. */
const EVENTS_GATHER_MS = 20;
/** Classes of which we are told. */
const CLASSES = ['vm', 'host', 'host_metrics'];

interface Event {
  readonly class?: unknown;
  readonly operation?: unknown;
  readonly ref?: unknown;
  readonly snapshot?: XapiRecord;
}

interface Batch {
  readonly token?: unknown;
  readonly events?: readonly Event[];
  readonly valid_ref_counts?: Readonly<Record<string, unknown>>;
}

/**
 * What the pool has, by handle: filled in one go, and kept current by XenAPI's events. Handles hold
 * until xapi is restarted, so nobody else may keep them.
 */
export class Inventory {
  vms = new Map<string, VmEntry>();
  hosts = new Map<string, HostEntry>();
  #watch: AbortController | undefined;
  #byUuid = new Map<string, string>();
  #cards: readonly Card[] = [];
  #isTold = false;
  /** metrics of hosts that the pool has lost */
  #lost = new Set<string>();
  readonly #pool: XapiPool;
  readonly #host: DriverHost;

  constructor(pool: XapiPool, host: DriverHost) {
    this.#pool = pool;
    this.#host = host;
  }

  /** Whether events keep it current. */
  get isCurrent(): boolean {
    return this.#watch !== undefined;
  }

  /** Handle of a VM that was here at the last look. */
  refOf(uuid: string): string | undefined {
    return this.#byUuid.get(uuid);
  }

  /** MAC address of the card by which a host is managed, which is the one that can wake it. */
  macOf(host: string): string | undefined {
    return this.#cards.find((card) => card.host === host)?.mac;
  }

  /** What a VM does, as far as the pool can know. */
  stateOf({ recorded, host }: VmEntry): PowerState {
    return asSeen(recorded, host !== undefined && this.#isLost(host));
  }

  #isLost(host: string): boolean {
    const metrics = this.hosts.get(host)?.metrics;
    return metrics !== undefined && this.#lost.has(metrics);
  }

  /** The token comes first, so that nothing is lost between filling and watching. */
  async fill(signal: AbortSignal): Promise<void> {
    const token = await this.#token(signal);
    const hosts = await this.#pool.records('host', toHost, signal);
    const cards = await this.#pool.records('PIF', toCard, signal);
    const metrics = await this.#pool.records('host_metrics', isDead, signal).catch(noneIfUnknown);
    const vms = await this.#pool.records('VM', toVm, signal);
    await giveWay();
    this.hosts = hosts;
    this.#lost = new Set([...metrics].filter(([, isLost]) => isLost).map(([handle]) => handle));
    this.#cards = [...cards.values()].filter(({ isManagement }) => isManagement);
    this.vms = vms;
    this.#byUuid = new Map();
    for (const [ref, { uuid, isMachine: is }] of vms) if (is) this.#byUuid.set(uuid, ref);
    this.#noteMembers();
    if (token === undefined) this.#tellOfPolling();
    else this.#startWatching(token);
  }

  stop(): void {
    this.#watch?.abort();
    this.#watch = undefined;
  }

  /** Tokens count the changes of all classes; that of the smallest class is the cheapest. Undefined where there are no events. */
  async #token(signal: AbortSignal): Promise<string | undefined> {
    const batch = await this.#pool.call('event.from', [['pool'], '', 0.1], { signal }).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    }) as Batch | undefined;
    if (batch === undefined) return undefined;
    const { token } = batch;
    if (typeof token !== 'string') throw new ForeignAnswerError('its events have no token');
    return token;
  }

  #tellOfPolling(): void {
    if (!this.#isTold) this.#host.log('warn', 'this XenAPI has no event.from: everything is read again at each poll');
    this.#isTold = true;
  }

  #startWatching(token: string): void {
    this.stop();
    const watch = new AbortController();
    this.#watch = watch;
    this.#follow(token, watch.signal).catch((error: unknown) => {
      if (this.#watch !== watch) return;
      this.#watch = undefined;
      this.#report(error);
    });
  }

  async #follow(first: string, signal: AbortSignal): Promise<never> {
    for (let token = first; ;) {
      const batch = await this.#pool.call('event.from', [CLASSES, token, EVENTS_WAIT_S], { signal, timeout: EVENTS_TIMEOUT_MS, again: false }) as Batch;
      if (typeof batch.token !== 'string' || !Array.isArray(batch.events)) throw new ForeignAnswerError('its events are in a form that we do not know');
      token = batch.token;
      const moved = (batch.events as readonly Event[]).map((event) => this.#apply(event)).includes(true);
      const told = Number(batch.valid_ref_counts?.vm ?? this.vms.size);
      if (told !== this.vms.size) throw new XapiError('EVENTS_LOST', []);
      if (moved) this.#host.relist();
      await pause(EVENTS_GATHER_MS, undefined, { signal });
    }
  }

  /** @returns whether machines came, went or were renamed */
  #apply({ class: type, operation, ref, snapshot }: Event): boolean {
    const handle = text(ref);
    if (text(type).toLowerCase() === 'host') return this.#applyHost(handle, operation === 'del' ? undefined : snapshot);
    if (text(type).toLowerCase() === 'host_metrics') return this.#applyMetrics(handle, snapshot);
    if (text(type).toLowerCase() !== 'vm') return false;
    const before = this.vms.get(handle);
    if (operation === 'del' || snapshot === undefined) {
      this.vms.delete(handle);
      if (before) this.#byUuid.delete(before.uuid);
      return before?.isMachine === true;
    }
    const shown = before && this.stateOf(before);
    const now = toVm(snapshot);
    this.vms.set(handle, now);
    if (now.isMachine) this.#byUuid.set(now.uuid, handle);
    else this.#byUuid.delete(now.uuid);
    if (now.isMachine !== (before?.isMachine ?? false) || now.name !== (before?.name ?? now.name)) return true;
    if (now.isMachine && this.stateOf(now) !== shown) this.#host.changed(now.uuid, this.stateOf(now));
    return false;
  }

  #applyHost(handle: string, record: XapiRecord | undefined): boolean {
    const before = this.hosts.get(handle);
    const now = record && toHost(record);
    if (now) this.hosts.set(handle, now);
    else this.hosts.delete(handle);
    this.#noteMembers();
    return now?.name !== before?.name || now?.address !== before?.address;
  }

  /** With a host its VMs are lost to the pool, and found again. */
  #applyMetrics(handle: string, record: XapiRecord | undefined): boolean {
    const isLost = record !== undefined && isDead(record);
    if (isLost === this.#lost.has(handle)) return false;
    if (isLost) this.#lost.add(handle);
    else this.#lost.delete(handle);
    for (const vm of this.vms.values()) {
      if (vm.isMachine && vm.host !== undefined && this.hosts.get(vm.host)?.metrics === handle) this.#host.changed(vm.uuid, this.stateOf(vm));
    }
    return true;
  }

  #noteMembers(): void {
    this.#pool.members = [...this.hosts.values()].map(({ address }) => address);
  }

  /** After a loss everything is read again: handles and tokens may be new. */
  #report(error: unknown): void {
    if (error instanceof XapiError && ['EVENTS_LOST', 'SESSION_INVALID', 'HANDLE_INVALID', 'HOST_IS_SLAVE'].includes(error.code)) {
      this.#host.relist();
      return;
    }
    const explained = explain(error, 'reads');
    this.#host.lost(explained instanceof ArgoError ? explained.message : 'its events cannot be followed');
    this.#host.log('warn', 'the pool no longer tells of changes', { reason: explained instanceof Error ? explained.message : String(explained) });
    this.#host.relist();
  }
}

const toVm = (record: XapiRecord): VmEntry =>
  ({ uuid: text(record.uuid), name: text(record.name_label), recorded: toPowerState(record), host: ref(record.resident_on), isMachine: isMachine(record) });

const toCard = (record: XapiRecord): Card => ({ host: text(record.host), mac: text(record.MAC), isManagement: record.management === true });

const toHost = (record: XapiRecord): HostEntry =>
  ({ uuid: text(record.uuid), name: text(record.name_label), address: text(record.address), metrics: ref(record.metrics) });

/** Only where it is said: a host without metrics is not a lost one. */
const isDead = (record: XapiRecord): boolean => record.live === false;

/** A method that the server does not have, in the words of xapi, of JSON-RPC, and of servers of XML-RPC. */
const isMissing = (error: unknown): boolean => error instanceof FaultError
  || (error instanceof XapiError && /^MESSAGE_METHOD_UNKNOWN$|^NOT_IMPLEMENTED$|method not found/i.test(error.code));

/** A XenAPI without a class has nothing of it. */
function noneIfUnknown(error: unknown): Map<string, boolean> {
  if (isMissing(error)) return new Map<string, boolean>();
  throw error;
}
