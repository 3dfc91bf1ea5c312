import { type Load, measure } from './load.js';
import type { Server } from './peers/bare.js';
import type { Row, Target, Unit } from './report.js';
import { interleave, pairedRatio, summarise } from './stats.js';

/** How long and how often is measured. */
export interface Settings {
  /** runs of each side of each row */
  readonly rounds: number;
  /** measured seconds of a run of load, after the warm-up */
  readonly seconds: number;
  readonly warmUp: number;
}

export const FULL: Settings = { rounds: 5, seconds: 1, warmUp: 0.3 };
/** To see that everything works; its figures are rough. */
export const QUICK: Settings = { rounds: 3, seconds: 0.3, warmUp: 0.2 };

/** Yields its rows as it measures them. */
export type Scenario = (settings: Settings) => AsyncGenerator<Row>;

/** One server under one load. */
export interface Side {
  readonly server: Server;
  readonly load: Omit<Load, 'port' | 'seconds' | 'warmUp'>;
}

/** Requests a second of ours beside a peer's, in turn. */
export async function compareRates(
  settings: Settings, what: string, ours: Side, peer: Side & { name: string }, target?: (ratio: number) => Target,
): Promise<Row> {
  const once = ({ server, load }: Side) => () => measure(server.pid,
    { ...load, port: server.port, seconds: settings.seconds, warmUp: settings.warmUp });
  const [mine = [], theirs = []] = await interleave(settings.rounds, [once(ours), once(peer)]);
  const [ourRates, peerRates] = [mine.map((r) => r.rps), theirs.map((r) => r.rps)];
  const ratio = pairedRatio(ourRates, peerRates);
  const middle = (key: 'cpuUs' | 'rssMb') =>
    ({ ours: summarise(mine.map((r) => r[key])).median, peer: summarise(theirs.map((r) => r[key])).median });
  return {
    what, unit: 'req/s', ours: summarise(ourRates), peer: { name: peer.name, figure: summarise(peerRates) },
    ratio, cpu: middle('cpuUs'), memory: middle('rssMb'), ...(target && { target: target(ratio) }),
  };
}

/** Any figure of ours beside a peer's, in turn; the ratio is ours to the peer's. */
export async function compareFigures(
  settings: Settings, what: string, unit: Unit, ours: () => Promise<number>,
  peer: { name: string; measure: () => Promise<number> }, target?: (ours: number, ratio: number) => Target,
): Promise<Row> {
  const [mine = [], theirs = []] = await interleave(settings.rounds, [ours, peer.measure]);
  const ratio = pairedRatio(mine, theirs);
  const figure = summarise(mine);
  return {
    what, unit, ours: figure, peer: { name: peer.name, figure: summarise(theirs) }, ratio,
    ...(target && { target: target(figure.median, ratio) }),
  };
}
