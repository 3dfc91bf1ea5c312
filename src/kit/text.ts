/** Text that comes from machines and goes to terminals. */

/** C0, DEL and C1 controls, line separators, and the marks that turn the direction of writing. */
 
const HARMFUL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const ALL_HARMFUL = new RegExp(HARMFUL, 'g');

/** One line of text with everything that could steer a terminal replaced by `?`; tabs become blanks. */
export function harmless(line: string): string {
  if (!HARMFUL.test(line)) return line;
  return line.replaceAll('\t', ' ').replace(ALL_HARMFUL, '?');
}

const SIZE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** Bytes for people: `120.6 KiB`. */
export function formatBytes(bytes: bigint): string {
  let size = Number(bytes);
  let unit = 0;
  while (size >= 1024 && unit < SIZE_UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${SIZE_UNITS[unit]}`;
}

/** Seconds for people, as uptime(1) writes them: `3 days, 3:52:09`. */
export function formatUptime(seconds: number): string {
  const whole = Math.floor(seconds);
  const days = Math.floor(whole / 86_400);
  const two = (value: number) => String(value).padStart(2, '0');
  const clock = `${Math.floor((whole % 86_400) / 3600)}:${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
  if (days === 0) return clock;
  return `${days} ${days === 1 ? 'day' : 'days'}, ${clock}`;
}

/** Milliseconds as people write durations: `500 ms`, `30 s`, `10 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 600_000) return `${Number((ms / 1000).toFixed(1))} s`;
  return `${Math.round(ms / 60_000)} min`;
}
