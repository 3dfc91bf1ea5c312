import t from 'tap';
import { InOrder } from '../../../src/fleet/front/in-order.js';
import { seededRandom } from '../../support/seeded-random.js';

interface Named { readonly name: string }

const named = (name: string): Named => ({ name });
const byName = (): InOrder<Named> => new InOrder(({ name }: Named) => name);
const names = ({ items }: InOrder<Named>): string[] => items.map(({ name }) => name);

void t.test('names stand as people expect them', async (t) => {
  const order = byName();
  await order.change(new Set(), [['web10', 'web2'].map(named), ['db', 'Web1'].map(named)]);
  t.same(names(order), ['db', 'Web1', 'web2', 'web10']);
});

void t.test('what comes is put where it belongs, what goes is taken out, and who looks meanwhile sees the former list', async (t) => {
  const order = byName();
  const [two, four] = [named('vm2'), named('vm4')];
  await order.change(new Set(), [[four, two]]);
  const before = order.items;
  const changing = order.change(new Set([two]), [['vm5', 'vm1', 'vm3'].map(named)]);
  t.equal(order.items, before);
  await changing;
  t.same(names(order), ['vm1', 'vm3', 'vm4', 'vm5']);
  t.same(before.map(({ name }) => name), ['vm2', 'vm4'], 'a list that was handed out never changes');
  await order.change(new Set(order.items), []);
  t.same(names(order), []);
});

void t.test('it is the same as sorting all anew, whatever comes and goes', async (t) => {
  const random = seededRandom(15);
  const order = byName();
  let all = new Set<Named>();
  for (let round = 0; round < 8; round += 1) {
    const removed = new Set([...all].filter(() => random.below(10) < 3));
    const added = Array.from({ length: random.below(1500) }, () => named(`vm${random.below(1_000_000)}`));
    all = new Set([...[...all].filter((one) => !removed.has(one)), ...added]);
    const middle = random.below(added.length + 1);
    await order.change(removed, [added.slice(0, middle), [], added.slice(middle)]);
    t.same(new Set(order.items), all);
    const numbers = order.items.map(({ name }) => Number(name.slice(2)));
    t.ok(numbers.every((number, at) => at === 0 || numbers[at - 1]! <= number), `round ${round}`);
  }
});
