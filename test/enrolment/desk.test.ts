import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type ParsedKey } from 'ssh2';
import t, { type Test } from 'tap';
import { Account } from '../../src/auth/account.js';
import { Desk, type EnrolmentTimes, type ServerConfiguration } from '../../src/enrolment/desk.js';
import { OwnKeys } from '../../src/enrolment/own-keys.js';
import { HostRecords, type HostRecord } from '../../src/enrolment/records.js';
import { EnrolmentTokens } from '../../src/enrolment/tokens.js';
import type { Mandate } from '../../src/instances/principal.js';
import { State } from '../../src/store/state.js';
import { EnrolledHost } from '../peers/enrolled-host.js';
import { RememberedAudit } from '../server/core.js';
import { until } from '../support/until.js';

/** What an earlier process has left, and who may ask; hosts themselves are asked in test/e2e/enrolment.test.ts. */

const KEY = Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from('ssh-ed25519'), Buffer.from([0, 0, 0, 32]), Buffer.alloc(32, 7)]).toString('base64');
const record = (name: string, rest: Partial<HostRecord> = {}): HostRecord => ({ name, host: '192.0.2.1', port: 22, key: KEY, stage: 'waiting', account: 'kim', at: 1, ...rest });

function arrange(t: Test, configured: readonly string[] = [], times?: EnrolmentTimes) {
  const folder = mkdtempSync(join(tmpdir(), 'argo-desk-'));
  const state = new State(folder, (message, facts) => t.comment(message, facts));
  t.teardown(async () => {
    await state.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const removed: string[] = [];
  const configuration: ServerConfiguration = {
    has: (name) => configured.includes(name),
    check: () => Promise.resolve(),
    add: () => Promise.resolve(),
    remove: (name) => Promise.resolve(void removed.push(name)),
  };
  const [records, keys, logged] = [new HostRecords(state.keyValue('enrolment')), new OwnKeys(folder), [] as string[]];
  const tagged: string[] = [];
  let isOffered = true;
  const desk = new Desk({
    records, tokens: new EnrolmentTokens(state.keyValue('enrolment')), account: () => undefined, keys, configuration, audit: new RememberedAudit(), log: (_level, message) => void logged.push(message), ...(times && { times }),
    tags: { forget: (provider) => Promise.resolve(void tagged.push(`forget ${provider}`)), setType: (provider, type) => Promise.resolve(void tagged.push(`${provider} is ${type}`)) },
    settings: () => (isOffered ? { user: 'root', access: {} } : undefined),
  });
  return { desk, records, keys, logged, removed, tagged, folder, close: () => { isOffered = false; } };
}

const mandate = (instances: string, command: string, through?: Mandate['through']): Mandate => {
  const principal = new Account({ name: 'kim', passwordHash: '', from: undefined, grants: [{ instances: [instances], commands: [command] }] }, new Map());
  return { identity: { name: 'kim', principal, onTakenAway: () => () => undefined }, through, origin: 'test' };
};
function parseKey(text: string): ParsedKey {
  const key = ssh2.utils.parseKey(text);
  if (key instanceof Error) throw key;
  return key;
}
const message = (work: () => Promise<unknown>): Promise<string> => Promise.resolve().then(work).then(() => 'no error', (error: unknown) => (error as Error).message);

await t.test('what was cut off is settled by how far it came', async (t) => {
  const { desk, records, keys, logged } = arrange(t, ['far']);
  keys.pin(record('far'));
  keys.pin(record('near'));
  await records.put(record('far', { stage: 'approving', mayHaveKey: true, user: 'root', type: 'KVM', isIdentified: true }));
  await records.put(record('near', { stage: 'approving', mayHaveKey: true, user: 'root', at: 2 }));
  await records.put(record('untouched', { at: 3 }));
  await desk.start();
  const steve = mandate('*', '*');
  t.match(await desk.hosts(steve), [{ name: 'far', type: 'KVM', user: 'root', isLeft: false }]);
  t.same((await desk.requests(steve)).map(({ name }) => name), ['near', 'untouched']);
  t.same([existsSync(keys.knownHostsFile('far')), existsSync(keys.knownHostsFile('near'))], [true, false]);
  t.match(await records.get('near'), { mayHaveKey: true, user: 'root' }, 'it is not forgotten that our key may be there');
  t.same(logged, ['the approval of a host was cut off', 'the approval of a host was cut off']);
});

await t.test('a grant on everything is needed, and it has to be configured', async (t) => {
  const { desk, close } = arrange(t);
  for (const [instances, command, may] of [['*', '*', true], ['*', 'enrol', true], ['*/*', '*', true], ['lab/*', '*', false], ['l*', '*', false], ['*', 'host', false], ['*', 'read', false], ['?*', '*', false]] as const) {
    t.equal(await message(() => desk.requests(mandate(instances, command))), may ? 'no error' : 'NOT ALLOWED', `${command} on ${instances}`);
  }
  t.equal(await message(() => desk.requests(mandate('*', '*', { word: 'status', right: 'read' }))), 'NOT ALLOWED', 'by a command for less');
  t.equal(await message(() => desk.requests(mandate('*', '*', { word: 'enrol', right: 'host' }))), 'no error');
  close();
  t.match(await message(() => desk.requests(mandate('*', '*'))), /^NOT SUPPORTED/);
  t.equal(await message(() => desk.requests(mandate('lab/*', '*'))), 'NOT ALLOWED');
});

await t.test('of all names or of none', async (t) => {
  const { desk, records } = arrange(t);
  const steve = mandate('*', '*');
  await records.put(record('one'));
  t.equal(await message(() => desk.refuse(steve, ['one', 'two', 'three'])), 'NO SUCH REQUEST: two, three');
  t.equal(await message(() => desk.approve(steve, ['two', 'one'])), 'NO SUCH REQUEST: two');
  t.equal(await message(() => desk.remove(steve, ['one'])), 'NO SUCH PROVIDER: one', 'it only waits');
  t.match(await message(() => desk.refuse(steve, [])), /^BAD REQUEST/);
  t.match(await message(() => desk.refuse(steve, Array.from({ length: 33 }, (_, at) => `n${at}`))), /^BAD REQUEST/);
  t.same((await desk.requests(steve)).map(({ name }) => name), ['one']);
  await records.put(record('gone', { stage: 'left', user: 'root' }));
  await desk.refuse(steve, ['one', 'gone']);
  t.same([await desk.requests(steve), await desk.hosts(steve)], [[], []], 'one that waited, and one that will never come back');
  await records.put(record('cut', { mayHaveKey: true, user: 'root', host: '127.0.0.1', port: 1 }));
  t.equal(await message(() => desk.refuse(steve, ['cut'])), 'UNCERTAIN: the server\'s key may still be on cut');
  t.match(await desk.hosts(steve), [{ name: 'cut', isLeft: true }]);
});

await t.test('the server\'s pair of keys is made once, and is for nobody else', async (t) => {
  const { desk, keys, folder } = arrange(t);
  const steve = mandate('*', '*');
  const first = await desk.publicKey(steve);
  t.equal(await desk.publicKey(steve), first);
  t.equal(parseKey(keys.privateKey()).type, 'ssh-ed25519');
  t.equal(parseKey(keys.privateKey()).getPublicSSH().toString('base64'), first.split(' ')[1], 'they belong together');
  rmSync(keys.privateKeyFile);
  t.not(await desk.publicKey(steve), first, 'half a pair is none');
  t.match(readFileSync(join(folder, 'enrolment', 'id_ed25519.pub'), 'utf8'), /^ssh-ed25519 \S+ argo-server\n$/);
});

await t.test('a host by two names, and one that is called as what every object has', async (t) => {
  const { desk, records, logged, removed } = arrange(t, ['one', 'other']);
  for (const name of ['one', 'other']) await records.put(record(name, { stage: 'enrolled', user: 'root' }));
  const steve = mandate('*', '*');
  t.same(await desk.remove(steve, ['one']), { failed: ['one'] }, 'its key stays, and is said to');
  t.match(logged, ['our key may still be on a host']);
  t.same((await desk.hosts(steve)).map(({ name, isLeft }) => [name, isLeft]), [['one', true], ['other', false]]);
  t.same(await desk.remove(steve, ['one']), { failed: ['one'] });
  t.same(removed, ['one'], 'what is left is out of the configuration: a provider that has its name now stays');
  await records.put(record('constructor'));
  t.match(await message(() => desk.approve(steve, ['constructor'], {}, { constructor: 'SHA256:other' })), /^HOST KEY CHANGED/);
  const failure = await message(() => desk.approve(steve, ['constructor'], {}, {}));
  t.notMatch(failure, 'INTERNAL ERROR');
  t.notMatch(failure, 'is not a function');
});

await t.test('what may be left on a host is not taken for left on another one', async (t) => {
  const { desk, records } = arrange(t);
  await records.put(record('near', { mayHaveKey: true, user: 'root' }));
  const steve = mandate('*', '*');
  t.match(await message(() => desk.add(steve, { host: '192.0.2.2', name: 'near' })), /^WRONG STATE/);
  t.match(await message(() => desk.add(steve, { host: '192.0.2.1', port: 2222, name: 'near' })), /^WRONG STATE/);
  t.match(await records.get('near'), { host: '192.0.2.1', mayHaveKey: true });
});

await t.test('a host that hangs is given up, others may go on meanwhile or are told that they cannot, and nothing of it stays', async (t) => {
  const { desk, records, keys } = arrange(t, [], { turn: 300, approval: 1500, removal: 500, request: 1000 });
  const host = await EnrolledHost.start(t);
  const steve = mandate('*', '*');
  const place = { host: '127.0.0.1', port: host.port, key: host.key };
  await records.put(record('hung', place));
  await records.put(record('next', { ...place, at: 2 }));
  host.hangs = true;
  const approval = message(() => desk.approve(steve, ['hung', 'next'], { password: 'sesame' }));
  await until(async () => (await records.get('hung'))?.stage === 'approving', 10_000, 'its turn');
  t.equal(await message(() => desk.refuse(steve, ['next'])), 'BUSY: another host is being let in or out');
  t.same((await desk.requests(steve)).map(({ name }) => name), ['next'], 'what only looks waits for nobody');
  t.equal(await approval, 'TIMEOUT: hung was not done with it in 1.5 s');
  t.match(await records.get('hung'), { stage: 'waiting', mayHaveKey: true, user: 'root' }, 'the key may have come onto it');
  t.notOk(existsSync(keys.knownHostsFile('hung')));
  t.equal((await records.get('next'))?.stage, 'waiting');
  host.hangs = false;
  await desk.refuse(steve, ['next']);
  t.match(await desk.approve(steve, ['hung'], { password: 'sesame' }), [{ name: 'hung', type: 'physical', isIdentified: false }]);
  t.equal(host.keys.size, 1);
});

await t.test('a request with several names begins with none for longer than it may take', async (t) => {
  const { desk, records } = arrange(t, [], { turn: 300, approval: 10_000, removal: 10_000, request: 0 });
  const host = await EnrolledHost.start(t);
  const steve = mandate('*', '*');
  for (const name of ['one', 'other']) await records.put(record(name, { host: '127.0.0.1', port: host.port, key: host.key, at: name.length }));
  t.match(await message(() => desk.approve(steve, ['one', 'other'], { password: 'sesame' })), /^TIMEOUT: it has taken too long; still waiting: (one, other|other; enrolled before that: one)$/);
  t.ok((await desk.requests(steve)).some(({ name }) => name === 'other'));
});

await t.test('a host that is two providers is removed as one', async (t) => {
  const { desk, records, removed, keys } = arrange(t);
  const host = await EnrolledHost.start(t);
  const steve = mandate('*', '*');
  for (const name of ['node-kvm', 'node-lxc']) await records.put(record(name, { host: '127.0.0.1', port: host.port, key: host.key }));
  await desk.approve(steve, ['node-kvm', 'node-lxc'], { password: 'sesame' });
  t.equal(host.keys.size, 1);
  t.same(await desk.remove(steve, ['node-kvm', 'node-lxc']), { failed: [] });
  t.equal(host.keys.size, 0, 'our key is gone from it');
  t.same([removed, await desk.hosts(steve)], [['node-kvm', 'node-lxc'], []]);
  for (const name of ['node-kvm', 'node-lxc']) t.notOk(existsSync(keys.knownHostsFile(name)));
});

await t.test('tags are a host\'s, and not its name\'s', async (t) => {
  const { desk, records, tagged } = arrange(t);
  const [first, second] = [await EnrolledHost.start(t), await EnrolledHost.start(t)];
  const steve = mandate('*', '*');
  const letIn = async ({ port, key }: EnrolledHost): Promise<readonly string[]> => {
    tagged.length = 0;
    await records.put(record('node1', { host: '127.0.0.1', port, key }));
    await desk.approve(steve, ['node1'], { password: 'sesame' });
    await desk.remove(steve, ['node1']);
    return [...tagged];
  };
  t.same(await letIn(first), ['forget node1', 'node1 is physical'], 'one of that name may have been there before');
  t.same(await letIn(first), ['node1 is physical'], 'the same one again');
  t.same(await letIn(second), ['forget node1', 'node1 is physical']);
  t.same(await letIn(first), ['forget node1', 'node1 is physical']);
});
