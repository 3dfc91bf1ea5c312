import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PingerLease } from '../../../drivers/host/power.js';
import type { InstanceInfo } from '../../../instances/info.js';
import { ArgoError, toArgoError } from '../../../kit/errors.js';
import type { Log } from '../../../kit/log.js';
import { Places } from '../../../kit/places.js';
import { PING_LONGEST, PING_PACKETS, PINGS_AT_A_TIME, PINGS_KEPT } from '../../../kit/zabbix-collecting-limits.js';
import { CannotTell } from '../../../protocols/ping/outcome.js';
import type { Answer, ItemRequest, PingAsker, PingFigures, PingQuestion } from './item-request.js';

/** `icmpping`, `icmppingsec` and `icmppingloss`, as the simple checks of those names (https://www.zabbix.com/documentation/6.0/en/manual/config/items/itemtypes/simple_checks). */

const USAGE = 'PACKETS is 1 to 100, INTERVAL (ms) at least 20, SIZE is left out, TIMEOUT (ms) 50 to 5000';

/** @throws ArgoError */
export async function pingValue(kind: 'alive' | 'seconds' | 'loss', request: ItemRequest, instance: InstanceInfo): Promise<Answer> {
  const [target = '', packets = '', interval = '', size = '', timeout = '', mode = ''] = request.parameters;
  const question = {
    target: target === '' ? await addressOf(request, instance) : target,
    packets: wholeWithin(packets, 3, 1, PING_PACKETS),
    interval: wholeWithin(interval, 1000, 20, PING_LONGEST),
    timeout: wholeWithin(timeout, 500, 50, 5000),
  };
  if (size !== '') throw new ArgoError('USAGE', USAGE);
  if (question.packets * (question.interval + question.timeout) > PING_LONGEST) throw new ArgoError('USAGE', 'PACKETS, INTERVAL and TIMEOUT may come to a minute at the most');
  if (!['', 'min', 'max', 'avg'].includes(mode)) throw new ArgoError('USAGE', 'MODE is min, max or avg');
  const { sent, trips } = await request.pings.ask(question, request.call.maxAge ?? 0);
  if (kind === 'alive') return trips.length > 0 ? 1 : 0;
  if (kind === 'loss') return (sent - trips.length) / sent * 100;
  return secondsOf(trips, mode);
}

/** 0 where nothing came back, as the check of this name has it. */
function secondsOf(trips: readonly number[], mode: string): number {
  if (trips.length === 0) return 0;
  const ms = mode === 'min' ? Math.min(...trips) : mode === 'max' ? Math.max(...trips) : trips.reduce((sum, trip) => sum + trip, 0) / trips.length;
  return Number((ms / 1000).toFixed(6));
}

function wholeWithin(text: string, usual: number, least: number, most: number): number {
  if (text === '') return usual;
  const value = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  if (!(value >= least && value <= most)) throw new ArgoError('USAGE', USAGE);
  return value;
}

/** Stands in an interface for "not known": nobody is pinged there. */
const NOBODY: ReadonlySet<string> = new Set(['', '0.0.0.0', '::']);

/** The address of the host's interface, or where that says nothing the one that the instance is known to have. @throws ArgoError */
async function addressOf({ actor, addresses, call }: ItemRequest, instance: InstanceInfo): Promise<string> {
  const configured = addresses.find((address) => !NOBODY.has(address));
  if (configured !== undefined) return configured;
  const [known] = await actor.read(instance, 'ip', call);
  if (known === undefined) throw new ArgoError('NOT SUPPORTED', `no address of ${instance.name} is known`);
  return known;
}

interface Kept {
  readonly began: number;
  readonly figures: Promise<PingFigures>;
}

/** Pings for items: three items that ask the same of a target cost it one round of packets. */
export class Pings implements PingAsker {
  readonly #log: Log;
  readonly #places = new Places(PINGS_AT_A_TIME, PINGS_KEPT);
  readonly #closed = new AbortController();
  readonly #kept = new Map<string, Kept>();
  #lease: PingerLease | undefined;

  constructor(log: Log) {
    this.#log = log;
    // each ping under way listens to it
    setMaxListeners(0, this.#closed.signal);
  }

  ask(question: PingQuestion, maxAge: number): Promise<PingFigures> {
    const { target, packets, interval, timeout } = question;
    const key = `${packets} ${interval} ${timeout} ${target}`;
    const known = this.#kept.get(key);
    if (known && performance.now() - known.began < maxAge) return known.figures;
    const figures = this.#ping(question);
    this.#kept.delete(key);
    this.#kept.set(key, { began: performance.now(), figures });
    if (this.#kept.size > PINGS_KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    return figures;
  }

  close(): void {
    this.#closed.abort(new ArgoError('SHUTTING DOWN'));
    this.#lease?.release();
    this.#lease = undefined;
  }

  async #ping({ target, packets, interval, timeout }: PingQuestion): Promise<PingFigures> {
    const { signal } = this.#closed;
    const release = await this.#places.take(signal);
    try {
      // with the first ping: most proxies have none, and a start is shorter without
      const { leasePinger } = await import('../../../drivers/host/power.js');
      signal.throwIfAborted();
      const { pinger } = this.#lease ??= leasePinger(this.#log);
      const trips: number[] = [];
      for (let sent = 0; sent < packets; sent += 1) {
        if (sent > 0) await sleep(interval, undefined, { signal });
        const result = await pinger.ping(target, { signal, retries: 0, timeout, background: true });
        if (result.alive) trips.push(result.ms);
      }
      return { sent: packets, trips };
    } catch (thrown) {
      if (signal.aborted) throw signal.reason as Error;
      throw thrown instanceof CannotTell ? new ArgoError('UNREACHABLE', `it cannot be told whether ${target} answers: ${thrown.message}`) : toArgoError(thrown);
    } finally {
      release();
    }
  }
}
