import { setTimeout as pause } from 'node:timers/promises';
import { within } from '../../kit/within.js';

/** How often it is looked whether what is held of a server is still true, ms. */
export interface UpkeepPace {
  /** whether the server still answers: it is told of a silent one within two of these */
  readonly alive: number;
  /** whether it has as many objects as are held */
  readonly count: number;
  /** whether all of them are what is held of them */
  readonly all: number;
}

export const UPKEEP_PACE: UpkeepPace = { alive: 3000, count: 60_000, all: 10 * 60_000 };

/** For an answer to whether it still answers, as a part of {@link UpkeepPace.alive}. */
export const ALIVE_SHARE = 0.8;
/** For a count, and for a check of all, ms. */
const CHECK_LIMIT = 5 * 60_000;

/** What is done at that pace. */
export interface Upkeep {
  /** @throws where the server does not answer */
  ask(signal: AbortSignal): Promise<void>;
  /** told of each of its silences once, and once of the end of each */
  heard(error: unknown): void;
  /** @returns whether everything has to be checked now */
  differs(signal: AbortSignal): Promise<boolean>;
  checkAll(signal: AbortSignal): Promise<void>;
}

/** Goes on until the signal ends it. Never rejects. */
export async function keepUp(upkeep: Upkeep, pace: UpkeepPace, signal: AbortSignal): Promise<void> {
  await Promise.all([keepAsking(upkeep, pace, signal), keepChecking(upkeep, pace, signal)]);
}

async function keepAsking(upkeep: Upkeep, { alive }: UpkeepPace, signal: AbortSignal): Promise<void> {
  while (await hasPassed(alive, signal)) {
    const error = await within(alive * ALIVE_SHARE, [signal], (limit) => upkeep.ask(limit)).then(() => undefined, (thrown: unknown) => thrown);
    if (!signal.aborted) upkeep.heard(error);
  }
}

/** What fails here is found out by those who follow the server's news as well. */
async function keepChecking(upkeep: Upkeep, { count, all }: UpkeepPace, signal: AbortSignal): Promise<void> {
  let checked = performance.now();
  while (await hasPassed(count, signal)) {
    const check = async (limit: AbortSignal): Promise<void> => {
      if (performance.now() - checked < all && !await upkeep.differs(limit)) return;
      await upkeep.checkAll(limit);
      checked = performance.now();
    };
    await within(CHECK_LIMIT, [signal], check).catch(() => undefined);
  }
}

const hasPassed = (ms: number, signal: AbortSignal): Promise<boolean> =>
  pause(ms, true, { signal, ref: false }).catch(() => false);
