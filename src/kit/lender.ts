import type { Duplex } from 'node:stream';

/**
 * A stream whose bytes can be lent: they lie in memory that is used again when they are given back. Of a stream that
 * floods, each chunk would otherwise be memory of its own, and to collect it is most of what the stream costs.
 */
export interface Lender extends Duplex {
  /**
   * From now on, what comes is lent and is no `data` any more.
   * @param take gets chunks in order; `giveBack` has to be called for each, once, in that order. Nothing more is read while all the memory is lent.
   * @returns false where this one cannot
   */
  lend(take: (chunk: Buffer, giveBack: () => void) => void): boolean;
}

export const isLender = (stream: Duplex): stream is Lender => typeof (stream as Partial<Lender>).lend === 'function';
