/** Line coverage of a test run: all processes that it starts write down what they ran, and c8 sums it up. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fromRoot } from './root.js';
import { runNode } from './run-file.js';

/** Rooms of which so many lines in a hundred must be run, since what they miss lets somebody at a machine that is not his. */
const LEAST = { 'src/instances': 95, 'src/auth': 95 };

/** For the summing up, milliseconds. */
const REPORT_TIMEOUT_MS = 300_000;

/** @typedef {{ total: number, covered: number }} Lines */

/** Lines of a room, of all its files. @returns {Map<string, Lines>} */
export function byRoom(/** @type {Record<string, { lines: Lines }>} */ summary) {
  /** @type {Map<string, Lines>} */
  const rooms = new Map();
  for (const [file, { lines }] of Object.entries(summary)) {
    if (file === 'total') continue;
    const [src = '', ...rest] = relative(fromRoot(), file).split('/');
    const room = rest.length > 1 ? `${src}/${rest[0]}` : src;
    const known = rooms.get(room) ?? { total: 0, covered: 0 };
    rooms.set(room, { total: known.total + lines.total, covered: known.covered + lines.covered });
  }
  return rooms;
}

const percent = (/** @type {Lines} */ { covered, total }) => (total === 0 ? 100 : (100 * covered) / total);

/** What is told of the rooms, and those that miss their least. @param {Map<string, Lines>} rooms */
export function verdict(rooms) {
  const lines = [...rooms].sort(([one], [other]) => (one < other ? -1 : 1)).map(([room, counted]) => {
    const least = LEAST[/** @type {keyof typeof LEAST} */ (room)];
    const remark = least === undefined ? '' : `  (at least ${least} %)`;
    return `${room.padEnd(20)} ${percent(counted).toFixed(1).padStart(5)} % of ${counted.total} lines${remark}`;
  });
  const missed = Object.entries(LEAST).filter(([room, least]) => percent(rooms.get(room) ?? { total: 1, covered: 0 }) < least).map(([room]) => room);
  return { lines, missed };
}

/** Begins to write down, for this process's children. @returns the folder */
export function beginCoverage() {
  const folder = mkdtempSync(join(tmpdir(), 'argo-coverage-'));
  process.env.NODE_V8_COVERAGE = folder;
  return folder;
}

/**
 * What one process wrote down without what it ran of dist/bundle: c8 cannot tell the lines of many
 * sources in one file apart, and takes all for run.
 * @template {{ url: string }} T @param {{ result: T[] }} written
 */
export const withoutBundle = (written) => ({ ...written, result: written.result.filter(({ url }) => !url.includes('/dist/bundle/')) });

/**
 * Sums up what was written down and removes it.
 * @param {string} folder of {@link beginCoverage}
 * @throws Error where c8 fails
 */
export async function endCoverage(folder) {
  delete process.env.NODE_V8_COVERAGE;
  const reports = join(folder, 'reports');
  try {
    for (const name of readdirSync(folder).filter((one) => one.endsWith('.json'))) {
      writeFileSync(join(folder, name), JSON.stringify(withoutBundle(JSON.parse(readFileSync(join(folder, name), 'utf8')))));
    }
    const args = ['report', '--temp-directory', folder, '--reports-dir', reports, '--reporter', 'json-summary', '--include', 'src/**', '--exclude-after-remap'];
    const run = await runNode([fromRoot('node_modules', 'c8', 'bin', 'c8.js'), ...args], REPORT_TIMEOUT_MS);
    if (run.code !== 0) throw new Error(`c8 failed: ${run.stderr}`);
    return verdict(byRoom(JSON.parse(readFileSync(join(reports, 'coverage-summary.json'), 'utf8'))));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
