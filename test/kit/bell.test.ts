import t from 'tap';
import { Bell, Sleepers } from '../../src/kit/bell.js';

await t.test('sleepers wake when they are called, when their time is over, and when their signal is aborted', async (t) => {
  const sleepers = new Sleepers();
  const { signal } = new AbortController();
  const aborter = new AbortController();
  const woken: string[] = [];
  const sleep = async (name: string, ...args: Parameters<Sleepers['sleep']>): Promise<void> => { await sleepers.sleep(...args); woken.push(name); };
  const all = [sleep('called', signal), sleep('too late', signal, 1), sleep('aborted', aborter.signal)];
  t.equal(sleepers.size, 3);
  await all[1];
  aborter.abort();
  await all[2];
  t.equal(sleepers.size, 1, 'nothing is left of those that woke');
  sleepers.wakeAll();
  await all[0];
  t.same(woken, ['too late', 'aborted', 'called']);
  await sleepers.sleep(aborter.signal);
  t.equal(sleepers.size, 0, 'nobody falls asleep who is aborted');
});

await t.test('one who sleeps again and again is woken each time, at the latest when an earlier sleep would have ended, and leaves nothing', async (t) => {
  const sleepers = new Sleepers();
  const aborter = new AbortController();
  const sleeper = sleepers.enter(aborter.signal);
  for (let turn = 0; turn < 3; turn += 1) {
    const asleep = sleeper.sleep(60_000);
    t.equal(sleepers.size, 1);
    sleepers.wakeAll();
    await asleep;
    t.equal(sleepers.size, 0, 'whoever is awake is not called');
  }
  const other = sleepers.enter(aborter.signal);
  const began = performance.now();
  await other.sleep(20);
  t.ok(performance.now() - began >= 19, 'its time is over');
  const both = Promise.all([sleeper.sleep(60_000), other.sleep(60_000)]);
  aborter.abort();
  await both;
  await sleeper.sleep(60_000);
  t.equal(sleepers.size, 0, 'nobody falls asleep who is aborted');
  const last = sleepers.enter(new AbortController().signal);
  const asleep = last.sleep(60_000);
  last.end();
  await asleep;
  t.equal(sleepers.size, 0, 'it ends in its sleep, too');
  sleeper.end();
  other.end();
});

await t.test('no ring is missed between a look and the sleep after it', async (t) => {
  const bell = new Bell();
  const { signal } = new AbortController();
  const { rings } = bell;
  bell.ring();
  await bell.wait(signal, rings);
  const next = bell.wait(signal, bell.rings);
  bell.ring();
  await next;
  t.equal(bell.rings, 2);
});
