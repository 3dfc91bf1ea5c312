import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { accountsFor } from '../../../../src/gateways/accounts.js';
import type { Member } from '../../../../src/gateways/contract.js';
import { Feeds, type FeedSocket } from '../../../../src/gateways/web/feed/feeds.js';
import type { FeedMessage, View } from '../../../../src/gateways/web/messages.js';
import { FEED_SOCKETS_PER_ACCOUNT, FEED_UNREAD } from '../../../../src/kit/feed-limits.js';
import { State } from '../../../../src/store/state.js';
import type { TagStore } from '../../../../src/store/tags.js';
import { until } from '../../../support/until.js';
import { SEED_CONFIG, startCore, STEVE_HASH, type Core, type CoreOptions } from '../../../server/core.js';

/** The view of the web page and what it is told, over a gate in this process. */

const WITHIN = 10_000;
const CONFIG = `${SEED_CONFIG}\n[groups]\nweb = ["lj", "builder"]\nothers = ["dev"]\nnone = []\n`;

class Socket implements FeedSocket {
  bufferedAmount = 0;
  readonly told: FeedMessage[] = [];
  closed: number | undefined;
  readonly #listeners: (() => void)[] = [];

  send(text: Buffer | string): void {
    if (this.closed !== undefined) throw new Error('it is closed');
    this.told.push(JSON.parse(String(text)) as FeedMessage);
  }

  close(code: number): void {
    this.closed ??= code;
    this.#listeners.splice(0).forEach((listener) => listener());
  }

  onClose(listener: () => void): void {
    this.#listeners.push(listener);
  }

  of<Kind extends FeedMessage['t']>(kind: Kind): Extract<FeedMessage, { t: Kind }>[] {
    return this.told.filter((message): message is Extract<FeedMessage, { t: Kind }> => message.t === kind);
  }
}

interface Rig extends Core {
  readonly feeds: Feeds;
  member(account: string): Member;
  view(account: string): Promise<View>;
  open(account: string, after: number, signal?: AbortSignal): Promise<Socket>;
  switch(action: 'start' | 'stop', name: string): Promise<void>;
}

async function arrange(t: Test, config = CONFIG, stores: Pick<CoreOptions, 'tags' | 'tasks' | 'workTasks'> = {}): Promise<Rig> {
  const core = await startCore(t, { config, ...stores });
  const accounts = accountsFor('web', core.authenticator, core.gate, () => undefined);
  const feeds = new Feeds(() => undefined);
  t.teardown(() => feeds.close());
  return {
    ...core, feeds,
    member: (account) => accounts.service(account),
    view: async (account) => JSON.parse((await feeds.view(accounts.service(account))).plain.toString()) as View,
    open: async (account, after, signal = new AbortController().signal) => {
      const socket = new Socket();
      await feeds.open(socket, accounts.service(account), after, signal);
      return socket;
    },
    switch: async (action, name) => {
      const actor = accounts.service('steve').actor('192.0.2.1:5');
      const { instances: [instance] } = await actor.select([name]);
      await actor.power(instance!, { action, mode: 'hard', wait: true });
    },
  };
}

const stateOf = ({ states, columns }: View, name: string): string | undefined => states[columns.state[columns.name.indexOf(name)]!];

/** Tags that are kept nowhere. */
const memory: TagStore = {
  all: async function* () { /* none yet */ },
  add: async () => undefined, remove: async () => undefined, rename: async () => undefined, replace: async () => undefined,
  setAbsent: async () => undefined, setPresent: async () => undefined, forget: async () => undefined,
};

void t.test('what has a tag is as a group, and a page hears when that is another', async (t) => {
  const rig = await arrange(t, CONFIG, { tags: memory });
  const steve = rig.member('steve').actor('192.0.2.1:5');
  const { instances: [dev] } = await steve.select(['dev']);
  const before = await rig.view('steve');
  const socket = await rig.open('steve', before.v);
  await steve.tags.add(dev!, 'rack 7');
  await until(() => socket.of('reset').length > 0, WITHIN, 'the page to be told');
  t.same((await rig.view('steve')).groups.at(-1), { name: 'tag:rack 7', members: [3] });
  t.notMatch((await rig.view('tenant')).groups, [{ name: 'tag:rack 7' }], 'nothing of what is hidden');
  const again = await rig.open('steve', (await rig.view('steve')).v);
  await steve.tags.add(dev!, 'rack 7');
  await rig.switch('stop', 'lj');
  await until(() => again.of('changes').length > 0, WITHIN, 'the page to be told');
  t.same(again.of('reset'), [], 'what changes nothing is no reason to load it all again');
});

void t.test('how tasks go on is told to whoever may know of them, and to nobody else', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-feed-'));
  const state = new State(folder, () => undefined);
  t.teardown(async () => {
    await state.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const rig = await arrange(t, CONFIG, { tasks: state.tasks('orders'), workTasks: state.tasks('works') });
  const [mine, theirs] = [await rig.open('steve', (await rig.view('steve')).v), await rig.open('tenant', (await rig.view('tenant')).v)];
  const steve = rig.member('steve').actor('192.0.2.1:5');
  await steve.work('image.create', 'demo', { name: 'a.img', size: 2n ** 30n, format: 'raw' });
  await until(() => mine.of('task').some(({ task }) => task.kind === 'work' && task.state === 'done'), WITHIN, 'its end');
  t.match(mine.of('task').at(-1)?.task, { kind: 'work', account: 'steve', operation: 'image.create', subject: 'demo', options: '--name=a.img --size=1073741824 --format=raw', progress: 1, ended: Number });
  const { instances } = await steve.select(['dev']);
  await steve.orders.begin(instances, { action: 'stop', mode: 'hard', wait: true }, 'key-0001');
  await until(() => mine.of('task').some(({ task }) => task.kind === 'order' && task.state === 'done'), WITHIN, 'the order');
  t.same(theirs.of('task'), []);
  rig.feeds.close();
  await steve.work('image.delete', 'demo', { name: 'a.img' });
  t.equal(mine.of('task').filter(({ task }) => task.kind === 'work' && task.ended !== null).length, 1);
});

void t.test('the view has what one may see, and nothing of others', async (t) => {
  const rig = await arrange(t);
  const all = await rig.view('steve');
  t.same(all.columns.name, ['lj', 'builder', 'test', 'dev']);
  t.same(all.columns.name.map((name) => stateOf(all, name)), ['on', 'on', 'off', 'on']);
  t.same(all.providers, [{ name: 'demo', type: 'sim', answers: true, stale: null }]);
  t.same(all.groups, [{ name: 'web', members: [0, 1] }, { name: 'others', members: [3] }]);
  t.equal(all.capabilities.length, 1, 'what is the same is there once');
  t.ok(all.permissions[all.columns.permissions[0]!]!.includes('stop'));
  const few = await rig.view('tenant');
  t.same(few.columns.name, ['lj', 'test']);
  t.same(few.groups, [{ name: 'web', members: [0] }], 'a group of which nothing is seen is not there');
  const [lj, other] = few.columns.permissions.map((list) => few.permissions[list]!);
  t.ok(lj!.includes('start') && lj!.includes('status') && !lj!.includes('stop'));
  t.ok(!other!.includes('start'));
  t.notMatch(JSON.stringify(few), /builder|dev|others/);
});

void t.test('what changes is told to whom it concerns', async (t) => {
  const rig = await arrange(t);
  const [all, few] = [await rig.view('steve'), await rig.view('tenant')];
  const [mine, second, theirs] = [await rig.open('steve', all.v), await rig.open('steve', all.v), await rig.open('tenant', few.v)];
  t.match(mine.told, [{ t: 'alive', v: all.v }]);
  await rig.switch('stop', 'builder');
  await rig.switch('stop', 'lj');
  const off = (socket: Socket, position: number): boolean => socket.of('changes').some(({ rows }) => rows.some(([at, state]) => at === position && all.states[state] === 'off'));
  await until(() => off(mine, 0) && off(mine, 1) && off(second, 0) && off(theirs, 0), WITHIN, 'the changes');
  mine.of('changes').forEach(({ v }, index) => t.equal(v, all.v + 1 + index, 'one by one'));
  t.same(second.of('changes'), mine.of('changes'));
  await until(() => mine.of('events').some(({ events }) => events.some(({ type, facts }) => type === 'action' && facts.outcome === 'done')), WITHIN, 'the action');
  t.notMatch(JSON.stringify(theirs.told), /builder|steve/);
  const since = mine.of('changes').at(-1)!.rows[0]![2];
  t.ok(Math.abs(Date.now() - since) < 60_000);
  const now = await rig.view('steve');
  t.equal((await rig.open('steve', now.v)).of('reset').length, 0, 'a view that was made before is still good');
});

void t.test('states are told to whoever sees a machine; what else happens to it is for who may read it', async (t) => {
  const rig = await arrange(t, `${CONFIG}[accounts.starter]\npassword = "${STEVE_HASH}"\ngrants = [{ instances = ["demo/lj"], commands = ["start"] }]\n`);
  const view = await rig.view('starter');
  t.same(view.columns.name, ['lj']);
  const socket = await rig.open('starter', view.v);
  await rig.switch('stop', 'builder');
  await rig.switch('stop', 'lj');
  await until(() => socket.of('changes').some(({ rows }) => rows.some(([, state]) => view.states[state] === 'off')), WITHIN, 'the change');
  rig.events.add({ type: 'provider', provider: 'demo', now: 'silent', reason: 'secret' });
  rig.events.add({ type: 'server', now: 'reloaded' });
  await until(() => socket.closed !== undefined, WITHIN, 'another list');
  t.same([...new Set(socket.told.map((message) => message.t))], ['alive', 'changes', 'reset'], 'and nothing else');
});

void t.test('who comes later is told what he has missed, or to look again', async (t) => {
  const rig = await arrange(t);
  const { v } = await rig.view('steve');
  const first = await rig.open('steve', v);
  await rig.switch('stop', 'lj');
  await until(() => first.of('changes').length > 0, WITHIN, 'a change');
  const late = await rig.open('steve', v);
  t.same(late.of('changes'), first.of('changes'));
  t.equal(late.told[0]?.t, 'alive');
  for (const after of [0, v - 1, v + 1000, Number.NaN, 1.5]) t.match((await rig.open('steve', after)).told, [{ t: 'alive' }, { t: 'reset' }], String(after));
});

void t.test('another list is another view', async (t) => {
  const rig = await arrange(t);
  const { v } = await rig.view('steve');
  const socket = await rig.open('steve', v);
  rig.events.add({ type: 'server', now: 'reloaded' });
  await until(() => socket.closed !== undefined, WITHIN, 'the end');
  t.equal(socket.told.at(-1)?.t, 'reset');
  t.equal(socket.closed, 1000);
  const next = await rig.view('steve');
  t.ok(next.v > v);
  t.equal((await rig.open('steve', v)).told.at(-1)?.t, 'reset', 'positions of the former view mean nothing now');
  t.equal((await rig.open('steve', next.v)).of('reset').length, 0);
});

void t.test('one that does not read costs no more than its limit', async (t) => {
  const rig = await arrange(t);
  const { v } = await rig.view('steve');
  const [slow, quick] = [await rig.open('steve', v), await rig.open('steve', v)];
  slow.bufferedAmount = FEED_UNREAD + 1;
  await rig.switch('stop', 'lj');
  await until(() => slow.closed !== undefined && quick.of('changes').length > 0, WITHIN, 'its end');
  t.match(slow.told, [{ t: 'alive' }, { t: 'reset' }]);
  t.equal(slow.closed, 1013);
  t.equal(quick.closed, undefined);
  const more = await Promise.all(Array.from({ length: FEED_SOCKETS_PER_ACCOUNT }, () => rig.open('steve', v)));
  t.equal(more.filter(({ closed }) => closed === 1013).length, 1, 'as many as one account may have, with the quick one');
  t.equal((await rig.open('tenant', v)).closed, undefined, 'others are not touched');
});

void t.test('it ends with the session, with the account, and with the server', async (t) => {
  const rig = await arrange(t);
  const { v } = await rig.view('steve');
  const session = new AbortController();
  const [mine, other] = [await rig.open('steve', v, session.signal), await rig.open('steve', v)];
  session.abort();
  t.equal(mine.closed, 1008);
  t.equal(other.closed, undefined);
  t.equal((await rig.open('steve', v, AbortSignal.abort())).closed, 1008);
  rig.feeds.close();
  t.equal(other.closed, 1001);
  await t.rejects(rig.feeds.view(rig.member('steve')), { message: 'SHUTTING DOWN' });
});
