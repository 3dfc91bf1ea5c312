import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Account } from '../../src/auth/account.js';
import { Desk } from '../../src/enrolment/desk.js';
import { OwnKeys } from '../../src/enrolment/own-keys.js';
import { HostRecords } from '../../src/enrolment/records.js';
import { EnrolmentTokens } from '../../src/enrolment/tokens.js';
import type { HostAsking } from '../../src/instances/enrolment.js';
import type { Mandate } from '../../src/instances/principal.js';
import { ENROLMENT_ASKED, ENROLMENT_TOKENS, ENROLMENT_TOKEN_TRIES } from '../../src/kit/enrolment-limits.js';
import { State, StateError } from '../../src/store/state.js';
import { EnrolledHost } from '../peers/enrolled-host.js';
import { RememberedAudit } from '../server/core.js';

/** Hosts that ask by themselves, with a token; the lines that they send are in test/e2e/enrolment.test.ts. */

const HOUR = 3_600_000;
const everything = new Account({ name: 'kim', passwordHash: '', from: undefined, grants: [{ instances: ['*'], commands: ['enrol'] }] }, new Map());
const nobody = new Account({ name: '', passwordHash: '', from: undefined, grants: [] }, new Map());
const by = (principal: Account, address?: string): Mandate => ({
  identity: { name: principal.name, principal, onTakenAway: () => () => undefined }, through: undefined, origin: address === undefined ? 'test' : `${address}:4711`, ...(address === undefined ? {} : { address }),
});
const kim = by(everything);
const stranger = by(nobody, '127.0.0.1');
const message = (work: Promise<unknown>): Promise<string> => work.then(() => 'no error', (error: unknown) => (error as Error).message);

interface Rig {
  readonly desk: Desk;
  readonly audit: RememberedAudit;
  readonly records: HostRecords;
  /** accounts that there are now */
  readonly accounts: Map<string, Account>;
  setOffered(isOffered: boolean): void;
  close(): Promise<void>;
}

function arrange(t: Test, folder = mkdtempSync(join(tmpdir(), 'argo-asking-'))): Rig & { readonly folder: string } {
  const state = new State(folder, (text, facts) => t.comment(text, facts));
  const store = state.keyValue('enrolment');
  const [audit, records, accounts] = [new RememberedAudit(), new HostRecords(store), new Map([['kim', everything]])];
  let isOffered = true;
  const desk = new Desk({
    records, tokens: new EnrolmentTokens(store), account: (name) => accounts.get(name), keys: new OwnKeys(folder), audit, log: () => undefined,
    configuration: { has: (name) => name === 'taken', check: () => Promise.resolve(), add: () => Promise.resolve(), remove: () => Promise.resolve() },
    tags: { forget: () => Promise.resolve(), setType: () => Promise.resolve() }, settings: () => (isOffered ? { user: 'root', access: {} } : undefined),
  });
  t.teardown(async () => {
    await desk.close();
    await state.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { desk, audit, records, accounts, folder, setOffered: (value) => { isOffered = value; }, close: () => state.close() };
}

const asking = (host: EnrolledHost, token: string, more: Partial<HostAsking> = {}): HostAsking => ({ token, name: 'node1', key: host.key, port: host.port, ...more });

await t.test('a host with a token waits to be approved, and nothing else is done', async (t) => {
  const { desk, audit, records } = arrange(t);
  const host = await EnrolledHost.start(t);
  const { token, id, account, expires } = await desk.token(kim);
  t.match(token, /^argo-enrol_[\w-]{43}$/);
  t.ok(Math.abs(expires.getTime() - Date.now() - HOUR) < 60_000);
  t.same(await desk.tokens(kim), [{ id, account, expires }]);
  const request = await desk.ask(stranger, asking(host, token));
  t.match(request, { name: 'node1', host: '127.0.0.1', port: host.port, key: { type: 'ssh-ed25519' }, account: 'kim (token of enrolment)' });
  t.same(await desk.requests(kim), [request]);
  t.same([await desk.hosts(kim), await desk.tokens(kim), host.keys.size], [[], [], 0]);
  t.match(audit.begun, [{ command: 'enrol.token', account: 'kim', instance: '*' }, { command: 'enrol.ask', account: 'kim (token of enrolment)', from: '127.0.0.1:4711', instance: 'node1' }]);
  t.notMatch(JSON.stringify([audit.begun, audit.ended, await records.all()]), token);
  t.equal(await message(desk.ask(stranger, asking(host, token, { name: 'node2' }))), 'NOT AUTHENTICATED', 'it is good for one host');
  await desk.approve(kim, ['node1'], { password: 'sesame' });
  t.equal(host.keys.size, 1);
});

await t.test('whoever has no good token is told nothing, and late', async (t) => {
  const { desk, accounts, setOffered, audit } = arrange(t);
  const host = await EnrolledHost.start(t);
  const { token, id } = await desk.token(kim);
  const short = await desk.token(kim, 1000);
  const began = performance.now();
  for (const wrong of ['', 'x', 'argo-enrol_', `${token}x`, `argo-enrol_${'A'.repeat(43)}`, token.toUpperCase()]) t.equal(await message(desk.ask(stranger, asking(host, wrong))), 'NOT AUTHENTICATED', wrong);
  t.ok(performance.now() - began > 5 * 1000, 'each after a while');
  t.equal(await message(desk.ask(stranger, asking(host, short.token))), 'NOT AUTHENTICATED', 'its time is over');
  t.same((await desk.tokens(kim)).map((one) => one.id), [id]);
  const many = await Promise.all(Array.from({ length: 200 }, () => message(desk.ask(stranger, asking(host, 'x')))));
  t.same([...new Set(many)].sort(), ['BUSY: too many hosts ask at a time', 'NOT AUTHENTICATED']);
  setOffered(false);
  t.equal(await message(desk.ask(stranger, asking(host, token))), 'NOT AUTHENTICATED');
  setOffered(true);
  accounts.delete('kim');
  t.equal(await message(desk.ask(stranger, asking(host, token))), 'NOT AUTHENTICATED', 'who has made it may let nobody in any longer');
  accounts.set('kim', everything);
  await desk.revoke(kim, [id]);
  t.equal(await message(desk.ask(stranger, asking(host, token))), 'NOT AUTHENTICATED');
  t.same(audit.begun.filter(({ command }) => command === 'enrol.ask'), []);
});

await t.test('who may not let hosts in makes no tokens, and sees and ends none', async (t) => {
  const { desk } = arrange(t);
  const { id } = await desk.token(kim);
  const other = by(new Account({ name: 'jo', passwordHash: '', from: undefined, grants: [{ instances: ['lab/*'], commands: ['*'] }] }, new Map()));
  for (const work of [desk.token(other), desk.tokens(other), desk.revoke(other, [id])]) t.equal(await message(work), 'NOT ALLOWED');
  t.equal(await message(desk.revoke(kim, [id, 'none'])), 'NO SUCH REQUEST: none', 'of all or of none');
  t.equal((await desk.tokens(kim)).length, 1);
  for (const ms of [0, 999, 8 * 24 * HOUR, Number.NaN, Infinity]) t.match(await message(desk.token(kim, ms)), /^BAD REQUEST/);
});

await t.test('a host must be where it asks from, and have the key that it says', async (t) => {
  const { desk } = arrange(t);
  const [host, other] = [await EnrolledHost.start(t), await EnrolledHost.start(t)];
  const { token } = await desk.token(kim);
  t.match(await message(desk.ask(stranger, asking(host, token, { key: other.key }))), /^HOST KEY CHANGED: at 127\.0\.0\.1 a host shows another key: ssh-ed25519 SHA256:/);
  t.match(await message(desk.ask(stranger, asking(host, token, { port: 1 }))), /^UNREACHABLE/);
  t.match(await message(desk.ask(by(nobody), asking(host, token))), /^BAD REQUEST: it is not asked over a network/);
  t.match(await message(desk.ask(stranger, asking(host, token, { name: 'taken' }))), /^WRONG STATE: there is a host taken already/);
  t.match(await desk.ask(stranger, asking(host, token)), { name: 'node1' }, 'who is refused may try again');
  const next = await desk.token(kim);
  t.match(await message(desk.ask(stranger, asking(other, next.token))), /^WRONG STATE: there is a host node1 already/, 'nobody takes the place of one that waits');
  for (const [bad, what] of [[{ name: '../x' }, 'name'], [{ port: 0 }, 'port'], [{ key: 'ssh-ed25519' }, 'key'], [{ key: '' }, 'key']] as const) t.match(await message(desk.ask(stranger, { ...asking(other, next.token, { name: 'node2' }), ...bad })), /^BAD REQUEST/, what);
});

await t.test('a token is good for a few tries, and for one host at a time', async (t) => {
  const { desk } = arrange(t);
  const host = await EnrolledHost.start(t);
  const { token } = await desk.token(kim);
  for (let tries = 0; tries < ENROLMENT_TOKEN_TRIES; tries += 1) t.match(await message(desk.ask(stranger, asking(host, token, { port: 1 }))), /^UNREACHABLE/);
  t.equal(await message(desk.ask(stranger, asking(host, token))), 'NOT AUTHENTICATED');
  const next = await desk.token(kim);
  const both = await Promise.all(['node1', 'node2'].map((name) => message(desk.ask(stranger, asking(host, next.token, { name })))));
  t.same(both.sort(), ['BUSY: another host asks with this token', 'no error']);
});

await t.test('there are not more of them than may be', async (t) => {
  const { desk, records } = arrange(t);
  const host = await EnrolledHost.start(t);
  const made = [];
  for (let number = 0; number < ENROLMENT_TOKENS; number += 1) made.push(await desk.token(kim));
  t.match(await message(desk.token(kim)), /^BUSY: there are \d+ tokens/);
  for (let number = 0; number < ENROLMENT_ASKED; number += 1) await records.put({ name: `n${number}`, host: '192.0.2.1', port: 22, key: host.key, stage: 'waiting', account: 'x', at: number, isAsking: true });
  t.equal(await message(desk.ask(stranger, asking(host, made[0]!.token))), 'BUSY: too many hosts wait already');
  await desk.refuse(kim, ['n0']);
  t.equal(await message(desk.ask(stranger, asking(host, made[0]!.token))), 'no error');
});

await t.test('a token outlives the end of the server', async (t) => {
  const before = arrange(t);
  const host = await EnrolledHost.start(t);
  const [used, left] = [await before.desk.token(kim), await before.desk.token(kim)];
  await before.desk.ask(stranger, asking(host, used.token));
  await before.close();
  const { desk } = arrange(t, before.folder);
  t.same((await desk.tokens(kim)).map(({ id }) => id), [left.id]);
  t.equal(await message(desk.ask(stranger, asking(host, used.token, { name: 'node2' }))), 'NOT AUTHENTICATED');
  t.equal(await message(desk.ask(stranger, asking(host, left.token, { name: 'node2' }))), 'no error');
});

await t.test('a token whose end cannot be written down is as it was, and can be revoked later; one that was tried too often is good for nothing all the same', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-asking-'));
  const state = new State(folder, (text, facts) => t.comment(text, facts));
  t.teardown(async () => {
    await state.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const store = state.keyValue('enrolment');
  let [isFull, room] = [false, Infinity];
  const tokens = new EnrolmentTokens({ ...store, delete: (key) => (isFull || (room -= 1) < 0 ? Promise.reject(new StateError('unavailable', 'database or disk is full')) : store.delete(key)) });
  const [{ id, token }, spent] = [await tokens.make('kim', HOUR), await tokens.make('kim', HOUR)];
  room = 1;
  t.match(await message(tokens.revoke([id, spent.id])), /disk is full/);
  t.equal((await tokens.all()).length, 2, 'of several all are as they were');
  isFull = true;
  t.match(await message(tokens.revoke([id])), /disk is full/);
  t.equal((await tokens.all()).length, 2);
  t.equal(await tokens.use(token, ({ account }) => Promise.resolve(account)), 'kim');
  for (let left = ENROLMENT_TOKEN_TRIES; left > 1; left -= 1) await tokens.use(spent.token, () => Promise.resolve());
  t.match(await message(tokens.use(spent.token, () => Promise.resolve())), /disk is full/);
  t.equal(await message(tokens.use(spent.token, () => Promise.resolve())), 'NOT AUTHENTICATED');
  [isFull, room] = [false, Infinity];
  await tokens.revoke([id]);
  t.equal(await message(tokens.use(token, () => Promise.resolve())), 'NOT AUTHENTICATED');
});

await t.test('a token is over in its time, also where the clock is set back', async (t) => {
  const { desk } = arrange(t);
  const host = await EnrolledHost.start(t);
  const { token } = await desk.token(kim);
  const [wallNow, steadyNow] = [Date.now, performance.now.bind(performance)];
  t.teardown(() => { [Date.now, performance.now] = [wallNow, steadyNow]; });
  Date.now = () => wallNow() - 24 * HOUR;
  t.equal((await desk.tokens(kim)).length, 1);
  performance.now = () => steadyNow() + HOUR;
  t.equal(await message(desk.ask(stranger, asking(host, token))), 'NOT AUTHENTICATED');
  t.same(await desk.tokens(kim), []);
});
