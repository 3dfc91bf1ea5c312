import type { ConfiguredStep } from '../../../../src/protocols/zabbix/preprocessing/configured-steps.js';
import type { ValueType } from '../../../../src/protocols/zabbix/messages.js';

/**
 * What steps make of values: each row is what Zabbix 6.0 itself says, which test/e2e/zabbix-preprocessing.test.ts asks.
 */
export interface Sample {
  readonly step: number;
  readonly params?: string;
  readonly type?: ValueType;
  readonly value: string;
  /** what comes out; undefined: it is discarded */
  readonly gives?: string | undefined;
  /** or how it fails */
  readonly fails?: string;
  /** the value before, and how many seconds ago */
  readonly before?: readonly [value: string, seconds: number];
  /** what comes out there, where it is on purpose another value here */
  readonly zabbix?: string;
  /** the words of our own reason, where Zabbix has others for the same */
  readonly own?: RegExp;
}

export const asStep = ({ step, params = '' }: Sample): ConfiguredStep => ({ type: step, params, onFail: 'fail', failText: '' });

const JSON_TEXT = '{"name":"lj","cpus":2,"load":[0.10,0.5,1.50],"big":12345678901234567890,"none":null,"yes":true,"host":{"a b":"x","it\'s":"y"},"list":[{"id":1,"t":["p","q"]},{"id":2,"t":["r"]}],"text":"a\\"b\\u00e4\\n","empty":[]}';
const path = (params: string, rest: Partial<Sample>): Sample => ({ step: 12, params, value: JSON_TEXT, ...rest });
const noData = (params: string): Sample => path(params, { fails: `cannot extract value from json by path "${params}": no data matches the specified path` });

export const SAMPLES: readonly Sample[] = [
  { step: 1, params: '8', value: '10', type: 'unsigned', gives: '80' },
  { step: 1, params: '0.5', value: '5', type: 'unsigned', gives: '2' },
  { step: 1, params: '0.5', value: '5', type: 'float', gives: '2.5' },
  { step: 1, params: '1.5', value: '1.5', type: 'unsigned', gives: '1' },
  { step: 1, params: '3', value: '1.5', gives: '4.5' },
  { step: 1, params: '3', value: '0.1', gives: '0.30000000000000004' },
  { step: 1, params: '1e3', value: ' "+7" ', gives: '7000' },
  { step: 1, params: '-2', value: '7', type: 'float', gives: '-14' },
  { step: 1, params: '10', value: '10x', fails: 'cannot apply multiplier "10" to value of type "string": cannot convert value to numeric type' },
  { step: 1, params: 'abc', value: '10', fails: 'cannot apply multiplier "abc" to value of type "string": a numerical value is expected or the value is out of range' },
  { step: 1, params: '10', value: '', fails: 'cannot apply multiplier "10" to value of type "string": cannot convert value to numeric type' },
  { step: 2, params: '01', value: '01abc01', gives: '01abc' },
  { step: 2, params: '\\n\\s', value: 'abc \n', gives: 'abc' },
  { step: 3, params: '01', value: '01abc01', gives: 'abc01' },
  { step: 4, params: '01', value: '01abc01', gives: 'abc' },
  { step: 4, params: '\\s\\t\\r\\n', value: ' \t\r\nabc', gives: 'abc' },
  { step: 4, params: 'abc', value: 'abc', gives: '' },
  { step: 4, params: '\\\\s', value: '\\ a s\\', gives: 'a s' },
  { step: 5, params: '([0-9]+)\n\\1', value: 'test 123 number', gives: '123' },
  { step: 5, params: '([0-9]+)\nx\\1y\\0z', value: 'test 123 number', gives: 'x123y123z' },
  { step: 5, params: '^$\nok', value: '', gives: 'ok' },
  { step: 5, params: '^b\nok', value: 'a\nb', fails: 'cannot perform regular expression "^b" match for value of type "string": pattern does not match' },
  { step: 5, params: 'b$\nok', value: 'a\nb\n', gives: 'ok' },
  { step: 5, params: '(?i)LJ\\s(\\w+)\n[\\1]', value: 'lj on', gives: '[on]' },
  { step: 5, params: '(?P<n>[[:alpha:]_-]+)=\\d{2,}\n\\1', value: 'a-b_c=42', gives: 'a-b_c' },
  { step: 5, params: '(a)|(b)\n\\1-\\2', value: 'b', gives: '-b' },
  { step: 5, params: 'a.c\nyes', value: 'a\rc', gives: 'yes' },
  { step: 5, params: '{"x":(\\d+)}\n\\1', value: '{"x":5}', gives: '5' },
  { step: 5, params: '[]a]+\n\\0', value: 'x]a', gives: ']a' },
  { step: 5, params: '\\"(\\w+)\\"\\:\\-\n\\1', value: '"k":-', gives: 'k' },
  { step: 5, params: 'x\n\\\\1', value: 'x', gives: '\\1' },
  { step: 5, params: '(x)\n\\a\\1', value: 'x', gives: '\\ax' },
  { step: 5, params: '(ä+)\n\\1', value: 'xääy', gives: 'ää' },
  { step: 5, params: '([0-9]+)', value: 'test 123', fails: 'cannot perform regular expression "([0-9]+)" match for value of type "string": cannot find second parameter' },
  ...['true', 't', 'Yes', 'y', 'on', 'up', 'running', 'enabled', 'available', 'ok', 'master', '1', '0.5', '-3'].map((value): Sample => ({ step: 6, value, gives: '1' })),
  ...['false', 'f', 'no', 'n', 'OFF', 'down', 'unused', 'disabled', 'unavailable', 'err', 'slave', '0', '0.0', ' "off"\n'].map((value): Sample => ({ step: 6, value, gives: '0' })),
  ...['', 'abc', 'paused', 'notavailable'].map((value): Sample => ({ step: 6, value, fails: 'cannot convert value of type "string" from boolean format: invalid value format' })),
  { step: 7, value: '17', gives: '15' },
  { step: 7, value: '8', fails: 'cannot convert value of type "string" from octal format: invalid value format' },
  { step: 8, value: 'Ff', gives: '255' },
  { step: 8, value: '0a ff', gives: '2815' },
  { step: 8, value: 'g', fails: 'cannot convert value of type "string" from hexadecimal format: invalid value format' },
  { step: 8, value: '0x1f', fails: 'cannot convert value of type "string" from hexadecimal format: invalid value format' },
  { step: 9, value: '10', before: ['4', 10], type: 'unsigned', gives: '6' },
  { step: 9, value: '10.5', before: ['4', 10], type: 'float', gives: '6.5' },
  { step: 9, value: '4', before: ['4', 10], type: 'unsigned', gives: '0' },
  { step: 9, value: '3', before: ['4', 10], type: 'unsigned', gives: undefined },
  { step: 9, value: 'x', before: ['4', 10], fails: 'cannot calculate delta (simple change) for value of type "string": cannot convert value to numeric type' },
  { step: 10, value: '110', before: ['10', 10], type: 'unsigned', gives: '10' },
  { step: 10, value: '115', before: ['10', 10], type: 'unsigned', gives: '10' },
  { step: 10, value: '115', before: ['10', 10], type: 'float', gives: '10.5' },
  { step: 10, value: '115', before: ['10', 10], type: 'text', gives: '10' },
  { step: 10, value: '9', before: ['10', 10], type: 'float', gives: undefined },
  path('$.name', { gives: 'lj' }), path('$.cpus', { gives: '2' }), path('$["name"]', { gives: 'lj' }), path("$.['name']", { gives: 'lj' }),
  path('$.load', { gives: '[0.1,0.5,1.5]' }), path('$.load[2]', { gives: '1.5' }), path('$.load[-1]', { gives: '1.5' }), path('$.load[-3]', { gives: '0.1' }),
  path('$.big', { gives: '12345678901234567890', zabbix: '1.2345678901234567E+19' }), path('$.yes', { gives: 'true' }), path('$.host["a b"]', { gives: 'x' }), path("$.host['it\\'s']", { gives: 'y' }),
  path('$.text', { gives: 'a"bä\n' }), path('$.host', { gives: '{"a b":"x","it\'s":"y"}' }), path('$.empty', { gives: '[]' }),
  path('$.list[*].id', { gives: '[1,2]' }), path('$.list[0,1].id', { gives: '[1,2]', zabbix: '[2,1]' }), path('$.list[1:].id', { gives: '[2]' }), path('$.list[:-1].t', { gives: '[["p","q"]]' }),
  path('$..id', { gives: '[1,2]' }), path('$.list.*.t[0]', { gives: '["p","r"]' }), path("$['name','cpus']", { gives: '["lj",2]', zabbix: '[2,"lj"]' }),
  path('$.load.length()', { gives: '3' }), path('$.list[*].id.length()', { gives: '2' }), path('$..id.first()', { gives: '1' }), path('$.list[*].t.first().first()', { gives: 'p' }),
  path('$..t.first().length()', { gives: '2' }), path('$.load.first()', { gives: '0.1' }), path('$.load.max()', { gives: '1.5' }), path('$.load.min()', { gives: '0.1' }),
  path('$.load.sum()', { gives: '2.1' }), path('$.load.avg()', { gives: '0.70000000000000007' }), path('$.list[*].id.sum()', { gives: '3' }), path('$.none', { gives: 'null' }),
  noData('$.nothing'), noData('$.load[3]'), noData('$.load[-4]'), noData('$.name.more'), noData('$..nothing'), noData('$.empty[*]'), noData('$.empty.first()'),
  path('$.empty.length()', { gives: '0' }), path('$..nothing.length()', { gives: '0' }),
  path('$.nothing.length()', { fails: 'cannot extract value from json by path "$.nothing.length()": cannot apply function to non-array JSON element' }),
  path('$.name.length()', { fails: 'cannot extract value from json by path "$.name.length()": cannot apply function to non-array JSON element' }),
  path('$.empty.max()', { fails: 'cannot extract value from json by path "$.empty.max()": cannot apply aggregation function to empty array' }),
  { step: 12, params: '$.a', value: 'no JSON', fails: 'cannot extract value from json by path "$.a": invalid object format, expected opening character \'{\' or \'[\' at: \'no JSON\'' },
  { step: 12, params: '$.a', value: '', fails: 'cannot extract value from json by path "$.a": invalid object format, expected opening character \'{\' or \'[\' at: \'\'' },
  { step: 12, params: '$.a', value: '"text"', fails: 'cannot extract value from json by path "$.a": invalid object format, expected opening character \'{\' or \'[\' at: \'"text"\'' },
  { step: 12, params: '$.a', value: '{"a":1', fails: 'cannot extract value from json by path "$.a": ', own: /json by path/ },
  { step: 12, params: '$.a', value: '{"a":1}x', gives: '1' },
  { step: 12, params: '$.x', value: ' {"x":{ "a" : [ 1 , 2.50 , 1e3, -0.50, 100, 1E+2, 10.00 ], "b\\u00e4\\/\\"" : "\\u00e4\\/\\"\\\\\\n\\u0001", "c":{ } ,"n":null, "t" : true}} ', gives: '{"a":[1,2.5,1000,-0.5,100,100,10],"bä/\\"":"ä/\\"\\\\\\n\\u0001","c":{},"n":null,"t":true}', zabbix: '{"n":null,"t":true,"bä/\\"":"ä/\\"\\\\\\n\\u0001","a":[1,2.5,1000,-0.5,100,100,10],"c":{}}' },
  { step: 12, params: '$.a', value: '{"a" : [ 1 , 2.50 , 1e3, -0.50, 100, 1E+2, 10.00, 123456789012345678901234567890, 0.12345678901234567890123 ]}', gives: '[1,2.5,1000,-0.5,100,100,10,123456789012345678901234567890,0.12345678901234568]', zabbix: '[1,2.5,1000,-0.5,100,100,10,1.2345678901234568E+29,0.12345678901234568]' },
  { step: 12, params: '$.a', value: '{"a":1,"a":2}', gives: '1' },
  { step: 12, params: '$..a', value: '{"a":{"a":1},"b":[{"a":2}],"a2":"x"}', gives: '[{"a":1},1,2]', zabbix: '[{"a":1},2,1]' },
  { step: 12, params: '$.b[0]', value: '{"b":{"0":1}}', fails: 'cannot extract value from json by path "$.b[0]": no data matches the specified path' },
  { step: 12, params: '$.*', value: '{"b":"x","a":1}', gives: '["x",1]' },
  { step: 12, params: '$.a', value: '{"a":"\\u0001\\t"}', gives: '\u0001\t' },
  { step: 12, params: '$[ "a" , \'b\' ]', value: '{"b":2,"a":1}', gives: '[1,2]', zabbix: '[2,1]' },
  { step: 12, params: '$.list.length()', value: '{"list":{"a":1}}', fails: 'cannot extract value from json by path "$.list.length()": cannot apply function to non-array JSON element' },
  { step: 12, params: '$.list.first()', value: '{"list":[{"a":[1.50]}]}', gives: '{"a":[1.5]}' },
  { step: 12, params: '$.list[0:1].first()', value: '{"list":["x"]}', gives: 'x' },
  { step: 12, params: '$.list.sum()', value: '{"list":["1","2.5"]}', gives: '3.5' },
  { step: 12, params: '$.list.sum()', value: '{"list":["a"]}', fails: 'cannot extract value from json by path "$.list.sum()": array value is not a number or out of range: a' },
  { step: 12, params: '$[0]', value: '["a"]', gives: 'a' },
  { step: 13, params: '1\n10', value: '5', gives: '5' },
  { step: 13, params: '1\n', value: '1', gives: '1' },
  { step: 13, params: '\n10', value: '10.5', fails: 'value is greater than 10' },
  { step: 13, params: '1\n10', value: '0', fails: 'value is less than 1 or greater than 10' },
  { step: 13, params: '-1.5\n', value: '-2', fails: 'value is less than -1.5' },
  { step: 13, params: '1\n10', value: 'x', fails: 'cannot convert value to numeric type' },
  { step: 14, params: '^b$', value: 'a\nb\nc', gives: 'a\nb\nc' },
  { step: 14, params: '^on$', value: 'off', fails: 'cannot perform regular expression "^on$" validation for value of type "string": value does not match regular expression' },
  { step: 15, params: '^on$', value: 'off', gives: 'off' },
  { step: 15, params: 'f+', value: 'off', fails: 'cannot perform regular expression "f+" validation for value of type "string": value matches regular expression' },
  { step: 16, params: '$.error', value: '{"error":" no route "}', fails: 'no route' },
  { step: 16, params: '$.error', value: '{"a":1}', gives: '{"a":1}' },
  { step: 16, params: '$.error', value: 'no JSON', gives: 'no JSON' },
  { step: 16, params: '$.error', value: '{"error":""}', gives: '{"error":""}' },
  { step: 18, params: '^error: (.*)$\n\\1', value: 'error: no route', fails: 'no route' },
  { step: 18, params: '^error: (.*)$\n\\1', value: 'x\nerror: no route', gives: 'x\nerror: no route' },
  { step: 18, params: '^error: (.*)$\n\\1', value: 'well', gives: 'well' },
  { step: 19, value: '5', before: ['5', 10], gives: undefined },
  { step: 19, value: '6', before: ['5', 10], gives: '6' },
  { step: 20, params: '1m', value: '5', before: ['5', 10], gives: undefined },
  { step: 20, params: '5s', value: '5', before: ['5', 10], gives: '5' },
  { step: 20, params: '1m', value: '6', before: ['5', 10], gives: '6' },
  { step: 25, params: 'a\nb', value: 'banana', gives: 'bbnbnb' },
  { step: 25, params: '\\n\n, ', value: 'a\nb', gives: 'a, b' },
  { step: 25, params: '\\\\\n/', value: 'a\\b', gives: 'a/b' },
  { step: 25, params: 'a\n$&', value: 'xax', gives: 'x$&x' },
  { step: 25, params: ',\n', value: '1,234,567', gives: '1234567' },
];
