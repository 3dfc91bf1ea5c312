import t from 'tap';
import { LoginCodes } from '../../src/auth/login-codes.js';
import { LOGIN_CODE_LIFE, LOGIN_CODES } from '../../src/kit/limits.js';

await t.test('a code is for one account, once', (t) => {
  const codes = new LoginCodes();
  const [kim, lee] = [codes.issue('kim'), codes.issue('lee')];
  t.not(kim, lee);
  for (const wrong of ['', 'x', `${kim}x`, kim.toLowerCase() === kim ? kim.toUpperCase() : kim.toLowerCase(), '__proto__']) t.equal(codes.redeem(wrong), undefined, wrong);
  t.equal(codes.redeem(kim), 'kim');
  t.equal(codes.redeem(kim), undefined);
  t.equal(codes.redeem(lee), 'lee');
  t.end();
});

await t.test('it does not live for ever, and not without end of them are kept', (t) => {
  let now = 0;
  t.intercept(performance, 'now', { value: () => now });
  const codes = new LoginCodes();
  const [early, late] = [codes.issue('kim'), codes.issue('kim')];
  now = LOGIN_CODE_LIFE - 1;
  t.equal(codes.redeem(early), 'kim');
  now = LOGIN_CODE_LIFE;
  t.equal(codes.redeem(late), undefined);
  const oldest = codes.issue('kim');
  const others = Array.from({ length: LOGIN_CODES }, () => codes.issue('kim'));
  t.equal(codes.redeem(oldest), undefined);
  t.same(others.map((code) => codes.redeem(code)), Array(LOGIN_CODES).fill('kim'));
  t.end();
});
