import t from 'tap';
import { RefusalLog } from '../../src/kit/refusal-log.js';
import { ArgoError } from '../../src/kit/errors.js';
import { PACE } from '../../src/fleet/front/errand.js';
import { SiteOrders } from '../../src/fleet/front/orders.js';
import { SiteKeys } from '../../src/fleet/front/site-keys.js';
import { Sites } from '../../src/fleet/front/sites.js';
import { Talk } from '../../src/fleet/front/talk.js';
import { FakeMachine } from '../instances/fake-driver.js';
import { until } from '../support/until.js';
import { SiteWorld, type Life } from './site/world.js';

/** Orders of as many callers, each on a machine of its own: so what was done is what its machine says. */
const ORDERS = 600;
const CALLERS = 16;
const WITHIN = 120_000;

/** What says that nothing was done. */
const NOTHING_DONE: readonly string[] = ['UNREACHABLE', 'BUSY', 'AUDIT UNAVAILABLE'];

/** Numbers that chance would give, and that are the same in each run. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5 | 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

void t.test('whatever the bus does and however often the site dies, nothing is told that is not so', async (t) => {
  const machines = Array.from({ length: ORDERS }, (_, index) => new FakeMachine(`m${index}`, 'off'));
  for (const machine of machines) {
    machine.script.start = async () => {
      await new Promise((done) => setTimeout(done, 1 + (machine.calls.length * 7) % 20));
      machine.state = 'on';
    };
  }
  const [first, ...others] = machines;
  const w = await SiteWorld.make(t, first!, others);
  const { signer } = w.front;
  const bus = w.hub.connect('f1');
  const refused = new RefusalLog(() => undefined, 'refused');
  const keys = new SiteKeys(new Map([['berlin', w.signer.publicKey]]));
  const times = () => ({ deadAfter: 20_000, sendTimeout: 400 });
  const talk = new Talk({ bus, signer, front: 'f1', keys, refused });
  const sites = new Sites({ talk, keys, refused, times });
  t.teardown(() => sites.close());
  const pace = { ...PACE, firstWord: 60, resultTimeout: 60, resultPause: 20, askAgainLongest: 60, runningInterval: 60, runningPatience: 120, answerGrace: 500, silenceLongest: 4000 };
  const orders = new SiteOrders({ talk, sites, times, pace });
  let life: Life = await w.live();
  await until(() => sites.info('berlin').trouble === undefined, WITHIN, 'a sound site');

  const next = chance(7);
  w.hub.fate = ({ subject }) => {
    if (!/\.(op|result)$/.test(subject)) return 'deliver';
    const dice = next();
    return dice < 0.06 ? 'lose' : dice < 0.12 ? 'twice' : dice < 0.18 ? 'hold' : 'deliver';
  };
  let isOver = false;
  const trouble = (async () => {
    for (let round = 0; !isOver; round += 1) {
      await new Promise((done) => setTimeout(done, 40));
      if (round % 3 === 0) w.hub.release();
      if (round % 7 === 3) {
        bus.cut();
        setTimeout(() => bus.restore(), 15);
      }
      if (round % 25 === 12) {
        await life.kill();
        life = await w.live();
      }
    }
  })();

  const told = new Map<FakeMachine, string>();
  const { signal } = new AbortController();
  const rest = machines.values();
  await Promise.all(Array.from({ length: CALLERS }, async () => {
    for (const machine of rest) {
      const target = { site: 'berlin', provider: 'fake', machine: machine.id, instance: machine.name };
      const said = await orders.power(target, { action: 'start', mode: 'soft', wait: true }, { account: 'kim', from: '10.1.2.3:1', actionTimeout: 3000, signal })
        .then(({ result }) => result, (thrown: unknown) => (thrown instanceof ArgoError ? thrown.phrase : String(thrown)));
      told.set(machine, said);
    }
  }));
  isOver = true;
  await trouble;
  w.hub.fate = () => 'deliver';
  w.hub.release();
  await new Promise((done) => setTimeout(done, 1000));
  const count = (test: (machine: FakeMachine, said: string) => boolean): number => [...told].filter(([machine, said]) => test(machine, said)).length;
  const sums: Record<string, number> = {};
  for (const said of told.values()) sums[said] = (sums[said] ?? 0) + 1;
  t.comment(JSON.stringify(sums));
  const acted = (machine: FakeMachine): number => machine.calls.filter((call) => call === 'start').length;
  t.equal(count((machine) => acted(machine) > 1), 0, 'done twice');
  t.equal(count((machine, said) => (said === 'done' || said === 'already') && machine.state !== 'on'), 0, 'told done and not done');
  t.equal(count((machine, said) => NOTHING_DONE.includes(said) && acted(machine) > 0), 0, 'told that nothing was done, and done');
  t.same(Object.keys(sums).filter((said) => !['done', 'already', 'UNCERTAIN', ...NOTHING_DONE].includes(said)), []);
});
