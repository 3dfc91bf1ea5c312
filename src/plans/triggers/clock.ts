/** The time, as triggers go by it. */
export interface Clock {
  /** wall clock, milliseconds since 1970: may be set back and forth */
  wall(): number;
  /** milliseconds since some moment: goes evenly, nobody sets it */
  elapsed(): number;
  /** Does something once, so many milliseconds later. @returns calls it off */
  after(ms: number, work: () => void): () => void;
}

/** The machine's. */
export const MACHINE_CLOCK: Clock = {
  wall: () => Date.now(),
  elapsed: () => performance.now(),
  after: (ms, work) => {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
};
