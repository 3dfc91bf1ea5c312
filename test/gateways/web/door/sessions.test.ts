import { mock } from 'node:test';
import t, { type Test } from 'tap';
import type { Member } from '../../../../src/gateways/contract.js';
import { ArgoError } from '../../../../src/kit/errors.js';
import { Sessions } from '../../../../src/gateways/web/door/sessions.js';
import { SESSIONS_PER_ACCOUNT } from '../../../../src/kit/web-limits.js';

const MINUTE = 60_000;
const TIMES = { idle: 30 * MINUTE, longest: 12 * 60 * MINUTE };

/** Time goes on only as the test says. */
function begin(t: Test) {
  let now = 1;
  t.intercept(performance, 'now', { value: () => now });
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const ended: string[] = [];
  const sessions = new Sessions(TIMES, ({ member }) => ended.push(member.name));
  const account = (name: string): { member: Member; gone: AbortController } => {
    const gone = new AbortController();
    return { gone, member: { name, signal: gone.signal, actor: () => { throw new Error('not asked'); }, told: () => Promise.resolve(undefined) } };
  };
  const pass = (ms: number): void => {
    now += ms;
    mock.timers.tick(ms);
  };
  return { sessions, ended, account, pass };
}

await t.test('a session ends when nobody used it for a while', (t) => {
  const { sessions, ended, account, pass } = begin(t);
  const { cookie, session } = sessions.begin(account('kim').member);
  t.equal(sessions.find(cookie), session);
  t.equal(sessions.find(`${cookie}x`), undefined);
  for (let i = 0; i < 3; i += 1) {
    pass(29 * MINUTE);
    t.equal(sessions.find(cookie), session, 'each use counts anew');
  }
  pass(30 * MINUTE + 2);
  t.same([sessions.find(cookie), session.signal.aborted, ended, sessions.size], [undefined, true, ['kim'], 0]);
  t.end();
});

await t.test('what is held is used, until its longest time', (t) => {
  const { sessions, ended, account, pass } = begin(t);
  const { cookie, session } = sessions.begin(account('kim').member);
  const release = sessions.hold(session);
  pass(5 * 60 * MINUTE);
  t.same(ended, []);
  release();
  pass(29 * MINUTE);
  t.equal(sessions.find(cookie), session);
  sessions.hold(session);
  pass(7 * 60 * MINUTE);
  t.same([ended, session.signal.aborted], [['kim'], true]);
  t.end();
});

await t.test('it ends with its account, by itself, and when times become shorter', (t) => {
  const { sessions, ended, account, pass } = begin(t);
  const [kim, lee, max] = [account('kim'), account('lee'), account('max')];
  const [one, other, third] = [sessions.begin(kim.member), sessions.begin(lee.member), sessions.begin(max.member)];
  kim.gone.abort();
  t.same([ended, sessions.find(one.cookie)], [['kim'], undefined]);
  sessions.end(other.session);
  sessions.end(other.session);
  t.same(ended, ['kim', 'lee'], 'once');
  pass(10 * MINUTE);
  sessions.retime({ ...TIMES, idle: 5 * MINUTE });
  t.same([ended, sessions.find(third.cookie)], [['kim', 'lee', 'max'], undefined]);
  t.throws(() => sessions.begin(kim.member), new ArgoError('NOT AUTHENTICATED'), 'an account that has gone while its password was looked at');
  t.end();
});

await t.test('an account has so many; the one that was used longest ago makes room', (t) => {
  const { sessions, account, pass } = begin(t);
  const { member } = account('kim');
  const begun = Array.from({ length: SESSIONS_PER_ACCOUNT }, () => sessions.begin(member));
  pass(1);
  t.ok(sessions.find(begun[0]!.cookie));
  const last = sessions.begin(member);
  t.equal(sessions.size, SESSIONS_PER_ACCOUNT);
  t.ok(sessions.find(last.cookie));
  t.ok(sessions.find(begun[0]!.cookie), 'which was used');
  t.equal(sessions.find(begun[1]!.cookie), undefined);
  sessions.close();
  t.equal(sessions.size, 0);
  t.end();
});
