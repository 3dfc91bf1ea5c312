import { FLEET_MESSAGE, FLEET_PARCEL } from '../kit/fleet-limits.js';
import { MessageFault, readContent } from './messages.js';

/**
 * Orders, questions and answers of one sender to one place go together where they are there at the same time: a signature costs more
 * than all else that is done for a message. One that goes alone is what it is; several are a JSON array of them, under one signature.
 * Whoever gets them looks at each as if it had come alone.
 */

interface Written {
  /** JSON */
  readonly data: Uint8Array;
}

const [OPEN, COMMA, CLOSE] = ['[', ',', ']'].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];

/** What a parcel of these is, in bytes. @param written one or more */
export function packed(written: readonly Written[]): Uint8Array {
  if (written.length === 1) return written[0]!.data;
  return Buffer.concat([OPEN, ...written.flatMap(({ data }, index) => (index === 0 ? [data] : [COMMA, data])), CLOSE]);
}

/** Parts them, in their order, so that each part is a parcel: FLEET_PARCEL of them and FLEET_MESSAGE bytes at most. Each fits by itself. */
export function* parcelsOf<One extends Written>(written: readonly One[]): Generator<readonly One[]> {
  let from = 0;
  let size = CLOSE.length;
  for (const [index, { data }] of written.entries()) {
    const more = data.length + COMMA.length;
    if (index > from && (size + more > FLEET_MESSAGE || index - from >= FLEET_PARCEL)) {
      yield written.slice(from, index);
      from = index;
      size = CLOSE.length;
    }
    size += more;
  }
  if (from < written.length) yield written.slice(from);
}

/**
 * What is in a parcel, each as its JSON says.
 * @param mostAlone bytes of one that comes alone
 * @throws MessageFault where it is no JSON, or holds too much
 */
export function unpacked(data: Uint8Array, mostAlone = FLEET_MESSAGE): readonly unknown[] {
  const content = readContent(data);
  if (!Array.isArray(content)) {
    if (data.length > mostAlone) throw new MessageFault(`it has ${data.length} bytes, and at most ${mostAlone} can be`);
    return [content];
  }
  if (content.length > FLEET_PARCEL) throw new MessageFault(`it holds ${content.length} messages, and at most ${FLEET_PARCEL} can be`);
  return content;
}

/**
 * Gathers what is to go out during one turn of the event loop, by where it goes, and gives it out as parcels. Signing takes its
 * time, so that what is left after a while has its turn behind everything else.
 */
export class Posting<To, One extends Written> {
  readonly #waiting = new Map<To, One[]>();
  readonly #give: (to: To, parcel: readonly One[]) => void;
  readonly #slice: number;
  #isScheduled = false;

  /** @param slice milliseconds */
  constructor(slice: number, give: (to: To, parcel: readonly One[]) => void) {
    this.#slice = slice;
    this.#give = give;
  }

  put(to: To, one: One): void {
    const waiting = this.#waiting.get(to);
    if (waiting) waiting.push(one);
    else this.#waiting.set(to, [one]);
    this.#schedule();
  }

  /** All that waits goes out now. */
  flush(): void {
    this.#go(Infinity);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#go(performance.now() + this.#slice);
      if (this.#waiting.size > 0) this.#schedule();
    });
  }

  #go(until: number): void {
    for (const [to, all] of this.#waiting) {
      this.#waiting.delete(to);
      for (const parcel of parcelsOf(all)) this.#give(to, parcel);
      if (performance.now() > until) return;
    }
  }
}
