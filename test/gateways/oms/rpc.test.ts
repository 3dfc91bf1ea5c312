import type { IncomingMessage } from 'node:http';
import { Script } from 'node:vm';
import t from 'tap';
import { FAULTS, OmsError, toOmsError } from '../../../src/gateways/oms/faults.js';
import { answerText, jsonInSlices } from '../../../src/gateways/oms/rpc/answer.js';
import { readCall, type AllowedForms, type RpcCall } from '../../../src/gateways/oms/rpc/request.js';
import { ArgoError, PHRASES, type Phrase } from '../../../src/kit/errors.js';
import { HttpError, type Visit } from '../../../src/listening/http.js';
import { seededRandom } from '../../support/seeded-random.js';

const ALL: AllowedForms = { legacyGet: true, jsonp: true };
const POST_ALONE: AllowedForms = { legacyGet: false, jsonp: false };

const post = (body: string, allowed: AllowedForms = POST_ALONE): Promise<RpcCall> => readCall({ method: 'POST' } as IncomingMessage, { body: () => Promise.resolve(Buffer.from(body)) } as unknown as Visit, allowed);
const get = (query: string, allowed: AllowedForms = ALL, method = 'GET'): Promise<RpcCall> => readCall({ method } as IncomingMessage, { query: new URL(`http://x/?${query}`).searchParams } as Visit, allowed);
const statusOf = (reading: Promise<unknown>): Promise<number> => reading.then(() => 200, (error: unknown) => (error instanceof HttpError ? error.status : -1));

await t.test('the forms of a call', async (t) => {
  const wanted = { id: 7, service: 'kvm', method: 'list_vms', params: ['S', 0, 'a&b'] };
  const json = JSON.stringify(wanted);
  const fields = new URLSearchParams({ id: '7', service: 'kvm', method: 'list_vms', params: JSON.stringify(wanted.params), nocache: '1', server_data: 'x' });
  t.match(await post(json), { ...wanted, form: { is: 'qooxdoo' } });
  t.match(await post(` ${json}\n`), wanted, 'with blanks around it');
  t.match(await post(fields.toString()), { ...wanted, form: { is: 'qooxdoo' } }, 'a form');
  t.match(await post(new URLSearchParams({ _data_: json }).toString()), wanted);
  t.match(await get(fields.toString()), wanted);
  t.match(await get('id=7&service=kvm&method=list_vms&params=["S",0,"a%26b"]'), wanted, 'an address as somebody types it');
  t.match(await post(JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'kvm.list_vms', params: wanted.params })), { ...wanted, form: { is: 'json-rpc' } });
  t.match(await get(new URLSearchParams({ _ScriptTransport_id: '3', nocache: '1', _ScriptTransport_data: json }).toString()), { ...wanted, form: { is: 'script', script: '3' } });
  t.match(await post('{"service":null,"method":"refreshSession","id":null}'), { service: null, id: null, params: [] });
  for (const [id, read] of [['"a b"', 'a b'], ['a', 'a'], ['12', 12], ['-3', -3], ['null', null], ['12345678901234567890', '12345678901234567890'], ['{"a":1}', '{"a":1}'], ['', ''], ['007', '007'], ['-0', 0], ['"a\nb"', '"a\nb"'], ['"\u0001"', '"\u0001"']] as const) {
    t.equal((await get(new URLSearchParams({ id, service: 's', method: 'm' }).toString())).id, read, id);
  }
});

await t.test('what is no call', async (t) => {
  for (const body of ['', '{', '{}', '[]', 'x', '"x"', '{"method":1}', '{"service":1,"method":"m"}', '{"service":"s","method":"m","params":{}}', '{"service":"s","method":"m","id":{}}', '{"service":"s","method":"m","id":true}',
    `{"service":"s","method":"m","id":"${'x'.repeat(129)}"}`, '{"service":"s","method":"m","params":[{"__proto__":1}]}', `{"service":"s","method":"m","params":${'['.repeat(50)}${']'.repeat(50)}}`,
    '{"service":"s","method":"m","id":9007199254740993}', '{"service":"s","method":"m","id":-1e300}', '{"service":"s","method":"m","id":1e400}', '{"service":"s","method":"m"', '--x\r\ncontent-disposition: form-data; name="service"\r\n\r\ns\r\n--x--\r\n',
    'service=s&method=m&method=n', 'service=s&method=m&params=[]&params=[1]', '_data_={"service":"s","method":"m"}&_data_={"service":"s","method":"n"}',
    'service=s&method=m&params=[', 'service=s', '_data_=', '_data_={', '[{"service":"s","method":"m"}]']) t.equal(await statusOf(post(body)), 400, body.slice(0, 60));
  t.equal(await statusOf(get('service=s&method=m', POST_ALONE)), 405, 'GET is off');
  t.equal(await statusOf(get('_ScriptTransport_id=1&_ScriptTransport_data={}', POST_ALONE)), 405);
  t.equal(await statusOf(get('_ScriptTransport_id=1&_ScriptTransport_data={}', { legacyGet: true, jsonp: false })), 403, 'scripts are off');
  t.equal(await statusOf(get('service=s&method=m', { legacyGet: false, jsonp: true })), 405, 'with scripts alone, no other GET');
  for (const id of ['', 'x', '1;alert(1)', '12345678901', '-1', '1e3']) t.equal(await statusOf(get(`_ScriptTransport_id=${encodeURIComponent(id)}&_ScriptTransport_data={"service":"s","method":"m"}`)), 400, id);
  for (const method of ['HEAD', 'PUT', 'DELETE', 'OPTIONS']) t.equal(await statusOf(get('service=s&method=m', ALL, method)), 405, method);
});

await t.test('it says what is wrong with it', async (t) => {
  for (const [body, words] of [
    ['[{"service":"s","method":"m"}]', 'one call is expected, no list of calls'], ['{"service":"s","method":"m"', 'the body is no JSON'], ['{"service":"s","method":"m","id":12345678901234567890}', /a larger one can be sent as a text/],
    ['--x\r\n', /no multipart\/form-data/], ['service=s&method=m&method=n', 'method is given twice'], ['', 'service and method are expected'], ['{"service":"s","method":"m","params":{}}', 'params is a list'],
  ] as const) t.match(await post(body).catch((error: unknown) => error), { status: 400, message: words }, body);
  t.equal((await post('{"service":"s","method":"m","id":9007199254740991}')).id, Number.MAX_SAFE_INTEGER);
  t.match(await get('_ScriptTransport_id=1&_ScriptTransport_id=2&_ScriptTransport_data={"service":"s","method":"m"}').catch((error: unknown) => error), { status: 400 });
});

await t.test('chance makes no other end than a call or a refusal', async (t) => {
  const random = seededRandom(13);
  const pieces = ['{', '}', '[', ']', '"', ':', ',', 'service', 'method', 'params', 'id', '_data_', '=', '&', '%00', '\0', '\n', 'null', '1e999', '-', '../', '\u2028', 'jsonrpc', '"2.0"', '__proto__', '+', '%', 'é', '<script>'];
  let read = 0;
  for (let count = 0; count < 3000; count += 1) {
    const text = Array.from({ length: 1 + random.below(20) }, () => pieces[random.below(pieces.length)]!).join('');
    for (const status of [await statusOf(post(text)), await statusOf(get(encodeURIComponent(text))), await statusOf(get(`_ScriptTransport_id=1&_ScriptTransport_data=${encodeURIComponent(text)}`))]) {
      if (status === 200) read += 1;
      else if (status !== 400) t.fail(`${status}: ${text}`);
    }
  }
  t.pass(`${read} of them were calls`);
});

await t.test('answers', (t) => {
  const call = (form: RpcCall['form'], id: RpcCall['id'] = 'x'): RpcCall => ({ id, service: 's', method: 'm', params: [], form });
  const result = { type: 'func', client: 'h', json: '0' } as const;
  const error = new OmsError('VNCRemoveError', 'none\nis\u001b there');
  t.equal(answerText(call({ is: 'qooxdoo' }, 1), { result }), '{"error":null,"id":1,"result":{"type":"func","result":{"client":"h","result":0}}}');
  t.equal(answerText(call({ is: 'qooxdoo' }, null), { error }), '{"error":{"origin":2,"code":155,"message":"[VNCRemoveError] none is? there"},"id":null,"result":null}');
  t.equal(answerText(call({ is: 'json-rpc' }), { result }), '{"jsonrpc":"2.0","id":"x","result":{"type":"func","result":{"client":"h","result":0}}}');
  t.same(JSON.parse(answerText(call({ is: 'json-rpc' }), { error })), { jsonrpc: '2.0', id: 'x', error: { code: 155, message: '[VNCRemoveError] none is? there', data: { origin: 2, code: 155 } } });
  for (const [fault, code] of [['MethodNotFound', -32_601], ['ServiceNotFound', -32_601], ['ParameterMismatch', -32_602], ['PermissionDenied', 6], ['FuncManError', 100]] as const) {
    t.match(JSON.parse(answerText(call({ is: 'json-rpc' }), { error: new OmsError(fault, 'x') })), { error: { code } }, fault);
  }
  t.end();
});

await t.test('results are written as JSON has them', async (t) => {
  for (const value of [0, '0', 'a"b', [], {}, [0, '', ''], [{ a: [1] }, null], { a: { b: 1 }, 'c"': null, __x: [], d: undefined }, true]) t.equal(await jsonInSlices(value), JSON.stringify(value));
});

await t.test('only what is for a script can be run as one, and then does nothing but call who waits', (t) => {
  const random = seededRandom(17);
  const signs = ['</script>', '\u2028', '\u2029', '<!--', '-->', '&', '"', '\\', '\'', '\n', '*/', '`', '${alert(1)}', 'x', '\0'];
  const text = (): string => Array.from({ length: random.below(8) }, () => signs[random.below(signs.length)]!).join('');
  const isScript = (source: string): boolean => {
    try {
      return new Script(source) instanceof Script;
    } catch {
      return false;
    }
  };
  for (let count = 0; count < 500; count += 1) {
    const told = { [text()]: [text(), 1, null] };
    const answer = { result: { type: 'func', json: JSON.stringify(told) } } as const;
    for (const form of [{ is: 'qooxdoo' }, { is: 'json-rpc' }] as const) {
      const json = answerText({ id: text(), service: 's', method: 'm', params: [], form }, answer);
      if (isScript(json)) t.fail(json);
    }
    const script = answerText({ id: text(), service: 's', method: 'm', params: [], form: { is: 'script', script: '7' } }, answer);
    if (/[<>&\u2028\u2029\n]/.test(script)) t.fail(script);
    for (const qx of ['{ io: { remote: { transport: { Script: { _requestFinished: told } } } } }', '{ io: { remote: { ScriptTransport: { _requestFinished: told } } } }']) {
      const seen = new Script(`let seen; const told = (...all) => { seen = all; }; const qx = ${qx}; ${script} JSON.stringify(seen)`).runInNewContext() as string;
      const [id, given] = JSON.parse(seen) as [number, { result: unknown }];
      if (id !== 7 || JSON.stringify(given.result) !== JSON.stringify({ type: 'func', result: told })) t.fail(script);
    }
  }
  t.pass('none did');
  t.end();
});

await t.test('every phrase has a name here, and every name a code of its own', (t) => {
  const codes = Object.values(FAULTS).map(({ origin, code }) => `${origin}/${code}`);
  t.equal(new Set(codes).size, codes.length);
  for (const phrase of Object.keys(PHRASES) as Phrase[]) t.match(toOmsError(new ArgoError(phrase, 'why')).message, /^\[\w+\] .+: why$/, phrase);
  t.match(toOmsError(new Error('secret')).message, '[FuncManError] INTERNAL ERROR');
  t.end();
});
