import t from 'tap';
import type { SiteOrders } from '../../../src/fleet/front/orders.js';
import { MachineKinds } from '../../../src/fleet/front/remote-machine.js';
import { CAPABILITIES } from '../../../src/fleet/capabilities.js';
import { FLEET_MACHINE_KINDS } from '../../../src/kit/fleet-limits.js';

const orders = {} as SiteOrders;
/** Capabilities, another set for each number. */
const abilities = (number: number): string[] => CAPABILITIES.filter((_, bit) => (number & 1 << bit) !== 0);
const classOf = (machine: object): unknown => machine.constructor;

await t.test('machines that are alike are of one kind, wherever they are, for as long as anybody has it', (t) => {
  const kinds = new MachineKinds();
  const at = (site: string, provider: string) => kinds.at({ site, provider, orders });
  const [kvm1, kvm2, munich] = [at('berlin', 'kvm1'), at('berlin', 'kvm2'), at('munich', 'kvm1')];
  const made = [kvm1, kvm2, munich].map((provider) => provider.of('vm', ['start', 'info']).make('id', 'web1', 'on'));
  t.equal(new Set(made.map(classOf)).size, 1);
  t.equal(kinds.size, 1);
  kvm1.end();
  munich.end();
  t.equal(kinds.size, 1, 'another provider has it');
  t.equal(classOf(at('munich', 'kvm1').of('vm', ['info', 'start']).make('id', 'web2', 'on')), classOf(made[0]!));
  kvm2.end();
  t.equal(kinds.size, 1, 'another site has it');
  t.end();
});

await t.test('each site has so many at most, and has room again when its providers go', (t) => {
  const kinds = new MachineKinds();
  const [full, other] = [kinds.at({ site: 'berlin', provider: 'kvm1', orders }), kinds.at({ site: 'berlin', provider: 'kvm2', orders })];
  for (let number = 0; number < FLEET_MACHINE_KINDS; number += 1) full.of('vm', abilities(number));
  t.throws(() => other.of('vm', abilities(FLEET_MACHINE_KINDS)), { name: 'MessageFault', message: /berlin .*4096/ });
  t.ok(other.of('vm', abilities(7)), 'one that the site has already');
  const munich = kinds.at({ site: 'munich', provider: 'kvm1', orders });
  t.ok(munich.of('vm', abilities(FLEET_MACHINE_KINDS)), 'another site is not concerned');
  t.equal(kinds.size, FLEET_MACHINE_KINDS + 1);
  full.end();
  t.equal(kinds.size, 2);
  t.ok(other.of('vm', abilities(FLEET_MACHINE_KINDS)));
  other.end();
  munich.end();
  munich.end();
  t.equal(kinds.size, 0, 'nothing is left');
  t.end();
});
