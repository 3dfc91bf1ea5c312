/** Reads what test files print, and sums up. */

/** @typedef {{ passed: number, failed: number, skipped: number }} Sum */

/** Lines of a failed file's output that are shown at most; the beginning and the end are kept. */
const SHOWN_LINES = 300;
/** Of a line: code that was made of many files stands in a few, of which the test framework shows those that failed. */
const SHOWN_COLUMNS = 1000;

/**
 * The result of one test file, from tap's own summary: the last line of its output that reads
 * `# { total: 12, pass: 8, skip: 4 }`. Counted are assertions, and subtests that were skipped.
 * A file that ends badly, says nothing or tests nothing has failed.
 * @param {string} stdout what it printed
 * @param {number | null} code its exit code; null when it was killed
 * @returns {Sum}
 */
export function readResult(stdout, code) {
  const summary = [...stdout.matchAll(/^# \{([^}]*)\}$/gm)].at(-1)?.[1] ?? '';
  const count = (/** @type {string} */ name) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(summary)?.[1] ?? 0);
  if (summary === '' && code === 0 && /^1\.\.0 # SKIP/im.test(stdout)) return { passed: 0, failed: 0, skipped: 1 };
  const passed = count('pass');
  const skipped = count('skip') + count('todo');
  const bad = code !== 0 || passed + skipped === 0;
  return { passed, failed: Math.max(count('fail'), bad ? 1 : 0), skipped };
}

/** @param {Sum[]} sums @returns {Sum} */
export function add(sums) {
  const of = (/** @type {keyof Sum} */ key) => sums.reduce((total, sum) => total + sum[key], 0);
  return { passed: of('passed'), failed: of('failed'), skipped: of('skipped') };
}

/** The line with which a run ends. @param {Sum} sum */
export const sumLine = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped} skipped`;

/** A run that tested nothing is not a good one. @param {Sum} sum */
export const isGood = ({ passed, failed }) => failed === 0 && passed > 0;

/** Why subtests were skipped, each reason once. @param {string} stdout @returns {string[]} */
export function skipReasons(stdout) {
  return [...new Set([...stdout.matchAll(/^ *ok \d+.*# SKIP +(.+)$/gm)].map(([, reason]) => (reason ?? '').trim()))];
}

/** What of a failed file's output helps: without what went well, and not without end. @param {string} output */
export function digest(output) {
  const lines = output.split('\n').filter((line) => line.trim() !== '' && !/^ *(ok \d+|1\.\.\d+|TAP version)/.test(line))
    .map((line) => (line.length > SHOWN_COLUMNS ? `${line.slice(0, SHOWN_COLUMNS)}…` : line));
  if (lines.length <= SHOWN_LINES) return lines.join('\n');
  const half = SHOWN_LINES / 2;
  return [...lines.slice(0, half), `… ${lines.length - SHOWN_LINES} lines …`, ...lines.slice(-half)].join('\n');
}
