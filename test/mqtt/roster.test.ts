import t from 'tap';
import type { Listed } from '../../src/mqtt/gate.js';
import { type Standing, staleProviders } from '../../src/mqtt/providers.js';
import { type Reconciled, Roster } from '../../src/mqtt/roster.js';
import { Topics } from '../../src/mqtt/topics.js';

const topics = new Topics({ id: 'argo', topics: 'argo', discovery: 'homeassistant' });
const nobody = (): Standing => 'current';
const list = (...names: readonly (readonly [name: string, id: string])[]): Listed => ({ note: '', names: names.map(([name, id]) => ({ name, id })) });
const names = ({ changed, gone }: Reconciled): unknown => ({ changed: changed.map(({ fullName }) => fullName), gone: gone.map(({ fullName }) => fullName) });

function rosterOf(...states: readonly (readonly [fullName: string, state: string])[]): Roster {
  const roster = new Roster(topics);
  roster.begin();
  for (const [fullName, state] of states) roster.see(fullName, state);
  t.notOk(roster.isWhole);
  roster.synced();
  return roster;
}

await t.test('names and ids come together', (t) => {
  const roster = rosterOf(['lab/web1', 'on'], ['lab/test', 'off'], ['demo/test', 'on'], ['lab/#a%20b', 'off'], ['lab/my server', 'on']);
  const listed = list(['lab/web1', '1'], ['lab/test', '2'], ['demo/test', '2'], ['lab/#a%20b', 'a%20b'], ['lab/my server', '4'], ['lab/unknown', '9'], ['test', '7']);
  const done = roster.reconcile(listed, nobody);
  t.same([...roster.machines].map(({ fullName, id, state }) => [fullName, id, state]),
    [['lab/web1', '1', 'on'], ['lab/test', '2', 'off'], ['demo/test', '2', 'on'], ['lab/#a%20b', 'a%20b', 'off'], ['lab/my server', '4', 'on']]);
  t.same(done.unheard, ['lab/unknown', 'test'], 'a name that is not whole is not guessed at');
  t.equal(new Set([...roster.machines].map(({ device }) => device)).size, 5);
  t.same(names(roster.reconcile(listed, nobody)), { changed: [], gone: [] }, 'nothing new');
  t.end();
});

await t.test('one with another name is the same machine', (t) => {
  const roster = rosterOf(['lab/a', 'on'], ['lab/b', 'off']);
  roster.reconcile(list(['lab/a', '1'], ['lab/b', '2']), nobody);
  t.ok(roster.forget('lab/a')?.isStale, 'nobody knows until the list tells');
  roster.see('lab/c', 'on', '2026-01-31T00:00:00.000Z');
  const renamed = roster.reconcile(list(['lab/c', '1'], ['lab/b', '2']), nobody);
  t.same(names(renamed), { changed: ['lab/c'], gone: [] });
  t.same(renamed.namesGone, [{ provider: 'lab', name: 'a' }]);
  t.match([...roster.machines][0], { id: '1', name: 'c', isStale: false, since: '2026-01-31T00:00:00.000Z' });
  for (const name of ['lab/b', 'lab/c']) roster.forget(name);
  for (const name of ['lab/c', 'lab/b']) roster.see(name, 'on', '2026-01-31T00:00:01.000Z');
  const swapped = roster.reconcile(list(['lab/b', '1'], ['lab/c', '2']), nobody);
  t.same(swapped.namesGone, [], 'a name that another has now is not taken away');
  t.equal(swapped.changed.length, 2);
  t.end();
});

await t.test('one that has gone', (t) => {
  const roster = rosterOf(['lab/a', 'on'], ['lab/b', 'off']);
  roster.reconcile(list(['lab/a', '1'], ['lab/b', '2']), nobody);
  roster.forget('lab/a');
  const done = roster.reconcile(list(['lab/b', '2']), nobody);
  t.same(names(done), { changed: [], gone: ['lab/a'] });
  t.same(done.namesGone, [{ provider: 'lab', name: 'a' }]);
  t.equal(roster.see('lab/a', 'on', '2026-01-31T00:00:00.000Z'), undefined, 'an event without a machine');
  t.same(names(roster.reconcile(list(['lab/b', '2'], ['lab/a', '3']), nobody)), { changed: ['lab/a'], gone: [] }, 'a new one of that name');
  t.end();
});

await t.test('a provider that does not answer takes nothing away', (t) => {
  const roster = rosterOf(['lab/a', 'on'], ['kvm/b', 'off']);
  roster.reconcile(list(['lab/a', '1'], ['kvm/b', '2']), nobody);
  roster.begin();
  roster.see('lab/a', 'on');
  roster.synced();
  const done = roster.reconcile(list(['lab/a', '1']), (provider) => (provider === 'kvm' ? 'silent' : 'current'));
  t.same(names(done), { changed: ['kvm/b'], gone: [] });
  t.match([...roster.machines].map(({ isStale }) => isStale), [false, true]);
  t.same(names(roster.reconcile(list(['lab/a', '1']), nobody)), { changed: [], gone: ['kvm/b'] }, 'it answers, and it is not there');
  t.end();
});

await t.test('what is seen is available, whatever its provider says of others', (t) => {
  const stale = (): unknown => [...roster.machines].map(({ name, isStale }) => [name, isStale]);
  const roster = rosterOf(['kvm/a', 'on'], ['kvm/b', 'off']);
  roster.reconcile(list(['kvm/a', '1'], ['kvm/b', '2']), () => 'unsure');
  t.same(stale(), [['a', true], ['b', true]], 'nobody knows yet whether it tells');
  roster.reconcile(list(['kvm/a', '1'], ['kvm/b', '2']), () => 'partial');
  t.same(stale(), [['a', false], ['b', false]]);
  t.same(names(roster.reconcile(list(['kvm/a', '1']), () => 'partial')), { changed: ['kvm/b'], gone: [] }, 'one that is not told of may be there all the same');
  t.same(stale(), [['a', false], ['b', true]]);
  roster.reconcile(list(['kvm/a', '1'], ['kvm/b', '2']), () => 'unsure');
  t.same(stale(), [['a', false], ['b', true]], 'as it was, until somebody knows');
  roster.reconcile(list(['kvm/a', '1'], ['kvm/b', '2']), () => 'silent');
  t.same(stale(), [['a', true], ['b', true]]);
  const replaced = roster.reconcile(list(['kvm/a', '1'], ['kvm/b', '3']), () => 'partial');
  t.same(names(replaced), { changed: ['kvm/a', 'kvm/b'], gone: ['kvm/b'] }, 'one by whose name another is there has gone');
  t.same([replaced.namesGone, stale()], [[], [['a', false], ['b', false]]]);
  t.end();
});

await t.test('a state that is told again has begun when it did', (t) => {
  const roster = rosterOf(['lab/a', 'on']);
  roster.reconcile(list(['lab/a', '1']), nobody);
  const time = '2026-01-31T00:00:00.000Z';
  t.match(roster.see('lab/a', 'off', time), { state: 'off', since: time });
  roster.begin();
  t.match(roster.see('lab/a', 'off'), { state: 'off', since: time });
  roster.synced();
  roster.begin();
  t.match(roster.see('lab/a', 'on'), { state: 'on', since: undefined });
  t.end();
});

await t.test('who does not answer', (t) => {
  t.same([...staleProviders('stale: kvm1 (UNREACHABLE: no way, none), lab-2, x.y (TIMEOUT)')], ['kvm1', 'lab-2', 'x.y']);
  for (const note of ['', 'something else: a, b']) t.same([...staleProviders(note)], [], note);
  t.end();
});
