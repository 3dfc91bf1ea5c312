import t from 'tap';
import { Exposition } from '../../src/gateways/metrics/exposition.js';
import { instanceSeries } from '../../src/gateways/metrics/instance-series.js';
import type { InstanceState } from '../../src/instances/overview.js';
import { FIGURES_A_TURN } from '../../src/kit/limits.js';
import { Metrics } from '../../src/kit/metrics.js';
import { runProgram } from '../support/programs.js';
import { lacks } from '../support/peers.js';

async function whole(pieces: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text;
}

const STRANGE = 'a "quoted" \\ name\nof two lines, ö 🙂';

await t.test('a figure that comes in pieces has one head', async (t) => {
  const metrics = new Metrics();
  const many = 3 * FIGURES_A_TURN + 1;
  const counter = metrics.counter('many_total', 'Many.\nIn "two" lines.');
  for (let at = 0; at < many; at += 1) counter.add({ at: String(at), name: STRANGE }, at);
  const histogram = metrics.histogram('some_seconds', 'Some.', [0.1, 1]);
  for (let at = 0; at < FIGURES_A_TURN; at += 1) histogram.observe({ at: String(at) }, at / 10);
  metrics.collect('gauge', 'none_now', 'None.', () => []);
  metrics.collect('gauge', 'hidden_now', 'Hidden.', () => [{ labels: { secret: 'x' }, value: 1 }]);
  const text = await whole((await Exposition.load(() => undefined)).text(metrics.figures(), ({ secret }) => secret === undefined));
  t.equal(text.match(/^# TYPE /gm)?.length, 2);
  t.equal(text.match(/^many_total\{/gm)?.length, many);
  t.match(text, `many_total{at="192",name="a \\"quoted\\" \\\\ name\\nof two lines, ö 🙂"} 192\n`);
  t.equal(text.match(/^some_seconds_bucket\{/gm)?.length, 3 * FIGURES_A_TURN);
  t.match(text, /^some_seconds_bucket\{le="\+Inf",at="63"\} 1$/m);
  t.match(text, /^some_seconds_count\{at="63"\} 1$/m);
  t.notMatch(text, /none_now|hidden_now/);
});

await t.test('a figure that fails is left out, and told of in the log', async (t) => {
  const metrics = new Metrics();
  metrics.collect('gauge', 'bad_now', 'Bad.', () => { throw new Error('no'); });
  metrics.collect('gauge', 'good_now', 'Good.', () => [{ value: 1 }]);
  const said: unknown[] = [];
  const text = await whole((await Exposition.load((level, message, facts) => said.push([level, message, facts?.figure]))).text(metrics.figures()));
  t.equal(text, '# HELP good_now Good.\n# TYPE good_now gauge\ngood_now 1\n');
  t.same(said, [['error', 'figure failed', 'bad_now']]);
});

await t.test('what a plugin without types counts spoils nobody else\'s figures', async (t) => {
  const metrics = new Metrics();
  metrics.collect('gauge', 'word_now', 'A word.', () => [{ value: 'abc' as never }]);
  metrics.collect('gauge', 'quote_now', 'A name with a quote.', () => [{ labels: { 'a"b': 'x' }, value: 1 }]);
  metrics.collect('gauge', 'none_now', 'No labels.', () => [{ labels: null as never, value: 1 }]);
  metrics.counter('sum_total', 'A sum.').add({}, '1' as never);
  metrics.collect('gauge', 'good_now', 'Good.', () => [{ labels: { a: 'x' }, value: NaN }]);
  const said: unknown[] = [];
  const text = await whole((await Exposition.load((_level, _message, facts) => said.push(facts?.figure))).text(metrics.figures()));
  t.equal(text, '# HELP good_now Good.\n# TYPE good_now gauge\ngood_now{a="x"} Nan\n');
  t.same(said, ['word_now', 'quote_now', 'none_now', 'sum_total']);
  for (const [kind, help] of [['gauge\nx', 'h'], ['gauge', 5]]) t.throws(() => metrics.collect(kind as 'gauge', 'bad_now', help as string, () => []), /no kind, or no help/);
});

await t.test('the series of single instances: each of a state set is there, and any name can be read', { skip: lacks('promtool') }, async (t) => {
  const states: InstanceState[] = [
    { provider: 'lab', name: STRANGE, state: 'on', sinceMs: 1_700_000_000_123 },
    ...Array.from({ length: 2000 }, (_, at): InstanceState => ({ provider: 'lab', name: `vm${at}`, state: 'crashed', sinceMs: 0 })),
  ];
  const text = await whole(instanceSeries(() => states));
  const name = 'a \\"quoted\\" \\\\ name\\nof two lines, ö 🙂';
  t.match(text, `argo_instance_state{provider="lab",instance="${name}",state="on"} 1\n`);
  t.match(text, `argo_instance_state_since_timestamp_seconds{provider="lab",instance="${name}"} 1700000000.123\n`);
  t.equal(text.match(/^argo_instance_state\{/gm)?.length, 8 * 2001);
  t.equal(text.match(/^argo_instance_state\{.*\} 1$/gm)?.length, 2001, 'one of each set is 1');
  t.equal(text.match(/^argo_instance_state_since_timestamp_seconds\{/gm)?.length, 2001);
  const { code, stdout, stderr } = await runProgram('promtool', ['check', 'metrics'], { input: text });
  t.equal(code, 0, stdout + stderr);
  t.equal(stdout + stderr, '', 'not even a warning');
});
