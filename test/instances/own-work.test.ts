import t, { type Test } from 'tap';
import type { Actor } from '../../src/instances/actor.js';
import { Gate } from '../../src/instances/gate.js';
import { OWN_WORK_SUBJECT } from '../../src/instances/own-work.js';
import { ArgoError } from '../../src/kit/errors.js';
import { startCore, STEVE_HASH, type Core } from '../server/core.js';

const CONFIG = `
[server]
listen = ["127.0.0.1:0"]
[accounts.steve]
password = "${STEVE_HASH}"
grants = [{ instances = ["*"], commands = ["*"] }]
[accounts.kim]
password = "${STEVE_HASH}"
grants = [{ instances = ["*"], commands = ["read"] }]
[accounts.lee]
password = "${STEVE_HASH}"
grants = [{ instances = ["demo/*"], commands = ["*"] }]
[providers.demo]
type = "sim"
instances = ["lj"]
`;

async function arrange(t: Test): Promise<Core & { actor(account: string, word?: string): Actor }> {
  const core = await startCore(t, { config: CONFIG });
  const actor = (account: string, word?: string): Actor => {
    const principal = core.authenticator.account(account) ?? { ...core.authenticator.account('kim')!, name: '' };
    return core.gate.actor({ identity: { name: account, principal: principal as never, onTakenAway: () => () => undefined }, through: word === undefined ? undefined : { word, right: 'read' }, origin: '192.0.2.7:4 vm' });
  };
  return { ...core, actor };
}

const work = { action: 'File_Delete', subject: '/srv/iso/a%20b.iso' };

await t.test('it is recorded before it is begun, and how it ended', async (t) => {
  const { actor, audit } = await arrange(t);
  const seen = await actor('kim').record(work, () => Promise.resolve(audit.begun.length));
  t.equal(seen, 1, 'the record is there when the work begins');
  t.same(audit.begun, [{ account: 'kim', from: '192.0.2.7:4 vm', command: 'File_Delete', instance: '-', options: '/srv/iso/a%20b.iso' }]);
  t.match(audit.ended, [{ id: 1, outcome: 'done' }]);
  const failing = async (thrown: Error, wordsOf?: (thrown: unknown) => string | undefined): Promise<string> => {
    await t.rejects(actor('kim').record(work, () => Promise.reject(thrown), wordsOf), thrown, 'what it throws is thrown');
    return audit.ended.at(-1)!.outcome;
  };
  t.equal(await failing(new ArgoError('BUSY', 'later')), 'BUSY: later');
  t.equal(await failing(new Error('a secret')), 'INTERNAL ERROR', 'a stranger\'s words are not told');
  t.equal(await failing(new Error('it is\nthere \u001b'), (thrown) => (thrown as Error).message), 'it is there ?');
  t.equal(await failing(new Error('x'), () => 'x'.repeat(5000)).then((words) => words.length), 501);
  await actor('kim', 'files').record(work, () => Promise.resolve());
  t.equal(audit.begun.at(-1)!.command, 'files: File_Delete', 'by which command of another name');
});

await t.test('what the log is told of: a cause only where the words do not say all', async (t) => {
  const { actor, logged } = await arrange(t);
  const lastAfter = async (thrown: Error, wordsOf: (thrown: unknown) => string | undefined): Promise<string> => {
    await t.rejects(actor('kim').record(work, () => Promise.reject(thrown), wordsOf), thrown);
    return logged.at(-1)!;
  };
  t.match(await lastAfter(new Error('no such file'), (thrown) => (thrown as Error).message), /^warn action .*"outcome":"no such file"}$/, 'a refusal in words needs no stack');
  t.match(await lastAfter(new ArgoError('BUSY', 'later'), () => undefined), /^warn action .*"outcome":"BUSY: later"}$/);
  t.match(await lastAfter(new ArgoError('FAILED', 'the disk', { cause: new Error('EIO') }), () => undefined), /^warn action .*"outcome":"FAILED: the disk","cause":"EIO"}$/);
  t.match(await lastAfter(new Error('broken'), () => undefined), /^warn action .*"outcome":"INTERNAL ERROR","cause":"broken"}$/);
  await actor('kim').record(work, () => Promise.resolve());
  t.match(logged.at(-1), /^info action .*"outcome":"done"}$/);
});

await t.test('nothing is begun where it cannot be recorded, or has no good name', async (t) => {
  const { actor, audit } = await arrange(t);
  let begun = 0;
  const count = (): Promise<void> => {
    begun += 1;
    return Promise.resolve();
  };
  for (const action of ['stop', 'image.delete', 'tag.add', '', 'two words', '--force', '../x', 'x'.repeat(65), 'a\n', 7]) await t.rejects(actor('kim').record({ action: action as string, subject: '' }, count), { message: /^BAD REQUEST/ }, String(action));
  for (const subject of ['a\nb', '\u001b[31m', 'a\u200bb', 'x'.repeat(OWN_WORK_SUBJECT + 1), undefined]) await t.rejects(actor('kim').record({ action: 'x', subject: subject as string }, count), { message: /^BAD REQUEST/ }, JSON.stringify(subject)?.slice(0, 20));
  await t.rejects(actor('').record(work, count), { message: /^NOT ALLOWED/ }, 'before login');
  const over = actor('kim');
  Gate.end(over);
  await t.rejects(over.record(work, count), { message: /^NOT ALLOWED/ }, 'by whoever kept an actor');
  t.same(audit.begun, []);
  audit.begin = () => Promise.reject(new ArgoError('AUDIT UNAVAILABLE', 'nothing was done', { cause: new Error('of the disk') }));
  const thrown = await actor('kim').record(work, count).catch((error: unknown) => error);
  t.match(thrown, { phrase: 'AUDIT UNAVAILABLE', cause: undefined });
  t.equal(begun, 0);
});

await t.test('it allows nothing, and is shown to who did it and to who may do everything everywhere', async (t) => {
  const { actor, audit } = await arrange(t);
  const kim = actor('kim');
  const lj = (await kim.select(['lj'])).instances[0]!;
  await t.rejects(kim.record(work, () => kim.power(lj, { action: 'stop', mode: 'soft', wait: false })), { message: /^NOT ALLOWED/ });
  t.match(audit.ended.at(-1), { outcome: 'NOT ALLOWED' });
  const shown = async (account: string): Promise<readonly string[]> => (await actor(account).audit({ most: 10 })).rows.map(({ account: who, instance }) => `${who} ${instance}`);
  t.same(await shown('kim'), ['kim -']);
  t.same(await shown('steve'), ['kim -']);
  t.same(await shown('lee'), [], 'of a provider it says nothing');
  await actor('steve').record(work, () => Promise.resolve());
  t.same(await shown('kim'), ['kim -'], 'who may read all machines may not know of files');
});
