import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { EndMarks } from '../../src/store/end-marks.js';
import { StateError } from '../../src/store/state.js';

await t.test('marks of runs that were ended are files without content, by their names alone', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-marks-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const other of ['state.sqlite', 'plan-run-ended.x', 'plan-run-ended.0011223344']) writeFileSync(join(folder, other), '');
  const marks = new EndMarks(folder);
  t.same(await marks.list(), []);
  await marks.add('00112233');
  await marks.add('00112233');
  t.same(await new EndMarks(folder).list(), ['00112233']);
  await marks.remove('00112233');
  await marks.remove('00112233');
  t.same(await marks.list(), []);
  t.equal(readdirSync(folder).length, 3, 'what is not its own is left alone');
  const nowhere = new EndMarks(join(folder, 'nowhere'));
  t.same(await nowhere.list(), [], 'before anything was ever kept');
  await t.rejects(nowhere.add('00112233'), StateError);
});
