import t from 'tap';
import { REPLY_PURPOSE, SIGNATURE_HEADER } from '../../../src/fleet/contract.js';
import { newId } from '../../../src/fleet/ids.js';
import { packed } from '../../../src/fleet/parcels.js';
import { KnownKey, newSeed, NkeySigner } from '../../../src/fleet/signer.js';
import { orderSubject } from '../../../src/fleet/subjects.js';
import { writeMessage } from '../../../src/fleet/messages.js';
import { FLEET_PARCEL } from '../../../src/kit/fleet-limits.js';
import type { OrderJournal } from '../../../src/store/order-journal.js';
import { State } from '../../../src/store/state.js';
import { FLEET_RESULTS_PER_FRONT } from '../../../src/kit/fleet-limits.js';
import { FakeMachine, never } from '../../instances/fake-driver.js';
import { until } from '../../support/until.js';
import { isOwn } from '../../../src/instances/principal.js';
import { bare, SEND, SITE, SiteWorld, TestFront, WITHIN, type Fields } from './world.js';

await t.test('an order is carried out through the gate, and its audit says for whom', async (t) => {
  const world = await SiteWorld.make(t);
  const { audit } = await world.live();
  t.match(bare(await world.front.ordered()), { state: 'ended', result: 'done', before: 'on', after: 'off' });
  t.same(world.machine.calls, ['shutdown']);
  t.same(audit.begun, [{ account: 'kim@f1', from: 'f1: 10.1.2.3:4411', command: 'stop', instance: 'fake/lj', options: '' }]);
  t.match(bare(await world.front.ordered()), { state: 'ended', result: 'already', before: 'off', after: 'off', verified: true });
  t.match(bare(await world.front.ordered({ do: 'start', wait: true })), { state: 'ended', result: 'done', after: 'on', verified: true });
});

await t.test('what somebody orders at a front with a token is nobody\'s of the same name here', async (t) => {
  const world = await SiteWorld.make(t);
  const { audit } = await world.live();
  for (const account of ['kim (token ci)', 'kim (token a) (token b)', 'kim (token x', ' (token y)']) await world.front.ordered({ principal: { account, from: '10.1.2.3:4411', front: 'f1' } });
  t.same(audit.begun.map(({ account }) => account), ['kim@f1 (token ci)', 'kim@f1 (token a) (token b)', 'kim@f1 (token x', '(token y)@f1']);
  for (const { account } of audit.begun) t.notOk(isOwn('kim', account) || isOwn('', account), account);
  t.ok(isOwn('kim@f1', audit.begun[0]!.account), 'it is that of who orders there');
});

await t.test('one that comes several times is done once: at once, one after the other, when it has ended', async (t) => {
  const world = await SiteWorld.make(t);
  await world.live();
  let goOn: () => void = () => undefined;
  world.machine.script.shutdown = () =>
    new Promise<void>((resolve) => {
      goOn = () => {
        world.machine.state = 'off';
        resolve();
      };
    });
  const order = world.front.order();
  const first = [world.front.sendOrder(order), world.front.sendOrder(order)];
  await until(() => world.machine.calls.length === 1, WITHIN, 'the order to be sent');
  const later = world.front.sendOrder(order);
  await until(() => later.answers.length > 0, WITHIN, 'a word on the later one');
  t.equal(later.answers[0]!.state, 'running');
  const asked = world.front.sendResult(order.id);
  await until(() => asked.answers.length > 0, WITHIN, 'a word on what becomes of it');
  t.equal(asked.answers[0]!.state, 'running');
  goOn();
  for (const talk of [...first, later, asked]) t.match(bare(await world.front.last(talk)), { state: 'ended', result: 'done' });
  t.match(bare(await world.front.last(world.front.sendOrder(order))), { state: 'ended', result: 'done' }, 'when it has ended');
  t.match(bare(await world.front.became(order.id)), { state: 'ended', result: 'done' });
  t.same(world.machine.calls, ['shutdown']);
});

await t.test('the bus may bring everything twice', async (t) => {
  const world = await SiteWorld.make(t);
  await world.live();
  world.hub.fate = () => 'twice';
  t.match(bare(await world.front.ordered({ do: 'reboot' })), { state: 'ended', result: 'done' });
  t.same(world.machine.calls, ['reboot']);
});

await t.test('what is asked about before it comes is never begun', async (t) => {
  const world = await SiteWorld.make(t);
  const life = await world.live();
  const order = world.front.order();
  t.same(bare(await world.front.became(order.id)), { state: 'none' });
  t.same(bare(await world.front.last(world.front.sendOrder(order))), { state: 'none' });
  const cancelled = world.front.order();
  t.same(bare(await world.front.became(cancelled.id, { cancel: true })), { state: 'none' });
  const together = world.front.order();
  const [asked, sent] = [world.front.sendResult(together.id), world.front.sendOrder(together)];
  t.same(bare(await world.front.last(asked)), { state: 'none' });
  t.same(bare(await world.front.last(sent)), { state: 'none' }, 'also where it comes while that is written down');
  await life.kill();
  await world.live();
  for (const one of [order, cancelled, together]) t.same(bare(await world.front.last(world.front.sendOrder(one))), { state: 'none' }, 'after a restart, too');
  t.same(world.machine.calls, []);
});

await t.test('after a restart, what has ended is told, and what had not is lost', async (t) => {
  const world = await SiteWorld.make(t);
  const life = await world.live();
  const ended = world.front.order({ do: 'reboot' });
  await world.front.last(world.front.sendOrder(ended));
  world.machine.script.shutdown = never;
  const cut = world.front.order({ deadline: 60_000 });
  world.front.sendOrder(cut);
  await until(() => world.machine.calls.length === 2, WITHIN, 'the order to be sent');
  const unsent = world.front.order();
  await life.kill();
  world.machine.state = 'off';
  await world.live();
  t.match(bare(await world.front.became(ended.id)), { state: 'ended', result: 'done' });
  t.match(bare(await world.front.last(world.front.sendOrder(ended))), { state: 'ended', result: 'done' });
  t.same(bare(await world.front.became(cut.id)), { state: 'lost', observed: 'off' });
  t.same(bare(await world.front.last(world.front.sendOrder(cut))), { state: 'lost', observed: 'off' });
  t.match(bare(await world.front.last(world.front.sendOrder(unsent))), { state: 'failed', phrase: 'UNREACHABLE', detail: /written before site berlin could take orders; nothing was done/ });
  t.same(bare(await world.front.became(world.front.order({}).id)), { state: 'none' });
  t.same(world.machine.calls, ['reboot', 'shutdown']);
});

await t.test('a machine whose order is lost is looked at for as long as a reading may take, also where its provider does not answer yet', async (t) => {
  const world = await SiteWorld.make(t);
  const life = await world.live();
  world.machine.script.shutdown = never;
  const cut = world.front.order({ deadline: 60_000 });
  world.front.sendOrder(cut);
  await until(() => world.machine.calls.length === 1, WITHIN, 'the order to be sent');
  await life.kill();
  world.machine.state = 'off';
  world.machine.script.status = () => new Promise((resolve) => { setTimeout(resolve, 1200); });
  await world.own.list('fake', []);
  world.provider.staleReason = 'not listed yet';
  await world.live();
  const asked = world.front.sendResult(cut.id);
  const again = world.front.sendResult(cut.id);
  await world.own.list('fake', [[world.machine, 'on']]);
  t.same(bare(await world.front.last(asked)), { state: 'lost', observed: 'off' });
  t.same(bare(await world.front.last(again)), { state: 'lost', observed: 'off' }, 'who asks again meanwhile is told with the first');
});

await t.test('in another state folder, nothing that was ordered before is begun or denied', async (t) => {
  const world = await SiteWorld.make(t);
  const life = await world.live();
  const [done, asked] = [world.front.order({ do: 'reboot' }), world.front.order()];
  await world.front.last(world.front.sendOrder(done));
  await life.kill();
  await world.live({ folder: `${world.folder}/other` });
  t.same(bare(await world.front.last(world.front.sendOrder(done))), { state: 'lost', observed: 'on' });
  t.same(bare(await world.front.became(asked.id)), { state: 'lost', observed: 'unknown' });
  t.same(world.machine.calls, ['reboot']);
  t.match(bare(await world.front.ordered()), { state: 'ended' }, 'what is ordered now is done');
});

await t.test('nothing is begun that cannot be written down, and nothing of it later', async (t) => {
  const world = await SiteWorld.make(t);
  const life = await world.live();
  const before = world.front.order({ do: 'reboot' });
  await world.front.last(world.front.sendOrder(before));
  let isBroken = true;
  // as with a disk that is full: whatever is asked of the file fails
  const onDisk = <T>(work: () => Promise<T>): Promise<T> => (isBroken ? Promise.reject(new Error('disk full')) : work());
  const broken = {
    close: () => Promise.resolve(),
    orders: (): OrderJournal => {
      const real = life.state.orders();
      return { begin: (...args) => onDisk(() => real.begin(...args)), end: (...args) => onDisk(() => real.end(...args)) };
    },
  } as unknown as State;
  life.bus.cut();
  life.site.close();
  await world.live({ state: broken });
  const refused = world.front.order();
  const answer = bare(await world.front.last(world.front.sendOrder(refused)));
  t.match(answer, { state: 'failed', phrase: 'AUDIT UNAVAILABLE', detail: /nothing was done/ });
  const denied = world.front.order();
  t.same(bare(await world.front.became(denied.id)), { state: 'none' }, 'nothing can have begun it');
  const silent = world.front.sendOrder(before);
  t.same(bare(await world.front.last(world.front.sendOrder(refused))), answer);
  t.same(silent.answers, [], 'of what an earlier process may have begun nothing is said');
  isBroken = false;
  t.same(bare(await world.front.last(world.front.sendOrder(refused))), answer, 'what was refused stays refused');
  t.same(bare(await world.front.last(world.front.sendOrder(denied))), { state: 'none' });
  t.match(bare(await world.front.last(world.front.sendOrder(before))), { state: 'ended' });
  const soon = world.front.order();
  t.match(bare(await world.front.last(world.front.sendOrder(soon))), { state: 'failed', phrase: 'AUDIT UNAVAILABLE', detail: 'site berlin could not write its journal of orders a moment ago; nothing was done' });
  t.same(world.machine.calls, ['reboot']);
  world.pass(2100);
  t.match(bare(await world.front.ordered()), { state: 'ended', result: 'done' }, 'what is ordered a little later is done');
});

await t.test('what is not signed by a front of this site for this is refused, and the answer proves nothing else', async (t) => {
  const world = await SiteWorld.make(t);
  const { logged } = await world.live();
  const { front } = world;
  const order = front.order();
  const data = writeMessage(order);
  const subject = orderSubject(SITE);
  const stranger = new NkeySigner(newSeed());
  for (const [what, headers] of Object.entries({
    'no signature': {},
    'no signer': { 'Argo-Signature': front.signer.sign(subject, data) },
    'another key': front.headers(subject, data, stranger),
    'another site': front.headers(orderSubject('paris'), data),
    'another purpose': front.headers('argo.v1.site.berlin.ask', data),
    'another front': { ...front.headers(subject, data), 'Argo-From': 'f2' },
    'other bytes': front.headers(subject, writeMessage(front.order())),
  })) {
    const talk = front.sendRaw(subject, data, headers);
    await until(() => talk.messages.length > 0, WITHIN, 'an answer');
    t.match(talk.answers[0], { state: 'failed', phrase: 'NOT ALLOWED', id: order.id }, what);
    t.equal(talk.answers[0]!.front, undefined, what);
    await t.rejects(front.last(talk), /not signed by the site/, `${what}: nobody can pass it off as the answer to another`);
  }
  t.match(bare(await front.last(front.sendOrder(order))), { state: 'ended' }, 'none of it has touched the order itself');
  t.match(logged.join('\n'), /message of the fleet refused/);
});

await t.test('what is signed, and not as it should be', async (t) => {
  const world = await SiteWorld.make(t);
  await world.live();
  const { front } = world;
  const refusal = async (fields: Parameters<typeof front.order>[0]): Promise<string> => {
    const answer = await front.ordered(fields);
    return answer.state === 'failed' ? `${answer.phrase}: ${answer.detail}` : answer.state;
  };
  t.match(await refusal({ v: 2 }), /^NOT SUPPORTED: .*version 2/);
  t.match(await refusal({ site: 'paris' }), /^BAD REQUEST: it is of f1 for paris/);
  t.match(await refusal({ principal: { account: 'kim', from: 'x', front: 'f2' } }), /^BAD REQUEST: it is of f2/);
  t.match(await refusal({ do: 'explode' }), /^BAD REQUEST/);
  t.match(await refusal({ do: 'start', mode: { softFor: 1000 } }), /^BAD REQUEST: start has no such mode/);
  t.match(await refusal({ wait: 8 * 86_400_000 }), /^BAD REQUEST/);
  t.match(await refusal({ id: 'an-id-without-a-time' }), /^BAD REQUEST: the id/);
  t.match(await refusal({ sendBy: Date.now() + 60_000 }), /^BAD REQUEST: an order is to be begun within 30 s/);
  const silent = front.sendRaw(orderSubject(SITE), Buffer.from('nonsense'), front.headers(orderSubject(SITE), Buffer.from('nonsense')));
  t.match(await refusal({ do: 'pause' }), /^ended/);
  t.same(silent.messages, [], 'where no id can be read, nothing can be answered');
  t.same(world.machine.calls, ['pause']);
});

await t.test('late, early, replayed', async (t) => {
  const world = await SiteWorld.make(t);
  await world.live();
  const { front } = world;
  await front.ordered({ do: 'pause' });
  const late = front.order();
  world.pass(SEND + 1);
  const answer = bare(await front.last(front.sendOrder(late)));
  t.match(answer, { state: 'failed', phrase: 'UNREACHABLE', detail: /too late.*nothing was done/ });
  world.setClock(-SEND - 1);
  t.same(bare(await front.last(front.sendOrder(late))), answer, 'a clock that is set back brings it not to life');
  world.setClock(0);
  const at = world.now() + 3000;
  const early = front.order({ id: newId(at), at, sendBy: at + SEND });
  const ahead = bare(await front.last(front.sendOrder(early)));
  t.match(ahead, { state: 'failed', phrase: 'UNREACHABLE', detail: /clocks differ.*nothing was done/, early: true });
  world.pass(3000);
  t.same(bare(await front.last(front.sendOrder(early))), ahead, 'also when its time has come');
  t.same(bare(await front.ordered({ id: newId(world.now() - 40_000) })), { state: 'lost', observed: 'paused' }, 'older than the journal');
  world.pass(60_000);
  const old = front.order({ id: newId(world.now() - 40_000) });
  t.match(bare(await front.last(front.sendOrder(old))), { state: 'failed', phrase: 'UNREACHABLE' }, 'an old id with a new time');
  t.same(bare(await front.became(newId(world.now() + 3_600_000))), { state: 'none' });
  const done = front.order({ do: 'unpause' });
  await front.last(front.sendOrder(done));
  world.pass(3_600_000);
  t.match(bare(await front.last(front.sendOrder(done))), { state: 'ended' }, 'of what was done it is said for long that it was done, not that it came too late');
  t.same(world.machine.calls, ['pause', 'unpause']);
});

await t.test('a site whose clock is wrong does nothing, and does what is ordered as soon as it is put right', async (t) => {
  const world = await SiteWorld.make(t);
  for (const wrong of [-40_000, 40_000]) {
    world.setClock(wrong);
    const { kill } = await world.live();
    t.match(bare(await world.front.ordered()), { state: 'failed', phrase: 'UNREACHABLE', detail: /clocks differ/ }, `${wrong} ms`);
    world.setClock(0);
    t.match(bare(await world.front.ordered({ do: 'reboot' })), { state: 'ended', result: 'done' });
    await kill();
  }
  world.setClock(40_000);
  const { kill } = await world.live({ folder: `${world.folder}/new` });
  t.match(bare(await world.front.ordered()), { state: 'lost' }, 'with a journal that is new, which may be older than the order');
  world.setClock(0);
  t.match(bare(await world.front.ordered({ do: 'reboot' })), { state: 'ended', result: 'done' });
  await kill();
  t.same(world.machine.calls.splice(2), ['reboot']);
  t.same(world.machine.calls, ['reboot', 'reboot']);
});

await t.test('a front may do what the site lets it, on the machines that are meant', async (t) => {
  const world = await SiteWorld.make(t, new FakeMachine('lj', 'on'), [new FakeMachine('db', 'on')]);
  world.grants = [{ instances: ['fake/lj'], commands: ['start', 'stop', 'read'] }];
  let isOffered = true;
  const { audit } = await world.live({ parts: { isOffered: () => isOffered } });
  const { front, provider } = world;
  const refusal = async (fields: Parameters<typeof front.order>[0]): Promise<string> => {
    const answer = await front.ordered(fields);
    return answer.state === 'failed' ? `${answer.phrase}: ${answer.detail}` : answer.state;
  };
  t.equal(await refusal({ do: 'reboot' }), 'NOT ALLOWED: ');
  t.match(await refusal({ machine: 'db', instance: 'db' }), /^NOT ALLOWED/);
  t.match(await refusal({ machine: 'gone', instance: 'gone' }), /^NOT ALLOWED/, 'whether there is one or not');
  t.match(await refusal({ machine: 'gone' }), /^NO SUCH INSTANCE: fake\/lj/);
  t.match(await refusal({ provider: 'other' }), /^NOT ALLOWED/);
  t.equal(await refusal({ instance: 'web' }), 'NO SUCH INSTANCE: fake/web: the machine that was meant has another name now', 'which who ordered it need not be allowed to know');
  isOffered = false;
  t.match(await refusal({}), /^(NOT ALLOWED|NO SUCH INSTANCE)/, 'a provider that is not offered');
  isOffered = true;
  provider.staleReason = 'UNREACHABLE: no route';
  t.match(await front.ordered({ machine: 'new' }), { whole: 'fake: UNREACHABLE: no route' }, 'for those at the front who may know');
  t.match(await refusal({ machine: 'new' }), /^UNREACHABLE: fake does not answer as it should/, 'of a provider that does not answer, nobody knows what it has');
  t.same(audit.begun, []);
  t.match(await refusal({}), /^ended/);
});

await t.test('a front that is taken out does no more, and what it waits for ends', async (t) => {
  const world = await SiteWorld.make(t);
  const { site } = await world.live();
  const { front } = world;
  world.machine.script.shutdown = () => undefined;
  const waiting = front.sendOrder(front.order({ wait: 60_000 }));
  await until(() => world.machine.calls.length === 1, WITHIN, 'the order to be sent');
  site.configure(world.settings([]));
  await until(() => waiting.answers.some(({ state }) => state === 'failed'), WITHIN, 'the wait to end');
  t.match(waiting.answers.at(-1), { phrase: 'UNCERTAIN', detail: /right to it was taken away/ });
  const refused = front.sendOrder(front.order());
  await until(() => refused.messages.length > 0, WITHIN, 'an answer');
  t.match(refused.answers[0], { state: 'failed', phrase: 'NOT ALLOWED' });
  const anew = new TestFront(world.hub, 'f1', world.signer, world.now);
  site.configure(world.settings([{ name: 'f1', publicKey: anew.signer.publicKey, grants: world.grants }]));
  t.match(bare(await anew.ordered({ do: 'reboot' })), { state: 'ended' }, 'with another key');
  const old = front.sendOrder(front.order());
  await until(() => old.messages.length > 0, WITHIN, 'an answer');
  t.match(old.answers[0], { phrase: 'NOT ALLOWED' }, 'with the one that was taken out');
  t.same(world.machine.calls, ['shutdown', 'reboot']);
});

await t.test('an order is another front\'s, whatever its id', async (t) => {
  const world = await SiteWorld.make(t);
  const { site } = await world.live();
  const other = new TestFront(world.hub, 'f2', world.signer, world.now);
  site.configure(world.settings([world.settings().fleet.fronts[0]!, { name: 'f2', publicKey: other.signer.publicKey, grants: [] }]));
  const order = world.front.order();
  t.same(bare(await other.became(order.id, { front: 'f2', cancel: true })), { state: 'none' });
  t.match(bare(await world.front.last(world.front.sendOrder(order))), { state: 'ended' });
});

await t.test('who waits no longer says so; words on the way', async (t) => {
  const world = await SiteWorld.make(t);
  const { site } = await world.live();
  world.machine.script.shutdown = () => undefined;
  const order = world.front.order({ wait: 60_000 });
  const talk = world.front.sendOrder(order);
  await until(() => talk.answers.some((answer) => answer.state === 'running' && answer.doing === 'verifying'), WITHIN, 'a word on what it does');
  t.equal(site.underWay, 1);
  t.match(bare(await world.front.became(order.id, { cancel: true })), { state: 'failed', phrase: 'UNCERTAIN', detail: /it was cancelled/ });
  t.match(bare(await world.front.last(talk)), { state: 'failed', phrase: 'UNCERTAIN' });
  t.equal(site.underWay, 0);
});

await t.test('why nobody waits any longer is in the audit, where the front says it; what it says of another version is passed over', async (t) => {
  const world = await SiteWorld.make(t);
  const { audit } = await world.live();
  world.machine.script.shutdown = () => undefined;
  for (const [because, words] of [['forbidden', 'the right to it was taken away'], ['ended', 'its front, or a gateway there, ended'], ['eclipse', 'it was cancelled']] as const) {
    const order = world.front.order({ wait: 60_000 });
    const talk = world.front.sendOrder(order);
    await until(() => talk.answers.some((answer) => answer.state === 'running' && answer.doing === 'verifying'), WITHIN, 'a word on what it does');
    t.match(bare(await world.front.became(order.id, { cancel: true, because })), { state: 'failed', phrase: 'UNCERTAIN', detail: `accepted, and last seen on when ${words}` });
    t.match(audit.ended.at(-1), { outcome: `UNCERTAIN: accepted, and last seen on when ${words}` });
  }
});

await t.test('a setting is changed once', async (t) => {
  const world = await SiteWorld.make(t);
  const set: boolean[] = [];
  Object.assign(world.machine, { autostart: { read: async () => set.at(-1) ?? false, set: async (isOn: boolean) => { set.push(isOn); } } });
  const { audit } = await world.live();
  const setting = { ...world.front.order(), do: undefined, mode: undefined, wait: undefined, set: 'autostart', value: true };
  const talks = [world.front.sendOrder(setting), world.front.sendOrder(setting)];
  for (const talk of talks) t.same(bare(await world.front.last(talk)), { state: 'ended', result: 'done' });
  t.same(set, [true]);
  t.match(audit.begun, [{ account: 'kim@f1', command: 'autostart', options: 'on' }]);
});

await t.test('a site that ends answers what is under way, takes nothing new, and says that it leaves', async (t) => {
  const world = await SiteWorld.make(t);
  const { site } = await world.live();
  let goOn: () => void = () => undefined;
  world.machine.script.shutdown = () =>
    new Promise<void>((resolve) => {
      goOn = () => {
        world.machine.state = 'off';
        resolve();
      };
    });
  const talk = world.front.sendOrder(world.front.order());
  await until(() => world.machine.calls.length === 1, WITHIN, 'the order to be sent');
  const drained = site.drain(WITHIN);
  const late = world.front.sendOrder(world.front.order());
  await until(() => late.error !== undefined, WITHIN, 'a word that nobody is there');
  t.equal(late.error!.reason, 'no responders');
  goOn();
  await drained;
  t.same(bare(await world.front.last(talk)), { state: 'ended', result: 'done', before: 'on', after: 'off', verified: true });
  site.close();
  const last = world.hub.passed.filter(({ subject }) => subject.endsWith('.alive')).at(-1)!;
  t.equal((JSON.parse(Buffer.from(last.data).toString()) as { leaving?: boolean }).leaving, true);
});

await t.test('one front asks what became of so many orders at a time: of further ones nothing is said, and others are answered', async (t) => {
  const world = await SiteWorld.make(t);
  const real = new State(world.folder, () => undefined);
  t.teardown(() => real.close());
  let goOn: () => void = () => undefined;
  const open = new Promise<void>((resolve) => { goOn = resolve; });
  let begun = 0;
  const slow = {
    close: () => Promise.resolve(),
    orders: (): OrderJournal => {
      const journal = real.orders();
      return {
        begin: async (...args) => {
          begun += 1;
          await open;
          return journal.begin(...args);
        },
        end: (...args) => journal.end(...args),
      };
    },
  } as unknown as State;
  const second = new TestFront(world.hub, 'f2', world.signer, world.now);
  const { site } = await world.live({ state: slow });
  site.configure(world.settings([world.front, second].map(({ name, signer: { publicKey } }) => ({ name, publicKey, grants: world.grants }))));
  const talks = Array.from({ length: FLEET_RESULTS_PER_FRONT + 3 }, () => world.front.sendResult(newId(world.now())));
  await until(() => begun === FLEET_RESULTS_PER_FRONT, WITHIN, 'as many as there can be');
  const [order, other] = [world.front.sendOrder(world.front.order()), second.sendResult(newId(world.now()))];
  await until(() => begun === FLEET_RESULTS_PER_FRONT + 2, WITHIN, 'an order of that front, and a question of another one');
  goOn();
  t.match(bare(await world.front.last(order)), { state: 'ended' });
  t.same(bare(await second.last(other)), { state: 'none' });
  await until(() => talks.filter(({ messages }) => messages.length > 0).length === FLEET_RESULTS_PER_FRONT, WITHIN, 'their answers');
  t.same(talks.slice(-3).flatMap(({ messages }) => messages), [], 'nothing that could be taken for an answer');
  t.same(bare(await world.front.became(newId(world.now()))), { state: 'none' }, 'then there is room again');
});

/** What a front sends together. */
const parcel = (messages: readonly Fields[]): Uint8Array => packed(messages.map((message) => ({ data: writeMessage(message) })));

await t.test('orders that come in one parcel are each looked at by themselves, and answered together', async (t) => {
  const world = await SiteWorld.make(t, new FakeMachine('lj', 'on'), [new FakeMachine('db', 'on')]);
  const { audit } = await world.live();
  const [stop, other, late, again] = [world.front.order(), world.front.order({ machine: 'db', instance: 'db' }), world.front.order({ sendBy: world.now() - 1000 }), world.front.order({ site: 'munich' })];
  const all = [stop, other, late, again, { ...world.front.order(), do: 'explode' }, { ...world.front.order(), principal: { account: 'kim', from: '', front: 'f2' } }, stop];
  const data = parcel(all);
  const talk = world.front.sendRaw(orderSubject(SITE), data, world.front.headers(orderSubject(SITE), data));
  const wordOf = ({ id }: { readonly id: string }): Fields | undefined => {
    const found = talk.answers.find((answer) => answer.id === id && answer.state !== 'running');
    return found && bare(found);
  };
  await until(() => all.every((order) => wordOf(order) !== undefined), WITHIN, 'all answers');
  t.match(all.map(wordOf), [
    { state: 'ended', result: 'done' }, { state: 'ended', result: 'done' }, { state: 'failed', phrase: 'UNREACHABLE' }, { state: 'failed', phrase: 'BAD REQUEST', early: true },
    { state: 'failed', phrase: 'BAD REQUEST', early: true }, { state: 'failed', phrase: 'BAD REQUEST', early: true }, { state: 'ended', result: 'done' },
  ]);
  t.equal(audit.begun.length, 2, 'one that is in it twice is begun once');
  t.ok(talk.messages.length < all.length, 'in fewer messages than there are answers');
  for (const { data: answers, header } of talk.messages.map((message) => ({ data: message.data, header: message.header(SIGNATURE_HEADER) }))) {
    t.ok(new KnownKey(world.signer.publicKey).verifies(REPLY_PURPOSE, answers, header));
  }
});

await t.test('of a parcel that is not signed as it should be, or holds too much, nothing is done', async (t) => {
  const world = await SiteWorld.make(t);
  await world.live();
  const orders = [world.front.order(), world.front.order()];
  const data = parcel(orders);
  const stranger = world.front.sendRaw(orderSubject(SITE), data, world.front.headers(orderSubject(SITE), data, new NkeySigner(newSeed())));
  await until(() => stranger.answers.length === 2, WITHIN, 'both to be refused');
  t.match(stranger.answers, orders.map(({ id }) => ({ id, state: 'failed', phrase: 'NOT ALLOWED', front: undefined })));
  const signature = stranger.messages[0]!.header(SIGNATURE_HEADER);
  t.notOk(new KnownKey(world.signer.publicKey).verifies(REPLY_PURPOSE, stranger.messages[0]!.data, signature), 'it cannot be taken for a word to whom the site knows');
  const many = parcel(Array.from({ length: FLEET_PARCEL + 1 }, () => ({ v: 1 })));
  world.front.sendRaw(orderSubject(SITE), many, world.front.headers(orderSubject(SITE), many));
  t.match(bare(await world.front.ordered()), { state: 'ended' }, 'it takes others afterwards');
  t.same(world.machine.calls, ['shutdown']);
});
