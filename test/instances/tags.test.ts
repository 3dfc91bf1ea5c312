import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Actor } from '../../src/instances/actor.js';
import { TagBook, type Bearer } from '../../src/instances/tag-book.js';
import type { InstanceRef } from '../../src/instances/info.js';
import { TAGS_ABSENT_KEPT, TAGS_KEPT, TAGS_OF_ONE } from '../../src/kit/limits.js';
import { State } from '../../src/store/state.js';
import { StateError } from '../../src/store/state-error.js';
import type { TagStore } from '../../src/store/tags.js';
import { startCore, STEVE_HASH, type Core } from '../server/core.js';
import { seededRandom } from '../support/seeded-random.js';

const grant = (instances: string, commands: string): string => `{ instances = [${instances}], commands = [${commands}] }`;
const CONFIG = `
[server]
listen = ["127.0.0.1:0"]
[groups]
web = ["lj", "web*"]
[accounts.steve]
password = "${STEVE_HASH}"
grants = [${grant('"*"', '"*"')}]
[accounts.kim]
password = "${STEVE_HASH}"
grants = [${grant('"lj"', '"read", "configure"')}, ${grant('"dev"', '"read"')}]
[accounts.reader]
password = "${STEVE_HASH}"
grants = [${grant('"demo/*"', '"read"')}]
[accounts.owner]
password = "${STEVE_HASH}"
grants = [${grant('"demo/*"', '"read", "configure"')}]
[accounts.dark]
password = "${STEVE_HASH}"
grants = [${grant('"demo/*"', '"power"')}]
[providers.demo]
type = "sim"
instances = ["lj", "builder", { name = "test", state = "off" }, "dev"]
[providers.other]
type = "sim"
instances = ["web1", "secret"]
`;

function scratch(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'argo-tags-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function openState(t: Test, folder: string): State {
  const state = new State(folder, (message, facts) => t.comment(message, facts));
  t.teardown(() => state.close());
  return state;
}

interface World extends Core {
  actor(account: string): Actor;
  ref(account: string, name: string): Promise<InstanceRef>;
}

async function arrange(t: Test, tags: TagStore = openState(t, scratch(t)).tags()): Promise<World> {
  const core = await startCore(t, { config: CONFIG, tags });
  const actor = (account: string): Actor => {
    const principal = core.authenticator.account(account)!;
    return core.gate.actor({ identity: { name: account, principal, onTakenAway: () => () => undefined }, through: undefined, origin: 'test' });
  };
  return { ...core, actor, ref: async (account, name) => (await actor(account).select([name])).instances[0]! };
}

const selected = async (actor: Actor, word: string): Promise<string[] | string> =>
  actor.select([word]).then(({ instances }) => instances.map(({ fullName }) => fullName), (error: unknown) => (error as Error).message);
const message = (work: Promise<unknown>): Promise<string> => work.then(() => 'no error', (error: unknown) => (error as Error).message);

await t.test('a tag selects what has it, as a group does', async (t) => {
  const { actor, ref } = await arrange(t);
  const steve = actor('steve');
  t.equal(await steve.tags.add(await ref('steve', 'dev'), 'rack 7'), 'done');
  t.equal(await steve.tags.add(await ref('steve', 'dev'), 'rack 7'), 'already');
  t.equal(await steve.tags.add('other', 'far'), 'done', 'of a host');
  await steve.tags.setHostType([{ provider: 'demo', type: 'OpenNode' }, { provider: 'other', type: 'KVM' }]);
  t.same(await selected(steve, '@tag:rack 7'), ['demo/dev']);
  t.same(await selected(steve, '@tag:far'), ['other/web1', 'other/secret'], 'its machines count as having it');
  t.same(await selected(steve, '@tag:OpenNode'), ['demo/lj', 'demo/builder', 'demo/test', 'demo/dev']);
  t.same(await selected(steve, '@tag:web'), ['demo/lj', 'other/web1'], 'a group counts as a tag');
  t.equal(await selected(steve, '@tag:nobody'), 'NO MATCH');
  t.match(await selected(steve, '@tag:a/b'), /^BAD REQUEST: "a\/b" is no tag: /);
  t.same((await steve.select(['@tag:rack 7', '@tag:far', 'dev'])).instances.map(({ name }) => name), ['dev', 'web1', 'secret'], 'each once');
  t.same(await steve.tags.of(await ref('steve', 'dev')), [{ tag: 'OpenNode', level: 1, isInherited: true }, { tag: 'rack 7', level: 3, isInherited: false }]);
  t.same(await steve.tags.of('demo'), [{ tag: 'OpenNode', level: 1, isInherited: false }]);
  t.same(await steve.tags.list(), [{ tag: 'KVM', level: 1 }, { tag: 'OpenNode', level: 1 }, { tag: 'web', level: 2 }, { tag: 'far', level: 3 }, { tag: 'rack 7', level: 3 }]);
  t.same(await steve.tags.bearers('far'), ['other']);
  t.equal(await steve.tags.remove(await ref('steve', 'dev'), 'rack 7'), 'done');
  t.equal(await steve.tags.remove(await ref('steve', 'dev'), 'rack 7'), 'already');
  t.equal(await selected(steve, '@tag:rack 7'), 'NO MATCH');
  await steve.tags.setHostType([{ provider: 'demo', type: 'physical' }]);
  t.same(await steve.tags.of('demo'), [{ tag: 'physical', level: 1, isInherited: false }], 'a host is of one type');
});

await t.test('who may see and change them', async (t) => {
  const { actor, ref } = await arrange(t);
  const [steve, kim, reader, owner, dark] = ['steve', 'kim', 'reader', 'owner', 'dark'].map(actor) as [Actor, Actor, Actor, Actor, Actor];
  const [lj, dev, secret] = [await ref('steve', 'lj'), await ref('steve', 'dev'), await ref('steve', 'secret')];
  await steve.tags.add(secret, 'hidden');
  await steve.tags.add(lj, 'mine');
  await steve.tags.add(dev, 'mine');
  t.same(await kim.tags.list(), [{ tag: 'web', level: 2 }, { tag: 'mine', level: 3 }], 'nothing of what is hidden from it');
  t.equal(await selected(kim, '@tag:hidden'), 'NO MATCH', 'as one that is not there');
  t.same(await kim.tags.bearers('hidden'), []);
  t.equal(await kim.tags.add(lj, 'own'), 'done');
  t.equal(await message(kim.tags.add(dev, 'own')), 'NOT ALLOWED', 'it may only be read');
  t.equal(await message(kim.tags.of(secret)), 'NOT ALLOWED');
  t.equal(await message(kim.tags.add(secret, 'own')), 'NOT ALLOWED');
  t.equal(await message(kim.tags.rename('mine', 'other')), 'NOT ALLOWED', 'it sees one that it may not configure');
  t.match(await message(kim.tags.rename('hidden', 'shown')), /^NO MATCH/);
  t.match(await message(kim.tags.plan({ what: 'rename', from: 'hidden', to: 'shown' })), /^NO MATCH/);
  for (const [who, host] of [[kim, 'demo'], [kim, 'nowhere'], [reader, 'demo'], [owner, 'other']] as const) t.equal(await message(who.tags.add(host, 'x')), 'NOT ALLOWED');
  t.equal(await owner.tags.add('demo', 'x'), 'done');
  t.equal(await message(owner.tags.setHostType([{ provider: 'demo', type: 'KVM' }])), 'NOT ALLOWED', 'that needs the right host');
  t.same((await kim.tags.of('demo')).map(({ tag }) => tag), ['x'], 'whoever may read one of its machines may know what that inherits');
  t.equal(await message(kim.tags.of('other')), 'NOT ALLOWED');
  t.equal(await message(dark.tags.of(lj)), 'NOT ALLOWED', 'to switch it is not to read it');
  t.same((await dark.tags.list()).filter(({ level }) => level !== 2), []);
  t.equal(await message(steve.tags.setHostType([{ provider: 'other', type: 'KVM' }, { provider: 'nowhere', type: 'KVM' }])), 'NO SUCH PROVIDER: nowhere');
  t.same(await steve.tags.of('other'), [], 'of all or of none');
  t.same([...await owner.tags.rename('mine', 'ours')].sort(), ['demo/dev', 'demo/lj']);
  t.same(await selected(steve, '@tag:ours'), ['demo/lj', 'demo/dev']);
  t.equal(await selected(steve, '@tag:mine'), 'NO MATCH');
  for (const tag of ['', ' x', 'x ', 'a\nb', 'ä', 'x'.repeat(65), '*', '"', '../x']) t.match(await message(steve.tags.add(lj, tag)), /^BAD REQUEST: that is no tag/, JSON.stringify(tag));
  t.match(await message(steve.tags.setHostType([{ provider: 'demo', type: 'Xen' as 'KVM' }])), /^BAD REQUEST/);
});

await t.test('a rename reaches what one may read, and leaves what is hidden', async (t) => {
  const { actor, ref } = await arrange(t);
  const [steve, owner] = [actor('steve'), actor('owner')];
  await steve.tags.add(await ref('steve', 'secret'), 'x');
  await steve.tags.add(await ref('steve', 'lj'), 'x');
  await steve.tags.add(await ref('steve', 'lj'), 'y');
  t.same(await owner.tags.rename('x', 'y'), ['demo/lj'], 'which has it already, and then once');
  t.same((await steve.tags.of(await ref('steve', 'lj'))).filter(({ level }) => level === 3).map(({ tag }) => tag), ['y']);
  t.same(await selected(steve, '@tag:x'), ['other/secret']);
});

await t.test('each change is in the audit, and none is made without', async (t) => {
  const { actor, ref, audit } = await arrange(t);
  const steve = actor('steve');
  const lj = await ref('steve', 'lj');
  await steve.tags.add(lj, 'a b');
  await steve.tags.add('demo', 'x');
  await steve.tags.rename('x', 'z');
  await steve.tags.setHostType([{ provider: 'demo', type: 'KVM' }]);
  t.same(audit.begun.map(({ command, instance, options }) => `${command} ${instance} ${options}`), ['tag.add demo/lj "a b"', 'tag.add-host demo x', 'tag.rename * x z', 'tag.type demo KVM']);
  t.same(audit.ended.map(({ outcome }) => outcome), ['done', 'done', 'done', 'done']);
  const before = audit.begun.length;
  await message(actor('kim').tags.add(await ref('steve', 'dev'), 'x'));
  t.equal(audit.begun.length, before, 'what is refused at once is not begun');
  audit.begin = () => Promise.reject(new Error('disk full'));
  t.not(await message(steve.tags.add(lj, 'unwritten')), 'no error');
  t.equal(await selected(steve, '@tag:unwritten'), 'NO MATCH');
});

await t.test('they outlive a restart, and a machine keeps them under another name', async (t) => {
  const folder = scratch(t);
  const before = openState(t, folder);
  const one = await arrange(t, before.tags());
  await one.actor('steve').tags.add(await one.ref('steve', 'lj'), 'kept');
  await one.actor('steve').tags.setHostType([{ provider: 'other', type: 'KVM+OpenVZ' }]);
  await before.close();
  const other = await arrange(t, openState(t, folder).tags());
  t.same(await selected(other.actor('steve'), '@tag:kept'), ['demo/lj']);
  t.same(await other.actor('steve').tags.of('other'), [{ tag: 'KVM+OpenVZ', level: 1, isInherited: false }]);
});

await t.test('while they cannot be read nobody is told that there are none', async (t) => {
  const working = openState(t, scratch(t)).tags();
  let isBroken = true;
  const unavailable = (): void => { if (isBroken) throw new StateError('unavailable', 'no disk'); };
  const store: TagStore = {
    ...working,
    all: async function* () {
      unavailable();
      yield* working.all();
    },
    add: async (row) => {
      unavailable();
      await working.add(row);
    },
  };
  const { actor, ref, ask, session } = await arrange(t, store);
  const [steve, lj] = [actor('steve'), await ref('steve', 'lj')];
  t.equal(await selected(steve, '@tag:x'), 'FAILED: tags cannot be read');
  t.equal(await message(steve.tags.list()), 'FAILED: tags cannot be read');
  t.match(await ask(await session('steve'), 'info lj'), /\ntags: \(tags cannot be read\)\n/, 'its other facts are told all the same');
  isBroken = false;
  t.equal(await steve.tags.add(lj, 'x'), 'done');
  isBroken = true;
  t.match(await message(steve.tags.add(lj, 'y')), /^FAILED: the tag cannot be kept/);
  isBroken = false;
  t.same(await selected(steve, '@tag:x'), ['demo/lj'], 'what is so was read again');
  t.equal(await selected(steve, '@tag:y'), 'NO MATCH');
});

await t.test('there are not more than may be', async (t) => {
  const rows = Array.from({ length: TAGS_KEPT }, (_, at) => ({ provider: 'full', id: String(at % 1000), level: 3, tag: `t${at}`, absent: 0 }));
  const store: TagStore = { ...openState(t, scratch(t)).tags(), all: async function* () { yield rows; } };
  const { actor, ref } = await arrange(t, store);
  t.equal(await message(actor('steve').tags.add(await ref('steve', 'lj'), 'x')), `FAILED: there are ${TAGS_KEPT} tags, and no more can be`);
  const one = await arrange(t);
  const dev = await one.ref('steve', 'dev');
  for (let at = 0; at < TAGS_OF_ONE; at += 1) await one.actor('steve').tags.add(dev, `t${at}`);
  t.equal(await message(one.actor('steve').tags.add(dev, 'x')), `FAILED: it has ${TAGS_OF_ONE} tags, and no more can be`);
  await one.actor('steve').tags.remove(dev, 't0');
  t.equal(await one.actor('steve').tags.add(dev, 'x'), 'done');
});

await t.test('what is gone keeps its tags for a while, counted while it is known to be gone', async (t) => {
  const folder = scratch(t);
  const state = openState(t, folder);
  const permit = (): void => undefined;
  const book = new TagBook(state.tags(), () => undefined);
  const ids = Array.from({ length: 450 }, (_, at) => `gone${at}`);
  for (const id of [...ids, 'here', 'hidden', 'back']) await book.add(['p', id], 'x', permit);
  const HALF = TAGS_ABSENT_KEPT / 2 + 1;
  const there = (known: Readonly<Record<string, boolean | undefined>>) => ({ id }: Bearer): boolean | undefined => (id in known ? known[id] : false);
  const names = async (one: TagBook): Promise<string[]> => (await one.all()).map(({ id }) => id).filter((id) => !id.startsWith('gone'));
  await book.sweep(there({ here: true, hidden: undefined }), HALF);
  t.equal((await book.all()).length, ids.length + 3);
  await state.close();
  const other = new TagBook(openState(t, folder).tags(), () => undefined);
  await other.sweep(there({ here: true, hidden: undefined, back: true }), 1000);
  await other.sweep(there({ here: true, hidden: undefined }), HALF);
  t.same((await names(other)).sort(), ['back', 'here', 'hidden'], 'one that came back counts anew, and of one whose provider is silent nothing is known');
  t.equal((await other.all()).length, 3, 'all others had their time, over a restart');
});

await t.test('a provider whose name another host has now has no tags left, nor have its machines', async (t) => {
  const folder = scratch(t);
  const state = openState(t, folder);
  const permit = (): void => undefined;
  const book = new TagBook(state.tags(), () => undefined);
  for (let at = 0; at < 450; at += 1) await book.add(['p', `vm${at}`], 'x', permit);
  await book.add(['p', ''], 'cellar', permit);
  await book.setTypes([['p', 'KVM'], ['q', 'KVM']], permit);
  for (const id of ['', 'vm1']) await book.add(['q', id], 'x', permit);
  await book.forget('p');
  await book.forget('none');
  const isTagged = await book.test();
  t.same([isTagged({ provider: 'p', id: 'vm1' }, 'x'), isTagged({ provider: 'p', id: 'vm1' }, 'cellar'), isTagged({ provider: 'q', id: 'vm2' }, 'x')], [false, false, true]);
  await state.close();
  const after = await new TagBook(openState(t, folder).tags(), () => undefined).all();
  t.same(after.map(({ provider, id, type, tags }) => [provider, id, type, ...tags]), [['q', '', 'KVM', 'x'], ['q', 'vm1', undefined, 'x']], 'also on the disk');
});

await t.test('model: whatever is done, memory and disk hold the same', async (t) => {
  const random = seededRandom(20_261_129);
  const folder = scratch(t);
  const state = openState(t, folder);
  const book = new TagBook(state.tags(), () => undefined);
  const model = new Map<string, Set<string>>();
  const pick = <T>(all: readonly T[]): T => all[random.below(all.length)]!;
  const [subjects, tags] = [['p 1', 'p 2', 'p ', 'q 1', 'q '], ['a', 'b', 'c d']];
  const of = (subject: string): Set<string> => model.get(subject) ?? model.set(subject, new Set()).get(subject)!;
  for (let step = 0; step < 300; step += 1) {
    const [subject, tag, to] = [pick(subjects), pick(tags), pick(tags)];
    const key = subject.split(' ') as [string, string];
    const what = pick(['add', 'add', 'remove', 'rename'] as const);
    if (what === 'add') {
      t.equal(await book.add(key, tag, () => undefined), !of(subject).has(tag));
      of(subject).add(tag);
    } else if (what === 'remove') {
      t.equal(await book.remove(key, tag, () => undefined), of(subject).delete(tag));
    } else {
      const keep = pick(subjects);
      await book.rename(tag, to, (bearers) => ({ keep: bearers.filter(({ provider, id }) => `${provider} ${id}` === keep) }));
      for (const [one, own] of model) {
        if (one === keep || !own.has(tag)) continue;
        own.delete(tag);
        own.add(to);
      }
    }
  }
  const held = async (one: TagBook): Promise<string[]> => (await one.all()).flatMap(({ provider, id, tags: own }) => [...own].map((tag) => `${provider} ${id}: ${tag}`)).sort();
  const wanted = [...model].flatMap(([subject, own]) => [...own].map((tag) => `${subject}: ${tag}`)).sort();
  t.same(await held(book), wanted);
  await state.close();
  t.same(await held(new TagBook(openState(t, folder).tags(), () => undefined)), wanted);
});

await t.test('changes at one time are made one after the other', async (t) => {
  const { actor, ref } = await arrange(t);
  const [steve, lj] = [actor('steve'), await ref('steve', 'lj')];
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => steve.tags.add(lj, 'x')));
  t.equal(outcomes.filter((one) => one === 'done').length, 1);
});
