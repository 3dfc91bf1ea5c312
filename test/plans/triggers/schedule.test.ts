import t from 'tap';
import { Calendar, cronFault, isTimeZone, timeIn } from '../../../src/plans/triggers/schedule/calendar.js';
import schedule from '../../../src/plans/triggers/schedule/index.js';
import { Schedule, type ScheduleSettings } from '../../../src/plans/triggers/schedule/schedule.js';
import { fakeHost, settled, TestClock, type FakeHost } from './support.js';

const ZONE = 'Europe/Berlin';

function times(line: string, from: string, count: number): string[] {
  const calendar = new Calendar(line, ZONE);
  const found: number[] = [];
  for (let at = Date.parse(from); found.length < count;) found.push(at = calendar.next(at)!);
  return found.map((time) => timeIn(ZONE, time));
}

void t.test('the hour that spring leaves out', async (t) => {
  t.same(times('30 2 * * *', '2026-03-28T12:00:00Z', 2), ['2026-03-29T03:00:00+02:00', '2026-03-30T02:30:00+02:00'], 'is due when it would have ended');
  t.same(times('*/30 * * * *', '2026-03-29T00:20:00Z', 3), ['2026-03-29T01:30:00+01:00', '2026-03-29T03:00:00+02:00', '2026-03-29T03:30:00+02:00']);
});

void t.test('several fixed times are each as one alone', async (t) => {
  t.same(times('10,50 2 * * *', '2026-03-28T12:00:00Z', 2), ['2026-03-29T03:00:00+02:00', '2026-03-30T02:10:00+02:00']);
  t.same(times('15 1-3 * * 0', '2026-03-28T12:00:00Z', 3), ['2026-03-29T01:15:00+01:00', '2026-03-29T03:00:00+02:00', '2026-03-29T03:15:00+02:00']);
  t.same(times('10,50 2 * * *', '2026-10-24T12:00:00Z', 3), ['2026-10-25T02:10:00+02:00', '2026-10-25T02:50:00+02:00', '2026-10-26T02:10:00+01:00']);
  const calendar = new Calendar('10,50 2 * * *', 'America/New_York');
  t.equal(timeIn('America/New_York', calendar.next(Date.parse('2026-03-08T06:59:00Z'))!), '2026-03-08T03:00:00-04:00');
  t.match(cronFault('10,70 2 * * *', ZONE, 0), /70/);
});

void t.test('the hour that comes twice in autumn', async (t) => {
  t.same(times('30 2 * * *', '2026-10-24T12:00:00Z', 2), ['2026-10-25T02:30:00+02:00', '2026-10-26T02:30:00+01:00'], 'a fixed time is due the first time');
  t.same(times('*/30 * * * *', '2026-10-24T23:40:00Z', 5), [
    '2026-10-25T02:00:00+02:00', '2026-10-25T02:30:00+02:00', '2026-10-25T02:00:00+01:00', '2026-10-25T02:30:00+01:00', '2026-10-25T03:00:00+01:00',
  ], 'every half hour is due in both');
});

void t.test('what is no line of cron', async (t) => {
  const now = Date.parse('2026-11-28T12:00:00Z');
  t.match(cronFault('0 30 22 * * 1-5', ZONE, now), /five fields .*, not 6: there are no seconds/);
  t.match(cronFault('@daily', ZONE, now), /five fields/);
  t.match(cronFault('30 22 * *', ZONE, now), /not 4/);
  t.match(cronFault('61 * * * *', ZONE, now), /61/);
  t.match(cronFault('a b c d e', ZONE, now), /./);
  t.equal(cronFault('30 2 31 2 *', ZONE, now), 'it is never due');
  t.equal(cronFault('30 22 * * 1-5', ZONE, now), undefined);
  t.ok(isTimeZone('Europe/Berlin'));
  t.notOk(isTimeZone('Europe/Berlim'));
  t.match(schedule.faults({ cron: '* * * * * *', 'time-zone': ZONE, missed: 'skip', plan: 'p' }), [{ path: ['cron'], message: /^cron: five fields/ }]);
  t.same(schedule.plans({ cron: '* * * * *', 'time-zone': ZONE, missed: 'skip', plan: 'p' }), [{ plan: 'p', path: ['plan'] }]);
});

const NIGHTLY: ScheduleSettings = { cron: '30 22 * * *', zone: ZONE, missed: 'skip', plan: 'lab-off' };

interface Running {
  readonly clock: TestClock;
  readonly host: FakeHost;
  readonly schedule: Schedule;
}

/** @param stored what is left from before a restart */
async function running(wall: string, settings = NIGHTLY, stored?: Map<string, string>): Promise<Running> {
  const clock = new TestClock(wall);
  const host = fakeHost(clock, stored);
  const schedule = new Schedule(settings, host);
  await settled();
  return { clock, host, schedule };
}

void t.test('a plan is begun when it is due, once', async (t) => {
  const { clock, host, schedule } = await running('2026-11-28T12:00:00+01:00');
  t.equal(schedule.describe(), 'next 2026-11-28T22:30:00+01:00');
  await clock.passTo('2026-11-28T22:29:59+01:00');
  t.same(host.starter.plans, []);
  await clock.passTo('2026-11-28T22:30:00+01:00');
  t.match(host.starter.begun, [{ plan: 'lab-off', cause: { source: 'trigger ups', words: 'trigger ups: due 2026-11-28T22:30:00+01:00', at: clock.wall() } }]);
  t.equal(schedule.describe(), 'next 2026-11-29T22:30:00+01:00');
  await clock.pass(48 * 3_600_000);
  t.equal(host.starter.begun.length, 3);
  await schedule.close();
  await clock.pass(48 * 3_600_000);
  t.equal(host.starter.begun.length, 3, 'and never after the end');
});

void t.test('what was due while the server was down', async (t) => {
  for (const [missed, back, count] of [
    ['skip', '2026-11-28T22:31:00+01:00', 0], ['run', '2026-11-28T22:31:00+01:00', 1], ['run', '2026-12-03T08:00:00+01:00', 1], ['skip', '2026-11-28T22:30:40+01:00', 1], ['run', '2026-11-28T21:00:00+01:00', 0],
  ] as const) {
    const before = await running('2026-11-28T12:00:00+01:00', { ...NIGHTLY, missed });
    await before.schedule.close();
    const after = await running(back, { ...NIGHTLY, missed }, before.host.stored);
    t.equal(after.host.starter.begun.length, count, `${missed}, back at ${back}`);
    await after.schedule.close();
    const again = await running(back, { ...NIGHTLY, missed }, after.host.stored);
    t.equal(again.host.starter.begun.length, 0, 'and not again');
    await again.schedule.close();
  }
});

void t.test('of a line or a zone that was changed nothing was missed', async (t) => {
  for (const settings of [{ ...NIGHTLY, cron: '0 20 * * *' }, { ...NIGHTLY, zone: 'Europe/London' }]) {
    const before = await running('2026-11-28T12:00:00+01:00', { ...NIGHTLY, missed: 'run' });
    await before.schedule.close();
    const after = await running('2026-11-29T12:00:00+01:00', { ...settings, missed: 'run' }, before.host.stored);
    t.same(after.host.starter.plans, []);
    await after.schedule.close();
  }
});

void t.test('a clock that is set', async (t) => {
  await t.test('back: nothing is due twice', async (t) => {
    const { clock, host, schedule } = await running('2026-11-28T22:29:00+01:00');
    await clock.passTo('2026-11-28T22:31:00+01:00');
    clock.set('2026-11-28T22:00:00+01:00');
    await clock.passTo('2026-11-28T23:00:00+01:00');
    t.equal(host.starter.begun.length, 1);
    await clock.passTo('2026-11-29T22:30:00+01:00');
    t.equal(host.starter.begun.length, 2);
    await schedule.close();
  });
  await t.test('forth: it was missed', async (t) => {
    for (const missed of ['skip', 'run'] as const) {
      const { clock, host, schedule } = await running('2026-11-28T22:00:00+01:00', { ...NIGHTLY, missed });
      await clock.pass(10_000);
      clock.set('2026-11-28T23:00:00+01:00');
      await clock.pass(31_000);
      t.equal(host.starter.begun.length, missed === 'run' ? 1 : 0, missed);
      await schedule.close();
    }
  });
  await t.test('a year forth and back again: it does not wait for a year', async (t) => {
    const { clock, host, schedule } = await running('2026-11-28T12:00:00+01:00');
    clock.set('2027-11-28T12:00:00+01:00');
    await clock.pass(60_000);
    clock.set('2026-11-28T12:01:00+01:00');
    await clock.pass(60_000);
    t.equal(schedule.describe(), 'next 2026-11-29T22:30:00+01:00', 'that of today counts as missed');
    await clock.passTo('2026-11-29T22:31:00+01:00');
    t.equal(host.starter.begun.length, 1);
    await schedule.close();
  });
  await t.test('back from a time that was wrong: what was due by it is forgotten', async (t) => {
    const { clock, host, schedule } = await running('2030-01-01T22:29:00+01:00');
    await clock.pass(120_000);
    t.equal(host.starter.begun.length, 1);
    clock.set('2026-11-28T12:00:00+01:00');
    await clock.passTo('2026-11-28T22:31:00+01:00');
    t.equal(host.starter.begun.length, 2);
    await schedule.close();
  });
});

void t.test('what cannot be begun is tried again, and told once', async (t) => {
  const { clock, host, schedule } = await running('2026-11-28T22:00:00+01:00');
  host.starter.answer = new Error('AUDIT UNAVAILABLE');
  await clock.passTo('2026-11-28T22:40:00+01:00');
  t.ok(host.starter.attempts > 100);
  t.equal(schedule.describe(), 'due since 2026-11-28T22:30:00+01:00');
  t.equal(host.lines.filter((line) => line.startsWith('error')).length, 1);
  host.starter.answer = 'begun';
  await clock.pass(10_000);
  t.match(host.starter.begun, [{ cause: { words: 'trigger ups: due 2026-11-28T22:30:00+01:00' } }], 'although it is late by now');
  await clock.passTo('2026-11-29T22:20:00+01:00');
  t.equal(host.starter.begun.length, 1);
  await schedule.close();
});

void t.test('one that is killed before it could begin it does so after the restart', async (t) => {
  const before = await running('2026-11-28T22:29:50+01:00', { ...NIGHTLY, missed: 'run' });
  before.host.starter.answer = new Error('AUDIT UNAVAILABLE');
  await before.clock.pass(20_000);
  await before.schedule.close();
  const after = await running('2026-11-28T23:30:00+01:00', { ...NIGHTLY, missed: 'run' }, before.host.stored);
  t.equal(after.host.starter.begun.length, 1);
  await after.schedule.close();
});

void t.test('a plan that is held is not begun later', async (t) => {
  const { clock, host, schedule } = await running('2026-11-28T22:29:50+01:00');
  host.starter.answer = 'held';
  await clock.pass(60_000);
  host.starter.answer = 'begun';
  await clock.pass(3_600_000);
  t.same(host.starter.plans, []);
  t.match(host.lines.join('\n'), /not begun: the plan is held/);
  await schedule.close();
});

void t.test('state that cannot be read or kept stops nothing', async (t) => {
  const clock = new TestClock('2026-11-28T22:29:50+01:00');
  const host = fakeHost(clock, new Map([['state', '{']]));
  host.kv.set = () => Promise.reject(new Error('the disk is full'));
  const schedule = new Schedule(NIGHTLY, host);
  await clock.pass(3 * 24 * 3_600_000);
  t.equal(host.starter.begun.length, 3);
  t.equal(host.lines.filter((line) => line.startsWith('warn')).length, 2, 'told once each');
  await schedule.close();
});
