/** What a machine's load and traffic looked like in the last minutes, as the points of a small plot. */

export interface Sample { /** ms */ readonly at: number; readonly value: number }

/** Five minutes at one each five seconds. */
export const SAMPLES_KEPT = 60;

export const withSample = (samples: readonly Sample[], sample: Sample): readonly Sample[] => [...samples, sample].slice(-SAMPLES_KEPT);

/** Bytes a second between samples of a counter that grows. One that was set back, as at a reboot, tells nothing of the time before. */
export function rates(samples: readonly Sample[]): readonly Sample[] {
  return samples.flatMap(({ at, value }, index) => {
    const before = samples[index - 1];
    if (before === undefined || at <= before.at || value < before.value) return [];
    return [{ at, value: ((value - before.value) * 1000) / (at - before.at) }];
  });
}

/** The top of the plot: a round figure not below the highest value. */
export function roundTop(highest: number): number {
  if (!(highest > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(highest));
  return [1, 2, 5, 10].map((step) => step * power).find((top) => top >= highest * 0.999_999)!;
}

export interface Plot {
  /** for `points` of a polyline */
  readonly line: string;
  /** for `points` of a polygon, down to the ground */
  readonly area: string;
  readonly top: number;
}

/** @param spanMs what the whole width stands for; the last sample is at its right end */
export function plot(samples: readonly Sample[], width: number, height: number, spanMs: number): Plot {
  const top = roundTop(samples.reduce((most, { value }) => Math.max(most, value), 0));
  const last = samples.at(-1)?.at ?? 0;
  const points = samples.filter(({ at }) => at >= last - spanMs).map(({ at, value }) => [
    Math.round((width - ((last - at) / spanMs) * width) * 10) / 10,
    Math.round((height - (Math.max(0, value) / top) * height) * 10) / 10,
  ] as const);
  const line = points.map(([x, y]) => `${x},${y}`).join(' ');
  return { line, area: points.length === 0 ? '' : `${points[0]![0]},${height} ${line} ${points.at(-1)![0]},${height}`, top };
}
