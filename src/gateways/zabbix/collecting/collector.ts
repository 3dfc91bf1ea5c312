import type { Actor } from '../../../instances/actor.js';
import { ArgoError, causeOf, toArgoError } from '../../../kit/errors.js';
import type { Log } from '../../../kit/log.js';
import { Slices } from '../../../kit/slices.js';
import { COLLECTOR_CLOCK_LEAP, ITEM_DEADLINE, ITEMS_AT_A_TIME } from '../../../kit/zabbix-collecting-limits.js';
import { ZABBIX_DEPENDENT_DEPTH } from '../../../kit/zabbix-limits.js';
import type { ProxyConfiguration } from '../../../protocols/zabbix/configuration.js';
import type { Income } from '../../../protocols/zabbix/preprocessing/pipeline.js';
import type { Outgoing } from '../contract.js';
import { Entry } from './entry.js';
import { interfaceAddresses } from './interfaces.js';
import type { Answer, PingAsker } from '../items/item-request.js';
import { isNumeric, valueText, variantOf, type InstanceRow, type Served } from '../items/items.js';
import { ItemLog } from './item-log.js';
import { Lanes } from './lanes.js';
import { Outcomes } from './outcomes.js';
import { Looks, type Silence } from './subjects.js';
import { ValueSink } from './value-sink.js';
import { Wheel } from './wheel.js';

interface CollectorParts {
  readonly log: Log;
  readonly outgoing: Pick<Outgoing, 'values' | 'dropped'>;
  readonly silence: Silence;
  readonly pings: PingAsker;
  /** the account at work */
  actor(): Actor;
  /** a figure of the gateway's own; undefined: there is none of that name */
  figure(name: string): number | undefined;
  /** milliseconds since 1970; another clock in tests */
  now?(): number;
}

/** The collector in figures. */
export interface CollectorFigures {
  readonly items: number;
  readonly unsupported: number;
  /** items that are being read */
  readonly reading: number;
  /** values that wait to be written */
  readonly waiting: number;
  /** values that were not collected since the start: their item was being read still, or too many waited */
  readonly skipped: number;
  /** how often the clock was set since the start */
  readonly leaps: number;
}

/** Collects the values of items, each when it is due. */
export class Collector {
  readonly #parts: CollectorParts;
  readonly #entries = new Map<string, Entry>();
  readonly #wheel: Wheel<Entry>;
  readonly #lanes = new Lanes(ITEMS_AT_A_TIME, ITEM_DEADLINE);
  readonly #sink: ValueSink;
  readonly #outcomes: Outcomes;
  readonly #itemLog: ItemLog;
  /** items whose values are made of another's, by that one */
  #dependents: ReadonlyMap<string, readonly Entry[]> = new Map();
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> | undefined;
  /** what the server wants, and is not in force yet */
  #wanted: ProxyConfiguration | undefined;
  /** both clocks when they were last compared, milliseconds */
  #wall: number;
  #steady = performance.now();
  #reading = 0;
  #skipped = 0;
  #leaps = 0;
  #closed = false;

  constructor(parts: CollectorParts) {
    this.#parts = parts;
    this.#wall = this.#now();
    this.#wheel = new Wheel(this.#seconds());
    const sink = this.#sink = new ValueSink(parts.outgoing, parts.log);
    const itemLog = this.#itemLog = new ItemLog(parts.log);
    this.#outcomes = new Outcomes({
      sink,
      dependents: (itemid) => this.#dependents.get(itemid) ?? [],
      skipped: () => { this.#skipped += 1; },
      unserved: (entry, reason) => itemLog.unserved(entry, reason),
    });
    this.#sleep();
  }

  get figures(): CollectorFigures {
    let unsupported = 0;
    for (const { isUnsupported } of this.#entries.values()) if (isUnsupported) unsupported += 1;
    return { items: this.#entries.size, unsupported, reading: this.#reading, waiting: this.#sink.waiting, skipped: this.#skipped, leaps: this.#leaps };
  }

  /** Collects what is configured from now on: by and by, since it may be very much. */
  configured(configuration: ProxyConfiguration): void {
    this.#wanted = configuration;
    this.#work();
  }

  /** Reads an item at once, whenever it is due; one that is being read is not asked twice. */
  checkNow(itemid: string): void {
    const entry = this.#readFor(itemid);
    if (entry === undefined || entry.isBusy || this.#closed) return;
    entry.forgetTold();
    void this.#collect(entry, new Looks(this.#parts.actor()), undefined);
  }

  /** The item that is read for one: of a dependent item, the one that it comes from in the end. */
  #readFor(itemid: string): Entry | undefined {
    let entry = this.#entries.get(itemid);
    for (let depth = 0; entry?.item.masterItemid !== undefined && depth <= ZABBIX_DEPENDENT_DEPTH; depth++) entry = this.#entries.get(entry.item.masterItemid);
    return entry?.item.masterItemid === undefined ? entry : undefined;
  }

  /** Ends collecting, and hands over what there is. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#working;
    this.#itemLog.close();
    await this.#sink.close();
  }

  #now(): number {
    return this.#parts.now?.() ?? Date.now();
  }

  #seconds(): number {
    return Math.floor(this.#now() / 1000);
  }

  /** Until the next second begins. */
  #sleep(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#work(), this.#wheel.pause(this.#now()));
    this.#timer.unref();
  }

  /** One round at a time: what becomes due while one lasts is taken at its end. */
  #work(): void {
    if (this.#closed) return;
    this.#working ??= this.#round()
      .catch((error: unknown) => this.#parts.log('error', 'collecting failed', { error }))
      .finally(() => {
        this.#working = undefined;
        if (this.#wanted) this.#work();
        else this.#sleep();
      });
  }

  async #round(): Promise<void> {
    const slices = new Slices();
    await this.#followClock(slices);
    if (this.#wanted) await this.#arrange(slices);
    const now = this.#seconds();
    const looks = new Looks(this.#parts.actor());
    for (const entries of this.#wheel.take(now)) {
      for (const entry of entries) {
        if (this.#closed) return;
        if (entry.isGone) continue;
        const due = entry.due(now);
        if (due !== undefined) this.#wheel.add(due, entry);
        if (entry.isBusy || this.#sink.isFull) this.#skipped += 1;
        else void this.#collect(entry, looks, entry.maxAge);
        // what is answered from memory ends meanwhile
        await Promise.resolve();
        if (slices.isOverNow()) await slices.pause();
      }
    }
  }

  /** Takes a configuration into force: items that stay keep their time. */
  async #arrange(slices: Slices): Promise<void> {
    const { hosts, interfaces, items } = this.#wanted!;
    this.#wanted = undefined;
    const addresses = interfaceAddresses(interfaces);
    const now = this.#seconds();
    const left = new Set(this.#entries.keys());
    for (const item of items) {
      if (slices.isOverNow()) await slices.pause();
      const host = hosts.get(item.hostid);
      if (host === undefined) continue;
      left.delete(item.itemid);
      const known = this.#entries.get(item.itemid);
      if (known?.isOf(item)) {
        known.host = host;
        known.addresses = addresses.get(host.hostid) ?? [];
        known.forgetTold();
        continue;
      }
      if (known) known.isGone = true;
      const entry = new Entry(item, host, addresses.get(host.hostid) ?? [], known);
      this.#entries.set(item.itemid, entry);
      const due = entry.firstDue(now);
      if (due !== undefined) this.#wheel.add(due, entry);
    }
    for (const itemid of left) {
      if (slices.isOver()) await slices.pause();
      this.#entries.get(itemid)!.isGone = true;
      this.#entries.delete(itemid);
    }
    await this.#noteDependents(slices);
  }

  async #noteDependents(slices: Slices): Promise<void> {
    const dependents = new Map<string, Entry[]>();
    for (const entry of [...this.#entries.values()]) {
      if (slices.isOver()) await slices.pause();
      const { masterItemid } = entry.item;
      if (masterItemid === undefined) continue;
      const others = dependents.get(masterItemid);
      if (others === undefined) dependents.set(masterItemid, [entry]);
      else others.push(entry);
    }
    this.#dependents = dependents;
  }

  /** Somebody has set the clock: by the new one nothing is due when it was. */
  async #followClock(slices: Slices): Promise<void> {
    const [wall, steady] = [this.#now(), performance.now()];
    const leap = wall - this.#wall - (steady - this.#steady);
    [this.#wall, this.#steady] = [wall, steady];
    if (Math.abs(leap) < COLLECTOR_CLOCK_LEAP) return;
    this.#leaps += 1;
    this.#parts.log('info', 'the clock was set: items are scheduled anew', { ms: Math.round(leap) });
    const now = Math.floor(wall / 1000);
    this.#wheel.clear(now);
    for (const entry of [...this.#entries.values()]) {
      if (slices.isOverNow()) await slices.pause();
      const due = entry.isGone ? undefined : entry.firstDue(now);
      if (due !== undefined) this.#wheel.add(due, entry);
    }
  }

  /** Reads one item and hands over its value, or why there is none. Never rejects. */
  async #collect(entry: Entry, looks: Looks, maxAge: number | undefined): Promise<void> {
    if (entry.fault !== undefined) return this.#outcomes.refuse(entry, entry.fault, this.#now());
    entry.isBusy = true;
    this.#reading += 1;
    try {
      const income = await this.#income(entry, looks, maxAge);
      await this.#outcomes.take(entry, income, this.#now());
    } catch (error) {
      this.#itemLog.add('values for Zabbix could not be worked on', entry, { error: causeOf(toArgoError(error)) });
    } finally {
      entry.isBusy = false;
      this.#reading -= 1;
    }
  }

  /** What goes into an item's steps; where it has none, in the words of its type. Never rejects. */
  async #income(entry: Entry, looks: Looks, maxAge: number | undefined): Promise<Income> {
    const { served, item, pipeline } = entry;
    if (served.fault !== undefined) return { error: served.fault };
    try {
      const answer = await this.#answer(entry, served, looks, maxAge);
      return { value: pipeline === undefined ? valueText(answer, item.valueType) : variantOf(answer) };
    } catch (thrown) {
      const error = toArgoError(thrown);
      if (error.phrase === 'INTERNAL ERROR') this.#itemLog.add('items of Zabbix could not be read', entry, { error: causeOf(error) });
      return { error: error.message };
    }
  }

  /** @throws ArgoError what is to be told of an unsupported item */
  async #answer(entry: Entry, { row, parameters }: Served, looks: Looks, maxAge: number | undefined): Promise<Answer> {
    const { item, addresses } = entry;
    const { pings, figure } = this.#parts;
    const request = {
      actor: looks.actor,
      parameters,
      isNumeric: isNumeric(item.valueType),
      addresses,
      pings,
      figure,
      call: { deadline: ITEM_DEADLINE, maxAge },
    };
    if (row.from === 'server') return row.read(request);
    const instance = await this.#instance(entry, row, looks, parameters);
    if (row.from !== 'machine') return row.read(request, instance);
    entry.foundAt(instance.provider);
    return this.#lanes.run(instance.provider, async () => row.read(request, instance));
  }

  /** @throws ArgoError where it cannot be told which, or nothing is known of it, or the account may not */
  async #instance({ host }: Entry, { operation, instanceAt, from }: InstanceRow, looks: Looks, parameters: readonly string[]): ReturnType<Looks['instance']> {
    const instance = await looks.instance(host, instanceAt === undefined ? undefined : parameters[instanceAt]);
    if (!looks.actor.may(operation, instance)) throw new ArgoError('NOT ALLOWED');
    if (from !== 'network') await this.#parts.silence.requireCurrent(looks.actor, instance);
    return instance;
  }
}
