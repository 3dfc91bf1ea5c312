import t from 'tap';
import { REGISTRATION_AGAIN, REGISTRATION_HOSTLESS, REGISTRATIONS_A_LOOK, REGISTRATIONS_HOSTLESS_A_LOOK } from '../../../src/kit/zabbix-collecting-limits.js';
import { Addresses } from '../../../src/gateways/zabbix/discovering/addresses.js';
import { Registration } from '../../../src/gateways/zabbix/discovering/registration.js';
import { FakeMachine } from '../../instances/fake-driver.js';
import { arrange, CONFIG, type Rig } from './rig.js';

/** One look, and the hosts that it registered. */
const looks = ({ member, received, logged }: Rig) => {
  let steady = 0;
  const registration = new Registration(received, new Addresses(), (level, message, facts) => { logged.push(`${level} ${message} ${JSON.stringify(facts)}`); }, () => steady);
  return {
    forget: () => registration.forget(),
    after: (ms: number) => { steady += ms; },
    hosts: (...names: string[]) => registration.configured({ hosts: new Map(names.map((host, hostid) => [hostid, { hostid, host, name: host }])) }),
    look: async (): Promise<readonly string[]> => {
      const before = received.registered.length;
      await registration.look(member.actor('test'), 1_795_224_123_456);
      return received.registered.slice(before).map(({ host }) => host);
    },
  };
};

await t.test('each visible instance registers itself once, with what it is', async (t) => {
  const own = { name: 'own', machines: [new FakeMachine('lj', 'on'), new FakeMachine('ä', 'off'), new FakeMachine('fine name', 'off')] };
  const rig = await arrange(t, { own: [own] });
  const { look, forget } = looks(rig);
  t.same((await look()).toSorted(), ['builder', 'demo lj', 'dev', 'fine name', 'own lj', 'test'], 'names that several have are told with their provider');
  t.match(rig.received.registered.find(({ host }) => host === 'builder'), { clock: 1_795_224_123, ip: /^192\.0\.2\.\d+$/, dns: '', port: '10050', host_metadata: 'argo demo vm sim demo/builder' });
  t.match(rig.received.registered.find(({ host }) => host === 'own lj'), { ip: '0.0.0.0' }, 'nobody\'s address where none is known');
  t.equal(rig.logged.filter((line) => line.includes('cannot be registered') && line.includes('own/ä')).length, 1);
  t.same(await look(), [], 'nothing is new');
  own.machines.push(new FakeMachine('new', 'on'));
  await rig.relist('own');
  t.same(await look(), ['new']);
  own.machines.pop();
  await rig.relist('own');
  t.same(await look(), []);
  own.machines.push(new FakeMachine('new', 'on'));
  await rig.relist('own');
  t.same(await look(), ['new'], 'one that comes back is new');
  forget();
  t.equal((await look()).length, 7, 'all of them after a change of the account');
});

await t.test('two instances never register themselves as one host', async (t) => {
  const rig = await arrange(t, { own: [{ name: 'own', machines: [new FakeMachine('lj', 'on'), new FakeMachine('demo lj', 'on')] }] });
  const { look } = looks(rig);
  t.same((await look()).toSorted(), ['builder', 'dev', 'own lj', 'test'], 'neither demo/lj nor own/demo lj');
  t.equal(rig.logged.filter((line) => line.includes('cannot be registered') && line.includes('"instances":2')).length, 1);
});

await t.test('what the account may not see does not register', async (t) => {
  const rig = await arrange(t);
  await rig.reload(CONFIG.replace('instances = ["*"]', 'instances = ["dev"]'));
  const { look } = looks(rig);
  t.same(await look(), ['dev']);
  await rig.reload(CONFIG);
  t.same((await look()).toSorted(), ['builder', 'lj', 'test'], 'what it sees from now on does');
});

await t.test('never many at once', async (t) => {
  const rig = await arrange(t, { config: `${CONFIG}[providers.many]\ntype = "sim"\ncount = ${2 * REGISTRATIONS_A_LOOK}\n` });
  const { look } = looks(rig);
  const counts = [(await look()).length, (await look()).length, (await look()).length, (await look()).length];
  t.same(counts, [REGISTRATIONS_A_LOOK, REGISTRATIONS_A_LOOK, 4, 0]);
  t.equal(new Set(rig.received.registered.map(({ host }) => host)).size, 2 * REGISTRATIONS_A_LOOK + 4);
});

await t.test('those of which the server has made no host come again after minutes, the others daily', async (t) => {
  const { look, after, hosts } = looks(await arrange(t));
  const all = await look();
  after(REGISTRATION_HOSTLESS - 1);
  t.same(await look(), []);
  hosts('lj', 'dev');
  after(1);
  t.same((await look()).toSorted(), all.filter((host) => host !== 'lj' && host !== 'dev').toSorted());
  t.same(await look(), [], 'and then after minutes once more');
  hosts(...all);
  after(REGISTRATION_HOSTLESS);
  t.same(await look(), [], 'all of them are hosts');
  after(REGISTRATION_AGAIN);
  t.same((await look()).toSorted(), all.toSorted());
});

await t.test('many without a host come again in turns', async (t) => {
  const count = 2 * REGISTRATIONS_HOSTLESS_A_LOOK - 4;
  const { look, after } = looks(await arrange(t, { config: `${CONFIG}[providers.many]\ntype = "sim"\ncount = ${count}\n` }));
  await look();
  after(REGISTRATION_HOSTLESS);
  const first = await look();
  after(REGISTRATION_HOSTLESS);
  const second = await look();
  t.equal(first.length, REGISTRATIONS_HOSTLESS_A_LOOK);
  t.equal(new Set([...first, ...second]).size, count + 4, 'nobody comes twice before all others have come');
});
