import t from 'tap';
import { PACE } from '../../../src/fleet/front/errand.js';
import { SiteOrders } from '../../../src/fleet/front/orders.js';
import { SiteKeys } from '../../../src/fleet/front/site-keys.js';
import { Sites } from '../../../src/fleet/front/sites.js';
import { Talk } from '../../../src/fleet/front/talk.js';
import { ArgoError } from '../../../src/kit/errors.js';
import { RefusalLog } from '../../../src/kit/refusal-log.js';
import { FakeMachine } from '../../instances/fake-driver.js';
import { seededRandom } from '../../support/seeded-random.js';
import { until } from '../../support/until.js';
import { SITE, SiteWorld, WITHIN } from './world.js';

const MACHINES = 150;
const CALLERS = 8;

await t.test('over a bus that loses, repeats and delays, each order is done once or not at all, and what is told of it is so', async (t) => {
  const acts = new Map<string, number>();
  const machines = Array.from({ length: MACHINES }, (_, index) => {
    const machine = new FakeMachine(`m${index}`, 'on');
    machine.script.reboot = async () => {
      acts.set(machine.name, (acts.get(machine.name) ?? 0) + 1);
      machine.boots += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
    };
    return machine;
  });
  const world = await SiteWorld.make(t, machines[0], machines.slice(1));
  const refused = new RefusalLog(() => undefined, 'refused');
  const keys = new SiteKeys(new Map([[SITE, world.signer.publicKey]]));
  const talk = new Talk({ bus: world.hub.connect('f1'), signer: world.front.signer, front: 'f1', keys, refused });
  const times = () => ({ deadAfter: 20_000, sendTimeout: 1000 });
  const sites = new Sites({ talk, keys, refused, times });
  t.teardown(() => sites.close());
  const pace = { ...PACE, firstWord: 100, resultTimeout: 100, resultPause: 20, askAgainLongest: 60, runningInterval: 100, runningPatience: 200, answerGrace: 500, cancelTimeout: 300, silenceLongest: 3000 };
  const orders = new SiteOrders({ talk, sites, times, pace });
  await world.live();
  await until(() => sites.standing(SITE).trouble === undefined, WITHIN, 'a sound site');

  const random = seededRandom(7);
  world.hub.fate = ({ subject }) => {
    const number = subject.endsWith('.alive') ? 1 : random.below(1000) / 1000;
    return number < 0.2 ? 'lose' : number < 0.3 ? 'twice' : number < 0.4 ? 'hold' : 'deliver';
  };
  const releasing = setInterval(() => world.hub.release(), 400);
  t.teardown(() => clearInterval(releasing));
  const told = new Map<string, string>();
  const names = machines.map(({ name }) => name);
  await Promise.all(Array.from({ length: CALLERS }, async () => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      const target = { site: SITE, provider: 'fake', machine: name, instance: name };
      const call = { account: 'kim', from: 'x', actionTimeout: 5000, signal: new AbortController().signal };
      told.set(name, await orders.power(target, { action: 'reboot', mode: 'soft', wait: false }, call).then(({ result }) => result, (thrown: unknown) => (thrown instanceof ArgoError ? thrown.phrase : String(thrown))));
    }
  }));
  // what is still on its way comes, and does nothing more
  world.hub.fate = () => 'deliver';
  world.hub.release();
  await until(() => world.hub.held === 0, WITHIN, 'all to have come');
  const count = (word: string): number => [...told.values()].filter((one) => one === word).length;
  t.comment(`${count('done')} done, ${count('UNREACHABLE')} never begun, ${count('UNCERTAIN')} uncertain`);
  t.same([...acts].filter(([, acted]) => acted > 1), [], 'done twice');
  t.same([...told].filter(([name, word]) => word === 'done' && !acts.has(name)), [], 'said to be done, and not done');
  t.same([...told].filter(([name, word]) => word === 'UNREACHABLE' && acts.has(name)), [], 'said not to be done, and done');
  t.equal(told.size, MACHINES);
  t.equal(count('done') + count('UNREACHABLE') + count('UNCERTAIN'), MACHINES);
  t.ok(count('done') > MACHINES / 2);
});
