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
