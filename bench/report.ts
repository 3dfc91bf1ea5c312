import type { Summary } from './stats.js';

/** What a figure counts; decides how it is printed. */
export type Unit = 'req/s' | 'values' | 'calls' | 'ms' | 'µs' | 'µs/name' | 'MB' | 'MB/s' | '% of a core' | '×';

export interface Target {
  /** as in the list of targets: `≥ 0.8`, `< 90 MB` */
  readonly text: string;
  readonly met: boolean;
}

/** One line of the table. */
export interface Row {
  readonly what: string;
  readonly unit: Unit;
  readonly ours?: Summary;
  readonly peer?: { readonly name: string; readonly figure: Summary };
  /** in the sense of the target: ours to the peer's, or how many times faster ours is */
  readonly ratio?: number;
  /** server CPU, µs a request */
  readonly cpu?: { readonly ours: number; readonly peer?: number };
  /** resident memory of the server, MB of 10^6 bytes */
  readonly memory?: { readonly ours: number; readonly peer?: number };
  readonly target?: Target;
  /** why a row has no figures, or what to know about them */
  readonly note?: string;
}

/** A target that a figure must stay under. */
export const below = (value: number, limit: number, unit: string): Target =>
  ({ text: `< ${limit}${unit}`, met: value < limit });

/** A count that a figure must not exceed. */
export const atMost = (value: number, limit: number): Target => ({ text: `≤ ${limit}`, met: value <= limit });

/** A target that a ratio must reach. */
export const atLeast = (value: number, limit: number): Target => ({ text: `≥ ${limit}`, met: value >= limit });

export function formatFigure(value: number, unit: Unit): string {
  if (unit === 'req/s' || unit === 'values' || unit === 'calls') return Math.round(value).toLocaleString('en-GB');
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 0.1 ? 2 : 3;
  return `${value.toFixed(digits)} ${unit}`;
}

const HEADINGS = ['what', 'ours', '(min – max)', 'peer', 'its figure', 'ratio', 'CPU µs/req', 'RSS MB', 'target', ''];
/** columns whose entries line up at the right */
const RIGHT = new Set([1, 2, 4, 5, 6, 7]);

const pair = (values: { ours: number; peer?: number } | undefined, digits: number): string =>
  values === undefined ? '' : [values.ours, values.peer].filter((v) => v !== undefined).map((v) => v.toFixed(digits)).join(' / ');

function cells(row: Row): string[] {
  const spread = row.ours && row.ours.runs.length > 1
    ? `${formatFigure(row.ours.min, row.unit)} – ${formatFigure(row.ours.max, row.unit)}` : '';
  return [
    row.what,
    row.ours ? formatFigure(row.ours.median, row.unit) : '—',
    spread,
    row.peer?.name ?? '',
    row.peer ? formatFigure(row.peer.figure.median, row.unit) : '',
    row.ratio === undefined ? '' : row.ratio.toFixed(2),
    pair(row.cpu, 1),
    pair(row.memory, 0),
    row.target?.text ?? '',
    row.target ? (row.target.met ? 'ok' : 'MISSED') : (row.note ?? ''),
  ];
}

/** The whole table as text, a row a line. */
export function formatTable(rows: readonly Row[]): string {
  const lines = [HEADINGS, ...rows.map(cells)];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => [...(line[column] ?? '')].length)));
  const text = lines.map((line) => line.map((cell, column) => {
    const blanks = ' '.repeat((widths[column] ?? 0) - [...cell].length);
    return RIGHT.has(column) ? blanks + cell : cell + blanks;
  }).join('  ').trimEnd());
  text.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('  '));
  const notes = rows.filter((row) => row.target && row.note).map((row) => `${row.what}: ${row.note}`);
  return [...text, ...notes].join('\n');
}

/** How many rows missed their target. */
export const missed = (rows: readonly Row[]): number => rows.filter((row) => row.target?.met === false).length;
