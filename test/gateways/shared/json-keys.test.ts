import t from 'tap';
import { checkKeys } from '../../../src/gateways/shared/json-keys.js';
import { API_BODY_DEPTH } from '../../../src/kit/api-limits.js';

const refusal = (text: string): string => {
  try {
    checkKeys(JSON.parse(text));
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

await t.test('keys that every object has of itself, wherever they are', (t) => {
  for (const text of ['{}', '[]', 'null', '1', '"__proto__"', '{"a":[{"b":null}]}', '["constructor"]']) t.equal(refusal(text), '', text);
  for (const text of ['{"__proto__":1}', '[[{"a":{"__proto__":[]}}]]', '{"a":1,"b":[1,{"__proto__":null}]}']) t.equal(refusal(text), 'BAD REQUEST: unknown key "__proto__"', text);
  t.equal(refusal('{"a":[{"toString":1}]}'), 'BAD REQUEST: unknown key "toString"');
  t.end();
});

await t.test('depth', (t) => {
  const lists = (depth: number): string => `${'['.repeat(depth)}1${']'.repeat(depth)}`;
  const objects = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
  for (const nested of [lists, objects]) {
    t.equal(refusal(nested(API_BODY_DEPTH)), '');
    t.equal(refusal(nested(API_BODY_DEPTH + 1)), 'BAD REQUEST: the body is nested too deeply');
    t.equal(refusal(nested(5000)), 'BAD REQUEST: the body is nested too deeply');
  }
  t.end();
});
