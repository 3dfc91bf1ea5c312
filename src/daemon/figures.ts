import type { Authenticator } from '../auth/authenticator.js';
import type { Events } from '../instances/events.js';
import type { FleetDesk } from '../instances/fleet.js';
import { providerOf } from '../instances/principal.js';
import type { Metrics } from '../kit/metrics.js';
import type { PlanEngine } from '../plans/contract.js';
import type { LineServer } from '../server/server.js';
import { collectFleetFigures } from './fleet-figures.js';
import { collectPlanFigures } from './plan-figures.js';
import { packageVersion } from '../kit/own-files.js';

/** Of whom figures are collected. */
export interface FigureSources {
  readonly server: LineServer;
  readonly authenticator: Authenticator;
  /** requests by command word; of commands that there are, so these are not many */
  readonly requests: ReadonlyMap<string, { readonly value: number }>;
  readonly events: Events;
  /** undefined where there are no plans */
  plans(): PlanEngine | undefined;
  /** left out, or undefined: this server is in no fleet */
  fleet?(): FleetDesk | undefined;
}

/** What has to be told for its figure to be right. */
export interface Told {
  /** A provider's listing was taken in. @param ms how long that took, from the call on */
  listed(provider: string, ms: number): void;
}

/** The figures that the parts of the server keep as plain numbers, asked for when somebody collects them. */
export function collectFigures(metrics: Metrics, { server, authenticator, requests, events, plans, fleet = () => undefined }: FigureSources): Told {
  const running = packageVersion();
  metrics.collect('gauge', 'argo_build_info', 'The version of the server, and of Node.', () => [{ labels: { version: running, node: process.versions.node }, value: 1 }]);
  metrics.collect('gauge', 'argo_connections', 'Open connections of the line protocol, by the address that they came to.',
    () => [...server.connections].map(([listener, value]) => ({ labels: { listener }, value })));
  metrics.collect('counter', 'argo_requests_total', 'Requests of the line protocol, by command.',
    () => [...requests].map(([command, { value }]) => ({ labels: { command }, value })));
  metrics.collect('counter', 'argo_logins_total', 'Logins, by how they ended.',
    () => Object.entries(authenticator.logins).map(([result, value]) => ({ labels: { result }, value })));
  metrics.collect('counter', 'argo_events_total', 'Events, by type.', () => [...events.counts].map(([type, value]) => ({ labels: { type }, value })));
  metrics.collect('gauge', 'argo_watchers', 'Connections that watch events.', () => [{ value: events.watching }]);
  countActions(metrics, events);
  collectPlanFigures(metrics, events, plans);
  collectFleetFigures(metrics, fleet);
  const listings = metrics.histogram('argo_provider_listing_duration_seconds', 'Time of listings, from the call until what was found is known.');
  return { listed: (provider, ms) => listings.observe({ provider }, ms / 1000) };
}

/** A refusal's detail names machines and people, and would make series without end: only its phrase counts. */
function countActions(metrics: Metrics, events: Events): void {
  const total = metrics.counter('argo_actions_total', 'Actions that have ended, by how.');
  const duration = metrics.histogram('argo_action_duration_seconds', 'Time of actions, from the order to the answer, by how they ended.');
  events.listen((facts) => {
    if (facts.type !== 'action' || facts.ms === undefined) return;
    const provider = providerOf(facts.instance);
    // a plugin's command is told as `cycle: stop`
    const command = facts.command.replace(/^.*: /, '');
    const outcome = facts.outcome.replace(/:.*$/s, '');
    const labels = { provider, command, outcome };
    total.add(labels);
    duration.observe(labels, facts.ms / 1000);
  });
}
