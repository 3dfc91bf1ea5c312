import { Validator } from '@seriousme/openapi-schema-validator';
import type * as v from 'valibot';
import t from 'tap';
import { ArgoError } from '../../../../src/kit/errors.js';
import type { OrderRow } from '../../../../src/gateways/web/messages.js';
import { routesOf } from '../../../../src/gateways/web/api/index.js';
import { SEED_CONFIG } from '../../../server/core.js';
import { DOCUMENT, startApi } from './asking.js';

const ONCE = 'key-0001';
const HANGS = SEED_CONFIG.replace('"dev"]', '"dev"]\nfaults = { dev = "hang" }');

await t.test('the document is one, and has every route', async (t) => {
  const { valid, errors } = await new Validator().validate(structuredClone(DOCUMENT));
  t.ok(valid, JSON.stringify(errors));
  for (const { method, path } of routesOf('1')) if (path !== '/openapi.json') t.ok(DOCUMENT.paths[path]?.[method.toLowerCase()], `${method} ${path}`);
  const { call } = await startApi(t);
  t.match(await call('tenant', 'GET', '/openapi.json'), { openapi: '3.1.0', info: { version: '1.2.3' } });
});

await t.test('an account sees and does what its grants say', async (t) => {
  const { call, ended } = await startApi(t);
  const names = async (account: string, query = ''): Promise<unknown> => (await call(account, 'GET', `/instances${query}`) as { instances: { fullName: string }[] }).instances.map(({ fullName }) => fullName);
  t.same(await names('steve'), ['demo/lj', 'demo/builder', 'demo/test', 'demo/dev']);
  t.same(await names('tenant'), ['demo/lj', 'demo/test']);
  t.same(await names('steve', '?select=b*,lj'), ['demo/builder', 'demo/lj'].sort((one) => (one === 'demo/lj' ? -1 : 1)));
  t.match(await call('tenant', 'GET', '/instances/demo%2Flj'), { name: 'lj', state: 'on', stale: null, operations: ['start', 'status', 'info', 'ip', 'mac', 'uptime', 'rx', 'tx', 'load', 'disk'] });
  t.equal(await call('tenant', 'GET', '/instances/demo%2Fdev'), 'NOT ALLOWED', 'what is not there for it and what is not its own are the same');
  t.equal(await call('tenant', 'GET', '/instances/demo%2Fnone'), 'NOT ALLOWED');
  t.match(await call('steve', 'GET', '/instances/none'), /^NO SUCH INSTANCE/);
  t.match(await call('tenant', 'GET', '/instances/lj/readings/status'), { value: 'on' });
  t.match(await call('tenant', 'GET', '/instances/lj/readings?names=status,uptime,rx'), { readings: { status: { value: 'on' } } });
  t.match(await call('tenant', 'GET', '/providers'), { providers: [{ name: 'demo', type: 'sim', answers: true, stale: null }] });
  t.match(await call('tenant', 'POST', '/power/preview', { targets: ['lj', 'test'], action: 'stop' }), { rows: [{ instance: 'demo/lj', effect: 'refused', words: 'NOT ALLOWED' }, { effect: 'refused' }] });
  t.match(await call('steve', 'POST', '/power/preview', { targets: ['lj', 'test'], action: 'stop' }), { rows: [{ effect: 'order' }, { effect: 'nothing' }] });
  t.equal(await call('tenant', 'POST', '/power', { targets: ['lj', 'dev'], action: 'stop', once: ONCE }), 'NOT ALLOWED');
  const { id } = await call('tenant', 'POST', '/power', { targets: ['lj', 'test'], action: 'stop', once: ONCE }) as OrderRow;
  t.match(await ended('tenant', id), { state: 'failed', account: 'tenant', targets: [{ state: 'failed', detail: 'NOT ALLOWED' }, { state: 'failed' }] });
  t.match(await call('tenant', 'GET', '/instances/lj'), { state: 'on' });
  t.match(await call('tenant', 'PUT', '/instances/lj/autostart', { value: true }), /^NOT ALLOWED/);
  t.match(await call('tenant', 'GET', '/plans'), { plans: [], triggers: [] });
  t.match(await call('tenant', 'GET', '/runs'), { runs: [] });
  for (const path of ['/plans/p/run', '/plans/p/hold', '/plans/p/release']) t.match(await call('tenant', 'POST', path, {}), /^NO SUCH PLAN/);
  t.match(await call('tenant', 'GET', '/runs/0123abcd'), /^NO SUCH PLAN/);
});

await t.test('what patterns may have missed is told, of the providers that they reach', async (t) => {
  const config = `${SEED_CONFIG}\n[providers.away]\ntype = "libvirt"\nuri = "qemu:///system?socket=/nonexistent"\n`;
  const { call, ended } = await startApi(t, { config });
  const stale = async (method: string, path: string, body?: unknown): Promise<unknown> => (await call('steve', method, path, body) as { stale: unknown }).stale;
  const missed = [/^away \(/];
  t.match(await stale('GET', '/instances'), missed);
  t.match(await stale('GET', '/instances?select=l*'), missed);
  t.same(await stale('GET', '/instances?select=demo/l*'), []);
  t.same(await stale('GET', '/instances?select=lj'), []);
  t.match(await stale('POST', '/power/preview', { targets: ['l*'], action: 'stop' }), missed);
  t.same(await stale('POST', '/power/preview', { targets: ['demo/l*'], action: 'stop' }), []);
  const begun = await call('steve', 'POST', '/power', { targets: ['l*'], action: 'stop', once: ONCE }) as OrderRow & { stale: unknown };
  t.match(begun.stale, missed);
  t.match(await ended('steve', begun.id), { state: 'done', targets: [{ instance: 'demo/lj', state: 'done' }] });
  t.same(await stale('POST', '/power', { targets: ['demo/l*'], action: 'start', once: 'key-0002' }), []);
});

await t.test('an order for many is carried out, once for each key', async (t) => {
  const { call, ended, audit } = await startApi(t);
  const order = { targets: ['*'], action: 'stop', mode: 'hard', once: ONCE };
  const [first, second] = await Promise.all([call('steve', 'POST', '/power', order), call('steve', 'POST', '/power', order)]) as [OrderRow, OrderRow];
  t.equal(first.id, second.id);
  const task = await ended('steve', first.id);
  t.match(task, { state: 'done', action: 'stop', mode: 'hard', targets: [{ instance: 'demo/lj', state: 'done', detail: '' }, { state: 'done' }, { instance: 'demo/test', state: 'already' }, { state: 'done' }] });
  t.equal(audit.begun.length, 4);
  t.same(await call('steve', 'POST', '/power', order), { ...task, stale: [] });
  t.equal(audit.begun.length, 4, 'and nothing is begun again');
  t.same(await call('steve', 'GET', '/tasks'), { tasks: [task] });
  t.same(await call('tenant', 'GET', '/tasks'), { tasks: [] });
  t.match(await call('tenant', 'GET', `/tasks/${first.id}`), /^NO SUCH TASK/);
  t.match(await call('tenant', 'POST', `/tasks/${first.id}/cancel`, {}), /^NO SUCH TASK/);
  t.match(await call('steve', 'DELETE', `/tasks/${first.id}`), /^WRONG STATE/);
});

await t.test('a machine is what its exact name says, also where that could be a pattern', async (t) => {
  const { call, ended } = await startApi(t, { config: (await import('../../../server/core.js')).SEED_CONFIG.replace('"lj", "builder"', '"*", "builder"') });
  const stop = (target: string, once: string): Promise<unknown> => call('steve', 'POST', '/power', { targets: [target], action: 'stop', mode: 'hard', once });
  t.match(await stop('*', ONCE), /^AMBIGUOUS: a machine is called \*/, 'nobody is told that all are off, or switches all by a machine\'s name');
  const { id } = await stop('"*"', ONCE) as OrderRow;
  t.match(await ended('steve', id), { targets: [{ instance: 'demo/*' }] });
  t.match(await call('steve', 'GET', '/instances/builder'), { state: 'on' });
  t.match(await ended('steve', (await stop('**', `${ONCE}-all`) as OrderRow).id), { targets: { length: 4 } });
});

await t.test('a name that could be a pattern never means others where several have it, and in quotes not where none has it', async (t) => {
  const config = `${SEED_CONFIG.replace('"lj", "builder"', '"db1", "db[1]", "a b", "\\"q\\""')}[providers.lab]\ntype = "sim"\ninstances = ["db[1]"]\n`;
  const { call } = await startApi(t, { config });
  const order = (target: string): object => ({ targets: [target], action: 'stop', mode: 'hard', once: ONCE });
  const preview = (target: string): Promise<unknown> => call('steve', 'POST', '/power/preview', { targets: [target], action: 'stop' });
  for (const target of ['db[1]', '"db[1]"']) {
    t.match(await preview(target), /^AMBIGUOUS: "demo\/db\[1\]", "lab\/db\[1\]"$/, target);
    t.match(await call('steve', 'POST', '/power', order(target)), /^AMBIGUOUS/, target);
  }
  t.match(await preview('"db[12]"'), /^NO SUCH INSTANCE: db\[12\]/);
  t.match(await preview('"demo/db*"'), /^NO SUCH INSTANCE/);
  for (const [target, instance] of [
    ['"demo/db[1]"', 'demo/db[1]'], ['demo/db[1]', 'demo/db[1]'], ['"db1"', 'demo/db1'], ['"a b"', 'demo/a b'], ['a b', 'demo/a b'], ['"q"', 'demo/"q"'], ['"\\"q\\""', 'demo/"q"'],
  ] as const) t.match(await preview(target), { rows: [{ instance }] }, target);
  t.match(await preview('"open'), /^NO SUCH INSTANCE/);
  t.match(await preview('db[1-2]'), { rows: [{ instance: 'demo/db1' }] }, 'a pattern is one');
});

await t.test('a tenant learns what was done to its machines, and not by whom', async (t) => {
  const { call, ended } = await startApi(t);
  const { id } = await call('steve', 'POST', '/power', { targets: ['lj', 'dev'], action: 'stop', mode: 'hard', once: ONCE }) as OrderRow;
  await ended('steve', id);
  await ended('tenant', (await call('tenant', 'POST', '/power', { targets: ['lj'], action: 'start', once: ONCE }) as OrderRow).id);
  t.match(await call('tenant', 'GET', '/audit'), { rows: [
    { account: 'tenant', command: 'start', instance: 'demo/lj', from: '192.0.2.1:5 web', outcome: 'done' }, { account: '-', from: '-', command: 'stop', instance: 'demo/lj' },
  ], before: null });
  t.match(await call('tenant', 'GET', '/audit?account=steve'), { rows: [] });
  t.match(await call('steve', 'GET', '/audit?limit=1&instance=dev'), { rows: [{ account: 'steve', instance: 'demo/dev' }] });
  const { events } = await call('tenant', 'GET', '/events?types=state,action') as { events: { facts: Record<string, unknown> }[] };
  t.ok(events.length > 2);
  t.ok(events.every(({ facts }) => facts['instance'] === 'demo/lj' && facts['account'] !== 'steve'));
  t.match(await call('steve', 'GET', '/events?instance=dev&limit=1'), { events: { length: 1 } });
});

await t.test('events are followed, a row each', async (t) => {
  const { answer, ask, session, call } = await startApi(t);
  const end = new AbortController();
  const followed = await answer('tenant', 'GET', '/events?follow=true&types=action&select=l*', undefined, end.signal);
  t.ok('stream' in followed);
  const rows = (followed as { stream: AsyncIterable<unknown> }).stream[Symbol.asyncIterator]();
  const first = rows.next();
  await ask(await session('steve'), 'stop dev --force');
  await ask(await session('steve'), 'stop lj --force');
  t.match((await first).value, { type: 'action', facts: { instance: 'demo/lj', account: '-', outcome: 'begun' } });
  end.abort();
  await rows.return?.();
  t.match(await call('tenant', 'GET', '/events?follow=true&since=abcdef-1'), /^CURSOR EXPIRED/);
  t.match(await call('tenant', 'GET', '/events?since=x'), /^BAD REQUEST/);
});

await t.test('what is not asked for rightly is refused, and nothing is done', async (t) => {
  const { call, audit, logged } = await startApi(t);
  const power = { targets: ['lj'], action: 'stop', once: ONCE };
  const hostile = ['__proto__', 'constructor', '../..', '%', '\u0000', '<script>', '\u202e', "' OR 1=1 --", '"', 'a'.repeat(5000), '*/*', '@none', '[1-', '💥'];
  for (const { method, path, query } of routesOf('1')) {
    for (const word of hostile) {
      const at = path.replace(/\{\w+\}/g, encodeURIComponent(word));
      if (at !== path && path !== '/plans/{name}/run') t.match(await call('tenant', method, at, method === 'PUT' ? { value: true } : {}), /^[A-Z ]+(: |$)/, `${method} ${at.slice(0, 60)}`);
      for (const name of [...Object.keys(query), 'unknown', word]) await call('tenant', method, `${path.replace(/\{\w+\}/g, 'lj')}?${encodeURIComponent(name)}=${encodeURIComponent(word)}`, { x: word });
    }
    t.match(await call('steve', method, `${path.replace(/\{\w+\}/g, 'lj')}?surprise=1`, {}), /^BAD REQUEST: unknown parameter "surprise"/, `${method} ${path}`);
  }
  for (const [body, fault] of [
    [{ ...power, force: true }, /^BAD REQUEST: force: /], [{ ...power, targets: [] }, /at least one/], [{ ...power, targets: 'lj' }, /^BAD REQUEST: targets: /], [{ ...power, targets: [{}] }, /^BAD REQUEST: targets.0: /],
    [{ ...power, action: 'status' }, /one of start, stop/], [{ ...power, action: 'constructor' }, /one of start/], [{ ...power, mode: { softFor: 0 } }, /^BAD REQUEST: mode/], [{ ...power, action: 'start', mode: { softFor: 9 } }, /^BAD REQUEST/],
    [{ ...power, once: 'x' }, /8 to 128/], [{ ...power, wait: 1e15 }, /^BAD REQUEST: wait/], ['{"__proto__":{},"targets":["lj"],"action":"stop","once":"key-0002"}', /unknown key "__proto__"/],
    ['{"targets":["lj"],"action":"stop","once":"key-0002","mode":{"softFor":5,"constructor":1}}', /unknown key "constructor"/], [null, /^BAD REQUEST/], [[], /^BAD REQUEST/], ['"x"', /^BAD REQUEST/], [`${'['.repeat(30_000)}${']'.repeat(30_000)}`, /too deeply/],
  ] as const) t.match(await call('steve', 'POST', '/power', body), fault, JSON.stringify(body).slice(0, 80));
  t.match(await call('steve', 'GET', '/events?limit=1&limit=2'), /given twice/);
  t.equal(await call('steve', 'GET', '/nowhere'), 404);
  t.equal(await call('steve', 'PATCH', '/tasks'), 405);
  t.same(audit.begun, []);
  t.notOk(logged.some((line) => line.startsWith('error')));
});

await t.test('what is wrong is said in our own words', async (t) => {
  const { call, audit } = await startApi(t);
  t.equal(await call('steve', 'POST', '/power', { targets: ['lj'], action: 'stop' }), 'BAD REQUEST: once: is missing');
  t.equal(await call('steve', 'POST', '/power', 7), 'BAD REQUEST: body: an object is expected');
  t.equal(await call('steve', 'POST', '/power/preview', { targets: ['lj'], action: 'stop', force: true }), 'BAD REQUEST: force: there is no such key');
  t.equal(await call('steve', 'GET', '/instances/lj/readings'), 'BAD REQUEST: names: is missing');
  const odd = [null, true, -1, 0.5, '"x"', '""', [], [[]], [{}], {}, { x: 1 }];
  for (const { method, path, query, body } of routesOf('1')) {
    const at = path.replace(/\{\w+\}/g, 'nothing');
    const keys = body !== undefined && 'entries' in body ? Object.keys(body.entries as v.ObjectEntries) : [];
    const asked = [
      ...Object.keys(query).map((name) => [`${at}?${name}=`, {}] as const),
      ...(body === undefined ? [] : [...odd, ...keys.flatMap((key) => odd.map((value) => ({ [key]: value })))].map((one) => [at, one] as const)),
      ...odd.map((value) => [at, Object.fromEntries(keys.map((key) => [key, value]))] as const),
    ];
    for (const [where, sent] of asked) {
      const answered = await call('tenant', method, where, sent);
      if (typeof answered === 'string' && /Invalid|Expected|received|undefined/.test(answered)) t.fail(`${method} ${where} ${JSON.stringify(sent)}: ${answered}`);
    }
  }
  t.same(audit.begun, []);
});

await t.test('whose account is taken away in the middle of a reading is told that, and no state', async (t) => {
  const { answer } = await startApi(t, { config: HANGS });
  for (const path of ['/instances/dev/readings/status', '/instances/dev/readings?names=status,uptime&max-age=0', '/instances/dev/readings/uptime', '/instances/dev']) {
    const ends = new AbortController();
    const reading = answer('steve', 'GET', path, undefined, ends.signal).then(() => 'an answer', (error: Error) => error.message);
    setImmediate(() => ends.abort(new ArgoError('NOT AUTHENTICATED', 'the session is over')));
    t.equal(await reading, 'NOT AUTHENTICATED: the session is over', path);
  }
});
