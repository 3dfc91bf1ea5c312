import { isDeepStrictEqual } from 'node:util';
import type { Actor } from '../../../instances/actor.js';
import type { EventBatch, Subscription } from '../../../instances/subscription.js';
import { toArgoError } from '../../../kit/errors.js';
import { FEED_BATCHES, FEED_EVENTS, FEED_GATHERED } from '../../../kit/feed-limits.js';
import type { Log } from '../../../kit/log.js';
import { eventRow } from '../api/history.js';
import { orderRow, workRow } from '../api/tasks.js';
import { JsonText } from '../json-text.js';
import type { EventRow, FeedMessage, TaskRow } from '../messages.js';
import { columnsOf, providerRows, stateCode, type Columns } from './columns.js';

/** Where an instance stands in the view, its state, and since when. */
type Row = readonly [number, number, number];

/** Somebody who follows. Each text is one message, and in memory once for all, whoever has not read it yet. */
export interface Follower {
  told(text: Buffer): void;
  /** The list is another one now: what is followed is not current any more. */
  outdated(v: number): void;
}

/** Whether an action has changed what has which tag. */
const changesTags = ({ command, outcome }: { readonly command: string; readonly outcome: string }): boolean => outcome === 'done' && TAG_CHANGE.test(command);
/** As the audit names it, whichever command it was done by. */
const TAG_CHANGE = /(?:^|: )tag\.[a-z-]+$/;

const text = (message: FeedMessage): Buffer => Buffer.from(JSON.stringify(message));

/**
 * What one account sees, kept current for as long as its list stays the same: a view, and what has changed since. Each of the
 * account's pages follows the same one.
 */
export class Watched {
  readonly #actor: Actor;
  readonly #columns: Columns;
  readonly #log: Log;
  readonly #followers = new Set<Follower>();
  readonly #ends = new AbortController();
  readonly #forgetTasks: () => void;
  /** batches of the last versions, each as it was told */
  readonly #batches: Buffer[] = [];
  #v: number;
  #view: { readonly v: number; readonly json: JsonText } | undefined;
  #rows = new Map<number, Row>();
  #events: EventRow[] = [];
  #areProvidersOther = false;
  #timer: NodeJS.Timeout | undefined;

  private constructor(actor: Actor, columns: Columns, log: Log) {
    this.#actor = actor;
    this.#columns = columns;
    this.#log = log;
    // so that versions of an earlier view, or of an earlier life of the server, are never taken for one of this
    this.#v = Date.now() * 1000;
    const tell = (task: TaskRow): void => this.#tell(text({ t: 'task', task }));
    const ends = [actor.orders.onChange((task) => tell(orderRow(task))), actor.tasks.onWork((task) => tell(workRow(task)))];
    this.#forgetTasks = () => ends.forEach((end) => end());
  }

  /** @param ended called once: the list is another one, or the account is gone @throws ArgoError */
  static async begin(actor: Actor, log: Log, ended: (one: Watched) => void): Promise<Watched> {
    // what happens while the list is looked through is told again
    const subscription = await actor.watch({ listed: true });
    const one = new Watched(actor, await columnsOf(actor), log);
    void one.#follow(subscription).finally(() => {
      one.close();
      ended(one);
    });
    return one;
  }

  get v(): number {
    return this.#v;
  }

  get isFollowed(): boolean {
    return this.#followers.size > 0;
  }

  /** The view: of this moment, or of one from which all batches are still known. */
  view(): JsonText {
    if (this.#view === undefined || this.since(this.#view.v) === undefined)
      this.#view = { v: this.#v, json: new JsonText(JSON.stringify(this.#columns.view(this.#v))) };
    return this.#view.json;
  }

  /** What was told since a version; undefined where that is not known any more. */
  since(v: number): readonly Buffer[] | undefined {
    const missed = this.#v - v;
    return Number.isInteger(missed) && missed >= 0 && missed <= this.#batches.length ? this.#batches.slice(this.#batches.length - missed) : undefined;
  }

  /** @returns ends that */
  follow(follower: Follower): () => void {
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  /** Tells nobody anything any more. */
  close(): void {
    this.#ends.abort();
    clearTimeout(this.#timer);
    this.#forgetTasks();
  }

  async #follow(subscription: Subscription): Promise<void> {
    try {
      for await (const { events } of subscription.batches(this.#ends.signal)) if (!this.#take(events)) break;
    } catch (error) {
      // one that fell behind begins anew, as where the list has changed
      if (toArgoError(error).phrase !== 'CURSOR EXPIRED') this.#log('info', 'the feed of an account ended', { account: this.#actor.name, reason: toArgoError(error).message });
    }
    this.#flush();
    for (const follower of [...this.#followers]) follower.outdated(this.#v);
  }

  /** @returns false where the list is another one now */
  #take(events: EventBatch['events']): boolean {
    let isSame = true;
    for (const event of events) {
      const { facts, time, isSilent = false } = event;
      if (facts.type === 'state') {
        const position = this.#columns.positions.get(facts.instance);
        if (position === undefined) isSame = false;
        else this.#rows.set(position, [position, stateCode(facts.now), time.getTime()]);
      } else if (facts.type === 'plan') this.#tell(text({ t: 'plan', plan: facts.plan, run: facts.run }));
      else if (facts.type === 'provider') this.#areProvidersOther = true;
      else if (facts.type !== 'action' || changesTags(facts)) isSame = false;
      if (!isSilent) this.#events.push(eventRow(event));
    }
    if (this.#events.length > FEED_EVENTS) this.#events = this.#events.slice(-FEED_EVENTS);
    this.#timer ??= setTimeout(() => this.#flush(), FEED_GATHERED);
    return isSame;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { state, since } = this.#columns;
    if (this.#rows.size > 0) {
      this.#v += 1;
      for (const [position, code, at] of this.#rows.values()) [state[position], since[position]] = [code, at];
      const batch = text({ t: 'changes', v: this.#v, rows: [...this.#rows.values()] });
      this.#rows = new Map();
      this.#batches.push(batch);
      if (this.#batches.length > FEED_BATCHES) this.#batches.shift();
      this.#tell(batch);
    }
    if (this.#events.length > 0) this.#tell(text({ t: 'events', events: this.#events }));
    this.#events = [];
    if (this.#areProvidersOther) void this.#tellProviders();
    this.#areProvidersOther = false;
  }

  async #tellProviders(): Promise<void> {
    const rows = this.#inOrder(await providerRows(this.#actor));
    // that something was with a provider of which little may be known is nobody's business either
    if (isDeepStrictEqual(rows, this.#columns.providers)) return;
    this.#columns.providers = rows;
    this.#view = undefined;
    this.#tell(text({ t: 'providers', providers: this.#columns.providers }));
  }

  /** Columns name providers by their place. */
  #inOrder(rows: readonly FeedProvider[]): readonly FeedProvider[] {
    const news = new Map(rows.map((row) => [row.name, row]));
    return this.#columns.providers.map((row) => news.get(row.name) ?? row);
  }

  #tell(message: Buffer): void {
    for (const follower of [...this.#followers]) follower.told(message);
  }
}

type FeedProvider = Columns['providers'][number];
