/** A dashboard of Grafana, as far as tests look at it. */
export interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets?: readonly { readonly expr: string }[];
  }[];
  readonly templating: { readonly list: readonly { readonly query: unknown; readonly definition?: string }[] };
}

/** With Grafana's variables filled in as it would. */
const filled = (expression: string): string => expression.replaceAll('$__rate_interval', '1m').replace(/\$(?:provider|instance)\b/g, '.*');

/** What its panels ask Prometheus for. */
export const expressionsOf = ({ panels }: Dashboard): string[] => panels.flatMap(({ targets = [] }) => targets).map(({ expr }) => filled(expr));

/** What fills the choices at its top: the values of a label among some series. */
export const choicesOf = ({ templating: { list } }: Dashboard): { label: string; of: string }[] => list.flatMap(({ definition = '' }) => {
  const [, of, label] = /^label_values\((.*), (\w+)\)$/.exec(definition) ?? [];
  return of === undefined || label === undefined ? [] : [{ label, of: filled(of) }];
});
