import { mock } from 'node:test';
import t, { type Test } from 'tap';
import type { Member } from '../../../src/gateways/contract.js';
import { ArgoError } from '../../../src/kit/errors.js';
import type { SavedSession } from '../../../src/gateways/shared/session-store.js';
import { Sessions, type SessionParts } from '../../../src/gateways/shared/sessions.js';
import { SESSIONS_PER_ACCOUNT } from '../../../src/kit/web-limits.js';

const MINUTE = 60_000;
const HERE = '127.0.0.1';
/** where no account may come from */
const ELSEWHERE = '192.0.2.9';
const TIMES = { idle: 30 * MINUTE, longest: 12 * 60 * MINUTE };

/** Time goes on only as the test says. */
function begin(t: Test) {
  let now = 1;
  t.intercept(performance, 'now', { value: () => now });
  t.intercept(Date, 'now', { value: () => 1_800_000_000_000 + now });
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const ended: string[] = [];
  const saved = new Map<string, SavedSession>();
  const parts: SessionParts = {
    accounts: {
      mark: (name) => (name === 'gone' ? undefined : `mark of ${name}`),
      again: (name, mark, address) => (mark === `mark of ${name}` && address !== ELSEWHERE ? account(name).member : undefined),
    },
    store: {
      save: (one) => void saved.set(one.id, one),
      remove: (id) => Promise.resolve(void saved.delete(id)),
      load: () => Promise.resolve([...saved.values()]),
    },
    ended: ({ member }) => void ended.push(member.name),
  };
  const sessions = new Sessions(TIMES, parts);
  const account = (name: string): { member: Member; gone: AbortController } => {
    const gone = new AbortController();
    return { gone, member: { name, signal: gone.signal, actor: () => { throw new Error('not asked'); }, told: () => Promise.resolve(undefined), release: () => undefined } };
  };
  const pass = (ms: number): void => {
    now += ms;
    mock.timers.tick(ms);
  };
  return { sessions, ended, account, pass, saved, again: () => new Sessions(TIMES, parts), shift: (ms: number) => { now += ms; } };
}

await t.test('a session ends when nobody used it for a while', (t) => {
  const { sessions, ended, account, pass } = begin(t);
  const { key, session } = sessions.begin(account('kim').member, HERE);
  t.equal(sessions.find(key, HERE), session);
  t.equal(sessions.find(`${key}x`, HERE), undefined);
  for (let i = 0; i < 3; i += 1) {
    pass(29 * MINUTE);
    t.equal(sessions.find(key, HERE), session, 'each use counts anew');
  }
  pass(30 * MINUTE + 2);
  t.same([sessions.find(key, HERE), session.signal.aborted, ended, sessions.size], [undefined, true, ['kim'], 0]);
  t.end();
});

await t.test('what is held is used, until its longest time', (t) => {
  const { sessions, ended, account, pass } = begin(t);
  const { key, session } = sessions.begin(account('kim').member, HERE);
  const release = sessions.hold(session);
  pass(5 * 60 * MINUTE);
  t.same(ended, []);
  release();
  pass(29 * MINUTE);
  t.equal(sessions.find(key, HERE), session);
  sessions.hold(session);
  pass(7 * 60 * MINUTE);
  t.same([ended, session.signal.aborted], [['kim'], true]);
  t.end();
});

await t.test('it ends with its account, by itself, and when times become shorter', (t) => {
  const { sessions, ended, account, pass } = begin(t);
  const [kim, lee, max] = [account('kim'), account('lee'), account('max')];
  const [one, other, third] = [sessions.begin(kim.member, HERE), sessions.begin(lee.member, HERE), sessions.begin(max.member, HERE)];
  kim.gone.abort();
  t.same([ended, sessions.find(one.key, HERE)], [['kim'], undefined]);
  void sessions.end(other.session);
  void sessions.end(other.session);
  t.same(ended, ['kim', 'lee'], 'once');
  pass(10 * MINUTE);
  sessions.retime({ ...TIMES, idle: 5 * MINUTE });
  t.same([ended, sessions.find(third.key, HERE)], [['kim', 'lee', 'max'], undefined]);
  t.throws(() => sessions.begin(kim.member, HERE), new ArgoError('NOT AUTHENTICATED'), 'an account that has gone while its password was looked at');
  t.end();
});

await t.test('its key opens nothing where the account may not come from', (t) => {
  const { sessions, account, pass } = begin(t);
  const { key, session } = sessions.begin(account('kim').member, HERE);
  t.equal(sessions.find(key, '127.0.0.2'), session, 'another address of those');
  pass(29 * MINUTE);
  t.equal(sessions.find(key, ELSEWHERE), undefined);
  t.equal(session.signal.aborted, false, 'whoever has it otherwise keeps it');
  pass(2 * MINUTE);
  t.equal(session.signal.aborted, true, 'that was no use of it');
  t.end();
});

await t.test('an account has so many; the one that was used longest ago makes room', (t) => {
  const { sessions, account, pass } = begin(t);
  const { member } = account('kim');
  const begun = Array.from({ length: SESSIONS_PER_ACCOUNT }, () => sessions.begin(member, HERE));
  pass(1);
  t.ok(sessions.find(begun[0]!.key, HERE));
  const last = sessions.begin(member, HERE);
  t.equal(sessions.size, SESSIONS_PER_ACCOUNT);
  t.ok(sessions.find(last.key, HERE));
  t.ok(sessions.find(begun[0]!.key, HERE), 'which was used');
  t.equal(sessions.find(begun[1]!.key, HERE), undefined);
  const release = sessions.hold(begun[2]!.session);
  sessions.begin(member, HERE);
  t.same([begun[2]!, begun[3]!].map(({ session }) => session.signal.aborted), [false, true], 'nor one on which something goes on');
  release();
  sessions.begin(member, HERE);
  t.same([begun[2]!, begun[4]!].map(({ session }) => session.signal.aborted), [false, true], 'which was a use of it to its end');
  for (const { session } of begun) sessions.hold(session);
  t.ok(sessions.find(sessions.begin(member, HERE).key, HERE), 'where all are held, one has to make room all the same');
  sessions.close();
  t.equal(sessions.size, 0);
  t.end();
});

await t.test('a restart ends none whose account is as it was, and whose time is not over', async (t) => {
  const { sessions, account, pass, saved, again } = begin(t);
  const [one, other, third] = ['kim', 'lee', 'max'].map((name) => sessions.begin(account(name).member, HERE)) as [ReturnType<Sessions['begin']>, ReturnType<Sessions['begin']>, ReturnType<Sessions['begin']>];
  t.notMatch(JSON.stringify([...saved.values()]), one.key, 'no key is kept');
  pass(20 * MINUTE);
  sessions.find(one.key, HERE);
  sessions.find(other.key, HERE);
  void sessions.end(third.session);
  sessions.close();
  t.equal(one.session.signal.aborted, true, 'in this process it is over');
  saved.set(other.session.id, { ...saved.get(other.session.id)!, mark: 'of another password' });
  pass(15 * MINUTE);
  const next = again();
  await next.restore();
  t.equal(next.find(one.key, HERE)?.member.name, 'kim');
  t.same([next.find(other.key, HERE), next.find(third.key, HERE), next.size, saved.size], [undefined, undefined, 1, 1]);
  next.close();
  pass(31 * MINUTE);
  const late = again();
  await late.restore();
  t.same([late.find(one.key, HERE), saved.size], [undefined, 0], 'too late');
});

await t.test('a clock that was set back lengthens no session', async (t) => {
  const { sessions, account, saved, again, shift } = begin(t);
  shift(60 * MINUTE);
  const { key } = sessions.begin(account('kim').member, HERE);
  sessions.close();
  shift(-60 * MINUTE);
  const next = again();
  await next.restore();
  t.same([next.find(key, HERE), saved.size], [undefined, 0]);
});
