import type { Counter, Metrics, Sample } from '../../kit/metrics.js';

/**
 * Why a value never gets to a server. `limit`: it was not taken within the buffer's age or size; `item gone`: the server does
 * not want it any more; `shutdown`: it could not be kept until the end; `too large`: it could not be kept at all;
 * `taken away`: somebody has removed the file.
 */
export type DropReason = 'limit' | 'item gone' | 'shutdown' | 'too large' | 'taken away';

/** What a gateway tells of itself, to those who collect figures and to the item `argo.proxy[…]`. */
export interface ProxyFigures {
  /** values on the disk that the server has not acknowledged, or may have lost */
  readonly backlog: number;
  /** items that cannot be served */
  readonly unsupported: number;
  /** when a server last answered, seconds since 1970; 0: not yet */
  readonly lastContact: number;
  /** that the server wants no values at this time */
  readonly isUploadDisabled: boolean;
  /** items that the server wants of us */
  readonly items: number;
  /** commands under way, and results that the server has not acknowledged */
  readonly tasks: number;
  /** values in memory that are not on the disk yet */
  readonly waiting: number;
  /** values that were not collected since the start */
  readonly skipped: number;
  /** how often the clock was set since the start */
  readonly leaps: number;
}

interface Figures {
  readonly values: Counter;
  readonly dropped: Counter;
  readonly exchanges: Counter;
  readonly proxies: Map<string, () => ProxyFigures>;
}

/** One set for all gateways of a process. */
const known = new WeakMap<Metrics, Figures>();

export function figuresIn(metrics: Metrics): Figures {
  let figures = known.get(metrics);
  if (figures === undefined) {
    const proxies = new Map<string, () => ProxyFigures>();
    const figure = (kind: 'gauge' | 'counter', name: string, help: string, value: (figures: ProxyFigures) => number): void => {
      metrics.collect(kind, name, help, () => [...proxies].map(([gateway, read]): Sample => ({ labels: { gateway }, value: value(read()) })));
    };
    figures = {
      proxies,
      values: metrics.counter('argo_zabbix_values_total', 'Values for a Zabbix server: kept on the disk, and acknowledged.'),
      dropped: metrics.counter('argo_zabbix_dropped_values_total', 'Values that a Zabbix server never gets.'),
      exchanges: metrics.counter('argo_zabbix_exchanges_total', 'Exchanges with a Zabbix server by how they ended.'),
    };
    figure('gauge', 'argo_zabbix_backlog', 'Values that a Zabbix server has still to get.', ({ backlog }) => backlog);
    figure('gauge', 'argo_zabbix_items', 'Items that a Zabbix server wants.', ({ items }) => items);
    figure('gauge', 'argo_zabbix_unsupported_items', 'Items that cannot be served.', ({ unsupported }) => unsupported);
    figure('gauge', 'argo_zabbix_tasks', 'Commands of a Zabbix server under way, and results that it has not acknowledged.', ({ tasks }) => tasks);
    figure('gauge', 'argo_zabbix_last_contact_timestamp_seconds', 'When a Zabbix server last answered.', ({ lastContact }) => lastContact);
    figure('gauge', 'argo_zabbix_upload_disabled', 'Whether a Zabbix server wants no values at this time.', ({ isUploadDisabled }) => Number(isUploadDisabled));
    figure('gauge', 'argo_zabbix_waiting_values', 'Values in memory that are not on the disk yet.', ({ waiting }) => waiting);
    figure('counter', 'argo_zabbix_skipped_values_total', 'Values that were not collected: their item was being read still, or too many waited for the disk.', ({ skipped }) => skipped);
    figure('counter', 'argo_zabbix_clock_leaps_total', 'How often somebody set the clock.', ({ leaps }) => leaps);
    known.set(metrics, figures);
  }
  return figures;
}
