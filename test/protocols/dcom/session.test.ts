import t, { type Test } from 'tap';
import { DcomSession, type DcomOptions } from '../../../src/protocols/dcom/session.js';
import { ConnectionLostError } from '../../../src/protocols/tls/errors.js';
import { WmiAccessError, WmiAnswerError, WmiFault } from '../../../src/protocols/wmi/errors.js';
import { LONG } from '../../support/faults.js';
import { until } from '../../support/until.js';

/** The session of WMI over DCOM, with a helper of ours in Node: what it says, and how it fails. */

/** Answers by what the query says. What it was started with and told first goes into its answers. */
const FAKE = `
const lines = require('node:readline').createInterface({ input: process.stdin });
const say = (told) => process.stdout.write(JSON.stringify(told) + '\\n');
let login;
lines.on('line', (line) => {
  const request = JSON.parse(line);
  const { id, op, wql = request.method } = request;
  if (!login) {
    login = request;
    if (login.password === 'wrong') return say({ error: 'access', code: 5, words: 'no' });
    if (login.password === 'silent') return;
    if (login.password === 'missing') { say({ error: 'missing', code: 0, words: 'No module named impacket' }); return process.exit(1); }
    return say({ ok: true });
  }
  const [word, argument] = wql?.split(' ') ?? ['row'];
  switch (word) {
    case 'login': say({ id, row: { Login: ['string', JSON.stringify(login)], Pid: ['uint32', String(process.pid)], Seen: ['string', JSON.stringify([process.argv.slice(1), process.env])] } }); break;
    case 'rows': for (let i = 0; i < Number(argument); i++) say({ id, row: { I: ['uint32', String(i)] } }); break;
    case 'wmi': return say({ id, error: 'wmi', code: Number(argument), words: 'refused' });
    case 'lost': if (op === 'invoke' && argument) say({ id, sent: true }); return say({ id, error: 'lost', code: 0, words: 'reset' });
    case 'die': if (argument) say({ id, sent: true }); return setTimeout(() => process.exit(1), 20);
    case 'hang': if (argument) say({ id, sent: true }); return;
    case 'garbage': return process.stdout.write('Traceback: hello\\n');
    case 'endless': { const more = () => process.stdout.write('x'.repeat(1e6), more); return more(); }
    case 'long': process.stdout.write('y'.repeat(9e6)); return;
    case 'other': return say({ id: id + 1, done: true });
    case 'odd': return say({ id, row: 1 });
    default: say({ id, row: { Request: ['string', JSON.stringify(request)] } });
  }
  say({ id, done: true });
});
`;

const command = { program: process.execPath, args: ['-e', FAKE] };
const PATH = { namespace: 'root/cimv2', className: 'C', keys: { K: 'v' } };
const never = new AbortController().signal;

function open(t: Test, options: Partial<DcomOptions> = {}): DcomSession {
  const session = new DcomSession({ host: 'h', user: 'u', password: 'secret', domain: 'D', command, ...options });
  t.teardown(() => session.close());
  return session;
}

const ask = (session: DcomSession, wql: string, signal = never): Promise<readonly object[]> => session.query('root/cimv2', wql, signal);
const pid = async (session: DcomSession): Promise<string> => ((await ask(session, 'login'))[0] as { Pid: string }).Pid;

function isAlive(id: string): boolean {
  try {
    return process.kill(Number(id), 0);
  } catch {
    return false;
  }
}

void t.test('queries, objects and methods by one helper', { timeout: LONG }, async (t) => {
  const session = open(t);
  const [told] = await ask(session, 'login') as unknown as readonly [{ Login: string; Pid: string; Seen: string }];
  t.same(JSON.parse(told.Login), { host: 'h', user: 'u', password: 'secret', domain: 'D' });
  t.notMatch(told.Seen, /secret/, 'a password is no argument, and not in the environment');
  // the one more is of Node itself, where lines are counted
  t.same(Object.keys((JSON.parse(told.Seen) as [unknown, object])[1]).filter((name) => name !== 'NODE_V8_COVERAGE').sort(), ['LANG', 'PATH']);
  t.equal((await ask(session, 'rows 1000')).length, 1000);
  t.same((await ask(session, 'rows 0')), []);
  t.match(JSON.parse((await session.get(PATH, never)).Request as string), { op: 'get', namespace: 'root/cimv2', path: 'C.K="v"' });
  const order = JSON.parse((await session.invoke(PATH, 'Do', { B: '1', A: ['x', 'y'] }, never)).Request as string) as { parameters: object };
  t.match(order, { op: 'invoke', class: 'C', path: 'C.K="v"', method: 'Do' });
  t.equal(JSON.stringify(order.parameters), '{"B":"1","A":["x","y"]}', 'in their order');
  const many = await Promise.all(Array.from({ length: 20 }, (_, index) => ask(session, `rows ${index}`)));
  t.same(many.map(({ length }) => length), Array.from({ length: 20 }, (_, index) => index), 'in turn');
  t.equal(await pid(session), told.Pid, 'all by the same');
});

void t.test('refusals leave the helper as it is', { timeout: LONG }, async (t) => {
  const session = open(t);
  const before = await pid(session);
  for (const [code, kind] of [[0x80041002, 'no-such-instance'], [0x80041010, 'no-such-class'], [0x8004100e, 'no-such-class'], [0x8004102e, 'no-such-method'],
    [0x80041003, 'access-denied'], [0x80070005, 'access-denied'], [0x80041069, 'timed-out'], [0x8004106c, 'quota'], [0x80041001, 'other']] as const) {
    await t.rejects(ask(session, `wmi ${code}`), new WmiFault(kind, code, 'refused'));
  }
  t.equal(await pid(session), before);
});

void t.test('a refused login, and a module that is not there', { timeout: LONG }, async (t) => {
  await t.rejects(ask(open(t, { password: 'wrong' }), 'rows 1'), WmiAccessError);
  await t.rejects(ask(open(t, { password: 'missing' }), 'rows 1'), /impacket cannot be loaded/);
  await t.rejects(ask(open(t, { command: { program: '/no/such/program', args: [] } }), 'rows 1'), ConnectionLostError);
});

void t.test('what was cut off says whether an order had gone out', { timeout: LONG }, async (t) => {
  const session = open(t);
  const impatient = open(t, { limits: { requestTimeout: 300 } });
  for (const [how, by] of [['die', session], ['lost', session], ['hang', impatient]] as const) {
    await t.rejects(by.invoke(PATH, how, {}, never), { name: 'ConnectionLostError', sent: false }, `${how} before`);
    await t.rejects(by.invoke(PATH, `${how} after`, {}, never), { name: 'ConnectionLostError', sent: true }, `${how} after`);
  }
  t.equal((await ask(session, 'rows 3')).length, 3, 'another helper goes on');
  await t.rejects(ask(impatient, 'hang'), /no answer within 0.3 s/);
});

void t.test('answers that are none end the helper', { timeout: LONG }, async (t) => {
  const session = open(t, { limits: { objects: 100 } });
  for (const what of ['garbage', 'long', 'endless', 'other', 'odd', 'rows 101']) {
    const before = await pid(session);
    await t.rejects(ask(session, what), WmiAnswerError, what);
    await until(() => !isAlive(before), LONG, 'its end');
  }
});

void t.test('who gives up is heard at once, and the helper dies of it', { timeout: LONG }, async (t) => {
  const session = open(t);
  const before = await pid(session);
  const stop = new AbortController();
  const waiting = ask(session, 'hang', stop.signal);
  const queued = new AbortController();
  const behind = ask(session, 'rows 1', queued.signal);
  const last = ask(session, 'rows 2');
  queued.abort(new Error('not needed'));
  await t.rejects(behind, /not needed/);
  t.ok(isAlive(before), 'who waits for a turn disturbs nobody');
  stop.abort(new Error('enough'));
  await t.rejects(waiting, /enough/);
  t.equal((await last).length, 2);
  await until(() => !isAlive(before), LONG, 'its end');
  await t.rejects(ask(session, 'rows 1', AbortSignal.abort(new Error('never'))), /never/);
});

void t.test('a login that takes too long', { timeout: LONG }, async (t) => {
  await t.rejects(ask(open(t, { password: 'silent', limits: { loginTimeout: 200 } }), 'rows 1'), { name: 'ConnectionLostError', sent: false });
});

void t.test('ends', { timeout: LONG }, async (t) => {
  const session = open(t, { limits: { idle: 50 } });
  const before = await pid(session);
  await until(() => !isAlive(before), LONG, 'the end of what nobody asks');
  const after = await pid(session);
  const waiting = ask(session, 'hang');
  const queued = ask(session, 'rows 1');
  await session.close();
  await t.rejects(waiting, ConnectionLostError);
  await t.rejects(queued, ConnectionLostError);
  await t.rejects(ask(session, 'rows 1'), ConnectionLostError);
  await until(() => !isAlive(after), LONG, 'the end of a closed session\'s');
});
