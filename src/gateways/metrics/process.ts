import { Metrics, type Figure } from '../../kit/metrics.js';

/** How often it is measured by how much the event loop is late. Milliseconds. */
const LAG_INTERVAL = 100;
const LAG_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

/** The process's own figures, measured while somebody may ask for them. */
export class ProcessFigures {
  readonly #metrics = new Metrics();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    const metrics = this.#metrics;
    metrics.collect('counter', 'process_cpu_seconds_total', 'User and system CPU time of the process.', () => [{ value: cpuSeconds() }]);
    metrics.collect('gauge', 'process_resident_memory_bytes', 'Resident memory of the process.', () => [{ value: process.memoryUsage.rss() }]);
    metrics.collect('gauge', 'process_start_time_seconds', 'When the process was started, in seconds since 1970.', () => [{ value: performance.timeOrigin / 1000 }]);
    const lag = metrics.histogram('argo_eventloop_lag_seconds', 'By how much a timer was late: how long others kept the event loop.', LAG_BUCKETS);
    let due = performance.now() + LAG_INTERVAL;
    this.#timer = setInterval(() => {
      const now = performance.now();
      lag.observe({}, Math.max(0, now - due) / 1000);
      due = now + LAG_INTERVAL;
    }, LAG_INTERVAL);
    this.#timer.unref();
  }

  all(): Iterable<Figure> {
    return this.#metrics.figures();
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
