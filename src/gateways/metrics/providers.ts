import type { Overview, ProviderOverview } from '../../instances/overview.js';
import type { Figure, Sample } from '../../kit/metrics.js';

const gauge = (name: string, help: string, samples: () => Iterable<Sample>): Figure => ({ name, kind: 'gauge', help, samples });

/** The figures of the providers of which something is seen. */
export function providerFigures({ providers }: Overview): Figure[] {
  /** @param of says a provider's value; undefined where there is none */
  const each = (name: string, help: string, of: (one: ProviderOverview) => number | undefined): Figure => gauge(name, help, function* samples() {
    for (const one of providers) {
      const value = of(one);
      if (value !== undefined) yield { labels: { provider: one.provider }, value };
    }
  });
  return [
    each('argo_provider_up', 'Whether the provider answered when it was asked last.', ({ answers }) => (answers ? 1 : 0)),
    each('argo_provider_last_listing_timestamp_seconds', 'When the instances of the provider were last listed.', ({ lastListing }) => lastListing && lastListing / 1000),
    each('argo_provider_calls_waiting', 'Calls to the provider that wait for their turn.', ({ work }) => work?.waiting),
    each('argo_actions_running', 'Actions that are under way.', ({ work }) => work?.actions),
    gauge('argo_instances', 'Instances by the state in which they were last seen.', function* samples() {
      for (const { provider, states } of providers) for (const [state, value] of states) yield { labels: { provider, state }, value };
    }),
  ];
}

/** @param series that would be there if they were not too many */
export const seriesLeftOut = (series: number): Figure =>
  gauge('argo_instance_series_left_out', 'Series of single instances that are left out, because they would be more than max-series.', () => [{ value: series }]);

export function countInstances({ providers }: Overview): number {
  let count = 0;
  for (const { states } of providers) for (const value of states.values()) count += value;
  return count;
}
