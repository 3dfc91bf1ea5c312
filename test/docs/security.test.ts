import t from 'tap';
import * as limits from '../../src/kit/limits.js';
import { formatDuration } from '../../src/kit/text.js';
import { readDocument, section, tableRows } from './markdown.js';

await t.test('docs/security.md has the figures of the code', (t) => {
  const minutes = limits.LOGIN_DELAY_FORGOTTEN / 60_000;
  t.same(tableRows(section(readDocument('docs/security.md'), '### Guessing passwords')), [
    ['failures of an account that cost no delay', `${limits.FREE_FAILURES_PER_ACCOUNT}`],
    ['failures from an address that cost no delay', `${limits.FREE_FAILURES_PER_ADDRESS}`],
    ['first delay', formatDuration(limits.LOGIN_DELAY_FIRST)],
    ['longest delay', formatDuration(limits.LOGIN_DELAY_LONGEST)],
    ['failures are forgotten after', `${minutes} min`],
    ['attempts that may wait: in all', `${limits.LOGINS_WAITING}`],
    ['attempts that may wait: from one address', `${limits.LOGINS_WAITING_PER_ADDRESS}`],
    ['attempts that may wait: at one account from one address', `${limits.LOGINS_WAITING_PER_PAIR}`],
  ]);
  t.end();
});
