import { PacedLog } from '../../../src/kit/paced-log.js';
import { PACE, type Pace } from '../../../src/fleet/front/errand.js';
import type { Target } from '../../../src/fleet/contract.js';
import { SiteOrders } from '../../../src/fleet/front/orders.js';
import { SiteKeys } from '../../../src/fleet/site-keys.js';
import { Sites, type SitesTimes } from '../../../src/fleet/front/sites.js';
import { Talk } from '../../../src/fleet/front/talk.js';
import { newSeed, NkeySigner } from '../../../src/fleet/signer.js';
import type { FarCall, FarOrder } from '../../../src/drivers/far.js';
import { MemoryHub, type MemoryBus } from '../../support/fleet/memory-bus.js';
import { ScriptedSite } from '../../support/fleet/scripted-site.js';
import { until } from '../../support/until.js';

/** For a condition that comes soon, ms. */
export const WITHIN = 30_000;

/** So that a test need not last as long as an order may. */
const FAST: Pace = {
  ...PACE,
  firstWord: 100,
  resultTimeout: 100,
  resultPause: 20,
  askAgainLongest: 50,
  runningInterval: 200,
  runningPatience: 400,
  answerGrace: 200,
  cancelTimeout: 300,
};

export const TARGET: Target = { site: 'berlin', provider: 'kvm1', machine: 'id of web1', instance: 'web1' };
export const STOP: FarOrder = { action: 'stop', mode: 'soft', wait: true };

export interface WorldOptions {
  readonly pace?: Partial<Pace>;
  /** ms in which an order has to be begun */
  readonly sendTimeout?: number;
  readonly deadAfter?: number;
  /** the front knows no keys of sites */
  readonly isOpen?: boolean;
  /** the site has the front's own name */
  readonly isOwn?: boolean;
  /** the site gives no sign of life yet */
  readonly isUnheard?: boolean;
}

interface FrontParts {
  readonly bus: MemoryBus;
  readonly signer: NkeySigner;
  readonly keys: SiteKeys;
  readonly refused: PacedLog;
  readonly pace: Pace;
  times(): SitesTimes;
}

/** What of the front f1 orders at sites. */
export function orderingFront(t: { teardown(work: () => void): void }, { bus, signer, keys, refused, pace, times }: FrontParts) {
  const talk = new Talk({ bus, signer, front: 'f1', keys, refused });
  const sites = new Sites({ talk, keys, refused, times });
  t.teardown(() => sites.close());
  return { talk, sites, orders: new SiteOrders({ talk, sites, times, pace }) };
}

/** Has a site give signs of life until it counts as there: one may count for less than it takes to look. */
export const soundSite = (site: ScriptedSite, sites: Sites): Promise<void> => until(() => {
  if (sites.info(site.name).trouble === undefined) return true;
  site.alive();
  return false;
}, WITHIN, 'a sound site');

/** A front, and a site that does what the test says. */
export async function world(t: { teardown(work: () => void): void }, options: WorldOptions = {}) {
  const hub = new MemoryHub();
  const signer = new NkeySigner(newSeed());
  const site = new ScriptedSite(hub, 'berlin', signer.publicKey);
  const bus = hub.connect('f1');
  const refusals: unknown[] = [];
  const refused = new PacedLog((_level, _message, facts) => { refusals.push(facts); }, 'refused');
  const keys = new SiteKeys(options.isOpen || options.isOwn ? undefined : new Map([['berlin', site.signer.publicKey]]), options.isOwn ? 'berlin' : undefined);
  const times = () => ({ deadAfter: options.deadAfter ?? 20_000, sendTimeout: options.sendTimeout ?? 5000 });
  const { talk, sites, orders } = orderingFront(t, { bus, signer, keys, refused, times, pace: { ...FAST, ...options.pace } });
  const cancel = new AbortController();
  const call: FarCall = { account: 'kim', from: '10.1.2.3:4411', actionTimeout: 60_000, signal: cancel.signal };
  if (!options.isUnheard) await soundSite(site, sites);
  return {
    hub, signer, site, bus, refusals, keys, talk, sites, orders, cancel, call,
    power: (order = STOP, more: Partial<FarCall> = {}) => orders.power(TARGET, order, { ...call, ...more }),
  };
}
