import type { PowerState } from '../../../drivers/driver.js';
import type { Actor } from '../../../instances/actor.js';
import { toArgoError } from '../../../kit/errors.js';
import { Slices } from '../../../kit/slices.js';
import { ROWS_A_WRITE, TOLD_ONCE_MORE } from '../../../kit/zabbix-collecting-limits.js';
import type { ConfiguredHost, ProxyConfiguration } from '../../../protocols/zabbix/configuration.js';
import type { AvailabilityRow } from '../../../protocols/zabbix/messages.js';
import type { Outgoing } from '../contract.js';
import { Looks, type Silence } from './subjects.js';

/** In these states a machine answers; in those that are not named, it does not. */
const UP: ReadonlySet<PowerState> = new Set<PowerState>(['on', 'starting', 'stopping']);

type Verdict = Pick<AvailabilityRow, 'available' | 'error'>;

/** Whether the interfaces of the configured hosts are available, as the instances behind them are known to be: told when it changes. */
export class Availability {
  readonly #outgoing: Pick<Outgoing, 'availability'>;
  readonly #silence: Silence;
  #configuration: ProxyConfiguration | undefined;
  readonly #now: () => number;
  /** what was told of each interface */
  #told = new Map<number, Verdict>();
  /** when all is told once more, by the clock that nobody sets; undefined: that was done */
  #onceMore: number | undefined;

  /** @param now milliseconds by a clock that nobody sets; another in tests */
  constructor(outgoing: Pick<Outgoing, 'availability'>, silence: Silence, now = () => performance.now()) {
    this.#outgoing = outgoing;
    this.#silence = silence;
    this.#now = now;
  }

  /** All is told again: the server may have forgotten it. */
  configured(configuration: ProxyConfiguration): void {
    this.#configuration = configuration;
    this.#told = new Map();
    this.#onceMore = this.#now() + TOLD_ONCE_MORE;
  }

  /** Tells what has changed. */
  async look(actor: Actor): Promise<void> {
    const configuration = this.#configuration;
    if (configuration === undefined) return;
    if (this.#onceMore !== undefined && this.#now() >= this.#onceMore) {
      this.#told = new Map();
      this.#onceMore = undefined;
    }
    const told = this.#told;
    const looks = new Looks(actor);
    const slices = new Slices();
    const verdicts = new Map<number, Verdict>();
    let rows: AvailabilityRow[] = [];
    for (const { interfaceid, hostid } of configuration.interfaces) {
      if (slices.isOverNow()) await slices.pause();
      // there is a newer one: it has a look of its own
      if (this.#configuration !== configuration) return;
      const host = configuration.hosts.get(hostid);
      if (host === undefined) continue;
      const verdict = verdicts.get(hostid) ?? await this.#verdictOn(looks, host);
      verdicts.set(hostid, verdict);
      const before = told.get(interfaceid);
      if (before?.available === verdict.available && before.error === verdict.error) continue;
      told.set(interfaceid, verdict);
      rows.push({ interfaceid, ...verdict });
      if (rows.length < ROWS_A_WRITE) continue;
      this.#outgoing.availability(rows);
      rows = [];
    }
    if (rows.length > 0) this.#outgoing.availability(rows);
  }

  /** What is not known is neither available nor not. */
  async #verdictOn(looks: Looks, host: ConfiguredHost): Promise<Verdict> {
    try {
      const instance = await looks.instance(host);
      await this.#silence.requireCurrent(looks.actor, instance);
      const { name, state } = instance;
      if (state === 'unknown') return { available: 0, error: `the state of ${name} is unknown` };
      return UP.has(state) ? { available: 1, error: '' } : { available: 2, error: `${name} is ${state}` };
    } catch (thrown) {
      return { available: 0, error: toArgoError(thrown).message };
    }
  }
}
