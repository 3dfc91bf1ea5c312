import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { mock } from 'node:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AUDIT_PRUNE_EVERY, AUDIT_PRUNE_FIRST, AUDIT_PRUNE_PAUSE, AUDIT_PRUNE_ROWS } from '../../src/kit/limits.js';
import { auditFile } from '../../src/store/audit-file.js';
import { AuditRetention, type Keep } from '../../src/store/audit-retention.js';

const DAY = 86_400_000;
const NOW = Date.parse('2026-01-31T00:00:00Z');

/** A retention whose steps remove what the test says. */
function arrange(t: Test, keep: Keep, { exists = true, steps = [] as (number | Error)[], written = NOW } = {}) {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: NOW });
  let leapt = 0;
  t.teardown(() => mock.timers.reset());
  const folder = mkdtempSync(join(tmpdir(), 'argo-retention-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  if (exists) {
    writeFileSync(auditFile(folder), '');
    utimesSync(auditFile(folder), written / 1000, written / 1000);
  }
  const asked: (string | number | undefined)[][] = [];
  const retention = new AuditRetention(folder, keep, (...wanted) => {
    asked.push(wanted);
    const step = steps.shift() ?? 0;
    return step instanceof Error ? Promise.reject(step) : Promise.resolve(step);
  }, { wall: () => Date.now() + leapt, steady: () => Date.now() });
  t.teardown(() => retention.close());
  const tick = async (ms: number): Promise<void> => {
    mock.timers.tick(ms);
    await new Promise(setImmediate);
  };
  /** The clock is set. */
  const leap = (ms: number): void => {
    leapt += ms;
  };
  return { retention, asked, tick, leap };
}

await t.test('it looks after the start and then every hour', async (t) => {
  const { asked, tick } = arrange(t, { age: DAY, size: 1024 });
  await tick(AUDIT_PRUNE_FIRST - 1);
  t.same(asked, []);
  await tick(1);
  t.same(asked, [['2026-01-30T00:01:00.000Z', 1024, AUDIT_PRUNE_ROWS]]);
  await tick(AUDIT_PRUNE_EVERY - 1);
  t.equal(asked.length, 1);
  await tick(1);
  t.equal(asked.length, 2);
});

await t.test('while there is more it goes on soon; a fault is for the next hour', async (t) => {
  const { asked, tick } = arrange(t, { age: DAY, size: undefined }, { steps: [AUDIT_PRUNE_ROWS, AUDIT_PRUNE_ROWS, new Error('locked')] });
  await tick(AUDIT_PRUNE_FIRST);
  await tick(AUDIT_PRUNE_PAUSE);
  await tick(AUDIT_PRUNE_PAUSE);
  t.equal(asked.length, 3);
  await tick(AUDIT_PRUNE_PAUSE);
  t.equal(asked.length, 3);
  await tick(AUDIT_PRUNE_EVERY);
  t.equal(asked.length, 4);
});

await t.test('nothing is asked of an audit that is kept for ever, or is not there', async (t) => {
  for (const [keep, exists] of [[{ age: undefined, size: undefined }, true], [{ age: DAY, size: undefined }, false]] as const) {
    await t.test(`${keep.age} ${exists}`, async (t) => {
      const { asked, tick } = arrange(t, keep, { exists });
      await tick(AUDIT_PRUNE_FIRST);
      await tick(AUDIT_PRUNE_EVERY);
      t.same(asked, []);
    });
  }
});

await t.test('another configuration takes effect at once; the same one changes nothing', async (t) => {
  const { retention, asked, tick } = arrange(t, { age: undefined, size: undefined });
  retention.keep = { age: undefined, size: undefined };
  await tick(AUDIT_PRUNE_PAUSE);
  t.same(asked, []);
  retention.keep = { age: undefined, size: 2048 };
  await tick(AUDIT_PRUNE_PAUSE);
  t.same(asked, [[undefined, 2048, AUDIT_PRUNE_ROWS]]);
  retention.close();
  await tick(AUDIT_PRUNE_EVERY);
  t.equal(asked.length, 1);
});

await t.test('a clock that is set into the future and back takes nothing away', async (t) => {
  const { asked, tick, leap } = arrange(t, { age: DAY, size: undefined });
  await tick(AUDIT_PRUNE_FIRST);
  t.equal(asked.length, 1);
  leap(4000 * DAY);
  for (let hour = 0; hour < 3; hour += 1) await tick(AUDIT_PRUNE_EVERY);
  leap(-4000 * DAY);
  for (let hour = 0; hour < 24; hour += 1) await tick(AUDIT_PRUNE_EVERY);
  t.equal(asked.length, 1);
  await tick(AUDIT_PRUNE_EVERY);
  t.same(asked[1], ['2026-01-31T04:01:00.000Z', undefined, AUDIT_PRUNE_ROWS], 'a day later it counts again');
});

await t.test('nor does a start with such a clock, and the size counts meanwhile', async (t) => {
  const { asked, tick } = arrange(t, { age: DAY, size: 1024 }, { written: NOW - 300 * DAY });
  await tick(AUDIT_PRUNE_FIRST);
  t.same(asked, [[undefined, 1024, AUDIT_PRUNE_ROWS]]);
  for (let hour = 0; hour < 24; hour += 1) await tick(AUDIT_PRUNE_EVERY);
  t.equal(asked.at(-1)?.[0], '2026-01-31T00:01:00.000Z');
});
