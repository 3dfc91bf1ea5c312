import { mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { keysSubject } from '../../../src/fleet/bus-store.js';
import type { Bucket } from '../../../src/fleet/contract.js';
import { seal, unseal } from '../../../src/fleet/sealed.js';
import { newSeed, NkeySigner } from '../../../src/fleet/signer.js';
import { SiteKeys } from '../../../src/fleet/site-keys.js';
import type { Clocks } from '../../../src/fleet/site/clocks.js';
import { SiteLease, type LeaseTimes } from '../../../src/fleet/site/lease.js';
import { LEASES_BUCKET } from '../../../src/fleet/subjects.js';
import type { MemoryBus, MemoryHub } from './memory-bus.js';

/** Sites that want a lease, in a time of their own. */

export const TIMES: LeaseTimes = { ttl: 1000, renew: 200, margin: 300, look: 50 };
/** Longer than anything that is waited for here, ms of the time of the tests. */
const WAIT = 20_000;
export const STEP = 10;
/** Turns of the event loop in which all is done that takes no time: an answer of the store comes two turns after its question. */
const TURNS = 10;
/** 1 January 2026 */
const BEGINNING = 1_767_225_600_000;

/** The time of a test passes only when everything was done that there was to do until then: how slow the computer is means nothing. */
let passed = 0;
export const CLOCKS: Clocks = { steady: () => passed, now: () => BEGINNING + passed };
/** what looks on in each turn */
const looks = new Set<() => void>();

export async function pass(ms: number): Promise<void> {
  for (const end = passed + ms; passed < end;) {
    await settle();
    passed += STEP;
    mock.timers.tick(STEP);
  }
  await settle();
}

async function settle(): Promise<void> {
  for (let count = 0; count < TURNS; count += 1) {
    await turn();
    for (const look of looks) look();
  }
}

export async function until(holds: () => boolean, what: string): Promise<void> {
  await settle();
  for (const end = passed + WAIT; !holds(); await pass(STEP)) if (passed >= end) throw new Error(`waited ${WAIT} ms in vain for ${what}`);
}

/** To be called at the beginning of a file: its timers are these. */
export function inOwnTime(): void {
  t.before(() => mock.timers.enable({ apis: ['setTimeout'] }));
  t.after(() => mock.timers.reset());
  t.afterEach(() => looks.clear());
}

/** The key of a site: the same in each of its lives. */
const signers = new Map<string, NkeySigner>();
export function signerOf(site: string): NkeySigner {
  const known = signers.get(site) ?? new NkeySigner(newSeed());
  signers.set(site, known);
  return known;
}
export const sealed = (signer: NkeySigner, message: object, key = 'san1'): Uint8Array => seal(signer, keysSubject(LEASES_BUCKET, key), Buffer.from(JSON.stringify(message)));

/** One who wants the lease, with clocks that the test can set on. */
export class Member {
  readonly bus: MemoryBus;
  readonly lease: SiteLease;
  readonly logged: string[] = [];
  readonly refused: Readonly<Record<string, unknown>>[] = [];
  changes = 0;
  ended = 0;
  steady = 0;
  day = 0;

  constructor(hub: MemoryHub, readonly site: string, incarnation = `${site}-incarnation-1`, keys = new SiteKeys(undefined), seen = (bucket: Bucket): Bucket => bucket) {
    this.bus = hub.connect(site);
    this.lease = new SiteLease('san1', {
      bucket: seen(this.bus.bucket(LEASES_BUCKET)),
      site,
      incarnation,
      signer: signerOf(site),
      keys,
      refused: { add: (facts) => void this.refused.push(facts) },
      times: TIMES,
      changed: () => void (this.changes += 1),
      log: (level, message) => void this.logged.push(`${level} ${message}`),
      clocks: { steady: () => CLOCKS.steady() + this.steady, now: () => CLOCKS.now() + this.day },
    });
    this.lease.onEnd(() => void (this.ended += 1));
  }

  get isHeld(): boolean {
    return this.lease.left > 0;
  }

  /** It dies without a word. */
  die(): void {
    this.bus.cut();
  }
}

export const value = (hub: MemoryHub): Record<string, unknown> | undefined => {
  const entry = hub.store.get(LEASES_BUCKET, 'san1');
  return entry?.value && JSON.parse(Buffer.from(unseal(entry.value)!.content).toString()) as Record<string, unknown>;
};

/** Looks all the time how many hold it. @returns the most at a time */
export function watched(members: readonly Member[]): () => number {
  let most = 0;
  looks.add(() => { most = Math.max(most, members.filter(({ isHeld }) => isHeld).length); });
  return () => most;
}
