/** A dashboard of Grafana, as far as tests look at it. */
export interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets?: readonly { readonly expr: string }[];
  }[];
  readonly templating: { readonly list: readonly { readonly query: unknown }[] };
}

/** What its panels ask Prometheus for, with Grafana's variables filled in as it would. */
export const expressionsOf = ({ panels }: Dashboard): string[] => panels.flatMap(({ targets = [] }) => targets).map(({ expr }) =>
  expr.replaceAll('$__rate_interval', '1m').replace(/\$(?:provider|instance)\b/g, '.*'));
