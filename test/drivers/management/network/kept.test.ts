import t from 'tap';
import { headOf, keptIn, updated, type Kept } from '../../../../src/drivers/management/network/kept.js';

const ROUTE = { destination: '10.50.0.0', prefix: 16, gateway: '10.3.0.9', interface: 'br1', metric: 0 };
const OTHER = { ...ROUTE, destination: '10.51.0.0' };
const NOTHING: Kept = { routes: [], bridges: [] };
const BRIDGE = { name: 'br1', addresses: ['10.3.0.1/24'], members: ['eth1'] };

await t.test('routes', async (t) => {
  const one = updated(NOTHING, { device: 'br1', made: [ROUTE] })!;
  t.strictSame(one, { routes: [ROUTE], bridges: [] });
  t.strictSame(updated(one, { device: 'br1', made: [ROUTE] }), one, 'which was made again by hand');
  t.strictSame(updated(one, { device: 'br1', gone: [ROUTE], made: [OTHER] }), { routes: [OTHER], bridges: [] });
  t.strictSame(updated(one, { device: 'br1', gone: [ROUTE] }), NOTHING);
  t.equal(updated(one, { device: 'br1', gone: [OTHER], made: [ROUTE] }), undefined, 'what is not ours is left alone');
});

await t.test('bridges', async (t) => {
  const one = updated(NOTHING, { device: undefined, bridge: { name: 'br1', to: { addresses: ['10.3.0.1/24'], isNew: true } } })!;
  t.strictSame(one.bridges, [{ ...BRIDGE, members: [] }]);
  const two = updated(one, { device: 'br1', member: { bridge: 'br1', name: 'eth1', isOne: true } })!;
  t.strictSame(two.bridges, [BRIDGE]);
  const three = updated(two, { device: 'br1', bridge: { name: 'br1', to: { addresses: ['10.4.0.1/24'] } } })!;
  t.strictSame(three.bridges, [{ ...BRIDGE, addresses: ['10.4.0.1/24'] }]);
  t.strictSame(updated(three, { device: 'br1', member: { bridge: 'br1', name: 'eth1', isOne: false } })!.bridges[0]!.members, []);
  t.strictSame(updated({ ...three, routes: [ROUTE] }, { device: 'br1', bridge: { name: 'br1', to: undefined } }), NOTHING, 'its routes go with it');
  for (const keeping of [
    { device: 'br2', bridge: { name: 'br2', to: undefined } }, { device: 'br2', bridge: { name: 'br2', to: { addresses: [] } } },
    { device: 'br2', member: { bridge: 'br2', name: 'eth1', isOne: true } },
  ]) t.equal(updated(three, keeping), undefined, 'another\'s');
});

await t.test('files', async (t) => {
  const kept = { routes: [ROUTE], bridges: [BRIDGE] };
  t.strictSame(keptIn(`${headOf(kept)}anything\n`), kept);
  t.strictSame(keptIn(''), NOTHING);
  for (const text of ['network:\n', '# kept: {}\n', '# kept: {"routes":[{}],"bridges":[]}\n', '# kept: {\n']) t.throws(() => keptIn(text), text);
});
