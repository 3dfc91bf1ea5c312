import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lacksZabbix, Zabbix } from '../../test/peers/zabbix.js';
import { until } from '../../test/support/until.js';
import { atLeast, below, type Row } from '../report.js';
import { FULL, type Settings } from '../scenario.js';
import { interleave, pairedRatio, summarise } from '../stats.js';
import { ITEMS, official, ours, proportional, type Side } from './zabbix-sides.js';

/**
 * A backlog that goes to a real server: ours beside Zabbix's own proxy, with the same server. Both have it in their SQLite
 * files when they start.
 */

const BACKLOG = { full: 300_000, quick: 50_000 };
/** What the official one was seen to have at most, 97 MiB. */
const MEMORY_MB = 101.7;
const WITHIN_MS = 300_000;
const LOOK_MS = 250;
/** For a configuration to come. */
const CONFIGURED_MS = 10_000;
/** How long the server's table does not grow, when nothing waits any more, until the rest is lost. What it has already, it refuses slowly. */
const STILL_MS = 20_000;
/** Backlogs that each side gets rid of before the faults. */
const DRAINS = 3;
/** How long a killed server stays away, so that it is noticed. Debian's unit waits for 10 s. */
const DOWN_MS = 3000;
/** How long a network swallows answers. */
const CUT_MS = 5000;

/** What may happen in the middle of a backlog. */
const FAULTS = ['kill -9 of the server', 'kill -9 of the proxy', 'answers that do not arrive'] as const;

interface Count {
  /** rows of the server's table */
  readonly stored: number;
  readonly doubled: number;
}

/** One side at work with values of a time of their own; each value is another number. */
class Backlog {
  readonly #zabbix: Zabbix;
  readonly #side: Side;
  readonly #count: number;
  #from: number;

  /** @param from where the clocks of its values begin, s */
  constructor(zabbix: Zabbix, side: Side, count: number, from: number) {
    this.#zabbix = zabbix;
    this.#side = side;
    this.#count = count;
    this.#from = from;
  }

  /** Further values, of later times. The side does not run. */
  async fill(): Promise<void> {
    this.#from += 2 * this.#count / ITEMS;
    await this.#side.fill(this.#count, this.#from);
  }

  async stored(): Promise<Count> {
    const [all = '0', different = '0'] = (await this.#counted(`count(*) || ' ' || count(distinct value)`)).split(' ');
    return { stored: Number(different), doubled: Number(all) - Number(different) };
  }

  async #counted(what: string): Promise<string> {
    const { itemids } = this.#side;
    const where = `itemid between ${itemids[0]} and ${itemids.at(-1)} and clock >= ${this.#from} and clock < ${this.#from + this.#count / ITEMS}`;
    return String(await this.#zabbix.database.value(`select ${what} from history_uint where ${where}`));
  }

  /** To tell values apart costs the database more than to store them: that is done only when there are enough. */
  async #storedAtLeast(least: number): Promise<boolean> {
    await sleep(LOOK_MS);
    return Number(await this.#counted('count(*)')) >= least && (await this.stored()).stored >= least;
  }

  /** @returns values a second, and the most memory meanwhile */
  async drain(): Promise<{ readonly rate: number; readonly memory: number }> {
    await until(() => this.#storedAtLeast(1), WITHIN_MS, 'the first values');
    const [began, { stored: first }] = [performance.now(), await this.stored()];
    let memory = 0;
    await until(() => {
      memory = Math.max(memory, proportional(this.#side.pids()));
      return this.#storedAtLeast(this.#count);
    }, WITHIN_MS, 'all values');
    return { rate: (this.#count - first) / (performance.now() - began) * 1000, memory };
  }

  /** A fault when a quarter has arrived. @returns what the server has in the end */
  async survive(fault: (typeof FAULTS)[number]): Promise<{ readonly lost: number; readonly doubled: number }> {
    const [zabbix, side] = [this.#zabbix, this.#side];
    await this.fill();
    await side.start();
    await until(() => this.#storedAtLeast(this.#count / 4), WITHIN_MS, 'a quarter of them');
    if (fault === 'kill -9 of the server') {
      await zabbix.killServer();
      await sleep(DOWN_MS);
      await zabbix.startServer();
    } else if (fault === 'kill -9 of the proxy') {
      await side.kill();
      await side.start();
    } else {
      side.network.set('drop-answers');
      await sleep(CUT_MS);
      side.network.set('pass');
    }
    let [most, since] = [0, performance.now()];
    await until(async () => {
      await sleep(LOOK_MS);
      const { stored } = await this.stored();
      if (stored > most || await side.waiting() > 0) [most, since] = [stored, performance.now()];
      return stored >= this.#count || performance.now() - since > STILL_MS;
    }, WITHIN_MS, 'the end of the backlog').catch(() => undefined);
    await side.stop();
    const { stored, doubled } = await this.stored();
    return { lost: this.#count - stored, doubled };
  }
}

/** What one side came to, figure by figure. */
interface Figures {
  readonly rates: number[];
  readonly memory: number;
  readonly heartbeats: number[];
  readonly lost: readonly number[];
  readonly doubled: number;
}

/** Lets the server and a side know each other. */
async function introduce(side: Side): Promise<void> {
  await side.start();
  await until(() => side.network.answers > 0, WITHIN_MS, 'a first word of the server');
  await sleep(CONFIGURED_MS);
  await side.stop();
}

/** From a start until the server has answered, ms. */
async function heard(side: Side): Promise<number> {
  const answers: number[] = [];
  side.network.onAnswer = () => answers.push(performance.now());
  const started = performance.now();
  const starting = side.start();
  await until(() => answers.length > 0, WITHIN_MS, 'a word of the server');
  side.network.onAnswer = undefined;
  await starting;
  await side.stop();
  return answers[0]! - started;
}

/** One backlog. @returns values a second */
async function drained(backlog: Backlog, side: Side, most: Map<Side, number>): Promise<number> {
  await backlog.fill();
  await side.start();
  const { rate, memory } = await backlog.drain();
  await side.stop();
  most.set(side, Math.max(most.get(side) ?? 0, memory));
  return rate;
}

/** Both sides in turn, and then each through the faults. @param base before the clocks of the values, s @returns in the order of the sides */
async function measure(zabbix: Zabbix, sides: readonly Side[], count: number, base: number, rounds: number): Promise<Figures[]> {
  for (const side of sides) await introduce(side);
  const heartbeats = await interleave(rounds, sides.map((side) => () => heard(side)));
  const backlogs = sides.map((side) => new Backlog(zabbix, side, count, base));
  const memory = new Map<Side, number>();
  const rates = await interleave(DRAINS, sides.map((side, at) => () => drained(backlogs[at]!, side, memory)));
  const figures: Figures[] = [];
  for (const [at, side] of sides.entries()) {
    const ends = [];
    for (const fault of FAULTS) ends.push(await backlogs[at]!.survive(fault));
    await side.network.stop();
    figures.push({
      rates: rates[at]!, heartbeats: heartbeats[at]!, memory: memory.get(side)!,
      lost: ends.map(({ lost }) => lost), doubled: ends.reduce((sum, { doubled }) => sum + doubled, 0),
    });
  }
  return figures;
}

export async function* zabbix(settings: Settings): AsyncGenerator<Row> {
  const lacking = lacksZabbix('fping');
  if (lacking !== false) return void (yield { what: 'Zabbix: drain of a backlog', unit: 'req/s', note: lacking });
  const count = settings.rounds === FULL.rounds ? BACKLOG.full : BACKLOG.quick;
  const folder = mkdtempSync(join(tmpdir(), 'argo-bench-zabbix-'));
  const server = await Zabbix.start({ settings: { HistoryCacheSize: '64M', HistoryIndexCacheSize: '16M', StartDBSyncers: 4 } });
  try {
    const groupid = await server.api.group('Power');
    // all before now: what the items really are is told with the time at which it is read
    const base = Math.floor(Date.now() / 1000) - 2 * (DRAINS + FAULTS.length + 1) * count / ITEMS - 60;
    const sides = [await ours(server, groupid, folder), await official(server, groupid)];
    const [mine, theirs] = await measure(server, sides, count, base, settings.rounds) as [Figures, Figures];
    const row = (what: string, unit: Row['unit'], of: (figures: Figures) => readonly number[]): Row =>
      ({ what: `Zabbix, ${count} values that waited: ${what}`, unit, ours: summarise(of(mine)), peer: { name: 'zabbix_proxy', figure: summarise(of(theirs)) } });
    const ratio = pairedRatio(mine.rates, theirs.rates);
    yield { ...row('stored a second', 'req/s', ({ rates }) => rates), ratio, memory: { ours: mine.memory, peer: theirs.memory }, target: atLeast(ratio, 1) };
    yield { ...row('proportional memory', 'MB', ({ memory }) => [memory]), target: below(mine.memory, MEMORY_MB, ' MB') };
    const slower = pairedRatio(mine.heartbeats, theirs.heartbeats);
    yield { ...row('from its start until the server has answered it', 'ms', ({ heartbeats }) => heartbeats), ratio: slower, target: below(slower, 2, ' ×') };
    for (const [index, fault] of FAULTS.entries()) {
      yield { ...row(`lost by ${fault}`, 'values', ({ lost }) => [lost[index]!]), target: { text: '0', met: mine.lost[index] === 0 } };
    }
    yield { ...row('twice there after all that', 'values', ({ doubled }) => [doubled]), target: { text: '0', met: mine.doubled === 0 } };
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
