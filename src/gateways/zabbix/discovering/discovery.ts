import type { Actor } from '../../../instances/actor.js';
import type { InstanceInfo } from '../../../instances/info.js';
import { toArgoError } from '../../../kit/errors.js';
import type { Log } from '../../../kit/log.js';
import { Slices } from '../../../kit/slices.js';
import { DISCOVERY_AT_A_TIME, DISCOVERY_CHECK, DISCOVERY_PORTS, ROWS_A_WRITE } from '../../../kit/zabbix-collecting-limits.js';
import type { DiscoveryRule, ProxyConfiguration } from '../../../protocols/zabbix/configuration.js';
import { ItemIntervalError, nextDue, parseInterval, type ItemInterval } from '../../../protocols/zabbix/item-interval.js';
import type { DiscoveryRow } from '../../../protocols/zabbix/messages.js';
import { probeTcp } from '../../../protocols/ping/tcp.js';
import type { Addresses } from './addresses.js';
import type { Outgoing } from '../contract.js';
import { rangeTest } from './ip-range.js';
import type { PingAsker } from '../items/item-request.js';
import { servedItem, valueText } from '../items/items.js';
import { Lanes } from '../collecting/lanes.js';

/** Types of checks (https://www.zabbix.com/documentation/6.0/en/manual/api/reference/dcheck/object) that a connection answers. */
const CONNECTIONS: ReadonlySet<number> = new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 14, 15]);
const AGENT = 9;
const PING = 12;
/** Names by which agents tell who they are. */
const WHO: ReadonlySet<string> = new Set(['system.hostname', 'agent.hostname']);

interface DiscoveryParts {
  readonly outgoing: Pick<Outgoing, 'discovery'>;
  readonly addresses: Addresses;
  readonly pings: PingAsker;
  readonly log: Log;
  figure(name: string): number | undefined;
}

type Check = DiscoveryRule['checks'][number];
/** What came of a check. Undefined: nobody can tell, so nothing is said of it. */
type Found = { readonly isUp: boolean; readonly value?: string } | undefined;

interface Rule {
  readonly rule: DiscoveryRule;
  readonly interval: ItemInterval;
  readonly covers: (address: string) => boolean;
  /** seconds; undefined: never */
  due: number | undefined;
  isRunning: boolean;
}

/** The instances whose addresses are in a rule's range, as that rule's checks find them. No other address is looked at. */
export class Discovery {
  readonly #parts: DiscoveryParts;
  readonly #lanes = new Lanes(DISCOVERY_AT_A_TIME, Infinity);
  #rules: readonly Rule[] = [];
  readonly #closed = new AbortController();

  constructor(parts: DiscoveryParts) {
    this.#parts = parts;
  }

  /** @param now seconds since 1970 */
  configured({ rules }: Pick<ProxyConfiguration, 'rules'>, now: number): void {
    const before = new Map(this.#rules.map((one) => [JSON.stringify(one.rule), one]));
    this.#rules = rules.flatMap((rule) => {
      const known = before.get(JSON.stringify(rule));
      if (known !== undefined) return [known];
      const interval = this.#intervalOf(rule);
      return interval === undefined ? [] : [{ rule, interval, covers: rangeTest(rule.ipRange), due: now + 1, isRunning: false }];
    });
  }

  /** Begins the rules that are due: one that takes long holds up no other. @param now seconds since 1970 */
  look(actor: Actor, now: number): void {
    for (const rule of this.#rules) {
      const isDue = rule.due !== undefined && (rule.due <= now || rule.due > now + longest(rule));
      if (!isDue || rule.isRunning) continue;
      rule.due = nextDue(rule.interval, String(rule.rule.druleid), now);
      rule.isRunning = true;
      this.#run(actor, rule, now)
        .catch((error: unknown) => this.#parts.log('error', 'a discovery rule failed', { rule: rule.rule.name, error }))
        .finally(() => {
          rule.isRunning = false;
        });
    }
  }

  close(): void {
    this.#closed.abort(new Error('the gateway ends'));
  }

  #intervalOf({ name, delay }: DiscoveryRule): ItemInterval | undefined {
    try {
      return parseInterval(delay);
    } catch (error) {
      if (!(error instanceof ItemIntervalError)) throw error;
      this.#parts.log('warn', 'a discovery rule has no interval that can be read', { rule: name, delay, reason: error.message });
      return undefined;
    }
  }

  async #run(actor: Actor, { rule, covers }: Rule, clock: number): Promise<void> {
    const slices = new Slices();
    const working: Promise<readonly DiscoveryRow[]>[] = [];
    for (const { instance } of actor.visible()) {
      if (slices.isOver()) await slices.pause();
      working.push(this.#lanes.run(instance.provider, () => this.#rowsOf(actor, rule, covers, instance, clock)));
    }
    let rows: DiscoveryRow[] = [];
    for (const found of working) {
      rows.push(...(await found));
      if (rows.length < ROWS_A_WRITE) continue;
      this.#tell(rows);
      rows = [];
    }
    if (rows.length > 0) this.#tell(rows);
  }

  #tell(rows: readonly DiscoveryRow[]): void {
    if (!this.#closed.signal.aborted) this.#parts.outgoing.discovery(rows);
  }

  /** Of one instance: for each of its addresses within the range a row a check, and one that ends them. */
  async #rowsOf(
    actor: Actor,
    rule: DiscoveryRule,
    covers: (address: string) => boolean,
    instance: InstanceInfo,
    clock: number,
  ): Promise<readonly DiscoveryRow[]> {
    const rows: DiscoveryRow[] = [];
    for (const ip of (await this.#parts.addresses.of(actor, instance)).filter(covers)) {
      const about = { clock, drule: rule.druleid, ip, dns: '' };
      let isUp = false;
      let isKnown = false;
      for (const check of rule.checks) {
        for (const port of portsOf(check)) {
          const found = await this.#check(actor, check, instance, ip, port).catch(() => undefined);
          if (found === undefined) continue;
          isKnown = true;
          isUp ||= found.isUp;
          rows.push({
            ...about,
            dcheck: check.dcheckid,
            ...(port === undefined ? {} : { port }),
            ...(found.value === undefined ? {} : { value: found.value }),
            ...(found.isUp ? {} : { status: 1 }),
          });
        }
      }
      if (isKnown) rows.push({ ...about, dcheck: null, ...(isUp ? {} : { status: 1 }) });
    }
    return rows;
  }

  async #check(actor: Actor, { type, key }: Check, instance: InstanceInfo, ip: string, port: number | undefined): Promise<Found> {
    // of one that is off there is nobody to ask, and who answers there is another
    if (instance.state === 'off' && instance.stale === undefined) return { isUp: false };
    const { signal } = this.#closed;
    if (type === PING) {
      const { trips } = await this.#parts.pings.ask({ target: ip, packets: 1, interval: 1000, timeout: DISCOVERY_CHECK }, 0);
      return { isUp: trips.length > 0 };
    }
    if (type === AGENT) return this.#agent(actor, key, instance);
    if (!CONNECTIONS.has(type) || port === undefined) return undefined;
    const found = await probeTcp(ip, port, { signal, timeout: DISCOVERY_CHECK });
    return { isUp: found.alive && found.open };
  }

  /** What an agent on the instance would be asked, where that is one of the items that are served. */
  async #agent(actor: Actor, key: string, instance: InstanceInfo): Promise<Found> {
    if (WHO.has(key)) return instance.state === 'on' ? { isUp: true, value: instance.name } : undefined;
    const served = servedItem({ key, valueType: 'text' });
    if (served.fault !== undefined || served.row.from === 'server') return undefined;
    const { row, parameters } = served;
    if (!actor.may(row.operation, instance)) return undefined;
    const request = {
      actor,
      parameters,
      isNumeric: false,
      addresses: [],
      pings: this.#parts.pings,
      figure: this.#parts.figure,
      call: { deadline: DISCOVERY_CHECK },
    };
    try {
      return { isUp: true, value: valueText(await row.read(request, instance), 'text') };
    } catch (thrown) {
      return toArgoError(thrown).phrase === 'WRONG STATE' ? { isUp: false } : undefined;
    }
  }
}

/** A rule whose time is further off than its interval: somebody has set the clock back. Seconds. */
const longest = ({ interval: { every } }: Rule): number => (every === 0 ? Infinity : every);

/** The ports of a check, each alone: `22,8000-8003`; undefined stands for a check without any. */
function portsOf({ type, ports }: Check): readonly (number | undefined)[] {
  if (type === PING) return [undefined];
  const found: number[] = [];
  for (const part of ports.split(',')) {
    const [, first = '', last = first] = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part) ?? [];
    for (let port = Number(first); first !== '' && port <= Number(last) && port <= 65_535 && found.length < DISCOVERY_PORTS; port += 1) found.push(port);
  }
  return type === AGENT ? [found[0]] : found;
}
