import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { explainStatus } from '../../../src/protocols/redfish/errors.js';
import { pathOf } from '../../../src/protocols/redfish/session.js';
import { RedfishSystem } from '../../../src/protocols/redfish/system.js';
import { parseFingerprint, type Trust } from '../../../src/protocols/tls/connect.js';
import { LOOKER, OPERATOR, RedfishDouble, REDFISH_PROGRAMS, type RedfishDoubleOptions } from '../../peers/redfish-double.js';
import { lacks } from '../../support/peers.js';
import { until } from '../../support/until.js';

const signal = new AbortController().signal;
const skip = lacks(...REDFISH_PROGRAMS);
const call = { password: OPERATOR.password, signal };
const order = { ...call, onSend: () => undefined };

async function open(t: Test, options: RedfishDoubleOptions & { readonly user?: string; readonly id?: string; readonly trust?: Trust } = {}) {
  const { user = OPERATOR.user, id, trust, ...rest } = options;
  const double = await RedfishDouble.start(rest);
  t.teardown(() => double.stop());
  const known: Trust = { kind: 'fingerprints', fingerprints: [parseFingerprint(double.fingerprint) ?? ''] };
  const system = new RedfishSystem({ origin: new URL(double.url), trust: () => trust ?? known, user }, id);
  t.teardown(() => system.close());
  return { double, system };
}

for (const options of [{}, { resets: 'action info' }, { resets: 'untold' }, { hasSessions: false }] as const) {
  await t.test(`orders are given once, and its word is read: ${JSON.stringify(options)}`, { skip }, async (t) => {
    const { double, system } = await open(t, options);
    t.equal(await system.power(call), 'off');
    await system.order('on', order);
    t.equal(await system.power(call), 'on');
    for (const each of ['reset', 'soft', 'off'] as const) await system.order(each, order);
    t.equal(await system.power(call), 'off');
    t.same(double.orders, ['1 On', '1 ForceRestart', '1 GracefulShutdown', '1 ForceOff']);
    t.equal(double.logins, 'hasSessions' in options ? 0 : 1, 'one login for all');
    t.equal(double.sessions, 'hasSessions' in options ? 0 : 1);
    await system.close();
    t.equal(double.sessions, 0, 'no session is left behind');
  });
}

await t.test('states', { skip }, async (t) => {
  const { double, system } = await open(t);
  for (const [says, state] of [['PoweringOn', 'starting'], ['PoweringOff', 'stopping'], ['Paused', 'paused'], ['On', 'on']] as const) {
    double.mischief.says = says;
    t.equal(await system.power(call), state);
  }
  for (const says of [null, undefined, 'Unknown', 'toString', 7]) {
    double.mischief.says = says;
    await t.rejects(system.power(call), { name: 'BoardError', fault: 'silent' }, String(says));
  }
});

await t.test('a login that takes longer than those who ask leaves no sessions behind', { skip }, async (t) => {
  const { double, system } = await open(t);
  double.mischief.loginTakes = 600;
  for (let time = 0; time < 3; time += 1) {
    const reason = new Error('enough');
    const leaving = new AbortController();
    const asked = system.power({ ...call, signal: leaving.signal });
    setTimeout(() => leaving.abort(reason), 100);
    await t.rejects(asked, reason);
  }
  t.equal(await system.power(call), 'off');
  t.same([double.logins, double.sessions], [1, 1]);
});

await t.test('a refusal that comes when nobody waits any longer is told to the next one, once', { skip }, async (t) => {
  const { double, system } = await open(t);
  double.mischief.loginTakes = 600;
  const wrong = { password: 'not-the-word', signal };
  const leaving = new AbortController();
  const asked = system.power({ ...wrong, signal: leaving.signal });
  await until(() => double.refusedLogins === 1, 30_000, 'the login');
  leaving.abort(new Error('enough'));
  await t.rejects(asked, { message: 'enough' });
  // by then the refusal has come, most likely; it is told either way
  await pause(1500);
  await t.rejects(system.power(wrong), { name: 'BoardError', fault: 'login refused' });
  t.equal(double.refusedLogins, 1, 'the board was asked once');
  await t.rejects(system.power(wrong), { name: 'BoardError', fault: 'login refused' });
  t.equal(double.refusedLogins, 2, 'and again where somebody wants it');
  t.equal(await system.power(call), 'off');
});

await t.test('another password is not judged by a login that is under way', { skip }, async (t) => {
  const { double, system } = await open(t);
  double.mischief.loginTakes = 300;
  const old = system.power({ password: 'not-the-word', signal });
  await until(() => double.refusedLogins === 1, 30_000, 'the login');
  const [first, second] = await Promise.allSettled([old, system.power(call)]);
  t.match(first, { status: 'rejected', reason: { fault: 'login refused' } });
  t.same(second, { status: 'fulfilled', value: 'off' });
});

await t.test('a session that has ended is opened anew, before an order too', { skip }, async (t) => {
  const { double, system } = await open(t);
  await system.power(call);
  double.forgetSessions();
  t.equal(await system.power(call), 'off');
  t.equal(double.logins, 2);
  double.forgetSessions();
  await system.order('on', order);
  t.same([double.logins, double.orders], [3, ['1 On']]);
  const all = Array.from({ length: 8 }, () => system.power(call));
  double.forgetSessions();
  t.same(await Promise.all(all), Array.from({ length: 8 }, () => 'on'));
});

await t.test('refusals by their kinds, without the password', { skip }, async (t) => {
  for (const hasSessions of [true, false]) {
    const { double, system } = await open(t, { hasSessions });
    const error = await system.power({ password: 'not-the-word', signal }).catch((thrown: unknown) => thrown);
    t.match(error, { name: 'BoardError', fault: 'login refused' });
    t.notMatch(JSON.stringify(error, Object.getOwnPropertyNames(error)), /not-the-word/);
    t.equal(double.refusedLogins, 1, 'tried once');
  }
  const looker = await open(t, { user: LOOKER.user });
  await t.rejects(looker.system.order('on', { ...order, password: LOOKER.password }), { name: 'BoardError', fault: 'right missing', message: /insufficient privileges/ });
  const { double, system } = await open(t);
  double.set(true);
  await t.rejects(system.order('on', order), { name: 'BoardError', fault: 'wrong state', message: /on already/ });
  for (const [refusal, fault] of [
    [{ status: 503, id: 'ServiceTemporarilyUnavailable', words: 'Later.' }, 'busy'], [{ status: 409, id: 'ResourceInUse', words: 'In use.' }, 'busy'],
    [{ status: 400, id: 'ActionNotSupported', words: 'No.' }, 'unsupported'], [{ status: 400, id: 'PropertyMissing', words: 'No.' }, 'failed'],
    [{ status: 500, id: 'InternalError', words: 'Oh.' }, 'lost'], [{ status: 503 }, 'lost'], [{ status: 502 }, 'lost'], [{ status: 403 }, 'lost'], [{ status: 404 }, 'failed'], [{ status: 302 }, 'lost'],
  ] as const) {
    double.mischief.refusal = refusal;
    await t.rejects(system.order('off', order), { name: 'BoardError', fault }, JSON.stringify(refusal));
  }
  double.mischief.allowed = ['On', 'ForceOff', 'PowerCycle'];
  delete double.mischief.refusal;
  await t.rejects(system.order('soft', order), { name: 'BoardError', fault: 'unsupported', message: /no GracefulShutdown, but On, ForceOff, PowerCycle/ });
  await system.order('reset', order);
  t.same(double.orders, ['1 PowerCycle'], 'of what it can, the next best');
});

await t.test('an order whose answer is lost is carried out once, and is in doubt', { skip }, async (t) => {
  const { double, system } = await open(t);
  double.set(true);
  double.mischief.losesAnswers = true;
  await t.rejects(system.order('reset', order), { name: 'BoardError', fault: 'lost' });
  t.same(double.orders, ['1 ForceRestart']);
});

await t.test('silence, strangers, and links that lead elsewhere', { skip }, async (t) => {
  const { double, system } = await open(t, { systems: ['1', 'blade2'] });
  await t.rejects(system.power(call), { name: 'BoardError', fault: 'failed', message: /several systems: 1, blade2; name one by the key system/ });
  double.mischief.systemsAt = 'https://elsewhere.example/redfish/v1/Systems';
  await t.rejects(system.power(call), { name: 'BoardError', fault: 'failed', message: /leads elsewhere/ });
  delete double.mischief.systemsAt;
  double.mischief.hangs = true;
  const soon = new AbortController();
  setTimeout(() => soon.abort(new Error('enough')), 100);
  await t.rejects(system.power({ ...call, signal: soon.signal }), { message: 'enough' });
  await double.stop();
  await t.rejects(system.power(call), { name: 'BoardError', fault: 'silent' });
  const stranger = await open(t, { trust: { kind: 'authorities' } });
  await t.rejects(stranger.system.power(call), { name: 'BoardError', fault: 'certificate', message: /its fingerprint is SHA256:/ });
  t.equal(stranger.double.logins, 0, 'it was not given the password');
});

await t.test('one of several systems', { skip }, async (t) => {
  const { double, system } = await open(t, { systems: ['1', '2'], id: '2' });
  await system.order('on', order);
  t.same([double.orders, double.isOn('1')], [['2 On'], false]);
  const other = await open(t, { systems: ['1', '2'], id: '3' });
  await t.rejects(other.system.power(call), { name: 'BoardError', fault: 'failed', message: /no system 3, but 1, 2/ });
});

await t.test('links and words', (t) => {
  t.equal(pathOf({ '@odata.id': '/redfish/v1/Systems/1' }, 'x'), '/redfish/v1/Systems/1');
  for (const link of ['//evil/redfish/v1', 'https://evil/redfish/v1', '/other', '/redfish/v1/a b', '/redfish/v1\r\nHost: evil']) t.throws(() => pathOf(link, 'x'), /leads elsewhere/, link);
  t.throws(() => pathOf(undefined, 'list'), /has no list/);
  t.match(explainStatus(400, { error: { code: 'Base.1.0.X', message: 'So\n it  is.' } }, true), { fault: 'failed', message: 'it says: So it is.' });
  t.match(explainStatus(502, undefined, false), { fault: 'silent' }, 'a question is asked again another time');
  t.end();
});
