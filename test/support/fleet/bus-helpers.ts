import type { Test } from 'tap';
import { BusError, type Bus, type KeyEntry } from '../../../src/fleet/contract.js';

/** What tests of a bus share, of the real one and of the one in memory. */

/** For what comes soon, on a busy machine. */
export const LONG_MS = 30_000;

export const bytes = (text: string): Buffer => Buffer.from(text);
export const words = ({ data }: { readonly data: Uint8Array }): string => Buffer.from(data).toString();

/** The error of the bus by which it fails. */
export async function failure(work: Promise<unknown>): Promise<BusError> {
  const error = await work.then(() => undefined, (thrown: unknown) => thrown);
  if (!(error instanceof BusError)) throw new Error(`no BusError, but ${String(error)}`);
  return error;
}

export interface Watched {
  readonly entries: KeyEntry[];
  /** by key: the last value, undefined where it was deleted */
  readonly last: Map<string, string | undefined>;
  settled: number;
  stop(): void;
}

/** Watches a bucket until it is stopped, or the test ends. */
export function watch(t: Test, bus: Bus, bucket: string, filter: string, told: (entry: KeyEntry) => void | Promise<void> = () => undefined): Watched {
  const controller = new AbortController();
  const watched: Watched = { entries: [], last: new Map(), settled: 0, stop: () => { controller.abort(); } };
  bus.bucket(bucket).watch(filter, (entry) => {
    watched.entries.push(entry);
    watched.last.set(entry.key, entry.value === undefined ? undefined : Buffer.from(entry.value).toString());
    return told(entry);
  }, controller.signal, () => { watched.settled += 1; });
  t.teardown(watched.stop);
  return watched;
}
