import t from 'tap';
import { PHRASES } from '../../src/kit/errors.js';
import { exitCodeOf, parseTargetLine, Tally, worse } from '../../src/client/outcome.js';
import { requestFromLine } from '../../src/client/request.js';

void t.test('lines of many targets', async (t) => {
  t.same(parseTargetLine('web1: done', true), { name: 'web1' });
  t.same(parseTargetLine('web1: on', false), { name: 'web1', value: 'on' });
  t.same(parseTargetLine('web1: TIMEOUT: no answer: 30 s', false), { name: 'web1', failure: { phrase: 'TIMEOUT', detail: 'no answer: 30 s' } });
  t.same(parseTargetLine('web1: done', false), { name: 'web1' });
  t.same(parseTargetLine('a: b: done', true), { name: 'a: b' }, 'a name may hold the separator');
  t.same(parseTargetLine('a: b: NOT ALLOWED', true), { name: 'a: b', failure: { phrase: 'NOT ALLOWED', detail: '' } });
  t.same(parseTargetLine('a: b: unpause (it is paused)', true), { name: 'a: b', value: 'unpause (it is paused)' });
  t.same(parseTargetLine('a: b: nothing, it is on already and would be waited for', true), { name: 'a: b', value: 'nothing, it is on already and would be waited for' });
  t.same(parseTargetLine('a: b: clean shutdown (it is on), after stop of kim, task 7', true), { name: 'a: b', value: 'clean shutdown (it is on), after stop of kim, task 7' });
  t.same(parseTargetLine('web1: health: FAILED', false), { name: 'web1', value: 'health: FAILED' }, 'a value may look like a reason');
  t.same(parseTargetLine('web1: 52:54:00:AA:BB:CC', false), { name: 'web1', value: '52:54:00:AA:BB:CC' });
  t.same(parseTargetLine('web1: clean shutdown (it is on)', true), { name: 'web1', value: 'clean shutdown (it is on)' });
  t.equal(parseTargetLine('no separator', true), undefined);
  t.equal(parseTargetLine(': done', true), undefined);
  for (const phrase of Object.keys(PHRASES)) t.match(parseTargetLine(`x: ${phrase}`, false), { failure: { phrase } });
});

const codeFor = (line: string, body: readonly string[], error?: { phrase: string; detail: string }) => {
  const request = requestFromLine(line);
  const tally = new Tally(request);
  for (const entry of body) tally.add(parseTargetLine(entry, request.acts)!);
  return tally.exitCode(error);
};

void t.test('exit codes', async (t) => {
  const failed = { phrase: 'FAILED', detail: '1 of 2' };
  t.equal(codeFor('stop lj', []), 0);
  t.equal(codeFor('stop a b', ['a: done', 'b: done']), 0);
  t.equal(codeFor('stop a b', ['a: done', 'b: TIMEOUT'], failed), 4);
  t.equal(codeFor('stop a b', ['a: BUSY', 'b: TIMEOUT'], { phrase: 'FAILED', detail: '2 of 2' }), 1);
  t.equal(codeFor('stop a b', ['a: NOT ALLOWED', 'b: NOT ALLOWED'], { phrase: 'FAILED', detail: '2 of 2' }), 3);
  t.equal(codeFor('stop a b', ['a: NOT ALLOWED', 'b: BUSY'], { phrase: 'FAILED', detail: '' }), 1);
  t.equal(codeFor('disk a b', ['a: vda', 'a: vdb', 'b: BUSY'], failed), 4);
  t.equal(codeFor('frob a b', ['a: x', 'a: b: BUSY'], { phrase: 'FAILED', detail: '1 of 1' }), 1, 'the server counts best');
  t.equal(codeFor('stop a b', ['a: done'], { phrase: 'SHUTTING DOWN', detail: '' }), 1);
  t.equal(codeFor('stop a', [], failed), 1);
  t.same(['NOT ALLOWED', 'NOT AUTHENTICATED', 'USAGE', 'UNKNOWN COMMAND', 'BAD REQUEST', 'LINE TOO LONG', 'NO MATCH', 'NEWER PHRASE'].map(exitCodeOf), [3, 3, 2, 2, 2, 2, 1, 1]);
  t.equal([0, 4, 1, 0].reduce((worst, code) => worse(worst as 0, code as 0)), 1);
  t.equal(worse(3, 1), 3);
  t.equal(worse(0, 4), 4);
});
