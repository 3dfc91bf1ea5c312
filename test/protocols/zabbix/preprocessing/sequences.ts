import type { ConfiguredStep } from '../../../../src/protocols/zabbix/preprocessing/configured-steps.js';
import type { ValueType } from '../../../../src/protocols/zabbix/messages.js';

/** Several values one after the other, and what Zabbix 6.0 stores of them: test/e2e/zabbix-preprocessing.test.ts sends it the same. */
export interface Sequence {
  readonly name: string;
  readonly type: ValueType;
  readonly steps: readonly ConfiguredStep[];
  /** with seconds from a first moment on */
  readonly values: readonly (readonly [value: string, seconds: number])[];
  readonly gives: readonly string[];
  /** the reason why the item is unsupported in the end */
  readonly error?: string;
}

const step = (type: number, params = '', onFail: ConfiguredStep['onFail'] = 'fail', failText = ''): ConfiguredStep => ({ type, params, onFail, failText });
const each = (...values: readonly string[]): Sequence['values'] => values.map((value, at) => [value, at * 10]);

export const SEQUENCES: readonly Sequence[] = [
  { name: 'speed', type: 'unsigned', steps: [step(10), step(1, '8')], values: [['0', 0], ['1000', 10], ['500', 20], ['1500', 30], ['1600', 40]], gives: ['800', '800', '80'] },
  { name: 'speed at one time', type: 'float', steps: [step(10)], values: [['0', 0], ['10', 10], ['30', 10], ['60', 20]], gives: ['1', '3'] },
  { name: 'speed of a clock that goes back', type: 'float', steps: [step(10)], values: [['0', 10], ['10', 5], ['30', 15]], gives: ['2'] },
  { name: 'change', type: 'float', steps: [step(9)], values: each('1', '1.5', '1', '4'), gives: ['0.5', '3'] },
  { name: 'unchanged, then change', type: 'unsigned', steps: [step(19), step(9)], values: each('1', '1', '2', '4', '4', '7', '9'), gives: ['2', '2'] },
  { name: 'a step that fails, then change', type: 'unsigned', steps: [step(13, '0\n100'), step(9)], values: each('1', '3', '200', '5', '8'), gives: ['2', '3'] },
  { name: 'a step that discards, then change', type: 'unsigned', steps: [step(13, '0\n100', 'discard'), step(9)], values: each('1', '3', '200', '5', '8'), gives: ['2', '3'] },
  { name: 'a value that is set, then change', type: 'unsigned', steps: [step(13, '0\n100', 'set value', '4'), step(9)], values: each('1', '3', '200', '5', '8'), gives: ['2', '1', '1', '3'] },
  { name: 'unchanged', type: 'text', steps: [step(19)], values: each('a', 'a', 'b', 'b', 'a'), gives: ['a', 'b', 'a'] },
  { name: 'unchanged after a failure', type: 'unsigned', steps: [step(13, '0\n100'), step(19)], values: each('5', '5', '200', '5', '5'), gives: ['5', '5'] },
  { name: 'unchanged with a heartbeat', type: 'text', steps: [step(20, '1m')], values: [['a', 0], ['a', 30], ['a', 59], ['a', 60], ['a', 100], ['b', 101], ['b', 102]], gives: ['a', 'a', 'b'] },
  { name: 'a value that is set', type: 'float', steps: [step(1, '2', 'set value', '-1')], values: each('1', 'x', '2'), gives: ['2', '-1', '4'] },
  { name: 'a fraction for a whole number', type: 'unsigned', steps: [step(2, '%')], values: each('7%', '7.00%', '7.5%'), gives: ['7', '7'], error: 'Value "7.5" of type "string" is not suitable for value type "Numeric (unsigned)"' },
  { name: 'an error that is set', type: 'unsigned', steps: [step(1, '2', 'set error', 'it is broken')], values: each('x'), gives: [], error: 'it is broken' },
  {
    name: 'an error after some steps', type: 'unsigned', steps: [step(4, 'x'), step(1, '8', 'set value', 'a b'), step(13, '0\n5')], values: each(`x${'long'.repeat(30)}`), gives: [],
    error: `Preprocessing failed for: x${'long'.repeat(24)}...\n1. Result: ${'long'.repeat(24)}l...\n2. Result (set value): a b\n3. Failed: cannot convert value to numeric type`,
  },
  { name: 'an error in JSON', type: 'text', steps: [step(16, '$.error'), step(12, '$.a')], values: each('{"error":"no\\nroute"}'), gives: [], error: 'Preprocessing failed for: {"error":"no\\nroute"}\n1. Failed: no\nroute' },
  { name: 'signs that are none', type: 'unsigned', steps: [step(1, '2')], values: each('a\tb\nc'), gives: [], error: 'Preprocessing failed for: a.b.c\n1. Failed: cannot apply multiplier "2" to value of type "string": cannot convert value to numeric type' },
  { name: 'numbers as texts', type: 'text', steps: [step(1, '0.1')], values: each('3', '1e20', '1e-9', '12345678'), gives: ['0', '1E+19', '1.0000000000000002E-10', '1234567'] },
];
