import t from 'tap';
import { Account } from '../../src/auth/account.js';
import type { Machine, PowerState, Sighting } from '../../src/drivers/driver.js';
import type { Provider } from '../../src/instances/provider.js';
import type { Actor } from '../../src/instances/actor.js';
import { Gate } from '../../src/instances/gate.js';
import type { Question } from '../../src/instances/readings.js';
import { Registry } from '../../src/instances/registry.js';
import { Listing } from '../../src/instances/listing.js';
import { statesOf } from '../../src/instances/overview.js';
import { View, type TypedName } from '../../src/instances/view.js';
import { ENTRIES_REMEMBERED } from '../../src/kit/limits.js';
import { InstancePattern } from '../../src/kit/patterns.js';
import { RememberedAudit } from '../server/core.js';
import { seededRandom } from '../support/seeded-random.js';

const provider = (name: string, listed = true) => ({ name, listed, staleReason: listed ? undefined : 'secret error', settings: { type: 'sim' } }) as Provider;
const sighting = (id: string, name: string, state: PowerState = 'on'): Sighting =>
  ({ state, machine: { id, name, type: 'vm', status: () => Promise.resolve(state) } satisfies Machine });
const account = (...instances: string[]) =>
  new Account({ name: 'a', passwordHash: '', from: undefined, grants: [{ instances, commands: ['*'] }] }, new Map());
const select = (view: View, text: string) => view.select([{ text, quoted: false }], new Map()).then(
  ({ instances }) => instances.map((one) => one.idName), (error: unknown) => (error as Error).message);

await t.test('a provider before the slash is never part of another machine\'s name', async (t) => {
  const registry = new Registry();
  const [p1, secret] = [provider('p1'), provider('secret', false)];
  registry.arrange([p1, secret]);
  await registry.sync(p1, [sighting('1', 'secret/db'), sighting('2', 'lj')]);
  const view = new View(registry, account('*'));
  t.same([...view.entries()].map(({ name }) => name), ['p1/secret/db', 'lj']);
  t.equal(await select(view, 'secret/db'), 'UNREACHABLE: secret has not answered yet: secret error');
  t.equal(await select(view, 'secret/*'), 'NO MATCH: secret has not answered yet');
  t.equal(await select(view, 'p1/x*'), 'NO MATCH', 'a pattern that does not reach it');
  t.same(await select(view, 'p1/secret/db'), ['p1/#1']);
  const stale = async (text: string) => (await view.select([{ text, quoted: false }], new Map())).stale;
  t.same([await stale('*'), await stale('p1/*'), await stale('lj')], [['secret (secret error)'], [], []], 'what patterns may have missed');
  t.equal(await select(new View(registry, account('secret/*')), 'secret/db'), 'UNREACHABLE: secret has not answered yet: secret error');
  registry.remove(secret, false);
  t.equal(await select(view, 'secret/db'), 'NO SUCH INSTANCE: secret/db');
  t.same([...new View(registry, account('secret/*')).entries()], [], 'a grant on what is gone reaches nothing');
});

await t.test('a reload in the middle of a list neither repeats a machine nor hides one', async (t) => {
  const registry = new Registry();
  const [p, q] = [provider('p'), provider('q')];
  registry.arrange([p, q]);
  const sightings = Array.from({ length: ENTRIES_REMEMBERED }, (_, at) => sighting(`${at}`, `vm${at}`));
  await registry.sync(p, sightings);
  await registry.sync(q, [sighting('1', 'last')]);
  const all = [...registry.all()].map(({ fullName }) => fullName);
  const ways: Readonly<Record<string, () => Iterable<string>>> = {
    registry: function* () { for (const { fullName } of registry.all()) yield fullName; },
    view: function* () { for (const { instance } of new View(registry, account('*')).entries()) yield instance.fullName; },
    states: function* () { for (const one of statesOf(registry, account('*'))) yield `${one.provider}/${one.name}`; },
  };
  for (const [what, walk] of Object.entries(ways)) {
    for (const keeps of [true, false]) {
      const seen: string[] = [];
      for (const name of walk()) {
        seen.push(name);
        // as a reload does it: one provider is another one from now on, and all have their order anew
        if (seen.length !== 10) continue;
        const [before] = registry.providers().filter((one) => one.name === 'q');
        if (!keeps) registry.remove(before!, true);
        const after = keeps ? before! : provider('q');
        registry.arrange([p, after]);
        await registry.sync(after, [sighting('1', 'last')]);
      }
      t.same(seen, all, `${what}, ${keeps ? 'the same providers' : 'another one'}`);
    }
  }
});

await t.test('machines of one name: ambiguous by name, each selected by its id, covered by no plain name', async (t) => {
  const registry = new Registry();
  const p = provider('p');
  registry.arrange([p]);
  await registry.sync(p, [sighting('4', 'dup')]);
  const owner = account('dup');
  t.same(await select(new View(registry, owner), 'dup'), ['p/#4']);
  await registry.sync(p, [sighting('9', 'dup#4'), sighting('4', 'dup'), sighting('a b*', 'dup')]);
  const view = new View(registry, account('*'));
  t.equal(await select(view, 'dup'), 'AMBIGUOUS: p/#4, p/#a%20b%2a');
  t.same(await select(view, 'dup#4'), ['p/#9']);
  t.same(await select(view, 'p/#4'), ['p/#4']);
  t.same(await select(view, 'p/#a%20b%2a'), ['p/#a%20b%2a']);
  t.equal(await select(new View(registry, owner), 'dup'), 'NO SUCH INSTANCE: dup');
  t.same(await select(new View(registry, account('p/#4')), 'dup'), ['p/#4']);
  t.equal(await select(view, 'du?'), 'NO MATCH');
  t.same((await select(view, 'du*') as string[]).length, 3);
});

await t.test('a name that stands for others without quotes has one meaning or none', async (t) => {
  const registry = new Registry();
  const p = provider('p');
  registry.arrange([p]);
  const names = ['db1', 'db2', 'db[1]', 'mail', 'server', 'mail server', '@web', 'web', 'x?', '*', 'db*'];
  await registry.sync(p, names.map((name, at) => sighting(`${at}`, name)));
  const groups = new Map([['web', ['web']]]);
  const meaning = (principal: Account, ...words: readonly TypedName[]): Promise<string> => new View(registry, principal).selectClearly(words, groups)
    .then(({ instances }) => instances.map(({ name }) => name).join(), (thrown: unknown) => String(thrown));
  const bare = (...words: string[]): TypedName[] => words.map((text) => ({ text, quoted: false }));
  const all = account('*');
  for (const words of [['db[1]'], ['p/db[1]'], ['mail', 'db[1]'], ['mail', 'server'], ['@web']])
    t.match(await meaning(all, ...bare(...words)), /^ArgoError: AMBIGUOUS: ".+" is a machine, and without quotes it stands for others$/, words.join(' '));
  t.equal(await meaning(all, ...bare('db[1,2]')), 'db1,db2');
  t.equal(await meaning(all, ...bare('*/db[1]')), 'db1');
  t.equal(await meaning(all, ...bare('x?')), 'x?', 'it stands for itself alone');
  t.equal(await meaning(all, ...bare('server', 'mail')), 'server,mail');
  t.equal(await meaning(all, { text: 'mail', quoted: true }, { text: 'server', quoted: true }), 'mail,server');
  t.equal(await meaning(all, { text: 'db[1]', quoted: true }), 'db[1]');
  t.equal((await meaning(all, ...bare('p/*'))).split(',').length, names.length, 'everything is everything');
  t.equal(await meaning(account('db1'), ...bare('db[1]')), 'db1', 'what may not be seen changes nothing');
});

await t.test('whoever comes, goes or is renamed: the same as a registry that has never had anything else', async (t) => {
  const random = seededRandom(15);
  const registry = new Registry();
  const [p, q] = [provider('p'), provider('q')];
  registry.arrange([p, q]);
  await registry.sync(q, [sighting('1', 'vm1'), sighting('2', 'vm2')]);
  const shown = (one: Registry) => [...new View(one, account('*')).entries()].map(({ name, instance }) => `${name} ${instance.idName} ${instance.isTwin} ${instance.state}`);
  for (let round = 0; round < 60; round += 1) {
    // few names, so that many are shared; ids in another order each time
    const ids = Array.from({ length: 40 }, (_, id) => id).filter(() => random.below(5) > 0);
    if (random.below(3) === 0) ids.sort(() => random.below(3) - 1);
    const list = ids.map((id) => sighting(`${id}`, `vm${random.below(4) === 0 ? random.below(30) : id % 25}`, random.below(2) === 0 ? 'on' : 'off'));
    const before = new Map([...registry.of(p)].map((one) => [one.id, one]));
    await registry.sync(p, list);
    const anew = new Registry();
    anew.arrange([p, q]);
    await anew.sync(q, [sighting('1', 'vm1'), sighting('2', 'vm2')]);
    await anew.sync(p, list);
    t.same(shown(registry), shown(anew), `round ${round}`);
    t.equal(registry.size, anew.size);
    for (const one of registry.of(p)) {
      const known = before.get(one.id);
      t.equal(known === one, known !== undefined && known.fullName === one.fullName && known.name === one.name, `${one.idName} is the same where its name is`);
      t.equal(registry.byId('p', one.id), one);
    }
    for (const id of before.keys()) if (!ids.includes(Number(id))) t.equal(registry.byId('p', id), undefined);
  }
});

await t.test('a machine that is listed twice is there once, and is no twin of what it is not', async (t) => {
  const registry = new Registry();
  const p = provider('p');
  registry.arrange([p]);
  await registry.sync(p, [sighting('1', 'a'), sighting('2', 'b'), sighting('1', 'a'), sighting('1', 'b')]);
  t.same([...registry.of(p)].map(({ fullName }) => fullName), ['p/a', 'p/b']);
  await registry.sync(p, [sighting('1', 'a'), sighting('2', 'b'), sighting('2', 'b')]);
  t.same([...registry.of(p)].map(({ fullName }) => fullName), ['p/a', 'p/b']);
});

await t.test('a provider that goes is gone at once, and forgotten by and by; one that comes back meanwhile has what it lists', async (t) => {
  const many = 60_000;
  const list = Array.from({ length: many }, (_, at) => sighting(`${at}`, `vm${at}`));
  const registry = new Registry();
  const [p, q] = [provider('p'), provider('q')];
  registry.arrange([p, q]);
  await registry.sync(p, list);
  await registry.sync(q, [sighting('1', 'vm1')]);
  const view = new View(registry, account('*'));
  registry.remove(p, false);
  t.equal(registry.size, 1);
  t.same(registry.find(`vm${many - 1}`), []);
  t.same([...view.entries()].map(({ name }) => name), ['vm1']);
  t.same(await select(view, 'vm1'), ['q/#1']);
  registry.arrange([p, q]);
  await registry.sync(p, [sighting('1', 'vm1')]);
  t.equal(await select(view, 'vm1'), 'AMBIGUOUS: q/vm1, p/vm1');
  t.same(registry.find('vm2'), []);
  t.equal(registry.size, 2);
});

await t.test('a name that ends in what looks like a blank is another name, for people and for grants', async (t) => {
  const registry = new Registry();
  const p = provider('p');
  registry.arrange([p]);
  const names = ['web', 'web\u00a0', '\u2003web', 'web1', 'my web', 'my\u3000web', ' db\t', '\u00a0 \u00a0'];
  await registry.sync(p, names.map((name, at) => sighting(String(at), name)));
  t.same([...registry.of(p)].map(({ name }) => name), ['web', 'web␣', '␣web', 'web1', 'my web', 'my\u3000web', 'db', '␣␣␣']);
  t.same([...registry.of(p)].filter(({ isTwin }) => isTwin), []);
  const held = (grant: string): string[] => [...new View(registry, account(grant)).entries()].map(({ name }) => name);
  t.same(['web', 'my web', 'p/web', 'web␣', '␣web', 'web\u00a0', 'my\u3000web', 'db'].map(held),
    [['web'], ['my web'], ['web'], ['web␣'], ['␣web'], [], ['my\u3000web'], ['db']]);
  const view = new View(registry, account('*'));
  t.same(await Promise.all([select(view, 'web'), select(view, 'web␣'), select(view, 'web\u00a0')]), [['p/#0'], ['p/#1'], 'NO SUCH INSTANCE: web\u00a0']);
  await registry.sync(p, [sighting('1', 'web\u00a0'), sighting('8', 'web␣')]);
  t.same([...registry.of(p)].map(({ fullName }) => fullName), ['p/#1', 'p/#8'], 'told apart by their ids');
});

await t.test('a name with a control character means itself as it is shown, to people and to grants', async (t) => {
  const registry = new Registry();
  const [p, q] = [provider('p'), provider('q')];
  registry.arrange([p, q]);
  await registry.sync(p, ['a\u001bb', 'axb', 'c\u200bd', 'c\u0007d', 'e\tf', '\ud800'].map((name, at) => sighting(String(at), name)));
  const view = new View(registry, account('*'));
  t.same([...view.entries()].map(({ name }) => name), ['a\ufffdb', 'axb', 'p/#2', 'p/#3', 'e f', '\ufffd']);
  for (const { name, instance } of view.entries()) t.same(await select(view, name), [instance.idName], name);
  t.same(await select(view, 'a?b'), ['p/#0', 'p/#1'], 'a pattern, which nobody is shown');
  const held = (grant: string): string[] => [...new View(registry, account(grant)).entries()].map(({ name }) => name);
  t.same(['a\ufffdb', 'p/a\ufffdb', 'a?b', 'c\ufffdd'].map(held), [['a\ufffdb'], ['a\ufffdb'], ['a\ufffdb', 'axb'], []]);
  await registry.sync(q, [sighting('7', 'a\u0000b')]);
  t.equal(await select(view, 'a\ufffdb'), 'AMBIGUOUS: p/a\ufffdb, q/a\ufffdb');
  t.same(await Promise.all([select(view, 'p/a\ufffdb'), select(view, 'q/a\ufffdb')]), [['p/#0'], ['q/#7']]);
});

await t.test('who may see nothing of a provider learns nothing of it', async (t) => {
  const registry = new Registry();
  const [p, vc] = [provider('p'), provider('vc', false)];
  registry.arrange([p, vc]);
  await registry.sync(p, [sighting('1', 'mine1')]);
  const tenant = new View(registry, account('mine*'));
  t.same(tenant.staleness(), []);
  t.equal(await select(tenant, 'vc/mine2'), 'NO SUCH INSTANCE: vc/mine2');
  t.equal(await select(tenant, 'nope/mine2'), 'NO SUCH INSTANCE: nope/mine2');
  t.equal(await select(tenant, 'mine2'), 'NO SUCH INSTANCE: mine2');
  t.same(new View(registry, account('vc/web*')).staleness(), ['vc']);
  t.same(new View(registry, account('*')).staleness(), ['vc (secret error)']);
  await registry.sync(vc, [sighting('1', 'web1')]);
  const stale = (grant: string): (string | undefined)[] =>
    [...Listing.of(new View(registry, account(grant)), () => undefined)].map(({ instance }) => instance.stale);
  t.same([stale('vc/web1'), stale('vc/*'), stale('mine1')], [['its provider does not answer as it should'], ['secret error'], [undefined]]);
});

await t.test('a long listing is taken in by and by, and nothing told meanwhile is lost', async (t) => {
  const many = 60_000;
  const list = (state: PowerState, from = 0) => Array.from({ length: many }, (_, index) => sighting(String(index + from), `vm${index + from}`, state));
  const registry = new Registry();
  const p = provider('p');
  registry.arrange([p]);
  await registry.sync(p, list('on'));
  t.equal(registry.size, many);
  const first = registry.byId('p', '5');
  const last = String(many - 1);
  const running = registry.sync(p, list('paused'));
  registry.seeById(p, last, 'crashed');
  const next = registry.sync(p, list('off', 10));
  await running;
  t.equal(registry.byId('p', last)?.state, 'crashed', 'what was told during the listing is newer');
  t.equal(registry.byId('p', '5'), first, 'who stays keeps its identity');
  await next;
  t.equal(registry.size, many);
  t.equal(registry.byId('p', '5'), undefined);
  t.same(registry.find('vm5'), []);
  const lost = registry.sync(p, list('on', 20));
  registry.remove(p, false);
  await lost;
  t.equal(registry.size, 0);
  t.same(registry.find(`vm${many}`), []);
});

await t.test('random patterns agree with a slow model', async (t) => {
  let seed = 7;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const PARTS = ['a', '1', '12', '*', '?', '[ab]', '[!a]', '[1-12]', '[01-20]', '-x'];
  const SOURCES: Record<string, string> = {
    '*': '.*', '?': '.', '[ab]': '[ab]', '[!a]': '[^a]', '[1-12]': '(?:[1-9]|1[0-2])', '[01-20]': '(?:0[1-9]|1[0-9]|20)',
  };
  const LETTERS = ['a', 'b', '0', '1', '2', '-', 'x', '9'];
  const wrong: string[] = [];
  for (let round = 0; round < 20_000; round += 1) {
    const parts = Array.from({ length: 1 + random(5) }, () => PARTS[random(PARTS.length)]!);
    const name = Array.from({ length: random(8) }, () => LETTERS[random(LETTERS.length)]!).join('');
    const expected = new RegExp(`^${parts.map((part) => SOURCES[part] ?? part).join('')}$`, 's').test(name);
    if (new InstancePattern(parts.join('')).matches({ provider: 'p', name }) !== expected) wrong.push(`${parts.join('')} ${name} ${expected}`);
  }
  t.same(wrong.slice(0, 5), []);
});

await t.test('the same machine is known elsewhere by its uuid, where it is on', async (t) => {
  const registry = new Registry();
  const [kvm1, kvm2] = [provider('kvm1'), provider('kvm2')];
  registry.arrange([kvm1, kvm2]);
  const uuid = '2f1c5a8e-0d0e-4b3a-9a56-0c2f5d1b7e11';
  await registry.sync(kvm1, [sighting(uuid, 'lj', 'off'), sighting('7', 'other', 'off')]);
  await registry.sync(kvm2, [sighting(uuid, 'lj', 'on'), sighting('7', 'another', 'on')]);
  const at = (name: string, id: string) => registry.byId(name, id)!;
  t.equal(registry.onElsewhere(at('kvm1', uuid)), at('kvm2', uuid));
  t.equal(registry.onElsewhere(at('kvm2', uuid)), undefined, 'off there');
  t.equal(registry.onElsewhere(at('kvm1', '7')), undefined, 'a number of its manager tells nothing');
  for (const [state, isOn] of [['paused', true], ['stopping', true], ['unknown', false], ['crashed', false]] as const) {
    registry.see(at('kvm2', uuid), state);
    t.equal(registry.onElsewhere(at('kvm1', uuid)) !== undefined, isOn, state);
  }
});

await t.test('who may not see the machine elsewhere is not told where that is', async (t) => {
  const registry = new Registry();
  const [kvm1, kvm2] = [provider('kvm1'), provider('kvm2')];
  for (const one of [kvm1, kvm2]) Object.assign(one, { settings: { type: 'fake' }, hold: () => () => undefined, read: (question: Question) => question.ask(new AbortController().signal) });
  registry.arrange([kvm1, kvm2]);
  const uuid = '2f1c5a8e-0d0e-4b3a-9a56-0c2f5d1b7e11';
  for (const [one, state] of [[kvm1, 'off'], [kvm2, 'on']] as const) {
    const { machine } = sighting(uuid, 'lj', state);
    await registry.sync(one, [{ state, machine: { ...machine, start: () => Promise.resolve() } }]);
  }
  const gate = new Gate({ registry, audit: new RememberedAudit(), log: () => undefined, actionTimeout: () => 1000, groups: () => new Map() });
  const said = async (...instances: string[]): Promise<string> => {
    const principal = account(...instances);
    const identity = { name: 'a', principal, onTakenAway: () => () => undefined };
    const actor = gate.actor({ identity, through: undefined, origin: 'x' });
    const order = { action: 'start', mode: 'soft', wait: false } as const;
    return actor.plan({ provider: 'kvm1', id: uuid }, order).catch((error: unknown) => (error as Error).message);
  };
  t.match(await said('*'), /^WRONG STATE: lj is on as kvm2\/lj;/);
  t.match(await said('kvm1/*'), /^WRONG STATE: lj is on elsewhere;/);
});

await t.test('what was selected never comes to be a machine of a provider that took the place of its own', async (t) => {
  const registry = new Registry();
  const switched: string[] = [];
  const made = (): Provider => Object.assign(provider('p1'), {
    settings: { type: 'fake' }, hold: () => () => undefined, changed: () => undefined,
    call: (_deadline: unknown, work: (signal: AbortSignal) => unknown) => work(new AbortController().signal),
  });
  const machine = (name: string): Sighting => ({ state: 'on', machine: { ...sighting('7', name).machine, powerOff: () => { switched.push(name); return Promise.resolve(); } } });
  const before = made();
  registry.arrange([before]);
  await registry.sync(before, [machine('web')]);
  const gate = new Gate({ registry, audit: new RememberedAudit(), log: () => undefined, actionTimeout: () => 1000, groups: () => new Map() });
  const actor = (): Actor => gate.actor({ identity: { name: 'a', principal: account('*'), onTakenAway: () => () => undefined }, through: undefined, origin: 'x' });
  const order = { action: 'stop', mode: 'hard', wait: false } as const;
  const first = actor();
  const second = actor();
  const { instances: [web] } = await first.select(['web']);
  second.known({ provider: 'p1', id: '7' });
  const after = made();
  registry.remove(before, true);
  registry.arrange([after]);
  await registry.sync(after, [machine('prod')]);
  await t.rejects(first.power(web!, order), { phrase: 'UNREACHABLE', message: /p1 has been configured anew meanwhile/ });
  await t.rejects(second.power({ provider: 'p1', id: '7' }, order), { message: /^UNREACHABLE/ });
  t.throws(() => first.known(web!), { message: /^UNREACHABLE/ });
  t.same(switched, []);
  await actor().power({ provider: 'p1', id: '7' }, order);
  t.same(switched, ['prod'], 'the next request may');
});
