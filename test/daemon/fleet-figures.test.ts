import t from 'tap';
import { collectFleetFigures } from '../../src/daemon/fleet-figures.js';
import type { FleetDesk } from '../../src/instances/fleet.js';
import { Metrics } from '../../src/kit/metrics.js';
import { readDocument, tableRows, codeWords } from '../docs/markdown.js';

await t.test('the figures of a fleet, as they stand in the document', (t) => {
  let desk: FleetDesk | undefined;
  const metrics = new Metrics();
  collectFleetFigures(metrics, () => desk);
  const shown = (): Record<string, unknown> =>
    Object.fromEntries(
      [...metrics.figures()].map(({ name, samples }) => [name, [...samples()]]).filter(([, samples]) => samples!.length > 0),
    );
  t.same(shown(), {}, 'none without a fleet');
  const nothing = { heard: undefined, skew: undefined, started: undefined, version: undefined, orders: undefined, outbox: undefined, providers: [] };
  desk = {
    trouble: undefined, outbox: 3,
    sites: () => [{ ...nothing, name: 'berlin', trouble: undefined, heard: 5000, skew: -250, orders: 0, outbox: 9 }, { ...nothing, name: 'paris', trouble: 'away' }],
  };
  t.same(shown(), {
    argo_fleet_bus_up: [{ value: 1 }],
    argo_fleet_outbox: [{ value: 3 }],
    argo_fleet_site_up: [{ labels: { site: 'berlin' }, value: 1 }, { labels: { site: 'paris' }, value: 0 }],
    argo_fleet_site_heard_timestamp_seconds: [{ labels: { site: 'berlin' }, value: 5 }],
    argo_fleet_site_clock_skew_seconds: [{ labels: { site: 'berlin' }, value: -0.25 }],
    argo_fleet_site_orders: [{ labels: { site: 'berlin' }, value: 0 }],
    argo_fleet_site_outbox: [{ labels: { site: 'berlin' }, value: 9 }],
  });
  desk = { trouble: 'away', outbox: undefined, sites: () => undefined };
  t.same(shown(), { argo_fleet_bus_up: [{ value: 0 }] }, 'of a site that has nothing to send, or a front without a connection');
  const rows = tableRows(readDocument('docs/metrics.md')).filter(([name = '']) => name.startsWith('`argo_fleet_'));
  t.same(rows.map(([name = '', kind, labels = '']) => [codeWords(name)[0], kind, codeWords(labels)]), [...metrics.figures()].map(({ name, kind }) => [name, kind, name.startsWith('argo_fleet_site_') ? ['site'] : []]));
  t.end();
});
