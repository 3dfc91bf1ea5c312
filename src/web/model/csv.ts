/** A text that a spreadsheet takes for a formula is led in by a quote, so that none is run from a machine's name. */
const guarded = (value: string): string => (/^[=+\-@\t\r]/.test(value) ? `'${value}` : value);

const field = (value: string): string => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);

/** Rows as RFC 4180 has them. */
export const asCsv = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, ...rows].map((row) => `${row.map((value) => field(guarded(value))).join(',')}\r\n`).join('');
