import t from 'tap';
import { Site } from '../../../src/fleet/front/site.js';
import type { AliveMessage } from '../../../src/fleet/messages.js';

const DEAD_AFTER = 20_000;
const BEGAN = 1_800_000_000_000;
const FIRST = '0197aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee';
const SECOND = '0197dddd-bbbb-7ccc-8ddd-eeeeeeeeeeee';

/** A site, and what it says when: `at` by its clock, `ms` by ours, both since the beginning. */
function timeline() {
  const site = new Site('berlin');
  const moment = (ms: number) => ({ now: 1000 + ms, time: BEGAN + ms });
  const say = (at: number, ms: number, more: Partial<AliveMessage> = {}): boolean => site.take({
    v: 1, site: 'berlin', incarnation: FIRST, at: BEGAN + at, started: BEGAN, version: '1', interval: 5000, providers: [], orders: 0, outbox: 0, ...more,
  }, moment(ms), DEAD_AFTER);
  return {
    site,
    say,
    moment,
    trouble: (ms: number) => site.info(moment(ms), DEAD_AFTER, undefined).trouble,
    skew: (ms: number) => site.info(moment(ms), DEAD_AFTER, undefined).skew,
  };
}

void t.test('the clock of a site is known by the word that came quickest', async (t) => {
  const { say, trouble, skew } = timeline();
  say(0, 6000);
  t.equal(trouble(6000), 'its clock is 6 s behind ours', 'as far as that can be told yet');
  say(5000, 5100 + 1000);
  t.equal(skew(6100), -1100);
  for (let beat = 2; beat < 5; beat += 1) say(beat * 5000, beat * 5000 + 4000);
  t.equal(skew(24_000), -1100, 'this process was busy, or the bus');
  t.equal(trouble(24_000), undefined);
  for (let beat = 5; beat < 9; beat += 1) say(beat * 5000, beat * 5000 + 4000);
  t.equal(trouble(44_000), 'its clock is 4 s behind ours', 'four times in a row it is the clock');
});

void t.test('what was held up and comes together says nothing of the clock, as where this process was stopped', async (t) => {
  const { say, trouble } = timeline();
  for (let beat = 0; beat < 4; beat += 1) say(beat * 5000, beat * 5000);
  for (let beat = 4; beat < 10; beat += 1) {
    say(beat * 5000, 49_000 + beat);
    t.equal(trouble(49_000 + beat), beat * 5000 + DEAD_AFTER < 49_000 ? `it has said nothing since ${new Date(BEGAN + beat * 5000).toISOString()}` : undefined);
  }
  for (let beat = 10; beat < 14; beat += 1) for (const more of [0, 1000]) say(beat * 5000 + more - 4000, beat * 5000 + more);
  t.equal(trouble(66_000), 'its clock is 4 s behind ours', 'one that is set back is seen also where it says more than it has to');
});

void t.test('a sign of life that was held up tells of when it was given', async (t) => {
  const { say, trouble } = timeline();
  for (let beat = 0; beat < 4; beat += 1) say(beat * 5000 + 700, beat * 5000);
  say(20_700, 38_000);
  t.equal(trouble(40_000), undefined);
  t.equal(trouble(40_001), `it has said nothing since ${new Date(BEGAN + 20_000).toISOString()}`);
  say(45_700, 45_000);
  t.equal(trouble(65_000), undefined);
  say(45_800, 50_000);
  t.match(trouble(65_101), /^it has said nothing since/);
});

void t.test('a site is silent after so long, by a clock that nobody sets', async (t) => {
  const { say, trouble, site, moment } = timeline();
  say(0, 0);
  t.equal(trouble(DEAD_AFTER), undefined);
  t.equal(trouble(DEAD_AFTER + 1), `it has said nothing since ${new Date(BEGAN).toISOString()}`);
  t.equal(site.noteMissing('nobody listens there'), true);
  t.equal(site.noteMissing('nobody listens there either'), false);
  t.equal(trouble(DEAD_AFTER + 1), 'it is not connected (nobody listens there)');
  site.heardOf(moment(DEAD_AFTER + 1));
  t.equal(trouble(DEAD_AFTER + 1), undefined);
  site.noteMissing('nobody listens there');
  t.equal(trouble(DEAD_AFTER + 2), 'it is not connected (nobody listens there)', 'at once');
  site.heardOf(moment(DEAD_AFTER + 3));
  t.equal(say(0, 30_000), false, 'an old word once more');
  t.match(trouble(50_000), /^it has said nothing/);
});

void t.test('a site that has just begun takes no orders yet, and says so', async (t) => {
  const { say, trouble, site } = timeline();
  say(0, 0, { opening: true });
  t.equal(trouble(1), 'its server has just begun, and takes no orders yet');
  site.noteMissing('nobody listens there');
  t.equal(trouble(2), 'its server has just begun, and takes no orders yet', 'which is no news of one that is not at its subjects yet');
  say(2000, 2000);
  t.equal(trouble(2001), undefined);
});

void t.test('a clock that was ahead is believed as soon as it is put right', async (t) => {
  const { say, trouble, skew } = timeline();
  say(3_600_000, 0);
  t.equal(trouble(0), 'its clock is 60 min ahead of ours');
  t.equal(say(5000, 5000), true);
  t.equal(skew(5000), 0);
  t.equal(trouble(5000), undefined);
  t.equal(say(5000, 6000), false, 'the same word once more');
  t.equal(say(1000, 6000), false, 'an older one');
  t.equal(say(10_000, 10_000), true);
  t.equal(trouble(10_000), undefined);
});

void t.test('who may say that an order was never begun', async (t) => {
  const { site, say, moment } = timeline();
  const mayVoid = (incarnation: string, sentTo: string, ms: number) => site.mayVoid(incarnation, sentTo, moment(ms), DEAD_AFTER);
  t.notOk(mayVoid(FIRST, FIRST, 0), 'nobody has been heard of');
  say(0, 0);
  t.ok(mayVoid(FIRST, FIRST, 10), 'the process to which it was sent');
  t.notOk(mayVoid(SECOND, FIRST, 10), 'one that has not been heard of');
  say(1000, 1000, { incarnation: SECOND, started: BEGAN + 900 });
  t.notOk(mayVoid(SECOND, FIRST, 1010), 'its successor, while that one may be there');
  t.notOk(mayVoid(SECOND, FIRST, 10_000));
  t.ok(mayVoid(SECOND, FIRST, 10_001), 'its successor, when that one was silent for two signs of life');
  say(10_500, 10_500);
  t.notOk(mayVoid(SECOND, FIRST, 10_600), 'that one is there after all');
  t.notOk(mayVoid(FIRST, FIRST, 10_600));
});

void t.test('where its signs of life were held up, a process was there when they came', async (t) => {
  const { site, say, moment } = timeline();
  say(0, 0);
  say(5000, 40_000);
  say(6000, 40_001, { incarnation: SECOND, started: BEGAN + 5500 });
  t.notOk(site.mayVoid(SECOND, FIRST, moment(40_002), DEAD_AFTER), 'its successor has another journal');
});

void t.test('one that has left is gone', async (t) => {
  const { site, say, moment, trouble } = timeline();
  say(0, 0);
  say(100, 100, { leaving: true });
  t.equal(trouble(100), 'its server has ended');
  say(1000, 1000, { incarnation: SECOND, started: BEGAN + 900 });
  t.equal(trouble(1000), undefined);
  t.ok(site.mayVoid(SECOND, FIRST, moment(1010), DEAD_AFTER));
});

void t.test('of two servers the one that goes on counts, once the other one is silent', async (t) => {
  const { site, say, trouble } = timeline();
  say(0, 0);
  say(1000, 1000, { incarnation: SECOND, started: BEGAN + 900 });
  say(5000, 5000);
  t.equal(trouble(5000), 'two servers say that they are this site');
  for (let beat = 2; beat < 7; beat += 1) say(beat * 5000, beat * 5000);
  t.equal(site.incarnation, FIRST);
  t.equal(trouble(30_000), 'two servers say that they are this site', 'it is not over yet');
  for (let beat = 7; beat < 10; beat += 1) say(beat * 5000, beat * 5000);
  t.equal(trouble(45_001), undefined);
});
