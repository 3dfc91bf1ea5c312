import { afterFailures } from '../../kit/backoff.js';
import { ZABBIX_UNWANTED, ZABBIX_VERSION_TRIAL, ZABBIX_VERSION_TRIAL_LONGEST } from '../../kit/zabbix-limits.js';
import { FIRST_VERSION } from './version.js';

/** What a server asks a passive proxy, by which it shows what it is. */
export type Asked = 'whole configuration' | 'changes of the configuration' | 'data' | 'tasks';

/** What is claimed one after the other: the versions that are still cared for first. */
const CLAIMS: readonly string[] = [FIRST_VERSION, '7.0.0', '7.4.0', '7.2.0', '6.4.0'];

/**
 * Passive mode: finds out which version a server takes. It never says its own, nor that it refuses ours: it acknowledges
 * what it gets, and throws it away afterwards where the version is none that it takes. But it shows it by what it asks
 * (https://www.zabbix.com/documentation/7.0/en/manual/appendix/compatibility#supported-zabbix-proxies):
 * - one before 6.4 brings the whole configuration, whatever the proxy is; of these 6.0 is the one that is still cared for;
 * - one since 6.4 asks what is known of the configuration, but a proxy of its own major version alone; of one that is
 *   somewhat older it takes values; and of all others it wants nothing but results of tasks.
 *
 * So a version is settled when a configuration comes, and stays so while values are asked for. Until then one after the
 * other is claimed; nothing that could get lost may be handed over meanwhile.
 */
export class VersionGuess {
  readonly #fixed: string | undefined;
  /** what the server was told last, and judges us by */
  #claim: string;
  #isSettled: boolean;
  /** since when it is claimed, and how often all were */
  #since: number;
  #rounds = 0;
  /** when it wanted something beside results of tasks */
  #wantedAt: number;

  /**
   * @param now milliseconds, by a clock that nobody sets
   * @param known what the server took in an earlier life
   * @param fixed what is claimed in any case, where people know it
   */
  constructor(now: number, { known, fixed }: { readonly known?: string | undefined; readonly fixed?: string | undefined } = {}) {
    this.#fixed = fixed;
    this.#claim = fixed ?? known ?? FIRST_VERSION;
    this.#isSettled = fixed !== undefined || known !== undefined;
    this.#since = this.#wantedAt = now;
  }

  /** what is claimed */
  get current(): string {
    return this.#claim;
  }

  /** Whether the server takes what it gets. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** The server asks for something. @returns which version the answer is to claim */
  asked(what: Asked, now: number): string {
    if (this.#fixed !== undefined) return this.#fixed;
    if (what !== 'tasks') this.#wantedAt = now;
    if (what === 'whole configuration') this.#settle(FIRST_VERSION);
    else if (what === 'changes of the configuration') this.#settle(this.#claim);
    else if (!this.#isSettled && now - this.#since >= this.#trial) this.#claimNext(now);
    else if (now - this.#wantedAt >= ZABBIX_UNWANTED) this.#claimNext(now);
    return this.#claim;
  }

  #settle(version: string): void {
    this.#claim = version;
    this.#isSettled = true;
    this.#rounds = 0;
  }

  #claimNext(now: number): void {
    const next = CLAIMS.indexOf(this.#claim) + 1;
    if (!this.#isSettled && next === CLAIMS.length) this.#rounds += 1;
    this.#isSettled = false;
    this.#claim = CLAIMS[next % CLAIMS.length]!;
    this.#since = this.#wantedAt = now;
  }

  /** How long one is claimed. */
  get #trial(): number {
    return afterFailures(this.#rounds + 1, ZABBIX_VERSION_TRIAL, ZABBIX_VERSION_TRIAL_LONGEST);
  }
}
