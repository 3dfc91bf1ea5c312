import t from 'tap';
import { aliveMessage, readMessage, type AliveMessage } from '../../../src/fleet/messages.js';
import { FLEET_RESULT_TIMEOUT } from '../../../src/kit/fleet-limits.js';
import { KnownKey, newSeed, NkeySigner } from '../../../src/fleet/signer.js';
import { aliveSubject } from '../../../src/fleet/subjects.js';
import { until } from '../../support/until.js';
import { bare, opened, SITE, SiteWorld, WITHIN, type Talk } from './world.js';

const heardIn = (world: SiteWorld): { message: AliveMessage; isSigned: boolean }[] => {
  const key = new KnownKey(world.signer.publicKey);
  return world.hub.passed.filter(({ subject }) => subject === aliveSubject(SITE)).map(({ data, headers }) => ({
    message: readMessage(aliveMessage, data), isSigned: key.verifies(aliveSubject(SITE), data, headers['Argo-Signature']),
  }));
};

await t.test('a site says that it is alive, and what it offers', async (t) => {
  const world = await SiteWorld.make(t);
  const { site, bus } = await world.live({ incarnation: 'first-incarnation', parts: { outbox: () => 7 } });
  const { message, isSigned } = heardIn(world).at(-1)!;
  t.ok(isSigned);
  t.match(message, { site: SITE, incarnation: 'first-incarnation', version: '1.2.3', interval: 5000, orders: 0, outbox: 7, providers: [{ name: 'fake', type: 'fake', held: true, dmesg: false }] });
  const before = heardIn(world).length;
  world.provider.staleReason = 'UNREACHABLE: no\nroute';
  site.changed();
  t.equal(heardIn(world).length, before + 1);
  t.equal(heardIn(world).at(-1)!.message.providers[0]!.stale, 'UNREACHABLE: no route');
  bus.cut();
  site.changed();
  t.equal(heardIn(world).length, before + 1);
  t.equal(site.trouble, 'the connection was cut');
  bus.restore();
  t.equal(heardIn(world).length, before + 2, 'at once when the connection is there again');
});

await t.test('five hundred providers with much to say fit into one sign of life', async (t) => {
  const world = await SiteWorld.make(t);
  const offered = Array.from({ length: 500 }, (_, index) => ({ name: `provider-${index}`, type: 'libvirt', stale: 'UNREACHABLE: no route to that host. '.repeat(40), held: true, dmesg: true }));
  await world.live({ parts: { offered: () => offered } });
  t.equal(heardIn(world).at(-1)!.message.providers.length, 500);
});

await t.test('two servers of one name notice each other, and neither acts', async (t) => {
  const world = await SiteWorld.make(t);
  const first = await world.live();
  const second = await world.live({ folder: `${world.folder}/second`, signer: world.signer });
  await until(() => first.site.trouble !== undefined && second.site.trouble !== undefined, WITHIN, 'the two to know of each other');
  t.match(first.site.trouble, /two servers call themselves site berlin: .* with the same key; nothing is done/);
  t.match(first.logged.join('\n'), /error another server has the name of this site/);
  world.pass(2001);
  for (let round = 0; round < 4; round += 1) t.match(bare(await world.front.ordered()), { state: 'failed', phrase: 'UNREACHABLE', detail: /two servers call themselves site berlin/ });
  t.match(bare(await world.front.asked()), { state: 'value', value: 'on' }, 'what changes nothing is answered');
  const refused = world.front.order();
  const answer = await world.front.last(world.front.sendOrder(refused));
  await second.site.drain(1000);
  second.site.close();
  await until(() => first.site.trouble === undefined, WITHIN, 'the other one to have gone');
  for (let round = 0; round < 2; round += 1) t.match(bare(await world.front.last(world.front.sendOrder(refused))), { state: 'failed', phrase: 'UNREACHABLE' }, `what the other one may have refused stays so (${answer.incarnation})`);
  t.same(world.machine.calls, []);
  world.pass(2001);
  t.match(bare(await world.front.ordered()), { state: 'ended', result: 'done' });
});

await t.test('one with another key counts as well, until it was silent for long', async (t) => {
  const world = await SiteWorld.make(t);
  const { site } = await world.live();
  const other = await world.live({ folder: `${world.folder}/other`, signer: new NkeySigner(newSeed()) });
  await until(() => site.trouble !== undefined, WITHIN, 'a word on the other one');
  t.match(site.trouble, /with another key/);
  await other.kill();
  t.match(site.trouble, /with another key/, 'it has not said that it leaves');
  world.pass(20_001);
  t.equal(site.trouble, undefined);
});

await t.test('what another server may have begun while neither knew of the other is not begun, and not denied', async (t) => {
  const world = await SiteWorld.make(t);
  const first = await world.live();
  first.bus.cut();
  const second = await world.live({ folder: `${world.folder}/second` });
  const [done, asked] = [world.front.order({ do: 'reboot' }), world.front.order()];
  t.match(bare(await world.front.last(world.front.sendOrder(done))), { state: 'ended' });
  await second.kill();
  // it hears the other one once more: that is what a partition that heals looks like
  const last = world.hub.passed.filter(({ subject }) => subject === aliveSubject(SITE)).at(-1)!;
  first.bus.restore();
  world.hub.connect(SITE).publish(last.subject, last.data, last.headers);
  await until(() => first.site.trouble !== undefined, WITHIN, 'the first one to know');
  t.same(bare(await world.front.last(world.front.sendOrder(done))), { state: 'lost', observed: 'on' });
  t.same(bare(await world.front.became(asked.id)), { state: 'lost', observed: 'unknown' });
  t.same(world.machine.calls, ['reboot']);
});

await t.test('an order that never came is denied as soon as it is known that no other server has begun it, however long that takes', async (t) => {
  const world = await SiteWorld.make(t);
  const life = await world.live({ times: { hushAgain: FLEET_RESULT_TIMEOUT } });
  const { id } = world.front.order();
  life.bus.cut();
  life.bus.restore();
  const asked: Talk[] = [];
  await until(() => {
    asked.push(world.front.sendResult(id));
    return asked.some(({ answers }) => answers.length > 0);
  }, WITHIN, 'an answer');
  t.same(bare(asked.flatMap(({ answers }) => answers)[0]!), { state: 'none' });
});

await t.test('one that had fallen silent is met again', async (t) => {
  const world = await SiteWorld.make(t);
  const first = await world.live();
  const second = await world.live({ folder: `${world.folder}/second` });
  await until(() => first.site.trouble !== undefined && second.site.trouble !== undefined, WITHIN, 'the two to know of each other');
  first.bus.cut();
  // what it has said before arrives
  for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  world.pass(30_000);
  const done = world.front.order({ do: 'reboot' });
  t.match(bare(await world.front.last(world.front.sendOrder(done))), { state: 'ended' }, 'alone, it acts again');
  first.bus.restore();
  await until(() => first.site.trouble !== undefined && second.site.trouble !== undefined, WITHIN, 'the two to know of each other again');
  const states = new Set<string>();
  await until(async () => states.add((await world.front.last(world.front.sendOrder(done))).state).size > 1, WITHIN, 'each of the two to be asked');
  t.same([...states].sort(), ['ended', 'lost'], 'the one tells, the other does not know');
  t.same(world.machine.calls, ['reboot']);
});

await t.test('after a break of the connection it listens before it acts', async (t) => {
  const world = await SiteWorld.make(t);
  const { bus } = await world.live({ times: { hushAgain: 500 } });
  bus.cut();
  bus.restore();
  const talk = world.front.sendOrder(world.front.order());
  const denied = world.front.sendResult(world.front.order().id);
  t.same(world.machine.calls, []);
  t.match(bare(await world.front.last(talk)), { state: 'ended' });
  t.same(bare(await world.front.last(denied)), { state: 'none' });
});

await t.test('nothing is taken before it has listened, and nobody waits for the bus', async (t) => {
  const world = await SiteWorld.make(t);
  const { site, bus } = await world.live({ isImpatient: true, times: { hush: 300 } });
  bus.cut('not there yet');
  t.equal(site.trouble, 'not there yet');
  bus.restore();
  const early = world.front.sendOrder(world.front.order());
  await until(() => early.error !== undefined, WITHIN, 'a word that nobody is there');
  t.equal(early.error!.reason, 'no responders');
  await opened(site);
  t.match(bare(await world.front.ordered()), { state: 'ended' });
});

await t.test('an order that cannot wait so long is refused', async (t) => {
  const world = await SiteWorld.make(t);
  const { bus, site } = await world.live({ times: { hushAgain: 100_000 } });
  bus.cut();
  bus.restore();
  const at = world.now();
  t.match(bare(await world.front.ordered({ at, sendBy: at + 100 })), { state: 'failed', phrase: 'UNREACHABLE', detail: /nothing was done/ });
  t.same(world.machine.calls, []);
  site.close();
});
