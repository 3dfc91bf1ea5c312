import t from 'tap';
import { CannotTell, type PingResult } from '../../../src/protocols/ping/outcome.js';
import { allSilent, firstAlive, type Way } from '../../../src/protocols/ping/race.js';

const never = new AbortController().signal;
const STAGGER = 5;
const alive: PingResult = { alive: true, ms: 1, address: '10.0.0.1', by: 'icmp' };
const silent = (reason: string): PingResult => ({ alive: false, reason });
const says = (result: PingResult): Way => () => Promise.resolve(result);
const doubts = (message: string): Way => () => Promise.reject(new CannotTell('not sent', message));

/** A way that ends only when it is told to. */
function hanging(ended: unknown[]): Way {
  return (signal) => new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      ended.push(signal.reason);
      reject(signal.reason as Error);
    });
  });
}

await t.test('one sign of life is enough, and ends the others', async (t) => {
  const ended: unknown[] = [];
  t.same(await firstAlive([hanging(ended), says(silent('a')), says(alive), hanging(ended)], STAGGER, never), alive);
  t.equal(ended.length, 1, 'the last one was never begun');
});

await t.test('without any, the first that is certain counts', async (t) => {
  t.same(await firstAlive([doubts('a'), says(silent('b')), says(silent('c'))], STAGGER, never), silent('b'));
  await t.rejects(firstAlive([doubts('a'), doubts('b')], STAGGER, never), { kind: 'not sent', message: 'a' });
  const filtered: Way = () => Promise.reject(new CannotTell('prohibited', 'c'));
  await t.rejects(firstAlive([says(silent('a')), filtered], STAGGER, never), { kind: 'prohibited', message: 'c' }, 'at the other address it may be up');
});

await t.test('each is begun at once when the one before was in vain', async (t) => {
  t.same(await firstAlive([says(silent('a')), doubts('b'), says(alive)], 3_600_000, never), alive);
});

await t.test('what is a fault is no doubt', async (t) => {
  await t.rejects(firstAlive([() => Promise.reject(new TypeError('bug')), says(silent('a'))], STAGGER, never), new TypeError('bug'));
});

await t.test('aborted', async (t) => {
  const ended: unknown[] = [];
  const controller = new AbortController();
  const outcome = t.rejects(firstAlive([hanging(ended), hanging(ended)], STAGGER, controller.signal), { message: 'enough' });
  controller.abort(new Error('enough'));
  await outcome;
  t.equal(ended.length, 1);
  await t.rejects(firstAlive([says(alive), says(alive)], STAGGER, controller.signal), { message: 'enough' });
});

await t.test('several ways to one address: silent only where each is', async (t) => {
  const noRight: Way = () => Promise.reject(new CannotTell('no right', 'none'));
  t.same(await firstAlive([says(silent('a')), says(silent('b'))], STAGGER, never, allSilent), silent('a'));
  t.same(await firstAlive([says(silent('a')), says(alive)], STAGGER, never, allSilent), alive);
  await t.rejects(firstAlive([says(silent('a')), doubts('b')], STAGGER, never, allSilent), { kind: 'not sent', message: 'b' });
  await t.rejects(firstAlive([noRight, says(silent('b'))], STAGGER, never, allSilent), { kind: 'silent', message: 'b, and none' }, 'what is silent may be filtered');
  const told: PingResult = { alive: false, reason: 'nobody there, says a router', isTold: true };
  t.same(await firstAlive([says(silent('a')), says(told), doubts('b')], STAGGER, never, allSilent), told, 'who must know is believed');
  await t.rejects(firstAlive([noRight, noRight], STAGGER, never, allSilent), { kind: 'no right', message: 'none' });
});
