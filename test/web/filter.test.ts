import { test } from 'tap';
import type { View } from '../../src/gateways/web/messages.js';
import { filtered, parseFilter } from '../../src/web/model/filter.js';
import { Fleet } from '../../src/web/model/fleet.js';
import { NOW, tellOf, viewOf } from '../support/web/machines.js';

const fleet = new Fleet(viewOf(tellOf(60), 1));
const names = (text: string, of = fleet): string[] => filtered(of, parseFilter(text)).map((at) => of.names[at]!);
const all = (holds: (at: number) => boolean): string[] => fleet.names.filter((_, at) => holds(at));

void test('words all must hold', async (t) => {
  t.same(names(''), fleet.names, 'nothing asked for is everything, in the order of the view');
  t.same(names('WEB'), all((at) => fleet.names[at]!.startsWith('web')), 'without regard to capitals');
  t.same(names('web kvm1'), all((at) => fleet.names[at]!.startsWith('web') && fleet.providerOf(at).name === 'kvm1'), 'the provider is looked at, too');
  t.same(names('-web'), all((at) => !fleet.names[at]!.startsWith('web')));
  t.same(names(' - '), fleet.names, 'a sign alone is not yet a word');
  t.same(names('<script>'), []);
});

void test('what comes behind a key', async (t) => {
  t.same(names('state:off,paused'), all((at) => ['off', 'paused'].includes(fleet.stateOf(at))));
  t.same(names('-state:on'), all((at) => fleet.stateOf(at) !== 'on'));
  t.same(names('type:host'), all((at) => fleet.typeOf(at) === 'host'));
  t.same(names('provider:kvm*'), all((at) => fleet.providerOf(at).name.startsWith('kvm')));
  t.same(names('state:'), fleet.names, 'while it is being typed, it asks for nothing');
  t.same(names('other:x'), [], 'an unknown key is a word like others');
});

void test('groups, globs and ranges', async (t) => {
  t.same(names('@web'), all((at) => fleet.groupsOf[at]!.includes('web')));
  t.same(names('@we'), [], 'a group is named whole');
  t.same(names('@w*'), names('@web'));
  t.same(names('web-[02-04]'), ['web-02', 'web-03', 'web-04']);
  t.same(names('web-*'), names('@web'));
  t.same(names('kvm1/*'), all((at) => fleet.providerOf(at).name === 'kvm1'));
});

void test('a pattern that is not whole yet', async (t) => {
  const filter = parseFilter('@web web-[0');
  t.match(filter.problem, /\[ without \]/);
  t.same(names('@web web-[0'), names('@web'), 'the rest is applied');
  t.equal(parseFilter('@web').problem, undefined);
});

void test('sorting', async (t) => {
  t.same(names('sort:name').slice(0, 3), ['build-01', 'build-02', 'build-03']);
  t.equal(names('sort:-name')[0], 'web-10');
  t.equal(names('@web sort:since')[0], names('@web').reduce((newest, name) => (fleet.since[fleet.named(name)!]! > fleet.since[fleet.named(newest)!]! ? name : newest)), 'the newest first');
  t.match(parseFilter('sort:colour').problem, /sort:/);
  t.equal(parseFilter('sort:').problem, undefined);
});

void test('says whether it depends on states', async (t) => {
  for (const text of ['state:on', '-state:on', 'sort:since', 'sort:state', 'web state:off']) t.equal(parseFilter(text).isOfStates, true, text);
  for (const text of ['web', '@web', 'type:vm', 'sort:name']) t.equal(parseFilter(text).isOfStates, false, text);
});

void test('names that are shown with their provider', async (t) => {
  const view = viewOf(tellOf(2), 1);
  const twins: View = { ...view, providers: [{ ...view.providers[0]!, name: 'a' }, { ...view.providers[0]!, name: 'b' }], columns: { ...view.columns, name: ['a/web', 'b/web'], provider: [0, 1] } };
  const two = new Fleet(twins);
  t.same(names('b/*', two), ['b/web']);
  t.same(names('we?', two), ['a/web', 'b/web'], 'patterns are about short names');
  t.equal(two.named('b/web'), 1);
});

void test('what is known of a fleet', async (t) => {
  const one = new Fleet(viewOf(tellOf(30), 1));
  const at = one.position(one.keys[5]!)!;
  t.equal(at, 5);
  one.apply([[5, one.states.indexOf('crashed'), NOW], [999, 0, NOW]]);
  t.equal(one.machine(5).state, 'crashed');
  t.equal(one.counts().states.get('crashed'), all((row) => row < 30 && row !== 5 && fleet.stateOf(row) === 'crashed').length + 1);
  t.equal(one.offers(16, 'stop'), false, 'what the account may not do');
  t.equal(one.offers(4, 'pause'), false, 'what the machine can not do');
  t.equal(one.offers(0, 'stop'), true);
  one.setProviders([{ name: 'kvm2', type: 'libvirt', answers: false, stale: 'gone' }]);
  t.equal(one.providers[1]!.stale, 'gone');
  t.equal(one.providers[0]!.stale, null);
});
