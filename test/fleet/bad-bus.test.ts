import t from 'tap';
import { PACE } from '../../src/fleet/front/errand.js';
import { SiteKeys } from '../../src/fleet/site-keys.js';
import { ArgoError } from '../../src/kit/errors.js';
import { PacedLog } from '../../src/kit/paced-log.js';
import { FakeMachine } from '../instances/fake-driver.js';
import { seededRandom } from '../support/seeded-random.js';
import { until } from '../support/until.js';
import { orderingFront } from './front/world.js';
import { SITE, SiteWorld, WITHIN, type Life } from './site/world.js';

/** Orders, each on a machine of its own: so what was done is what its machine says. */
const ORDERS = 600;
const CALLERS = 16;

/** What says that nothing was done. */
const NOTHING_DONE: readonly string[] = ['UNREACHABLE', 'BUSY', 'AUDIT UNAVAILABLE'];

void t.test('whatever the bus does and however often the site dies, nothing is told that is not so', async (t) => {
  const random = seededRandom(7);
  const acts = new Map<string, number>();
  const machines = Array.from({ length: ORDERS }, (_, index) => {
    const machine = new FakeMachine(`m${index}`, 'on');
    machine.script.reboot = async () => {
      acts.set(machine.name, (acts.get(machine.name) ?? 0) + 1);
      machine.boots += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
    };
    return machine;
  });
  const [first, ...others] = machines;
  const w = await SiteWorld.make(t, first!, others);
  const bus = w.hub.connect('f1');
  const refused = new PacedLog(() => undefined, 'refused');
  const keys = new SiteKeys(new Map([[SITE, w.signer.publicKey]]));
  const pace = {
    ...PACE,
    firstWord: 60,
    resultTimeout: 60,
    resultPause: 20,
    askAgainLongest: 60,
    runningInterval: 60,
    runningPatience: 120,
    answerGrace: 500,
    silenceLongest: 4000,
  };
  const { sites, orders } = orderingFront(t, { bus, signer: w.front.signer, keys, refused, pace, times: () => ({ deadAfter: 20_000, sendTimeout: 400 }) });
  let life: Life = await w.live();
  await until(() => sites.info(SITE).trouble === undefined, WITHIN, 'a sound site');

  // orders, questions and answers: without signs of life, nothing would be sent
  w.hub.fate = ({ subject }) => {
    const number = subject.endsWith('.alive') ? 100 : random.below(100);
    return number < 6 ? 'lose' : number < 12 ? 'twice' : number < 18 ? 'hold' : 'deliver';
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

  const told = new Map<string, string>();
  const { signal } = new AbortController();
  const rest = machines.values();
  await Promise.all(Array.from({ length: CALLERS }, async () => {
    for (const machine of rest) {
      // to one that is away, nothing would be sent
      await until(() => sites.standing(SITE).trouble === undefined, WITHIN, 'a sound site');
      const target = { site: SITE, provider: 'fake', machine: machine.id, instance: machine.name };
      const said = await orders.power(target, { action: 'reboot', mode: 'soft', wait: false }, { account: 'kim', from: '10.1.2.3:1', actionTimeout: 3000, signal })
        .then(({ result }) => result, (thrown: unknown) => (thrown instanceof ArgoError ? thrown.phrase : String(thrown)));
      told.set(machine.name, said);
    }
  }));
  isOver = true;
  await trouble;
  w.hub.fate = () => 'deliver';
  w.hub.release();
  await until(() => w.hub.held === 0 && life.site.underWay === 0, WITHIN, 'all to have come, and to be over');
  const sums: Record<string, number> = {};
  for (const word of told.values()) sums[word] = (sums[word] ?? 0) + 1;
  t.comment(JSON.stringify(sums));
  const of = (...words: string[]): string[] => [...told].filter(([, word]) => words.includes(word)).map(([name]) => name);
  t.equal(told.size, ORDERS);
  t.same([...acts].filter(([, count]) => count > 1), [], 'done twice');
  t.same(of('done').filter((name) => !acts.has(name)), [], 'told done, and not done');
  t.same(of(...NOTHING_DONE).filter((name) => acts.has(name)), [], 'told that nothing was done, and done');
  t.same(Object.keys(sums).filter((word) => !['done', 'UNCERTAIN', ...NOTHING_DONE].includes(word)), []);
  t.ok(of('done').length > 0, 'some came through');
});
