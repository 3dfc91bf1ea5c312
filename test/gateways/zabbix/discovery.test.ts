import { createServer } from 'node:net';
import { once } from 'node:events';
import t from 'tap';
import { FakeMachine, never } from '../../instances/fake-driver.js';
import { Addresses } from '../../../src/gateways/zabbix/discovering/addresses.js';
import { Discovery } from '../../../src/gateways/zabbix/discovering/discovery.js';
import type { PingAsker } from '../../../src/gateways/zabbix/items/item-request.js';
import type { DiscoveryRule } from '../../../src/protocols/zabbix/configuration.js';
import { until } from '../../support/until.js';
import { arrange, type OwnProvider, type Rig } from './rig.js';

class Guest extends FakeMachine {
  addresses: readonly string[] = [];
  ip = (): Promise<readonly string[]> => Promise.resolve(this.addresses);
}

const guest = (name: string, state: 'on' | 'off', ...addresses: string[]): Guest => Object.assign(new Guest(name, state), { addresses });

const rule = (checks: DiscoveryRule['checks'], rest: Partial<DiscoveryRule> = {}): DiscoveryRule => ({ druleid: 3, name: 'ours', ipRange: '127.0.0.0/24', delay: '10s', checks, ...rest });

const check = (dcheckid: number, type: number, ports = '0', key = ''): DiscoveryRule['checks'][number] => ({ dcheckid, type, key, ports });

/** Only 127.0.0.5 answers. */
const pings: PingAsker & { asked: string[] } = { asked: [], ask: ({ target }) => {
  pings.asked.push(target);
  return Promise.resolve({ sent: 1, trips: target === '127.0.0.5' ? [1] : [] });
} };

const discoveryOf = ({ received }: Rig): Discovery =>
  new Discovery({ outgoing: received, addresses: new Addresses(), pings, log: () => undefined, figure: () => undefined });

await t.test('a row a check and address, and one that ends an address', async (t) => {
  const server = createServer().listen(0, '127.0.0.5');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const rig = await arrange(t, { own: [{ name: 'own', machines: [guest('a', 'on', '127.0.0.5/8', '10.9.9.9'), guest('b', 'on', '127.0.0.6'), guest('c', 'off', '127.0.0.7')] }] });
  const discovery = discoveryOf(rig);
  discovery.configured({ rules: [rule([check(1, 12), check(2, 8, `${port},${port === 1 ? 2 : 1}`), check(3, 9, '10050', 'argo.status'), check(4, 9, '10050', 'system.hostname'), check(5, 11, '161')])] }, 1000);
  discovery.look(rig.member.actor('test'), 1001);
  const { discovered } = rig.received;
  await until(() => discovered.some(({ dcheck }) => dcheck === null), 10_000, 'rows');
  const of = (address: string): object[] =>
    discovered.filter(({ ip }) => ip === address).map(({ dcheck, port: at, value, status }) => ({ dcheck, at, value, status }));
  t.same(
    of('127.0.0.5'),
    [
      { dcheck: 1, at: undefined, value: undefined, status: undefined },
      { dcheck: 2, at: port, value: undefined, status: undefined },
      { dcheck: 2, at: 1, value: undefined, status: 1 },
      { dcheck: 3, at: 10050, value: 'on', status: undefined },
      { dcheck: 4, at: 10050, value: 'a', status: undefined },
      { dcheck: null, at: undefined, value: undefined, status: undefined },
    ],
    'of a check that nobody here can do nothing is said',
  );
  t.match(of('127.0.0.6')[0], { dcheck: 1, status: 1 });
  t.same(of('127.0.0.7'), [], 'an address that was never told is not guessed');
  t.notOk(discovered.some(({ ip }) => ip === '10.9.9.9'), 'nothing outside the range');
  t.notOk(pings.asked.includes('10.9.9.9'));
  t.match(discovered[0], { clock: 1001, drule: 3, dns: '' });
  discovery.close();
});

await t.test('one that goes off is down at the address that it had', async (t) => {
  const machine = guest('a', 'on', '127.0.0.5');
  const rig = await arrange(t, { own: [{ name: 'own', machines: [machine] }] });
  const discovery = discoveryOf(rig);
  const rules = [rule([check(1, 12)], { delay: '5s' })];
  discovery.configured({ rules }, 1000);
  const { discovered } = rig.received;
  const actor = rig.member.actor('test');
  discovery.look(actor, 1001);
  await until(() => discovered.length === 2, 5000, 'it is up');
  machine.state = 'off';
  await rig.relist('own');
  discovery.configured({ rules }, 1002);
  discovery.look(actor, 1002);
  discovery.look(actor, 1003);
  t.equal(discovered.length, 2, 'before its time nothing is done, also after a new configuration');
  discovery.look(actor, 1010);
  await until(() => discovered.length === 4, 5000, 'it is down');
  t.match(discovered.slice(2), [{ dcheck: 1, ip: '127.0.0.5', status: 1 }, { dcheck: null, status: 1 }]);
  discovery.look(actor, 10);
  await until(() => discovered.length === 6, 5000, 'a clock that is set back does not end it');
  discovery.close();
});

await t.test('a provider that hangs holds up no other, and a rule that cannot be read is said', async (t) => {
  const hung = guest('h', 'on', '127.0.0.8');
  hung.ip = never;
  const own: OwnProvider[] = [{ name: 'hung', machines: [hung] }, { name: 'own', machines: [guest('a', 'on', '127.0.0.5')] }];
  const rig = await arrange(t, { own });
  const logged: string[] = [];
  const discovery = new Discovery({
    outgoing: rig.received,
    addresses: new Addresses(),
    pings,
    log: (_level, message) => {
      logged.push(message);
    },
    figure: () => undefined,
  });
  discovery.configured({ rules: [rule([check(1, 12)], { delay: 'x', druleid: 4 }), rule([check(1, 12)])] }, 1000);
  t.match(logged, [/no interval/]);
  discovery.look(rig.member.actor('test'), 1001);
  await until(() => rig.received.discovered.some(({ ip }) => ip === '127.0.0.5'), 15_000, 'the other one');
  discovery.close();
});
