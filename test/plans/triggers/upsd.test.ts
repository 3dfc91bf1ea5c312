import * as v from 'valibot';
import t, { type Test } from 'tap';
import type { Trigger } from '../../../src/plans/contract.js';
import nut from '../../../src/plans/triggers/nut/index.js';
import { SECONDARY, Upsd, UPSD_PROGRAMS, UPSD_TLS_PROGRAMS } from '../../peers/upsd.js';
import { lacks } from '../../support/peers.js';
import { until } from '../../support/until.js';
import { fakeHost, type FakeHost } from './support.js';

const PATIENCE_MS = 60_000;

function open(t: Test, keys: object): { host: FakeHost; trigger: Trigger } {
  const options = v.parse(v.strictObject(nut.options), { 'poll-interval': '200ms', 'min-interval': '0s', ...keys });
  t.same(nut.faults(options), []);
  const host = fakeHost(undefined);
  const trigger = nut.open(options, host);
  t.teardown(() => trigger.close());
  return { host, trigger };
}

void t.test('a real upsd begins plans and takes them back', { skip: lacks(...UPSD_PROGRAMS) }, async (t) => {
  const upsd = await Upsd.start();
  t.teardown(() => upsd.stop());
  const { host, trigger } = open(t, {
    url: upsd.url(),
    start: [{ plan: 'shed', when: 'on-battery for 1s' }, { plan: 'power-cut', when: 'low-battery or charge < 40% or fsd' }],
    stop: { plan: 'power-back', when: 'on-line for 1s and charge > 50%' },
  });
  const has = (line: string): Promise<void> => until(() => host.lines.some((one) => one.includes(line)), PATIENCE_MS, line);
  const begun = (...plans: string[]): Promise<void> => until(() => host.starter.plans.join() === plans.join(), PATIENCE_MS, plans.join());
  await has('UPS is on line');
  upsd.say({ 'ups.status': 'OB DISCHRG' });
  await begun('shed');

  upsd.hangDriver(true);
  await has('DATA-STALE');
  t.match(trigger.describe(), /silent since .*, on battery before/);
  upsd.hangDriver(false);
  await has('UPS answers again');
  host.lines.length = 0;
  await upsd.killServer();
  await has('UPS is silent');
  await upsd.startServer();
  await has('UPS answers again');
  t.same(host.starter.plans, ['shed'], 'neither began anything');
  t.same(host.starter.gone, [], 'nor took anything back');

  upsd.say({ 'ups.status': 'OB DISCHRG LB', 'battery.charge': '18' });
  await begun('shed', 'power-cut');
  t.match(host.starter.begun[1]!.cause.words, /^trigger ups: low-battery or .* \(rack1@127\.0\.0\.1:\d+: OB DISCHRG LB, charge 18 %/);
  upsd.say({ 'ups.status': 'OL CHRG', 'battery.charge': '60' });
  await until(() => host.starter.gone.length > 0, PATIENCE_MS, 'the end of the cut');
  t.match(host.starter.gone, [{ then: 'power-back' }]);
});

void t.test('a name that is unknown, and a wrong password', { skip: lacks(...UPSD_PROGRAMS) }, async (t) => {
  const upsd = await Upsd.start();
  t.teardown(() => upsd.stop());
  const start = [{ plan: 'power-cut', when: 'low-battery' }];
  const unknown = open(t, { url: upsd.url('rack9'), start });
  await until(() => unknown.host.lines.some((line) => line.includes('UNKNOWN-UPS')), PATIENCE_MS, 'the complaint');
  const wrong = open(t, { url: upsd.url(), user: SECONDARY.user, password: 'a-wrong-secret', login: true, start });
  await until(() => wrong.host.lines.some((line) => line.includes('ACCESS-DENIED')), PATIENCE_MS, 'the complaint');
  upsd.say({ 'ups.status': 'OB LB' });
  await until(() => wrong.host.starter.plans.length > 0, PATIENCE_MS, 'the plan: to read needs no right');
  t.same(unknown.host.starter.plans, []);
  t.equal(wrong.host.lines.filter((line) => line.includes('ACCESS-DENIED')).length, 1);
  t.notMatch(wrong.host.lines.join('\n'), 'a-wrong-secret');
});

void t.test('a login over TLS, which ends with the trigger', { skip: lacks(...UPSD_TLS_PROGRAMS) }, async (t) => {
  const upsd = await Upsd.start({ tls: true });
  t.teardown(() => upsd.stop());
  const ca = t.testdir({ 'ca.pem': upsd.certificate! });
  const keys = { url: upsd.url(), user: SECONDARY.user, password: SECONDARY.password, tls: 'starttls', login: true, start: [{ plan: 'power-cut', when: 'low-battery' }] };
  const { host, trigger } = open(t, { ...keys, 'ca-file': `${ca}/ca.pem` });
  await until(() => host.lines.some((line) => line.includes('UPS is on line')), PATIENCE_MS, 'the first look');
  await until(() => /User argo@127\.0\.0\.1 logged into UPS \[rack1\] *\(SSL\)|logged into UPS \[rack1\]/.test(upsd.output), PATIENCE_MS, 'the login');
  await trigger.close();
  await until(() => /logged out from UPS \[rack1\]/.test(upsd.output), PATIENCE_MS, 'the logout');
  const stranger = open(t, keys);
  await until(() => stranger.host.lines.some((line) => line.includes('UPS is silent') && line.includes('fingerprint')), PATIENCE_MS, 'the refusal of a certificate that nobody vouches for');
});
