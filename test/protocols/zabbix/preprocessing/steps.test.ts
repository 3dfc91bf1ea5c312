import t from 'tap';
import { ZABBIX_PATTERN_TRIES } from '../../../../src/kit/zabbix-limits.js';
import type { ValueType } from '../../../../src/protocols/zabbix/messages.js';
import type { ConfiguredStep } from '../../../../src/protocols/zabbix/preprocessing/configured-steps.js';
import { Pipeline, type Outcome } from '../../../../src/protocols/zabbix/preprocessing/pipeline.js';
import { CannotPreprocess } from '../../../../src/protocols/zabbix/preprocessing/variant.js';
import { asStep, SAMPLES, type Sample } from './samples.js';
import { SEQUENCES } from './sequences.js';

const NOW = 1_700_000_000;

function made(sample: Sample): Outcome {
  const pipeline = new Pipeline([asStep(sample)], sample.type ?? 'text');
  if (sample.before) pipeline.run({ value: sample.before[0] }, NOW - sample.before[1]);
  return pipeline.run({ value: sample.value }, NOW);
}

await t.test('each step by itself', (t) => {
  for (const sample of SAMPLES) {
    const outcome = made(sample);
    const name = `${sample.step} ${JSON.stringify(sample.params ?? '')} of ${JSON.stringify(sample.value.slice(0, 60))}`;
    if (sample.fails !== undefined) t.match(outcome, { kind: 'error', error: sample.own ?? `1. Failed: ${sample.fails}` }, name);
    else if (sample.gives === undefined) t.equal(outcome.kind, 'discarded', name);
    else t.match(outcome, { kind: 'value', text: sample.gives }, name);
  }
  t.end();
});

await t.test('several for several values', (t) => {
  for (const { name, type, steps, values, gives, error } of SEQUENCES) {
    const pipeline = new Pipeline(steps, type);
    const all = values.map(([value, seconds]) => pipeline.run({ value }, NOW + seconds));
    t.same(all.flatMap((outcome) => (outcome.kind === 'value' ? [outcome.text] : [])), gives, name);
    const last = all.findLast((outcome) => outcome.kind !== 'discarded');
    t.equal(last?.kind === 'error' ? last.error : undefined, error, name);
  }
  t.end();
});

const step = (type: number, params = '', onFail: ConfiguredStep['onFail'] = 'fail', failText = ''): ConfiguredStep => ({ type, params, onFail, failText });

await t.test('what a step says about failures', (t) => {
  const bad = (onFail: ConfiguredStep['onFail'], failText = '', more: ConfiguredStep[] = []): Outcome => new Pipeline([step(1, '8', onFail, failText), ...more], 'text').run({ value: 'x' }, NOW);
  t.same(bad('fail'), { kind: 'error', error: 'Preprocessing failed for: x\n1. Failed: cannot apply multiplier "8" to value of type "string": cannot convert value to numeric type' });
  t.same(bad('discard'), { kind: 'discarded' });
  t.match(bad('set value', '0', [step(1, '8')]), { kind: 'value', text: '0' }, 'the steps behind it go on with that');
  t.same(bad('set error', 'it is broken'), { kind: 'error', error: 'it is broken' });
  const three = new Pipeline([step(4, 'x'), step(1, '8', 'set value', 'a\nb'), step(13, '0\n5')], 'text').run({ value: `x${'long'.repeat(30)}` }, NOW);
  t.same(three, { kind: 'error', error: `Preprocessing failed for: x${'long'.repeat(24)}...\n1. Result: ${'long'.repeat(24)}l...\n2. Result (set value): a.b\n3. Failed: cannot convert value to numeric type` });
  const many = new Pipeline([...Array.from({ length: 60 }, () => step(4, 'x')), step(1, '8')], 'text').run({ value: 'y'.repeat(5000) }, NOW);
  t.ok(many.kind === 'error' && many.error.length <= 2048 && /^Preprocessing failed for: y+\.\.\.\n\.\.\.\n/.test(many.error) && many.error.includes('\n61. Failed: '), 'the last steps of many');
  t.end();
});

await t.test('a value that could not be had', (t) => {
  const error = 'NOT ALLOWED';
  t.same(new Pipeline([step(1, '8')], 'text').run({ error }, NOW), { kind: 'error', error });
  t.match(new Pipeline([step(26, '', 'set value', '7')], 'unsigned').run({ error }, NOW), { kind: 'value', text: '7' });
  t.same(new Pipeline([step(26, '', 'discard')], 'text').run({ error }, NOW), { kind: 'discarded' });
  t.same(new Pipeline([step(26, '', 'set error', 'of its own')], 'text').run({ error }, NOW), { kind: 'error', error: 'of its own' });
  const kinds = new Pipeline([step(26, '0\n^NOT', 'set value', '1'), step(26, '1\n^WRONG', 'set value', '2'), step(1, '10')], 'unsigned');
  t.match(kinds.run({ error }, NOW), { kind: 'value', text: '10' }, 'an error that matches, since 7.0');
  t.match(kinds.run({ error: 'TIMEOUT' }, NOW), { kind: 'value', text: '20' }, 'or does not');
  t.same(kinds.run({ error: 'WRONG STATE' }, NOW), { kind: 'error', error: 'WRONG STATE' });
  t.match(kinds.run({ value: 3n }, NOW), { kind: 'value', text: '30' });
  t.match(new Pipeline([step(26), step(1, '8')], 'unsigned').run({ value: 2n }, NOW), { kind: 'value', text: '16' });
  t.end();
});

await t.test('what comes out has the type of the item', (t) => {
  const out = (value: string | bigint | number, type: ValueType): Outcome => new Pipeline([], type).run({ value }, NOW);
  for (const [value, type, text] of [
    ['12.00', 'unsigned', '12'], [' "+7"\n', 'unsigned', '7'], [12.9, 'unsigned', '12'], ['1e3', 'float', '1000'], [0.1 + 0.2, 'float', '0.30000000000000004'], [1e20, 'float', '1E+20'],
    [1.5e-7, 'text', '1.5E-07'], [5n, 'char', '5'], [2n ** 64n - 1n, 'unsigned', '18446744073709551615'], [1 / 3, 'text', '0.33333333333333331'],
  ] as const) t.match(out(value, type), { kind: 'value', text }, `${value} ${type}`);
  for (const [value, type] of [['12.5', 'unsigned'], ['x', 'float'], ['-1', 'unsigned'], [-1, 'unsigned'], ['18446744073709551616', 'unsigned'], ['1e999', 'float'], ['', 'float'], [2 ** 64, 'unsigned'], ['0x1f', 'unsigned']] as const) {
    t.match(out(value, type), { kind: 'error', error: / is not suitable for value type "Numeric/ }, `${value} ${type}`);
  }
  t.match(out('abc', 'unsigned'), { error: 'Value "abc" of type "string" is not suitable for value type "Numeric (unsigned)"' });
  t.match(new Pipeline([step(1, '2')], 'unsigned').run({ value: 2n ** 63n }, NOW), { kind: 'error', error: /2\^64/ }, 'rather than what is left of it');
  t.match(new Pipeline([step(1, '-2')], 'unsigned').run({ value: 2n }, NOW), { kind: 'error' });
  t.match(new Pipeline([step(1, '1e300')], 'float').run({ value: 1e300 }, NOW), { kind: 'error', error: /too large/ });
  t.end();
});

await t.test('what is known of the values before', (t) => {
  const speed = new Pipeline([step(10), step(1, '8')], 'unsigned');
  const at = (value: bigint, seconds: number): string => { const outcome = speed.run({ value }, NOW + seconds); return outcome.kind === 'value' ? outcome.text : outcome.kind; };
  t.same([at(0n, 0), at(1000n, 10), at(500n, 20), at(1500n, 30), at(1500n, 30), at(1600n, 25), at(1700n, 35)], ['discarded', '800', 'discarded', '800', 'discarded', 'discarded', '80'], 'a counter that began anew, and a clock that stands or went back');
  t.same(speed.run({ error: 'TIMEOUT' }, NOW + 45), { kind: 'error', error: 'TIMEOUT' });
  t.equal(at(1900n, 55), '80', 'over a value that could not be had');
  const told = new Pipeline([step(20, '1m')], 'text');
  const say = (value: string, seconds: number): string => told.run({ value }, NOW + seconds).kind;
  t.same([say('a', 0), say('a', 30), say('a', 59), say('a', 60), say('a', 100), say('b', 101), say('b', 102)], ['value', 'discarded', 'discarded', 'value', 'discarded', 'value', 'discarded']);
  told.forgetTold();
  t.equal(say('b', 103), 'value');
  const both = new Pipeline([step(13, '\n100'), step(9)], 'float');
  t.same([1, 3, 200, 5, 8].map((value) => both.run({ value }, NOW).kind), ['discarded', 'value', 'error', 'discarded', 'value'], 'a step that fails makes those behind it begin anew');
  t.end();
});

await t.test('what is not done here is told, whatever a step says about failures', (t) => {
  const cannot = (type: number, params: string): string => {
    try {
      new Pipeline([step(4, 'x'), step(type, params, 'set value', '0')], 'text');
      return '';
    } catch (error) {
      return error instanceof CannotPreprocess ? error.message : String(error);
    }
  };
  for (const [type, params, reason] of [
    [11, '/a', /^step 2 of its preprocessing: XML XPath is not done here$/], [21, 'return 1', /JavaScript is not done here/], [24, '', /CSV to JSON/], [99, '', /type 99/],
    [12, '$.a[?(@.b)]', /JSONPath .*filters/], [12, 'a', /JSONPath/], [12, '$.a[', /JSONPath/], [12, '$.a.b()', /function b/], [12, '$.a.first().b', /follows a function/], [16, '$.a b', /JSONPath/], [12, '$.__proto__[', /JSONPath/],
    [5, '(a\n\\1', /regular expression/], [5, 'a++\n', /possessive/], [5, '(?>a)\n', /cannot be done/], [5, '(?R)\n', /cannot be done/], [5, '(a)\\1\n', /\\1/], [14, '\\Ka', /\\K/], [14, '[[:^alpha:]]', /alpha/], [15, '[a', /no \]/], [14, 'x'.repeat(3000), /longer/],
    [14, '(?i:a)', /cannot be done/], [26, '5', /of the kind/], [26, '0', /of the kind/], [26, '0\n(', /regular expression/], [14, '(?:x{500,}){501}', /more than 1000/], [14, '\\', /\\/],
  ] as const) t.match(cannot(type, params), reason, `${type} ${params.slice(0, 30)}`);
  t.end();
});

await t.test('what would be too much is not made', (t) => {
  const fault = (type: number, params: string, value: string): string => {
    try {
      return new Pipeline([step(type, params, 'discard')], 'text').run({ value }, NOW).kind;
    } catch (error) {
      return error instanceof CannotPreprocess ? error.message : String(error);
    }
  };
  // so short that the expression has no watch, which would end it on a busy machine
  t.match(fault(5, `.*\n${'\\0'.repeat(2000)}`, 'x'.repeat(1000)), /longer than 1048576/);
  t.match(fault(25, `x\n${'y'.repeat(60_000)}`, 'x'.repeat(100_000)), /longer than 1048576/);
  t.match(fault(25, 'x\ny', 'x'.repeat(1_100_000)), /longer than 1048576/);
  t.equal(fault(25, 'x\ny', 'x'.repeat(1_000_000)), 'value');
  t.equal(fault(4, 'x', 'x'.repeat(100_000)), 'value');
  t.match(fault(12, '$.a', JSON.stringify({ a: 'x'.repeat(300_000) })), /JSON of more than 262144/);
  const deep = `${'{"a":'.repeat(60)}${JSON.stringify(Array.from({ length: 2000 }, () => ({ a: [1, 2, 3] })))}${'}'.repeat(60)}`;
  for (const path of ['$..*..*', '$..a..b', '$..*..*..*..*..zzz']) t.match(fault(12, path, deep), /looks at more than 100000/, path);
  t.equal(fault(12, '$..b', deep), 'discarded');
  t.end();
});

await t.test('nothing that is of objects alone is found in JSON', (t) => {
  for (const path of ['$.__proto__', '$.constructor', '$.toString', '$.length']) t.match(new Pipeline([step(12, path)], 'text').run({ value: '{"a":[1]}' }, NOW), { kind: 'error', error: /no data matches/ }, path);
  t.match(new Pipeline([step(12, '$.__proto__')], 'text').run({ value: '{"__proto__":"x"}' }, NOW), { kind: 'value', text: 'x' });
  t.match(new Pipeline([step(12, '$.a')], 'text').run({ value: `${'['.repeat(100_000)}` }, NOW), { kind: 'error', error: /deeper/ });
  t.match(new Pipeline([step(12, '$..a')], 'text').run({ value: `{"b":${'['.repeat(50)}{"a":1}${']'.repeat(50)}}` }, NOW), { kind: 'value', text: '[1]' });
  t.end();
});

await t.test('a regular expression that would take for ever is ended, and not tried again', (t) => {
  const fault = (pattern: string, value: string): string | undefined => {
    try {
      new Pipeline([step(14, pattern, 'discard')], 'text').run({ value }, NOW);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
  const endless = `${'a'.repeat(60)}b`;
  // a busy machine may stand still for as long as one may take: what is short is tried as often as is left
  const isDone = (tries: number): boolean => Array.from({ length: tries }, () => fault('^(a+)+$', 'aaa')).includes(undefined);
  t.match(fault('^(a+)+$', endless), /too long$/);
  t.ok(isDone(ZABBIX_PATTERN_TRIES - 1), 'others are tried: the machine may have been busy');
  for (let at = 0; at < 3; at += 1) t.match(fault('^(a+)+$', endless), /too long$/);
  t.match(fault('^(a+)+$', 'aaa'), /too long, and is not tried any more/);
  t.match(fault('(.*,){20}x', ','.repeat(5000)), /too long/);
  t.match(fault('(x+x+)+y', 'x'.repeat(60)), /too long/);
  t.match(fault('a*a*a*a*b', 'a'.repeat(5000)), /too long/);
  t.match(fault('a+', 'b'.repeat(70_000)), /longer than 65536/);
  for (let at = 0; at < 20; at += 1) fault(`^(a+)+${at}$`, 'a'.repeat(60));
  t.match(fault('^(b+)+$', 'b'), /others have taken too long/, 'after some of them none is tried that may');
  t.equal(fault('^b+$', 'b'), undefined, 'and those that cannot go on');
  t.end();
});
