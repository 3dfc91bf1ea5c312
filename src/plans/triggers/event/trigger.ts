import type { EventFacts } from '../../../instances/events.js';
import { EVENT_SUBJECTS, TRIGGER_LATE } from '../../../kit/trigger-limits.js';
import { resolvePatterns, type Groups, type InstancePattern } from '../../../kit/patterns.js';
import { formatDuration } from '../../../kit/text.js';
import type { Trigger } from '../../contract.js';
import { namedOf } from '../../full-names.js';
import { Beginning } from '../beginning.js';
import { MACHINE_CLOCK, type Clock } from '../../clock.js';
import type { TriggerHost } from '../contract.js';

/** Events about what lasts, and events about what happens. */
export const LASTING = ['state', 'provider'] as const;
export const EVENTS = [...LASTING, 'added', 'removed', 'action', 'plan'] as const;

export interface EventSettings {
  readonly events: readonly (typeof EVENTS)[number][];
  /** patterns and groups; undefined: all */
  readonly instances: readonly string[] | undefined;
  /** the plans whose runs count */
  readonly runsOf?: readonly string[] | undefined;
  /** what is so now: states, `answers`, `silent`; undefined: anything */
  readonly now: readonly string[] | undefined;
  /** of actions and runs: `done`, `begun`, a phrase; undefined: any */
  readonly outcome: readonly string[] | undefined;
  /** milliseconds */
  readonly lasts: number;
  readonly minInterval: number;
  readonly plan: string;
}

type Told = Extract<EventFacts, { type: (typeof EVENTS)[number] }>;

/** Of one instance or provider what is waited for has come; it is followed whether it lasts. */
interface Lasting {
  readonly words: string;
  readonly provider: string;
  /** milliseconds for which it was known to last, before `since` */
  held: number;
  /** by the even clock; undefined: it is not known whether it lasts */
  since: number | undefined;
  /** its state is not known, although its provider may answer */
  isUnknown: boolean;
  isDone: boolean;
  cancel: () => void;
}

const isTold = (facts: EventFacts): facts is Told => (EVENTS as readonly string[]).includes(facts.type);
const providerOf = (instance: string): string => instance.slice(0, instance.indexOf('/'));

/**
 * Begins a plan when something happens to a machine or a provider. What happens shortly after it has begun the plan
 * is taken for what the plan does, so that one that causes its own event does not begin itself for ever.
 */
export class EventTrigger implements Trigger {
  readonly #settings: EventSettings;
  readonly #host: TriggerHost;
  readonly #clock: Clock;
  readonly #beginning: Beginning;
  readonly #lasting = new Map<string, Lasting>();
  readonly #stop: () => void;
  #groups: Groups | undefined;
  #patterns: readonly InstancePattern[] | undefined;
  #lastBegin: number | undefined;
  #last: string | undefined;
  #hasSaidTooMany = false;

  constructor(settings: EventSettings, host: TriggerHost) {
    this.#settings = settings;
    this.#host = host;
    this.#clock = host.clock ?? MACHINE_CLOCK;
    this.#beginning = new Beginning({
      host, plan: settings.plan, minInterval: 0, skipsHeld: true,
      onChange: () => { if (this.#beginning.hasBegun) this.#lastBegin = this.#clock.elapsed(); },
    });
    this.#stop = host.events.listen((facts) => this.#hear(facts));
  }

  close(): Promise<void> {
    this.#stop();
    this.#beginning.close();
    this.#lasting.forEach(({ cancel }) => cancel());
    return Promise.resolve();
  }

  describe(): string {
    const waits = [...this.#lasting.values()].filter(({ isDone }) => !isDone).length;
    return `${this.#last === undefined ? 'nothing has happened' : `last: ${this.#last}`}${waits === 0 ? '' : `, ${waits} waited for`}`;
  }

  #hear(facts: EventFacts): void {
    if (!isTold(facts)) return;
    if (facts.type === 'removed') this.#forget(facts.instance);
    if (facts.type === 'provider') this.#noteSilence(facts);
    if (!this.#settings.events.includes(facts.type) || !this.#concerns(facts)) return;
    if (facts.type === 'state' || facts.type === 'provider') this.#follow(facts);
    else if (this.#isMeant(facts)) this.#due(wordsOf(facts));
  }

  #concerns(facts: Told): boolean {
    const { instances, runsOf = [] } = this.#settings;
    // a run as a whole, and none of its stages
    if (facts.type === 'plan') return facts.stage === undefined && runsOf.includes(facts.plan);
    if (instances === undefined) return true;
    const groups = this.#host.groups();
    if (groups !== this.#groups || this.#patterns === undefined) {
      this.#groups = groups;
      this.#patterns = resolvePatterns(instances, groups);
    }
    if (facts.type === 'provider') return this.#patterns.some((pattern) => pattern.coversProvider(facts.provider));
    // what is done to a provider as a whole
    if (!facts.instance.includes('/')) return this.#patterns.some((pattern) => pattern.coversProvider(facts.instance));
    const named = namedOf(facts.instance);
    return this.#patterns.some((pattern) => pattern.matches(named));
  }

  #isMeant(facts: Told): boolean {
    const { now, outcome } = this.#settings;
    if (facts.type !== 'action' && facts.type !== 'plan') return now === undefined || now.includes(facts.now);
    return outcome === undefined || outcome.includes(facts.outcome.split(':')[0]!);
  }

  #follow(facts: Extract<Told, { type: 'state' | 'provider' }>): void {
    const subject = facts.type === 'state' ? facts.instance : facts.provider;
    const known = this.#lasting.get(subject);
    if (facts.now === 'unknown') {
      if (known) {
        known.isUnknown = true;
        this.#pause(known);
      }
    } else if (!this.#isMeant(facts)) {
      this.#forget(subject);
    } else if (known) {
      known.isUnknown = false;
      this.#resume(known);
    } else {
      this.#begin(subject, { words: wordsOf(facts), provider: facts.type === 'state' ? providerOf(facts.instance) : '', held: 0, since: undefined, isUnknown: false, isDone: false, cancel: () => undefined });
    }
  }

  #begin(subject: string, one: Lasting): void {
    if (this.#settings.lasts === 0) return this.#due(one.words);
    if (this.#lasting.size >= EVENT_SUBJECTS) {
      if (!this.#hasSaidTooMany) this.#host.log('warn', 'too much happens at a time: what comes on top is not waited for', { most: EVENT_SUBJECTS });
      this.#hasSaidTooMany = true;
      return;
    }
    this.#lasting.set(subject, one);
    this.#resume(one);
  }

  #resume(one: Lasting): void {
    if (one.since !== undefined || one.isDone) return;
    const due = Math.max(0, this.#settings.lasts - one.held);
    const since = one.since = this.#clock.elapsed();
    one.cancel = this.#clock.after(due, () => {
      if (this.#clock.elapsed() - since > due + TRIGGER_LATE) {
        // this process stood still: whether it lasted meanwhile is not known
        one.since = undefined;
        return this.#resume(one);
      }
      one.isDone = true;
      this.#due(`${one.words} for ${formatDuration(this.#settings.lasts)}`);
    });
  }

  /** Time in which nobody knows counts neither for it nor against it. */
  #pause(one: Lasting): void {
    one.cancel();
    if (one.since !== undefined) one.held += this.#clock.elapsed() - one.since;
    one.since = undefined;
  }

  #forget(subject: string): void {
    this.#lasting.get(subject)?.cancel();
    this.#lasting.delete(subject);
  }

  /** Of the machines of a provider that is silent nobody knows what they do. */
  #noteSilence({ provider, now }: Extract<Told, { type: 'provider' }>): void {
    for (const one of this.#lasting.values()) {
      if (one.provider !== provider) continue;
      if (now === 'silent') this.#pause(one);
      else if (!one.isUnknown) this.#resume(one);
    }
  }

  #due(words: string): void {
    const { minInterval, plan } = this.#settings;
    this.#last = words;
    if (this.#lastBegin !== undefined && this.#clock.elapsed() - this.#lastBegin < minInterval) {
      this.#host.log('info', 'the plan was begun just before: this event does not begin it again', { plan, event: words });
      return;
    }
    // Each event is a cause of its own.
    if (this.#beginning.hasBegun) this.#beginning.tell(false, words);
    this.#beginning.tell(true, words);
  }
}

function wordsOf(facts: Told): string {
  if (facts.type === 'provider') return `provider ${facts.provider} ${facts.now}`;
  if (facts.type === 'action') return `${facts.command} on ${facts.instance}: ${facts.outcome}`;
  if (facts.type === 'plan') return `run ${facts.run} of ${facts.plan}: ${facts.outcome}`;
  return facts.type === 'state' ? `${facts.instance} is ${facts.now}` : `${facts.instance} ${facts.type}`;
}
