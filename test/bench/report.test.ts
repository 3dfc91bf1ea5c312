import t from 'tap';
import { atLeast, below, formatFigure, formatTable, missed, type Row } from '../../bench/report.js';
import { summarise } from '../../bench/stats.js';

const nop: Row = {
  what: 'nop', unit: 'req/s', ours: summarise([90_000, 80_000, 100_000]),
  peer: { name: 'bare', figure: summarise([100_000]) }, ratio: 0.9, cpu: { ours: 11, peer: 10 },
  memory: { ours: 60.4, peer: 50 }, target: atLeast(0.9, 0.8),
};
const slow: Row = { what: 'status', unit: 'ms', ours: summarise([250]), target: below(250, 200, ' ms'), note: 'on a slow day' };
const absent: Row = { what: 'upsd', unit: 'req/s', note: 'not installed' };

await t.test('figures', async (t) => {
  t.equal(formatFigure(123_456.7, 'req/s'), '123,457');
  t.equal(formatFigure(123.4, 'ms'), '123 ms');
  t.equal(formatFigure(12.34, 'ms'), '12.3 ms');
  t.equal(formatFigure(0.0421, 'µs/name'), '0.042 µs/name');
});

await t.test('targets', async (t) => {
  t.same(atLeast(0.8, 0.8), { text: '≥ 0.8', met: true });
  t.same(below(90, 90, ' MB'), { text: '< 90 MB', met: false });
});

await t.test('the table', async (t) => {
  const lines = formatTable([nop, slow, absent]).split('\n');
  t.match(lines[2], /^nop +90,000 +80,000 – 100,000 +bare +100,000 +0\.90 +11\.0 \/ 10\.0 +60 \/ 50 +≥ 0\.8 +ok$/);
  t.match(lines[3], /^status +250 ms .*< 200 ms +MISSED$/);
  t.match(lines[4], /^upsd +— +not installed$/);
  t.equal(lines[5], 'status: on a slow day', 'a note on a judged row stands below');
  t.equal(missed([nop, slow, absent]), 1);
});
