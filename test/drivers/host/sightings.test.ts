import t, { type Test } from 'tap';
import { ArgoError } from '../../../src/kit/errors.js';
import type { PowerState } from '../../../src/drivers/driver.js';
import { inPortions, Sightings, type Looked } from '../../../src/drivers/host/sightings.js';
import { until } from '../../support/until.js';

const WAIT_MS = 30_000;

/** A machine whose looks a test answers. */
function machine(id: string) {
  const looks: { answer: (state: PowerState) => void; fail: (error: Error) => void }[] = [];
  const look = (signal: AbortSignal) => new Promise<PowerState>((answer, fail) => {
    looks.push({ answer, fail });
    signal.addEventListener('abort', () => fail(signal.reason as Error), { once: true });
  });
  const looked: Looked = { id, name: id, type: 'host', look, status: look };
  return { looked, looks };
}

function setUp(t: Test) {
  const changed: string[] = [];
  const sightings = new Sightings({ changed: (id, state) => { changed.push(`${id} ${state}`); }, log: () => undefined });
  t.teardown(() => sightings.close());
  const list = async (...machines: { looked: Looked }[]) => (await sightings.list(machines.map(({ looked }) => looked))).map(({ machine: { id }, state }) => `${id} ${state}`);
  return { changed, sightings, list };
}

await t.test('one silent host does not hide its neighbours', async (t) => {
  const { changed, list } = setUp(t);
  const [quick, silent] = [machine('quick'), machine('silent')];
  const listing = list(quick, silent);
  quick.looks[0]?.answer('on');
  t.same(await listing, ['quick on', 'silent unknown'], 'listed while one has not answered');
  silent.looks[0]?.answer('off');
  await until(() => changed.length > 0, WAIT_MS, 'the late answer');
  t.same(changed, ['silent off']);
  const again = list(quick, silent);
  quick.looks[1]?.fail(new ArgoError('UNREACHABLE', 'cannot be told'));
  t.same(await again, ['quick unknown', 'silent off'], 'as it was until it is found out anew');
  t.equal(silent.looks.length, 2);
  await list(quick, silent);
  t.equal(silent.looks.length, 2, 'not asked twice at a time');
});

await t.test('what is no longer listed is not told of, nor anything after the end', async (t) => {
  const { changed, sightings, list } = setUp(t);
  const [gone, stays] = [machine('gone'), machine('stays')];
  t.same(await list(gone, stays), ['gone unknown', 'stays unknown']);
  const listing = list(stays);
  gone.looks[0]?.answer('off');
  stays.looks[0]?.answer('on');
  t.same(await listing, ['stays on']);
  t.notOk(changed.includes('gone off'));
  const last = list(stays);
  sightings.close();
  await last;
  t.notOk(changed.includes('stays unknown'));
});

await t.test('a fault of ours is not hidden', async (t) => {
  const { list } = setUp(t);
  const broken = machine('broken');
  const listing = list(broken);
  broken.looks[0]?.fail(new TypeError('bug'));
  await t.rejects(listing, new TypeError('bug'));
});

await t.test('all at the same time, in order, with turns for others between', async (t) => {
  const items = Array.from({ length: 1050 }, (_, index) => index);
  let begun = 0;
  let turns = 0;
  let ended = false;
  const others = (): void => {
    turns += 1;
    if (!ended) setImmediate(others);
  };
  setImmediate(others);
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => { release = resolve; });
  const results = await inPortions(items, async (item) => {
    begun += 1;
    if (begun === items.length) release();
    await gate;
    return item * 2;
  });
  ended = true;
  t.same(results, items.map((item) => item * 2));
  t.ok(turns >= 10, `${turns} turns`);
  t.same(await inPortions([], () => Promise.resolve(1)), []);
});

await t.test('a failure is told once, and leaves nothing unhandled', async (t) => {
  const outcome = inPortions(Array.from({ length: 350 }, (_, index) => index), (item) => (item % 100 === 7 ? Promise.reject(new Error(`no ${item}`)) : Promise.resolve()));
  await t.rejects(outcome, { message: 'no 7' });
});
