import { Link, LinkedList } from './linked-list.js';
import { LOOKS_A_CLOCK, SLICE } from './limits.js';

/** Those whose slice is over, in the order in which they get their next one. */
const waiting = new LinkedList<() => void>();
/** when all long work of this turn of the event loop is to give way, on the clock of performance.now() */
let turnEnds = 0;
let isTurnCounted = false;

function countTurn(): void {
  if (isTurnCounted) return;
  isTurnCounted = true;
  turnEnds = performance.now() + SLICE;
  setImmediate(nextTurn);
}

function nextTurn(): void {
  isTurnCounted = false;
  if (waiting.first !== undefined) goOn();
}

/** Lets the first of them go on; where that leaves time of this turn, the one behind it, too. */
function goOn(): void {
  const next = waiting.first;
  if (next === undefined) return;
  countTurn();
  next();
  // behind what it does now: its promise was resolved before
  queueMicrotask(() => { if (performance.now() < turnEnds) goOn(); });
}

/**
 * Long work in slices of time, so that other connections have their turns in between. One object for
 * one piece of work: `if (slices.isOver()) await slices.pause();` in its innermost loop. All long work
 * shares the one slice of a turn of the event loop, in which the pieces go on one behind the other: a thousand
 * who ask for long lists at a time keep others waiting no longer than one does.
 */
export class Slices {
  #looks = 0;

  /** Whether it is time to give way. For small steps: the clock is read at every so many calls only. */
  isOver(): boolean {
    this.#looks += 1;
    if (this.#looks < LOOKS_A_CLOCK) return false;
    this.#looks = 0;
    return this.isOverNow();
  }

  /** As {@link isOver}, for steps that may be long: the clock is read each time. */
  isOverNow(): boolean {
    countTurn();
    return performance.now() >= turnEnds;
  }

  /** Lets everything else that is ready run, and begins the next slice. */
  pause(): Promise<void> {
    countTurn();
    return new Promise((resolve) => {
      const link = new Link((): void => {
        link.leave();
        resolve();
      });
      waiting.append(link);
    });
  }
}

/** The slice of this turn begins now, unless other long work has begun it: for what leads to work that gives way later on. */
export const beginSlice = countTurn;

/**
 * Gives way where the slice of this turn is over: between steps that are few and short, but come one right behind the other. Those of
 * a first login do, and what runs for the first time takes ten times as long as later on.
 */
export async function giveWay(): Promise<void> {
  countTurn();
  if (performance.now() >= turnEnds) await new Slices().pause();
}

/** What becomes of each, one after the other, with turns for others in between. */
export async function mapInSlices<T, U>(all: Iterable<T>, make: (one: T) => U | Promise<U>): Promise<U[]> {
  const slices = new Slices();
  const made: U[] = [];
  for (const one of all) {
    if (slices.isOverNow()) await slices.pause();
    const what = make(one);
    made.push(what instanceof Promise ? await what : what);
  }
  return made;
}
