import { Sleepers, type Bell } from '../kit/bell.js';
import { BUS_STORE_PAUSE, FLEET_STREAM_GATHERING } from '../kit/fleet-limits.js';
import { BusError, isConflict, type Bus } from './contract.js';

/** What is on this server's disk, on its way into a stream of the bus. */
export interface Sending {
  readonly bus: Pick<Bus, 'trouble'>;
  /** rung when there is something new, the connection is another, or it is to end */
  readonly bell: Bell;
  /** Whether it ends as soon as there is nothing to send, or that fails. */
  isEnding?(): boolean;
  /** Sends what is the oldest, if there is anything. @returns whether there was more than that already @throws BusError, StateError */
  send(): Promise<boolean>;
  /** What the stream has is not known any more: it is read before the next is sent. */
  doubt(): void;
  /** It did not work, and is tried again after a pause. @param isDown only the connection is away, which is told elsewhere */
  failed(error: Error, isDown: boolean): void;
}

/**
 * Sends for as long as there is something and the connection is there, one after the other, until it ends or the signal is aborted.
 * What comes meanwhile, or soon after that, waits for a moment for more, since several cost little more than one: FLEET_STREAM_GATHERING.
 * What fails is tried again after BUS_STORE_PAUSE, however much comes meanwhile. Never rejects.
 */
export async function keepSending(sending: Sending, signal: AbortSignal): Promise<void> {
  const { bus, bell, isEnding = () => false, doubt, failed } = sending;
  const pauses = new Sleepers();
  let sent = -Infinity;
  while (!signal.aborted) {
    const { rings } = bell;
    try {
      if (bus.trouble === undefined) {
        const hasMore = await sendOnce(sending);
        sent = performance.now();
        if (hasMore) continue;
      }
      // what came since it was looked is sent as well
      if (isEnding() && (bell.rings === rings || bus.trouble !== undefined)) return;
      await bell.wait(signal, rings);
      const rest = sent + FLEET_STREAM_GATHERING - performance.now();
      if (rest > 0 && !isEnding()) await pauses.sleep(signal, rest);
    } catch (thrown) {
      if (signal.aborted) return;
      doubt();
      failed(thrown as Error, thrown instanceof BusError && thrown.reason === 'down');
      if (isEnding()) return;
      await pauses.sleep(signal, BUS_STORE_PAUSE);
    }
  }
}

/** Where others have written, which may be an attempt of before that has arrived, or the stream forgets what is old, it is sent once more. */
async function sendOnce({ send, doubt }: Sending): Promise<boolean> {
  try {
    return await send();
  } catch (thrown) {
    if (!isConflict(thrown)) throw thrown;
    doubt();
    return send();
  }
}
