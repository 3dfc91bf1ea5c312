import t from 'tap';
import { FakeMachine, never } from '../../instances/fake-driver.js';
import { until } from '../../support/until.js';
import { arrange, valueOf, wanted } from './rig.js';

const WITHIN = 30_000;

/** What happens to instances and providers while their items are collected. */

class Talker extends FakeMachine {
  asked = 0;
  isSilent = false;
  rx = (): Promise<bigint> => {
    this.asked += 1;
    return this.isSilent ? never() : Promise.resolve(7n);
  };
}

// they mostly wait
t.jobs = 6;

void t.test('an instance that is renamed is found by its new name, and not by its old one', async (t) => {
  const own = { name: 'own', machines: [new FakeMachine('old', 'on')] };
  const rig = await arrange(t, { own: [own] });
  rig.collecting().configured(wanted({ hosts: ['old', 'new'], items: [{ key: 'argo.status' }, { key: 'argo.status', hostid: 2 }, { key: 'argo.status[own/new]' }] }));
  t.equal((await valueOf(rig, '1')).value, 'on');
  t.equal((await valueOf(rig, '2')).value, 'NO SUCH INSTANCE: new');
  own.machines[0] = Object.assign(new FakeMachine('new', 'off'), { id: 'old' });
  await rig.relist('own');
  t.equal((await valueOf(rig, '1', ({ state }) => state === 1)).value, 'NO SUCH INSTANCE: old');
  for (const itemid of ['2', '3']) t.equal((await valueOf(rig, itemid, ({ state }) => state === undefined)).value, 'off');
});

void t.test('a technical name with a blank for the slash counts before the visible name, and never for two', async (t) => {
  const own = { name: 'own', machines: [new FakeMachine('a', 'on'), new FakeMachine('b', 'off')] };
  const rig = await arrange(t, { own: [own] });
  rig.collecting().configured(wanted({ hosts: [{ host: 'own a', name: 'b' }, { host: 'mine', name: 'b' }], items: [{ key: 'argo.status' }, { key: 'argo.status', hostid: 2 }] }));
  t.equal((await valueOf(rig, '1')).value, 'on');
  t.equal((await valueOf(rig, '2')).value, 'off');
  own.machines.push(new FakeMachine('own a', 'off'));
  await rig.relist('own');
  t.match((await valueOf(rig, '1', ({ state }) => state === 1)).value, /^AMBIGUOUS: own\/own a, own\/a$/);
});

void t.test('a provider that a reload takes away, while it hangs, makes its own items unsupported and no others', async (t) => {
  const talker = new Talker('m', 'on');
  const rig = await arrange(t, { own: [{ name: 'own', machines: [talker, ...Array.from({ length: 100 }, (_, at) => Object.assign(new Talker(`n${at}`, 'on'), { isSilent: true }))] }] });
  rig.collecting().configured(wanted({
    hosts: ['m', 'lj', ...Array.from({ length: 100 }, (_, at) => `n${at}`)],
    items: [{ key: 'argo.rx', valueType: 'unsigned' }, { key: 'argo.rx', valueType: 'unsigned', hostid: 2 }, ...Array.from({ length: 100 }, (_, at) => ({ key: 'argo.rx', valueType: 'unsigned' as const, hostid: at + 3 }))],
  }));
  t.equal((await valueOf(rig, '1')).value, '7');
  talker.isSilent = true;
  const asked = talker.asked;
  await until(() => talker.asked > asked, WITHIN, 'a question without an answer');
  await rig.withdraw('own');
  await until(() => rig.received.last('1')?.value === 'NO SUCH INSTANCE: m', 20_000, 'that it is gone, once what hung is given up');
  t.ok(rig.received.of('1').every(({ state, value }) => (state === undefined ? value === '7' : /^(?:NO SUCH INSTANCE|TIMEOUT|SHUTTING DOWN|UNREACHABLE)/.test(value))));
  const before = rig.received.of('2').length;
  await until(() => rig.received.of('2').length >= before + 2, WITHIN, 'the other provider\'s item');
  t.ok(rig.received.of('2').every(({ state }) => state === undefined));
});

void t.test('names of all sorts in keys', async (t) => {
  const names = ['Büro "1"', 'a,b', 'x[1]', 'käse 🧀', 'back\\slash', 'web*'];
  const rig = await arrange(t, { own: [{ name: 'own', machines: names.map((name) => new FakeMachine(name, 'on')) }] });
  const quoted = (name: string): string => `"${name.replaceAll('"', '\\"')}"`;
  rig.collecting().configured(wanted({
    hosts: ['nobody', ...names],
    items: [
      ...names.map((name) => ({ key: `argo.status[${quoted(name)}]` })), ...names.map((_, at) => ({ key: 'argo.status', hostid: at + 2 })),
      { key: 'argo.status[ "lj" ]' }, { key: 'argo.info[name,lj]' }, { key: 'argo.status["demo/lj"]' }, { key: 'argo.status[l*]' }, { key: 'argo.status["lj]' }, { key: 'argo.stätus' },
    ],
  }));
  for (const [at, name] of names.entries()) for (const itemid of [at + 1, names.length + at + 1]) t.equal((await valueOf(rig, String(itemid))).value, 'on', `${name} ${itemid}`);
  const rest = await Promise.all([1, 2, 3, 4, 5, 6].map(async (at) => (await valueOf(rig, String(2 * names.length + at))).value));
  t.match(rest, ['on', 'lj', 'on', /^NO SUCH INSTANCE/, /^USAGE: the key cannot be read: no closing quote/, /^USAGE: the key cannot be read: "ä" after the name/]);
});
