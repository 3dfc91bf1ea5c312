import type { FleetDesk, KnownSite } from '../instances/fleet.js';
import type { Metrics } from '../kit/metrics.js';

/** The figures of a fleet. @param fleet undefined where this server is in none */
export function collectFleetFigures(metrics: Metrics, fleet: () => FleetDesk | undefined): void {
  metrics.collect('gauge', 'argo_fleet_bus_up', 'Whether this server is connected to the bus of its fleet.', function* samples() {
    const desk = fleet();
    if (desk !== undefined) yield { value: desk.trouble === undefined ? 1 : 0 };
  });
  metrics.collect('gauge', 'argo_fleet_outbox', 'Events of this server that wait for the bus.', function* samples() {
    const outbox = fleet()?.outbox;
    if (outbox !== undefined) yield { value: outbox };
  });
  /** @param of says a site's value; undefined where there is none */
  const each = (name: string, help: string, of: (site: KnownSite) => number | undefined): void => {
    metrics.collect('gauge', name, help, function* samples() {
      for (const one of fleet()?.sites() ?? []) {
        const value = of(one);
        if (value !== undefined) yield { labels: { site: one.name }, value };
      }
    });
  };
  each('argo_fleet_site_up', 'Whether orders can be sent to the site.', ({ trouble }) => (trouble === undefined ? 1 : 0));
  each('argo_fleet_site_heard_timestamp_seconds', 'When the site was heard of last.', ({ heard }) => heard && heard / 1000);
  each('argo_fleet_site_clock_skew_seconds', 'By how much the clock of the site is before that of the front.', ({ skew }) => (skew === undefined ? undefined : skew / 1000));
  each('argo_fleet_site_orders', 'Orders of all fronts that are under way at the site.', ({ orders }) => orders);
  each('argo_fleet_site_outbox', 'Events of the site that wait for the bus.', ({ outbox }) => outbox);
}
