import t from 'tap';
import * as limits from '../../src/kit/limits.js';
import { formatDuration } from '../../src/kit/text.js';
import { readDocument, section, tableRows } from './markdown.js';

await t.test('docs/security.md has the figures of the code', (t) => {
  const minutes = limits.LOGIN_DELAY_FORGOTTEN / 60_000;
  const { accountFromAddress, address, network, region, account } = limits.LOGIN_FAILURES;
  const row = (name: string, { free, atATime }: { free: number; atATime: number }): string[] => [name, `${free}`, `${atATime}`];
  const chapter = readDocument('docs/security.md');
  t.same(tableRows(section(chapter, '#### What is counted')), [
    row('one account from one address', accountFromAddress),
    row('an address', address),
    row('a network: /24, /48', network),
    row('a region: /16, /32', region),
    row('an account, from everywhere', account),
  ]);
  t.same([limits.NETWORK_BITS, limits.IPV6_SOURCE_BITS], [{ ipv4: { region: 16, network: 24 }, ipv6: { region: 32, network: 48 } }, 64]);
  t.same(tableRows(section(chapter, '#### How long, and how many')), [
    ['first delay', formatDuration(limits.LOGIN_DELAY_FIRST)],
    ['longest delay', formatDuration(limits.LOGIN_DELAY_LONGEST)],
    ['longest delay of a newcomer by others\' failures', formatDuration(limits.LOGIN_DELAY_NEWCOMER)],
    ['failures are forgotten after', `${minutes} min`],
    ['an address is known for', `${limits.KNOWN_ADDRESS_FORGOTTEN / (24 * 60 * 60_000)} days`],
    ['known addresses of an account', `${limits.KNOWN_ADDRESSES_PER_ACCOUNT}`],
    ['attempts under way from one address', `${limits.LOGINS_WAITING_PER_ADDRESS}`],
    ['attempts that wait for the end of a delay', `${limits.LOGINS_DELAYED}`],
    ['attempts that wait for a check, known ones and others each', `${limits.LOGINS_WAITING}`],
    ['keys of each kind whose failures are remembered', `${limits.FAILURES_REMEMBERED}`],
  ]);
  const hourly = (atATime: number, ms: number): string => (atATime * 3_600_000 / ms).toLocaleString('en');
  const { LOGIN_DELAY_LONGEST: long, LOGIN_DELAY_NEWCOMER: short } = limits;
  t.same(tableRows(section(chapter, '#### What guessing comes to')).map((cells) => cells[1]), [
    hourly(accountFromAddress.atATime, long), hourly(network.atATime, long), hourly(account.atATime, long), hourly(account.atATime, short),
    `${limits.NEWCOMER_FAILURES * 60 / minutes}`,
  ], 'guesses an hour follow from the limits');
  t.end();
});
