import { FLEET_GATHERING, FLEET_MESSAGE, FLEET_PARCEL, FLEET_SIGNING } from '../kit/fleet-limits.js';
import { MessageFault, readContent } from './messages.js';

/**
 * Orders, questions and answers of one sender to one place go together where they are there at the same time: a signature costs more
 * than all else that is done for a message. One that goes alone is what it is; several are a JSON array of them, under one signature.
 * Whoever gets them looks at each by itself.
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

/** Milliseconds; what each is, the limits of the fleet say. */
export interface PostingTimes {
  readonly gathering: number;
  readonly signing: number;
}

/**
 * Gathers what is to go out, by where it goes, and gives it out as parcels. One goes at the end of this turn of the event loop;
 * where several have come, more may come in the next ones: they wait for each other, for a little while. Signing takes its time,
 * so that what is left after a while has its turn behind everything else.
 */
export class Posting<To, One extends Written> {
  readonly #waiting = new Map<To, One[]>();
  readonly #give: (to: To, parcel: readonly One[]) => void;
  readonly #times: PostingTimes;
  #isScheduled = false;
  /** what has come since it was looked last, and in all */
  #isNew = false;
  #count = 0;
  /** when the first of them came, by performance.now() */
  #since = 0;

  constructor(give: (to: To, parcel: readonly One[]) => void, times: PostingTimes = { gathering: FLEET_GATHERING, signing: FLEET_SIGNING }) {
    this.#give = give;
    this.#times = times;
  }

  put(to: To, one: One): void {
    const waiting = this.#waiting.get(to);
    if (waiting) waiting.push(one);
    else this.#waiting.set(to, [one]);
    if (this.#count === 0) this.#since = performance.now();
    this.#count += 1;
    this.#isNew = true;
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
      const now = performance.now();
      const mayGrow = this.#isNew && this.#count > 1 && now < this.#since + this.#times.gathering;
      this.#isNew = false;
      if (!mayGrow) this.#go(now + this.#times.signing);
      if (this.#waiting.size > 0) this.#schedule();
    });
  }

  #go(until: number): void {
    this.#count = 0;
    for (const [to, all] of this.#waiting) {
      this.#waiting.delete(to);
      for (const parcel of parcelsOf(all)) this.#give(to, parcel);
      if (performance.now() > until) return;
    }
  }
}
