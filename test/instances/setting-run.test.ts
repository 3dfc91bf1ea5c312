import t from 'tap';
import { ArgoError } from '../../src/kit/errors.js';
import { Signals } from '../../src/kit/signals.js';
import { SettingRun } from '../../src/instances/setting-run.js';
import { FakeMachine, fakeProvider, lostAfterSending, never } from './fake-driver.js';

/** Deadline of the changes under test, ms. */
const DEADLINE = 300;

interface Setting {
  isOn: boolean | undefined;
}

/** A machine whose autostart is off, and what it does when that is read or set instead of the usual. */
async function world({ set, read }: { set?: (now: Setting, isOn: boolean) => unknown; read?: (now: Setting) => unknown } = {}) {
  const now: Setting = { isOn: false };
  const orders: boolean[] = [];
  const machine = Object.assign(new FakeMachine('lj', 'on'), {
    autostart: {
      read: async () => {
        await read?.(now);
        return now.isOn;
      },
      set: async (isOn: boolean) => {
        orders.push(isOn);
        if (set) await set(now, isOn);
        else now.isOn = isOn;
      },
    },
  });
  const { instance } = await fakeProvider([machine]);
  const run = (value: boolean) => new SettingRun({
    instance, change: { operation: 'autostart', value }, account: 'kim', deadline: DEADLINE, signals: new Signals(), permit: () => undefined,
  }).run();
  return { run, orders, now, instance };
}

await t.test('done where it reads back as it was set, and nothing is sent twice', async (t) => {
  const { run, orders } = await world();
  t.same(await run(false), { result: 'already' });
  t.same(await run(true), { result: 'done' });
  t.same(await run(true), { result: 'already' });
  t.same(await run(false), { result: 'done' });
  t.same(orders, [true, false]);
});

await t.test('of a machine where it is neither, both are an order', async (t) => {
  const { run, orders, now } = await world({ set: (now, isOn) => { now.isOn = isOn ? undefined : false; } });
  now.isOn = undefined;
  await t.rejects(run(true), { message: /^FAILED: .*as it was/ });
  t.same(await run(false), { result: 'done' });
  t.same(orders, [true, false]);
});

await t.test('one that takes the order and does nothing has failed', async (t) => {
  const { run } = await world({ set: () => undefined });
  await t.rejects(run(true), { message: /^FAILED: .*as it was/ });
});

await t.test('a refusal is told in its own words', async (t) => {
  const { run } = await world({ set: () => { throw new ArgoError('WRONG STATE', 'it is transient'); } });
  await t.rejects(run(true), { message: /^WRONG STATE: .*transient/ });
});

await t.test('an answer that is lost is cleared up by reading again, or is uncertain', async (t) => {
  const carriedOut = await world({ set: (now, isOn) => {
    now.isOn = isOn;
    lostAfterSending();
  } });
  t.same(await carriedOut.run(true), { result: 'done' });
  t.same(carriedOut.orders, [true], 'sent once');
  await t.rejects((await world({ set: lostAfterSending })).run(true), { message: /^UNCERTAIN/ });
  let reads = 0;
  const unreadable = await world({ read: () => { if ((reads += 1) > 1) throw new ArgoError('UNREACHABLE', 'gone'); } });
  await t.rejects(unreadable.run(true), { message: /^UNCERTAIN/ });
});

await t.test('a machine that does not answer', async (t) => {
  const silent = await world({ read: never });
  await t.rejects(silent.run(true), { message: /^TIMEOUT/ });
  t.same(silent.orders, [], 'nothing was sent');
  await t.rejects((await world({ set: never })).run(true), { message: /^UNCERTAIN/ });
});

await t.test('two never run at once, and one waits for a power action', async (t) => {
  let underWay = 0;
  let most = 0;
  const { run } = await world({ set: async (now, isOn) => {
    most = Math.max(most, underWay += 1);
    await new Promise(setImmediate);
    underWay -= 1;
    now.isOn = isOn;
  } });
  await Promise.all([run(true), run(false), run(true)]);
  t.equal(most, 1);
});
