/** The time, as plans and triggers go by it. */
export interface Clock {
  /** wall clock, milliseconds since 1970: people and NTP set it, also back */
  wall(): number;
  /** milliseconds since some moment: goes evenly, nobody sets it; says nothing from one process to the next */
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
