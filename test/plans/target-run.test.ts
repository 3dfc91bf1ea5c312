import t from 'tap';
import type { Actor } from '../../src/instances/actor.js';
import type { Outcome, PowerOrder } from '../../src/instances/order.js';
import { ArgoError } from '../../src/kit/errors.js';
import { StageTime } from '../../src/plans/run-clock.js';
import { TargetRun, type TargetEnd } from '../../src/plans/target-run.js';
import { stage } from './world.js';

/** One target that an earlier process may have ordered, with the test's own clock: what may be ordered a second time. */

const LONGEST = 120_000;
const HOUR = 3_600_000;
const MACHINE = { provider: 'kvm', id: '1' };

interface Case {
  readonly action: 'reboot' | 'stop';
  /** of the boot before the order; of a stop the state */
  readonly mark: string;
  /** milliseconds since it was written down; left out: it is sent for the first time */
  readonly sentSince?: number;
  /** milliseconds */
  readonly left?: number;
  /** What the machine says of its boot now; what passes meanwhile passes on the clock. */
  boot?(clock: Clock): string;
  power?(order: PowerOrder): void;
}

class Clock {
  #now = 0;
  /** how often its boot was asked for */
  asked = 0;

  elapsed(): number {
    return this.#now;
  }

  wall(): number {
    return 1_700_000_000_000 + this.#now;
  }

  pass(ms: number): void {
    this.#now += ms;
  }
}

async function run({ action, mark, sentSince, left, boot, power }: Case): Promise<{ end: TargetEnd | undefined; orders: PowerOrder[] }> {
  const clock = new Clock();
  const orders: PowerOrder[] = [];
  const actor = {
    known: () => ({ fullName: 'kvm/a' }),
    bootMark: async () => {
      clock.asked += 1;
      return boot!(clock);
    },
    power: async (_on: unknown, order: PowerOrder): Promise<Outcome> => {
      orders.push(order);
      power?.(order);
      return { result: 'done', before: 'on', after: 'on', verified: true, auditId: 1 };
    },
  } as unknown as Actor;
  const end = await new TargetRun({
    actor, clock, sentSince, longest: LONGEST, isHard: false, signal: new AbortController().signal,
    target: { stage: 0, index: 0, ref: MACHINE, name: 'kvm/a', isOwn: false, state: 'sent', detail: '', mark, sent: sentSince === undefined ? undefined : clock.wall() - sentSince, atWork: undefined },
    stage: stage('all', action, ['a'], { soft: HOUR }), time: new StageTime(clock, left), order: (work) => work(),
  }).run();
  return { end, orders };
}

void t.test('a reboot that was written down long ago may have been sent just now, and is not sent again', async (t) => {
  const { end, orders } = await run({ action: 'reboot', mark: 'a', sentSince: HOUR, boot: (clock) => { clock.pass(LONGEST / 4); return clock.asked < 3 ? 'a' : 'b'; } });
  t.match(end, { state: 'done' });
  t.same(orders, []);
});

void t.test('nor by an answer that waited while this process stood still', async (t) => {
  const { end, orders } = await run({ action: 'reboot', mark: 'a', sentSince: 0, boot: (clock) => {
    if (clock.asked > 1) return 'b';
    clock.pass(HOUR);
    return 'a';
  } });
  t.match(end, { state: 'done' });
  t.same(orders, []);
});

void t.test('only where it is the same boot still after all the time that an action may take', async (t) => {
  let passed = 0;
  const { end, orders } = await run({ action: 'reboot', mark: 'a', sentSince: HOUR, boot: (clock) => {
    passed = clock.elapsed();
    clock.pass(LONGEST / 2);
    return 'a';
  } });
  t.match(end, { state: 'done' });
  t.same(orders, [{ action: 'reboot', mode: 'soft', wait: true }]);
  t.ok(passed >= LONGEST, 'as asked when that time was over');
});

void t.test('where that time is not there, or nobody says which boot it is, nobody knows', async (t) => {
  const short = await run({ action: 'reboot', mark: 'a', sentSince: HOUR, left: LONGEST, boot: (clock) => { clock.pass(LONGEST / 4); return 'a'; } });
  t.match(short.end, { state: 'uncertain' });
  t.same(short.orders, []);
  const silent = await run({ action: 'reboot', mark: 'a', sentSince: HOUR, boot: (clock) => {
    clock.pass(LONGEST);
    throw new ArgoError('UNREACHABLE', 'silent');
  } });
  t.match(silent.end, { state: 'uncertain' });
  t.same(silent.orders, []);
});

void t.test('a guest that was asked to stop long ago by the clock has half its time all the same before its plug is pulled', async (t) => {
  for (const [sentSince, soft] of [[0, HOUR], [HOUR / 4, HOUR * 3 / 4], [365 * 24 * HOUR, HOUR / 2]] as const) {
    const { orders } = await run({ action: 'stop', mark: 'on', sentSince, power: ({ mode }) => { if (mode === 'soft') throw new ArgoError('TIMEOUT', 'still on'); } });
    t.match(orders, [{ mode: 'soft', wait: soft }, { mode: 'hard' }]);
  }
});

void t.test('a hard stop that is refused does not hide what is known of the clean one that was sent', async (t) => {
  const stop = async (soft: ArgoError, hard: ArgoError): Promise<TargetEnd | undefined> =>
    (await run({ action: 'stop', mark: 'on', power: ({ mode }) => { throw mode === 'soft' ? soft : hard; } })).end;
  const accepted = new ArgoError('UNCERTAIN', 'accepted, and last seen on');
  const ignored = new ArgoError('TIMEOUT', 'still on after 20 s');
  t.same(await stop(accepted, new ArgoError('NOT ALLOWED')), { state: 'uncertain', detail: 'UNCERTAIN: accepted, and last seen on; now NOT ALLOWED', debt: 'owed' });
  t.match(await stop(accepted, new ArgoError('FAILED', 'no')), { state: 'uncertain', detail: 'UNCERTAIN: accepted, and last seen on; now FAILED: no', debt: 'owed' });
  t.match(await stop(ignored, new ArgoError('NOT ALLOWED')), { state: 'uncertain', detail: 'UNCERTAIN: TIMEOUT: still on after 20 s; now NOT ALLOWED', debt: 'owed' });
  t.match(await stop(ignored, new ArgoError('TIMEOUT', 'still on')), { state: 'failed', detail: 'TIMEOUT: still on', debt: 'owed' });
  t.match(await stop(new ArgoError('FAILED', 'no tools'), new ArgoError('NOT ALLOWED')), { state: 'failed', detail: 'NOT ALLOWED', debt: 'none' }, 'nothing was sent');
});
