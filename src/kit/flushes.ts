import { WRITES_A_LOOK } from './limits.js';
import { beginSlice, Slices } from './slices.js';

/** What is to be written in this turn of the event loop, or as soon as there is time. */
const due: (() => void)[] = [];
const slices = new Slices();
let isSet = false;

/**
 * Has output of a connection written with this turn. A line to each of a thousand who watch is due at one moment, and
 * their writes hold the loop for 10 ms: so they go out in slices, first come first served. And a write wakes a client that
 * sleeps, which takes longer than the write: of what a hundred ask in one turn, most is written while one who asks for them is awake.
 */
export function flushInTurn(flush: () => void): void {
  due.push(flush);
  if (isSet) return;
  isSet = true;
  setImmediate(flushDue);
}

function flushDue(): void {
  let done = 0;
  beginSlice();
  while (done < due.length) {
    due[done]!();
    done += 1;
    if (done % WRITES_A_LOOK === 0 && slices.isOverNow()) break;
  }
  due.splice(0, done);
  isSet = due.length > 0;
  if (isSet) setImmediate(flushDue);
}
