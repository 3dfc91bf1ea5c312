import { FIGURE_SERIES } from './limits.js';

/**
 * The process's figures, as monitoring systems collect them: names are those of Prometheus
 * (https://prometheus.io/docs/practices/naming/). Seconds and bytes. Here they are counted and kept as
 * plain numbers; the gateway `metrics` puts them into words, so that nobody else has to load what that needs.
 */

export type Labels = Readonly<Record<string, string>>;

/** One value of a figure. */
export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
  /** of a histogram: which of its values that is */
  readonly suffix?: '_bucket' | '_sum' | '_count';
  /** of a bucket: its upper end */
  readonly le?: string;
}

const KINDS = ['counter', 'gauge', 'histogram'] as const;
export type FigureKind = (typeof KINDS)[number];

/** A figure as it is now. */
export interface Figure {
  readonly name: string;
  readonly kind: FigureKind;
  readonly help: string;
  /** Those of one set of labels come together, and are of one moment. */
  samples(): Iterable<Sample>;
}

export interface Counter {
  /** @param by how much; 1 where it is left out */
  add(labels: Labels, by?: number): void;
}

export interface Histogram {
  /** @param value in the figure's unit */
  observe(labels: Labels, value: number): void;
}

const NAME = /^[a-z][a-z0-9_]*$/;

/** Seconds, from a machine that answers at once to a guest that takes its time. */
export const DURATION_BUCKETS: readonly number[] = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** All figures by name. */
export class Metrics {
  readonly #figures = new Map<string, Figure>();

  /** A figure that only grows. Its name ends in `_total`. */
  counter(name: string, help: string): Counter {
    const series = new LabelledSeries((labels) => ({ labels, value: 0 }));
    this.#define({ name, kind: 'counter', help, samples: () => series.values() });
    return { add: (labels, by = 1) => { series.of(labels).value += by; } };
  }

  /** A figure that somebody else keeps: asked for when the figures are collected. @returns ends that */
  collect(kind: 'counter' | 'gauge', name: string, help: string, samples: () => Iterable<Sample>): () => void {
    const figure: Figure = { name, kind, help, samples };
    this.#define(figure);
    return () => {
      if (this.#figures.get(name) === figure) this.#figures.delete(name);
    };
  }

  /** @param bounds upper ends of its buckets, in order */
  histogram(name: string, help: string, bounds: readonly number[] = DURATION_BUCKETS): Histogram {
    const series = new LabelledSeries((labels) => new Distribution(labels, bounds));
    this.#define({ name, kind: 'histogram', help, samples: function* samples() { for (const one of series.values()) yield* one.samples(); } });
    return { observe: (labels, value) => series.of(labels).observe(value) };
  }

  /** All of them, in the order in which they were made. */
  figures(): Iterable<Figure> {
    return this.#figures.values();
  }

  /** Ends a counter or histogram. */
  remove(name: string): void {
    this.#figures.delete(name);
  }

  #define(figure: Figure): void {
    const { name, kind, help } = figure;
    if (!KINDS.includes(kind) || typeof help !== 'string') throw new Error(`the figure ${name} has no kind, or no help`);
    if (!NAME.test(name)) throw new Error(`"${name}" is no name of a figure`);
    if (this.#figures.has(name)) throw new Error(`there is a figure ${name} already`);
    this.#figures.set(name, figure);
  }
}

/**
 * What a figure keeps for each set of labels. Beyond the limit the oldest set goes: it is of a provider
 * that was there first, and may be gone. Should it count again, that is to Prometheus as after a restart.
 */
class LabelledSeries<T> {
  readonly #byLabels = new Map<string, T>();
  readonly #create: (labels: Labels) => T;

  constructor(create: (labels: Labels) => T) {
    this.#create = create;
  }

  of(labels: Labels): T {
    const key = JSON.stringify(labels);
    const known = this.#byLabels.get(key);
    if (known !== undefined) return known;
    const made = this.#create(labels);
    if (this.#byLabels.size >= FIGURE_SERIES) this.#byLabels.delete(this.#byLabels.keys().next().value!);
    this.#byLabels.set(key, made);
    return made;
  }

  values(): Iterable<T> {
    return this.#byLabels.values();
  }
}

/** A histogram's values for one set of labels. */
class Distribution {
  readonly #labels: Labels;
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  constructor(labels: Labels, bounds: readonly number[]) {
    this.#labels = labels;
    this.#bounds = bounds;
    this.#counts = Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const index = this.#bounds.findIndex((bound) => value <= bound);
    this.#counts[index === -1 ? this.#bounds.length : index]! += 1;
    this.#sum += value;
  }

  /** At once, so that they are of one moment however long it takes to write them. */
  samples(): readonly Sample[] {
    const labels = this.#labels;
    let count = 0;
    const buckets = this.#counts.map((inBucket, index): Sample => {
      count += inBucket;
      return { suffix: '_bucket', labels, le: index < this.#bounds.length ? String(this.#bounds[index]) : '+Inf', value: count };
    });
    return [...buckets, { suffix: '_sum', labels, value: this.#sum }, { suffix: '_count', labels, value: count }];
  }
}
