import type { Metric, Registry } from 'prom-client';
import { FIGURES_A_TURN, LABEL_NAMES } from '../../kit/limits.js';
import type { Log } from '../../kit/log.js';
import type { Figure, Labels, Sample } from '../../kit/metrics.js';
import { Slices } from '../../kit/slices.js';

/** A sample as prom-client's registry takes it from its own counters and histograms. */
interface Value {
  readonly metricName: string;
  readonly labels: Labels;
  /** those that it keeps the words of for as long as there is the object */
  readonly sharedLabels: Labels;
  readonly value: number;
}

const NONE: Labels = {};

/**
 * Figures in the text form of Prometheus. prom-client does the wording; what it is given are slices of
 * a figure, since it puts a whole one into words without giving way to anybody.
 */
export class Exposition {
  readonly #Registry: typeof Registry;
  readonly #log: Log;

  private constructor(TheirRegistry: typeof Registry, log: Log) {
    this.#Registry = TheirRegistry;
    this.#log = log;
  }

  /** Its registry alone is loaded: with all that prom-client measures by itself it would be ten times as much. */
  static async load(log: Log): Promise<Exposition> {
    const { default: TheirRegistry } = await import('prom-client/lib/registry.js');
    return new Exposition(TheirRegistry, log);
  }

  get contentType(): string {
    return this.#Registry.PROMETHEUS_CONTENT_TYPE;
  }

  /**
   * Whole lines, and gives way to others in between. A figure that cannot be had is left out.
   * @param shows says of a value's labels whether it is to be told
   */
  async*text(figures: Iterable<Figure>, shows: (labels: Labels) => boolean = () => true): AsyncGenerator<string> {
    const slices = new Slices();
    const registry = new this.#Registry();
    for (const figure of figures) {
      try {
        let isFirst = true;
        for (const values of piecesOf(figure, shows)) {
          yield await wordsOf(registry, figure, values, isFirst);
          isFirst = false;
          if (slices.isOverNow()) await slices.pause();
        }
      } catch (error) {
        this.#log('error', 'figure failed', { figure: figure.name, cause: error });
      }
    }
  }
}

/** Names of labels that were looked at; there are few. */
const labelNames = new Set<string>();

/**
 * Figures of plugins may have been made without types: Prometheus would take nothing of a page in which one label cannot be read.
 * @throws TypeError
 */
function check(labels: Labels, value: unknown): void {
  if (typeof value !== 'number') throw new TypeError('a value is no number');
  for (const name in labels) {
    if (labelNames.has(name)) continue;
    if (!/^[A-Za-z_]\w*$/.test(name)) throw new TypeError(`${JSON.stringify(name)} is no name of a label`);
    if (labelNames.size < LABEL_NAMES) labelNames.add(name);
  }
}

/** Registers a piece as a metric of its own for as long as that takes. */
async function wordsOf(registry: Registry, { name, help, kind }: Figure, values: readonly Value[], isFirst: boolean): Promise<string> {
  const metric = { name, help, type: kind, get: () => Promise.resolve({ name, help, type: kind, values }) };
  registry.clear();
  registry.registerMetric(metric as unknown as Metric);
  const text = await registry.metrics();
  // HELP and TYPE stand above the first piece only
  return isFirst ? text : text.slice(text.indexOf('\n', text.indexOf('\n') + 1) + 1);
}

/** The samples in pieces, of which there is at least one where the figure has any. */
function* piecesOf({ name, kind, samples }: Figure, shows: (labels: Labels) => boolean): Generator<readonly Value[]> {
  let piece: Value[] = [];
  // a gauge's labels are made for the occasion, all others are kept
  const isKept = kind !== 'gauge';
  for (const { suffix = '', labels = NONE, le, value } of samples() as Iterable<Sample>) {
    if (!shows(labels)) continue;
    check(labels, value);
    const own = le === undefined ? NONE : { le };
    piece.push({ metricName: `${name}${suffix}`, labels: isKept ? own : labels, sharedLabels: isKept ? labels : NONE, value });
    if (piece.length < FIGURES_A_TURN) continue;
    yield piece;
    piece = [];
  }
  if (piece.length > 0) yield piece;
}
