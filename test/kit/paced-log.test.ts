import t from 'tap';
import { PacedLog } from '../../src/kit/paced-log.js';
import { until } from '../support/until.js';

const WITHIN = 20_000;

void t.test('the first one is told at once, and any number that follow with one line more', async (t) => {
  const lines: object[] = [];
  const refused = new PacedLog((level, message, facts) => { lines.push({ level, message, ...facts }); }, 'connection refused');
  refused.add({ address: '10.0.0.1' });
  t.same(lines, [{ level: 'warn', message: 'connection refused', address: '10.0.0.1' }]);
  for (let at = 2; at < 1000; at += 1) refused.add({ address: `10.0.0.${at}` });
  t.equal(lines.length, 1);
  await until(() => lines.length === 2, WITHIN, 'the others');
  t.same(lines[1], { level: 'warn', message: 'connection refused', address: '10.0.0.999', refused: 998 });
  refused.add({ address: '10.0.1.1' });
  t.equal(lines.length, 2, 'the pause goes on');
  await until(() => lines.length === 3, WITHIN, 'one line more');
  t.same(lines[2], { level: 'warn', message: 'connection refused', address: '10.0.1.1' });
});
