import type { Counter, Metrics } from '../../kit/metrics.js';

/** A webhook's figures. */
export interface SinkFigures {
  /** events that wait on the disk */
  backlog(): number;
}

interface Figures {
  readonly deliveries: Counter;
  readonly sinks: Map<string, SinkFigures>;
}

/** One set for all webhooks of a process. */
const known = new WeakMap<Metrics, Figures>();

export function figuresIn(metrics: Metrics): Figures {
  let figures = known.get(metrics);
  if (figures === undefined) {
    const sinks = new Map<string, SinkFigures>();
    const deliveries = metrics.counter('argo_webhook_deliveries_total', 'Attempts of webhooks by how they ended, and events that were dropped or held back.');
    metrics.collect('gauge', 'argo_webhook_backlog', 'Events that a webhook has still to deliver.', () => [...sinks].map(([sink, one]) => ({ labels: { sink }, value: one.backlog() })));
    known.set(metrics, figures = { deliveries, sinks });
  }
  return figures;
}
