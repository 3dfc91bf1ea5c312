import { ArgoError } from '../../kit/errors.js';
import { at, listOf, numberOf, type VimValue } from '../../protocols/vim/value.js';
import { ask, type Context } from './context.js';
import { explained } from './errors.js';
import type { Item } from './inventory.js';
import { requireOn } from './readings.js';

/**
 * Network traffic. vSphere keeps rates, not sums: real-time samples of 20 s for the last hour
 * (PerformanceManager.QueryPerf). What they add up to is what is told.
 */

const REALTIME_INTERVAL_S = 20;
/** An hour's. */
const SAMPLES = 180;
/** net.received.average and net.transmitted.average are in units of 1,000 bytes a second. */
const BYTES = 1000;

const COUNTERS = { rx: 'net.received.average', tx: 'net.transmitted.average' } as const;

/** The numbers of the counters, which differ from server to server and stay the same on one. */
const counters = new WeakMap<Context, ReadonlyMap<string, number>>();

/** Bytes received or sent in the last hour, or since it was started where that is less. */
export async function readTraffic(context: Context, item: Item, side: 'rx' | 'tx', signal: AbortSignal): Promise<bigint> {
  requireOn(await ask(context, item.ref, ['runtime.powerState', 'runtime.connectionState'], signal));
  const counterId = (await counterIds(context, signal)).get(COUNTERS[side]);
  if (counterId === undefined) throw new ArgoError('NOT SUPPORTED', `vSphere does not count ${COUNTERS[side]}`);
  const querySpec = [{
    entity: item.ref, maxSample: SAMPLES, metricId: [{ counterId, instance: '' }], intervalId: REALTIME_INTERVAL_S, format: 'normal',
  }];
  const { session } = context;
  const answer = await explained('question', () => session.ask('QueryPerf', perfManager, { querySpec }, signal));
  const series = listOf(answer).flatMap((metric) => listOf(at(metric, 'value')));
  if (series.length === 0) throw new ArgoError('NOT SUPPORTED', 'vSphere has no samples of its traffic yet');
  // A sample of -1 was not taken.
  const rates = series.flatMap((one) => listOf(at(one, 'value'))).map(numberOf).filter((rate) => rate !== undefined && rate >= 0) as number[];
  return BigInt(rates.reduce((sum, rate) => sum + rate, 0)) * BigInt(REALTIME_INTERVAL_S * BYTES);
}

function perfManager(service: { readonly perfManager: { type: string; value: string } | undefined }): { type: string; value: string } {
  if (service.perfManager === undefined) throw new ArgoError('NOT SUPPORTED', 'this server counts nothing');
  return service.perfManager;
}

async function counterIds(context: Context, signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  const known = counters.get(context);
  if (known) return known;
  const { service } = await explained('question', () => context.session.login(signal));
  const list = (await ask(context, perfManager(service), ['perfCounter'], signal)).get('perfCounter');
  const found = new Map(listOf(list).map((info: VimValue) =>
    [`${String(at(info, 'groupInfo', 'key'))}.${String(at(info, 'nameInfo', 'key'))}.${String(at(info, 'rollupType'))}`, numberOf(at(info, 'key')) ?? -1]));
  counters.set(context, found);
  return found;
}
