import t, { type Test } from 'tap';
import { SimDriver } from '../../../src/drivers/sim/sim.js';
import { SLICE } from '../../../src/kit/limits.js';

const MANY = 2000;
const { signal } = new AbortController();
const host = { name: 'many', changed: () => undefined, relist: () => undefined, lost: () => undefined, log: () => undefined };

/** far from the true clock, by which the turn may be counted still */
let now = 1e9;

/** Each look at the clock finds that a slice is over. */
function everySliceIsOver(t: Test): void {
  t.intercept(performance, 'now', { value: () => { now += SLICE; return now; } });
}

void t.test('a sample of many machines leaves turns to others', async (t) => {
  const driver = new SimDriver({ instances: [], count: MANY, latency: 0, faults: { vm00002: 'error', vm00003: 'deaf' } }, host);
  everySliceIsOver(t);
  let [turns, isOver] = [0, false];
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const samples = await driver.sample(signal);
  isOver = true;
  t.equal(samples.size, MANY);
  t.ok(turns > 5, `${turns} turns`);
  t.same([samples.get('2')?.status, samples.get('3')?.status], [undefined, 'on'], 'one at fault tells nothing');
  await driver.close();
});

void t.test('a sample tells what was, whatever a machine does meanwhile', async (t) => {
  const driver = new SimDriver({ instances: ['lj', { name: 'test', state: 'off' }], count: 0, latency: 0, faults: {} }, host);
  const [lj] = await driver.list();
  const before = await driver.sample(signal);
  await lj!.machine.powerOff!(signal);
  const { status, uptime, load, disk, rx, tx } = before.get('1')!;
  t.same([status, load, disk?.length], ['on', { averages: [0.1, 0.05, 0.01] }, 1]);
  t.same([typeof uptime, typeof rx, typeof tx], ['number', 'bigint', 'bigint']);
  for (const [id, samples] of [['1', await driver.sample(signal)], ['2', before]] as const) {
    const off = samples.get(id)!;
    t.same([off.status, off.uptime, off.load, off.rx, off.tx], ['off', undefined, undefined, 0n, 0n], id);
  }
  await driver.close();
});

void t.test('whoever gives a sample up is not kept waiting for it', async (t) => {
  const driver = new SimDriver({ instances: [], count: MANY, latency: 0, faults: {} }, host);
  everySliceIsOver(t);
  const gone = new AbortController();
  const sampling = driver.sample(gone.signal);
  gone.abort(new Error('gone'));
  await t.rejects(sampling, { message: 'gone' });
  await driver.close();
});
