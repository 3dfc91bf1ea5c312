import type { FarCall, FarChange, FarOrder, FarOutcome } from '../../drivers/far.js';
import type { PowerAction } from '../../instances/operation-table.js';
import { ArgoError } from '../../kit/errors.js';
import { FairPlaces } from '../../kit/fair-places.js';
import { FLEET_ORDERS_PER_FRONT } from '../../kit/fleet-limits.js';
import { CALLS_WAITING, CALLS_WAITING_PER_ACCOUNT, HARD_STOP_TIMEOUT, PLACES_SHARE } from '../../kit/limits.js';
import type { Target } from '../contract.js';
import { newId } from '../ids.js';
import { FLEET_VERSION, type Asked, type OrderMessage, type SettingMessage } from '../messages.js';
import type { AskedValues } from '../values.js';
import { Errand, PACE, type Ended, type Pace } from './errand.js';
import { ask } from './question.js';
import { outOfReach } from './refusal.js';
import type { Sites, SitesTimes } from './sites.js';
import type { Talk } from './talk.js';

export interface SiteOrdersParts {
  readonly talk: Talk;
  readonly sites: Sites;
  /** as configured now */
  times(): SitesTimes;
  readonly pace?: Pace;
}

/** What a front has sites do and tell. */
export class SiteOrders {
  readonly #parts: SiteOrdersParts;
  /** orders under way, by site: all accounts have their share */
  readonly #places = new Map<string, FairPlaces>();
  #underWay = 0;

  constructor(parts: SiteOrdersParts) {
    this.#parts = parts;
  }

  /** How many orders are under way. */
  get underWay(): number {
    return this.#underWay;
  }

  /** @throws ArgoError as of {@link FarGate.power} */
  async power(target: Target, order: FarOrder, call: FarCall): Promise<FarOutcome> {
    const { answer, isRecent } = await this.#carry(target, call, longest(order, call), (common): OrderMessage => ({
      ...common, do: order.action as PowerAction, mode: order.mode, wait: order.wait,
    }));
    const { result, before = 'unknown', after = 'unknown', verified = false } = answer;
    if (order.wait !== false && !verified) throw new ArgoError('UNCERTAIN', `site ${target.site} says that it is ${result}, and not that it has seen it`);
    return { result, before, after, verified, isRecent };
  }

  /** @throws ArgoError as of {@link FarGate.change} */
  async change(target: Target, { operation, value }: FarChange, call: FarCall): Promise<Pick<FarOutcome, 'result'>> {
    const {
      answer: { result },
    } = await this.#carry(target, call, call.deadline ?? call.actionTimeout, (common): SettingMessage => ({
      ...common,
      set: operation,
      value,
    }));
    return { result };
  }

  /** @throws ArgoError */
  plan(target: Target, order: FarOrder, { account, from, deadline, signal }: Omit<FarCall, 'doing'>): Promise<string> {
    return this.#ask(target, 'plan', signal, { account, from }, { order: { do: order.action as PowerAction, mode: order.mode, wait: order.wait }, deadline });
  }

  /** A reading. It is asked on behalf of all who wait for it, so that it is the front's own. @throws ArgoError; the signal's reason */
  read<Name extends Exclude<Asked, 'plan'>>(target: Target, name: Name, signal: AbortSignal): Promise<AskedValues[Name]> {
    return this.#ask(target, name, signal, { account: this.#parts.talk.front, from: '' }, {});
  }

  async #carry(target: Target, call: FarCall, ms: number, write: (common: Omit<SettingMessage, 'set' | 'value'>) => OrderMessage | SettingMessage): Promise<Ended> {
    const { talk, sites, times, pace = PACE } = this.#parts;
    const { site } = target;
    this.#requireSound(site);
    const leave = await this.#placesOf(site).take(call.signal, [call.account]).catch((thrown: unknown) => {
      throw thrown instanceof ArgoError && thrown.phrase === 'BUSY' ? new ArgoError('BUSY', `too many orders for site ${site} wait already`) : thrown;
    });
    this.#underWay += 1;
    try {
      this.#requireSound(site);
      const at = Date.now();
      const sendBy = at + times().sendTimeout;
      const message = write({
        v: FLEET_VERSION, id: newId(at), ...target, ...(call.deadline !== undefined && { deadline: call.deadline }),
        principal: { account: call.account || talk.front, from: call.from, front: talk.front }, at, sendBy, answerBy: Math.ceil(sendBy + ms + pace.answerGrace),
      });
      return await new Errand({ talk, sites, message, pace, signal: call.signal, doing: call.doing && ((words) => call.doing!(words)) }).run();
    } finally {
      this.#underWay -= 1;
      leave();
      if (this.#places.get(site)?.taken === 0) this.#places.delete(site);
    }
  }

  #ask<Name extends Asked>(
    target: Target, name: Name, signal: AbortSignal, who: { readonly account: string; readonly from: string }, more: Parameters<typeof ask>[2],
  ): Promise<AskedValues[Name]> {
    const { talk, sites, times } = this.#parts;
    return ask({ talk, sites, times }, { target, name, signal, principal: { account: who.account || talk.front, from: who.from, front: talk.front } }, more);
  }

  /** @throws ArgoError UNREACHABLE at once where nothing can be ordered there */
  #requireSound(site: string): void {
    const { trouble } = this.#parts.sites.standing(site);
    if (trouble !== undefined) throw outOfReach(site, trouble);
  }

  #placesOf(site: string): FairPlaces {
    let places = this.#places.get(site);
    if (places === undefined) {
      places = new FairPlaces({
        places: FLEET_ORDERS_PER_FRONT, waiting: CALLS_WAITING,
        groups: [{ waiting: CALLS_WAITING_PER_ACCOUNT, share: Math.floor(FLEET_ORDERS_PER_FRONT * PLACES_SHARE) }],
      });
      this.#places.set(site, places);
    }
    return places;
  }
}

/** Milliseconds that an action takes at most, as far as can be told here. */
function longest({ mode, wait }: FarOrder, { deadline, actionTimeout }: FarCall): number {
  const verifying = typeof wait === 'number' ? wait : 0;
  if (typeof mode === 'object') return Math.max(mode.softFor, actionTimeout, verifying) + HARD_STOP_TIMEOUT;
  return deadline === undefined ? verifying || actionTimeout : deadline + verifying;
}
