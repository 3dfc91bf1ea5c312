import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Gives a Node process a clock that is off: what it must be started with in its environment. Timers and TLS are not concerned. */
export function shiftedClock(folder: string, ms: number): Readonly<Record<string, string>> {
  const file = join(folder, 'shifted-clock.cjs');
  writeFileSync(file, `const Real = Date;
const shift = ${ms};
class Shifted extends Real {
  constructor(...given) { super(...(given.length === 0 ? [Real.now() + shift] : given)); }
  static now() { return Real.now() + shift; }
}
globalThis.Date = Shifted;
`);
  return { NODE_OPTIONS: `--require=${file}` };
}
