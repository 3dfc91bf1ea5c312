import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { State } from '../../src/store/state.js';
import { startCore, STEVE_HASH } from '../server/core.js';
import { until } from '../support/until.js';

const CONFIG = `
[server]
listen = ["127.0.0.1:0"]
[groups]
web = ["web*"]
[accounts.steve]
password = "${STEVE_HASH}"
grants = [{ instances = ["*"], commands = ["*"] }]
[accounts.kim]
password = "${STEVE_HASH}"
grants = [{ instances = ["web1"], commands = ["read", "configure"] }, { instances = ["web2"], commands = ["read"] }]
[accounts.tagger]
password = "${STEVE_HASH}"
grants = [{ instances = ["lab/*"], commands = ["tag"] }]
[accounts.host]
password = "${STEVE_HASH}"
grants = [{ instances = ["lab/*"], commands = ["host"] }]
[providers.lab]
type = "sim"
instances = ["web1", "web2", "my vm", "[odd]"]
[providers.far]
type = "sim"
instances = ["db"]
`;

async function arrange(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'argo-tag-'));
  const state = new State(folder, (message, facts) => t.comment(message, facts));
  t.teardown(async () => {
    await state.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const core = await startCore(t, { config: CONFIG, tags: state.tags() });
  return { ...core, as: async (account: string) => {
    const session = await core.session(account);
    return (line: string) => core.ask(session, line);
  } };
}

const OK = '200 OK\n300 DONE\n';

await t.test('tags are added, listed, used as names, and removed', async (t) => {
  const { as } = await arrange(t);
  const steve = await as('steve');
  t.equal(await steve('tag add web1 db'), OK);
  t.equal(await steve('tag add web1 db'), '200 OK\nalready so\n300 DONE\n');
  t.equal(await steve('tag add "my vm" web[1-2] "rack 7"'), '200 OK\nmy vm: done\nweb1: done\nweb2: done\n300 DONE\n');
  t.equal(await steve('tag add "[odd]" odd'), OK, 'a name that would be a pattern');
  t.equal(await steve('tag add-host far "rack 8"'), OK);
  t.equal(await steve('tag add-host far "rack 8"'), '200 OK\n300 DONE: already so\n');
  t.equal(await steve('tag type lab kvm'), OK);
  t.equal(await steve('tag type far KVM+OpenVZ'), OK);
  t.equal(await steve('tag list'), '200 OK\n1 KVM\n1 KVM+OpenVZ\n2 web\n3 db\n3 odd\n3 "rack 7"\n3 "rack 8"\n300 DONE\n');
  t.equal(await steve('tag list web1'), '200 OK\n1 KVM inherited\n2 web\n3 db\n3 "rack 7"\n300 DONE\n');
  t.equal(await steve('tag list far/'), '200 OK\n1 KVM+OpenVZ\n3 "rack 8"\n300 DONE\n');
  t.equal(await steve('tag list db --json'), '200 OK\n{"tag":"KVM+OpenVZ","level":1,"isInherited":true}\n{"tag":"rack 8","level":3,"isInherited":true}\n300 DONE\n');
  t.match(await steve('info web1'), /\ntags: KVM, db, rack 7\n/);
  t.notMatch(await steve('info far/db'), /\ntags: .*rack 7/);
  t.equal(await steve('status @tag:"rack 7"'), '200 OK\nweb1: on\nweb2: on\nmy vm: on\n300 DONE\n');
  t.equal(await steve('status @tag:"rack 8"'), '200 OK\ndb: on\n300 DONE\n', 'a host\'s machines');
  t.equal(await steve('status "@tag:rack 7"'), '400 NO SUCH INSTANCE: @tag:rack 7\n', 'in quotes as a whole it is a name');
  t.equal(await steve('stop @tag:odd --force'), '200 OK\n[odd]: done\n300 DONE\n');
  t.equal(await steve('tag rename "rack 7" "row 1"'), '200 OK\nlab/my vm\nlab/web1\nlab/web2\n300 DONE\n');
  t.equal(await steve('status @tag:"rack 7"'), '400 NO MATCH\n');
  t.equal(await steve('tag remove @tag:"row 1" "row 1"'), '200 OK\nweb1: done\nweb2: done\nmy vm: done\n300 DONE\n');
  t.equal(await steve('tag remove-host far "rack 8"'), OK);
  t.equal(await steve('tag remove web1 nothing'), '200 OK\nalready so\n300 DONE\n');
});

await t.test('a dry run says what would be, and changes nothing', async (t) => {
  const { as, audit } = await arrange(t);
  const steve = await as('steve');
  await steve('tag add web1 db');
  const before = audit.begun.length;
  t.equal(await steve('tag add web1 db --dry-run'), '200 OK\nweb1: nothing, it has the tag db already\n300 DONE\n');
  t.equal(await steve('tag add web1 web2 db --dry-run'), '200 OK\nweb1: nothing, it has the tag db already\nweb2: add the tag db\n300 DONE\n');
  t.equal(await steve('tag remove web1 db --dry-run'), '200 OK\nweb1: remove the tag db\n300 DONE\n');
  t.equal(await steve('tag rename db dx --dry-run'), '200 OK\nrename the tag db to dx, on lab/web1\n300 DONE\n');
  t.equal(await steve('tag add-host far x --dry-run'), '200 OK\nfar: add the tag x\n300 DONE\n');
  t.equal(await steve('tag type far KVM --dry-run'), '200 OK\nmake far KVM\n300 DONE\n');
  t.equal(audit.begun.length, before);
  t.equal(await steve('tag list'), '200 OK\n2 web\n3 db\n300 DONE\n');
});

await t.test('what is wrong is said', async (t) => {
  const { as } = await arrange(t);
  const steve = await as('steve');
  for (const line of ['tag', 'tag mark web1 x', 'tag add', 'tag add web1', 'tag remove', 'tag list a b', 'tag rename x', 'tag rename x y z', 'tag type lab', 'tag type lab Xen', 'tag add-host far', 'tag add web1 x --force', 'tag add-host far x y']) {
    t.match(await steve(line), /^400 USAGE: tag /, line);
  }
  t.match(await steve('tag add web1 a/b'), /^(?:200 OK\n)?400 BAD REQUEST: that is no tag: /);
  t.match(await steve('tag add web1 web2 ""'), /^200 OK\nweb1: BAD REQUEST.*\nweb2: BAD REQUEST.*\n400 FAILED: 2 of 2\n$/);
  t.equal(await steve('tag add nobody x'), '400 NO SUCH INSTANCE: nobody\n');
  t.equal(await steve('tag add-host nowhere x'), '400 NO SUCH PROVIDER: nowhere\n');
  t.match(await steve('tag rename nothing x'), /^400 NO MATCH: /);
  t.match(await steve('status @tag:a/b'), /^400 BAD REQUEST: "a\/b" is no tag/);
});

await t.test('each verb has its right', async (t) => {
  const { as } = await arrange(t);
  const [steve, kim, tagger, host] = await Promise.all(['steve', 'kim', 'tagger', 'host'].map(as)) as [(line: string) => Promise<string>, (line: string) => Promise<string>, (line: string) => Promise<string>, (line: string) => Promise<string>];
  await steve('tag add web2 both');
  await steve('tag add far/db hidden');
  t.equal(await kim('tag add web1 both'), OK);
  t.equal(await kim('tag add web2 x'), '400 NOT ALLOWED\n');
  t.equal(await kim('tag list'), '200 OK\n2 web\n3 both\n300 DONE\n');
  t.equal(await kim('tag rename both other'), '400 NOT ALLOWED\n', 'it sees one that it may not configure');
  t.equal(await kim('tag add-host lab x'), '400 NOT ALLOWED\n');
  t.equal(await kim('tag type lab KVM'), '400 NOT ALLOWED\n');
  t.equal(await kim('status @tag:hidden'), '400 NO MATCH\n');
  t.equal(await tagger('tag add web1 x'), OK, 'a grant of the word holds all of its verbs');
  t.equal(await tagger('tag type lab KVM'), OK);
  t.equal(await tagger('tag add-host far x'), '400 NOT ALLOWED\n');
  t.equal(await host('tag type lab physical'), OK);
  t.equal(await host('tag add web1 x'), '400 NOT ALLOWED\n');
});

await t.test('one who watches by a tag is told of what has it at that moment', async (t) => {
  const { gate, authenticator, as } = await arrange(t);
  const steve = await as('steve');
  await steve('tag add web1 seen');
  const actor = gate.actor({ identity: { name: 'steve', principal: authenticator.account('steve')!, onTakenAway: () => () => undefined }, through: undefined, origin: 'test' });
  const ends = new AbortController();
  const told: string[] = [];
  const subscription = await actor.watch({ names: ['@tag:seen'], types: ['state'] });
  const watching = (async () => {
    for await (const { events } of subscription.batches(ends.signal)) for (const { facts } of events) if (facts.type === 'state') told.push(`${facts.instance} ${facts.now}`);
  })();
  for (const line of ['stop web2 --force', 'stop web1 --force', 'tag add web2 seen', 'start web2', 'tag remove web1 seen', 'start web1', 'stop web2 --force']) {
    t.match(await steve(line), /300 DONE/);
    if (line === 'stop web1 --force') await until(() => told.length > 0, 10_000, 'it is told');
    if (line === 'start web2') await until(() => told.includes('lab/web2 on'), 10_000, 'it is told');
  }
  await until(() => told.filter((one) => one === 'lab/web2 off').length === 1, 10_000, 'it is told');
  ends.abort();
  await watching;
  t.same(told, ['lab/web1 off', 'lab/web2 on', 'lab/web2 off']);
});
