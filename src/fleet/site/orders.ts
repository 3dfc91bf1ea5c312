import * as v from 'valibot';
import type { Actor } from '../../instances/actor.js';
import { endingFor } from '../../instances/turn.js';
import { FLEET_CLOCK_SKEW, FLEET_ORDERS, FLEET_ORDERS_PER_FRONT, FLEET_ORDERS_TOLD, FLEET_RESULT_TIMEOUT, FLEET_RESULTS_PER_FRONT, FLEET_SEND_LONGEST } from '../../kit/fleet-limits.js';
import { Tally } from '../../kit/tally.js';
import { formatDuration } from '../../kit/text.js';
import { notLonger } from '../../kit/within.js';
import type { OrderJournal, OrderKnown } from '../../store/order-journal.js';
import type { BusMessage } from '../contract.js';
import { timeOfId } from '../ids.js';
import { orderMessage, resultMessage, settingMessage, type OrderMessage, type ResultMessage, type SettingMessage } from '../messages.js';
import { orderSubject, resultSubject } from '../subjects.js';
import type { Alive } from './alive.js';
import { Answers } from './answers.js';
import { lastIdBefore, type Clocks } from './clocks.js';
import { failure, frontOf, refused, type Answer, type Asker, type Door, type Refusal, type Replying } from './door.js';
import type { Machines, OwnTarget } from './machines.js';
import { UnderWay } from './under-way.js';

export interface OrdersParts {
  /** the site's name */
  readonly site: string;
  readonly incarnation: string;
  readonly door: Door;
  readonly machines: Machines;
  readonly alive: Alive;
  readonly journal: OrderJournal;
  readonly clocks: Clocks;
  /** milliseconds until it is said that an order is under way, and from then on between two such words */
  readonly runningFirst: number;
  readonly runningEvery: number;
}

type Order = OrderMessage | SettingMessage;

const orderSchema = v.union([orderMessage, settingMessage]);

/** What the journal keeps of an order that may come to be lost: which machine to look at, and for whom. */
const aboutSchema = v.object({ provider: v.string(), machine: v.string(), instance: v.string(), account: v.string() });
type About = v.InferOutput<typeof aboutSchema>;

/** @param isNew it begins now, as is written on the disk; else it is older than that anything could begin it */
type Decide = (one: UnderWay, isNew: boolean) => Answer | Promise<Answer>;

/** Keys stand in the order in which the orders were made; a front has its own, so that none can touch another's. */
const keyOf = ({ id, front }: Asker): string => `${id} ${front}`;

const UNKNOWN: Answer = { state: 'lost', observed: 'unknown' };

/**
 * The orders that fronts send. Each is begun at most once for its id, whatever the bus makes of it:
 *
 *  - Its id is in the journal, on the disk, before anything else is decided about it; what came of it is written there, also
 *    where it was refused. Whoever sends it again, or asks, is answered from there.
 *  - An id that is asked about and not known is written down as never to be begun, before that is said.
 *  - What the journal may have forgotten, or another server of this name may have begun, is not begun, and not denied: it is `lost`.
 *  - Where the journal cannot be written, nothing is begun, and nothing of what was ordered until then ever will be: what comes
 *    later of that is told so, too.
 */
export class Orders {
  readonly #parts: OrdersParts;
  readonly #underWay = new Map<string, UnderWay>();
  readonly #answers = new Answers();
  /** to orders of a time to come: these are not written down, as they would push out of the journal what is under way */
  readonly #ahead = new Answers();
  readonly #acting = new Tally();
  #actingAll = 0;
  /** questions what became of orders, which the journal is to answer */
  readonly #asked = new Tally();
  /** on the steady clock: what was made before this process listened, and is not in the journal, is begun by nobody */
  readonly #first: number;
  /** the same of what was made before the journal could be written again, as far as something was refused that is not in it */
  #unwrittenUntil = -Infinity;
  #whenIdle: (() => void)[] = [];

  /** What was ordered before now is not begun. */
  constructor(parts: OrdersParts) {
    this.#parts = parts;
    this.#first = parts.clocks.steady();
  }

  /** How many are being carried out. */
  get size(): number {
    return this.#actingAll;
  }

  /** A message at the subject of orders. */
  takeOrder(asked: BusMessage): void {
    this.#parts.door.admit<Order>(asked, orderSubject(this.#parts.site), orderSchema, (order, to) => this.#order(order, to));
  }

  /** A message at the subject of questions what became of an order. One that is not answered is asked again. */
  takeResult(asked: BusMessage): void {
    this.#parts.door.admit<ResultMessage>(asked, resultSubject(this.#parts.site), resultMessage, (question, to) => this.#result(question, to));
  }

  #order(order: Order, to: Replying): void {
    const asker = { id: order.id, front: frontOf(order) };
    const key = keyOf(asker);
    if (this.#joined(key, asker, to)) return;
    const fault = this.#faultIn(order) ?? this.#aheadOf(order);
    if (fault) {
      if (fault.early) this.#ahead.set(key, fault);
      this.#parts.door.answer([to], asker, fault);
      return;
    }
    const { provider, machine, instance, principal: { account } } = order;
    void this.#process(key, asker, to, { provider, machine, instance, account }, (one, isNew) =>
      isNew ? this.#decide(key, order, one) : (this.#refusal(key, order) ?? this.#tooEarly()),
    );
  }

  #result(question: ResultMessage, to: Replying): void {
    const asker = { id: question.id, front: question.front };
    const key = keyOf(asker);
    if (question.cancel === true) this.#underWay.get(key)?.cancel(question.because);
    if (this.#joined(key, asker, to)) return;
    const made = timeOfId(question.id);
    if (made === undefined || made > this.#parts.clocks.now() + FLEET_CLOCK_SKEW) {
      // an order of such an id is refused, and so is one of a time to come when that has come
      if (made !== undefined) this.#ahead.set(key, { state: 'none' });
      this.#parts.door.answer([to], asker, { state: 'none' });
      return;
    }
    // as in #joined, nothing is said: whatever were, the bus could hand it on as an answer to the order itself
    if (this.#asked.of(asker.front) >= FLEET_RESULTS_PER_FRONT) return;
    this.#asked.add(asker.front);
    void this.#answerResult(key, asker, to).finally(() => this.#asked.take(asker.front));
  }

  /** Nothing is said, nor written down, before it is known whether another server of this name has begun it: it is asked again then. */
  async #answerResult(key: string, asker: Asker, to: Replying): Promise<void> {
    if (!await this.#isSettledWithin(FLEET_RESULT_TIMEOUT / 2) || this.#joined(key, asker, to)) return;
    await this.#process(key, asker, to, undefined, () => this.#deny(key));
  }

  /** Resolves when all that is under way has been answered, or after so many milliseconds. */
  async idle(ms: number): Promise<void> {
    if (this.#underWay.size > 0) await notLonger(ms, new Promise<void>((resolve) => this.#whenIdle.push(resolve)));
  }

  /** Whether it is under way or was answered just now, so that whoever asks is told with the others. */
  #joined(key: string, asker: Asker, to: Replying): boolean {
    const { door } = this.#parts;
    const one = this.#underWay.get(key);
    const answer = this.#answers.get(key) ?? this.#ahead.get(key);
    one?.join(to);
    if (one?.isActing) door.answer([to], asker, { state: 'running' });
    else if (answer) door.answer([to], asker, answer);
    // with so much at a time nothing is said, so that nothing has to be true: what becomes of it will be asked
    return one !== undefined || answer !== undefined || this.#underWay.size >= FLEET_ORDERS * 2;
  }

  /** @param about of an order; undefined: it is only asked what became of it @param decide what is answered where nobody has begun it */
  #process(key: string, asker: Asker, to: Replying, about: About | undefined, decide: Decide): Promise<void> {
    const one = new UnderWay(asker, to);
    this.#underWay.set(key, one);
    return this.#answerTo(key, one, about, decide).catch(failure).then((answer) => {
      one.end();
      this.#underWay.delete(key);
      if (answer !== undefined) {
        // a machine of which it is not known is looked at again, whenever somebody asks
        if (answer.state !== 'lost') this.#answers.set(key, answer);
        this.#parts.door.answer(one.askers, asker, answer);
      }
      if (this.#underWay.size === 0) this.#whenIdle.splice(0).forEach((tell) => tell());
    });
  }

  /** @returns undefined where nothing can be said for certain */
  async #answerTo(key: string, one: UnderWay, about: About | undefined, decide: Decide): Promise<Answer | undefined> {
    const { journal, incarnation, clocks } = this.#parts;
    let known: OrderKnown;
    try {
      known = await journal.begin(key, lastIdBefore(clocks, this.#first), incarnation, about === undefined ? '' : JSON.stringify(about));
    } catch {
      return this.#unwritten(key, about !== undefined);
    }
    if (known.state === 'ended') return JSON.parse(known.result) as Answer;
    if (known.state === 'open') return this.#lost(one.asker, readAbout(known.about));
    if (known.state === 'forgotten') return this.#lost(one.asker, about);
    if (known.state === 'absent') return decide(one, false);
    const answer = await Promise.resolve(decide(one, true)).catch(failure);
    // whoever asks later is answered from memory, or told that it is not known: nothing waits for the disk
    void journal.end(key, JSON.stringify(answer)).catch(() => undefined);
    return answer;
  }

  /** The journal cannot be written, nor read. What this process cannot have begun before is refused, and never begun from then on. */
  #unwritten(key: string, isOrder: boolean): Answer | undefined {
    if (this.#isBefore(key, this.#first) || key <= this.#answers.floor) return undefined;
    this.#unwrittenUntil = this.#parts.clocks.steady() + FLEET_CLOCK_SKEW;
    return isOrder ? refused('AUDIT UNAVAILABLE', `site ${this.#parts.site} cannot write its journal of orders; nothing was done`) : { state: 'none' };
  }

  /** What can never be, whenever it comes. */
  #faultIn({ id, at, sendBy }: Order): Refusal | undefined {
    if (timeOfId(id) === undefined) return refused('BAD REQUEST', 'the id of an order is a UUID of version 7');
    return sendBy - at > FLEET_SEND_LONGEST ? refused('BAD REQUEST', `an order is to be begun within ${formatDuration(FLEET_SEND_LONGEST)}`) : undefined;
  }

  /** Why an order that is of a time to come is not begun. */
  #aheadOf({ id, at }: Order): Refusal | undefined {
    const ahead = Math.max(timeOfId(id)!, at) - this.#parts.clocks.now();
    if (ahead <= FLEET_CLOCK_SKEW) return undefined;
    return { ...refused('UNREACHABLE', `the clocks differ: by that of site ${this.#parts.site} it is written ${formatDuration(ahead)} from now; nothing was done`), early: true };
  }

  /** What becomes of an order that is new. */
  async #decide(key: string, order: Order, one: UnderWay): Promise<Answer> {
    const { clocks, site } = this.#parts;
    const isSettled = await this.#isSettledWithin(order.sendBy - clocks.now());
    if (this.#isDoubtful(key)) return this.#lost(one.asker, { ...order, account: order.principal.account });
    const reason = this.#refusal(key, order);
    if (reason !== undefined) return reason;
    // the timer may end a moment before the clock says that it is too late
    if (!isSettled) return refused('UNREACHABLE', `site ${site} does not know yet whether there is another server of its name; nothing was done`);
    if (one.cancelled.aborted) return failure(endingFor(one.cancelled.reason, undefined).unsent);
    const { front } = one.asker;
    if (this.#actingAll >= FLEET_ORDERS || this.#acting.of(front) >= FLEET_ORDERS_PER_FRONT) return refused('BUSY', `site ${this.#parts.site} has too many orders under way; nothing was done`);
    this.#actingAll += 1;
    this.#acting.add(front);
    try {
      return await this.#act(order, one);
    } finally {
      this.#actingAll -= 1;
      this.#acting.take(front);
    }
  }

  /** What becomes of a question about an order that never came: that is never to be begun from now on. */
  async #deny(key: string): Promise<Answer> {
    const isSettled = await this.#isSettledWithin(FLEET_RESULT_TIMEOUT / 2);
    return isSettled && !this.#isDoubtful(key) ? { state: 'none' } : UNKNOWN;
  }

  /** Whether it was listened for another server of this name, at the latest after so many milliseconds. */
  async #isSettledWithin(ms: number): Promise<boolean> {
    let isSettled = false;
    await notLonger(Math.max(0, ms), this.#parts.alive.settled().then(() => { isSettled = true; }));
    return isSettled;
  }

  /** Whether another server of this name may have begun it before the two knew of each other. */
  #isDoubtful(key: string): boolean {
    const { met } = this.#parts.alive;
    return met !== undefined && this.#isBefore(key, met + FLEET_CLOCK_SKEW);
  }

  /** Whether an order was made before a moment of the steady clock. */
  #isBefore(key: string, moment: number): boolean {
    return key <= lastIdBefore(this.#parts.clocks, moment);
  }

  /** Why a new order is not begun; nobody has. */
  #refusal(key: string, { sendBy, id }: Order): Answer | undefined {
    const { alive, clocks, site } = this.#parts;
    const now = clocks.now();
    if (alive.trouble !== undefined) return refused('UNREACHABLE', alive.trouble);
    const late = now - sendBy;
    if (late > 0) return refused('UNREACHABLE', `it came to site ${site} ${formatDuration(late)} too late, or the clocks differ; nothing was done`);
    const age = now - timeOfId(id)!;
    if (age > FLEET_SEND_LONGEST + FLEET_CLOCK_SKEW) return refused('UNREACHABLE', `it came to site ${site} when it was ${formatDuration(age)} old; nothing was done`);
    if (this.#isBefore(key, Math.max(this.#first, (alive.cleared ?? -Infinity) + FLEET_CLOCK_SKEW))) return this.#tooEarly();
    return this.#isBefore(key, this.#unwrittenUntil)
      ? refused('AUDIT UNAVAILABLE', `site ${site} could not write its journal of orders a moment ago; nothing was done`)
      : undefined;
  }

  #tooEarly(): Answer {
    return refused('UNREACHABLE', `it was written before site ${this.#parts.site} could take orders; nothing was done`);
  }

  async #act(order: Order, one: UnderWay): Promise<Answer> {
    const { machines, door, runningFirst, runningEvery } = this.#parts;
    return machines.as(order.principal, async (actor) => {
      const on = machines.find(actor, order);
      one.begin(() => door.answer(one.askers, one.asker, { state: 'running', ...this.#doing(actor, order) }), runningFirst, runningEvery);
      if ('set' in order) {
        const { result } = await actor.configure(on, { operation: order.set, value: order.value }, { deadline: order.deadline });
        return { state: 'ended', result };
      }
      const { result, before, after, verified } = await actor.power(on, { action: order.do, mode: order.mode, wait: order.wait }, { deadline: order.deadline });
      return { state: 'ended', result, before, after, verified };
    }, one.cancelled);
  }

  /** What it does just now, where that can be told from what else is done to the machine on the same behalf. */
  #doing(actor: Actor, order: Order): { readonly doing?: string } {
    if (this.#actingAll > FLEET_ORDERS_TOLD) return {};
    const operation = 'set' in order ? order.set : order.do;
    const own = actor.tasks.list().filter((task) => task.account === actor.name && task.operation === operation && task.instance === `${order.provider}/${order.instance}`);
    return own.length === 1 ? { doing: own[0]!.doing } : {};
  }

  /** An order that was begun, or may have been, and nobody knows more: what can be seen of its machine now. */
  async #lost({ front }: Asker, about: (OwnTarget & { readonly account: string }) | undefined): Promise<Answer> {
    if (about === undefined) return UNKNOWN;
    return { state: 'lost', observed: await this.#parts.machines.observe({ front, account: about.account, from: '' }, about) };
  }
}

function readAbout(text: string): About | undefined {
  try {
    return v.parse(aboutSchema, JSON.parse(text));
  } catch {
    // it was only asked what had become of it, and the answer was not written down
    return undefined;
  }
}
