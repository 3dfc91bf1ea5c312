import { Deadline } from '../../../kit/deadline.js';
import { TRIGGER_NOTE_TIMEOUT, UPS_ANSWER, UPS_HURRY } from '../../../kit/trigger-limits.js';
import type { Trigger } from '../../contract.js';
import { Beginning } from '../beginning.js';
import { MACHINE_CLOCK, type Clock } from '../../clock.js';
import type { Condition, ConditionWatch, Truth } from '../conditions.js';
import type { TriggerHost } from '../contract.js';
import { Memory } from '../memory.js';
import { TakingBack } from '../taking-back.js';
import { NUMBERS, type UpsFacts } from './status.js';
import { UpsWatch, type UpsSource } from './watch.js';

export interface NutSettings {
  readonly start: readonly { readonly plan: string; readonly when: Condition }[];
  /** undefined: nothing is taken back */
  readonly stop: { readonly plan: string | undefined; readonly when: Condition } | undefined;
  /** UPSes that have to agree */
  readonly needs: number;
  /** milliseconds */
  readonly pollInterval: number;
  readonly minInterval: number;
  readonly silentFor: number | undefined;
}

interface Kept {
  /** which of the starts were begun, and their cause was not known to be over since */
  readonly begun: readonly string[];
  /** something was begun that has not been taken back */
  readonly owes: boolean;
}

/** A condition over all UPSes: each is looked at by itself, and so many must agree. */
class Vote {
  readonly #watches: readonly ConditionWatch[];
  readonly #truths: Truth[];
  readonly #needs: number;

  constructor(condition: Condition, { count, needs, longestGap }: { readonly count: number; readonly needs: number; readonly longestGap: number }) {
    this.#watches = Array.from({ length: count }, () => condition.watch(longestGap));
    this.#truths = this.#watches.map(() => undefined);
    this.#needs = needs;
  }

  /** @param index of the UPS that was looked at just now */
  look(index: number, facts: UpsFacts, elapsed: number): Truth {
    this.#truths[index] = this.#watches[index]!.look(facts, elapsed);
    const agree = this.#truths.filter((truth) => truth === true).length;
    const mayAgree = this.#truths.filter((truth) => truth !== false).length;
    return agree >= this.#needs ? true : mayAgree < this.#needs ? false : undefined;
  }
}

/** Begins plans by what UPSes say, and takes them back when the mains are known to be there again. */
export class NutTrigger implements Trigger {
  readonly #settings: NutSettings;
  readonly #host: TriggerHost;
  readonly #clock: Clock;
  readonly #memory: Memory<Kept>;
  readonly #watches: readonly UpsWatch[];
  #starts: readonly { readonly key: string; readonly when: Condition; readonly vote: Vote; readonly beginning: Beginning }[] = [];
  readonly #stop: Vote | undefined;
  #takingBack: TakingBack | undefined;
  #isClosed = false;

  /** @param sources the UPSes, by names for people */
  constructor(settings: NutSettings, sources: ReadonlyMap<string, UpsSource>, host: TriggerHost) {
    const clock = host.clock ?? MACHINE_CLOCK;
    this.#settings = settings;
    this.#host = host;
    this.#clock = clock;
    this.#memory = new Memory(host);
    const conditions = [...settings.start, ...settings.stop ? [settings.stop] : []].map(({ when }) => when);
    const numbers = Object.keys(NUMBERS).filter((word) => conditions.some(({ words }) => words.has(word)));
    this.#watches = [...sources].map(([name, source], index) => new UpsWatch({
      name, source, log: host.log, clock, numbers, silentFor: settings.silentFor,
      interval: () => this.#interval(),
      onLook: (facts) => this.#judge(index, facts),
    }));
    // What is to be taken back is what fewer of them must say than would begin it: of two that supply the same machines, one.
    this.#stop = settings.stop && new Vote(settings.stop.when, this.#votes(sources.size - settings.needs + 1));
    void this.#begin();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#starts.forEach(({ beginning }) => beginning.close());
    await Promise.all(this.#watches.map((watch) => watch.close()));
  }

  describe(): string {
    return this.#watches.map((watch) => watch.describe()).join('; ');
  }

  #votes(needs: number): ConstructorParameters<typeof Vote>[1] {
    return { count: this.#watches.length, needs, longestGap: this.#settings.pollInterval + UPS_ANSWER };
  }

  #interval(): number {
    const { pollInterval } = this.#settings;
    return this.#watches.some(({ wasOnBattery }) => wasOnBattery) ? Math.min(UPS_HURRY, pollInterval) : pollInterval;
  }

  async #begin(): Promise<void> {
    const { start, needs, minInterval } = this.#settings;
    const kept = await this.#memory.load();
    const takingBack = (this.#takingBack = new TakingBack({
      host: this.#host,
      plan: this.#settings.stop?.plan,
      owes: kept?.owes === true,
      onChange: () => this.#note(),
    }));
    const begun = Array.isArray(kept?.begun) ? kept.begun : [];
    if (this.#isClosed) return;
    this.#starts = start.map(({ plan, when }) => {
      const key = `${plan} ${when.source}`;
      const beginning = new Beginning({
        host: this.#host, plan, minInterval, hasBegun: begun.includes(key),
        onBegin: () => takingBack.note(),
        onChange: () => void this.#save(),
      });
      return { key, when, vote: new Vote(when, this.#votes(needs)), beginning };
    });
    await Promise.all(this.#watches.map((watch) => watch.look()));
  }

  #judge(index: number, facts: UpsFacts): void {
    const now = this.#clock.elapsed();
    const says = `${this.#watches[index]!.name}: ${facts.condition === undefined ? 'silent' : facts.toString()}`;
    for (const { when, vote, beginning } of this.#starts) beginning.tell(vote.look(index, facts, now), `${when.source} (${says})`);
    if (this.#stop?.look(index, facts, now) === true) this.#takingBack?.over(`${this.#settings.stop!.when.source} (${says})`);
  }

  /** Waits for the disk, but not long: a cut does not wait either. */
  async #note(): Promise<void> {
    const deadline = new Deadline(TRIGGER_NOTE_TIMEOUT);
    await deadline.run(() => this.#save()).catch(() => undefined);
    deadline.clear();
  }

  #save(): Promise<void> {
    return this.#memory.save({
      begun: this.#starts.filter(({ beginning }) => beginning.hasBegun).map(({ key }) => key),
      owes: this.#takingBack?.owes === true,
    });
  }
}
