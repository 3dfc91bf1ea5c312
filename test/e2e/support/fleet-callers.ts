import { setTimeout as sleep } from 'node:timers/promises';
import { LONG } from '../../support/faults.js';
import type { LineClient, Reply } from '../../support/line-client.js';
import type { Fleet, Member } from './fleet.js';

/** What was told of the orders for one machine. */
export interface Told { done: number; refused: number; uncertain: number }

/** What a caller waits for where a site or its front is away, ms. */
const AWAY_MS = 250;

/**
 * Callers who restart machines of a fleet's sites through its fronts, again and again, and what they are told. Each act is counted where
 * it takes place, so that the two can be compared: an order is told to be done, to be refused, or to be in doubt.
 */
export class Callers {
  readonly told = new Map<string, Told>();
  readonly tally = { done: 0, refused: 0, uncertain: 0, early: 0, slowestMs: 0 };
  /** answers that there should not be */
  readonly strange: string[] = [];
  readonly #fleet: Fleet;
  readonly #atOnce: number;
  /** each caller takes machines of its own from here */
  readonly #spare: ReadonlyMap<string, string[]>;
  #isShort = false;

  /** @param names machines of each site, as vm0001 @param atOnce those that a caller orders with one line */
  constructor(fleet: Fleet, names: readonly string[], atOnce: number) {
    this.#fleet = fleet;
    this.#atOnce = atOnce;
    this.#spare = new Map([...fleet.sites.keys()].map((site) => [site, [...names]]));
  }

  /** Orders that are done, or may be. */
  get begun(): number {
    return this.tally.done + this.tally.uncertain;
  }

  /** For who waits until callers have done something. @throws Error where they cannot, since what is in doubt has used machines up */
  mustHaveMachines(): void {
    if (this.#isShort) throw new Error(`no machines are left to order: ${this.tally.uncertain} orders are in doubt`);
  }

  /** Orders machines of one site until there are enough. A front that dies is waited for. */
  async call(front: Member, site: string, isEnough: () => boolean): Promise<void> {
    const mine = this.#take(site, this.#atOnce);
    let client = await front.logIn();
    while (!isEnough() && mine.length > 0) {
      const began = performance.now();
      const reply = await client.ask(`reboot ${mine.map((name) => `${site}.kvm1/${name}`).join(' ')} --timeout=20`, LONG).catch(() => undefined);
      this.tally.slowestMs = Math.max(this.tally.slowestMs, performance.now() - began);
      if (reply === undefined) {
        for (const name of mine) this.#note(site, name, 'UNCERTAIN: the connection was lost');
        mine.splice(0, Infinity, ...this.#take(site, this.#atOnce));
        client = await logInAgain(front);
      } else if (this.#takeReply(site, mine, reply)) await sleep(AWAY_MS);
    }
    client.destroy();
  }

  /** Machines to which something else was done than what was told. */
  get wrong(): string[] {
    return [...this.told].flatMap(([machine, { done, uncertain }]) => {
      const found = this.acts(machine);
      return found < done || found > done + uncertain ? [`${machine}: done ${found} times, told ${done} and ${uncertain} in doubt`] : [];
    });
  }

  /** What was done to all. */
  get acted(): number {
    return [...this.told.keys()].reduce((sum, machine) => sum + this.acts(machine), 0);
  }

  /** How often a machine was restarted. @param machine SITE/NAME */
  acts(machine: string): number {
    const [site = '', name = ''] = machine.split('/');
    return this.#fleet.machines(site).count(name, 'r');
  }

  /** @param mine the machines of the line; of what is in doubt, another one takes the place @returns whether the site is away */
  #takeReply(site: string, mine: string[], { body, comment, code }: Reply): boolean {
    if (body.length === 0) {
      // refused as a whole, before anything was begun
      if (!/^UNREACHABLE|^NO SUCH/.test(comment)) this.strange.push(`${site}: ${code} ${comment}`);
      return true;
    }
    let isAway = false;
    for (const line of body) {
      const [, name = '', words = ''] = /(vm\d+): (.*)$/.exec(line) ?? [];
      isAway ||= words.startsWith('UNREACHABLE');
      if (!this.#note(site, name, words)) mine.splice(mine.indexOf(name), 1, ...this.#take(site, 1));
    }
    return isAway;
  }

  /** Takes one answer into account. @returns whether the machine can be ordered again: what is in doubt would blur what comes after it */
  #note(site: string, name: string, words: string): boolean {
    const machine = `${site}/${name}`;
    const of = this.told.get(machine) ?? { done: 0, refused: 0, uncertain: 0 };
    this.told.set(machine, of);
    const kind = words === 'done' ? 'done' : /^(?:UNREACHABLE|BUSY)/.test(words) ? 'refused' : /^(?:UNCERTAIN|TIMEOUT)/.test(words) ? 'uncertain' : undefined;
    if (kind === undefined) {
      this.strange.push(`${machine}: ${words}`);
      return false;
    }
    of[kind] += 1;
    this.tally[kind] += 1;
    if (kind === 'done' && this.acts(machine) !== of.done) this.tally.early += 1;
    return kind !== 'uncertain';
  }

  #take(site: string, count: number): string[] {
    const taken = this.#spare.get(site)!.splice(0, count);
    this.#isShort ||= taken.length < count;
    return taken;
  }
}

async function logInAgain(front: Member): Promise<LineClient> {
  const end = performance.now() + LONG;
  for (;;) {
    try {
      return await front.logIn();
    } catch (error) {
      if (performance.now() > end) throw error;
      await sleep(AWAY_MS);
    }
  }
}
