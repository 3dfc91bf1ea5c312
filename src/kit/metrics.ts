/**
 * The process's figures, as monitoring systems collect them: names and text form are those of Prometheus
 * (https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4). Seconds and bytes.
 */

export type Labels = Readonly<Record<string, string>>;

/** One value of a figure. */
export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

type Kind = 'counter' | 'gauge' | 'histogram';

/** A figure: what it is, and its lines. */
interface Figure {
  readonly kind: Kind;
  readonly help: string;
  /** name behind the figure's own, labels and value of each line */
  samples(): Iterable<Sample & { readonly suffix?: string }>;
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
    const values = new Map<string, { labels: Labels; value: number }>();
    this.#define(name, { kind: 'counter', help, samples: () => values.values() });
    return {
      add: (labels, by = 1) => {
        const key = format(labels);
        const known = values.get(key);
        if (known) known.value += by;
        else values.set(key, { labels, value: by });
      },
    };
  }

  /** A figure that somebody else keeps: asked for when the figures are collected. @returns ends that */
  collect(kind: 'counter' | 'gauge', name: string, help: string, samples: () => Iterable<Sample>): () => void {
    const figure: Figure = { kind, help, samples };
    this.#define(name, figure);
    return () => {
      if (this.#figures.get(name) === figure) this.#figures.delete(name);
    };
  }

  /** @param bounds upper ends of its buckets, in order */
  histogram(name: string, help: string, bounds: readonly number[] = DURATION_BUCKETS): Histogram {
    const series = new Map<string, Series>();
    this.#define(name, { kind: 'histogram', help, samples: function* samples() { for (const one of series.values()) yield* one.samples(bounds); } });
    return {
      observe: (labels, value) => {
        const key = format(labels);
        let one = series.get(key);
        if (one === undefined) series.set(key, one = new Series(labels, bounds.length));
        one.observe(bounds, value);
      },
    };
  }

  /** The text form. */
  *text(): Generator<string> {
    for (const [name, { kind, help, samples }] of this.#figures) {
      yield* expose(name, kind, help, samples());
    }
  }

  /** Ends a counter or histogram. */
  remove(name: string): void {
    this.#figures.delete(name);
  }

  #define(name: string, figure: Figure): void {
    if (!NAME.test(name)) throw new Error(`"${name}" is no name of a figure`);
    if (this.#figures.has(name)) throw new Error(`there is a figure ${name} already`);
    this.#figures.set(name, figure);
  }
}

/** A histogram's values for one set of labels. */
class Series {
  readonly #labels: Labels;
  readonly #counts: number[];
  #sum = 0;

  constructor(labels: Labels, buckets: number) {
    this.#labels = labels;
    this.#counts = Array<number>(buckets + 1).fill(0);
  }

  observe(bounds: readonly number[], value: number): void {
    const index = bounds.findIndex((bound) => value <= bound);
    this.#counts[index === -1 ? bounds.length : index]! += 1;
    this.#sum += value;
  }

  *samples(bounds: readonly number[]): Generator<Sample & { readonly suffix: string }> {
    let count = 0;
    for (const [index, inBucket] of this.#counts.entries()) {
      count += inBucket;
      yield { suffix: '_bucket', labels: { ...this.#labels, le: index < bounds.length ? String(bounds[index]) : '+Inf' }, value: count };
    }
    yield { suffix: '_sum', labels: this.#labels, value: this.#sum };
    yield { suffix: '_count', labels: this.#labels, value: count };
  }
}

/** The lines of one figure. */
export function* expose(name: string, kind: Kind, help: string, samples: Iterable<Sample & { readonly suffix?: string }>): Generator<string> {
  yield `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`;
  yield `# TYPE ${name} ${kind}`;
  for (const { suffix = '', labels = {}, value } of samples) yield `${name}${suffix}${format(labels)} ${number(value)}`;
}

/** `{name="value",…}`, nothing where there are no labels */
function format(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const number = (value: number): string => (Number.isFinite(value) ? String(value) : Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf');
