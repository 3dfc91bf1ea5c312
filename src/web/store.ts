import { useEffect, useState } from 'preact/hooks';
import type { EventRow, FeedMessage, SessionInfo, TaskRow, View } from '../gateways/web/messages.js';
import type { PowerAction } from '../instances/operation-table.js';
import { Feed } from './io/feed.js';
import { get, request, whenLoggedOut } from './io/http.js';
import type { Tasks } from './model/answers.js';
import { Fleet, type Counts } from './model/fleet.js';
import { take, withTask, type Known } from './model/feed.js';
import { filtered, parseFilter, type Filter } from './model/filter.js';
import { START, readPlace, writePlace, type Place } from './model/place.js';
import { endWords, openOf } from './model/tasks.js';

/** All that the page knows. What changes it says so; views read what they show, at most once a frame. */

/** While somebody moves the mouse or the cursor, no row moves away from under it, ms. */
const REST_MS = 2000;

/** An order as it is being made. */
export interface OrderDraft {
  readonly action: PowerAction;
  /** names as the view has them */
  readonly names: readonly string[];
  readonly way: 'soft' | 'both' | 'hard';
}

export class Store {
  session: SessionInfo | undefined;
  /** undefined until it is known whether somebody is logged in */
  isLoggedIn: boolean | undefined;
  known: Known | undefined;
  place: Place = START;
  filter: Filter = parseFilter('');
  /** positions that the filter lets through */
  shown: readonly number[] = [];
  readonly picked = new Set<string>();
  /** key of the machine that keys act on */
  cursor = '';
  /** when what is shown was true: while the connection is lost, ms since 1970 */
  lostSince: number | undefined;
  /** when it is tried again, on the clock of performance.now() */
  againAt = 0;
  draft: OrderDraft | undefined;
  /** the task whose progress is shown */
  openTask: string | undefined;
  isHelpOpen = false;
  isTrayOpen = false;
  /** tasks with failures that somebody has read */
  readonly read = new Set<string>();
  /** told to those who can't see what has changed */
  said = '';
  counts: Counts = { states: new Map(), providers: new Map(), trouble: 0 };
  /** how often runs of plans have changed: what shows them fetches them again */
  runsChanged = 0;
  /** what the server's clock is ahead of the browser's, ms */
  #ahead = 0;
  #feed: Feed | undefined;
  #touched = 0;
  #isStale = false;
  readonly #listeners = new Set<() => void>();
  #isTold = false;

  constructor() {
    whenLoggedOut(() => this.#leave());
    addEventListener('hashchange', () => this.#moved());
    addEventListener('online', () => this.#feed?.again());
    setInterval(() => this.#tick(), 1000);
  }

  get fleet(): Fleet | undefined {
    return this.known?.fleet;
  }

  /** the server's clock, ms since 1970: the browser's may be wrong */
  get now(): number {
    return Date.now() + this.#ahead;
  }

  get isLost(): boolean {
    return this.lostSince !== undefined;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Something has changed. */
  tell(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const then = (): void => {
      this.#isTold = false;
      for (const listener of [...this.#listeners]) listener();
    };
    // in a tab that nobody looks at there are no frames
    if (document.hidden) setTimeout(then, 200);
    else requestAnimationFrame(then);
  }

  say(words: string): void {
    this.said = words;
    this.tell();
  }

  may(right: string): boolean {
    return this.session?.rights.some((one) => one === right || one === '*' || one.startsWith(`${right}:`)) ?? false;
  }

  enter(session: SessionInfo): void {
    this.session = session;
    this.isLoggedIn = true;
    this.#setClock(session.now);
    this.#moved();
    this.#feed?.close();
    this.#feed = new Feed({
      prepare: () => this.#prepare(),
      take: (message) => this.#take(message),
      up: () => {
        this.lostSince = undefined;
        this.tell();
      },
      down: (againAt) => {
        if (this.known !== undefined) this.lostSince ??= this.now;
        this.againAt = againAt;
        this.tell();
      },
    });
    this.tell();
  }

  async logout(): Promise<void> {
    await request('DELETE', 'session').catch(() => undefined);
    this.#leave();
  }

  go(change: Partial<Place>): void {
    const next = { ...this.place, ...change };
    const hash = writePlace(next);
    // typing in the search field is one step back, not twenty
    if (change.q !== undefined && next.view === this.place.view) history.replaceState(null, '', hash);
    else history.pushState(null, '', hash);
    this.#moved();
  }

  /** Somebody moves the mouse or the cursor. */
  touch(): void {
    this.#touched = performance.now();
  }

  setCursor(position: number): void {
    const at = this.shown[position];
    if (at === undefined || this.fleet === undefined) return;
    this.cursor = this.fleet.keys[at]!;
    this.touch();
    this.tell();
  }

  /** the cursor's row among those shown; the first one where it is not among them */
  get cursorRow(): number {
    const at = this.fleet?.position(this.cursor);
    return at === undefined ? 0 : Math.max(0, this.shown.indexOf(at));
  }

  /** Positions of the machines that are selected and still there. */
  get pickedPositions(): readonly number[] {
    const { fleet } = this;
    return fleet === undefined ? [] : [...this.picked].flatMap((key) => fleet.position(key) ?? []).sort((one, other) => one - other);
  }

  /** Begins an order on those of some machines on which one may; nothing where there are none. */
  order(action: PowerAction, positions: readonly number[], way: OrderDraft['way'] = 'soft'): void {
    const { fleet } = this;
    if (fleet === undefined || this.isLost || this.draft !== undefined) return;
    const names = positions.filter((at) => fleet.machine(at).permissions.includes(action)).map((at) => fleet.names[at]!);
    if (names.length === 0) return this.say(`You may not ${action} that.`);
    this.draft = { action, names, way };
    this.openTask = undefined;
    this.tell();
  }

  /** @param at its position; nothing where there is none */
  openDetails(at: number | undefined): void {
    if (at !== undefined && this.fleet !== undefined) this.go({ machine: this.fleet.names[at]! });
  }

  /** A task as a request was answered: the feed may have been quicker, and told its end. */
  setTask(task: TaskRow): void {
    if (this.known === undefined || this.known.tasks.get(task.id)?.ended != null) return;
    this.known = { ...this.known, tasks: withTask(this.known.tasks, task) };
    this.tell();
  }

  /** tasks with failures that nobody has read yet */
  get unread(): readonly TaskRow[] {
    return [...this.known?.tasks.values() ?? []].filter((task) => task.ended !== null && openOf(task).failed > 0 && !this.read.has(task.id));
  }

  #setClock(now: number): void {
    this.#ahead = now - Date.now();
  }

  #leave(): void {
    this.#feed?.close();
    this.#feed = undefined;
    this.session = this.known = this.draft = this.openTask = this.lostSince = undefined;
    this.isLoggedIn = false;
    // the list may draw once more before it goes
    this.shown = [];
    this.picked.clear();
    this.tell();
  }

  #moved(): void {
    const before = this.place.q;
    this.place = readPlace(location.hash);
    if (before !== this.place.q) this.filter = parseFilter(this.place.q);
    this.#refilter();
    this.tell();
  }

  #refilter(): void {
    this.#isStale = false;
    if (this.fleet !== undefined) this.shown = filtered(this.fleet, this.filter);
  }

  async #prepare(): Promise<number> {
    // always the whole of it: a server that was restarted counts anew, and may have other machines in other places
    const [view, { tasks }] = await Promise.all([get<View>('view'), get<Tasks>('tasks')]);
    this.#setClock(view.now);
    const fleet = new Fleet(view);
    for (const key of this.picked) if (fleet.position(key) === undefined) this.picked.delete(key);
    this.known = { fleet, v: view.v, events: this.known?.events ?? [], tasks: [...tasks].reverse().reduce<ReadonlyMap<string, TaskRow>>(withTask, new Map()) };
    this.counts = fleet.counts();
    this.#refilter();
    this.tell();
    return view.v;
  }

  #take(message: FeedMessage): void {
    if (this.known === undefined) return;
    if (message.t === 'alive') this.#setClock(message.now);
    const { known, isReset, changed, run, task } = take(this.known, message);
    this.known = known;
    if (isReset) {
      // what is known may be one step behind for as long as one request takes: no reason to say that all is lost
      this.#feed?.restart();
    }
    if (run !== undefined) this.runsChanged += 1;
    if (task?.ended != null) this.said = endWords(task);
    if (changed.length > 0) {
      this.counts = known.fleet.counts();
      this.#isStale = this.filter.isOfStates;
      this.#settle();
    }
    this.tell();
  }

  /** Lets rows come and go that should, once nobody is about to click one. */
  #settle(): void {
    if (this.#isStale && performance.now() - this.#touched > REST_MS) this.#refilter();
  }

  #tick(): void {
    if (this.session === undefined) return;
    this.#settle();
    this.tell();
  }
}

export const store = new Store();

/** Draws a view again when something has changed. */
export function useStore(): Store {
  const [, again] = useState(0);
  useEffect(() => store.subscribe(() => again((count) => count + 1)), []);
  return store;
}

/** Of the machine whose details are open: what was told of it, newest first. */
export const eventsOf = (events: readonly EventRow[], fullName: string): readonly EventRow[] =>
  events.filter(({ facts }) => facts['instance'] === fullName);
